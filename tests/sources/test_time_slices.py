from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw.bounds import Between
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.time_slices import delivery_window

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
