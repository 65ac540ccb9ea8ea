"""Names by reverse DNS on disk, shared by all backends, each until its own time has come."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Optional

from cloudtrail_fdw.recent import Recent
from cloudtrail_fdw.sources.disk.cache_directory import cache_root
from cloudtrail_fdw.sources.disk.sqlite_file import MOST_OPEN, SqliteFile, summed, unsummed

if TYPE_CHECKING:
    import sqlite3

    from cloudtrail_fdw.options import Settings

FOLDER = "dns"  # of the cache directory
FILE = "names.sqlite"
LARGEST = 64 << 20  # bytes of the file
LONGEST_KEPT = 86_400.0  # seconds
PATIENCE = 0.1  # seconds to wait for other writers: names can be asked for again
PAUSE = 2.0  # seconds between two attempts to write after one that failed
MOST_WAITING = 30_000  # answers that are not written yet
AT_ONCE = 500  # parameters; older SQLites take 999
FOR_EVER = 1e9  # patience of an answer that is none of impatience
TABLES = """
    CREATE TABLE IF NOT EXISTS name (
        servers text, pointer text, confirm int, expiry real, patience real, body text, sum int,
        PRIMARY KEY (servers, confirm, pointer)) WITHOUT ROWID;
"""
FIND = (
    "SELECT pointer, expiry, patience, body, sum FROM name WHERE servers = ? AND confirm = ?"
    " AND expiry BETWEEN ? AND ? AND patience >= ? AND pointer IN ({})"
)
STATUSES = frozenset({"found", "confirmed", "none", "timeout", "error"})


class Answer(NamedTuple):
    """Names in alphabetical order, ``name`` the first of them or of those that are confirmed."""

    name: Optional[str]
    names: tuple[str, ...]
    status: str


Found = dict[str, tuple[Answer, float]]


class NameCache(SqliteFile):
    """The file as one process sees it. No method raises for what is wrong with the file."""

    def __init__(self, path: Path) -> None:
        """Note the place, which is in a folder that is ours alone."""
        super().__init__(path, TABLES, LARGEST, PATIENCE)
        self.waiting: dict[tuple[str, str, bool], tuple[float, float, str]] = {}
        self.next_attempt = 0.0

    def find(self, servers: str, confirm: bool, pointers: Iterable[str], patience: float) -> Found:
        """Answers of some name servers and the seconds that they are good for.

        That an answer did not come in time is known only of ``patience`` seconds or more.
        """
        asked = list(pointers)

        def look(connection: sqlite3.Connection) -> Found:
            found: Found = {}
            now = time.time()
            for start in range(0, len(asked), AT_ONCE):
                some = asked[start : start + AT_ONCE]
                rows = connection.execute(
                    FIND.format(", ".join("?" * len(some))),
                    (servers, confirm, now, now + LONGEST_KEPT, patience, *some),
                )
                for pointer, *row in rows:
                    expiry, _, body = unsummed(row, servers, pointer, confirm)
                    found[pointer] = read_answer(body), expiry - now
            return found

        return self.run(look, {})

    def keep(self, servers: str, confirm: bool, answers: Mapping[str, tuple[Answer, float]],
             patience: float) -> None:  # fmt: skip
        """Remember answers for their seconds, once they are written."""
        now = time.time()
        for pointer, (answer, seconds) in answers.items():
            if seconds > 0 and len(self.waiting) < MOST_WAITING:
                enough = patience if answer.status == "timeout" else FOR_EVER
                row = (now + min(seconds, LONGEST_KEPT), enough, json.dumps(answer))
                self.waiting[servers, pointer, confirm] = row

    def write(self) -> None:
        """Write what is waiting in one transaction, in place of half of what goes first."""
        if not self.waiting or time.monotonic() < self.next_attempt:
            return
        rows = [summed(*key, *row) for key, row in self.waiting.items()]

        def insert(connection: sqlite3.Connection) -> bool:
            connection.executemany(
                "REPLACE INTO name (servers, pointer, confirm, expiry, patience, body, sum)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            return True

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM name WHERE expiry <= (SELECT expiry FROM name"
                " ORDER BY expiry LIMIT 1 OFFSET (SELECT count(*) / 2 FROM name))"
            )

        done = self.run(insert, False)
        if not done and "full" in self.reason:
            self.run(forget, None)
            done = self.run(insert, False)
        if done:
            self.waiting.clear()
        else:
            self.next_attempt = time.monotonic() + PAUSE


def read_answer(text: str) -> Answer:
    """An answer as it was kept; ValueError or TypeError when that is something else."""
    name, names, status = json.loads(text)
    texts = names if name is None else [name, *names]
    if status not in STATUSES or not all(isinstance(text, str) for text in texts):
        raise ValueError("not an answer")
    return Answer(name, tuple(names), status)


CACHES: Recent[Path, NameCache] = Recent(MOST_OPEN, SqliteFile.close)


def name_cache(settings: Settings) -> Optional[NameCache]:
    """The cache below the folder of all caches, None where there is none."""
    root = cache_root(settings)
    if root is None:
        return None
    try:
        import sqlite3  # noqa: F401 - some builds of Python lack it
    except ImportError:
        return None
    return CACHES.made(root, lambda: NameCache(root / FOLDER / FILE))
