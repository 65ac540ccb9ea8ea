"""Source addresses of the events that a query has read: what its join will ask for next.

The scan of events leaves them here, reverse DNS takes them when it is asked for one of them, so
that a nested loop waits once a page and not once an address. Both are of one statement: what one
statement read says nothing of what the next one wants to be sent out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from cloudtrail_fdw.sources.remote_query import STAMP

MOST = 30_000  # addresses of one statement
COLUMN = "source_ip_address"


@dataclass
class Ahead:
    """Texts that nobody has asked for yet, in the order of the events, and whose they are."""

    stamp: int = 0
    texts: dict[str, None] = field(default_factory=dict)


AHEAD = Ahead()


def statement_stamp() -> int:
    """When the running statement started, which tells it from others; 0 outside PostgreSQL."""
    return int(STAMP()) if STAMP else 0


def publish(layout: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Leave the source addresses of a page of events; nothing where they are not wanted."""
    stamp = statement_stamp()
    if not stamp or COLUMN not in layout:
        return
    if AHEAD.stamp != stamp:
        AHEAD.stamp, AHEAD.texts = stamp, {}
    if len(AHEAD.texts) < MOST:
        texts = dict.fromkeys(map(itemgetter(layout.index(COLUMN)), rows))
        texts.pop(None, None)
        AHEAD.texts.update(texts)


def take(asked: Iterable[str]) -> Sequence[str]:
    """All texts left by this statement, once, if one of ``asked`` is among them."""
    if not AHEAD.texts or AHEAD.stamp != statement_stamp():
        return ()
    if AHEAD.texts.keys().isdisjoint(asked):
        return ()
    texts, AHEAD.texts = tuple(AHEAD.texts), {}
    return texts
