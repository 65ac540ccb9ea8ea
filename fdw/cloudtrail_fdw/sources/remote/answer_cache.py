"""Answers of remote sources on disk, shared by all backends: each of them was paid for.

The answers carry their time; who reads decides how old they may be.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from cloudtrail_fdw.errors import FdwError, missing_package
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.recent import Recent
from cloudtrail_fdw.sources.disk.cache_directory import own_folder
from cloudtrail_fdw.sources.disk.sqlite_file import MOST_OPEN, SqliteFile, summed, unsummed

if TYPE_CHECKING:
    import sqlite3

FOLDER = "remote"  # of the cache directory
FILE = "answers.sqlite"
LARGEST = 64 << 20  # bytes of the file
PATIENCE = 0.4  # seconds to wait for other writers, who need milliseconds
LONGEST_WAIT = 900.0  # seconds; a slot further ahead was written by a clock that went wrong
TABLES = """
    CREATE TABLE IF NOT EXISTS answer (
        source text, address text, asked real, body text, sum int,
        PRIMARY KEY (source, address)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS slot (source text PRIMARY KEY, next real, sum int) WITHOUT ROWID;
"""


class Kept(NamedTuple):
    """A record as the source gave it, None where it knew nothing, and when (Unix time)."""

    record: Optional[dict[str, Any]]
    asked: float


class Cache(SqliteFile):
    """The file as one process sees it. No method raises for what is wrong with the file."""

    def __init__(self, path: Path) -> None:
        """Note the place, which is in a folder that is ours alone."""
        super().__init__(path, TABLES, LARGEST, PATIENCE)

    def find(self, source: str, addresses: Iterable[str], oldest: float) -> dict[str, Kept]:
        """The answers for addresses that are no older than the Unix time ``oldest``."""

        def look(connection: sqlite3.Connection) -> dict[str, Kept]:
            found: dict[str, Kept] = {}
            for address in addresses:
                row = connection.execute(
                    "SELECT asked, body, sum FROM answer"
                    " WHERE source = ? AND address = ? AND asked BETWEEN ? AND ?",
                    (source, address, oldest, time.time() + 1),
                ).fetchone()
                if row is not None:
                    asked, body = unsummed(row, source, address)
                    found[address] = Kept(read_record(body), asked)
            return found

        return self.run(look, {})

    def keep(self, source: str, answers: Mapping[str, Kept]) -> None:
        """Remember answers, in place of the oldest half when the file has no room."""
        rows = [
            summed(source, address, kept.asked, json.dumps(kept.record))
            for address, kept in answers.items()
        ]

        def write(connection: sqlite3.Connection) -> bool:
            connection.executemany("REPLACE INTO answer VALUES (?, ?, ?, ?, ?)", rows)
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
            row = connection.execute(
                "SELECT next, sum FROM slot WHERE source = ?", (source,)
            ).fetchone()
            due = unsummed(row, source)[0] if row else now
            start = max(due, now) if due - now < LONGEST_WAIT else now
            if start - now <= patience:
                slot = summed(source, start + interval)
                connection.execute("REPLACE INTO slot VALUES (?, ?, ?)", slot)
            return start - now

        return self.run(take, 0.0)

    def block(self, source: str, seconds: float) -> None:
        """Let nobody call ``source`` for some time."""
        until = time.time() + min(seconds, LONGEST_WAIT - 1)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("REPLACE INTO slot VALUES (?, ?, ?)", summed(source, until))

        self.run(write, None)


def read_record(text: str) -> Optional[dict[str, Any]]:
    """A record as it was kept; ValueError when that is something else."""
    record = json.loads(text)
    if record is not None and not isinstance(record, dict):
        raise ValueError("not a record")
    return record


CACHES: Recent[str, Cache] = Recent(MOST_OPEN, SqliteFile.close)


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
    root = own_folder(settings)
    if root is None:
        raise FdwError(
            "the answers of remote sources cannot be kept",
            hint="Give option cache_directory of the server a folder that the operating system "
            "user of PostgreSQL owns and nobody else may look into.",
        )
    return CACHES.put(settings.cache_directory, Cache(root / FOLDER / FILE))
