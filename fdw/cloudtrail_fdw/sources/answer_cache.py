"""Answers of remote sources on disk, shared by all backends: each of them was paid for.

One SQLite file, owner-only. SQLite's locks and write-ahead log keep it whole when backends are
killed; a file that is damaged all the same is thrown away. The answers carry their time; who
reads decides how old they may be.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, TypeVar

from cloudtrail_fdw.errors import FdwError, missing_package
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.cache_directory import cache_root

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")
FOLDER = "remote"  # of the cache directory
FILE = "answers.sqlite"
LARGEST = 64 << 20  # bytes of the file
PAGE = 4096
PATIENCE = 0.4  # seconds to wait for other writers, who need milliseconds
PASSING = re.compile("locked|full|readonly|unable to open")  # no sign of damage
LONGEST_WAIT = 900.0  # seconds; a slot further ahead was written by a clock that went wrong
TABLES = """
    CREATE TABLE IF NOT EXISTS answer (
        source text, address text, asked real, body text,
        PRIMARY KEY (source, address)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS slot (source text PRIMARY KEY, next real) WITHOUT ROWID;
"""


class Kept(NamedTuple):
    """A record as the source gave it, None where it knew nothing, and when (Unix time)."""

    record: Optional[dict[str, Any]]
    asked: float


class Cache:
    """The file as one process sees it. No method raises for what is wrong with the file."""

    def __init__(self, path: Path) -> None:
        """Note the place, which is in a folder that is ours alone."""
        self.path = path
        self.connection: Optional[sqlite3.Connection] = None
        self.inode = 0
        self.reason = ""  # why the last transaction was not made

    def find(self, source: str, addresses: Iterable[str], oldest: float) -> dict[str, Kept]:
        """The answers for addresses that are no older than the Unix time ``oldest``."""

        def look(connection: sqlite3.Connection) -> dict[str, Kept]:
            found: dict[str, Kept] = {}
            for address in addresses:
                row = connection.execute(
                    "SELECT body, asked FROM answer"
                    " WHERE source = ? AND address = ? AND asked BETWEEN ? AND ?",
                    (source, address, oldest, time.time() + 1),
                ).fetchone()
                if row is not None:
                    found[address] = Kept(read_record(row[0]), row[1])
            return found

        return self.run(look, {})

    def keep(self, source: str, answers: Mapping[str, Kept]) -> None:
        """Remember answers, in place of the oldest half when the file has no room."""
        rows = [
            (source, address, kept.asked, json.dumps(kept.record))
            for address, kept in answers.items()
        ]

        def write(connection: sqlite3.Connection) -> bool:
            connection.executemany("REPLACE INTO answer VALUES (?, ?, ?, ?)", rows)
            return True

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM answer WHERE asked <= (SELECT asked FROM answer"
                " ORDER BY asked LIMIT 1 OFFSET (SELECT count(*) / 2 FROM answer))"
            )

        if not self.run(write, False):
            if "full" in self.reason:
                self.run(forget, None)
            self.run(write, False)  # once more also where others were writing

    def reserve(self, source: str, interval: float, patience: float) -> float:
        """Seconds until this process may call ``source``, so that calls are ``interval`` apart.

        Nothing is reserved when that is longer than ``patience``.
        """

        def take(connection: sqlite3.Connection) -> float:
            connection.execute("BEGIN IMMEDIATE")
            now = time.time()
            row = connection.execute("SELECT next FROM slot WHERE source = ?", (source,)).fetchone()
            start = max(float(row[0]), now) if row and row[0] - now < LONGEST_WAIT else now
            if start - now <= patience:
                connection.execute("REPLACE INTO slot VALUES (?, ?)", (source, start + interval))
            return start - now

        return self.run(take, 0.0)

    def block(self, source: str, seconds: float) -> None:
        """Let nobody call ``source`` for some time."""
        until = time.time() + min(seconds, LONGEST_WAIT - 1)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("REPLACE INTO slot VALUES (?, ?)", (source, until))

        self.run(write, None)

    def run(self, work: Callable[[sqlite3.Connection], T], default: T) -> T:
        """The result of one transaction, tried again on a new file when this one is damaged."""
        import sqlite3

        for _ in range(2):
            try:
                connection = self.open()
                with connection:
                    return work(connection)
            except (sqlite3.Error, OSError, ValueError, TypeError, RecursionError) as error:
                self.close()
                self.reason = str(error)
                passing = isinstance(error, sqlite3.OperationalError)
                if isinstance(error, OSError) or (passing and PASSING.search(str(error))):
                    return default
                self.throw_away()
        return default

    def open(self) -> sqlite3.Connection:
        """The connection to the file that is there now, made anew after it was replaced."""
        import sqlite3

        if self.connection is not None:
            with contextlib.suppress(OSError):
                if self.path.stat().st_ino == self.inode:
                    return self.connection
            self.close()
        prepare(self.path)
        self.inode = self.path.stat().st_ino
        connection = sqlite3.connect(str(self.path), PATIENCE)
        self.connection = connection
        # a commit need not wait for the disk: a power failure may cost the last answers
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA max_page_count = {LARGEST // PAGE}")
        connection.executescript(TABLES)
        return connection

    def close(self) -> None:
        """Let go of the file."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def throw_away(self) -> None:
        """Remove the damaged file, unless another process has already put a new one there."""
        with contextlib.suppress(OSError):
            if self.path.stat().st_ino == self.inode:
                for suffix in ("-wal", "-shm", ""):
                    with contextlib.suppress(FileNotFoundError):
                        Path(f"{self.path}{suffix}").unlink()


def read_record(text: str) -> Optional[dict[str, Any]]:
    """A record as it was kept; ValueError when that is something else."""
    record = json.loads(text)
    if record is not None and not isinstance(record, dict):
        raise ValueError("not a record")
    return record


CACHES: dict[str, Cache] = {}


def cache(settings: Settings) -> Cache:
    """The cache below the folder of all caches; FdwError when there can be none."""
    held = CACHES.get(settings.cache_directory)
    if held is not None:
        return held
    try:
        import sqlite3  # noqa: F401 - some builds of Python lack it
    except ImportError as error:
        raise missing_package("sqlite3", error) from None
    # cache = off is about log events; these answers cost money
    root = cache_root(replace(settings, cache="on"))
    if root is None:
        raise FdwError(
            "the answers of remote sources cannot be kept",
            hint="Give option cache_directory of the server a folder that the operating system "
            "user of PostgreSQL owns and nobody else may look into.",
        )
    CACHES[settings.cache_directory] = Cache(root / FOLDER / FILE)
    return CACHES[settings.cache_directory]


def prepare(path: Path) -> None:
    """Folder (0700) and file (0600), of our own; OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.close(file)
