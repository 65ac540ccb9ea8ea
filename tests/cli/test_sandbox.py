"""The sandbox's commands, as a user or a CI job runs them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw.sandbox import lifecycle, runtime
from servers import KINDS

KEYS = {"dsn", "reader_dsn", "aws_endpoint", "log_group", "dir", "server", "postgres_version",
        "multicorn_version", "dns_server"}  # fmt: skip
FOREIGN = {
    "AWS_PROFILE": "mine",
    "AWS_SESSION_TOKEN": "s3cr3t",
    "AWS_ACCESS_KEY_ID": "AKIAMINE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/",
    "PGPASSWORD": "p4ss",
}
LINES = (
    b'{"eventTime": "2026-11-20T10:00:00Z", "eventName": "Late", "eventID": "a"}\n'
    b"not JSON \xc3\xa9 at all  \n"
    b'{"eventName":"NoTime"}'
)


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudtrail_fdw.cli", "sandbox", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def answer(*arguments: str) -> Any:
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where PostgreSQL's user can reach it; stopped in the end whatever happened."""
    path = runtime.default_cache() / "tests" / tmp_path.name
    yield path
    lifecycle.stop(path)
    lifecycle.stop(path / "second")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(LINES))
    return path


def test_start_to_stop(folder: Path, events: Path) -> None:
    """One run of all the commands, beside a second sandbox."""
    started = command("start", "--dir", str(folder), "--server", KINDS[-1], "--events", str(events),
                      "--log-group", "mine", **FOREIGN)  # fmt: skip
    assert started.returncode == 0, started.stderr
    state = json.loads(started.stdout)
    assert started.stdout.count("\n") == 1
    assert state.keys() == KEYS
    assert (state["log_group"], state["dir"]) == ("mine", str(folder))

    messages = rows(state["reader_dsn"], "SELECT message FROM cloudtrail_event")
    assert sorted(LINES.decode().split("\n")) == sorted(message for (message,) in messages)
    assert rows(state["reader_dsn"], "SHOW search_path") == [("steampipe, cloudtrail, public",)]
    assert rows(state["dsn"], "SHOW search_path") == [("steampipe, cloudtrail, public",)]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        rows(state["reader_dsn"], "CREATE TABLE t (x int)")
    assert_nothing_leaked(folder)

    stats = answer("stats", "--dir", str(folder))
    assert stats["calls"]["FilterLogEvents"] >= 1
    assert stats["events"] == 3
    assert {"calls", "events", "bytes", "throttles", "empty_pages"} <= stats.keys()
    assert command("reset-stats", "--dir", str(folder)).returncode == 0
    assert answer("stats", "--dir", str(folder))["events"] == 0

    second = answer("start", "--dir", str(folder / "second"), "--server", KINDS[-1])
    assert second["dsn"] != state["dsn"]

    assert answer("append", str(events), "--dir", str(folder)) == {"events": 3}
    assert rows(state["dsn"], "SELECT count(*) FROM cloudtrail_event") == [(6,)]

    wrong = command("fault", "no-such-fault", "on", "--dir", str(folder))
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("Error: ")
    name = wrong.stderr.rpartition("There are ")[2].split(",")[0].strip(". \n")
    assert answer("fault", name, "on", "--dir", str(folder)) == {"on": [name]}
    assert answer("fault", name, "off", "--dir", str(folder)) == {"on": []}

    assert command("stop", "--dir", str(folder)).returncode == 0
    with pytest.raises(psycopg.OperationalError):
        rows(state["dsn"], "SELECT 1")
    assert rows(second["dsn"], "SELECT count(*) > 0 FROM cloudtrail_event") == [(True,)]
    gone = command("stats", "--dir", str(folder))
    assert gone.returncode == 1
    assert "no sandbox runs" in gone.stderr
    assert "Nothing runs" in command("stop", "--dir", str(folder)).stderr


def assert_nothing_leaked(folder: Path) -> None:
    """The server sees the sandbox's credentials and nothing else of AWS's or libpq's."""
    process = (folder / "postgres/data/postmaster.pid").read_text().split("\n", 1)[0]
    environment = dict(
        entry.partition(b"=")[::2]
        for entry in Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    )
    for name, secret in FOREIGN.items():
        assert environment.get(name.encode(), b"") != secret.encode(), name
    assert environment[b"AWS_EC2_METADATA_DISABLED"] == b"true"
    assert environment[b"AWS_CONFIG_FILE"] == os.devnull.encode()


def test_starting_again_starts_fresh(folder: Path) -> None:
    arguments = ("start", "--dir", str(folder), "--server", KINDS[-1], "--shift-to-now")
    first = answer(*arguments)
    with psycopg.connect(first["dsn"]) as connection:
        connection.execute(b"CREATE TABLE public.mine (x int)")
    again = answer(*arguments)
    assert rows(again["dsn"], "SELECT to_regclass('public.mine')") == [(None,)]
    ((newest,),) = rows(again["dsn"], "SELECT max(timestamp) FROM cloudtrail_event")
    assert abs(datetime.now(timezone.utc) - newest) < timedelta(minutes=5)


def test_a_folder_with_other_files_is_left_alone(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "thesis.txt").write_text("x")
    done = command("start", "--dir", str(folder), "--server", KINDS[-1])
    (folder / "thesis.txt").unlink()
    assert done.returncode == 1
    assert "holds other files" in done.stderr
    assert done.stdout == ""


def test_events_that_cannot_be_read_leave_nothing_running(folder: Path, events: Path) -> None:
    events.write_bytes(events.read_bytes()[:-9])
    done = command("start", "--dir", str(folder), "--server", KINDS[-1], "--events", str(events))
    assert done.returncode == 1
    assert "Error: the local AWS did not start" in done.stderr
    assert done.stdout == ""
    assert not lifecycle.stop(folder)
