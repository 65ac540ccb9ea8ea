"""cloudtrail_event: one row for every log event of the groups that trails deliver to."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import chain, groupby
from typing import Any, Optional

import msgspec

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Order, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.interrupts import stream
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources import cloudtrail_api
from cloudtrail_fdw.sources.addresses_ahead import foreseen, publish
from cloudtrail_fdw.sources.budget import Budget, record
from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent
from cloudtrail_fdw.sources.filter_pattern import LONGEST, build_clauses, join_clauses
from cloudtrail_fdw.sources.log_groups import LogGroup, choose_groups
from cloudtrail_fdw.sources.newest_first import Dated, newest_first
from cloudtrail_fdw.sources.plain_rows import Row
from cloudtrail_fdw.sources.time_slices import (
    DeliveryWindow,
    delivery_window,
    event_time_clause,
)
from cloudtrail_fdw.sources.window_ask import FOREVER, Ask, foresee
from cloudtrail_fdw.sources.window_scan import WindowScan
from cloudtrail_fdw.tables.event_columns import COLUMNS
from cloudtrail_fdw.tables.event_rows import page_rows, read_event, record_level

Page = tuple[dict[str, object], Sequence[LogEvent]]  # of one group, and the columns that tell which
LAZY_PAGES = 2  # are read only when they are asked for: a LIMIT may want no more
MOST_MERGED = 500  # events at a time, of several groups in one order
MOST_STREAMS = 100  # names in one call


@dataclass(frozen=True)
class Request:
    """What a scan will ask of CloudWatch Logs; printed, it is what EXPLAIN shows.

    ``groups`` pairs a value of log_group_name with the group it stands for; None means those
    that the account's trails deliver to. ``late`` is the clause by which events that were
    delivered after the window, before ``latest``, are looked for, None for not at all. ``empty`` says that the quals
    contradict each other.
    """

    groups: Optional[tuple[tuple[str, LogGroup], ...]]
    deliveries: DeliveryWindow
    streams: tuple[str, ...]
    own_filter: Optional[str]
    clauses: tuple[str, ...]
    late: Optional[str]
    latest: int
    order: Optional[Order]
    empty: bool
    runtime: tuple[str, ...]
    settings: Settings = field(repr=False, compare=False)

    def __str__(self) -> str:
        """One label a line, in the order of the flow."""
        if self.empty:
            return "Nothing to read: the conditions contradict each other"
        groups = "those of the account's trails"
        if self.groups is not None:
            groups = ", ".join(label for label, _ in self.groups)
        window, pattern = self.deliveries, join_clauses(self.own_filter or "", self.clauses)
        lines = [
            f"Log Group: {groups}",
            f"Window: {edge(window.start)} to {edge(window.end)} of delivery"
            + (f" ({window.margins})" if window.margins else ""),
            f"Filter Pattern: {' '.join(pattern.splitlines()) or 'none'}",
            f"Direction: {direction(self.order)}",
            *self.outlook(),
        ]
        if self.late is not None:
            lines.insert(2, f"Late Sweep: after the window, {self.late or 'everything'}")
        if self.streams:
            lines.insert(1, f"Log Streams: {', '.join(self.streams)}")
        if self.runtime:
            lines.append(f"Runtime Bounds: {', '.join(self.runtime)}")
        return "\n".join(lines)

    def outlook(self) -> Iterator[str]:
        """What the cache has, and how many calls are left to make."""
        if self.settings.cache == "off":
            yield "Cache: off"
            return
        groups = [group for _, group in self.groups or ()]
        groups = groups or cloudtrail_api.known_trail_groups(self.settings) or []
        found = [foresee(self.settings, self.ask(group)) for group in groups]
        known = [pair for pair in found if pair is not None]
        if not known or len(known) < len(found):
            yield "Cache: empty"
            return
        share = sum(held for held, _ in known) / len(known)
        yield f"Cache: {math.floor(share * 100)} % of the window"
        about = "at least" if self.clauses or self.own_filter else "about"
        yield f"Estimated Calls: {about} {math.ceil(sum(calls for _, calls in known))}"

    def ask(self, group: LogGroup) -> Ask:
        """The window as the scan of one group wants it."""
        low, high = self.deliveries.start or 0, self.deliveries.end
        return Ask(
            group, max(0, low), FOREVER if high is None else high + 1, self.streams,
            self.own_filter or "", self.clauses,
            newest_first=self.order is None or self.order.descending,
            ordered=self.order is not None,
        )  # fmt: skip

    def asks(self, group: LogGroup) -> list[Ask]:
        """The window, and the time after it in which late events are looked for, in order."""
        ask = self.ask(group)
        if self.late is None or ask.high >= self.latest:
            return [ask]
        # a bound on timestamp ends it, too
        sweep = replace(ask, low=ask.high, high=self.latest, late=self.late)
        return [sweep, ask] if ask.newest_first else [ask, sweep]


def edge(milliseconds: Optional[int]) -> str:
    """One end of a window, for people."""
    return "unbounded" if milliseconds is None else times.milliseconds_to_text(milliseconds)


def direction(order: Optional[Order]) -> str:
    """The order of reading, and whether it is the query's."""
    if order is None:
        return "newest first"
    way = "newest first" if order.descending else "oldest first"
    return f"{way}, in the order of {order.column}"


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
    """Choose groups, window and pattern; FdwError for a group that cannot be meant."""
    own_filter, clash = choose_filter(bounds)
    delivered = bounds.between("timestamp")
    deliveries = delivery_window(settings, bounds.between("event_time"), delivered)
    empty = clash or any(bounds.values(name) == () for name in bounds.predicates)
    empty = empty or deliveries.empty
    streams = bounds.values("log_stream_name") or ()
    named = bounds.values("log_group_name")
    clauses = () if empty else build_clauses(TABLE.column, bounds, own_filter or "")
    return Request(
        groups=None if empty else choose_groups(named, settings.log_group),
        deliveries=deliveries,
        streams=streams if len(streams) <= MOST_STREAMS else (),
        own_filter=own_filter,
        clauses=clauses,
        late=late_clause(settings, bounds, own_filter or "", clauses),
        latest=FOREVER if delivered.high is None else delivered.high // 1000 + 1,
        order=bounds.order,
        empty=empty,
        runtime=bounds.runtime,
        settings=settings,
    )


