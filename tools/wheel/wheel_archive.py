"""A wheel for one platform: the plain one with compiled libraries, the same bytes each time."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

from cloudtrail_fdw.cli.install.library import DIGESTS
from cloudtrail_fdw.sandbox.site import SOURCES

TOP = Path(__file__).parents[2]
BUILD = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
OLDEST = 315532800  # 1980, before which an archive can have no time


def plain_wheel(work: Path) -> Path:
    """The wheel without libraries, built in the empty folder ``work`` of a copy of the sources."""
    source = work / "source"
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", "libraries")
    for name in (*SOURCES, "fdw/handler"):
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, source / name, symlinks=True, ignore=ignore)
        else:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TOP / name, source / name)
    command = [sys.executable, "-c", BUILD, str(work)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"setuptools cannot build the wheel: {done.stdout}{done.stderr}")
    return next(work.glob("*.whl"))


def platform_wheel(
    plain: Path, libraries: Mapping[str, bytes], tag: str, epoch: int, folder: Path
) -> Path:
    """The plain wheel with ``libraries`` (content by file name) for the platform ``tag``.

    ``epoch`` is the time of all its members, in seconds. Order, modes and times do not depend on
    the machine; the compressed bytes do on its zlib.
    """
    with zipfile.ZipFile(plain) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    record = next(name for name in members if name.endswith(".dist-info/RECORD"))
    about = record.rpartition("/")[0]
    del members[record]
    members[f"{about}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: cloudtrail-fdw\nRoot-Is-Purelib: false\n"
        f"Tag: py3-none-{tag}\n"
    ).encode()
    named = sorted(libraries.items())
    sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in named]
    for name, content in {**libraries, DIGESTS: "".join(sums).encode()}.items():
        members[f"cloudtrail_fdw/libraries/{name}"] = content
    lines = [f"{name},{digest(members[name])},{len(members[name])}" for name in sorted(members)]
    members[record] = "".join(f"{line}\n" for line in [*lines, f"{record},,"]).encode()
    target = folder / f"{about.removesuffix('.dist-info')}-py3-none-{tag}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in [*sorted(set(members) - {record}), record]:
            member = zipfile.ZipInfo(name, time.gmtime(max(epoch, OLDEST))[:6])
            member.create_system = 3  # Unix, whose modes follow
            member.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, members[name])
    return target


def digest(content: bytes) -> str:
    """As RECORD has it."""
    plain = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={plain.rstrip(b'=').decode()}"
