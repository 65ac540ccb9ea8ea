"""All events of a window of one log group: from the cache what it has, from AWS what is missing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterator
from typing import Optional

from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws import cloudtrail_api
from cloudtrail_fdw.sources.aws.budget import Budget
from cloudtrail_fdw.sources.aws.call_rate import call_rate
from cloudtrail_fdw.sources.aws.cloudwatch_logs import wrong_class
from cloudtrail_fdw.sources.aws.log_group_list import find_facts
from cloudtrail_fdw.sources.aws.log_groups import GroupFacts
from cloudtrail_fdw.sources.cache.cache_contents import trim
from cloudtrail_fdw.sources.cache.fetch_lock import beat, fetching
from cloudtrail_fdw.sources.cache.made_rows import Page, Place, RowMaker
from cloudtrail_fdw.sources.cache.page_cache import Chunk, Shelf, shelf_name
from cloudtrail_fdw.sources.cache.pieces import Piece, turned
from cloudtrail_fdw.sources.cache.shelves import Index, Shelves, keep
from cloudtrail_fdw.sources.disk import cache_directory
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.scan.group_pieces import NEWEST_FIRST_SINCE, GroupPieces
from cloudtrail_fdw.sources.scan.window_ask import FOREVER, OLDEST_PUT, Ask, shelves_of

EDGE = 60_000  # ms; queries that begin together bound their windows by now()
WAIT = 0.05  # seconds between two looks at another backend's fetch
TRIM_EVERY = 64  # files
WORTH_SHARING = 200  # calls for a whole window that several patterns are asked of at once
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
        self.maker: Optional[RowMaker] = None
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
        rate = call_rate(bucket, self.region, settings.max_tps, folder)
        self.source = GroupPieces(settings, ask, budget, stop, self.facts, rate)

    def read(self) -> Iterator[list[LogEvent]]:
        """The events page by page; raises FdwError, ends early only once ``stop`` is set."""
        return (page.events for page in self.read_pages())

    def read_rows(self, maker: RowMaker) -> Iterator[bytes]:
        """The rows that are made of them, page by page, or were made before; as read()."""
        self.maker = maker
        for page in self.read_pages():
            kept = maker.kept
            yield maker.rows(page)
            if maker.kept > kept:
                self.make_room()

    def read_pages(self) -> Iterator[Page]:
        """The events page by page, or the rows made of them."""
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
            if page.place is not None or page.events[0].timestamp < ask.high:
                yield page
                continue
            kept = [event for event in page.events if event.timestamp < ask.high]
            if kept:
                yield Page(kept)
        yield from self.read_span(low, min(middle, ask.high), ask.ordered)

    def read_span(self, low: int, high: int, newest_first: bool) -> Iterator[Page]:
        """The events of [low, high), or the rows made of them."""
        edge, end = turned(low, high, newest_first)
        index: Optional[Index] = None
        while edge < end and not self.stop.is_set():
            index = index or self.index(newest_first)
            found = index.at(edge)
            if found is None:
                edge = yield from self.fill(edge, index.next_start(end), newest_first)
                index = None
                continue
            _, reach = turned(found[1].start, found[1].until, newest_first)
            page = self.load(*found, *turned(edge, min(end, reach), newest_first), newest_first)
            if page is None:  # replaced meanwhile, or damaged, and perhaps not removable
                self.unusable.add(found[1])
                index = None
                continue
            if page.events or page.rows:
                yield page
            edge = reach

    def load(
        self, shelf: Shelf, chunk: Chunk, low: int, high: int, newest_first: bool
    ) -> Optional[Page]:
        """What [low, high) has of a chunk; None when it cannot be read."""
        whole = low <= chunk.start and chunk.end <= min(high, self.ask.high)
        place = Place(shelf, chunk, newest_first) if whole and chunk.events else None
        rows = self.maker.load(place) if self.maker and place else None
        if rows is not None:
            self.budget.cache_events += chunk.events
            return Page([], rows, place)
        events = shelf.load(chunk)
        if events is None:
            return None
        kept = [event for event in events if low <= event.timestamp < high]
        self.budget.cache_events += len(kept)
        return Page(kept[::-1] if newest_first else kept, None, place)

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

    def fill(self, edge: int, end: int, newest_first: bool) -> Generator[Page, None, int]:
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
                place = None
                if shelf is not None and lock is not None:
                    place = self.hold(shelf, piece, asked_at, newest_first)
                    beat(lock)
                part = piece.clipped(end, newest_first)
                if part.events:
                    yield Page(part.events, None, place if part is piece else None)
                reached = piece.end if piece.start == reached else end
                if (
                    reached < end
                    and clauses
                    and self.gives_way(*turned(reached, end, newest_first))
                ):
                    return reached
        return end

    def pieces(
        self, edge: int, end: int, clauses: tuple[str, ...], newest_first: bool
    ) -> Iterator[Piece]:
        """What AWS has of [edge, end), forward times."""
        pattern = self.ask.pattern(clauses)
        span = turned(edge, end, newest_first)
        foreseen = 0.0 if pattern else min(self.calls(*span), self.average_calls(*span))
        return self.source.read(edge, end, pattern, newest_first, foreseen)

    def gives_way(self, low: int, high: int) -> bool:
        """Whether a narrow fetch of [low, high) is a waste, as another backend reads everything."""
        shelves = self.shelves
        wide = shelves is not None and shelves.wide_read(low, high, self.window)
        return wide and not self.choose_clauses(low, high)

    def hold(
        self, shelf: Shelf, piece: Piece, asked_at: int, newest_first: bool
    ) -> Optional[Place]:
        """Keep a piece; where it is, if all of it is wanted."""
        chunk = keep(shelf, piece, asked_at, newest_first)
        self.make_room()
        if chunk is None or chunk.end > self.ask.high:
            return None
        return Place(shelf, chunk, newest_first)

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
        low, high = self.inhabited(low, high)
        density = self.shelves.density(low, high) if self.shelves else None
        if density is not None:
            return max(1.0, density * max(1, high - low))
        return self.average_calls(low, high)

    def average_calls(self, low: int, high: int) -> float:
        """The same by what is known of the whole group, as EXPLAIN tells."""
        low, high = self.inhabited(low, high)
        return self.facts.calls(max(1, high - low)) if self.facts else 1.0

    def inhabited(self, low: int, high: int) -> tuple[int, int]:
        """The part of [low, high) in which there may be many events."""
        creation = self.facts.creation if self.facts else 0
        return max(low, creation), min(high, int(time.time() * 1000))


def rounded(end: int) -> int:
    """A forward time, newest first, no sooner than ``end``, where a minute begins."""
    low, _ = turned(0, end, True)
    return turned(low - low % EDGE, FOREVER, True)[1]
