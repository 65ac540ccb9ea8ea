"""cloudtrail_event_history: one row for every event of a Region's Event History; needs no trail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Bounds, In, Is, IsNull
from cloudtrail_fdw.declare import Column, Push, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.interrupts import stream
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws.budget import Budget, record
from cloudtrail_fdw.sources.aws.event_history import (
    Lookup,
    can_be_looked_up,
    lookup_pages,
    whole_seconds,
)
from cloudtrail_fdw.sources.record.cloudtrail_record import safe_json, storable
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.tables import event_columns, event_rows

MOST_VALUES = 10  # of an IN list: each is a chain of calls
# What LookupEvents itself says of an event; a lookup by these is exact, whatever the record says.
OWN = (
    (Column("event_time", "timestamp with time zone", "When the request was made.", (), Push.TIME), "EventTime"),
    (Column("event_id", "text", "CloudTrail's id of the event.", (), Push.VALUE), "EventId"),
    (Column("event_name", "text", "API action, such as RunInstances.", (), Push.VALUE), "EventName"),
    (Column("event_source", "text", "Service that was asked, such as ec2.amazonaws.com.", (), Push.VALUE), "EventSource"),
    (Column("read_only", "boolean", "Whether the action only reads.", (), Push.VALUE), "ReadOnly"),
    (Column("username", "text", "User name, or name of a role's session, as Event History has it.", (), Push.VALUE), "Username"),
    (Column("access_key_id", "text", "Access key that signed the request.", (), Push.VALUE), "AccessKeyId"),
    (Column("resource_name", "text", "Resource to look up: resource_name = '…'; else NULL.", (), Push.ASKED), "ResourceName"),
    (Column("resource_type", "text", "Resource type to look up: resource_type = '…'; else NULL.", (), Push.ASKED), "ResourceType"),
    (Column("event_resources", "jsonb", "All resources of the event, each with ResourceName and ResourceType."), "Resources"),
)  # fmt: skip
# Steampipe's way to bound the time: = sets an end of the window, and the row repeats it.
MOMENTS = (
    Column("start_time", "timestamp with time zone", "Earliest event_time: start_time = …; else NULL.", (), Push.ASKED),
    Column("end_time", "timestamp with time zone", "Latest event_time: end_time = …; else NULL.", (), Push.ASKED),
)  # fmt: skip
MEMBER = {column.name: member for column, member in OWN}
RESOURCE = ("resource_name", "resource_type")
# Those a lookup may choose by, the ones that select most first.
LOOKED_UP = ("event_id", "resource_name", "username", "access_key_id", "event_name",
             "resource_type", "event_source", "read_only")  # fmt: skip
# Of the log group, or in no management event.
ELSEWHERE = frozenset({
    "log_group_name", "log_group_region", "log_group_account_id", "log_stream_name",
    "log_event_id", "timestamp", "ingestion_time", "filter", "insight_details",
})  # fmt: skip
COLUMNS = (
    *(column for column, _ in OWN),
    *MOMENTS,
    *(
        replace(column, push=Push.NOTHING)
        for column in event_columns.COLUMNS
        if column.name not in ELSEWHERE | MEMBER.keys()
    ),
)


@dataclass(frozen=True)
class Request:
    """What a scan will look up; ``resource`` is what the query names by name and by type.

    ``moments`` are the values of start_time and end_time, microseconds since 1970.
    """

    region: str
    lookup: Lookup
    resource: tuple[Optional[str], Optional[str]]
    moments: tuple[Optional[int], Optional[int]]
    empty: bool
    runtime: tuple[str, ...]

    def __str__(self) -> str:
        """What EXPLAIN shows, one label a line."""
        if self.empty:
            why = self.lookup.empty or "the conditions contradict each other"
            return f"Nothing to read: {why}"
        lookup = self.lookup
        asked = f"{lookup.attribute} = {', '.join(lookup.values)}" if lookup.attribute else "none"
        lines = [
            f"Region: {self.region or 'of the environment'}",
            f"Window: {edge(lookup.start)} to {edge(lookup.end)} of event_time",
            f"Lookup Attribute: {storable(' '.join(asked.split()))}",
            "Direction: newest first",
        ]
        if self.runtime:
            lines.append(f"Runtime Bounds: {', '.join(self.runtime)}")
        return "\n".join(lines)


def edge(second: Optional[int]) -> str:
    """One end of a window, for people."""
    return "unbounded" if second is None else times.to_text(second * times.SECOND)


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
    """Choose window and attribute; FdwError for a resource that is not named by ``=``."""
    resource = choose_resource(bounds, "resource_name"), choose_resource(bounds, "resource_type")
    between = bounds.between("event_time")
    first, last = choose_moment(bounds, "start_time"), choose_moment(bounds, "end_time")
    start, end = whole_seconds(
        max((low for low in (between.low, first) if low is not None), default=None),
        min((high for high in (between.high, last) if high is not None), default=None),
    )
    attribute, values = choose_attribute(bounds)
    lookup = Lookup(start, end, attribute, values)
    empty = bool(lookup.empty) or any(bounds.values(name) == () for name in bounds.predicates)
    return Request(settings.region, lookup, resource, (first, last), empty, bounds.runtime)


def choose_moment(bounds: Bounds, name: str) -> Optional[int]:
    """The instant that start_time or end_time is asked to have; FdwError for other conditions."""
    between = bounds.between(name)
    unclear = between.low is None or between.low != between.high
    if name in bounds.unread or (bounds.of(name) and unclear):
        raise FdwError(
            f"{name} takes one value, a timestamptz, by =",
            hint="For other conditions write event_time.",
            sqlstate="HV024",
        )
    return between.low


def choose_resource(bounds: Bounds, name: str) -> Optional[str]:
    """The value that the column is asked to have."""
    values = bounds.values(name)
    others = [p for p in bounds.of(name) if not isinstance(p, (In, IsNull))]
    if others or len(values or ()) > 1 or (values and not can_be_looked_up(values[0])):
        raise FdwError(
            f"{name} takes one value, by =",
            hint="Ask for each by itself, or leave it to event_resources, which has all of them.",
            sqlstate="HV024",
        )
    return values[0] if values else None


def choose_attribute(bounds: Bounds) -> tuple[str, tuple[str, ...]]:
    """The API's name and the values of the best attribute to look up, or nothing."""
    for name in LOOKED_UP:
        flags = {str(found.value).lower() for found in bounds.of(name) if isinstance(found, Is)}
        values = bounds.values(name) or tuple(sorted(flags))
        if 0 < len(values) <= MOST_VALUES and all(map(can_be_looked_up, values)):
            return MEMBER[name], values
    return "", ()


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row an event, in the order in which pages come."""
    if request.empty:
        return
    level = event_rows.record_level(frozenset(layout))

    for page in stream(lambda stop: fetch(request, settings, stop)):
        for event in page:
            message = event.get("CloudTrailEvent", "")
            happened = times.from_datetime(event["EventTime"])
            if not is_within(happened, request.moments):
                continue
            # what the record says, read as if it had been delivered when it happened
            values = event_rows.read_event(LogEvent("", happened // 1000, message, 0, ""), level)
            values.update(own_values(event, request))
            yield [values.get(name) for name in layout]


def is_within(instant: int, moments: tuple[Optional[int], Optional[int]]) -> bool:
    """Whether the event is between start_time and end_time; the API's window is of seconds."""
    first, last = moments
    return (first is None or first <= instant) and (last is None or instant <= last)


