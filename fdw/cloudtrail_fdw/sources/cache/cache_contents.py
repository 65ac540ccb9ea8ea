"""What is in the cache of log events, how it is cleared, and how it is kept small."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cloudtrail_fdw.sources.cache.page_cache import (
    LABEL,
    OF_SHELF,
    PAGES,
    ROWS,
    SUFFIX,
    Chunk,
    listed,
)
from cloudtrail_fdw.sources.disk.cache_directory import found, read_json

CLEARED = ".cleared-"  # before the name of what is being removed
ABANDONED = 3600.0  # seconds after which a part of a file is nobody's
ROWS_SHARE = 0.25  # of all room
ENTRY_OVERHEAD = 4096  # bytes a file takes beside its content


class File(NamedTuple):
    """When it was used, and its size in bytes."""

    used: float
    size: int
    path: Path


class Entry(NamedTuple):
    """One chunk and what it is of."""

    log_group: str
    filter_pattern: str
    chunk: Chunk


def entries(root: Path) -> Iterator[Entry]:
    """All chunks, those of one group and pattern together."""
    for label in sorted(found(root / PAGES, f"*/*/{LABEL}")):
        what = read_json(label, 0, OF_SHELF) or {}
        for chunk in sorted(listed(label.parent), key=lambda chunk: chunk.start):
            yield Entry(str(what.get("log_group", "")), str(what.get("filter_pattern", "")), chunk)


def clear(root: Path) -> int:
    """Remove all log events, and what is known of groups and trails; how many chunks there were.

    Raises OSError where something cannot be removed.
    """
    count = sum(1 for _ in entries(root))
    with contextlib.suppress(FileNotFoundError):
        (root / PAGES).rename(root / f"{CLEARED}{os.urandom(8).hex()}")
    for path in found(root, f"{CLEARED}*"):
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    for path in (*found(root, "group-*"), *found(root, "trails-*")):
        path.unlink(missing_ok=True)
    return count


def trim(root: Path, most: int) -> None:
    """Remove what was used least recently until ``most`` bytes are left, and abandoned parts.

    Rows get a share of the room, as they can be made again without a call.
    """
    files: list[File] = []
    now = time.time()
    for path in found(root / PAGES, "*/*/*"):
        with contextlib.suppress(OSError):
            state = path.stat()
            if path.suffix == ".part" and state.st_mtime < now - ABANDONED:
                path.unlink()
            elif path.suffix in (SUFFIX, ROWS):
                files.append(File(state.st_mtime, state.st_size + ENTRY_OVERHEAD, path))
    files.sort()
    rows = [file for file in files if file.path.suffix == ROWS]
    kept = set(evict(rows, int(most * ROWS_SHARE)))
    evict([file for file in files if file.path.suffix == SUFFIX or file in kept], most)


def evict(files: Sequence[File], most: int) -> Sequence[File]:
    """Remove the first of the files until ``most`` bytes are left; those that are left."""
    excess = sum(file.size for file in files) - most
    for number, file in enumerate(files):
        if excess <= 0:
            return files[number:]
        with contextlib.suppress(OSError):
            file.path.unlink()
        excess -= file.size
    return []
