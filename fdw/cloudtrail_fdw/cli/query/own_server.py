"""A PostgreSQL of the caller's own in a folder: started on demand, left running, stopped."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TextIO

from psycopg import sql

from cloudtrail_fdw.cli.database import connect, value
from cloudtrail_fdw.cli.install.install import Target, install
from cloudtrail_fdw.cli.query import own_credentials
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox import cluster, lifecycle, runtime
from cloudtrail_fdw.sandbox.runtime import Progress, Server
from cloudtrail_fdw.sandbox.site import install_site
from cloudtrail_fdw.sources.disk.data_files import GEOLOCATION, data_directory

STATE = "own.json"
TRIES = 40  # to be alone with the server, in 2 seconds
FRESH = 300  # seconds that a key must still be good for
# Unlike a sandbox it holds what its owner made, views and API keys.
SETTINGS = {
    **cluster.SETTINGS, "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on",
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What the command line says of the server."""

    directory: Path
    kind: Optional[str] = None
    region: Optional[str] = None
    log_group: str = ""
    endpoint_url: str = ""


@dataclass(frozen=True)
class Own:
    """A running server of ours."""

    cluster: cluster.Cluster
    password: str

    def dsn(self, *, admin: bool = False) -> str:
        """Connection of the read-only role, or of the superuser."""
        if admin:
            return self.cluster.dsn(lifecycle.DATABASE)
        return self.cluster.dsn(lifecycle.DATABASE, lifecycle.READER, self.password)


def default_directory() -> Path:
    """The user's data folder; root's home is closed to PostgreSQL's user, so not there."""
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    if os.geteuid() != 0 or runtime.readable_by_all(home):
        return home / "cloudtrail-fdw"
    return runtime.default_cache() / "own"


@contextmanager
def running(wanted: Wanted, server: Server, progress: Progress) -> Iterator[Own]:
    """The server, started where it does not run as wanted; no other call restarts it meanwhile."""
    site = install_site(server, runtime.default_cache() / "site", progress)
    python = lifecycle.worker_python(server, site)
    runtime.make_readable(wanted.directory)
    folder = wanted.directory / f"postgres-{server.postgres_version.split('.')[0]}"
    data = data_folder(wanted.directory)
    facts = [repr(server), str(site), str(data), repr(wanted), *own_credentials.sources()]
    facts += [f"{name}={os.environ.get(name)}" for name in cluster.INHERITED]
    (wanted.directory / ".lock").touch(mode=0o600)  # nobody else may hold it
    with (wanted.directory / ".lock").open("w") as lock:
        for _ in range(TRIES):
            fcntl.flock(lock, fcntl.LOCK_SH)
            found = current(folder, facts)
            if found:
                break
            if is_exclusive(lock):
                start(wanted, server, site, python, folder, data, facts, progress)
            else:
                time.sleep(0.05)
        else:
            raise in_use(wanted.directory)
        yield found


def is_exclusive(lock: TextIO) -> bool:
    """Whether nobody else uses the server now, nor will until the lock is shared again."""
    fcntl.flock(lock, fcntl.LOCK_UN)  # two that both share it would wait for one another
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def in_use(directory: Path) -> FdwError:
    """The error for a server that other calls hold."""
    return FdwError(
        f"another query or psql session uses the server in {directory}, with other credentials "
        "or settings",
        hint="End it first, or give this one a folder of its own with --dir.",
    )


def current(folder: Path, facts: list[str]) -> Optional[Own]:
    """The server in ``folder`` if it runs with these facts, and with a key that is still good."""
    state = read_state(folder)
    found = cluster.load(folder)
    if found is None or not hmac.compare_digest(
        state.get("digest", ""), digest(state.get("password", ""), facts)
    ):
        return None
    renew = state["renew"]
    return Own(found, state["password"]) if renew is None or time.time() < renew else None


def digest(key: str, facts: list[str]) -> str:
    """A digest that tells nothing of the secrets among the facts without the key."""
    return hmac.new(key.encode(), json.dumps(facts).encode(), hashlib.sha256).hexdigest()


