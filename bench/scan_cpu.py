"""Issue 6: what an event costs the processor, and what a new backend costs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial

from rig import (
    SIX,
    WEEK,
    Bench,
    Cost,
    Line,
    Options,
    bench,
    best,
    cost,
    event_file,
    private_memory,
    rate,
    script_cost,
    select,
)

from cloudtrail_fdw.tables.cloudtrail_event import TABLE

ALL = tuple(f'"{column.name}"' for column in TABLE.columns)
PLAIN = tuple(f'"{c.name}"' for c in TABLE.columns if c.type != "jsonb" and c.name != "message")


def lines(options: Options) -> Iterator[Line]:
    """Every measurement of this file."""
    count = options.count(WEEK)
    with bench(options, "scan-cpu", event_file(count), "--scan-mb", "0") as box:
        with box.connect() as db:  # the quota of us-east-1, as for any user there
            db.execute("ALTER SERVER cloudtrail OPTIONS (SET max_tps '25')")
        yield from throughput(box, count)
        yield from first_query(box)


def warm(box: Bench, columns: tuple[str, ...], cache: str) -> Callable[[], Cost]:
    """A query in a backend that has imported everything, whose first run is not counted."""
    db = box.connect(cache=cache)
    db.execute(select(columns))
    return partial(cost, db, select(columns))


def throughput(box: Bench, count: int) -> Iterator[Line]:
    """Events a second of processor time, both sides in turn."""
    plain, bare, six, everything, cached, scalars = (
        lambda: script_cost(box.script("boto3_json")),
        lambda: script_cost(box.script("msgspec_bare")),
        warm(box, SIX, "off"), warm(box, ALL, "off"), warm(box, SIX, "on"), warm(box, PLAIN, "off"),
    )  # fmt: skip
    script, msgspec, ours, wide, disk, flat = best([plain, bare, six, everything, cached, scalars])
    for what, run, other, target in (
        ("six columns, cache off, against boto3 and json.loads", ours, script, 3.0),
        ("six columns, cache off, against bare msgspec without SQL", ours, msgspec, 0.5),
        ("all columns, cache off, against boto3 and json.loads", wide, script, 1.3),
        ("all but jsonb and message, cache off, against boto3 and json.loads", flat, script, 0),
        ("six columns, warm cache, against boto3 and json.loads", disk, script, 6.0),
    ):
        ratio = other.cpu / run.cpu
        yield Line(
            f"Events a second of processor time: {what}",
            f"{rate(count, run.cpu)} ({run.wall:.2f} s)",
            f"{rate(count, other.cpu)} ({other.wall:.2f} s)",
            f"{ratio:.2f}",
            f"≥ {target:g}" if target else "", ratio >= target if target else None,
        )  # fmt: skip


def first_query(box: Bench) -> Iterator[Line]:
    """The first query of a new backend: from the cache, and with boto3."""
    seconds: dict[str, list[float]] = {"on": [], "off": []}
    walls: dict[str, list[float]] = {"on": [], "off": []}
    memory: dict[str, list[float]] = {"on": [], "off": []}
    edge = "WHERE event_time >= '2026-11-19 23:30+00' AND event_time < '2026-11-20 00:00+00'"
    with box.connect(cache="on") as db:
        db.execute(select(SIX, edge))
    for _ in range(5):
        for cache in ("on", "off"):
            with box.connect(cache=cache) as db:
                pid = db.info.backend_pid
                before = private_memory(pid)
                run = cost(db, select(SIX, edge))
                seconds[cache].append(run.cpu)
                walls[cache].append(run.wall)
                memory[cache].append(private_memory(pid) - before)
    for what, found, unit in (
        ("processor time", seconds, "s"), ("time", walls, "s"), ("private memory", memory, "MB")
    ):  # fmt: skip
        ours, other = statistics.median(found["on"]), statistics.median(found["off"])
        yield Line(
            f"A new backend's first query from a warm cache, against one with boto3: {what}",
            f"{ours:.2f} {unit}", f"{other:.2f} {unit}", f"{other / ours:.2f}", "> 1", ours < other,
        )  # fmt: skip
