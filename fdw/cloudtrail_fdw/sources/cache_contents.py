"""What is in the cache of log events, how it is cleared, and how it is kept small."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cloudtrail_fdw.sources.cache_directory import read_json
from cloudtrail_fdw.sources.page_cache import LABEL, PAGES, ROWS, SUFFIX, Chunk, listed

ABANDONED = 3600.0  # seconds after which a part of a file is nobody's
ENTRY_OVERHEAD = 4096  # bytes a file takes beside its content


class Entry(NamedTuple):
    """One chunk and what it is of."""

    log_group: str
    filter_pattern: str
    chunk: Chunk


def entries(root: Path) -> Iterator[Entry]:
    """All chunks, those of one group and pattern together."""
    for label in sorted((root / PAGES).glob(f"*/*/{LABEL}")):
        what = read_json(label, 0) or {}
        for chunk in sorted(listed(label.parent), key=lambda found: found.start):
            yield Entry(str(what.get("log_group")), str(what.get("filter_pattern")), chunk)


def clear(root: Path) -> int:
    """Remove all log events, and what is known of groups and trails; how many chunks there were."""
    count = sum(1 for _ in entries(root))
    shutil.rmtree(root / PAGES, ignore_errors=True)
    for path in (*root.glob("group-*"), *root.glob("trails-*")):
        path.unlink(missing_ok=True)
    return count


def trim(root: Path, most: int) -> None:
    """Remove what was used least recently until ``most`` bytes are left, and abandoned parts."""
    files = []
    now = time.time()
    for path in (root / PAGES).glob("*/*/*"):
        with contextlib.suppress(OSError):
            found = path.stat()
            if path.suffix == ".part" and found.st_mtime < now - ABANDONED:
                path.unlink()
            elif path.suffix in (SUFFIX, ROWS):
                files.append((found.st_mtime, found.st_size + ENTRY_OVERHEAD, path))
    excess = sum(size for _, size, _ in files) - most
    for _, size, path in sorted(files):
        if excess <= 0:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        excess -= size
