"""Pages cut into pieces that hold all events of a span of time.

Everything here runs forward: oldest first on times as they are, newest first on times with their
sign turned, so that one piece of code reads both ways.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.record.log_event import LogEvent


class Piece(NamedTuple):
    """All events of [start, end), forward times; ``calls`` pages they came in."""

    start: int
    end: int
    events: list[LogEvent]
    calls: int

    def clipped(self, end: int, newest_first: bool) -> Piece:
        """The piece without what lies at ``end`` or behind it."""
        if self.end <= end:
            return self
        low, high = turned(self.start, end, newest_first)
        kept = [event for event in self.events if low <= event.timestamp < high]
        return Piece(self.start, end, kept, self.calls)


def turned(start: int, end: int, newest_first: bool) -> tuple[int, int]:
    """A span of real times as one of forward times, and back again."""
    return (1 - end, 1 - start) if newest_first else (start, end)


def cut(
    pages: Iterable[tuple[list[LogEvent], bool]],
    start: int,
    end: Callable[[], int],
    newest_first: bool,
) -> Iterator[Piece]:
    """Cut a chain of pages at milliseconds; the rest of one waits for the page after it.

    ``end()`` is asked after each page, for it may come nearer; what lies behind it is left out.
    Ends early, short of ``end()``, only if ``pages`` does; FdwError when a page is not in order.
    """
    sign = -1 if newest_first else 1
    edge, held, calls = start, list[LogEvent](), 0
    for page, last in pages:
        calls += 1
        events = list({event.event_id: event for event in (*held, *page)}.values())
        stamps = [sign * event.timestamp for event in events]
        if not all(map(int.__le__, [edge, *stamps], stamps)):
            raise FdwError(
                "CloudWatch Logs returned log events out of order",
                hint="Run the query again; please report it if it stays so.",
            )
        stop = end()
        if last or (stamps and stamps[-1] >= stop):
            count = bisect_left(stamps, stop)
            yield Piece(edge, stop, events[:count], calls)
            return
        if not stamps or stamps[-1] == edge:
            held = events
            continue
        count = bisect_left(stamps, stamps[-1])
        yield Piece(edge, stamps[-1], events[:count], calls)
        edge, held, calls = stamps[-1], events[count:], 0
