"""One's own account through a server that starts by itself, in front of the local AWS."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from cloudtrail_fdw.cli.query import own_server
from cloudtrail_fdw.sandbox import aws_process, cluster
from servers import place

SECRET = "query-tests-secret-access-key"
KEY = {"AWS_ACCESS_KEY_ID": "AKIDQUERY", "AWS_SECRET_ACCESS_KEY": SECRET}
GROUP = "aws-cloudtrail-logs-sandbox"
NOTHING_FOUND = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
EVENT = {
    "eventTime": "2026-11-20T10:00:00Z", "eventName": "Hostile", "sourceIPAddress": "192.0.2.1",
    "userAgent": "a\x1b]0;owned\x07\u202e,é",
}  # fmt: skip
HOSTILE = (
    "SELECT user_agent, read_only, 1.50 AS n, user_identity, true AS b FROM cloudtrail_event "
    "WHERE event_name = 'Hostile' AND event_time > '2026-11-20'"
)


@dataclass
class Own:
    """The command with a folder and a local AWS."""

    folder: Path
    endpoint: str

    def command(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "cloudtrail_fdw.program", name, "--dir", str(self.folder),
                "--server", "private", "--endpoint-url", self.endpoint, *arguments]  # fmt: skip

    def run(
        self, name: str, *arguments: str, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(name, *arguments), env=surroundings(**{**KEY, **environment}),
            input=stdin, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip

    def rows(self, query: str, **environment: str) -> str:
        done = self.run("query", query, "--format", "csv", **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def running(self) -> cluster.Cluster:
        (found,) = filter(None, map(cluster.load, self.folder.glob("postgres-*")))
        return found


def surroundings(**environment: str) -> dict[str, str]:
    """Our environment without anybody's AWS settings."""
    own = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    return {**own, **NOTHING_FOUND, "AWS_REGION": "us-east-1", **environment}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    """On the private server: each start takes seconds, and servers differ elsewhere."""
    work = tmp_path_factory.mktemp("aws")
    (work / "events").write_text(json.dumps(EVENT) + "\n")
    aws_process.launch(work, ["--events", str(work / "events")])
    found = Own(place() / "query", aws_process.await_ready(work)["endpoint"])
    yield found
    own_server.stop(found.folder)
    aws_process.stop(work)


