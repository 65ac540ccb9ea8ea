"""Rows in the order of event_time, of pages that come in the order of delivery.

An event is delivered after it happened, ``clock_skew`` aside. So of the events that are still to
come, all delivered no later than the last page's last, none is newer than that plus the skew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from cloudtrail_fdw import times
from cloudtrail_fdw.errors import FdwError

Row = Sequence[object]


class Dated(NamedTuple):
    """A row with its event_time, in microseconds since 1970."""

    event_time: int
    row: Row


def newest_first(pages: Iterable[tuple[int, Iterable[Dated]]], clock_skew: float) -> Iterator[Row]:
    """The rows, newest event_time first.

    Each page comes with the time of delivery (ms) that no later page has events after. Raises
    FdwError (22000) for an event that is dated so late that newer rows have gone out before it.
    """
    waiting: list[tuple[int, int, Row]] = []
    number = 0
    last = None
    for delivered, rows in pages:
        for event_time, row in rows:
            if last is not None and event_time > last:
                raise too_late(event_time, delivered)
            number += 1
            heappush(waiting, (-event_time, number, row))
        floor = delivered * 1000 + int(clock_skew * times.SECOND)
        while waiting and -waiting[0][0] >= floor:
            last = -waiting[0][0]
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def too_late(event_time: int, delivered: int) -> FdwError:
    """The error for an event from the future."""
    return FdwError(
        f"an event is dated {times.to_text(event_time)}, more than clock_skew after its delivery, "
        f"about {times.milliseconds_to_text(delivered)}",
        hint="Raise clock_skew: SET cloudtrail_fdw.clock_skew = …, or order by timestamp.",
        sqlstate="22000",
    )
