"""cloudtrail_fdw_cache: the log events that are kept on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Column, Table
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.cache.cache_contents import entries
from cloudtrail_fdw.sources.disk.cache_directory import cache_root

TIME = "timestamp with time zone"
COLUMNS = (
    Column("log_group", "text", "ARN of the log group."),
    Column("filter_pattern", "text", "Filter pattern the events were asked by, empty for all."),
    Column("interval_start", TIME, "First time of delivery the piece knows of."),
    Column("interval_end", TIME, "Time of delivery up to which it knows of events."),
    Column("events", "bigint", "Log events in it."),
    Column("bytes", "bigint", "Bytes of their messages."),
    Column("fetched_at", TIME, "When they were asked for."),
)


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> str:
    """There is nothing to choose."""
    return "Source: the cache on disk"


def scan(request: str, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row a piece; none where there is no cache."""
    root = cache_root(settings)
    for entry in entries(root) if root else ():
        piece = entry.chunk
        values: dict[str, object] = {
            "log_group": entry.log_group,
            "filter_pattern": entry.filter_pattern,
            "interval_start": times.milliseconds_to_text(piece.start),
            "interval_end": times.milliseconds_to_text(piece.known_until),
            "events": piece.events,
            "bytes": piece.bytes,
            "fetched_at": times.milliseconds_to_text(piece.fetched),
        }
        yield [values.get(name) for name in layout]


TABLE = Table(
    name="cloudtrail_fdw_cache",
    help="One row for each piece of time whose log events are kept on disk.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    rows=lambda request: 1000,
    width=150,
)
