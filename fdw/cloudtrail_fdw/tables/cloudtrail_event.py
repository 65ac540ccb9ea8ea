"""cloudtrail_event: one row for every log event of the groups that trails deliver to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from cloudtrail_fdw import times
from cloudtrail_fdw.declare import Order, Table
from cloudtrail_fdw.interrupts import stream
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.names.addresses_ahead import foreseen, publish
from cloudtrail_fdw.sources.scan.newest_first import Dated, newest_first
from cloudtrail_fdw.tables.event_columns import COLUMNS
from cloudtrail_fdw.tables.event_pages import FromGroup, Reading
from cloudtrail_fdw.tables.event_request import Request, plan
from cloudtrail_fdw.tables.event_rows import read_event, record_level

LAZY_PAGES = 2  # are read only when they are asked for: a LIMIT may want no more


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[Sequence[object]]:
    """One row a log event, in the order in which pages come, or in the order asked for."""
    return chain.from_iterable(map(msgspec.msgpack.decode, packed(request, settings, layout)))


def packed(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[bytes]:
    """The same rows, page by page, as the handler takes them."""
    if request.empty:
        return
    reading = Reading(request, settings, layout)
    if request.order is not None and request.order.column == "event_time":
        pages = dated_pages(stream(reading.events, lazy=LAZY_PAGES), layout)
        for row in newest_first(pages, settings.clock_skew):
            yield msgspec.msgpack.encode([row])  # the next one may take another page
        return
    for rows in stream(lambda stop: foreseen(layout, reading.rows(stop)), lazy=LAZY_PAGES):
        publish(layout, rows)
        yield rows


def dated_pages(
    pages: Iterable[FromGroup], layout: Sequence[str]
) -> Iterator[tuple[int, list[Dated]]]:
    """The rows of each page with their event_time, and when its last event was delivered."""
    level = record_level(frozenset(layout) | {"event_time"})
    for origin, page in pages:
        rows = []
        for event in page:
            values = read_event(event, level)
            values.update(origin)
            happened = times.read_event_time(str(values["event_time"])) or event.timestamp * 1000
            rows.append(Dated(happened, [values.get(name) for name in layout]))
        publish(layout, msgspec.msgpack.encode([dated.row for dated in rows]))
        yield page[-1].timestamp, rows


def rows(request: Request) -> int:
    """A guess for the planner: a thousand events an hour, a tenth of them with a pattern."""
    start, end, _ = request.deliveries
    hours = 100.0 if start is None or end is None else max(1.0, (end - start) / 3_600_000)
    narrow = request.own_filter or request.clauses
    guess = min(100_000.0, 1000 * hours) * (0.1 if narrow else 1)
    return 1 if request.empty else int(guess)


TABLE = Table(
    name="cloudtrail_event",
    help="One row for every event that a trail delivered to CloudWatch Logs.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    packed=packed,
    rows=rows,
    width=40,
    fixed=lambda settings: ("log_group_name",) if settings.log_group else (),
    orders=(Order("event_time", True), Order("timestamp", True), Order("timestamp", False)),
)
