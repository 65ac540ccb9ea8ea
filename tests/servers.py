"""Sandboxes for the tests, on every PostgreSQL with Multicorn that can be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from cloudtrail_fdw.sandbox import lifecycle, runtime

TESTS = Path(__file__).parent
SHAPES = TESTS / "data" / "shapes.jsonl"
# Real records that are not ours to commit; the claims made on them are made on SHAPES too.
REAL = TESTS.parents[1] / "shared" / "data" / "cloudtrail-2900.jsonl.gz"
KINDS = ["private", *sorted({server.kind for server in runtime.find_servers()})]
BARE = "-without-handler"  # at the end of a kind: with Multicorn's own handler
VERSIONS: dict[str, str] = {}


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox and its command line."""

    state: dict[str, str]

    @property
    def bare(self) -> bool:
        """Whether Multicorn's own handler is in use."""
        return self.state["dir"].endswith(BARE)

    def command(self, *arguments: str) -> str:
        """What ``cloudtrail-fdw sandbox …`` prints for this sandbox."""
        return run("sandbox", *arguments, "--dir", self.state["dir"])

    def connect(self, dsn: str = "dsn") -> psycopg.Connection[tuple[Any, ...]]:
        """A new session; ``dsn`` may be reader_dsn."""
        return psycopg.connect(self.state[dsn], autocommit=True)

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
            env={**os.environ, **server.env},
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


def start(kind: str, name: str, *arguments: str) -> Iterator[Sandbox]:
    """A sandbox for one fixture, in a folder that PostgreSQL's user can reach."""
    folder = runtime.default_cache() / "tests" / f"{name}-{kind}"
    chosen = ["--server", kind.replace(BARE, "")]
    if kind.endswith(BARE):
        chosen.append("--no-handler")
    sandbox = Sandbox(
        json.loads(run("sandbox", "start", *chosen, "--dir", str(folder), *arguments))
    )
    VERSIONS[kind] = (
        f"PostgreSQL {sandbox.state['postgres_version']}"
        f" with Multicorn {sandbox.state['multicorn_version']}"
    )
    yield sandbox
    sandbox.command("stop")
