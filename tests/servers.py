"""Sandboxes for the tests, on every PostgreSQL with Multicorn that can be had."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

import psycopg
from click.testing import CliRunner

from cloudtrail_fdw.cli import main
from cloudtrail_fdw.sandbox import lifecycle, runtime

Db = psycopg.Connection[tuple[Any, ...]]
TESTS = Path(__file__).parent
SHAPES = TESTS / "data" / "shapes.jsonl"
# Real records that are not ours to commit; the claims made on them are made on SHAPES too.
REAL = TESTS.parents[1] / "shared" / "data" / "cloudtrail-2900.jsonl.gz"
# The private server, the newest of this machine with Multicorn, and the newest that can have our
# own host, or what the environment names: "pg14 pg18-worker".
KINDS = os.environ.get("CLOUDTRAIL_FDW_SERVERS", "").split() or [
    "private",
    *[server.name for server in runtime.find_servers()][:1],
    *[server.name for server in lifecycle.worker_servers(print)][:1],
]
WORKER = "-worker"  # at the end of a kind: with our own host
BARE = "-without-handler"  # at the end of a kind: with Multicorn's own handler
VERSIONS: dict[str, str] = {}
INSTALL: dict[int, tuple[str, ...]] = {}  # by port of a sandbox: its host, for ``install``
LOCKS: list[TextIO] = []  # open, and so locked, until the process ends


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox and its command line."""

    state: dict[str, str]
    shared: dict[str, Db] = field(default_factory=dict)  # sessions by DSN

    @property
    def multicorn(self) -> bool:
        """Whether Multicorn runs Python in the backend; else a worker does beside it."""
        return bool(self.state["multicorn_version"])

    @property
    def bare(self) -> bool:
        """Whether Multicorn's own handler is in use."""
        return self.state["dir"].endswith(BARE)

    def command(self, *arguments: str) -> str:
        """What ``cloudtrail-fdw sandbox …`` prints for this sandbox; a new process takes 0.7 s."""
        done = CliRunner().invoke(main, ["sandbox", *arguments, "--dir", self.state["dir"]])
        assert done.exit_code == 0, done.output
        return done.output

    def connect(self, dsn: str = "dsn") -> Db:
        """A new session; ``dsn`` may be reader_dsn."""
        return psycopg.connect(self.state[dsn], autocommit=True)

    @contextmanager
    def session(self, dsn: str = "dsn") -> Iterator[Db]:
        """A session as good as new: in a new one, Python takes half a second for its imports."""
        if dsn not in self.shared or self.shared[dsn].closed:
            self.shared[dsn] = self.connect(dsn)
            self.shared[dsn].prepare_threshold = None  # it would miss what DISCARD ALL forgets
        db = self.shared[dsn]
        db.rollback()
        db.execute("DISCARD ALL")
        yield db

    def stats(self) -> dict[str, Any]:
        """What the local AWS was asked since reset()."""
        return dict(json.loads(self.command("stats")))

    def reset(self) -> None:
        """Set the counters to zero."""
        self.command("reset-stats")

    def psql(self, path: Path) -> str:
        """What the server's own psql prints for a file, as PostgreSQL's regression tests do."""
        server = lifecycle.choose_server(self.state["server"], print)
        done = subprocess.run(
            [server.bindir / "psql", "-X", "-a", "-q", "-f", path.name, self.state["dsn"]],
            cwd=path.parent,
            # what EXPLAIN says of a cache depends on what ran before
            env={**os.environ, **server.env, "PGOPTIONS": "-c cloudtrail_fdw.cache=off"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return done.stdout


def run(*arguments: str) -> str:
    """The output of ``cloudtrail-fdw``; an assertion with its errors when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "cloudtrail_fdw.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def place() -> Path:
    """A folder for this process alone, which PostgreSQL's user can reach.

    It is the first that no other process holds, so that whatever one that was killed left running
    there is stopped by the next.
    """
    for number in count():
        folder = runtime.default_cache() / "tests" / str(number)
        runtime.make_readable(folder)
        lock = (folder / ".lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        LOCKS.append(lock)
        return folder
    raise AssertionError


def host_arguments(sandbox: Sandbox) -> tuple[str, ...]:
    """What ``install`` has to be given for another database of the sandbox's server."""
    if sandbox.multicorn:
        return ()
    query = b"SELECT fdwoptions[1] FROM pg_foreign_data_wrapper WHERE fdwname = 'cloudtrail_fdw'"
    with sandbox.connect() as db:
        ((option,),) = db.execute(query).fetchall()
    return ("--host", "worker", "--python", option.removeprefix("python="))


def start(kind: str, name: str, *arguments: str) -> Iterator[Sandbox]:
    """A sandbox for one fixture."""
    folder = place() / f"{name}-{kind}"
    chosen = ["--server", kind.replace(BARE, "")]
    if kind.endswith(BARE):
        chosen.append("--no-handler")
    sandbox = Sandbox(
        json.loads(run("sandbox", "start", *chosen, "--dir", str(folder), *arguments))
    )
    VERSIONS[kind] = (
        f"PostgreSQL {sandbox.state['postgres_version']} with "
        f"{'Multicorn ' + sandbox.state['multicorn_version'] if sandbox.multicorn else 'a worker'}"
    )
    INSTALL[urlsplit(sandbox.state["dsn"]).port or 0] = host_arguments(sandbox)
    yield sandbox
    for db in sandbox.shared.values():
        db.close()
    sandbox.command("stop")
