"""Source addresses of the events that a query has read: what its join will ask for next.

The scan of events leaves them here, those of pages that still wait for their rows too; reverse DNS
takes them when it is asked for one of them, so that a nested loop waits once a page, or less, and
not once an address. Both are of one statement: what one statement read says nothing of what the
next one wants to be sent out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeVar

import msgspec

from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent
from cloudtrail_fdw.sources.remote_query import STAMP

T = TypeVar("T")
MOST = 30_000  # addresses of one statement
MOST_PAGES = 4  # on their way to the rows
COLUMN = "source_ip_address"


@dataclass
class Ahead:
    """Texts in the order of the events, those that were taken, and whose they are."""

    stamp: int = 0
    texts: dict[str, None] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


class Source(msgspec.Struct):
    """Of a record of CloudTrail, where it came from."""

    address: Any = msgspec.field(name="sourceIPAddress", default=None)


AHEAD = Ahead()
PAGES: deque[tuple[int, Sequence[LogEvent]]] = deque(maxlen=MOST_PAGES)  # with their statements
SOURCE = msgspec.json.Decoder(Source)


def statement_stamp() -> int:
    """When the running statement started, which tells it from others; 0 outside PostgreSQL."""
    return int(STAMP()) if STAMP else 0


def foreseen(
    layout: Sequence[str], pages: Iterator[tuple[T, Sequence[LogEvent]]]
) -> Iterator[tuple[T, Sequence[LogEvent]]]:
    """The pages as they are, noted while they wait for their rows; for the thread that reads."""
    for page in pages:
        if COLUMN in layout:
            PAGES.append((statement_stamp(), page[1]))
        yield page


def addresses_of(events: Iterable[LogEvent]) -> Iterator[str]:
    """The source addresses of log events that are records of CloudTrail."""
    for event in events:
        with suppress(msgspec.DecodeError):
            address = SOURCE.decode(event.message).address
            if isinstance(address, str):
                yield address


def publish(layout: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Leave the source addresses of a page of events; nothing where they are not wanted."""
    stamp = statement_stamp()
    if not stamp or COLUMN not in layout:
        return
    with suppress(IndexError):
        PAGES.popleft()  # it is this one that has got its rows
    if AHEAD.stamp != stamp:
        AHEAD.stamp, AHEAD.texts, AHEAD.taken = stamp, {}, set()
    if len(AHEAD.texts) < MOST:
        texts = dict.fromkeys(map(itemgetter(layout.index(COLUMN)), rows))
        texts.pop(None, None)
        AHEAD.texts.update(texts)


def take(asked: Iterable[str]) -> Sequence[str]:
    """Texts left by this statement, each once, if one of ``asked`` is or was among them."""
    if AHEAD.stamp != statement_stamp():
        return ()
    if all(text not in AHEAD.texts and text not in AHEAD.taken for text in asked):
        return ()
    while PAGES:
        stamp, events = PAGES.popleft()
        if stamp == AHEAD.stamp and len(AHEAD.texts) < MOST:
            AHEAD.texts.update(dict.fromkeys(addresses_of(events)))
    texts = tuple(text for text in AHEAD.texts if text not in AHEAD.taken)
    if len(AHEAD.taken) > MOST:
        AHEAD.taken.clear()
    AHEAD.taken.update(AHEAD.texts)
    AHEAD.texts.clear()
    return texts
