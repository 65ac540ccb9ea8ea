"""Issue 7: what the join to ip_enrichment adds to 50,000 events."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from rig import WEEK, Bench, Cost, Line, Options, bench, best, cost, event_file, script_cost

EVENTS = (
    "SELECT count(event_time), count(event_name), count(source_ip_address) FROM cloudtrail_event"
)
JOINED = (
    "SELECT count(e.event_time), count(e.event_name), count(i.country_code), count(i.city), "
    "count(i.as_organization), count(i.aws_range_class) FROM cloudtrail_event e "
    "JOIN ip_enrichment i ON i.ip = e.source_ip_address"
)


def lines(options: Options) -> Iterator[Line]:
    """Every measurement of this file, from a warm cache."""
    count = options.count(WEEK)
    with bench(options, "enrichment-join", event_file(count), "--scan-mb", "0") as box:
        yield from join(box, count)


def join(box: Bench, count: int) -> Iterator[Line]:
    """Processor time of the backend; the loop's is that of its client alone."""
    db = box.connect(cache="on")
    for query in (EVENTS, JOINED):
        db.execute(query)

    def loop() -> Cost:
        return script_cost(box.script("client_enrichment"))

    alone, joined, script = best([partial(cost, db, EVENTS), partial(cost, db, JOINED), loop])
    added = (joined.cpu - alone.cpu) / count * 1e6
    yield Line(
        f"Join of {count:,} events to ip_enrichment, against the events alone: added per event",
        f"{added:.1f} µs ({joined.cpu:.2f} s)", f"{alone.cpu:.2f} s",
        f"{joined.cpu / alone.cpu:.2f}", "≤ 10 µs", added <= 10,
    )  # fmt: skip
    ratio = script.cpu / joined.cpu
    yield Line(
        f"The same join, against a loop over boto3, json.loads and maxminddb: {count:,} events",
        f"{joined.cpu:.2f} s", f"{script.cpu:.2f} s", f"{ratio:.2f}", "", None,
    )  # fmt: skip
