"""PostgreSQL servers: those of this machine, and a private one built on demand."""

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
    """Programs of one PostgreSQL that can have our tables.

    ``kind`` is "private", "multicorn2", "multicorn", or "worker" for our own host; ``env`` is what
    its programs need in their environment; ``library`` and ``share`` are where its libraries and
    its share files are; ``python_version`` ("3.9") is the Python that its multicorn.so is linked
    to, or that of the worker, and ``interpreter`` a program of that version, where there is one.
    ``multicorn_version`` is empty for a worker.
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
        """What chooses it among those of this machine: ``private``, ``pg16``, ``pg16-worker``."""
        if self.kind == "private":
            return self.kind
        return f"pg{self.postgres_version.split('.')[0]}" + "-worker" * (self.kind == "worker")

    @property
    def title(self) -> str:
        """What it is, for people."""
        if self.kind == "worker":
            return f"PostgreSQL {self.postgres_version} with Python {self.python_version} beside it"
        return f"PostgreSQL {self.postgres_version} with Multicorn {self.multicorn_version}"


def find_servers() -> list[Server]:
    """Every PostgreSQL of this machine that has Multicorn, the newest first."""
    found = server_folders()
    servers = [server for folder in found if (server := describe("multicorn", folder, {}))]
    return sorted(servers, key=by_version, reverse=True)


def server_folders() -> list[Path]:
    """Where programs of PostgreSQL may be on this machine, each once."""
    on_path = shutil.which("pg_config")
    folders = [output([on_path, "--bindir"]).strip()] if on_path else []
    folders += [str(path) for place in PLACES for path in Path("/").glob(place[1:])]
    return list({Path(folder).resolve(): None for folder in folders if folder})


def by_version(server: Server) -> list[int]:
    """What servers are sorted by."""
    return [int(number) for number in re.findall(r"\d+", server.postgres_version)]


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
    postgres = postgres_version(bindir, env)
    library, control = next(extension_files(bindir, env, "multicorn"), (None, None))
    if library is None or control is None:
        return None
    multicorn = re.search(r"^default_version\s*=\s*'([\d.]+)", control.read_text(), re.MULTILINE)
    linked = re.search(r"libpython(3\.\d+)\S*\.so\S* =>", output(["ldd", str(library)], env))
    if not (multicorn and linked and postgres):
        return None
    if kind == "multicorn" and int(multicorn[1].split(".")[0]) >= 2:
        kind = "multicorn2"
    interpreter = _interpreter(linked[1], bindir, env)
    share = Path(os.path.normpath(control.parent.parent))
    return Server(
        kind, bindir, library.parent, share, env, postgres, multicorn[1], linked[1], interpreter
    )


def postgres_version(bindir: Path, env: Mapping[str, str]) -> Optional[str]:
    """The version ("15.18") of the server in ``bindir``, None when there is none."""
    if not (bindir / "postgres").exists() or not (bindir / "initdb").exists():
        return None
    found = re.search(r"\d+[.\d]*\w*", output([str(bindir / "postgres"), "--version"], env))
    return found[0] if found else None


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


@contextmanager
def building(target: Path) -> Iterator[Path]:
    """A folder that becomes ``target`` when the block ends well, and nothing when it does not.

    Unless the block has made ``target`` of a part of it.
    """
    old_mask = os.umask(0o022)
    work = Path(tempfile.mkdtemp(prefix=".building-", dir=target.parent))
    try:
        work.chmod(0o755)  # apt's own user and PostgreSQL's enter it
        yield work
        if not target.exists():
            work.rename(target)
    finally:
        os.umask(old_mask)
        shutil.rmtree(work, ignore_errors=True)


def _build(root: Path, progress: Progress) -> None:
    with building(root) as work:
        private.build(work, progress).rename(root)


def extension_files(bindir: Path, env: Mapping[str, str], name: str) -> Iterator[tuple[Path, Path]]:
    """The pairs of library and control file of an extension of the server in ``bindir``."""
    version = bindir.parent
    shares = [version / "share", version / "../../../share/postgresql" / version.name]  # Debian
    places = [(version / "lib", share) for share in shares]
    if not env:  # Debian's pg_config names fixed paths, wrong for the private server
        named = output([str(bindir / "pg_config"), "--pkglibdir", "--sharedir"]).splitlines()
        places += zip(map(Path, named[:1]), map(Path, named[1:]))
    for library, share in places:
        files = library / f"{name}.so", share / f"extension/{name}.control"
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
        if place.exists() and output([str(place), *ask], env).strip() == version:
            return place
    return None


def output(command: list[str], env: Optional[Mapping[str, str]] = None) -> str:
    """Standard output, or nothing when the program fails: the caller tries another."""
    environment = {**os.environ, "LC_ALL": "C", **(env or {})}
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=30
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
