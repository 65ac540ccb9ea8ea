"""Steps back through time: every event once, the newest first, few pages at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.scan.steps_back import LONGEST_STEP_PAGES, step_back

LOW, HIGH = 1000, 1100
PAGE = 3


class Service:
    """Reads oldest first; notes the spans and how many pages were taken of each."""

    def __init__(self, stamps: list[int]) -> None:
        self.events = [LogEvent("s", t, "m", t, str(n)) for n, t in enumerate(sorted(stamps))]
        self.spans: list[tuple[int, int]] = []
        self.taken: list[int] = []

    def read(self, low: int, high: int) -> Iterator[tuple[list[LogEvent], bool]]:
        assert LOW <= low < high <= HIGH
        self.spans.append((low, high))
        self.taken.append(0)
        found = [event for event in self.events if low <= event.timestamp < high]
        for place in range(0, max(1, len(found)), PAGE):
            self.taken[-1] += 1
            yield found[place : place + PAGE], place + PAGE >= len(found)


@given(st.lists(st.integers(LOW, HIGH - 1), max_size=120))
def test_every_event_comes_once_and_the_newest_first(stamps: list[int]) -> None:
    service = Service(stamps)
    steps = list(step_back(LOW, HIGH, service.read, threading.Event()))
    assert [event for page, _ in steps for event in page] == service.events[::-1]
    assert [last for _, last in steps] == [False] * (len(steps) - 1) + [True]
    one = [taken for taken, (low, high) in zip(service.taken, service.spans) if high - low > 1]
    assert max(one, default=0) <= LONGEST_STEP_PAGES


def test_steps_shrink_to_an_eighth_and_double_where_little_is() -> None:
    service = Service([*range(LOW + 85, HIGH)])
    assert len(list(step_back(LOW, HIGH, service.read, threading.Event()))) > 1
    assert service.spans[:4] == [(1000, 1100), (1088, 1100), (1076, 1088), (1052, 1076)]
    service = Service([*range(LOW + 97, HIGH)] * 5)
    list(step_back(LOW, HIGH, service.read, threading.Event()))
    assert service.spans[:5] == [(1000, 1100), (1088, 1100), (1099, 1100), (1098, 1099),
                                 (1097, 1098)]  # fmt: skip
    assert service.spans[5:8] == [(1096, 1097), (1094, 1096), (1090, 1094)]


def test_a_stop_leaves_nothing_half_read() -> None:
    service, stop = Service([LOW, HIGH - 1]), threading.Event()
    stop.set()
    assert list(step_back(LOW, HIGH, service.read, stop)) == []
    assert service.spans == []

    def stopped(low: int, high: int) -> Iterator[tuple[list[LogEvent], bool]]:
        stop.set()
        yield service.events, False

    stop.clear()
    assert list(step_back(LOW, HIGH, stopped, stop)) == []
