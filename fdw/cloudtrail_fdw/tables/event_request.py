"""What a scan of cloudtrail_event will ask of CloudWatch Logs, planned from a query's conditions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Order
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws import cloudtrail_api
from cloudtrail_fdw.sources.aws.log_groups import LogGroup, choose_groups
from cloudtrail_fdw.sources.scan.filter_pattern import LONGEST, build_clauses, join_clauses
from cloudtrail_fdw.sources.scan.time_slices import (
    DeliveryWindow,
    delivery_window,
    event_time_clause,
)
from cloudtrail_fdw.sources.scan.window_ask import FOREVER, Ask, foresee, is_too_early
from cloudtrail_fdw.tables.event_columns import COLUMNS

MOST_STREAMS = 100  # names in one call
COLUMN = {column.name: column for column in COLUMNS}


@dataclass(frozen=True)
class Request:
    """What a scan will ask of CloudWatch Logs; printed, it is what EXPLAIN shows.

    ``groups`` pairs a value of log_group_name with the group it stands for; None means those
    that the account's trails deliver to. ``late`` is the clause by which events that were
    delivered after the window, before ``latest``, are looked for, None for not at all. ``empty``
    says that the quals contradict each other, ``whole`` that every row will be read.
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
    whole: bool
    runtime: tuple[str, ...]
    settings: Settings = field(repr=False, compare=False)

    def __str__(self) -> str:
        """One label a line, in the order of the flow."""
        nothing = self.nothing()
        if nothing:
            return f"Nothing to read: {nothing}"
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

    def nothing(self) -> str:
        """Why nothing will be read, in words; empty where something may be."""
        if self.empty:
            return self.deliveries.empty or "the conditions contradict each other"
        groups = self.known_groups()
        if groups and self.late is None:
            early = (is_too_early(self.settings, self.ask(group)) for group in groups)
            return "the window ends before the log group was made" if all(early) else ""
        return ""

    def known_groups(self) -> list[LogGroup]:
        """The groups, so far as they are known without asking AWS."""
        groups = [
            group
            for _, named in self.groups or ()
            for group in cloudtrail_api.named_groups(self.settings, named, None)
        ]
        return groups or cloudtrail_api.known_trail_groups(self.settings) or []

    def outlook(self) -> Iterator[str]:
        """What the cache has, and how many calls are left to make."""
        if self.settings.cache == "off":
            yield "Cache: off"
            return
        found = [foresee(self.settings, self.ask(group)) for group in self.known_groups()]
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
            whole=self.whole,
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
    empty = empty or bool(deliveries.empty)
    streams = bounds.values("log_stream_name") or ()
    named = bounds.values("log_group_name")
    clauses = () if empty else build_clauses(COLUMN, bounds, own_filter or "")
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
        whole=bounds.whole,
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
