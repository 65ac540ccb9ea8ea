"""The handler's library: which one a server gets, and what becomes of those of other versions.

tools/wheel builds wheels with a compiler for all platforms, which is large; here the library is the
one that the server's own compiler makes. ``make wheel-test`` tries the others.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw import render
from cloudtrail_fdw.cli.database import connect
from cloudtrail_fdw.cli.install import extension, library
from cloudtrail_fdw.errors import FdwError
from databases import installed, rows, run
from servers import Sandbox
from wheel_archive import plain_wheel, platform_wheel

TOP = Path(__file__).parents[3]
LOADER = TOP / "tools/wheel/load_library.py"
OURS = "SELECT setting FROM pg_config WHERE name = 'INCLUDEDIR-SERVER'"
FOLDER = "SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'"
USED = "SELECT DISTINCT probin FROM pg_proc WHERE proname ~ '^cloudtrail_fdw_.*handler$'"
ASK = "SELECT aws_range_class FROM cloudtrail.ip_enrichment WHERE ip = '54.240.200.68'"
LOAD = "SELECT count(*) > 0 FROM cloudtrail.aws_ip_range"
# of a table that LOAD does not open: a session keeps the callbacks of those that it has opened
EXPLAIN = (
    "EXPLAIN (VERBOSE) SELECT count(i.asn) FROM generate_series(1, 2) g,"
    " cloudtrail.ip_enrichment i WHERE i.ip = g::text"
)


def folder_of(sample: Sandbox) -> Path:
    """Where the sample's server has its libraries."""
    return Path(rows(sample.state["dsn"], FOLDER)[0][0])


def compiled(sample: Sandbox, folder: Path) -> tuple[str, bytes]:
    """The library for the sample's server: its name in a wheel, and what is in it."""
    with sample.connect() as db:
        ((bindir,),) = db.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
        ((headers,),) = db.execute(OURS)
        ((number,),) = db.execute("SHOW server_version_num")
    compiler = extension.find_compiler(Path(bindir))
    assert compiler is not None
    extension.compile_handler(compiler, Path(headers), folder / "library.so")
    # what follows is not loaded, and tells it from one that install compiles
    return f"pg{int(number) // 10000}.so", (folder / "library.so").read_bytes() + b"of a wheel"


def test_a_server_loads_the_library_of_an_installed_wheel(
    sample: Sandbox, new_database: Any, tmp_path: Path
) -> None:
    """In an environment of its own, with no compiler on the PATH."""
    name, content = compiled(sample, tmp_path)
    tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    (tmp_path / "plain").mkdir()
    plain = plain_wheel(tmp_path / "plain")
    wheel = platform_wheel(plain, {name: content}, tag, 0, tmp_path)
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin/python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    # what the product needs is that of the tests, which stands behind its own
    ours = sysconfig.get_path("purelib")
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "tests.pth").write_text(f"{ours}\n")
    env = {**os.environ, "PATH": str(environment / "bin")}
    dsn = new_database()
    subprocess.run([python, "-I", LOADER, dsn], check=True, env=env)


