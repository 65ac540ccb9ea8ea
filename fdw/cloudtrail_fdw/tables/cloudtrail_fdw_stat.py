"""cloudtrail_fdw_stat: what the last scans of this session cost."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from cloudtrail_fdw import interrupts, times
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
    Column("worker_pid", "integer", "The session's Python process; NULL where Python runs in the backend."),
    Column("worker_seconds", "double precision", "Processor time that it has used since its start."),
    Column("worker_bytes", "bigint", "The most memory that it has had, what it shares included."),
)  # fmt: skip


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> str:
    """There is nothing to choose."""
    return "Source: this session's last 100 scans"


def peak(used: resource.struct_rusage) -> int:
    """The most memory of this process in bytes, of which Linux's ru_maxrss also has its parent's."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return used.ru_maxrss


def worker() -> dict[str, object]:
    """What the session's Python process costs; nothing where it has none of its own."""
    pid = interrupts.HOST.worker()
    if pid is None:
        return {}
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "worker_pid": pid,
        "worker_seconds": used.ru_utime + used.ru_stime,
        "worker_bytes": peak(used),
    }


def scan(request: str, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row a scan, the oldest first; each has the worker as it is now."""
    cost = worker()
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
            **cost,
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
