"""Watermarks, the lock of a run, and suppressions."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest

from check_cases import ALARM, COUNT, NOTHING, check, write_check
from cloudtrail_fdw.cli.check.check_state import LOCK_KEY, next_window
from cloudtrail_fdw.errors import FdwError
from databases import execute, installed, rows
from servers import Sandbox

MARK = ("--since-last-run", "--watermark", "test")
RUNS = "SELECT name, delivered_until, checks, findings FROM cloudtrail.cloudtrail_check_run"


@pytest.fixture
def dsn(sample: Sandbox) -> Iterator[str]:
    """The reader's DSN; what a test left in the two tables is gone after it."""
    yield sample.state["reader_dsn"]
    for table in ("run", "suppression"):
        execute(sample.state["dsn"], f"DELETE FROM cloudtrail.cloudtrail_check_{table}")


def set_watermark(sample: Sandbox, at: str) -> None:
    execute(
        sample.state["dsn"],
        "INSERT INTO cloudtrail.cloudtrail_check_run "
        "(name, delivered_until, finished_by, checks, findings) "
        f"VALUES ('test', {at}, 'cloudtrail_reader', 0, 0) ON CONFLICT (name) DO UPDATE "
        "SET delivered_until = EXCLUDED.delivered_until",
    )


def test_runs_follow_each_other_without_gap_or_overlap(
    sample: Sandbox, dsn: str, tmp_path: Path
) -> None:
    write_check(tmp_path, "count", COUNT)
    write_check(tmp_path, "root", ALARM)
    first = check(tmp_path, "--dsn", dsn, *MARK, "--format", "json")
    assert 'no watermark "test" yet; this run looks at the last 24 hours' in first.stderr
    window = json.loads(first.stdout)
    assert rows(sample.state["dsn"], RUNS)[0][1] == datetime.fromisoformat(window["until"])
    span = datetime.fromisoformat(window["until"]) - datetime.fromisoformat(window["since"])
    assert span == timedelta(days=1)

    set_watermark(sample, "'2026-11-20 12:00:00+00'")
    second = check(tmp_path, "--dsn", dsn, *MARK, "--format", "json", "--settle", "2m")
    found = json.loads(second.stdout)
    assert (second.returncode, second.stderr) == (1, "")
    assert found["since"] == "2026-11-20T12:00:00+00:00"
    later = (
        "SELECT count(*) FROM cloudtrail.cloudtrail_event WHERE timestamp >= '2026-11-20 12:00Z'"
    )
    count = rows(sample.state["dsn"], later)[0][0]
    assert 0 < count < 49
    assert found["checks"][0]["info"][0]["reason"] == f"{count} events"
    name, until, checks, findings = rows(sample.state["dsn"], RUNS)[0]
    assert (name, until, checks, findings) == ("test", datetime.fromisoformat(found["until"]), 2, 1)
    assert timedelta(minutes=2) < datetime.now(timezone.utc) - until < timedelta(minutes=3)

    third = check(tmp_path, "--dsn", dsn, *MARK, "--format", "json", "--settle", "1h")
    assert json.loads(third.stdout)["since"] == json.loads(third.stdout)["until"] == found["until"]


def test_the_window_reaches_aws(sample: Sandbox, dsn: str, tmp_path: Path) -> None:
    write_check(tmp_path, "count", COUNT)
    with sample.connect() as db:
        db.execute("SELECT cloudtrail_fdw_cache_clear()")
    sample.reset()
    check(tmp_path, "--dsn", dsn, "--since", "2026-11-20T12:00Z", "--parallel", "1")
    with urllib.request.urlopen(sample.state["aws_endpoint"] + "/_sandbox/requests") as answer:
        asked = [r for r in json.load(answer) if r["action"] == "FilterLogEvents"]
    assert len(asked) == 1
    starts = datetime(2026, 11, 20, 12, tzinfo=timezone.utc).timestamp() * 1000
    assert asked[0]["parameters"]["startTime"] == starts
    ends = asked[0]["parameters"]["endTime"] / 1000
    assert abs(ends - datetime.now(timezone.utc).timestamp()) < 60


def test_the_functions_have_defaults_and_psql_may_set_them(sample: Sandbox) -> None:
    with sample.connect("reader_dsn") as db:
        query = "SELECT check_since() = now() - interval '1 day', check_until()::text"
        assert db.execute(query).fetchone() == (True, "infinity")
        db.execute("SET cloudtrail_fdw.check_since = '2026-11-20 12:00Z'")
        db.execute("SET cloudtrail_fdw.check_until = '2026-11-20 13:00Z'")
        found = db.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {COUNT}").fetchall()
    text = "\n".join(line for (line,) in found)
    assert "2026-11-20T12:00:00+00:00 to 2026-11-20T13:00:00+00:00 of delivery" in text


