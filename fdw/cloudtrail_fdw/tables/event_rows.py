"""From a log event to the values of cloudtrail_event's columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Optional

import msgspec

from cloudtrail_fdw import times
from cloudtrail_fdw.sources.address import classify
from cloudtrail_fdw.sources.cloudtrail_record import (
    Level,
    first_filled,
    make_level,
    read_record,
    storable,
)
from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent
from cloudtrail_fdw.sources.plain_rows import MESSAGE, WHOLE, Derived, Row, make_reader
from cloudtrail_fdw.tables.event_columns import COLUMNS, MEMBERS

RECORD = make_level(MEMBERS)


@lru_cache(maxsize=4096)
def source(text: Optional[str]) -> tuple[Optional[str], Optional[str]]:
    """The address that a sourceIPAddress is, and its class."""
    if text is None:
        return None, None
    found = classify(text)
    # a filter pattern for an address allows for blanks, and for nothing else around it
    address = found.address if text.strip() == text.strip(" ") else None
    return address, found.address_class


# What the columns that no member of the record holds are made of.
IDENTIFIERS = ("user_arn", "session_issuer_arn", "principal_id")
DERIVED = {
    "source_ip": Derived(("source_ip_address",), lambda text: source(text)[0]),
    "source_address_class": Derived(("source_ip_address",), lambda text: source(text)[1]),
    "role_session_name": Derived(("user_arn",), lambda arn: role_session_name({"user_arn": arn})),
    "user_identifier": Derived(IDENTIFIERS, lambda *texts: next(filter(None, texts), None)),
}
OF_EVENT: dict[str, Callable[[LogEvent], object]] = {
    "log_stream_name": lambda event: event.log_stream_name,
    "log_event_id": lambda event: event.event_id,
    "timestamp": lambda event: times.milliseconds_to_text(event.timestamp),
    "ingestion_time": lambda event: times.milliseconds_to_text(event.ingestion_time),
    "message": lambda event: storable(event.message),
    WHOLE: MESSAGE,
    "parse_error": lambda event: None,
}


def plain_reader(
    layout: Sequence[str], origin: Mapping[str, object]
) -> Optional[Callable[[Sequence[LogEvent]], list[Row]]]:
    """The quick way from events to their rows, if there is one for this layout."""
    whole = "parse_error" in layout  # what it says depends on the whole record
    checked = [column.name for column in COLUMNS if whole and column.path]
    # without an event_time of its own an event has that of its delivery
    return make_reader(MEMBERS, DERIVED, OF_EVENT, layout, origin, checked, ("event_time",))


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
            if len(events) == 1:
                return [slow(events[0])]
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
        role_session_name=role_session_name(values),
        user_identifier=first_filled(values, IDENTIFIERS),
        message=message,
        parse_error=fault,
    )
    return values


def role_session_name(values: dict[str, object]) -> Optional[str]:
    """The session name in an assumed role's ARN, ``…:assumed-role/ROLE/SESSION``."""
    arn = values.get("user_arn")
    if not isinstance(arn, str) or ":assumed-role/" not in arn:
        return None
    parts = arn.split("/", 2)
    return parts[2] if len(parts) == 3 else None
