"""Who fetches what for the cache: a file for each fetch, locked for as long as it goes on.

What nobody fetches twice is cheaper; what somebody waits for in vain is worse. So a holder that
seems asleep is passed by, and two that fetch the same do no harm.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

STALE = 5.0  # seconds without a beat after which nobody waits any longer
MUCH_LONGER = 10  # times one's own window: nobody waits for a fetch of that
DOOR = "fetching"  # locked while somebody looks around
SUFFIX = ".lock"
OPEN = os.O_RDWR | os.O_CLOEXEC


@contextlib.contextmanager
def fetching(folder: Path, low: int, high: int, window: int) -> Iterator[Optional[int]]:
    """The right to fetch [low, high) ms, as a descriptor to beat; None while another has it.

    ``window`` is how much time the query is about, of which this may be a small gap. Passed by are
    a holder that has not beaten for STALE seconds, one with far more to do, and one of this
    process, which would wait for itself. Raises OSError.
    """
    path = folder / f"{low}-{high}-{os.getpid()}-{time.monotonic_ns()}{SUFFIX}"
    descriptor = None
    with locked(folder / DOOR, OPEN | os.O_CREAT) as alone:
        others = list(folder.glob(f"*{SUFFIX}")) if alone else []
        if alone and not any(in_the_way(other, low, high, window) for other in others):
            descriptor = os.open(path, OPEN | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(descriptor)


def beat(descriptor: int) -> None:
    """Show those who wait that the fetch goes on."""
    os.utime(descriptor)


def in_the_way(path: Path, low: int, high: int, window: int) -> bool:
    """Whether to wait for the fetch that has this file; removes one that nobody has."""
    with contextlib.suppress(OSError, ValueError), locked(path, OPEN) as free:
        if free:
            path.unlink()
            return False
        now = time.time()
        start, end, process, _ = map(int, path.name[: -len(SUFFIX)].split("-"))
        width = min(end, int(now * 1000)) - start
        common = start < high and low < end and width <= MUCH_LONGER * window
        return common and process != os.getpid() and now - path.stat().st_mtime < STALE
    return False


@contextlib.contextmanager
def locked(path: Path, flags: int) -> Iterator[bool]:
    """Whether this process has the file's lock until the end of the block; raises OSError."""
    descriptor = os.open(path, flags, 0o600)
    try:
        free = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            free = False
        yield free
    finally:
        os.close(descriptor)
