"""From when something happened to when it was delivered: the windows to ask for."""

from __future__ import annotations

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
    def empty(self) -> bool:
        """Whether no event can be in it."""
        return self.start is not None and self.end is not None and self.start > self.end


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
