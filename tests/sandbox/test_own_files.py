"""A cluster of ours has the handler and the extension's files to itself."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cloudtrail_fdw.cli.install.library import library_name
from cloudtrail_fdw.cli.sandbox import install_sandbox
from cloudtrail_fdw.sandbox import lifecycle, own_files, runtime

SERVERS = [runtime.private_server(runtime.default_cache(), print), *runtime.find_servers()]


def named(server: runtime.Server) -> str:
    return f"{server.kind}-{server.postgres_version}"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter, as pytest's own may not be."""
    path = Path(tempfile.mkdtemp(prefix="cloudtrail-fdw-test-"))
    path.chmod(0o755)
    yield path
    lifecycle.stop(path / "sandbox")
    shutil.rmtree(path)


def contents(*folders: Path) -> dict[Path, tuple[int, str]]:
    """When each file below the folders was changed, and a digest of it."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {
        path: (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    }


@pytest.mark.parametrize("server", SERVERS, ids=named)
def test_a_sandbox_leaves_the_servers_own_files_alone(server: runtime.Server, folder: Path) -> None:
    before = contents(server.library, server.share)
    state = lifecycle.start(folder / "sandbox", server, (), install_sandbox, None, print)
    with psycopg.connect(state["dsn"]) as connection:
        ((handler, library),) = connection.execute(
            b"SELECT p.proname, c.setting FROM pg_foreign_data_wrapper w"
            b" JOIN pg_proc p ON p.oid = w.fdwhandler, pg_config c"
            b" WHERE w.fdwname = 'cloudtrail_fdw' AND c.name = 'PKGLIBDIR'"
        ).fetchall()
        (found,) = connection.execute(
            b"SELECT aws_range_class FROM ip_enrichment WHERE ip = '54.240.200.68'"
        ).fetchall()
    assert (handler, found) == ("cloudtrail_fdw_handler", ("infrastructure",))
    assert (Path(library) / f"{library_name()}.so").is_file()
    assert Path(library).is_relative_to(folder)
    lifecycle.stop(folder / "sandbox")
    assert contents(server.library, server.share) == before


def test_its_files_follow_the_servers(folder: Path) -> None:
    """As the server's package is updated under a cluster that is kept."""
    server, target = make_server(folder / "usr"), folder / "own"
    program = own_files.own_program(server, target)
    assert program.read_text() == "program 1"
    own = target / "lib/postgresql/15/lib"
    assert (own / "multicorn.so").is_symlink()
    assert (target / "share/postgresql/15/extension/multicorn.control").read_text() == "multicorn"
    (own / "cloudtrail_fdw_of_install.so").write_text("ours")

    (server.bindir / "postgres").write_text("program two")
    (server.library / "multicorn.so").rename(server.library / "multicorn3.so")
    (server.library / "cloudtrail_fdw.so").write_text("the server's")
    assert own_files.own_program(server, target).read_text() == "program two"
    assert sorted(path.name for path in own.iterdir()) == [
        "cloudtrail_fdw.so", "cloudtrail_fdw_of_install.so", "multicorn3.so"
    ]  # fmt: skip
    (own / "cloudtrail_fdw.so").write_text("ours")
    assert (server.library / "cloudtrail_fdw.so").read_text() == "the server's"


def make_server(root: Path) -> runtime.Server:
    """Files in Debian's form; nothing of it runs."""
    bindir, share = root / "lib/postgresql/15/bin", root / "share/postgresql/15"
    library = root / "lib/postgresql/15/lib"
    for path, text in (
        (bindir / "postgres", "program 1"),
        (library / "multicorn.so", "library"),
        (share / "extension/multicorn.control", "multicorn"),
    ):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return runtime.Server("multicorn2", bindir, library, share, {}, "15.20", "3.2", "3.11", None)
