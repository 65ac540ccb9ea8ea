"""The private PostgreSQL, and clusters on every server, as a user's machine would run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox import cluster, private, runtime, site

LOADER = """
import ctypes, lzma, readline, sqlite3, ssl, zlib, xml.parsers.expat
import boto3, maxminddb, msgspec, pycares, requests
from multicorn import ForeignDataWrapper


class Loader(ForeignDataWrapper):
    def execute(self, quals, columns, **_):
        boto3.client("logs", region_name="us-east-1", aws_access_key_id="a",
                     aws_secret_access_key="b")
        return iter([["loaded"]])
"""
AS_NOBODY = """
import sys
from pathlib import Path
from cloudtrail_fdw.sandbox import cluster, runtime
folder = Path(sys.argv[1])
server = runtime.private_server(Path(sys.argv[2]), print)
started = cluster.start(folder, server, folder, {})
print(started.dsn(), flush=True)
sys.stdin.read()
cluster.stop(folder)
assert not cluster.is_running(folder)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user may enter, as pytest's own may not be."""
    path = Path(tempfile.mkdtemp(prefix="cloudtrail-fdw-test-"))
    path.chmod(0o755)
    yield path
    cluster.stop(path / "cluster")
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def private_server() -> runtime.Server:
    return runtime.private_server(runtime.default_cache(), print)


def test_it_is_built_once(private_server: runtime.Server) -> None:
    begin = time.monotonic()
    again = runtime.private_server(runtime.default_cache(), pytest.fail)
    assert again == private_server
    assert time.monotonic() - begin < 2
    assert (again.kind, again.multicorn_version, again.python_version) == (
        "private",
        "1.4.0",
        "3.9",
    )
    assert again.postgres_version.startswith("13.")


def test_ldd_finds_nothing_outside_but_libc(private_server: runtime.Server) -> None:
    assert private.libraries_from_outside(_root(private_server)) == []


def test_ldd_would_find_a_library_that_is_missing(
    private_server: runtime.Server, folder: Path
) -> None:
    copy = folder / "copy"
    shutil.copytree(_root(private_server), copy, symlinks=True)
    for path in copy.glob("usr/lib/*/libicuuc.so*"):
        path.unlink()
    assert any("libicuuc" in line for line in private.libraries_from_outside(copy))


def test_a_backend_maps_nothing_from_outside_but_libc(
    private_server: runtime.Server, folder: Path
) -> None:
    """The libraries of a backend that has used Multicorn and every dependency of ours."""
    (folder / "loader.py").write_text(LOADER)
    packages = site.install_site(private_server, runtime.default_cache() / "python", print)
    path = f"{folder}:{packages}:{private_server.env['PYTHONPATH']}"
    started = cluster.start(folder / "cluster", private_server, packages, {"PYTHONPATH": path})
    with psycopg.connect(started.dsn()) as connection:
        connection.execute("CREATE EXTENSION multicorn")
        connection.execute(
            "CREATE SERVER s FOREIGN DATA WRAPPER multicorn OPTIONS (wrapper 'loader.Loader')"
        )
        connection.execute("CREATE FOREIGN TABLE t (word text) SERVER s")
        assert connection.execute("SELECT * FROM t").fetchall() == [("loaded",)]
        maps = Path(f"/proc/{connection.info.backend_pid}/maps").read_text()
    loaded = set(re.findall(r"/\S+\.so\S*", maps))
    root, cache = str(_root(private_server)), str(runtime.default_cache())
    for name in ("multicorn.so", "libpython3.9.so.1.0", "libssl.so.1.1", "libicuuc.so.67.1"):
        assert any(path.startswith(root) and path.endswith(name) for path in loaded), name
    foreign = [path for path in loaded if not path.startswith(cache)]
    assert [path for path in foreign if not private.LIBC.fullmatch(Path(path).name)] == []


def test_a_mirror_without_the_packages_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(private, "source_lines", lambda: [[f"deb file:{folder} bullseye main"]])
    with pytest.raises(FdwError, match="PostgreSQL 13 with Multicorn cannot be had") as caught:
        runtime.private_server(folder / "cache", lambda _: None)
    assert "Multicorn2" in str(caught.value.hint)
    assert "Release" in str(caught.value.detail)
    assert [path.name for path in (folder / "cache").iterdir()] == [".lock"]


def test_a_folder_of_someone_else_is_refused(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "link").symlink_to("real")
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    for name in ("link", "open"):
        with pytest.raises(FdwError, match="not a folder of ours"):
            runtime._safe_folder(folder / name)


def test_every_server_has_a_cluster_that_restarts(
    private_server: runtime.Server, folder: Path
) -> None:
    for server in (private_server, *runtime.find_servers()):
        directory = folder / server.name
        started = cluster.start(directory, server, folder, {})
        try:
            assert cluster.load(directory) == started
            with pytest.raises(FdwError, match="is running"):
                cluster.start(directory, server, folder, {})
            _check_connection(started, server)
            cluster.stop(directory)
            assert not cluster.is_running(directory)
            # a reboot leaves the file, and the number may be anyone's by then
            (directory / "data/postmaster.pid").write_text(f"{os.getpid()}\n")
            assert not cluster.is_running(directory)
            assert cluster.start(directory, server, folder, {}).password == started.password
        finally:
            cluster.stop(directory)


def test_an_ordinary_user_runs_it_too(private_server: runtime.Server, folder: Path) -> None:
    """Root runs PostgreSQL as another user; here the whole of it is run by one."""
    place = folder / "ordinary"
    place.mkdir()
    who = {}
    if os.geteuid() == 0:
        place.chmod(0o777)
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    package = Path(cluster.__file__).parents[2]
    environment = {**private_server.env, "PYTHONPATH": str(package), "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        [str(private_server.interpreter), "-c", AS_NOBODY, str(place / "cluster"),
         str(runtime.default_cache())],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **who,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        with psycopg.connect(process.stdout.readline().strip()) as connection:
            connection.execute("CREATE EXTENSION multicorn")
        process.communicate("")
    assert process.returncode == 0


def _check_connection(started: cluster.Cluster, server: runtime.Server) -> None:
    with psycopg.connect(started.dsn()) as connection:
        shown = connection.execute("SHOW server_version").fetchone()
        assert shown is not None
        assert shown[0].startswith(server.postgres_version)
        assert connection.execute("SHOW server_encoding").fetchone() == ("UTF8",)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(started.dsn(user="postgres", password="guessed"))


def _root(server: runtime.Server) -> Path:
    return server.bindir.parents[4]
