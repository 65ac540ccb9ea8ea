"""Log events on disk, shared by all backends: spans of delivery time that were read once.

Log events do not change once CloudWatch Logs has them, so an answer for a span that ended some
time ago (``cache_settle``) stays right until the group's retention ends. A chunk is a file that
holds every event of its span; its name is its index entry, so a directory's listing is the index
and a half-written file is never seen. Whatever cannot be read is as if it were not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import msgspec

from cloudtrail_fdw.sources.cache_directory import write_whole
from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent

EVENTS = msgspec.msgpack.Decoder(list[LogEvent])
MERGED_BYTES = 1_000_000  # neighbours are joined up to this size
STALE_LOCK = 5.0  # seconds after which a reader no longer waits for another's fetch
PAGES = "pages"  # the part of the cache that holds log events
LABEL = "shelf.json"  # beside the chunks: what they are of
SUFFIX = ".events"
CHECKSUM = 4  # bytes in front of the events


@dataclass(frozen=True)
class Chunk:
    """All events of a shelf with start <= timestamp < end, as they were at ``fetched``; ms.

    ``calls`` and ``bytes`` are what they cost; what lies at ``until`` or later may have grown.
    """

    start: int
    end: int
    fetched: int
    events: int
    bytes: int
    calls: int
    until: int = 0

    @property
    def name(self) -> str:
        """The file's name."""
        numbers = (self.start, self.end, self.fetched, self.events, self.bytes, self.calls)
        return "-".join(map(str, numbers)) + SUFFIX

    @property
    def known_until(self) -> int:
        """The end of the time it knows anything of: some reach into the future."""
        return min(self.end, self.fetched)

    @classmethod
    def named(cls, name: str) -> Optional[Chunk]:
        """The chunk that a file's name tells of, None for any other file."""
        parts = name[: -len(SUFFIX)].split("-")
        if not name.endswith(SUFFIX) or len(parts) != 6 or not all(p.isdigit() for p in parts):
            return None
        start, end, fetched, events, size, calls = map(int, parts)
        return cls(start, end, fetched, events, size, calls, until=end)


class Shelf:
    """The chunks of one log group, streams and filter pattern: one directory."""

    def __init__(self, path: Path, settle: float) -> None:
        """``settle`` in ms."""
        self.path = path
        self.settle = settle

    def longest_wait(self) -> float:
        """The settle time in force, in ms: longer than asked for where that proved too short."""
        with contextlib.suppress(OSError, ValueError):
            return max(self.settle, float((self.path.parent / "settle").read_text("ascii")))
        return self.settle

    def widen(self, events: Iterable[LogEvent]) -> None:
        """Remember events that came later than half the settle time."""
        latest = max((event.ingestion_time - event.timestamp for event in events), default=0)
        if latest * 2 > self.longest_wait():
            write_whole(self.path.parent / "settle", b"%d" % (latest * 2))

    def chunks(self, max_age: float = 0.0) -> list[Chunk]:
        """What may be used now: what had settled when it was fetched, or is ``max_age`` ms old."""
        wait, youngest = self.longest_wait(), time.time() * 1000 - max_age
        found = []
        for chunk in listed(self.path):
            until = chunk.end
            if chunk.fetched < youngest:
                until = min(until, int(chunk.fetched - wait))
            if until > chunk.start:
                found.append(replace(chunk, until=until))
        return found

    def load(self, chunk: Chunk) -> Optional[list[LogEvent]]:
        """Its events in the order of delivery; None, and the file gone, when it is damaged."""
        path = self.path / chunk.name
        try:
            content = path.read_bytes()
            body = memoryview(content)[CHECKSUM:]
            if content[:CHECKSUM] == checksum(body):
                os.utime(path)  # the least recently used go first
                return EVENTS.decode(body)
        except (OSError, msgspec.MsgspecError):
            pass
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def save(self, chunk: Chunk, events: Sequence[LogEvent]) -> None:
        """Keep what was fetched just now, joined with its small neighbours; raises OSError."""
        wait = self.longest_wait()
        replaced = []
        for other in sorted(listed(self.path), key=lambda found: found.start):
            if chunk.start <= other.start and other.end <= chunk.end:
                replaced.append(other)
                continue
            if chunk.bytes + other.bytes > MERGED_BYTES:
                continue
            # what is kept of the other must have settled when it was fetched
            before = other.start < chunk.start <= other.end and chunk.start + wait <= other.fetched
            after = other.start <= chunk.end < other.end and other.end + wait <= other.fetched
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
            )  # fmt: skip
            replaced.append(other)
        body = msgspec.msgpack.encode(list(events))
        write_whole(self.path / chunk.name, checksum(body) + body)
        for other in replaced:
            if other.name != chunk.name:
                with contextlib.suppress(OSError):
                    (self.path / other.name).unlink()

    def expire(self, before: int) -> None:
        """Forget events older than ``before`` (ms): the group's retention has ended for them."""
        for chunk in listed(self.path):
            if chunk.end <= before and chunk.events:
                with contextlib.suppress(OSError):
                    body = msgspec.msgpack.encode([])
                    empty = replace(chunk, events=0, bytes=0)
                    write_whole(self.path / empty.name, checksum(body) + body)
                    (self.path / chunk.name).unlink()

    @contextlib.contextmanager
    def fetching(self) -> Iterator[Optional[int]]:
        """The right to fetch for this shelf, as a descriptor to beat; None while another has it.

        A holder that has not beaten for STALE_LOCK seconds is passed by.
        """
        path = self.path / "fetching"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                fresh = time.time() - os.fstat(descriptor).st_mtime < STALE_LOCK
                if not fresh:
                    with contextlib.suppress(OSError):
                        path.unlink()  # the holder keeps the old file, the next one makes another
                yield None
                return
            beat(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)


def beat(descriptor: int) -> None:
    """Show those who wait that the fetch goes on."""
    os.utime(descriptor)


def listed(path: Path) -> list[Chunk]:
    """The chunks in a directory."""
    try:
        names = [found.name for found in os.scandir(path)]
    except OSError:
        return []
    return [chunk for chunk in map(Chunk.named, names) if chunk is not None]


def checksum(body: bytes | memoryview) -> bytes:
    """What tells a damaged file."""
    return zlib.crc32(body).to_bytes(CHECKSUM, "big")


def shelf_name(parts: Sequence[str]) -> str:
    """A directory's name for what may hold any character."""
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:32]