def read_state(folder: Path) -> dict[str, Any]:
    """What start() left; empty when there is nothing."""
    try:
        state: dict[str, Any] = json.loads((folder / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return state


def start(
    wanted: Wanted, server: Server, site: Path, python: Optional[Path], folder: Path, data: Path,
    facts: list[str], progress: Progress,
) -> None:  # fmt: skip
    """Start, or start again, with the caller's credentials, and install."""
    credentials = own_credentials.resolve(wanted.region)
    cluster.stop(folder)
    runtime.make_readable(folder)
    cache = wanted.directory / "cache"
    cache.mkdir(mode=0o700, exist_ok=True)
    environment = {
        **lifecycle.environment(data, cluster.own(cache)), **credentials.environment
    }  # fmt: skip
    progress(f"Starting PostgreSQL {server.postgres_version} in {folder}")
    started = cluster.start(folder, server, site, environment, SETTINGS)
    try:
        options = {
            "region": credentials.region,
            "log_group": wanted.log_group,
            "endpoint_url": wanted.endpoint_url,
        }
        password = secrets.token_urlsafe(24)
        prepare(started, options, password, python, progress)
        until = credentials.until
        renew = None if until is None else max(until - FRESH, time.time() + 60)
        state = {"digest": digest(password, facts), "renew": renew, "password": password}
        file = folder / STATE
        file.touch(mode=0o600)
        file.write_text(json.dumps(state), "utf-8")
    except BaseException:
        cluster.stop(folder)
        raise
    if not (data / GEOLOCATION).exists():
        progress(
            "Geolocation is a small bundled sample that knows a few addresses; for all of them: "
            f"cloudtrail-fdw data update --directory {data}"
        )


def prepare(
    started: cluster.Cluster, options: Mapping[str, str], password: str, python: Optional[Path],
    progress: Progress,
) -> None:  # fmt: skip
    """Make the database where there is none, install, and let the reader log in."""
    database = sql.Identifier(lifecycle.DATABASE)
    with connect(started.dsn(), autocommit=True) as connection:
        query = "SELECT 1 FROM pg_catalog.pg_database WHERE datname = %s"
        if value(connection, query, lifecycle.DATABASE) is None:
            connection.execute(
                sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(database)
            )
    dsn = started.dsn(lifecycle.DATABASE)
    said: list[str] = []
    target = Target(
        reader=lifecycle.READER, options=tuple(options.items()),
        host="worker" if python else "multicorn", python=python,
    )  # fmt: skip
    install(dsn, target, said.append)
    for line in said:
        if line.startswith("Notice"):
            progress(line)
    reader = sql.Identifier(lifecycle.READER)
    with connect(dsn) as connection:
        for statement in (
            "ALTER DATABASE {database} SET search_path = cloudtrail, steampipe, public",
            "ALTER ROLE {reader} PASSWORD {password}",
            # Ctrl-C is at hand, and max_seconds bounds a scan
            "ALTER ROLE {reader} IN DATABASE {database} SET statement_timeout = 0",
        ):
            connection.execute(
                sql.SQL(statement).format(
                    database=database, reader=reader, password=sql.Literal(password)
                )
            )


def data_folder(directory: Path) -> Path:
    """Where the data files are: where the tables look anyway, else beside the server."""
    usual = Path(data_directory()).absolute()
    if os.environ.get("CLOUDTRAIL_FDW_DATA") or (usual / GEOLOCATION).exists():
        return usual
    runtime.make_readable(directory / "data")
    return directory / "data"


def stop(directory: Path) -> bool:
    """Stop what runs in ``directory``; whether anything did. FdwError while others use it."""
    if not (directory / ".lock").exists():
        return False
    stopped = False
    with (directory / ".lock").open("w") as lock:
        if not is_exclusive(lock):
            raise in_use(directory)
        for folder in directory.glob("postgres-*"):
            stopped |= cluster.is_running(folder)
            cluster.stop(folder)
    return stopped
