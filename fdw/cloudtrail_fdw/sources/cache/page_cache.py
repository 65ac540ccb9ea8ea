"""Log events on disk, shared by all backends: spans of delivery time that were read once.

Log events do not change once CloudWatch Logs has them, so an answer for a span that ended some
time ago (``cache_settle``) stays right until the group's retention ends. A chunk is a file that
holds every event of its span; its name is its index entry, so a directory's listing is the index
and a half-written file is never seen. Whatever cannot be read is as if it were not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import msgspec

from cloudtrail_fdw.sources.disk.cache_directory import found
from cloudtrail_fdw.sources.disk.sealed_file import read_sealed, write_sealed
from cloudtrail_fdw.sources.record.log_event import LogEvent

EVENTS = msgspec.msgpack.Decoder(list[LogEvent])
MERGED_BYTES = 1_000_000  # neighbours are joined up to this size
UNBROKEN = 1 << 52  # ms
PAGES = "pages"  # the part of the cache that holds log events
LABEL = "label"  # beside the chunks: what they are of
SUFFIX = ".events"
ROWS = ".rows"  # of what was made of a chunk's events
# How many parts of a path say what is in a file: group, shelf and name, or group and name.
OF_SHELF = 3
OF_GROUP = 2
DAY = 86_400_000  # ms


@dataclass(frozen=True)
class Chunk:
    """All events of a shelf with start <= timestamp < end, as they were at ``fetched``; ms.

    ``calls`` and ``bytes`` are what they cost; what lies at ``until`` or later may have grown
    since. ``settled`` is how long any part that is older than ``fetched`` had settled by then.
    """

    start: int
    end: int
    fetched: int
    events: int
    bytes: int
    calls: int
    settled: int = UNBROKEN
    until: int = 0

    @property
    def name(self) -> str:
        """The file's name."""
        return self.stem + SUFFIX

    @property
    def stem(self) -> str:
        """What the names of its file and of all that was made of it begin with."""
        numbers = (self.start, self.end, self.fetched, self.events, self.bytes, self.calls,
                   self.settled)  # fmt: skip
        return "-".join(map(str, numbers))

    @property
    def known_until(self) -> int:
        """The end of the time it knows anything of: some reach into the future."""
        return min(self.end, self.fetched)

    @classmethod
    def named(cls, name: str) -> Optional[Chunk]:
        """The chunk that a file's name tells of, None for any other file."""
        parts = name[: -len(SUFFIX)].split("-")
        if not name.endswith(SUFFIX) or len(parts) != 7 or not all(p.isdigit() for p in parts):
            return None
        numbers = list(map(int, parts))
        return replace(cls(*numbers), until=numbers[1])


