"""Issue 6: how many calls a query makes, with the quota of us-east-1 and no latency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rig import SIX, WEEK, Bench, Line, Options, bench, event_file, select

SELECTIVE = "event_name = 'ListRolePolicies'"  # of 4 % of the events
DAYS = "event_time >= now() - interval '{}' AND event_time < now() - interval '{}'"
WINDOW = DAYS.format("8 days", "0")
GRAFANA = {"cache": "wide", "cache_max_age": "30 s"}  # docs/grafana.md
PANELS = (
    "event_name = 'ConsoleLogin'", "error_code IS NOT NULL", "event_name = 'CreateUser'",
    "read_only = false", "user_type = 'AssumedRole'", "event_source = 'iam.amazonaws.com'",
    "event_source = 'ec2.amazonaws.com'", "username = 'person00'", "aws_region = 'eu-west-1'",
    "event_name IN ('RunInstances', 'AssumeRole')",
)  # fmt: skip


def lines(options: Options) -> Iterator[Line]:
    """Every measurement of this file."""
    count = options.count(WEEK)
    with bench(options, "scan-calls", event_file(count), "--shift-to-now", "--tps", "25"
              ) as box:  # fmt: skip
        whole = run(box, select(SIX, f"WHERE {WINDOW}"), "off")
        yield from newest(box, whole)
        yield from selective(box, whole)
        yield from again(box, whole)
        yield from together(box, whole)


def run(box: Bench, query: str, cache: str = "on") -> dict[str, Any]:
    """What one query in a new backend asks of AWS."""
    return box.calls(lambda: read(box, query, cache))


def read(box: Bench, query: str, cache: str = "on", **settings: str) -> None:
    """One query in a new backend."""
    with box.connect(cache=cache, **settings) as db:
        db.execute(query).fetchall()


def limit(what: str, ours: int, whole: int, most: float) -> Line:
    """A line about calls, of which there may be ``most``."""
    return Line(
        what, f"{ours} calls", f"{whole} calls", f"{whole / max(1, ours):.1f}",
        f"≤ {most:g} calls", ours <= most,
    )  # fmt: skip


def newest(box: Bench, whole: dict[str, Any]) -> Iterator[Line]:
    """ORDER BY event_time DESC LIMIT 100."""
    for what, where in (("", ""), (", selective WHERE", f" AND {SELECTIVE}")):
        found = run(
            box,
            f"SELECT event_time, event_name, username FROM cloudtrail_event WHERE {WINDOW}{where} "  # noqa: S608
            "ORDER BY event_time DESC LIMIT 100",
            "off",
        )
        name = f"ORDER BY event_time DESC LIMIT 100 over 7 days{what}, against all pages"
        yield limit(name, found["calls"], whole["calls"], 2)


def selective(box: Bench, whole: dict[str, Any]) -> Iterator[Line]:
    """A filter that 4 % of the events pass, where a call scans 10 MB."""
    found = run(box, select(SIX, f"WHERE {WINDOW} AND {SELECTIVE}"), "off")
    ratio = whole["events"] / max(1, found["events"])
    what = "A filter that 4 % pass, 10 MB scanned a call, against no filter"
    yield Line(f"{what}: events on the wire", f"{found['events']:,}", f"{whole['events']:,}",
               f"{ratio:.1f}", "≥ 8", ratio >= 8)  # fmt: skip
    yield limit(f"{what}: calls", found["calls"], whole["calls"], whole["calls"] // 5)


def again(box: Bench, whole: dict[str, Any]) -> Iterator[Line]:
    """The same window again, and one that moved."""
    box.clear_cache()
    query = select(SIX, f"WHERE {WINDOW}")
    first = run(box, query)
    yield limit("7 days again, against the first time", run(box, query)["calls"], first["calls"], 2)
    box.clear_cache()
    run(box, select(SIX, f"WHERE {DAYS.format('6 days', '3 hours')}"))
    moved = select(SIX, f"WHERE {DAYS.format('5 days 23 hours', '2 hours')}")
    edge = run(box, moved)
    alone = run(box, moved, "off")
    yield limit("A window moved by an hour, against without a cache", edge["calls"],
                alone["calls"], 3)  # fmt: skip


def together(box: Bench, whole: dict[str, Any]) -> Iterator[Line]:
    """Ten backends at once, and a dashboard of ten panels."""

    def at_once(queries: list[str]) -> Callable[[], None]:
        def work() -> None:
            with ThreadPoolExecutor(len(queries)) as pool:
                list(pool.map(lambda query: read(box, query), queries))

        return work

    def after_another(queries: list[str], **settings: str) -> None:
        for query in queries:
            read(box, query, **settings)

    box.clear_cache()
    found = box.calls(at_once([select(SIX, f"WHERE {WINDOW}")] * 10))
    share = found["events"] / whole["events"]
    yield Line("10 backends at once, the same 7 days: events on the wire, against one backend's",
               f"{found['events']:,} ({found['calls']} calls)",
               f"{whole['events']:,} ({whole['calls']} calls)", f"{share:.2f}", "≤ 1.05",
               share <= 1.05)  # fmt: skip
    panels = [select(SIX, f"WHERE {WINDOW} AND {panel}") for panel in PANELS]
    for how, work in (("one after the other", lambda: after_another(panels)),
                      ("with Grafana's settings", lambda: after_another(panels, **GRAFANA)),
                      ("at once", at_once(panels))):  # fmt: skip
        box.clear_cache()
        found = box.calls(work)
        share = found["calls"] / whole["calls"]
        yield Line(f"Ten panels with ten filters over 7 days, {how}: calls, against one scan",
                   f"{found['calls']} ({found['events']:,} events)", str(whole["calls"]),
                   f"{share:.2f}", "≤ 1.2", share <= 1.2)  # fmt: skip
