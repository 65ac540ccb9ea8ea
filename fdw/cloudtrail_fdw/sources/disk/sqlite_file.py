"""A file of records on disk that all backends share.

One SQLite file, owner-only. SQLite's locks and write-ahead log keep it whole when backends are
killed; a file that is damaged all the same is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, TypeVar

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")
PAGE = 4096
MOST_OPEN = 4  # files of one kind: servers of one database may have caches of their own
PASSING = re.compile("locked|full|readonly|unable to open")  # no sign of damage


class SqliteFile:
    """The file as one process sees it."""

    def __init__(self, path: Path, tables: str, largest: int, patience: float) -> None:
        """Note the place, which is in a folder that is ours alone.

        ``tables`` is SQL that makes the tables where they are missing, ``largest`` a number of
        bytes, ``patience`` how many seconds other writers may take.
        """
        self.path, self.tables, self.largest, self.patience = path, tables, largest, patience
        self.connection: Optional[sqlite3.Connection] = None
        self.inode = 0
        self.reason = ""  # why the last transaction was not made

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
        connection = sqlite3.connect(str(self.path), self.patience)
        self.connection = connection
        # a commit need not wait for the disk: a power failure may cost the last answers
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA max_page_count = {self.largest // PAGE}")
        connection.executescript(self.tables)
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


def summed(*values: object) -> tuple[object, ...]:
    """A row with the checksum of its other columns as the last one; SQLite keeps none."""
    read_back = [float(v) if isinstance(v, (int, float)) else v for v in values]
    return (*values, zlib.crc32(repr(read_back).encode(errors="replace")))


def unsummed(row: Sequence[Any], *key: object) -> Sequence[Any]:
    """The other columns of a row that was found by ``key``; ValueError where it is damaged."""
    if summed(*key, *row[:-1])[-1] != row[-1]:
        raise ValueError("damaged")
    return row[:-1]


def prepare(path: Path) -> None:
    """Folder (0700) and file (0600), of our own; OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.close(file)
