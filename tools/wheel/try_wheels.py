"""``make wheel-test``: the wheels built once more, installed, and loaded by real servers.

python tools/wheel/try_wheels.py DIST: for every Python from 3.9 on that is found, a fresh
environment, whose PATH has no compiler; in each of them, every PostgreSQL from 14 on that is found
loads the library of the wheel. Names what could not be run here.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from build_wheels import build
from cloudtrail_fdw.sandbox import cluster, runtime
from wheel_archive import TOP
from wheel_pins import HEADERS

PYTHONS = ("~/.pyenv/versions/*/bin/python3", "/opt/python/*/bin/python3", "/usr/bin/python3.?*",
           "/usr/local/bin/python3.?*", "~/.local/share/uv/python/*/bin/python3")  # fmt: skip
ASK = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


def said(command: list[str]) -> str:
    """What a program prints, "" where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def found(pattern: str) -> list[Path]:
    """The files of a pattern that may begin with the user's home."""
    return sorted(Path("/").glob(str(Path(pattern).expanduser())[1:]))


def pythons() -> dict[str, Path]:
    """A Python of each minor version, by version; one that all may run where there is one."""
    places = [path for pattern in PYTHONS for path in found(pattern)]
    candidates = [Path(sys.executable).resolve(), *places]
    candidates.sort(key=lambda path: runtime.readable_by_all(path.resolve()))
    versions = {said([str(path), "-I", "-c", ASK]): path for path in candidates}
    known = {v: path for v, path in versions.items() if v.startswith("3.") and int(v[2:]) >= 9}
    return dict(sorted(known.items(), key=lambda item: int(item[0][2:])))


def servers() -> dict[int, runtime.Server]:
    """A PostgreSQL of each major version that the wheel has a library for."""
    known = {}
    for bindir in (path for place in runtime.PLACES for path in found(place)):
        version = said([str(bindir / "postgres"), "--version"]).partition(") ")[2].split(" ")[0]
        named = said([str(bindir / "pg_config"), "--pkglibdir", "--sharedir"]).splitlines()
        major = int(version.split(".")[0]) if version[:2].isdigit() else 0
        if major in HEADERS and len(named) == 2 and (bindir / "initdb").exists():
            library, share = map(Path, named)
            known[major] = runtime.Server(
                "plain", bindir, library, share, {}, version, "", "", None
            )
    return dict(sorted(known.items()))


@contextmanager
def running(server: runtime.Server, folder: Path) -> Iterator[cluster.Cluster]:
    """A cluster of the server with files of its own, which PostgreSQL's user may write."""
    try:
        started = cluster.start(folder, server, folder, {})
        with psycopg.connect(started.dsn()) as connection:
            query = b"SELECT setting FROM pg_config WHERE name IN ('PKGLIBDIR', 'SHAREDIR')"
            for (name,) in connection.execute(query).fetchall():
                for path in (Path(name), Path(name) / "extension"):
                    if path.is_dir():
                        cluster.own(path)
        yield started
    finally:
        cluster.stop(folder)


def environment(python: Path, wheel: Path, folder: Path) -> Path:
    """The Python of a fresh environment with the wheel and what it needs."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    inside = folder / "bin/python"
    subprocess.run(
        [inside, "-m", "pip", "--disable-pip-version-check", "--quiet", "install",
         "--only-binary=:all:", wheel], check=True, env=bare(folder),
    )  # fmt: skip
    return inside


def bare(folder: Path) -> dict[str, str]:
    """Our environment with the programs of ``folder`` alone: no compiler."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "PATH": str(folder / "bin")}


def runs_as_root(python: Path) -> bool:
    """Whether only root can run it, and we are root."""
    return os.geteuid() == 0 and not runtime.readable_by_all(python.resolve())


def load(python: Path, dsn: str, folder: Path) -> None:
    """Have the server load the library of the Python's environment; not as root, where that can be.

    ``folder`` is PostgreSQL's user's own.
    """
    user: dict[str, Any] = {}
    if os.geteuid() == 0 and not runs_as_root(python):
        user = {"user": folder.stat().st_uid, "group": folder.stat().st_gid, "extra_groups": []}
    script = folder.parent / "load_library.py"
    shutil.copy(Path(__file__).with_name(script.name), script)
    command = [str(python), "-I", str(script), dsn]
    subprocess.run(command, check=True, env=bare(python.parents[1]), cwd="/", **user)


def try_all(wheel: Path, work: Path) -> Iterator[tuple[str, str]]:
    """A row of the table for each server: its version, and which Pythons had it load the wheel."""
    inside = {
        version: environment(python, wheel, work / f"python{version}")
        for version, python in pythons().items()
    }
    for major, server in servers().items():
        with running(server, work / f"pg{major}") as started:
            for number, python in enumerate(inside.values()):
                with psycopg.connect(started.dsn(), autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE tried{number}".encode())
                load(python, started.dsn(f"tried{number}"), work / f"pg{major}/data")
        names = [name + " as root" * runs_as_root(python) for name, python in inside.items()]
        yield f"PostgreSQL {server.postgres_version}", f"loaded by Python {', '.join(names)}"


def same_again(wheels: list[Path], work: Path) -> None:
    """Build all wheels anew with an empty cache; SystemExit names one that differs."""
    fetched = TOP / "build/wheel"
    for path in fetched.iterdir():
        if path.name == "headers" or path.name.startswith("ziglang"):
            (work / path.name).symlink_to(path)
    for old, new in zip(wheels, build(work / "dist", work)):
        if old.read_bytes() != new.read_bytes():
            raise SystemExit(f"{old.name} is another when it is built again")


def main(dist: Path) -> None:
    """Try them, and print the table."""
    wheels = build(dist, TOP / "build/wheel")
    kind = "linux" if sys.platform == "linux" else "macosx"
    mine = [w for w in wheels if kind in w.stem and w.stem.endswith(platform.machine())]
    if not mine:
        raise SystemExit("no wheel is for this machine's platform")
    with tempfile.TemporaryDirectory(prefix="cloudtrail-fdw-wheels-") as folder:
        work = Path(folder)
        work.chmod(0o755)
        (work / "again").mkdir()
        same_again(wheels, work / "again")
        rows = list(try_all(mine[0], work))
    print("\n| wheel | bytes | |\n| --- | --- | --- |")
    for wheel in wheels:
        how = "the same bytes twice" + ("" if wheel in mine else "; not run: another platform")
        print(f"| {wheel.name} | {wheel.stat().st_size:,} | {how} |")
    print("\n| server | |\n| --- | --- |")
    for server, how in rows:
        print(f"| {server} | {how} |")
    for major in sorted(set(HEADERS) - set(servers())):
        print(f"| PostgreSQL {major} | not run: not on this machine |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