class Shelf:
    """The chunks of one log group, streams and filter pattern: one directory."""

    def __init__(self, path: Path, settle: float) -> None:
        """``settle`` in ms."""
        self.path = path
        self.settle = settle
        self.settle_file = path.parent / "settle"

    def longest_wait(self) -> float:
        """The settle time in force, in ms: longer than asked for where that proved too short."""
        try:
            settle = read_sealed(self.settle_file, OF_GROUP)
            if settle is not None:
                return max(self.settle, float(bytes(settle)))
            self.distrust()
        except FileNotFoundError:
            pass
        except OSError:  # there is a longer one, and nobody can tell how long
            return UNBROKEN
        return self.settle

    def distrust(self) -> None:
        """Remove the group's chunks, as nobody knows how long they had to settle; OSError."""
        for path in found(self.path.parent, f"*/*{SUFFIX}"):
            path.unlink(missing_ok=True)
        self.settle_file.unlink(missing_ok=True)

    def widen(self, events: Iterable[LogEvent]) -> None:
        """Remember events that came later than half the settle time."""
        latest = max((event.ingestion_time - event.timestamp for event in events), default=0)
        if latest * 2 > self.longest_wait():
            write_sealed(self.settle_file, b"%d" % (latest * 2), OF_GROUP)

    def chunks(self, max_age: float = 0.0) -> list[Chunk]:
        """What may be used now: what had settled when it was fetched, or is ``max_age`` ms old."""
        wait, now = self.longest_wait(), time.time() * 1000
        found = []
        for chunk in listed(self.path):
            if chunk.settled < wait or chunk.fetched > now:  # the clock was set back
                continue
            until = chunk.end
            if chunk.fetched <= now - max_age:
                until = min(until, int(chunk.fetched - wait))
            if until > chunk.start:
                found.append(replace(chunk, until=until))
        return found

    def load(self, chunk: Chunk) -> Optional[list[LogEvent]]:
        """Its events in the order of delivery; None, and the file gone, when it is damaged."""
        path = self.path / chunk.name
        try:
            body = read_sealed(path, OF_SHELF)
            if body is not None:
                with contextlib.suppress(OSError):
                    os.utime(path)  # the least recently used go first
                return EVENTS.decode(body)
        except (OSError, msgspec.MsgspecError):
            pass
        self.remove(chunk)
        return None

    def remove(self, chunk: Chunk) -> None:
        """Remove a chunk, and then all that was made of it."""
        with contextlib.suppress(OSError):
            (self.path / chunk.name).unlink()
        for path in found(self.path, f"{chunk.stem}.*{ROWS}"):
            with contextlib.suppress(OSError):
                path.unlink()

    def save(self, chunk: Chunk, events: Sequence[LogEvent]) -> Chunk:
        """Keep what was fetched just now, joined with its small neighbours; raises OSError.

        Returns the chunk that it became.
        """
        wait = self.longest_wait()
        replaced = []
        for other in sorted(listed(self.path), key=lambda found: found.start):
            if chunk.start <= other.start and other.end <= chunk.end:
                replaced.append(other)
                continue
            before = other.start < chunk.start <= other.end
            after = other.start <= chunk.end < other.end
            # what is kept of the other must have settled when it was fetched
            asked = min(other.fetched, chunk.fetched)
            settled = min(other.settled, asked - (chunk.start if before else other.end))
            if settled < wait or chunk.bytes + other.bytes > MERGED_BYTES:
                continue
            held = self.load(other) if before or after else None
            if held is None:
                continue
            if before:
                events = [*(e for e in held if e.timestamp < chunk.start), *events]
            else:
                events = [*events, *(e for e in held if e.timestamp >= chunk.end)]
            chunk = Chunk(
                other.start if before else chunk.start, chunk.end if before else other.end,
                chunk.fetched, len(events), chunk.bytes + other.bytes, chunk.calls + other.calls,
                min(chunk.settled, settled),
            )  # fmt: skip
            replaced.append(other)
        self.write(chunk, events)
        for other in replaced:
            if other.name != chunk.name:
                self.remove(other)
        return chunk

    def expire(self, before: int) -> None:
        """Forget events older than ``before`` (ms): the group's retention has ended for them.

        A chunk that reaches beyond is divided, a day's events at a time.
        """
        for chunk in listed(self.path):
            if not chunk.events or before < min(chunk.end, chunk.start + DAY):
                continue
            held = self.load(chunk)
            if held is None:
                continue
            edge = min(before, chunk.end)
            kept = [event for event in held if event.timestamp >= edge]
            size = sum(len(event.message) for event in kept)
            with contextlib.suppress(OSError):
                self.write(replace(chunk, end=edge, events=0, bytes=0), [])
                if edge < chunk.end:
                    self.write(replace(chunk, start=edge, events=len(kept), bytes=size), kept)
                self.remove(chunk)

    def write(self, chunk: Chunk, events: Sequence[LogEvent]) -> None:
        """Put a chunk in its place; raises OSError."""
        body = msgspec.msgpack.encode(list(events))
        write_sealed(self.path / chunk.name, body, OF_SHELF)


def listed(path: Path) -> list[Chunk]:
    """The chunks in a directory."""
    try:
        names = [found.name for found in os.scandir(path)]
    except OSError:
        return []
    return [chunk for chunk in map(Chunk.named, names) if chunk is not None]


def shelf_name(parts: Sequence[str]) -> str:
    """A directory's name for what may hold any character."""
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:32]
