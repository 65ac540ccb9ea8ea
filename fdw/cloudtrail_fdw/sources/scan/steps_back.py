"""Newest first of a service that reads oldest first only: the time in steps back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from cloudtrail_fdw.sources.record.log_event import LogEvent

LONGEST_STEP_PAGES = 4

Pages = Iterator[tuple[list[LogEvent], bool]]


def step_back(
    low: int, high: int, read: Callable[[int, int], Pages], stop: threading.Event
) -> Pages:
    """The events of [low, high) ms newest first, each step's with whether it is the last one.

    ``read`` gives the pages of a span, oldest first.
    """
    step = high - low
    while high > low and not stop.is_set():
        start = max(low, high - step)
        found: list[LogEvent] = []
        pages = 0
        for pages, (page, last) in enumerate(read(start, high), 1):
            found += page
            if pages >= LONGEST_STEP_PAGES and not last and step > 1:
                step = (high - start) // 8 or 1
                break
        else:
            if stop.is_set():
                return  # what was found may not be all
            yield found[::-1], start == low
            high, step = start, step if pages > 1 else 2 * step
