"""A log event of CloudWatch Logs, and how much of them one answer holds."""

from __future__ import annotations

import msgspec

# One answer of FilterLogEvents at most (API reference, FilterLogEvents; CloudWatch Logs quotas).
PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576


class LogEvent(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """One log event: times in milliseconds since 1970."""

    log_stream_name: str
    timestamp: int
    message: str
    ingestion_time: int
    event_id: str
