"""Putting a new data file in place of an old one, after a look at what is in it."""

from __future__ import annotations

import filecmp
import gzip
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.address import aws_ranges, geolocation
from cloudtrail_fdw.sources.disk.data_files import ASN, GEOLOCATION, IP_RANGES

NAMES = (GEOLOCATION, ASN, IP_RANGES)
CHUNK = 1 << 20
PROBES = 4096  # addresses spread over all of IPv4
ATTRIBUTION = """\
The data files of this folder and where they come from.

{files}
Files whose type begins with DBIP: IP Geolocation by DB-IP, https://db-ip.com, licensed under the
Creative Commons Attribution 4.0 International License,
https://creativecommons.org/licenses/by/4.0/. A web application that shows results of them must
link to https://db-ip.com. Other geolocation files stand under the licence you got them with.
ip-ranges.json is AWS's, https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html.
"""


class Content(NamedTuple):
    """What a file turned out to be.

    ``name`` is the name it has in a data directory, ``label`` its type and date, ``size`` the
    nodes of its tree or the number of its prefixes.
    """

    name: str
    label: str
    size: int


class Outcome(NamedTuple):
    """What became of one data file: ``updated``, ``current`` or ``kept`` (as it was)."""

    name: str
    state: str
    text: str


def identify(path: Path) -> Content:
    """What a file is, by its content alone; FdwError with the reason when it is no good."""
    with path.open("rb") as file:
        beginning = file.read(64).lstrip()
    try:
        return identify_ranges(path) if beginning.startswith(b"{") else identify_mmdb(path)
    except ValueError as error:
        raise refused(path, str(error)) from None


def identify_ranges(path: Path) -> Content:
    """AWS's ip-ranges.json, whole; ValueError says what it is instead."""
    try:
        ranges = aws_ranges.load(path)
    except FdwError as error:
        raise ValueError(error.detail) from None
    if ranges.sample:
        raise ValueError("it is the bundled sample, not AWS's file")
    content = json.loads(path.read_bytes())
    size = len(content["prefixes"]) + len(content["ipv6_prefixes"])
    return Content(IP_RANGES, f"ip-ranges.json {ranges.date[:10]}", size)


def identify_mmdb(path: Path) -> Content:
    """A database of places or of autonomous systems, by its records; ValueError if neither."""
    try:
        database = geolocation.open_database(path)
    except FdwError as error:
        raise ValueError(error.detail) from None
    size = database.reader.metadata().node_count
    try:
        records = [record for _, record in islice(database.reader, 1000)]
        for number in range(0, 1 << 32, (1 << 32) // PROBES):
            database.reader.get(".".join(map(str, number.to_bytes(4, "big"))))
    except Exception as error:  # noqa: BLE001 - a damaged file fails in any way it likes
        raise ValueError(f"it is damaged: {error}") from None
    finally:
        database.reader.close()
    maps = [record for record in records if isinstance(record, dict)]
    if any(geolocation.read_place(record).country_code for record in maps):
        return Content(GEOLOCATION, database.label, size)
    if any(geolocation.read_system(record)[0] for record in maps):
        return Content(ASN, database.label, size)
    raise ValueError(f"{database.label} holds neither countries nor autonomous systems")


def refused(path: Path, reason: str) -> FdwError:
    """The error for a new file that is not taken."""
    return FdwError(
        f"refused {path.name}: {reason}",
        hint="Fetch it again. What is in place was not touched.",
    )


def describe(directory: Path, name: str) -> Optional[Content]:
    """What is in place under ``name``; None when nothing is, or nothing that can be read."""
    try:
        return identify(directory / name)
    except (OSError, FdwError):
        return None


@contextmanager
def work_folder(directory: Path) -> Iterator[Path]:
    """A folder for unfinished files beside those they replace, so that renaming is atomic."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".update-", dir=directory))
    except OSError as error:
        raise FdwError(
            f"cannot write to {directory}: {error.strerror}",
            hint="Run this as a user who may, or give --directory and tell the server of it "
            "(CLOUDTRAIL_FDW_DATA in its environment, or the options geo_database, asn_database "
            "and ip_ranges).",
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def install(source: Path, directory: Path, expected: Optional[str] = None) -> Outcome:
    """Take ``source`` (plain or .gz) into ``directory``; FdwError says why it is refused.

    ``expected`` is the name that it must turn out to have. The copy that was in place is kept
    as ``<name>.previous``; the new one appears under its name all at once.
    """
    with work_folder(directory) as work:
        fresh = work / source.name
        unpack(source, fresh)
        content = identify(fresh)
        if expected is not None and content.name != expected:
            raise refused(source, f"it is {content.label}, wanted was {expected}")
        held = describe(directory, content.name)
        if held is not None and content.size * 2 < held.size:
            raise refused(
                source,
                f"{content.label} has shrunk to {content.size:,} entries from {held.size:,} of "
                f"{held.label} (if that is right, remove {directory / content.name})",
            )
        target = directory / content.name
        if held is not None and filecmp.cmp(fresh, target, shallow=False):
            return Outcome(content.name, "current", f"{content.label} was there already")
        fresh.chmod(0o644)  # for the server's user
        if target.exists():
            os.link(target, work / "previous")
            (work / "previous").replace(directory / f"{content.name}.previous")
        fresh.replace(target)
    attribute(directory)
    return Outcome(content.name, "updated", f"{content.label}, {target.stat().st_size:,} bytes")


def unpack(source: Path, target: Path) -> None:
    """Copy a file, unpacked when it is compressed by gzip, with its time."""
    try:
        with source.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(source) if packed else source.open("rb") as file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy, CHUNK)
            copy.flush()
            os.fsync(copy.fileno())
        os.utime(target, (source.stat().st_atime, source.stat().st_mtime))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise refused(source, f"it is cut short or damaged: {error}") from None
    except OSError as error:
        raise refused(source, error.strerror or str(error)) from None


def attribute(directory: Path) -> None:
    """Write down what the files are and what their licences ask."""
    held = [describe(directory, name) for name in NAMES]
    files = "".join(f"{found.name}: {found.label}\n" for found in held if found is not None)
    (directory / "ATTRIBUTION.txt").write_text(ATTRIBUTION.format(files=files), encoding="utf-8")
    (directory / "ATTRIBUTION.txt").chmod(0o644)
