"""Throwaway clusters with the probe's tables, on every server with Multicorn that can be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from probe_tables import table_sql, wrapper_sql

from cloudtrail_fdw.cli.install import extension
from cloudtrail_fdw.sandbox import cluster, lifecycle, runtime, site
from servers import KINDS, WORKER

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "fdw" / "handler"
PROBE = ("probe_data.py", "probe_fdw.py", "probe_handed.py", "probe_rows.py", "probe_tables.py")
WITH, WITHOUT = "handler", "bare"  # databases: behind our handler, behind Multicorn's own


@dataclass(frozen=True)
class Probe:
    """A running cluster; ``sites`` are its databases."""

    server: runtime.Server
    folder: Path
    started: cluster.Cluster

    def connect(self, dbname: str = WITH) -> psycopg.Connection[tuple[Any, ...]]:
        """A superuser's session."""
        return psycopg.connect(self.started.dsn(dbname), autocommit=True, prepare_threshold=None)

    @property
    def log(self) -> str:
        """The server's log so far."""
        return (self.folder / "cluster" / "postgresql.log").read_text(errors="replace")


def servers() -> list[runtime.Server]:
    """The servers with Multicorn that the tests run on."""
    return [lifecycle.choose_server(kind, print) for kind in KINDS if not kind.endswith(WORKER)]


def compile_handler(server: runtime.Server, folder: Path) -> Path:
    """The handler's library for a server, built as ``install`` does."""
    library = folder / "cloudtrail_fdw.so"
    # pg_config of ours names folders it is not in, or flags of another compiler
    if server.bindir.is_relative_to(runtime.default_cache()):
        compiler = extension.find_compiler(server.bindir)
        assert compiler is not None
        headers = server.bindir.parents[3] / "include/postgresql/13/server"
        if server.kind != "private":
            headers = Path(runtime.output([str(server.bindir / "pg_config"), "--includedir-server"])
                           .strip())  # fmt: skip
        extension.compile_handler(compiler, headers, library)
        return library
    for path in SOURCE.iterdir():
        shutil.copy(path, folder)
    command = ["make", "-s", "-C", str(folder), f"PG_CONFIG={server.bindir / 'pg_config'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # an older compiler does not know every option that the server was built with
    warnings = [line for line in done.stderr.splitlines() if "warning: " in line]
    if done.returncode or any("unrecognized command-line option" not in w for w in warnings):
        raise AssertionError(done.stdout + done.stderr)
    return library


@contextmanager
def probe(server: runtime.Server, preload: str = "") -> Iterator[Probe]:
    """A cluster with both databases, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cloudtrail-fdw-probe-"))
    folder.chmod(0o755)
    try:
        library = compile_handler(server, folder)
        (folder / "python").mkdir()
        for name in PROBE:
            shutil.copy(HERE / name, folder / "python")
        product = site.install_site(server, runtime.default_cache() / "site", print)
        path = [str(folder / "python"), str(product), server.env.get("PYTHONPATH", "")]
        # Not the library's folder: Python would take it for its module of the same name.
        environment = {"PYTHONPATH": os.pathsep.join(path)}
        if preload:
            environment["LD_PRELOAD"] = preload
        started = cluster.start(folder / "cluster", server, product, environment)
        with psycopg.connect(started.dsn(), autocommit=True) as session:
            session.execute("ALTER SYSTEM SET log_min_messages = 'fatal'")
            session.execute("SELECT pg_reload_conf()")
            for name in (WITH, WITHOUT):
                session.execute(f"CREATE DATABASE {name}")
        for name in (WITH, WITHOUT):
            with psycopg.connect(started.dsn(name), autocommit=True) as session:
                for statement in wrapper_sql(library if name == WITH else None) + table_sql():
                    session.execute(statement)
        yield Probe(server, folder, started)
    finally:
        cluster.stop(folder / "cluster")
        shutil.rmtree(folder)
