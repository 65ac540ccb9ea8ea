"""What the cache has for one question: which shelves may answer it, and from which to read on."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.sources.cache.fetch_lock import SUFFIX as LOCK
from cloudtrail_fdw.sources.cache.fetch_lock import in_the_way
from cloudtrail_fdw.sources.cache.page_cache import (
    LABEL,
    OF_SHELF,
    Chunk,
    Shelf,
    listed,
    shelf_name,
)
from cloudtrail_fdw.sources.cache.pieces import Piece, turned
from cloudtrail_fdw.sources.disk.cache_directory import found, read_json, write_json
from cloudtrail_fdw.sources.record.log_event import PAGE_BYTES, PAGE_EVENTS


class Shelves:
    """The shelves of one group, its streams and the user's own pattern, one a set of clauses.

    Rows are checked again by PostgreSQL, so a shelf with fewer clauses answers, too.
    """

    def __init__(self, path: Path, log_group: str, settle: float) -> None:
        """``settle`` in ms."""
        self.path = path
        self.log_group = log_group
        self.settle = settle

    def shelf(self, clauses: Sequence[str], pattern: str) -> Shelf:
        """The shelf for exactly these clauses, made if need be; raises OSError."""
        path = self.path / shelf_name(sorted(clauses))
        if read_json(path / LABEL, 0, OF_SHELF) is None:
            what = {"log_group": self.log_group, "filter_pattern": pattern, "clauses": [*clauses]}
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_json(path / LABEL, what, OF_SHELF)
        return Shelf(path, self.settle)

    def all(self) -> list[tuple[frozenset[str], Shelf]]:
        """Every shelf with its clauses."""
        found = []
        with contextlib.suppress(OSError):
            for label in self.path.glob(f"*/{LABEL}"):
                what = read_json(label, 0, OF_SHELF)
                if what is not None:
                    found.append((frozenset(map(str, what["clauses"])),
                                  Shelf(label.parent, self.settle)))  # fmt: skip
        return found

    def usable(self, clauses: Sequence[str]) -> list[Shelf]:
        """The shelves that hold at least what the clauses select, the narrowest first."""
        fitting = [
            (held, shelf) for held, shelf in self.all()
            if all(any(implies(clause, other) for clause in clauses) for other in held)
        ]  # fmt: skip
        fitting.sort(key=lambda pair: (-len(pair[0]), not pair[0].issubset(clauses)))
        return [shelf for _, shelf in fitting]

    def spent(self, low: int, high: int) -> tuple[float, float]:
        """Calls that patterns cost in [low, high) (ms), and what one costs there on average."""
        costs = []
        for clauses, shelf in self.all():
            chunks = listed(shelf.path) if clauses else []
            shares = [chunk.calls * overlap(chunk, low, high) for chunk in chunks]
            if sum(shares):
                costs.append(sum(shares))
        return sum(costs), sum(costs) / len(costs) if costs else 1.0

    def others_read(self, clauses: Sequence[str], low: int, high: int, window: int) -> bool:
        """Whether another backend is reading in [low, high) (ms) by other clauses, or by none."""
        return any(
            in_the_way(path, low, high, window)
            for held, shelf in self.all()
            if held != frozenset(clauses)
            for path in found(shelf.path, f"*{LOCK}")
        )

    def wide_read(self, low: int, high: int, window: int) -> bool:
        """Whether another backend is reading all of [low, high) (ms)."""
        folder = self.path / shelf_name(())
        return any(in_the_way(path, low, high, window) for path in found(folder, f"*{LOCK}"))

    def density(self, low: int, high: int) -> Optional[float]:
        """Calls a millisecond costs without clauses, near [low, high); None when unknown."""
        width = high - low
        chunks = [chunk for shelf in self.usable(()) for chunk in listed(shelf.path)
                  if chunk.start < high + width and chunk.known_until > low - width]  # fmt: skip
        time = sum(chunk.known_until - chunk.start for chunk in chunks)
        # not the calls they cost: those for the edge of a window that moves bring next to nothing
        calls = sum(max(c.bytes / PAGE_BYTES, c.events / PAGE_EVENTS) for c in chunks)
        return calls / time if calls >= 1 or 4 * time > width > 0 else None


def implies(clause: str, other: str) -> bool:
    """Whether what one clause selects the other selects, too, as can be told from their texts.

    That is where it names fewer of the same alternatives, as a shorter IN does. No value holds an
    operator: filter_pattern.quote.
    """
    one, two = clause.strip("()"), other.strip("()")
    return set(one.split(" || ")) <= set(two.split(" || "))


def keep(shelf: Shelf, piece: Piece, asked_at: int, newest_first: bool) -> Optional[Chunk]:
    """Put a piece into the cache; without room or rights the query goes on.

    Returns the chunk that it is all of, None where there is none.
    """
    start, end = turned(piece.start, piece.end, newest_first)
    events = piece.events[::-1] if newest_first else piece.events
    size = sum(len(event.message) for event in events)
    with contextlib.suppress(OSError):
        shelf.widen(events)
        made = Chunk(start, end, asked_at, len(events), size, piece.calls)
        return made if shelf.save(made, events) == made else None
    return None


def overlap(chunk: Chunk, low: int, high: int) -> float:
    """The share of a chunk that lies in [low, high)."""
    common = min(chunk.known_until, high) - max(chunk.start, low)
    return max(0, common) / max(1, chunk.known_until - chunk.start)


class Index:
    """The chunks of some shelves in forward time, to be walked through once."""

    def __init__(
        self, shelves: Sequence[Shelf], newest_first: bool, max_age: float,
        unusable: Container[Chunk] = (),
    ) -> None:  # fmt: skip
        """``max_age`` in ms."""
        found = []
        for rank, shelf in enumerate(shelves):
            for chunk in shelf.chunks(max_age):
                if chunk in unusable:
                    continue
                start, end = turned(chunk.start, chunk.until, newest_first)
                found.append((start, rank, end, shelf, chunk))
        self.ahead = sorted(found, key=lambda item: item[:2], reverse=True)
        self.best: Optional[tuple[int, int, int, Shelf, Chunk]] = None

    def at(self, edge: int) -> Optional[tuple[Shelf, Chunk]]:
        """The chunk that holds ``edge`` and reaches farthest, None when there is none."""
        while self.ahead and self.ahead[-1][0] <= edge:
            item = self.ahead.pop()
            if self.best is None or item[2] > self.best[2]:
                self.best = item
        if self.best is None or self.best[2] <= edge:
            return None
        return self.best[3], self.best[4]

    def next_start(self, otherwise: int) -> int:
        """Where the next chunk begins."""
        return min(self.ahead[-1][0], otherwise) if self.ahead else otherwise
