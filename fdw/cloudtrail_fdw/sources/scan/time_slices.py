"""From when something happened to when it was delivered: the windows to ask for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple, Optional

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Between
from cloudtrail_fdw.options import Settings


class DeliveryWindow(NamedTuple):
    """Times of delivery in ms, inclusive, None for no bound; ``margins`` says why so wide."""

    start: Optional[int]
    end: Optional[int]
    margins: str

    @property
    def empty(self) -> str:
        """Why no event can be in it, in words; empty where one can."""
        if self.start is not None and self.end is not None and self.start > self.end:
            return "the conditions contradict each other"
        if self.end is not None and self.end < 0:
            return "CloudWatch Logs has no events before 1970"
        if self.start is not None and self.start > times.LATEST:
            return "no event is so late"
        return ""


def delivery_window(settings: Settings, happened: Between, delivered: Between) -> DeliveryWindow:
    """The deliveries that hold all events of both bounds.

    An event is delivered after its event_time: at most ``clock_skew`` before, by clocks that
    differ, and at most ``delivery_lag`` later.
    """
    lows, highs, margins = [], [], []
    if happened.low is not None:
        lows.append(happened.low - int(settings.clock_skew * times.SECOND))
        margins.append(f"clock_skew {settings.clock_skew:g} s")
    if happened.high is not None:
        highs.append(happened.high + int(settings.delivery_lag * times.SECOND))
        margins.append(f"delivery_lag {settings.delivery_lag:g} s")
    lows += [] if delivered.low is None else [delivered.low]
    highs += [] if delivered.high is None else [delivered.high]
    start = max(lows) // 1000 if lows else None
    end = min(highs) // 1000 if highs else None
    return DeliveryWindow(start, end, ", ".join(margins))


UNITS = ("minute", "hour", "day", "month", "year")
PREFIXES = {"minute": "%Y-%m-%d*%H:%M:*", "hour": "%Y-%m-%d*%H:*", "day": "%Y-%m-%d*",
            "month": "%Y-%m-*", "year": "%Y-*"}  # fmt: skip
MOST_PREFIXES = 12  # some 500 of a pattern's 1,024 characters
BEGINNING = times.from_datetime(datetime(2013, 1, 1))  # noqa: DTZ001 - CloudTrail's first year, UTC
FAR = times.from_datetime(datetime(3000, 1, 1))  # noqa: DTZ001 - a bound that means "no bound"


def event_time_clause(happened: Between) -> str:
    """A filter pattern's clause for events of a span of event_time, by their text in ISO 8601.

    A superset: rounded to whole minutes, or to longer units until it is short enough. What
    stands between date and time is open, for records have a T or a blank there.
    """
    low = max(BEGINNING, BEGINNING if happened.low is None else happened.low)
    high = max(low, FAR if happened.high is None else happened.high)
    tests = [f'$.eventTime = "{prefix}"' for prefix in few_prefixes(low, high)]
    return tests[0] if len(tests) == 1 else "(" + " || ".join(tests) + ")"


def few_prefixes(low: int, high: int) -> list[str]:
    """At most MOST_PREFIXES that cover [low, high], as narrow as can be; one for everything."""
    for unit in UNITS if high < FAR else ():
        prefixes = time_prefixes(low, high, unit)
        if len(prefixes) <= MOST_PREFIXES:
            return prefixes
    return ["*"]


def time_prefixes(low: int, high: int, finest: str) -> list[str]:
    """The fewest prefixes of whole units, ``finest`` at the least, that cover [low, high].

    It stops where they are too many.
    """
    units = UNITS[UNITS.index(finest) :]
    end = times.EPOCH + timedelta(microseconds=high)
    at = beginning_of(times.EPOCH + timedelta(microseconds=low), finest)
    found: list[str] = []
    while at <= end and len(found) <= MOST_PREFIXES:
        fitting = [u for u in units if beginning_of(at, u) == at
                   and (u == finest or after(at, u) <= end)]  # fmt: skip
        found.append(at.strftime(PREFIXES[fitting[-1]]))
        at = after(at, fitting[-1])
    return found


def beginning_of(moment: datetime, unit: str) -> datetime:
    """The start of the unit that a moment lies in."""
    finer = UNITS[: UNITS.index(unit)]
    fields = {name: 1 if name in ("day", "month") else 0 for name in finer}
    return moment.replace(second=0, microsecond=0, **fields)  # type: ignore[arg-type]


def after(start: datetime, unit: str) -> datetime:
    """The start of the unit that follows."""
    days = {"month": 32, "year": 367}.get(unit)
    if days:
        return beginning_of(start + timedelta(days=days), unit)
    return start + timedelta(**{f"{unit}s": 1})
