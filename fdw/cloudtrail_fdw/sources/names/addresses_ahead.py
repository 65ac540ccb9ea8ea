"""Source addresses of the events that a query has read: what its join will ask for next.

The scan of events leaves its rows here, those of pages that are still to be handed on, too; reverse
DNS looks at them when it is asked for an address, so that a nested loop waits once a page, or less,
and not once an address. Both are of one statement: what one statement read says nothing of what the
next one wants to be sent out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from cloudtrail_fdw import interrupts

MOST = 30_000  # addresses of one statement
MOST_BYTES = 8_000_000  # of rows that nobody has looked at
MOST_COMING = 4  # pages that are still to be handed on
COLUMN = "source_ip_address"


@dataclass
class Ahead:
    """Whose they are; rows with the place of the address in one; texts in the order of the events.

    ``taken`` are those that were given already.
    """

    stamp: int = 0
    pages: deque[tuple[int, bytes]] = field(default_factory=deque)
    size: int = 0
    texts: dict[str, None] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def begin(self, stamp: int) -> None:
        """Forget what another statement left."""
        self.stamp, self.size = stamp, 0
        for held in (self.pages, self.texts, self.taken):
            held.clear()

    def add(self, place: int, rows: bytes) -> None:
        """Leave rows; those that would be too many to hold are looked at now."""
        self.pages.append((place, rows))
        self.size += len(rows)
        while self.size > MOST_BYTES:
            self.look_at_one()

    def look_at_one(self) -> None:
        """Find the texts in the oldest of the rows."""
        place, rows = self.pages.popleft()
        self.size -= len(rows)
        if len(self.texts) < MOST:
            self.texts.update(dict.fromkeys(row[place] for row in msgspec.msgpack.decode(rows)))
            self.texts.pop(None, None)  # type: ignore[call-overload]


AHEAD = Ahead()
COMING: deque[tuple[int, int, bytes]] = deque(maxlen=MOST_COMING)  # with their statements


def statement_stamp() -> int:
    """When the running statement started, which tells it from others; 0 outside PostgreSQL."""
    return interrupts.statement()


def foreseen(layout: Sequence[str], pages: Iterator[bytes]) -> Iterator[bytes]:
    """The pages of packed rows as they are, noted while they wait; for the thread that reads."""
    for rows in pages:
        if COLUMN in layout:
            COMING.append((statement_stamp(), layout.index(COLUMN), rows))
        yield rows


def publish(layout: Sequence[str], rows: bytes) -> None:
    """Leave a page of packed rows; nothing where their source addresses are not wanted."""
    stamp = statement_stamp()
    if not stamp or COLUMN not in layout:
        return
    with suppress(IndexError):
        COMING.popleft()  # it is this one
    if AHEAD.stamp != stamp:
        AHEAD.begin(stamp)
    AHEAD.add(layout.index(COLUMN), rows)


def take(asked: Iterable[str]) -> Sequence[str]:
    """Texts left by this statement, each once, if one of ``asked`` is or was among them."""
    if AHEAD.stamp != statement_stamp():
        return ()
    while AHEAD.pages:
        AHEAD.look_at_one()
    if all(text not in AHEAD.texts and text not in AHEAD.taken for text in asked):
        return ()
    while COMING:
        stamp, place, rows = COMING.popleft()
        if stamp == AHEAD.stamp:
            AHEAD.add(place, rows)
            AHEAD.look_at_one()
    texts = tuple(text for text in AHEAD.texts if text not in AHEAD.taken)
    if len(AHEAD.taken) > MOST:
        AHEAD.taken.clear()
    AHEAD.taken.update(AHEAD.texts)
    AHEAD.texts.clear()
    return texts