def bring(folder: Path, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package bring a library."""
    (folder / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (folder / library.DIGESTS).write_text(f"{digest}  {name}\n", "utf-8")
    monkeypatch.setattr(library, "PREBUILT", folder)


def test_a_library_that_does_not_load_is_compiled_instead(
    sample: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, content = compiled(sample, tmp_path)
    bring(tmp_path, name, b"no library", monkeypatch)
    with connect(sample.state["dsn"]) as connection:
        placed = folder_of(sample) / f"{library.library_name()}.so"
        before = set(placed.parent.iterdir())
        placed.unlink()
        extension.place_extension(connection)
        assert placed.stat().st_size > len(content) / 2
        assert set(placed.parent.iterdir()) == before
        placed.unlink()
        monkeypatch.setattr(extension, "find_compiler", lambda bindir: None)
        with pytest.raises(FdwError, match="no C compiler") as raised:
            extension.place_extension(connection)
        assert "of this package does not load" in (raised.value.detail or "")
        assert set(placed.parent.iterdir()) == before - {placed}
        monkeypatch.undo()
        extension.place_extension(connection)
    assert placed.exists()


def test_it_is_for_glibc_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(tmp_path, "pg15.so", b"fifteen", monkeypatch)
    program = tmp_path / "postgres"
    program.write_bytes(b"\x7fELF" + b"\0" * 600 + b"/lib/ld-musl-x86_64.so.1\0")
    assert library.prebuilt(15, program) is None
    program.write_bytes(Path(sys.executable).resolve().read_bytes()[:4096])
    assert library.prebuilt(15, program) == tmp_path / "pg15.so"
    assert library.prebuilt(16, program) is None


def test_a_damaged_library_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL would be ended by the kernel as it loads one that was cut off."""
    bring(tmp_path, "pg15.so", b"fifteen", monkeypatch)
    (tmp_path / "pg15.so").write_bytes(b"fif")
    with pytest.raises(FdwError, match=r"pg15\.so is damaged"):
        library.prebuilt(15, Path(sys.executable).resolve())


def test_it_goes_into_no_folder_that_strangers_may_write(
    sample: Sandbox, new_database: Any
) -> None:
    folder, placed = folder_of(sample), folder_of(sample) / f"{library.library_name()}.so"
    content = placed.read_bytes()
    dsn = new_database()
    placed.unlink()
    try:
        folder.chmod(0o777)
        result = run("install", dsn)
        assert result.exit_code == 1
        assert f"{folder} may be written by others than root" in result.output
        assert not placed.exists()
        assert rows(dsn, "SELECT count(*) FROM pg_extension") == [(1,)]
    finally:
        folder.chmod(0o755)
        placed.unlink(missing_ok=True)  # never changed in place: sessions run it
        placed.write_bytes(content)


@pytest.fixture
def other_source(tmp_path: Path) -> Path:
    """The handler's source as another day had it: EXPLAIN has another label."""
    for path in library.SOURCE.iterdir():
        if path.is_file():
            text = path.read_text("utf-8").replace('"Runtime Bounds"', '"Later Bounds"')
            (tmp_path / path.name).write_text(text, "utf-8")
    return tmp_path


def bound_by_itself(compiler: str, folder: Path) -> str:
    """A compiler whose libraries call their own functions, as on macOS, not those loaded first."""
    script = folder / "own-cc"
    script.write_text(f'#!/bin/sh\nexec "{compiler}" -Wl,-Bsymbolic "$@"\n')
    script.chmod(0o755)
    return str(script)


def explained(session: psycopg.Connection[Any]) -> str:
    return "\n".join(line for (line,) in session.execute(EXPLAIN.encode()))


def test_sessions_live_through_another_library_of_the_same_version(
    new_database: Any, other_source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = new_database(), new_database()
    installed(ours)
    installed(theirs)
    name = library.library_name()
    with psycopg.connect(ours, autocommit=True) as session:
        assert session.execute(LOAD.encode()).fetchall() == [(True,)]
        with monkeypatch.context() as patch:
            find = extension.find_compiler
            patch.setattr(library, "SOURCE", other_source)
            patch.setattr(extension, "SOURCE", other_source)
            patch.setattr(
                extension, "find_compiler",
                lambda bindir: bound_by_itself(str(find(bindir)), other_source),
            )  # fmt: skip
            other = library.library_name()
            installed(ours)
        assert other != name
        assert rows(ours, USED) == [(f"$libdir/{other}",)]
        assert rows(theirs, USED) == [(f"$libdir/{name}",)]
        assert rows(theirs, ASK) == [("infrastructure",)]
        assert "Runtime Bounds" in explained(session)  # what it has loaded goes on serving
        with psycopg.connect(ours, autocommit=True) as later:
            assert "Later Bounds" in explained(later)
            assert later.execute(ASK.encode()).fetchall() == [("infrastructure",)]
            folder = Path(rows(ours, FOLDER)[0][0])
            installed(theirs)  # back: the other one is in use here
            assert (folder / f"{other}.so").exists()
            installed(ours)
            assert rows(ours, USED) == [(f"$libdir/{name}",)]
            installed(ours)  # and now nowhere
            assert not (folder / f"{other}.so").exists()
            assert (folder / f"{name}.so").exists()
            assert later.execute(ASK.encode()).fetchall() == [("infrastructure",)]
        assert session.execute(ASK.encode()).fetchall() == [("infrastructure",)]


def test_an_update_of_the_extension_switches_the_library(
    new_database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ALTER EXTENSION alone, with the script that render makes for a version before."""
    dsn = new_database()
    installed(dsn)
    before = rows(dsn, USED)
    with monkeypatch.context() as patch:
        patch.setattr(render, "EARLIER", (library.VERSION,))
        patch.setattr(metadata, "version", lambda _: "9.9")
        validator = (TOP / "sql/10_validator.sql").read_text("utf-8")
        for path, text in render.extension_scripts(TOP, validator).items():
            (tmp_path / path.name).write_text(text, "utf-8")
    try:
        with monkeypatch.context() as patch, connect(dsn) as connection:
            for module in (extension, library):
                patch.setattr(module, "VERSION", "9.9")
            patch.setattr(extension, "SCRIPTS", tmp_path)
            extension.place_extension(connection)
            assert rows(dsn, USED) == before
            connection.execute(b"ALTER EXTENSION cloudtrail_fdw UPDATE")
            connection.commit()
            assert rows(dsn, USED) == [(f"$libdir/{library.library_name()}",)]
        assert rows(dsn, USED) != before
        assert rows(dsn, ASK) == [("infrastructure",)]
    finally:
        with connect(dsn) as connection:
            extension.place_extension(connection)
