"""Sample and test events: a file of lines becomes log events with the times of their delivery."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple, Optional

from cloudtrail_fdw import times

SAMPLE = Path(__file__).parent / "sample" / "cloudtrail.jsonl"
GZIP_MAGIC = b"\x1f\x8b"

# times as records write them, alone in a JSON string; cloudtrail_fdw.times reads the same forms
QUOTED_TIME = re.compile(
    r'"(\d{4})(-?)(\d\d)(-?)(\d\d)([T ])(\d\d)(:?)(\d\d)(:?)(\d\d)'
    r'((?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")',
    re.ASCII,
)

MINUTE = 60_000
HOUR = 60 * MINUTE
USUAL_DELAY = (MINUTE, 15 * MINUTE)
LATE_DELAY = (HOUR + HOUR // 2, 26 * HOUR)


class Delivered(NamedTuple):
    """A log event's ``timestamp`` (ms since 1970: its delivery) and its ``message``."""

    timestamp: int
    message: str


def load(path: Path, *, late_percent: float = 0.0, newest: Optional[int] = None) -> list[Delivered]:
    """The events of a file of lines, gzipped or not, in the order of the file.

    ``newest`` (ms) moves all times so that the last delivery happens then. Raises OSError when
    the file cannot be read, gzip.BadGzipFile and EOFError when it is damaged.
    """
    data = path.read_bytes()
    if data.startswith(GZIP_MAGIC):
        data = gzip.decompress(data)
    events = deliver(split(data), late_percent=late_percent)
    return events if newest is None else shift(events, newest)


def split(data: bytes) -> list[str]:
    r"""The lines as messages, byte for byte; only ``\n`` ends a line.

    A last line without it counts; an empty line is an event with an empty message. CloudWatch
    Logs holds valid Unicode only, so bytes that are not UTF-8 become U+FFFD.
    """
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line.decode("utf-8", "replace") for line in lines]


def deliver(
    messages: Sequence[str],
    *,
    late_percent: float = 0.0,
    first_index: int = 0,
    before: Optional[int] = None,
) -> list[Delivered]:
    """Give every message its timestamp: eventTime plus a delay that only depends on the event.

    The delay is 60 to 900 s, or 1.5 to 26 h for ``late_percent`` of the events. A message without
    a usable eventTime takes the timestamp of the message before it (``before`` for the first), or
    else of the first one that has any, or else the present. ``first_index`` is the number of
    events delivered earlier, so that equal messages get different delays.
    """
    stamps: list[Optional[int]] = []
    for index, message in enumerate(messages, first_index):
        happened = event_time(message)
        stamps.append(None if happened is None else happened + delay(message, index, late_percent))
    known = (stamp for stamp in stamps if stamp is not None)
    place = before if before is not None else next(known, None)
    last = now() if place is None else place
    events = []
    for stamp, message in zip(stamps, messages):
        last = last if stamp is None else stamp
        events.append(Delivered(last, message))
    return events


def delay(message: str, index: int, late_percent: float) -> int:
    """Milliseconds between an event and its delivery, a function of its text and place."""
    digest = hashlib.blake2b(message.encode(), digest_size=16, salt=index.to_bytes(8, "big"))
    number = int.from_bytes(digest.digest(), "big")
    lot, number = number % 100_000, number // 100_000
    low, high = LATE_DELAY if lot < late_percent * 1000 else USUAL_DELAY
    return low + number % (high - low + 1)


def event_time(message: str) -> Optional[int]:
    """The record's top-level eventTime in ms since 1970, None when there is none to use."""
    try:
        record = json.loads(message)
    except (ValueError, RecursionError):
        return None
    text = record.get("eventTime") if isinstance(record, dict) else None
    microseconds = times.read_event_time(text) if isinstance(text, str) else None
    return None if microseconds is None or microseconds < 0 else microseconds // 1000


def shift(events: Sequence[Delivered], newest: int) -> list[Delivered]:
    """Move all times by the same whole seconds, so that the last delivery is at ``newest``.

    Inside the messages every JSON string that is a time since 1970 moves along in its own format
    (eventTime, creationDate and so on); nothing else changes. Times in other formats stay.
    """
    if not events:
        return []
    seconds = (newest - max(event.timestamp for event in events)) // 1000
    return [
        Delivered(event.timestamp + seconds * 1000, move_times(event.message, seconds))
        for event in events
    ]


def move_times(message: str, seconds: int) -> str:
    """The message with its quoted times moved."""

    def moved(match: re.Match[str]) -> str:
        year, dash, month, dash2, day, between, hour, colon, minute, colon2, second, rest = (
            match.groups()
        )
        if year < "1970":
            return match.group()  # stands for no time at all
        try:
            moment = datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second}")
            moment += timedelta(seconds=seconds)
        except (ValueError, OverflowError):
            return match.group()
        form = f'"%Y{dash}%m{dash2}%d{between}%H{colon}%M{colon2}%S'
        return moment.strftime(form) + rest

    return QUOTED_TIME.sub(moved, message)


def cap(events: Iterable[Delivered], latest: int) -> list[Delivered]:
    """The events, none delivered after ``latest`` (ms): what is there cannot come in future."""
    return [Delivered(min(event.timestamp, latest), event.message) for event in events]


def now() -> int:
    """The present in ms since 1970."""
    return int(datetime.now(timezone.utc).timestamp() * 1000)
