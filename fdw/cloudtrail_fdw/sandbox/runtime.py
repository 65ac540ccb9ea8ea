"""PostgreSQL servers with Multicorn: those of this machine, and a private one built on demand."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox import private

Progress = Callable[[str], None]
PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian
    "/usr/pgsql-*/bin",  # PostgreSQL's yum repository
    "/usr/local/pgsql/bin",  # built by hand
    "/usr/local/bin",
    "/usr/bin",
)
CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Server:
    """Programs of one PostgreSQL whose Multicorn can be used.

    ``kind`` is "private", "multicorn2" or "multicorn"; ``env`` is what its programs need in their
    environment; ``library`` and ``share`` are where its libraries and its share files are;
    ``python_version`` ("3.9") is the Python that its multicorn.so is linked to, and
    ``interpreter`` a program of that version, where there is one.
    """

    kind: str
    bindir: Path
    library: Path
    share: Path
    env: Mapping[str, str]
    postgres_version: str
    multicorn_version: str
    python_version: str
    interpreter: Optional[Path]

    @property
    def name(self) -> str:
        """What chooses it among those of this machine: ``private``, or ``pg16``."""
        return self.kind if self.kind == "private" else f"pg{self.postgres_version.split('.')[0]}"


def find_servers() -> list[Server]:
    """Every PostgreSQL of this machine that has Multicorn, the newest first."""
    on_path = shutil.which("pg_config")
    folders = [_output([on_path, "--bindir"]).strip()] if on_path else []
    folders += [str(path) for place in PLACES for path in Path("/").glob(place[1:])]
    found = {Path(folder).resolve(): None for folder in folders if folder}
    servers = [server for folder in found if (server := describe("multicorn", folder, {}))]
    return sorted(servers, key=lambda s: [int(n) for n in re.findall(r"\d+", s.postgres_version)],
                  reverse=True)  # fmt: skip


def private_server(cache: Path, progress: Progress) -> Server:
    """PostgreSQL 13 with Multicorn 1.4 in a folder of ``cache``; built when it is not there yet.

    ``cache`` must be readable by the user who runs PostgreSQL. FdwError, with the other ways,
    when the packages cannot be had.
    """
    root = cache / private.NAME
    if not root.is_dir():
        make_readable(cache)
        with locked(cache / ".lock", progress):
            if not root.is_dir():
                _build(root, progress)
    server = describe("private", private.bindir(root), private.environment(root))
    if server is None:
        raise FdwError(f"the private PostgreSQL in {root} is damaged", hint=f"Remove {root}.")
    return server


def describe(kind: str, bindir: Path, env: Mapping[str, str]) -> Optional[Server]:
    """The server in ``bindir``, or None when there is none or it has no usable Multicorn."""
    if not (bindir / "postgres").exists() or not (bindir / "initdb").exists():
        return None
    library, control = next(_multicorn_files(bindir, env), (None, None))
    if library is None or control is None:
        return None
    multicorn = re.search(r"^default_version\s*=\s*'([\d.]+)", control.read_text(), re.MULTILINE)
    linked = re.search(r"libpython(3\.\d+)\S*\.so\S* =>", _output(["ldd", str(library)], env))
    postgres = re.search(r"\d+[.\d]*\w*", _output([str(bindir / "postgres"), "--version"], env))
    if not (multicorn and linked and postgres):
        return None
    if kind == "multicorn" and int(multicorn[1].split(".")[0]) >= 2:
        kind = "multicorn2"
    interpreter = _interpreter(linked[1], bindir, env)
    share = Path(os.path.normpath(control.parent.parent))
    return Server(
        kind, bindir, library.parent, share, env, postgres[0], multicorn[1], linked[1], interpreter
    )


def default_cache() -> Path:
    """Where built things live: the checkout's .runtime, or a cache folder of the user.

    Root gets a folder that PostgreSQL's user can read, as PostgreSQL refuses to run as root.
    """
    in_checkout = (CHECKOUT / "Makefile").exists() and os.access(CHECKOUT, os.W_OK)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = CHECKOUT / ".runtime" if in_checkout else home / "cloudtrail-fdw"
    usable = ":" not in str(cache)  # it separates the folders of PYTHONPATH
    if usable and (os.geteuid() != 0 or readable_by_all(cache.parent)):
        return cache
    return _safe_folder(Path(f"/var/tmp/cloudtrail-fdw-{os.geteuid()}"))  # noqa: S108 checked there


def readable_by_all(folder: Path) -> bool:
    """Whether every user may enter ``folder`` (the part of its path that exists)."""
    path = folder.resolve()
    existing = [step for step in (path, *path.parents) if step.exists()]
    return all(step.stat().st_mode & stat.S_IXOTH for step in existing)


def make_readable(folder: Path) -> None:
    """Make ``folder`` and its parents, where they are not there, for every user to read."""
    old_mask = os.umask(0o022)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(old_mask)


@contextmanager
def locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock file ``path``, waiting while another process builds."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another process that builds the same")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _safe_folder(folder: Path) -> Path:
    """``folder`` in a directory that others write to, refused unless it is ours alone."""
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not ours or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise FdwError(f"{folder} is not a folder of ours alone", hint="Remove it.")
    folder.chmod(0o755)
    return folder


def _build(root: Path, progress: Progress) -> None:
    """Build beside ``root`` and rename, so that a build that was cut short leaves nothing."""
    old_mask = os.umask(0o022)
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=root.parent))
    try:
        work.chmod(0o755)  # apt's own user and PostgreSQL's enter it
        private.build(work, progress).rename(root)
    finally:
        os.umask(old_mask)
        shutil.rmtree(work, ignore_errors=True)


def _multicorn_files(bindir: Path, env: Mapping[str, str]) -> Iterator[tuple[Path, Path]]:
    """The pairs of multicorn.so and multicorn.control that belong to the server in ``bindir``."""
    version = bindir.parent
    shares = [version / "share", version / "../../../share/postgresql" / version.name]  # Debian
    places = [(version / "lib", share) for share in shares]
    if not env:  # Debian's pg_config names fixed paths, wrong for the private server
        named = _output([str(bindir / "pg_config"), "--pkglibdir", "--sharedir"]).splitlines()
        places += zip(map(Path, named[:1]), map(Path, named[1:]))
    for library, share in places:
        files = library / "multicorn.so", share / "extension/multicorn.control"
        if all(file.exists() for file in files):
            yield files


def _interpreter(version: str, bindir: Path, env: Mapping[str, str]) -> Optional[Path]:
    name = f"python{version}"
    places = [bindir.parents[3] / "bin" / name] if env else []
    places += [Path("/usr/bin", name), Path("/usr/local/bin", name)]
    on_path = shutil.which(name)
    places += [Path(on_path)] if on_path else []
    ask = ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    for place in places:
        if place.exists() and _output([str(place), *ask], env).strip() == version:
            return place
    return None


def _output(command: list[str], env: Optional[Mapping[str, str]] = None) -> str:
    """Standard output, or nothing when the program fails: the caller tries another."""
    environment = {**os.environ, "LC_ALL": "C", **(env or {})}
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
