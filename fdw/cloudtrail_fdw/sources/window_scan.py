"""All events of a window of one log group: from the cache what it has, from AWS what is missing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources import cache_directory, cloudtrail_api
from cloudtrail_fdw.sources.budget import Budget
from cloudtrail_fdw.sources.cache_contents import trim
from cloudtrail_fdw.sources.call_rate import CallRate, call_rate
from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent, Window, read_pages, wrong_class
from cloudtrail_fdw.sources.fetch_lock import beat, fetching
from cloudtrail_fdw.sources.log_group_list import find_facts
from cloudtrail_fdw.sources.log_groups import GroupFacts
from cloudtrail_fdw.sources.page_cache import Chunk, shelf_name
from cloudtrail_fdw.sources.parallel_chains import Chain, run_chains
from cloudtrail_fdw.sources.pieces import Piece, cut, turned
from cloudtrail_fdw.sources.shelves import Index, Shelves, keep
from cloudtrail_fdw.sources.steps_back import Pages, step_back
from cloudtrail_fdw.sources.window_ask import FOREVER, Ask, shelves_of

OLDEST_PUT = 14 * 86_400_000  # ms before a group's creation, API_PutLogEvents
NEWEST_FIRST_SINCE = 1_704_067_200_000  # 2024-01-01, API_FilterLogEvents on startFromHead
EDGE = 60_000  # ms; queries that begin together bound their windows by now()
WAIT = 0.05  # seconds between two looks at another backend's fetch
TRIM_EVERY = 64  # pieces
WORTH_SHARING = 200  # calls for a whole window that several patterns are asked of at once
FREE_EVENTS = 100  # are read without a look at what all would take: a LIMIT may want no more
NARROW_SHARE = 0.1  # of a whole window's calls may go into patterns before all of it is read


class WindowScan:
    """One scan of one window of one group; read() is to be called once."""

    def __init__(self, settings: Settings, ask: Ask, budget: Budget, stop: threading.Event) -> None:
        """Raises FdwError for a group that cannot be read."""
        self.settings, self.ask, self.budget, self.stop = settings, ask, budget, stop
        self.began = time.time() * 1000
        folder = cache_directory.own_folder(settings)
        self.facts: Optional[GroupFacts] = None
        self.shelves: Optional[Shelves] = None
        self.kept = 0
        self.oldest_first_only = False
        self.unusable: set[Chunk] = set()
        if folder is not None:
            self.facts = find_facts(settings, ask.group, folder, stop)
        if self.facts is not None:
            if self.facts.log_class == "INFREQUENT_ACCESS":
                raise wrong_class(ask.group)
            self.shelves = shelves_of(settings, ask, self.facts)
        # what is known tells the Region without a client
        self.region = self.facts.region if self.facts else ask.group.region
        self.region = self.region or cloudtrail_api.region(settings)
        self.account = self.facts.account if self.facts else ask.group.account
        bucket = self.account or shelf_name([settings.endpoint_url])
        self.rate: CallRate = call_rate(bucket, self.region, settings.max_tps, folder)

    def read(self) -> Iterator[list[LogEvent]]:
        """The events page by page; raises FdwError, ends early only once ``stop`` is set."""
        ask = self.ask
        low = max(ask.low, self.facts.creation - OLDEST_PUT) if self.facts else ask.low
        if not ask.newest_first:
            yield from self.read_span(low, ask.high, False)
            return
        middle = max(low, NEWEST_FIRST_SINCE)
        high = ask.high
        if self.began < high < FOREVER:  # there is nothing yet that a minute more could bring
            high += -high % EDGE
        for page in self.read_span(middle, high, True):
            whole = page[0].timestamp < ask.high
            kept = page if whole else [event for event in page if event.timestamp < ask.high]
            if kept:
                yield kept
        yield from self.read_span(low, min(middle, ask.high), ask.ordered)

    def read_span(self, low: int, high: int, newest_first: bool) -> Iterator[list[LogEvent]]:
        """The events of [low, high)."""
        edge, end = turned(low, high, newest_first)
        index: Optional[Index] = None
        while edge < end and not self.stop.is_set():
            index = index or self.index(newest_first)
            found = index.at(edge)
            if found is None:
                edge = yield from self.fill(edge, index.next_start(end), newest_first)
                index = None
                continue
            shelf, chunk = found
            events = shelf.load(chunk)
            if events is None:  # replaced meanwhile, or damaged, and perhaps not removable
                self.unusable.add(chunk)
                index = None
                continue
            _, reach = turned(chunk.start, chunk.until, newest_first)
            first, last = turned(edge, min(end, reach), newest_first)
            kept = [event for event in events if first <= event.timestamp < last]
            self.budget.cache_events += len(kept)
            if kept:
                yield kept[::-1] if newest_first else kept
            edge = reach

    @property
    def window(self) -> int:
        """How much time the whole scan is about, in ms."""
        low = max(self.ask.low, self.facts.creation) if self.facts else self.ask.low
        return max(1, min(self.ask.high, int(time.time() * 1000)) - low)

    def index(self, newest_first: bool) -> Index:
        """What the cache can answer with now."""
        shelves = self.shelves.usable(self.ask.clauses) if self.shelves else []
        if self.facts and self.facts.retention_days:
            for shelf in shelves:
                shelf.expire(self.facts.oldest)
        # what was asked since this scan began is as new as what it would be told itself
        max_age = max(self.settings.cache_max_age * 1000, time.time() * 1000 - self.began)
        return Index(shelves, newest_first, max_age, self.unusable)

    def fill(self, edge: int, end: int, newest_first: bool) -> Generator[list[LogEvent], None, int]:
        """Read the gap from ``edge`` on, forward times, from AWS; how far it reached.

        That is no farther than ``edge`` after a wait for another backend, and not to the end where
        another has begun to read everything meanwhile.
        """
        reached, far = edge, end
        asked_at = int(time.time() * 1000)
        with contextlib.ExitStack() as stack:
            shelf, lock, clauses = None, None, self.ask.clauses
            if self.shelves is not None:
                with contextlib.suppress(OSError):
                    gap = turned(edge, end, newest_first)
                    clauses = self.choose_clauses(*gap)
                    shelf = self.shelves.shelf(clauses, self.ask.pattern(clauses))
                    lock = stack.enter_context(fetching(shelf.path, *gap, self.window))
                    if lock is None:
                        self.budget.check()
                        self.stop.wait(WAIT)
                        return edge
                    held = self.index(newest_first)
                    if held.at(edge) is not None:  # it came just now
                        return edge
                    end = held.next_start(end)
                    far = held.next_start(rounded(end)) if newest_first else end
            for piece in self.pieces(edge, far, clauses, newest_first):
                if shelf is not None and lock is not None:
                    keep(shelf, piece, asked_at, newest_first)
                    beat(lock)
                    self.make_room()
                events = piece.clipped(end, newest_first).events
                if events:
                    yield events
                reached = piece.end if piece.start == reached else end
                if (
                    reached < end
                    and clauses
                    and self.gives_way(*turned(reached, end, newest_first))
                ):
                    return reached
        return end

    def gives_way(self, low: int, high: int) -> bool:
        """Whether a narrow fetch of [low, high) is a waste, as another backend reads everything."""
        shelves = self.shelves
        wide = shelves is not None and shelves.wide_read(low, high, self.window)
        return wide and not self.choose_clauses(low, high)

    def make_room(self) -> None:
        """Look after the cache's size now and then."""
        root = cache_directory.cache_root(self.settings)
        if root is not None and self.kept % TRIM_EVERY == 0:
            trim(root, self.settings.cache_size)
        self.kept += 1

    def choose_clauses(self, low: int, high: int) -> tuple[str, ...]:
        """The clauses to ask by: none where reading everything saves calls in the end."""
        clauses = self.ask.clauses
        if not clauses or self.settings.cache == "wide":
            return ()
        if self.shelves is None:
            return clauses
        spent, narrow = self.shelves.spent(low, high)
        everything = self.calls(low, high)
        if spent + narrow > NARROW_SHARE * everything:
            return ()
        together = self.shelves.others_read(clauses, low, high, self.window)
        return () if together and everything <= WORTH_SHARING else clauses

    def calls(self, low: int, high: int) -> float:
        """About how many calls [low, high) takes without clauses."""
        now = int(time.time() * 1000)
        width = max(1, min(high, now) - max(low, self.facts.creation if self.facts else 0))
        density = self.shelves.density(low, min(high, now)) if self.shelves else None
        if density is not None:
            return max(1.0, density * width)
        return self.facts.calls(width) if self.facts else 1.0

    def pieces(
        self, edge: int, end: int, clauses: tuple[str, ...], newest_first: bool
    ) -> Iterator[Piece]:
        """The pieces of [edge, end) from AWS, in any order unless the ask is ordered."""
        low, _ = turned(edge, end, newest_first)
        by_steps = newest_first and low < NEWEST_FIRST_SINCE
        pattern = self.ask.pattern(clauses)
        foreseen = 0.0 if pattern else self.calls(*turned(edge, end, newest_first))

        def chain(start: int, limit: Callable[[], int], stop: threading.Event) -> Iterator[Piece]:
            span = turned(start, limit(), newest_first)
            read = self.step_pages if by_steps or self.oldest_first_only else self.chain_pages
            try:
                yield from cut(read(*span, pattern, newest_first, stop), start, limit, newest_first)
            except FdwError as error:
                if "startFromHead" not in (error.detail or "") or self.oldest_first_only:
                    raise
                self.oldest_first_only = True  # as in partitions that do not know it
                yield from chain(start, limit, stop)

        start, called = edge, self.budget.calls
        self.refuse_too_much(foreseen)
        for number, piece in enumerate(chain(edge, lambda: end, self.stop)):
            yield piece
            if self.ask.ordered or piece.end >= end:
                continue
            self.refuse_too_much(foreseen - (self.budget.calls - called))
            if number == 0:
                start = piece.end  # what lies before may be a long time without events
                continue
            full = self.inhabited(end, newest_first)
            first = Chain(piece.end, full, (piece.end - start) / number)
            if first.pages > 2 * self.rate.chains(self.rate.latest) > 2:
                yield from run_chains(chain, first, newest_first, self.rate, self.stop)
                yield from chain(full, lambda: end, self.stop) if full < end else ()
                return

    def refuse_too_much(self, calls: float) -> None:
        """FdwError where so many more are too many, but not before a LIMIT could have enough.

        Multicorn does not say whether there is one.
        """
        spent = self.budget
        ordered = self.ask.ordered  # for a LIMIT
        if not ordered and spent.events + spent.cache_events >= FREE_EVENTS:
            spent.foresee(max(0.0, calls), self.rate.quota)

    def inhabited(self, end: int, newest_first: bool) -> int:
        """The part of a span, up to forward time ``end``, in which there are likely to be events.

        Before its group was made there are next to none: dividing that time would waste calls.
        """
        if not newest_first or self.facts is None:
            return end
        return min(end, turned(self.facts.creation, FOREVER, True)[1])

    def chain_pages(
        self, low: int, high: int, pattern: str, newest_first: bool, stop: threading.Event
    ) -> Pages:
        """One chain of calls for [low, high)."""
        ask = self.ask
        window = Window(low or None, None if high >= FOREVER else high - 1, pattern,
                        not ask.own, ask.streams)  # fmt: skip
        return read_pages(self.settings, ask.group, window, self.budget, stop, self.rate,
                          newest_first)  # fmt: skip

    def step_pages(
        self, low: int, high: int, pattern: str, newest_first: bool, stop: threading.Event
    ) -> Pages:
        """[low, high) newest first, of a service that reads oldest first."""

        def read(start: int, end: int) -> Pages:
            return self.chain_pages(start, end, pattern, False, stop)

        return step_back(low, high, read, stop)


def rounded(end: int) -> int:
    """A forward time, newest first, no sooner than ``end``, where a minute begins."""
    low, _ = turned(0, end, True)
    return turned(low - low % EDGE, FOREVER, True)[1]
