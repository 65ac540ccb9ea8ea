"""A CloudTrail record's text, as values that PostgreSQL takes for columns.

Records come in many shapes (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
describes them, and not all are described): so every member is kept as it was written and turned
into its column's type one by one. What cannot be turned is NULL and named in ``parse_error``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Optional

import msgspec

from cloudtrail_fdw import times
from cloudtrail_fdw.declare import Column

REPLACEMENT = "\ufffd"
UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # PostgreSQL's text can hold none of these
ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair: one character
    r"|(?P<bad>\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))|\\."
)
# PostgreSQL's numeric ends at 131,072 digits before and 16,383 after the point (section 8.1.2).
SUSPECT_NUMBER = re.compile(
    rb"[:,\[]\s*-?(?:(?:[0-9]+\.)?[0-9]{9999}|[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{4})"
)
# A string without an end is one to the end: a look for its end from every quote would take minutes.
TOKEN = re.compile(
    rb'"(?:[^"\\]|\\.)*"?|-?(?P<digits>[0-9]+(?:\.[0-9]+)?)(?:[eE](?P<exponent>[+-]?[0-9]+))?'
)
LARGEST_EXPONENT = 10_000
MOST_PLACES = 16_000  # after the point: those that are written and those of the exponent
LONGEST_PLAIN = 10_000  # a text without room for so many digits
# A record has one of these members at least, whatever its version and category.
EVIDENCE = frozenset({"eventVersion", "eventTime", "eventSource", "eventName", "eventType",
                      "eventCategory", "eventID", "userIdentity"})  # fmt: skip
# Members in which S3, EventBridge, LookupEvents, a subscription and SNS wrap records.
WRAPPERS = ("Records", "detail", "Events", "CloudTrailEvent", "logEvents", "Message")
STRING = msgspec.json.Decoder(str)
OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
ABSENT = msgspec.Raw()


class Member(NamedTuple):
    """One member on the way to columns: the columns it fills and the members inside it."""

    columns: tuple[Column, ...]
    inner: Optional[Level]


class Level(NamedTuple):
    """One JSON object: its decoder and its members, in the same order."""

    decoder: msgspec.json.Decoder[Any]
    members: tuple[tuple[str, Member], ...]


def make_level(columns: Iterable[Column], depth: int = 0) -> Level:
    """The decoder for the objects that hold ``columns`` at ``depth`` of their paths."""
    names: dict[str, list[Column]] = {}
    for column in columns:
        names.setdefault(column.path[depth], []).append(column)
    members = []
    for name, found in names.items():
        here = tuple(column for column in found if len(column.path) == depth + 1)
        below = [column for column in found if len(column.path) > depth + 1]
        members.append((name, Member(here, make_level(below, depth + 1) if below else None)))
    fields = [(name, msgspec.Raw, ABSENT) for name in names]
    struct = msgspec.defstruct("Object", fields, gc=False)
    return Level(msgspec.json.Decoder(struct), tuple(members))


def storable(text: str) -> str:
    """``text`` with what PostgreSQL cannot store replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return UNSTORABLE.sub(REPLACEMENT, text)
    return text.replace("\0", REPLACEMENT)


@lru_cache(maxsize=1024)
def array_literal(texts: tuple[str, ...]) -> str:
    """A text[] as PostgreSQL reads it (manual, section 8.15.6), quoted where need be."""
    return "{" + ",".join(map(array_element, texts)) + "}"


def array_element(text: str) -> str:
    """One element, bare when that cannot be misread."""
    if re.fullmatch(r"[A-Za-z0-9_.-]+", text) and text.lower() != "null":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def safe_json(message: str) -> str:
    """A message whose escapes jsonb accepts: NUL and lone surrogates become U+FFFD."""
    if "\\u" not in message:
        return message
    return ESCAPE.sub(lambda found: r"\ufffd" if found["bad"] else found[0], message)


