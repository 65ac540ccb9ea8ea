"""The quick way from a log event to a row, for records in CloudTrail's usual shape.

The decoder checks the shape: every member of its usual JSON type, times in ISO 8601, no escape
that PostgreSQL could not store. Any other record is left to the reader that knows all shapes
(cloudtrail_record); both give the same values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Optional, Union

import msgspec

from cloudtrail_fdw.declare import Column
from cloudtrail_fdw.sources.record.cloudtrail_record import ABSENT, has_suspect_number
from cloudtrail_fdw.sources.record.log_event import LogEvent

# ISO 8601 in UTC, of a day that exists in every year but 0, which PostgreSQL does not know
PLAIN_TIMES = re.compile(
    r"(?:(?!0000)\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z\n)+",
    re.ASCII,
)
MESSAGE = attrgetter("message")
WHOLE = "cloudtrail_event"  # the column of the whole record
FLAGS: dict[object, Optional[bool]] = {
    None: None, True: True, False: False, "true": True, "false": False,
}  # fmt: skip
NOTHING = (ABSENT, msgspec.Raw(b"null"))
TYPES: dict[str, tuple[Any, Any]] = {
    "text": (Optional[str], None),
    "boolean": (Union[bool, str, None], None),
    "timestamp with time zone": (Optional[str], None),
    "jsonb": (msgspec.Raw, ABSENT),
}
Row = tuple[object, ...]


class Derived(NamedTuple):
    """A column that is made of others': their names, and the function of their values."""

    of: tuple[str, ...]
    make: Callable[..., object]


def plain_times(texts: Sequence[Optional[str]]) -> Sequence[Optional[str]]:
    """Times that PostgreSQL reads as they are written; ValueError when one has another form."""
    present = [text for text in texts if text is not None]
    lines = "\n".join([*present, ""])
    if lines.count("\n") != len(present) or (lines and not PLAIN_TIMES.fullmatch(lines)):
        raise ValueError
    return texts


def plain_json(raws: Sequence[msgspec.Raw]) -> Sequence[Optional[str]]:
    """Objects and arrays as they are written, of records that were found safe for jsonb."""
    return [None if raw in NOTHING else str(raw, "utf-8") for raw in raws]


CONVERSIONS: dict[str, Callable[[Any], Iterable[object]]] = {
    "boolean": lambda values: list(map(FLAGS.__getitem__, values)),
    "timestamp with time zone": plain_times,
    "jsonb": plain_json,
}


def plain_struct(columns: Iterable[Column], depth: int = 0) -> type[msgspec.Struct]:
    """The type of the objects at ``depth`` of the columns' paths."""
    fields: list[tuple[str, Any, Any]] = []
    parts: dict[str, list[Column]] = {}
    for column in columns:
        if len(column.path) == depth + 1:
            fields.append((column.path[depth], *TYPES[column.type]))
        else:
            parts.setdefault(column.path[depth], []).append(column)
    for name, below in parts.items():
        inner = plain_struct(below, depth + 1)
        fields.append((name, inner, inner()))
    return msgspec.defstruct("Plain", fields, gc=False, frozen=True)


def columns_of(
    columns: Sequence[Column], depth: int = 0
) -> Callable[[Iterable[Union[bytes, str]]], dict[str, Sequence[Any]]]:
    """A function from objects' JSON to the values of ``columns``, by their names.

    It makes no tuple per object, which Python's garbage collector would look at.
    """
    decode = msgspec.json.Decoder(plain_struct(columns, depth)).decode
    getters = [(column.name, attrgetter(".".join(column.path[depth:]))) for column in columns]

    def read(texts: Iterable[Union[bytes, str]]) -> dict[str, Sequence[Any]]:
        objects = list(map(decode, texts))
        return {name: list(map(get, objects)) for name, get in getters}

    return read


def make_reader(
    columns: Sequence[Column],
    derived: Mapping[str, Derived],
    of_events: Mapping[str, Callable[[Sequence[LogEvent]], Iterable[object]]],
    layout: Sequence[str],
    origin: Mapping[str, object],
    checked: Iterable[str] = (),
    required: Iterable[str] = (),
) -> Optional[Callable[[Sequence[LogEvent]], list[Row]]]:
    """A function from events to their rows; None where the layout needs the slow way.

    ``columns`` are the record's, ``layout`` names the wanted ones, with an empty text for others;
    ``origin`` has the values that all events share; ``checked`` names more columns whose members
    must have their usual shape, ``required`` those that must not be NULL where they are wanted.
    The function raises msgspec's errors, ValueError or KeyError where an event needs the slow
    way. It works column by column, so that no Python code runs for a single value.
    """
    wanted = {*layout, *checked}.union(*(derived[name].of for name in layout if name in derived))
    chosen = [column for column in columns if column.name in wanted]
    outer, inside, holder = split_members(chosen)
    if len({column.path[0] for column in inside}) > 1:
        return None
    if not wanted <= {"", *(c.name for c in chosen), *derived, *of_events, *origin}:
        return None
    read_outer = columns_of(outer) if outer or WHOLE in layout else None
    read_inner = columns_of(inside, 1) if inside else None
    converted = [c for c in chosen if c.name in layout or c.type != "jsonb"]  # others may fail
    conversions = [(c.name, CONVERSIONS[c.type]) for c in converted if c.type in CONVERSIONS]
    makers = [(name, *derived[name]) for name in layout if name in derived]
    takers = [(name, of_events[name]) for name in layout if name in of_events]
    shared = [(name, origin.get(name)) for name in {*layout} if name in origin or not name]
    needed = [name for name in required if name in wanted]
    stored_as_json = WHOLE in layout or any(
        column.type == "jsonb" and column.name in layout for column in chosen
    )

    def read(events: Sequence[LogEvent]) -> list[Row]:
        found: dict[str, Any] = {}
        if read_outer is not None:
            messages = list(map(MESSAGE, events))
            if any("\\u0000" in message for message in messages if "\\" in message):
                raise ValueError
            # msgspec itself refuses surrogates that are no pair
            if stored_as_json and any(map(has_suspect_number, messages)):
                raise ValueError
            found.update(read_outer(messages))
        if read_inner is not None:
            found.update(read_inner([bytes(raw) or b"{}" for raw in found[holder]]))
        if any(None in found[name] for name in needed):
            raise ValueError
        found.update([(name, list(map(make, *(found[part] for part in parts))))
                      for name, parts, make in makers])  # fmt: skip
        found.update([(name, convert(found[name])) for name, convert in conversions])
        found.update([(name, take(events)) for name, take in takers])
        found.update([(name, [value] * len(events)) for name, value in shared])
        return list(zip(*(found[name] for name in layout))) if layout else [()] * len(events)

    return read


def split_members(columns: Sequence[Column]) -> tuple[list[Column], list[Column], str]:
    """The columns of the record itself, those inside a member that is wanted whole, and its name.

    Such a member is kept as text, and its parts are read from that.
    """
    whole = {column.path for column in columns}
    inside = [c for c in columns if c.path[:1] in whole and len(c.path) > 1]
    outer = [c for c in columns if c not in inside]
    holders = [c.name for c in outer if inside and c.path == inside[0].path[:1]]
    return outer, inside, holders[0] if holders else ""