def test_rows_leave_no_escape_on_a_terminal_and_are_exact_elsewhere(own: Own) -> None:
    done = own.run("query", HOSTILE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["user_agent", "|", "read_only", "|", "n", "|", "user_identity",
                                "|", "b"]  # fmt: skip
    assert r"a\x1b]0;owned\x07\u202e,é" in lines[2]
    assert lines[3] == "(1 row)"
    assert own.rows(HOSTILE) == (
        'user_agent,read_only,n,user_identity,b\n"a\x1b]0;owned\x07\u202e,é",,1.50,,t\n'
    )
    done = own.run("query", "--format", "json", stdin=f"{HOSTILE}; SELECT '{{\"é\": 1}}'::jsonb j")
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout
    assert '"n": 1.50' in done.stdout
    first, second = done.stdout.splitlines()
    assert json.loads(first) == [
        {"user_agent": EVENT["userAgent"], "read_only": None, "n": 1.5, "user_identity": None,
         "b": True}
    ]  # fmt: skip
    assert json.loads(second) == [{"j": {"é": 1}}]


def test_errors_and_notices_are_told_without_escapes(own: Own) -> None:
    query = "DO $$ BEGIN RAISE WARNING 'w%', chr(27); RAISE 'e%', chr(27); END $$"
    done = own.run("query", query)
    assert done.returncode == 1
    assert r"WARNING: w\x1b" in done.stderr
    assert r"Error: e\x1b" in done.stderr
    twice = own.run("query", "SELECT 1 AS a, 2 AS a", "--format", "json")
    assert (twice.returncode, twice.stdout) == (1, "")
    assert "several columns are named a" in twice.stderr


def test_it_reads_only_and_psql_can_more(own: Own) -> None:
    assert "read-only" in own.run("query", "CREATE TABLE public.t ()").stderr
    asked = ["--", "-X", "-A", "-t", "-c", "SELECT current_user"]
    assert own.run("psql", *asked).stdout == "cloudtrail_reader\n"
    assert own.run("psql", "--admin", *asked).stdout == "postgres\n"
    aligned = own.run("psql", "--", "-X", "-c", HOSTILE)
    assert r"a\x1B]0;owned\x07" in aligned.stdout


def test_another_caller_starts_the_server_anew_and_no_key_reaches_the_disk(
    own: Own, tmp_path: Path
) -> None:
    """The profile's file is closed to the server's user when root runs this."""
    query = (
        "SELECT count(*), (SELECT srvoptions::text FROM pg_foreign_server "
        "WHERE srvname = 'cloudtrail') FROM cloudtrail_event WHERE event_time > '2026-11-20'"
    )
    file = tmp_path / "credentials"
    file.touch(mode=0o600)
    file.write_text(
        f"[mine]\nregion = us-east-1\naws_access_key_id = AKIDMINE\n"
        f"aws_secret_access_key = {SECRET}2\n"
    )
    mine = {"AWS_PROFILE": "mine", "AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_REGION": "",
            "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}  # fmt: skip
    assert "region=us-east-1" in own.rows(query)
    assert "Starting" not in own.run("query", query).stderr
    changed = own.run("query", "--format", "csv", query, "--log-group", GROUP, **mine)
    assert changed.returncode == 0, changed.stderr
    assert "Starting PostgreSQL" in changed.stderr
    assert changed.stdout.startswith("count,srvoptions\n1,")
    assert "region=us-east-1" in changed.stdout
    assert f"log_group={GROUP}" in changed.stdout
    process = next(own.folder.glob("postgres-*/data/postmaster.pid")).read_text().split()[0]
    environment = Path("/proc", process, "environ").read_bytes()
    assert b"AKIDMINE" in environment
    assert b"AKIDQUERY" not in environment
    held = [path for path in own.folder.rglob("*") if path.is_file()]
    assert [path for path in held if SECRET.encode() in path.read_bytes()] == []
    assert "log_group" not in own.rows(query)


def test_a_query_under_way_keeps_its_server(own: Own) -> None:
    assert own.rows("SELECT 1 AS one") == "one\n1\n"
    with (own.folder / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert own.rows("SELECT 1 AS one") == "one\n1\n"
        for done in (own.run("query", "SELECT 1", AWS_REGION="eu-west-1"),
                     own.run("query", "--stop")):  # fmt: skip
            assert done.returncode == 1
            assert "another query or psql session uses the server" in done.stderr


def test_ctrl_c_ends_the_statement(own: Own) -> None:
    own.rows("SELECT 1")
    asked = subprocess.Popen(
        own.command("query", "SELECT 'interrupt me', pg_sleep(60)"), env=surroundings(**KEY),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    seen = b"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT ''interrupt%'"
    with psycopg.connect(own.running().dsn(), autocommit=True) as db:
        deadline = time.monotonic() + 30
        while db.execute(seen).fetchone() == (0,) and time.monotonic() < deadline:
            time.sleep(0.02)
        asked.send_signal(signal.SIGINT)
        _, errors = asked.communicate(timeout=30)
    assert (asked.returncode, errors) == (130, "Error: interrupted\n")


def test_stop(own: Own) -> None:
    stopping = own.run("query", "SELECT 1", "--stop")
    assert stopping.returncode == 0
    assert list(map(cluster.load, own.folder.glob("postgres-*"))) == [None]
    assert "Nothing runs" in own.run("query", "--stop").stderr


def test_without_credentials_nothing_starts(own: Own) -> None:
    own.run("query", "--stop")
    done = own.run("query", "SELECT 1", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert done.returncode == 1
    assert "there are no AWS credentials" in done.stderr
    done = own.run("query", "SELECT 1", AWS_REGION="")
    assert "there is no AWS Region" in done.stderr
    assert list(map(cluster.load, own.folder.glob("postgres-*"))) == [None]
