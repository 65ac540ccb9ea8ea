"""Throwaway clusters whose probe's tables are read by a worker process, PostgreSQL 14 and newer."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from probe_servers import HERE as PROBES
from probe_servers import PROBE, WITH, Probe, compile_handler
from probe_tables import table_sql

from cloudtrail_fdw.sandbox import cluster, lifecycle, own_host, runtime, site
from servers import KINDS

HERE = Path(__file__).parent
SCRIPT = """#!/bin/sh
exec {python} -I -c 'import sys; sys.path[:0] = {path!r}; import probe_worker'
"""

PRODUCT_SCRIPT = """#!/bin/sh
exec {python} -I -c 'import sys; sys.path.insert(0, "{site}")
from cloudtrail_fdw.host.worker import main; main()'
"""
PRODUCT = """
CREATE SCHEMA ours;
CREATE FOREIGN DATA WRAPPER ours HANDLER cloudtrail_fdw_worker_handler OPTIONS (python '{script}');
CREATE SERVER ours FOREIGN DATA WRAPPER ours OPTIONS (
    endpoint_url 'http://127.0.0.1:{port}', region 'us-east-1', cache 'off');
CREATE USER MAPPING FOR postgres SERVER ours OPTIONS (
    aws_access_key_id 'AKIAIOSFODNN7EXAMPLE', aws_secret_access_key 'none');
IMPORT FOREIGN SCHEMA cloudtrail LIMIT TO (cloudtrail_event, cloudtrail_fdw_stat)
    FROM SERVER ours INTO ours
"""


def worker_servers() -> list[runtime.Server]:
    """Those of the tests' servers that can have a worker, each once."""
    chosen = [lifecycle.choose_server(kind, print) for kind in KINDS]
    found = {
        server.bindir: server
        for server in chosen
        if int(server.postgres_version.split(".")[0]) >= own_host.OLDEST
    }
    return list(found.values())


def by_name(server: runtime.Server) -> str:
    """How pytest names the server; see SERVER in tests/conftest.py."""
    return f"probed@pg{server.postgres_version}-multicorn{server.multicorn_version}"


def wrapper_sql(library: Path, python: Path) -> list[str]:
    """The handler, and the foreign data wrapper that names the interpreter."""
    return [
        "CREATE FUNCTION cloudtrail_fdw_worker_handler() RETURNS fdw_handler "
        f"LANGUAGE c STRICT AS '{library.with_suffix('')}', 'cloudtrail_fdw_worker_handler'",
        "CREATE FOREIGN DATA WRAPPER probe HANDLER cloudtrail_fdw_worker_handler "
        f"OPTIONS (python '{python}')",
    ]


def install_product(probed: Probe, session: psycopg.Connection[Any], port: int) -> None:
    """The product's own worker and tables in schema ours, for an AWS on this port."""
    site = next(path for path in (probed.folder / "interpreter").read_text().split('"')
                if "site-" in path)  # fmt: skip
    script = probed.folder / "product"
    script.write_text(PRODUCT_SCRIPT.format(python=probed.server.interpreter, site=site))
    script.chmod(0o755)
    for statement in PRODUCT.format(script=script, port=port).split(";"):
        session.execute(statement.encode())


@contextmanager
def worker_probe(server: runtime.Server) -> Iterator[Probe]:
    """A cluster with the probe's tables, without Multicorn in it, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="cloudtrail-fdw-worker-"))
    folder.chmod(0o755)
    try:
        library = compile_handler(server, folder)
        python = folder / "python"
        python.mkdir()
        for path in [*(PROBES / name for name in PROBE), HERE / "probe_worker.py"]:
            shutil.copy(path, python)
        product = site.install_site(server, runtime.default_cache() / "site", print)
        script = folder / "interpreter"
        path = [str(python), str(product)]
        script.write_text(SCRIPT.format(python=server.interpreter, path=path).replace("['", '["')
                          .replace("', '", '", "').replace("']", '"]'))  # fmt: skip
        script.chmod(0o755)
        started = cluster.start(folder / "cluster", server, product, {})
        with psycopg.connect(started.dsn(), autocommit=True) as session:
            session.execute("ALTER SYSTEM SET log_min_messages = 'fatal'")
            session.execute("SELECT pg_reload_conf()")
            session.execute(f"CREATE DATABASE {WITH}")
        with psycopg.connect(started.dsn(WITH), autocommit=True) as session:
            for statement in wrapper_sql(library, script) + table_sql():
                session.execute(statement)
        yield Probe(server, folder, started)
    finally:
        cluster.stop(folder / "cluster")
        shutil.rmtree(folder)