def late_clause(
    settings: Settings, bounds: Bounds, own: str, clauses: Sequence[str]
) -> Optional[str]:
    """The clause by which late events are looked for, None where they are not.

    Empty, so that all that came later is read, where none can be joined with the user's own
    pattern.
    """
    happened = bounds.between("event_time")
    if not settings.late_sweep or happened.high is None:
        return None
    clause = event_time_clause(happened)
    joinable = not own or own.strip().startswith("{")
    fits = joinable and len(join_clauses(own, [*clauses, clause])) <= LONGEST
    return clause if fits else ""


def choose_filter(bounds: Bounds) -> tuple[Optional[str], bool]:
    """The user's own pattern, and whether two of them contradict each other."""
    values = bounds.values("filter")
    if values is None:
        return None, False
    if len(values) > 1:
        raise FdwError("filter takes one pattern", hint="Join the patterns with ||.",
                       sqlstate="HV024")  # fmt: skip
    return (values[0], False) if values else (None, True)


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[Sequence[object]]:
    """One row a log event, in the order in which pages come, or in the order asked for."""
    return chain.from_iterable(page_by_page(request, settings, layout))


def packed(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[bytes]:
    """The same rows, page by page, as the handler takes them."""
    return map(msgspec.msgpack.encode, filter(None, page_by_page(request, settings, layout)))


def page_by_page(
    request: Request, settings: Settings, layout: Sequence[str]
) -> Iterator[Sequence[Sequence[object]]]:
    """The rows, page by page."""
    if request.empty:
        return
    wanted = frozenset(layout)
    pages = stream(
        lambda stop: foreseen(layout, fetch(request, settings, stop, wanted)), lazy=LAZY_PAGES
    )
    if request.order is not None and request.order.column == "event_time":
        for row in newest_first(dated_pages(pages, layout), settings.clock_skew):
            yield [row]  # the next one may take another page
        return
    makers: dict[int, Callable[[Sequence[LogEvent]], list[Row]]] = {}
    for origin, page in pages:
        if id(origin) not in makers:
            makers[id(origin)] = page_rows(layout, origin)
        made = makers[id(origin)](page)
        publish(layout, made)
        yield made


def dated_pages(pages: Iterable[Page], layout: Sequence[str]) -> Iterator[tuple[int, list[Dated]]]:
    """The rows of each page with their event_time, and when its last event was delivered."""
    level = record_level(frozenset(layout) | {"event_time"})
    for origin, page in pages:
        rows = []
        for event in page:
            values = read_event(event, level)
            values.update(origin)
            happened = times.read_event_time(str(values["event_time"])) or event.timestamp * 1000
            rows.append(Dated(happened, [values.get(name) for name in layout]))
        publish(layout, [dated.row for dated in rows])
        yield page[-1].timestamp, rows


def fetch(
    request: Request, settings: Settings, stop: threading.Event, wanted: frozenset[str]
) -> Iterator[Page]:
    """Pages with the columns that tell where they came from; runs beside the backend."""
    groups = request.groups
    if groups is None:
        found = cloudtrail_api.trail_groups(settings, stop)
        groups = tuple((group.short_name, group) for group in found)
    budget = Budget(settings, TABLE.name, ", ".join(label for label, _ in groups))
    ended = record(budget)
    parts = [
        of_group(request, settings, stop, wanted, label, group, budget) for label, group in groups
    ]
    try:
        if request.order is None or len(parts) < 2:
            yield from chain.from_iterable(parts)
        else:
            yield from merged(parts, request.order.descending)
    finally:
        ended()


def of_group(
    request: Request, settings: Settings, stop: threading.Event, wanted: frozenset[str],
    label: str, group: LogGroup, budget: Budget,
) -> Iterator[Page]:  # fmt: skip
    """The pages of one group."""
    scans = [WindowScan(settings, ask, budget, stop) for ask in request.asks(group)]
    scan = scans[0]
    account = scan.account
    if not account:
        account = cloudtrail_api.account(settings, stop, "log_group_account_id" in wanted) or ""
    origin: dict[str, object] = {
        "log_group_name": label,
        "log_group_region": scan.region,
        "log_group_account_id": account or None,
        "filter": request.own_filter,
    }
    for part in scans:
        for page in part.read():
            yield origin, page


def merged(parts: Sequence[Iterator[Page]], descending: bool) -> Iterator[Page]:
    """The pages of several groups, each in order, as pages in the order of all."""
    sign = -1 if descending else 1

    def keyed(part: Iterator[Page], number: int) -> Any:
        return ((sign * event.timestamp, number, origin, event)
                for origin, page in part for event in page)  # fmt: skip

    events = merge(*(keyed(part, number) for number, part in enumerate(parts)),
                   key=lambda item: item[0])  # fmt: skip
    for _, run in groupby(events, key=lambda item: item[1]):
        for _, items in groupby(enumerate(run), key=lambda item: item[0] // MOST_MERGED):
            origins, page = zip(*((item[2], item[3]) for _, item in items))
            yield origins[0], list(page)


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
    orders=(Order("event_time", True), Order("timestamp", True), Order("timestamp", False)),
)
