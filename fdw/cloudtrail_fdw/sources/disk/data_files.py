"""Where the data files are, and noticing that one was replaced.

A file is the one an option names, else one of ``$CLOUDTRAIL_FDW_DATA``, else one of
``/var/lib/cloudtrail-fdw``, else the bundled sample. Files are replaced by renaming, never
written in place: a mapped file that shrinks would end the server (SIGBUS).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, Union

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.recent import Recent

T = TypeVar("T")
SAMPLES = Path(__file__).parents[2] / "data"
GEOLOCATION = "geolocation.mmdb"
ASN = "asn.mmdb"
IP_RANGES = "ip-ranges.json"
UPDATE_HINT = "Run cloudtrail-fdw data update, which replaces it and checks what it got."
MOST_FILES = 4  # versions of one that are open: servers of one database may name their own
Stamp = tuple[int, int, int, int]


def data_directory() -> str:
    """The folder that is searched, and that ``cloudtrail-fdw data update`` fills."""
    return os.environ.get("CLOUDTRAIL_FDW_DATA") or "/var/lib/cloudtrail-fdw"


def damaged(path: Union[str, Path], reason: object) -> FdwError:
    """The error for a data file that is there and cannot be read."""
    return FdwError(
        f"cannot read {Path(path).name}",
        detail=f"{path}: {reason}",
        hint=UPDATE_HINT,
        sqlstate="HV000",
    )


@dataclass
class Held(Generic[T]):
    """One loaded file: where it was, what it was, when that was last looked at."""

    path: str
    stamp: Stamp
    checked: float
    value: T


class Guard:
    """Keeps the length of a mapped file, for ``both_hold``."""

    def __init__(self, path: Path) -> None:
        """Keep the file open; OSError when that fails."""
        self.file = os.open(path, os.O_RDONLY)
        self.length = os.lseek(self.file, 0, os.SEEK_END)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        """Close the file, unless it could not be opened."""
        if hasattr(self, "file"):
            close(self.file)


def both_hold(one: Guard, other: Guard) -> bool:
    """Whether two files have kept their length: to read what was cut off ends the server.

    A fifth of what a look at the paths costs. It is asked for every address, hence for two at once.
    """
    return (
        os.lseek(one.file, 0, os.SEEK_END) == one.length
        and os.lseek(other.file, 0, os.SEEK_END) == other.length
    )


class Watched(Generic[T]):
    """The content of a data file for each setting of its option, read again when replaced.

    ``load(path)`` reads it and raises FdwError; a failure is never remembered.
    """

    def __init__(self, option: str, name: str, load: Callable[[Path], T]) -> None:
        self.option = option
        self.name = name
        self.load = load
        self.held: Recent[str, Held[T]] = Recent(MOST_FILES)

    def current(self, setting: str, patience: float = 0.0) -> T:
        """The content; the file is looked at unless that was done ``patience`` seconds ago."""
        held = self.held.get(setting)
        now = time.monotonic()
        if held is not None and now - held.checked < patience:
            return held.value
        path, stamp = self.find(setting)
        if held is not None and (held.path, held.stamp) == (path, stamp):
            held.checked = now
            return held.value
        self.held.drop(setting)
        return self.held.put(setting, Held(path, stamp, now, self.load(Path(path)))).value

    def find(self, setting: str) -> tuple[str, Stamp]:
        """The file that ``setting`` leads to; FdwError when it names one that is not there."""
        if setting:
            try:
                return setting, stamp(setting)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "no such file"
                raise FdwError(
                    f'option "{self.option}" names a file that cannot be opened: {reason}',
                    detail=setting,
                    hint="Correct the option, or drop it so that the data directory is searched.",
                ) from None
        path = f"{data_directory()}/{self.name}"
        try:
            return path, stamp(path)
        except FileNotFoundError:
            sample = str(sample_path(self.name))
            return sample, stamp(sample)
        except OSError as error:
            raise damaged(path, error.strerror) from None


def sample_path(name: str) -> Path:
    """The bundled sample of a data file."""
    return SAMPLES / name.replace(".", "-sample.")


def stamp(path: str) -> Stamp:
    """What tells one version of a file from the next: device, inode, size, mtime."""
    status = os.stat(path)  # noqa: PTH116 - thrice as fast as by way of a Path
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
