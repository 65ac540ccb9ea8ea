"""PostgreSQL servers that need no Multicorn, and the Python that runs beside them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox import runtime
from cloudtrail_fdw.sandbox.runtime import Progress, Server

OLDEST = 14  # PostgreSQL's major version that the worker's handler is made for
PYTHON_OLDEST = (3, 9)
PREBUILT = Path(__file__).parents[1] / "libraries"  # of a wheel, see cli/install/library.py
# What our packages bring, or nobody runs: the worker's packages are in its site.
LEFT_OUT = ("site-packages", "test", "tests", "idlelib", "turtledemo", "config-*", "*.a")


def find_servers() -> list[Server]:
    """Every PostgreSQL of this machine that can have our own host, the newest first."""
    servers = [server for folder in runtime.server_folders() if (server := describe(folder))]
    return sorted(servers, key=runtime.by_version, reverse=True)


def describe(bindir: Path) -> Optional[Server]:
    """The server in ``bindir``, None where there is none or it is too old."""
    found = runtime.postgres_version(bindir, {})
    if found is None or int(found.split(".")[0]) < OLDEST:
        return None
    library, control = next(runtime.extension_files(bindir, {}, "plpgsql"), (None, None))
    if library is None or control is None:
        return None
    share = Path(os.path.normpath(control.parent.parent))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Server("worker", bindir, library.parent, share, {}, found, "", version, None)


def interpreter(cache: Path, progress: Progress) -> Path:
    """This program's own Python where PostgreSQL's user can run it, else a copy in ``cache``.

    Root's home, say, is closed to that user. A copy is made once for each Python.
    """
    program = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    if os.geteuid() != 0 or runtime.readable_by_all(program):
        return program
    prefix = Path(sys.base_prefix).resolve()
    about = f"{sys.version} {program} {program.stat().st_mtime_ns}"
    target = cache / f"python-{hashlib.sha256(about.encode()).hexdigest()[:16]}"
    copied = target / program.relative_to(prefix)
    if not target.is_dir():
        runtime.make_readable(cache)
        with runtime.locked(cache / ".lock", progress):
            if not target.is_dir():
                progress("copying Python to where PostgreSQL's user can read it")
                copy_python(prefix, program, target)
    return copied


def copy_python(prefix: Path, program: Path, target: Path) -> None:
    """Copy what a Python needs to run, whole or not at all; FdwError where it is not all there."""
    folder = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = prefix / "lib" / folder
    if prefix not in program.parents or not (library / "os.py").exists():
        raise FdwError(
            f"PostgreSQL's user cannot run {program}, which cannot be copied either",
            hint="Run this with a Python that all users may run, such as /usr/bin/python3.",
        )
    with runtime.building(target) as work:
        copied = work / program.relative_to(prefix)
        copied.parent.mkdir(parents=True)
        copied.write_bytes(relocated(program.read_bytes(), prefix))
        copied.chmod(0o755)
        shutil.copytree(library, work / "lib" / folder, symlinks=True,
                        ignore=shutil.ignore_patterns(*LEFT_OUT))  # fmt: skip
        for shared in (prefix / "lib").glob("libpython3*.so*"):
            shutil.copy2(shared, work / "lib" / shared.name, follow_symlinks=False)
        subprocess.run(["chmod", "-R", "go+rX,go-w", str(work)], check=True)


def relocated(program: bytes, prefix: Path) -> bytes:
    """A program that looks for its shared libraries beside itself, wherever it did in ``prefix``.

    The path in its dynamic section is replaced by a shorter one, as chrpath does it.
    """
    before, after = f"{prefix}/lib".encode(), b"$ORIGIN/../lib"
    if len(before) < len(after):
        return program
    return program.replace(b"\0" + before + b"\0", b"\0" + after.ljust(len(before), b"\0") + b"\0")


def environment(python: Path, site: Path, cache: Path) -> Path:
    """The interpreter of a virtual environment whose only packages are those of ``site``."""
    made_of = hashlib.sha256(f"{python} {site}".encode()).hexdigest()[:16]
    target = cache / f"environment-{made_of}"
    if not target.is_dir():
        with runtime.locked(cache / ".lock", lambda line: None):
            if not target.is_dir():
                make_environment(python, site, target)
    return target / "bin" / "python"


def make_environment(python: Path, site: Path, target: Path) -> None:
    """Make the virtual environment, whole or not at all."""
    with runtime.building(target) as work:
        done = subprocess.run(
            [str(python), "-I", "-m", "venv", "--without-pip", "--symlinks", str(work)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise FdwError(
                f"{python} makes no virtual environment", detail=done.stderr.strip()[-500:]
            )
        (packages,) = work.glob("lib/python3*/site-packages")
        (packages / "cloudtrail_fdw.pth").write_text(f"{site}\n")


def has_library(server: Server) -> bool:
    """Whether this package brings our library for the server, or its headers are here."""
    if (PREBUILT / f"pg{server.postgres_version.split('.')[0]}.so").exists():
        return True
    named = runtime.output([str(server.bindir / "pg_config"), "--includedir-server"]).strip()
    return bool(named) and Path(named, "postgres.h").exists()
