"""From a log event to the values of cloudtrail_event's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import repeat
from operator import attrgetter
from typing import Optional

import msgspec

from cloudtrail_fdw import times
from cloudtrail_fdw.sources.address.address import classify
from cloudtrail_fdw.sources.record.cloudtrail_record import (
    Level,
    first_filled,
    make_level,
    read_record,
    storable,
)
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.record.plain_rows import MESSAGE, WHOLE, Derived, Row, make_reader
from cloudtrail_fdw.tables.event_columns import COLUMNS, MEMBERS

RECORD = make_level(MEMBERS)
TIMESTAMP, INGESTED = attrgetter("timestamp"), attrgetter("ingestion_time")


@lru_cache(maxsize=4096)
def source(text: Optional[str]) -> tuple[Optional[str], Optional[str]]:
    """The address that a sourceIPAddress is, and its class."""
    if text is None:
        return None, None
    found = classify(text)
    # a filter pattern for an address allows for blanks, and for nothing else around it
    address = found.address if text.strip() == text.strip(" ") else None
    return address, found.address_class


@lru_cache(maxsize=4096)
def role_session_name(arn: object) -> Optional[str]:
    """The session name in an assumed role's ARN, ``…:assumed-role/ROLE/SESSION``."""
    if not isinstance(arn, str) or ":assumed-role/" not in arn:
        return None
    parts = arn.split("/", 2)
    return parts[2] if len(parts) == 3 else None


@lru_cache(maxsize=4096)
def first_text(*texts: Optional[str]) -> Optional[str]:
    """The first that is neither absent nor empty."""
    return next(filter(None, texts), None)


# What the columns that no member of the record holds are made of.
IDENTIFIERS = ("user_arn", "session_issuer_arn", "principal_id")
DERIVED = {
    "source_ip": Derived(("source_ip_address",), lambda text: source(text)[0]),
    "source_address_class": Derived(("source_ip_address",), lambda text: source(text)[1]),
    "role_session_name": Derived(("user_arn",), role_session_name),
    "user_identifier": Derived(IDENTIFIERS, first_text),
}
# Of several log events at once.
OF_EVENTS: dict[str, Callable[[Sequence[LogEvent]], Iterable[object]]] = {
    "log_stream_name": partial(map, attrgetter("log_stream_name")),
    "log_event_id": partial(map, attrgetter("event_id")),
    "timestamp": lambda events: map(times.milliseconds_to_text, map(TIMESTAMP, events)),
    "ingestion_time": lambda events: map(times.milliseconds_to_text, map(INGESTED, events)),
    "message": lambda events: map(storable, map(MESSAGE, events)),
    WHOLE: partial(map, MESSAGE),
    "parse_error": lambda events: repeat(None, len(events)),
}


def plain_reader(
    layout: Sequence[str], origin: Mapping[str, object]
) -> Optional[Callable[[Sequence[LogEvent]], list[Row]]]:
    """The quick way from events to their rows, if there is one for this layout."""
    whole = "parse_error" in layout  # what it says depends on the whole record
    checked = [column.name for column in COLUMNS if whole and column.path]
    # without an event_time of its own an event has that of its delivery
    return make_reader(MEMBERS, DERIVED, OF_EVENTS, layout, origin, checked, ("event_time",))


def page_rows(
    layout: Sequence[str], origin: Mapping[str, object]
) -> Callable[[Sequence[LogEvent]], list[Row]]:
    """A function from events to their rows, by the quick way wherever it goes."""
    plain = plain_reader(layout, origin)
    level = record_level(frozenset(layout))

    def slow(event: LogEvent) -> Row:
        values = {**read_event(event, level), **origin}
        return tuple(values.get(name) for name in layout)

    def rows(events: Sequence[LogEvent]) -> list[Row]:
        if plain is None:
            return list(map(slow, events))
        try:
            return plain(events)
        except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
            if len(events) < 2:
                return list(map(slow, events))
        middle = len(events) // 2  # look for the events that it cannot take
        return rows(events[:middle]) + rows(events[middle:])

    return rows


@lru_cache(maxsize=64)
def record_level(wanted: frozenset[str]) -> Level:
    """The decoder for a record's wanted columns, and for those that others are made of."""
    needed = set(wanted).union(*(DERIVED[name].of for name in wanted & DERIVED.keys()))
    if not wanted.isdisjoint(("parse_error", "cloudtrail_event")):
        return RECORD  # what these say depends on the whole record
    return make_level(column for column in COLUMNS if column.path and column.name in needed)


def read_event(event: LogEvent, level: Level = RECORD) -> dict[str, object]:
    """The columns of one log event that do not depend on its group."""
    message = storable(event.message)
    values, fault = read_record(message, level)
    delivered = times.milliseconds_to_text(event.timestamp)
    values.setdefault("event_time", delivered)
    address = values.get("source_ip_address")
    if isinstance(address, str):
        values["source_ip"], values["source_address_class"] = source(address)
    values.update(
        log_stream_name=event.log_stream_name,
        log_event_id=event.event_id,
        timestamp=delivered,
        ingestion_time=times.milliseconds_to_text(event.ingestion_time),
        role_session_name=role_session_name(values.get("user_arn")),
        user_identifier=first_filled(values, IDENTIFIERS),
        message=message,
        parse_error=fault,
    )
    return values
