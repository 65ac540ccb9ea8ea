"""What a scan has spent, what it may spend, and what the last ones did."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.record.log_event import PAGE_BYTES


@dataclass
class Budget:
    """The counts of one scan; several threads may spend at once.

    ``bytes`` are those that AWS sent, ``cache_events`` the events that came from the cache.
    """

    settings: Settings
    table: str = ""
    log_group: str = ""
    calls: int = 0
    events: int = 0
    bytes: int = 0
    cache_events: int = 0
    throttles: int = 0
    retries: int = 0
    seconds: float = 0.0
    started_at: float = field(default_factory=time.time)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    started: float = field(default_factory=time.monotonic)

    def spend(self, size: int, events: int) -> None:
        """Count an answered call."""
        with self.lock:
            self.calls += 1
            self.bytes += size
            self.events += events

    def check(self) -> None:
        """Refuse the next call with FdwError (53400) where a limit is reached."""
        limits = self.settings
        self.seconds = time.monotonic() - self.started
        for name, spent, limit in (
            ("max_calls", self.calls, limits.max_calls),
            ("max_bytes", self.bytes, limits.max_bytes),
            ("max_seconds", self.seconds, limits.max_seconds),
        ):
            if spent >= limit:
                raise FdwError(
                    f"the scan reached {name} = {limit:g} before it was complete",
                    hint="Bound event_time more tightly, or raise the limit: "
                    f"SET cloudtrail_fdw.{name} = …",
                    sqlstate="53400",
                )

    def foresee(self, calls: float, rate: float, doubt: float = 1.0) -> None:
        """Refuse with FdwError (53400) what needs more ``calls``, at ``rate`` a second, than left.

        With ``doubt`` only what needs so many times more than there is at all.
        Of a page's size only the events' bytes are counted, not those around them, and the last
        page may be a small one.
        """
        limits, seconds = self.settings, calls / rate
        lasts = f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{seconds:,.0f} seconds"
        for name, needed, limit in (
            ("max_calls", self.calls + calls, limits.max_calls),
            ("max_bytes", self.bytes + max(0.0, calls - 1) * PAGE_BYTES, limits.max_bytes),
            ("max_seconds", time.monotonic() - self.started + seconds, limits.max_seconds),
        ):
            if needed > doubt * limit:
                raise FdwError(
                    f"the scan needs about {calls:,.0f} more calls, {lasts} at {rate:g} a second, "
                    f"and {name} is {limit:,.15g}",
                    hint="Bound event_time more tightly, or raise the limit: "
                    f"SET cloudtrail_fdw.{name} = …",
                    sqlstate="53400",
                )


RECENT: deque[Budget] = deque(maxlen=100)  # of this backend, the last one last


def record(budget: Budget) -> Callable[[], None]:
    """Show the scan in cloudtrail_fdw_stat; call what is returned when it has ended."""
    RECENT.append(budget)

    def ended() -> None:
        budget.seconds = time.monotonic() - budget.started

    return ended
