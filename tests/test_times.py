from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw import times

HOUR = 3600 * times.SECOND
NOON = times.from_datetime(datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=timezone.utc))
WIDE = 16 * HOUR


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21 12:00:00.25+00",
        "2026-11-21 17:30:00.25+05:30",
        "2026-11-21 04:00:00.250000-08",
        "2026-11-21 12:19:32.25+00:19:32",
    ],
)
def test_iso_text_is_exact(text: str) -> None:
    assert times.read_instant(text, "ISO, MDY") == (NOON, NOON)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("German, DMY", "21.11.2026 13:00:00.25 CET"),
        ("SQL, MDY", "11/21/2026 04:00:00.25 PST"),
        ("SQL, DMY", "21/11/2026 13:00:00.25 CET"),
        ("Postgres, MDY", "Sat Nov 21 04:00:00.25 2026 PST"),
        ("Postgres, DMY", "Sat 21 Nov 13:00:00.25 2026 CET"),
    ],
)
def test_other_styles_cover_the_instant_whatever_the_zone(style: str, text: str) -> None:
    span = times.read_instant(text, style)
    assert span is not None
    low, high = span
    assert low <= NOON <= high
    assert high - low <= 2 * WIDE + times.SECOND


@pytest.mark.parametrize(
    ("value", "style"),
    [
        ("infinity", "ISO, MDY"),
        ("-infinity", "ISO, MDY"),
        ("2000-01-01 00:00:00.0098+00", "ISO, MDY"),  # a date operand, misread by Multicorn
        ("12026-11-21 12:00:00+00", "ISO, MDY"),
        ("0044-03-15 12:00:00+00 BC", "ISO, MDY"),
        ("2026-11-21 12:00:00+00", "German, DMY"),
        ("21/11/2026 12:00:00 CET", "SQL, MDY"),
        ("?", "ISO, MDY"),
        (None, "ISO, MDY"),
        (7, "ISO, MDY"),
    ],
)
def test_what_is_not_certain_is_no_bound(value: object, style: str) -> None:
    assert times.read_instant(value, style) is None


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("1970-01-01 00:00:00+00", (0, 0)),
        ("0001-01-01 00:00:00+00", (times.EARLIEST * 1000,) * 2),
        ("infinity", (times.FUTURE, times.FUTURE)),
        ("-infinity", (times.PAST, times.PAST)),
        ("10000-01-01 00:00:00+00", (times.LATEST * 1000, times.FUTURE)),
        ("294276-12-31 23:59:59.999999+00", (times.LATEST * 1000, times.FUTURE)),
        ("0044-03-15 12:00:00+00 BC", (times.PAST, times.EARLIEST * 1000)),
        ("?", None),
    ],
)
def test_an_operand_of_the_right_type_is_taken_as_it_is(text: str, span: object) -> None:
    assert times.read_instant(text, "ISO, MDY", proven=True) == span


@pytest.mark.parametrize("hours", range(-12, 15))
def test_a_naive_operand_covers_every_zone(hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    for operand in (datetime(2026, 11, 21, 9, 30), date(2026, 11, 21)):  # noqa: DTZ001
        span = times.read_instant(operand, "ISO, MDY")
        assert span is not None
        moment = datetime(*operand.timetuple()[:6], tzinfo=zone)
        assert span[0] <= times.from_datetime(moment) < span[1]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2023-07-10T11:42:36Z", "2023-07-10T11:42:36+00:00"),
        ("2023-07-10T11:42:36.123Z", "2023-07-10T11:42:36.123000+00:00"),
        ("2022-09-15 13:45:24", "2022-09-15T13:45:24+00:00"),
        ("20131102T010628Z", "2013-11-02T01:06:28+00:00"),
        ("2023-07-10T11:42:36+02:00", "2023-07-10T09:42:36+00:00"),
    ],
)
def test_the_times_that_records_hold(text: str, iso: str) -> None:
    instant = times.read_event_time(text)
    assert instant is not None
    assert times.to_text(instant) == iso


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2023-02-30T00:00:00Z", "1688989356", "٢٠٢٣-07-10"]
)
def test_garbage_is_no_time(text: str) -> None:
    assert times.read_event_time(text) is None


@given(st.datetimes(min_value=datetime(2006, 1, 2), timezones=st.just(timezone.utc)))  # noqa: DTZ001
def test_what_is_written_is_read_back(moment: datetime) -> None:
    instant = times.from_datetime(moment)
    text = times.to_text(instant).replace("T", " ").replace("+00:00", "+00")
    assert times.read_instant(text, "ISO, MDY") == (instant, instant)


@given(st.datetimes(timezones=st.just(timezone.utc)), st.integers(0, 999))
def test_milliseconds_are_written_as_datetime_writes_them(moment: datetime, fraction: int) -> None:
    moment = moment.replace(microsecond=1000 * fraction)
    milliseconds = times.from_datetime(moment) // 1000
    assert times.milliseconds_to_text(milliseconds) == moment.isoformat()


@pytest.mark.parametrize("excess", [0, 1, 10**15])
def test_milliseconds_out_of_range_become_the_nearest_bound(excess: int) -> None:
    first, last = -62_135_596_800_000, 253_402_300_799_999  # datetime's
    assert times.milliseconds_to_text(first - excess) == "0001-01-01T00:00:00+00:00"
    assert times.milliseconds_to_text(last + excess) == "9999-12-31T23:59:59.999000+00:00"
