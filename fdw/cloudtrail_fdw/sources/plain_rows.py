"""The quick way from a log event to a row, for records in CloudTrail's usual shape.

The decoder checks the shape: every member of its usual JSON type, times in ISO 8601, no escape
that PostgreSQL could not store. Any other record is left to the reader that knows all shapes
(cloudtrail_record); both give the same values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Optional, Union

import msgspec

from cloudtrail_fdw.declare import Column
from cloudtrail_fdw.sources.cloudtrail_record import ABSENT, SUSPECT_NUMBER
from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent

PLAIN_TIME = re.compile(
    r"\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?P<rare>\d\d-\d\d))"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z",
    re.ASCII,
)
FLAGS: dict[object, Optional[bool]] = {None: None, "true": True, "false": False}
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


def plain_time(text: Optional[str]) -> Optional[str]:
    """A time that PostgreSQL reads as it is written; ValueError for another form."""
    if text is None:
        return None
    found = PLAIN_TIME.fullmatch(text)
    if found is None:
        raise ValueError
    if found["rare"]:
        date.fromisoformat(text[:10])  # ValueError for a day that does not exist
    return text


def plain_flag(value: Union[bool, str, None]) -> Optional[bool]:
    """A boolean; KeyError for what is none."""
    return value if isinstance(value, bool) else FLAGS[value]


def plain_json(raw: msgspec.Raw) -> Optional[str]:
    """JSON that jsonb takes as it is; ValueError for a number that may be too large."""
    text = bytes(raw)
    if text in (b"", b"null"):
        return None
    if b"\\u" in text or SUSPECT_NUMBER.search(text):
        raise ValueError
    return text.decode()


CONVERSIONS: dict[str, Callable[[Any], object]] = {
    "boolean": plain_flag,
    "timestamp with time zone": plain_time,
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


def values_of(columns: Sequence[Column], depth: int = 0) -> Callable[[bytes | str], Row]:
    """A function from an object's JSON to the values of ``columns``, two at least."""
    decode = msgspec.json.Decoder(plain_struct(columns, depth)).decode
    get = attrgetter(*(".".join(column.path[depth:]) for column in columns))
    return lambda text: get(decode(text))


def make_reader(
    columns: Sequence[Column],
    derived: Mapping[str, Derived],
    of_event: Mapping[str, Callable[[LogEvent], object]],
    layout: Sequence[str],
    origin: Mapping[str, object],
) -> Optional[Callable[[LogEvent], Row]]:
    """A function from an event to its row; None where the layout needs the slow way.

    ``columns`` are the record's, ``layout`` names the wanted ones, with an empty text for others;
    ``origin`` has the values that all events share. The function raises msgspec's errors,
    ValueError or KeyError for an event that needs the slow way.
    """
    wanted = set(layout).union(*(derived[name].of for name in layout if name in derived))
    members = [column for column in columns if column.name in wanted]
    whole = {column.path for column in members}
    # what is also wanted whole is kept as text, and its parts are read from that
    inside = [c for c in members if c.path[:1] in whole and len(c.path) > 1]
    members = [c for c in members if c not in inside] + inside
    outer = len(members) - len(inside)
    if outer < 2 or len(inside) == 1 or len({c.path[0] for c in inside}) > 1:
        return None
    read_outer = values_of(members[:outer])
    read_inner = values_of(inside, 1) if inside else None
    holder = next(
        (place for place, c in enumerate(members) if inside and c.path == inside[0].path[:1]), 0
    )
    at = {column.name: place for place, column in enumerate(members)}
    conversions = [(at[c.name], CONVERSIONS[c.type]) for c in members if c.type in CONVERSIONS]
    makers = [(d.make, [at[part] for part in d.of]) for n, d in derived.items() if n in wanted]
    takers = [take for name, take in of_event.items() if name in wanted]
    # behind the members' values stand the converted, the made, the event's own and the shared
    names = [c.name for c in members if c.type in CONVERSIONS]
    names += [n for n in derived if n in wanted] + [n for n in of_event if n in wanted]
    at.update({name: place for place, name in enumerate([*names, *origin], len(members))})
    if not wanted <= {"", *at}:
        return None
    shared = (*origin.values(), None)
    pick = itemgetter(*(at.get(name, len(members) + len(names) + len(origin)) for name in layout))

    def read(event: LogEvent) -> Row:
        message = event.message
        if "\\" in message and "\\u0000" in message:
            raise ValueError
        values = read_outer(message)
        if read_inner is not None:
            values += read_inner(bytes(values[holder]) or b"{}")  # type: ignore[call-overload]
        more = [convert(values[place]) for place, convert in conversions]
        for make, parts in makers:
            more.append(make(*[values[part] for part in parts]))
        more += [take(event) for take in takers]
        return pick((*values, *more, *shared))  # type: ignore[no-any-return]

    return read


def plain_record(event: LogEvent) -> str:
    """A whole record that jsonb takes as it is; ValueError for any other."""
    if "\\u" in event.message or SUSPECT_NUMBER.search(event.message.encode()):
        raise ValueError
    return event.message
