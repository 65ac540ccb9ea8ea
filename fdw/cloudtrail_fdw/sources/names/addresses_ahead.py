"""Source addresses of the events that a query has read: what its join will ask for next.

The scan of events leaves its rows here, those of pages that are still to be handed on, too. Reverse
DNS looks at them when it is asked for an address, so that a nested loop waits once a page, or less,
and not once an address; a look-up in the data files answers for the next ones with them. All is of
one statement: what one statement read says nothing of what the next one wants to be sent out.
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

    ``places`` are those of the texts in ``order``, counted from ``first``; before ``taken`` they
    were given to reverse DNS. ``coming`` are pages that were looked at before they were handed on.
    """

    stamp: int = 0
    pages: deque[tuple[int, bytes]] = field(default_factory=deque)
    size: int = 0
    coming: deque[bytes] = field(default_factory=lambda: deque(maxlen=MOST_COMING))
    order: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    first: int = 0
    taken: int = 0

    def begin(self, stamp: int) -> None:
        """Forget what another statement left."""
        self.stamp, self.size, self.first, self.taken = stamp, 0, 0, 0
        self.pages.clear()
        self.coming.clear()
        self.order.clear()
        self.places.clear()

    def add(self, place: int, rows: bytes) -> None:
        """Leave rows; those that would be too many to hold are looked at now."""
        self.pages.append((place, rows))
        self.size += len(rows)
        while self.size > MOST_BYTES:
            self.look_at_one()

    def look_at_one(self, newest: bool = False) -> None:
        """Find the texts in the oldest or the newest of the rows."""
        place, rows = self.pages.pop() if newest else self.pages.popleft()
        self.size -= len(rows)
        self.find(place, rows)

    def find(self, place: int, rows: bytes) -> None:
        """Find the texts in rows; where there are too many, old ones are forgotten."""
        found = dict.fromkeys(row[place] for row in msgspec.msgpack.decode(rows))
        found.pop(None, None)
        fresh = [text for text in found if text not in self.places]
        self.places.update(zip(fresh, range(self.end, self.end + len(fresh))))
        self.order += fresh
        if len(self.order) > MOST:
            kept = max(MOST // 2, len(fresh))
            for text in self.order[:-kept]:
                del self.places[text]
            self.first, self.order = self.end - kept, self.order[-kept:]
            self.taken = max(self.taken, self.first)

    @property
    def end(self) -> int:
        """The place of the next text."""
        return self.first + len(self.order)

    def look_at_coming(self) -> bool:
        """Look at a page that is still to be handed on; whether there was one."""
        while COMING:
            stamp, place, rows = COMING.popleft()
            if stamp == self.stamp:
                self.find(place, rows)
                self.coming.append(rows)
                return True
        return False


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
    if AHEAD.stamp != stamp:
        AHEAD.begin(stamp)
    if AHEAD.coming and AHEAD.coming[0] is rows:
        AHEAD.coming.popleft()
        return
    with suppress(IndexError):
        COMING.popleft()  # it is this one
    AHEAD.add(layout.index(COLUMN), rows)


def take(asked: Iterable[str]) -> Sequence[str]:
    """Texts left by this statement, each once, if one of ``asked`` is or was among them."""
    if AHEAD.stamp != statement_stamp():
        return ()
    while AHEAD.pages:
        AHEAD.look_at_one()
    if all(text not in AHEAD.places for text in asked):
        return ()
    while AHEAD.look_at_coming():
        pass
    texts = tuple(AHEAD.order[AHEAD.taken - AHEAD.first :])
    AHEAD.taken = AHEAD.end
    return texts


def following(text: str, most: int) -> Sequence[str]:
    """The texts that came after ``text`` in this statement's events: ``most`` of them, or fewer.

    Only the newest page and those to come are looked at: a join that asks in the order of events
    asks for what they have, and for others there is nothing to foresee.
    """
    if AHEAD.stamp != statement_stamp():
        return ()
    if text not in AHEAD.places and AHEAD.pages:
        AHEAD.look_at_one(newest=True)
    if text not in AHEAD.places:
        return ()
    while AHEAD.end <= AHEAD.places.get(text, AHEAD.end) + most and AHEAD.look_at_coming():
        pass
    start = AHEAD.places.get(text, AHEAD.first - 1) + 1 - AHEAD.first
    return AHEAD.order[start : start + most]
