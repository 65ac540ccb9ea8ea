from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Between
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sandbox.local_aws.pattern import compile_pattern
from cloudtrail_fdw.sources.scan.time_slices import (
    DeliveryWindow,
    delivery_window,
    event_time_clause,
    time_prefixes,
)

SETTINGS = read_settings({"delivery_lag": "1 hour", "clock_skew": "1 min"})
MINUTE, HOUR = 60_000_000, 3_600_000_000
INSTANTS = st.integers(1_700_000_000_000_000, 1_700_000_400_000_000)
SPANS = st.builds(Between, st.none() | INSTANTS, st.none() | INSTANTS)


def inside(instant: int, span: Between) -> bool:
    return (span.low is None or instant >= span.low) and (span.high is None or instant <= span.high)


@given(SPANS, SPANS, INSTANTS, st.integers(-MINUTE, HOUR))
def test_no_event_within_the_margins_is_outside(
    happened: Between, delivered: Between, event_time: int, delay: int
) -> None:
    timestamp = (event_time + delay) // 1000 * 1000  # AWS keeps milliseconds
    if timestamp < event_time - MINUTE:
        timestamp += 1000
    window = delivery_window(SETTINGS, happened, delivered)
    if inside(event_time, happened) and inside(timestamp, delivered):
        assert not window.empty
        assert window.start is None or window.start <= timestamp // 1000
        assert window.end is None or timestamp // 1000 <= window.end


def test_the_margins_are_named() -> None:
    window = delivery_window(SETTINGS, Between(10 * HOUR, 11 * HOUR), Between())
    assert window == (35_940_000, 43_200_000, "clock_skew 60 s, delivery_lag 3600 s")
    assert delivery_window(SETTINGS, Between(), Between(1_999)) == (1, None, "")
    assert delivery_window(SETTINGS, Between(), Between(2_000, 1_000)).empty
    assert not delivery_window(SETTINGS, Between(), Between(1_000, 1_999)).empty
    assert delivery_window(SETTINGS, Between(), Between(2_000, 2_500)) == (2, 2, "")


def test_a_window_outside_of_all_times_is_empty() -> None:
    for happened in (Between(high=times.EARLIEST * 1000), Between(high=times.PAST),
                     Between(low=times.FUTURE)):  # fmt: skip
        assert delivery_window(SETTINGS, happened, Between()).empty
        assert delivery_window(SETTINGS, Between(), happened).empty
    assert not delivery_window(SETTINGS, Between(high=0), Between()).empty


def test_a_window_without_a_bound_is_not_empty() -> None:
    for window in (DeliveryWindow(None, None, ""), DeliveryWindow(1, None, ""),
                   DeliveryWindow(None, 1, ""), DeliveryWindow(1, 1, "")):  # fmt: skip
        assert not window.empty


def test_the_tighter_of_both_bounds_counts() -> None:
    happened = Between(10 * HOUR, 11 * HOUR)
    inner = Between(10 * HOUR, 11 * HOUR)
    assert delivery_window(SETTINGS, happened, inner)[:2] == (36_000_000, 39_600_000)
    outer = Between(9 * HOUR, 14 * HOUR)
    assert delivery_window(SETTINGS, happened, outer)[:2] == (35_940_000, 43_200_000)
    assert delivery_window(SETTINGS, Between(high=HOUR), Between()) == (
        None, 7_200_000, "delivery_lag 3600 s")  # fmt: skip


def at(text: str) -> int:
    return times.from_datetime(datetime.fromisoformat(text).replace(tzinfo=timezone.utc))


