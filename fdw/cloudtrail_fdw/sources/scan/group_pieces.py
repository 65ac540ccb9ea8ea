"""Spans of one log group as CloudWatch Logs has them, in pieces that chains of calls bring."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws.budget import Budget
from cloudtrail_fdw.sources.aws.call_rate import CallRate
from cloudtrail_fdw.sources.aws.cloudwatch_logs import Window, ask_pages
from cloudtrail_fdw.sources.aws.log_groups import GroupFacts
from cloudtrail_fdw.sources.cache.pieces import Piece, cut, turned
from cloudtrail_fdw.sources.scan.parallel_chains import Chain, run_chains
from cloudtrail_fdw.sources.scan.steps_back import Pages, step_back
from cloudtrail_fdw.sources.scan.window_ask import FOREVER, Ask

NEWEST_FIRST_SINCE = 1_704_067_200_000  # 2024-01-01, API_FilterLogEvents on startFromHead
DOUBT = 2.0  # of an average, when nothing of the window has been seen
FREE_EVENTS = 100  # are read without a look at what all would take: a LIMIT may want no more


class GroupPieces:
    """Reads spans of one group from AWS, by as many chains as the quota pays for."""

    def __init__(
        self, settings: Settings, ask: Ask, budget: Budget, stop: threading.Event,
        facts: Optional[GroupFacts], rate: CallRate,
    ) -> None:  # fmt: skip
        """``facts`` are what is known of the group, if anything."""
        self.settings, self.ask, self.budget, self.stop = settings, ask, budget, stop
        self.facts = facts
        self.rate = rate
        self.oldest_first_only = False

    def read(
        self, edge: int, end: int, pattern: str, newest_first: bool, foreseen: float
    ) -> Iterator[Piece]:
        """The pieces of [edge, end), forward times, in any order unless the ask is ordered.

        ``foreseen`` calls are what it is thought to take, 0 where nobody can tell. Raises FdwError,
        also for more than the budget allows; ends early only once ``stop`` is set.
        """
        low, _ = turned(edge, end, newest_first)
        by_steps = newest_first and low < NEWEST_FIRST_SINCE

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
        """FdwError where so many more are too many, but not before a LIMIT could have enough."""
        spent = self.budget
        known = spent.events + spent.cache_events >= FREE_EVENTS
        if (known or self.ask.whole) and not self.ask.ordered:  # an order is for a LIMIT
            spent.foresee(max(0.0, calls), self.rate.quota, 1.0 if known else DOUBT)

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
        return ask_pages(self.settings, ask.group, window, self.budget, stop, self.rate,
                          newest_first)  # fmt: skip

    def step_pages(
        self, low: int, high: int, pattern: str, newest_first: bool, stop: threading.Event
    ) -> Pages:
        """[low, high) newest first, of a service that reads oldest first."""

        def read(start: int, end: int) -> Pages:
            return self.chain_pages(start, end, pattern, False, stop)

        return step_back(low, high, read, stop)