def test_the_watermark_stays_when_a_check_or_the_output_fails(
    sample: Sandbox, dsn: str, tmp_path: Path
) -> None:
    at = "'2026-11-20 12:00:00+00'"
    set_watermark(sample, at)
    before = rows(sample.state["dsn"], RUNS)
    write_check(tmp_path, "root", ALARM)
    with Path("/dev/full").open("w") as full:
        assert check(tmp_path, "--dsn", dsn, *MARK, stdout=full).returncode == 2
    assert rows(sample.state["dsn"], RUNS) == before
    write_check(tmp_path, "broken", "SELECT 1")
    assert check(tmp_path, "--dsn", dsn, *MARK).returncode == 2
    assert rows(sample.state["dsn"], RUNS) == before
    (tmp_path / "broken.sql").unlink()
    assert check(tmp_path, "--dsn", dsn, *MARK).returncode == 1
    assert rows(sample.state["dsn"], RUNS) != before


def test_sets_of_checks_have_watermarks_of_their_own(
    sample: Sandbox, dsn: str, tmp_path: Path
) -> None:
    path = write_check(tmp_path, "nothing", NOTHING)
    check(tmp_path, "--dsn", dsn, "--since-last-run")
    check(path, "--dsn", dsn, "--since-last-run", "--severity", "high")
    names = {row[0] for row in rows(sample.state["dsn"], RUNS)}
    assert names == {str(tmp_path.resolve()), f"{path.resolve()}; high and above"}


def test_a_run_keeps_another_away(sample: Sandbox, dsn: str, tmp_path: Path) -> None:
    write_check(tmp_path, "nothing", NOTHING)
    with sample.connect() as other:
        other.execute(f"SELECT pg_advisory_lock({LOCK_KEY})", ("test",))
        row = other.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        found = check(tmp_path, "--dsn", dsn, *MARK)
        free = check(tmp_path, "--dsn", dsn, "--since-last-run", "--watermark", "other")
    assert found.returncode == 2
    assert 'another run with the watermark "test" is under way' in found.stdout
    assert f"process {row[0]} " in found.stdout
    assert "nothing" in found.stderr
    assert free.returncode == 0
    assert check(tmp_path, "--dsn", dsn, *MARK).returncode == 0


def test_a_watermark_in_the_future_is_an_error() -> None:
    now = datetime.now(timezone.utc)
    with pytest.raises(FdwError, match="future"):
        next_window(now + timedelta(seconds=1), now, timedelta(0))


SUPPRESSIONS: dict[str, dict[str, Any]] = {
    "other check": {"check_id": "others"},
    "other resource": {"resource": "arn:aws:iam::9:%"},
    "other dimension": {"dimensions": '{"event_name": "x"}'},
    "longest": {"resource": "arn:aws:iam::%:root", "expires": "2100-01-01 00:00+00"},
    "shorter": {"expires": "2099-01-01 00:00+00"},
}


def add_suppression(sample: Sandbox, reason: str, **given: Any) -> None:
    values = {"check_id": "root", "expires": "2099-01-01", "reason": reason, **given}
    with psycopg.connect(sample.state["dsn"]) as connection:
        names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
        insert = f"INSERT INTO cloudtrail.cloudtrail_check_suppression ({names}) VALUES ({marks})"
        connection.execute(insert.encode(), list(values.values()))


def test_suppressed_findings_do_not_count_and_are_counted(
    sample: Sandbox, dsn: str, tmp_path: Path
) -> None:
    write_check(tmp_path, "root", ALARM)
    for reason, given in SUPPRESSIONS.items():
        if reason.startswith("other"):
            add_suppression(sample, reason, **given)
    assert check(tmp_path, "--dsn", dsn).returncode == 1
    add_suppression(sample, "gone", expires="2026-01-01 00:00+00")
    found = check(tmp_path, "--dsn", dsn)
    assert found.returncode == 1
    assert "[no longer suppressed until 2026-01-01T00:00:00+00:00: gone]" in found.stdout
    assert "a suppression of root expired 2026-01-01T00:00:00+00:00: gone" in found.stderr
    for reason in ("longest", "shorter"):
        add_suppression(sample, reason, **SUPPRESSIONS[reason])
    found = check(tmp_path, "--dsn", dsn, "--format", "json")
    document = json.loads(found.stdout)
    assert (found.returncode, document["summary"]["suppressed"]) == (0, 1)
    suppressed = document["checks"][0]["suppressed"][0]
    assert suppressed["suppression"] == {
        "reason": "longest", "expires": "2100-01-01T00:00:00+00:00", "created_by": "postgres",
    }  # fmt: skip
    assert check(tmp_path, "--dsn", dsn).stdout == ""


@pytest.mark.parametrize(
    "given",
    [
        {"reason": " "},
        {"resource": "a\\"},
        {"expires": "infinity"},
        {"dimensions": "[]"},
        {"expires": None},
    ],
)
def test_suppressions_without_reason_or_end_are_refused(
    sample: Sandbox, given: dict[str, Any]
) -> None:
    with pytest.raises(psycopg.errors.IntegrityError):
        add_suppression(sample, **{"reason": "x", **given})


def test_installing_again_keeps_watermarks_and_suppressions(
    sample: Sandbox, new_database: Any
) -> None:
    dsn = new_database()
    installed(dsn)
    execute(
        dsn,
        "INSERT INTO cloudtrail.cloudtrail_check_run VALUES ('a', now(), now(), 'me', 1, 0)",
        "ALTER FOREIGN TABLE cloudtrail.cloudtrail_event ADD COLUMN surplus text",
    )
    installed(dsn)
    assert len(rows(dsn, RUNS)) == 1