def read_record(message: str, level: Level) -> tuple[dict[str, object], Optional[str]]:
    """The columns' values found in ``message`` and what was wrong with it, if anything.

    ``message`` must be storable. Absent members and JSON nulls have no entry; the whole record
    stands under ``cloudtrail_event``.
    """
    values: dict[str, object] = {}
    faults: list[str] = []
    if not level.members:
        return values, None
    text = safe_numbers(safe_json(message))
    try:
        record = level.decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        return values, f"not a JSON object: {error}" if message else "the message is empty"
    values["cloudtrail_event"] = text.decode()
    if is_no_record(record, level):
        faults.append(describe_other(text))
    read_members(record, level, values, faults)
    return values, "; ".join(faults) or None


def is_no_record(record: Any, level: Level) -> bool:
    """Whether a decoder of whole records found none of the members that every record has."""
    names = EVIDENCE.intersection(name for name, _ in level.members)
    found = (bytes(getattr(record, name)) for name in names)
    return names == EVIDENCE and all(raw in (b"", b"null") for raw in found)


def describe_other(text: bytes) -> str:
    """What an object that is no record seems to be."""
    members = OBJECT.decode(text)
    around = next((name for name in WRAPPERS if name in members), None)
    what = f'what it holds under "{around}" is not read' if around else "it has no member of one"
    return f"no CloudTrail record: {what}"


def read_members(record: Any, level: Level, values: dict[str, object], faults: list[str]) -> None:
    """Fill ``values`` from one object, in place."""
    for name, member in level.members:
        raw = bytes(getattr(record, name))
        if raw in (b"", b"null"):
            continue
        for column in member.columns:
            try:
                values[column.name] = READERS[column.type](raw)
            except ValueError as error:
                faults.append(f"{'.'.join(column.path)}: {error}")
        if member.inner is not None and raw.startswith(b"{"):
            read_members(member.inner.decoder.decode(raw), member.inner, values, faults)


def read_text(raw: bytes) -> str:
    """A string's text; anything else as it was written."""
    if not raw.startswith(b'"'):
        return raw.decode()
    return STRING.decode(raw) if b"\\" in raw else raw[1:-1].decode()


def read_flag(raw: bytes) -> bool:
    """A boolean, or one of the strings that CloudTrail also writes for it."""
    text = read_text(raw)  # which may be written with escapes
    if text not in ("true", "false"):
        raise ValueError("no boolean")
    return text == "true"


def read_time(raw: bytes) -> str:
    """A time in one of CloudTrail's formats, as ISO 8601 in UTC."""
    instant = times.read_event_time(read_text(raw))
    if instant is None:
        raise ValueError("no time")
    return times.to_text(instant)


def has_suspect_number(text: str) -> bool:
    """Whether JSON may hold a number that numeric cannot: one with an exponent, or a long one."""
    if len(text) > LONGEST_PLAIN:
        return SUSPECT_NUMBER.search(text.encode()) is not None
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    # now every quote begins or ends a string
    outside = "".join(text.split('"')[::2])
    return "E" in outside or "e" in outside.replace("true", "").replace("false", "")


def safe_numbers(text: str) -> bytes:
    """JSON whose numbers jsonb accepts: those that numeric cannot hold become strings."""
    return TOKEN.sub(hold_number, text.encode()) if has_suspect_number(text) else text.encode()


def hold_number(token: re.Match[bytes]) -> bytes:
    """A number too large or too small for numeric, in quotes; everything else as it is."""
    if token["digits"] is None:
        return token[0]
    exponent = (token["exponent"] or b"0").lstrip(b"+-0") or b"0"
    small = len(exponent) < 6 and int(exponent) <= LARGEST_EXPONENT
    digits = len(token["digits"])
    if small and digits <= LARGEST_EXPONENT and digits + int(exponent) <= MOST_PLACES:
        return token[0]
    return b'"' + token[0] + b'"'


READERS: dict[str, Callable[[bytes], object]] = {
    "text": read_text,
    "jsonb": lambda raw: raw.decode(),
    "boolean": read_flag,
    "timestamp with time zone": read_time,
}


def first_filled(values: dict[str, object], names: Sequence[str]) -> Optional[object]:
    """The first of the named values that is neither absent nor empty."""
    return next((values[name] for name in names if values.get(name)), None)
