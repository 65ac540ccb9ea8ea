"""cloudtrail_fdw_stat: what the last scans of this session cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Column, Table
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws.budget import RECENT

COLUMNS = (
    Column("started_at", "timestamp with time zone", "When the scan began."),
    Column("table_name", "text", "Table that was read."),
    Column("log_group", "text", "Log groups that were read."),
    Column("calls", "bigint", "Calls that were answered with rows or their absence."),
    Column("events", "bigint", "Log events, or what the table has instead, that came from there."),
    Column("bytes", "bigint", "Bytes of the answers."),
    Column("cache_events", "bigint", "Log events that came from the cache."),
    Column("throttles", "bigint", "Calls that were throttled, and made again."),
    Column("retries", "bigint", "Calls that failed otherwise."),
    Column("seconds", "double precision", "How long the scan took, the reader's pauses included."),
)  # fmt: skip


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> str:
    """There is nothing to choose."""
    return "Source: this session's last 100 scans"


def scan(request: str, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row a scan, the oldest first."""
    for spent in list(RECENT):
        values: dict[str, object] = {
            "started_at": times.to_text(int(spent.started_at * times.SECOND)),
            "table_name": spent.table,
            "log_group": spent.log_group or None,
            "calls": spent.calls,
            "events": spent.events,
            "bytes": spent.bytes,
            "cache_events": spent.cache_events,
            "throttles": spent.throttles,
            "retries": spent.retries,
            "seconds": spent.seconds,
        }
        yield [values.get(name) for name in layout]


TABLE = Table(
    name="cloudtrail_fdw_stat",
    help="One row for each of the last scans of this session: what it cost.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    rows=lambda request: 100,
    width=100,
)
