"""Rows that were made of a chunk's events, kept beside it for the next scan that wants the same.

A chunk never changes, so neither do they. They are named after the chunk and leave with it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Optional

from cloudtrail_fdw.sources.cache.page_cache import OF_SHELF, ROWS, Chunk, Shelf, shelf_name
from cloudtrail_fdw.sources.disk.sealed_file import read_sealed, write_sealed
from cloudtrail_fdw.sources.record.log_event import LogEvent

SHARE = 0.5  # of a chunk's bytes: rows that take more are not worth their room


class Place(NamedTuple):
    """A chunk all of whose events are wanted, and in which order."""

    shelf: Shelf
    chunk: Chunk
    newest_first: bool


class Page(NamedTuple):
    """Log events in the order of a scan, or instead of them the ``rows`` made of them before.

    ``place`` has the chunk that these are all events of, if they are.
    """

    events: list[LogEvent]
    rows: Optional[bytes] = None
    place: Optional[Place] = None


class RowMaker:
    """How a scan makes rows, and where it looks for those that were made before."""

    def __init__(self, make: Callable[[Sequence[LogEvent]], bytes], what: Iterable[str]) -> None:
        """``what`` tells these rows from any others of the same events."""
        self.make = make
        self.key = shelf_name([*what])
        self.kept = 0  # pages

    def name(self, place: Place) -> str:
        """The file's name."""
        order = "newest" if place.newest_first else "oldest"
        return f"{place.chunk.stem}.{self.key}-{order}{ROWS}"

    def load(self, place: Place) -> Optional[bytes]:
        """The rows of all events of a chunk, None when there are none or the file is damaged."""
        path = place.shelf.path / self.name(place)
        with contextlib.suppress(OSError):
            rows = read_sealed(path, OF_SHELF)
            if rows is None:
                path.unlink()
                return None
            for used in (path, place.shelf.path / place.chunk.name):  # in the order of leaving
                with contextlib.suppress(OSError):
                    os.utime(used)
            return bytes(rows)
        return None

    def rows(self, page: Page) -> bytes:
        """The rows of a page, kept for later where they may be and that pays."""
        if page.rows is not None:
            return page.rows
        rows = self.make(page.events)
        if page.place is not None and len(rows) <= SHARE * page.place.chunk.bytes:
            with contextlib.suppress(OSError):
                self.keep(page.place, rows)
                self.kept += 1
        return rows

    def keep(self, place: Place, rows: bytes) -> None:
        """Put rows beside their chunk; raises OSError."""
        path = place.shelf.path / self.name(place)
        write_sealed(path, rows, OF_SHELF)
        try:
            os.utime(place.shelf.path / place.chunk.name)  # they are to leave before it
        except FileNotFoundError:  # whoever removed it may not have seen them
            path.unlink()