def prefixes(low: str, high: str) -> list[str]:
    clause = event_time_clause(Between(at(low), at(high)))
    tests = clause.strip("()").split(" || ")
    assert clause.startswith("(") == (len(tests) > 1)
    assert all(test.startswith('$.eventTime = "') and test.endswith('"') for test in tests)
    return [test[len('$.eventTime = "') : -1] for test in tests]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ("2026-11-20 10:05:30", "2026-11-20 10:05:31", ["2026-11-20*10:05:*"]),
        (
            "2026-11-20 10:05:59",
            "2026-11-20 10:06:00",
            ["2026-11-20*10:05:*", "2026-11-20*10:06:*"],
        ),
        ("2026-11-20 10:00:00", "2026-11-20 10:59:59", ["2026-11-20*10:*"]),
        ("2026-11-20 10:00:00", "2026-11-20 11:00:00", ["2026-11-20*10:*", "2026-11-20*11:00:*"]),
        (
            "2026-11-20 10:48:00",
            "2026-11-20 10:59:00",
            [f"2026-11-20*10:{minute}:*" for minute in range(48, 60)],
        ),
        ("2026-11-20 10:47:00", "2026-11-20 10:59:00", ["2026-11-20*10:*"]),
        (
            "2026-11-20 23:59:00",
            "2026-11-21 00:00:00",
            ["2026-11-20*23:59:*", "2026-11-21*00:00:*"],
        ),
        (
            "2026-11-20 00:00:00",
            "2026-11-22 00:30:00",
            ["2026-11-20*", "2026-11-21*", "2026-11-22*00:*"],
        ),
        (
            "2026-11-30 22:00:00",
            "2026-12-01 01:30:00",
            ["2026-11-30*22:*", "2026-11-30*23:*", "2026-12-01*00:*", "2026-12-01*01:*"],
        ),
        (
            "2024-02-27 00:00:00",
            "2024-03-01 00:00:00",
            ["2024-02-27*", "2024-02-28*", "2024-02-29*", "2024-03-01*00:00:*"],
        ),
        ("2026-01-01 00:00:00", "2026-02-28 00:00:00", ["2026-01-*", "2026-02-*"]),
        (
            "2025-12-01 00:00:00",
            "2026-02-01 00:00:00",
            ["2025-12-*", "2026-01-*", "2026-02-01*00:00:*"],
        ),
        ("2024-01-01 00:00:00", "2026-01-01 00:00:00", ["2024-*", "2025-*", "2026-01-01*00:00:*"]),
        ("2024-05-05 05:05:05", "2026-06-06 06:06:06", ["2024-*", "2025-*", "2026-*"]),
        ("2015-05-05 05:05:05", "2026-06-06 06:06:06", [f"{year}-*" for year in range(2015, 2027)]),
        ("2014-05-05 05:05:05", "2026-06-06 06:06:06", ["*"]),  # more than 12 prefixes
        ("2026-06-06 06:06:06", "2999-12-31 23:59:59", ["*"]),
        ("2026-06-06 06:06:06", "9999-12-31 23:59:59", ["*"]),
        ("9999-12-31 23:59:59", "9999-12-31 23:59:59", ["*"]),
        ("2999-12-31 23:59:59", "2999-12-31 23:59:59.999999", ["2999-12-31*23:59:*"]),
        ("2999-12-31 23:59:59", "3000-01-01 00:00:00", ["*"]),
        ("2026-06-06 06:06:06", "2026-06-06 05:05:05", ["2026-06-06*06:06:*"]),
        ("2007-01-01 00:00:00", "2013-01-01 00:00:00", ["2013-01-01*00:00:*"]),
    ],
)
def test_a_span_is_said_in_few_prefixes(low: str, high: str, expected: list[str]) -> None:
    assert prefixes(low, high) == expected


def test_an_open_span_begins_with_cloudtrail_and_has_no_end() -> None:
    assert event_time_clause(Between(high=at("2013-02-28 23:00:00"))) == (
        '($.eventTime = "2013-01-*" || $.eventTime = "2013-02-*")')  # fmt: skip
    assert event_time_clause(Between(at("2026-06-06 06:06:06"))) == '$.eventTime = "*"'
    latest = 253_402_300_799_999_999 + times.WIDEST_OFFSET  # what a bound can be at most
    assert event_time_clause(Between(None, latest)) == '$.eventTime = "*"'


def test_prefixes_stop_where_they_are_too_many() -> None:
    assert len(time_prefixes(at("2014-01-01"), at("2900-06-01"), "minute")) == 13


MOMENTS = st.datetimes(datetime(2013, 1, 1), datetime(2040, 12, 31))  # noqa: DTZ001 - UTC
LENGTHS = st.one_of(
    *(st.integers(0, 40 * unit) for unit in (1, 1_000_000, MINUTE, HOUR, 24 * HOUR, 720 * HOUR)),
    st.integers(0, 15 * 8_766 * HOUR),
)
FRACTION = st.sampled_from(["seconds", "milliseconds", "microseconds"])


@given(MOMENTS, LENGTHS, st.floats(0, 1), st.sampled_from("T "), FRACTION)
@example(datetime(2024, 2, 29), 0, 0.0, "T", "seconds")  # noqa: DTZ001 - UTC
@example(datetime(2026, 12, 31, 23, 59), MINUTE, 1.0, " ", "seconds")  # noqa: DTZ001 - UTC
def test_every_event_of_a_span_is_found_by_its_text(
    start: datetime, length: int, share: float, between: str, fraction: str
) -> None:
    low = times.from_datetime(start)
    clause = event_time_clause(Between(low, low + length))
    assert len(clause) < 512  # half of what a pattern may have
    event = start + timedelta(microseconds=int(length * share))
    text = event.isoformat(between, fraction)
    read = times.read_event_time(f"{text}Z")
    if read is None or read >= low:  # cut to whole seconds, it may lie before the span
        selects = compile_pattern(f"{{ {clause} }}")
        assert selects(f'{{"eventTime": "{text}Z"}}')


@given(MOMENTS, st.integers(0, 10), st.sampled_from("T "), st.sampled_from([-1, 1]))
def test_a_short_span_does_not_select_the_minutes_beside_it(
    start: datetime, minutes: int, between: str, side: int
) -> None:
    start = start.replace(second=0, microsecond=0)
    end = start + timedelta(minutes=minutes, seconds=59)
    clause = event_time_clause(Between(times.from_datetime(start), times.from_datetime(end)))
    outside = (start if side < 0 else end) + side * timedelta(minutes=1)
    assert not compile_pattern(f"{{ {clause} }}")(
        f'{{"eventTime": "{outside.isoformat(between, "seconds")}Z"}}'
    )


@given(MOMENTS, st.sampled_from(["minute", "hour", "day", "month", "year"]), LENGTHS)
def test_prefixes_are_of_whole_units_and_do_not_overlap(
    start: datetime, unit: str, length: int
) -> None:
    low = times.from_datetime(start)
    found = time_prefixes(low, low + length, unit)
    assert found == sorted(set(found))
    widest = {"minute": 18, "hour": 15, "day": 11, "month": 9, "year": 6}[unit]
    assert max(map(len, found)) <= widest
    assert found[0].startswith(f"{start:%Y}-")