def fetch(
    request: Request, settings: Settings, stop: threading.Event
) -> Iterator[list[dict[str, Any]]]:
    """The pages of the lookup; runs beside the backend."""
    budget = Budget(settings, TABLE.name)
    ended = record(budget)
    try:
        yield from lookup_pages(settings, request.lookup, budget, stop)
    finally:
        ended()


def own_values(event: Mapping[str, Any], request: Request) -> dict[str, object]:
    """The columns that LookupEvents itself fills."""
    values: dict[str, object] = {
        name: storable(event[member])
        for name, member in MEMBER.items()
        if isinstance(event.get(member), str)
    }
    values["event_time"] = times.to_text(times.from_datetime(event["EventTime"]))
    for column, moment in zip(MOMENTS, request.moments):
        values[column.name] = None if moment is None else times.to_text(moment)
    values["read_only"] = flag(event.get("ReadOnly"))
    resources = event.get("Resources") or []
    values["event_resources"] = safe_json(json.dumps(resources))
    if refers(resources, request):
        values.update(zip(RESOURCE, request.resource))
    return {**dict.fromkeys(MEMBER), **values}


def flag(text: object) -> Optional[bool]:
    """ReadOnly, which the API has as a text."""
    return {"true": True, "false": False}.get(str(text).lower())


def refers(resources: Sequence[Mapping[str, str]], request: Request) -> bool:
    """Whether the event is about the resource that the query names."""
    asked = {MEMBER[n]: value for n, value in zip(RESOURCE, request.resource) if value is not None}
    if asked.keys() == {request.lookup.attribute}:
        return True  # the service itself says so
    return any(all(each.get(m) == asked[m] for m in asked) for each in resources)


def rows(request: Request) -> int:
    """A guess for the planner: what a person looks up is soon looked through."""
    if request.empty or request.lookup.attribute == "EventId":
        return 1
    return 200 if request.lookup.attribute else 20_000


TABLE = Table(
    name="cloudtrail_event_history",
    help="One row for every management event of the Region's last 90 days; needs no trail.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    rows=rows,
    width=40,
)
