"""Rows by event_time from pages by delivery: in order, soon, and never out of order in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.scan.newest_first import Dated, newest_first

SECOND = 1_000_000  # microseconds
Pages = list[tuple[int, list[Dated]]]


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[Pages, list[int]]:
    """Pages in the order of delivery, newest first, and the event_times, 2 s skew at most."""
    skewed = st.tuples(st.integers(0, 60_000), st.integers(-2000, 30_000))  # ms
    events = sorted(draw(st.lists(skewed, max_size=30)), reverse=True)
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    parts = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)])]
    pages = [
        (part[-1][0], [Dated((at - delay) * 1000, [at, delay]) for at, delay in part])
        for part in parts if part
    ]  # fmt: skip
    return pages, [(at - delay) * 1000 for at, delay in events]


@given(deliveries())
def test_rows_come_newest_first_and_all_of_them(given: tuple[Pages, list[int]]) -> None:
    pages, happened = given
    rows = list(newest_first(pages, clock_skew=2.0))
    assert [(at - delay) * 1000 for at, delay in rows] == sorted(happened, reverse=True)
    assert sorted(rows) == sorted(row for _, page in pages for _, row in page)


def test_a_row_goes_out_once_no_newer_one_can_come() -> None:
    asked = []

    def pages() -> Iterator[tuple[int, list[Dated]]]:
        for stamp in (10_000, 8_000, 5_000):
            asked.append(stamp)
            yield stamp, [Dated(stamp * 1000 - SECOND, [stamp])]

    rows = newest_first(pages(), clock_skew=1.0)
    assert (next(rows), asked) == ([10_000], [10_000, 8_000])  # 9 s, and no more than 8 + 1 to come
    assert (next(rows), asked) == ([8_000], [10_000, 8_000, 5_000])
    assert list(rows) == [[5_000]]


def test_equal_times_keep_their_order_and_are_not_compared() -> None:
    page = [Dated(5, [{"a": n}]) for n in range(3)]
    assert list(newest_first([(1, page)], 0.0)) == [[{"a": 0}], [{"a": 1}], [{"a": 2}]]


def test_an_event_from_the_future_is_an_error_that_names_the_setting() -> None:
    def pages(*happened: int) -> Pages:
        return [(10_000 - n, [Dated(time, [n])]) for n, time in enumerate(happened)]

    emitted = 10_050_000  # newer than delivery + skew
    assert len(list(newest_first(pages(emitted, emitted), 0.05))) == 2
    with pytest.raises(FdwError) as raised:
        list(newest_first(pages(emitted, emitted + 1), 0.05))
    assert raised.value.sqlstate == "22000"
    assert "1970-01-01 00:00:10.05" in raised.value.message.replace("T", " ")
    assert "SET cloudtrail_fdw.clock_skew" in (raised.value.hint or "")
    assert len(list(newest_first(pages(emitted, emitted + 1), 1.0))) == 2
