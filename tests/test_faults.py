"""What goes wrong at AWS ends in all rows, or in an error that says what to do."""

from __future__ import annotations

import gc
import urllib.request
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from scan_service import append
from servers import SHAPES, Sandbox, start

Db = psycopg.Connection[tuple[Any, ...]]
COUNT = "SELECT count(*) FROM cloudtrail_event"
NEWEST = "FROM cloudtrail_event ORDER BY timestamp DESC LIMIT 7"
RANKED = ("FROM (SELECT timestamp, row_number() OVER (ORDER BY timestamp DESC) AS rank"
          " FROM cloudtrail_event) e WHERE rank <= 7 GROUP BY rank ORDER BY rank")  # fmt: skip


@pytest.fixture(autouse=True)
def asked_of_aws(request: pytest.FixtureRequest) -> None:
    """Every answer of the shared session comes from AWS, none from the cache."""
    if "db" in request.fixturenames:
        request.getfixturevalue("db").execute("SET cloudtrail_fdw.cache = off")


@pytest.fixture
def fault(sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[str]:
    """Switch one fault of the local AWS on for the test."""
    name = str(request.param)
    # a group's name is looked for among the trails' first
    only = "&action=FilterLogEvents" if "lasting" in request.node.name else ""
    switch = f"{sandbox.state['aws_endpoint']}/_sandbox/fault?name={name}{only}&on="
    urllib.request.urlopen(f"{switch}1", b"").close()
    yield name
    urllib.request.urlopen(f"{switch}0", b"").close()


def text(error: psycopg.Error) -> str:
    """All that the client may read of the error."""
    diag = error.diag
    return "\n".join(filter(None, (diag.message_primary, diag.message_detail, diag.message_hint)))


@pytest.mark.parametrize(
    "fault",
    ["throttle-some", "empty-pages", "invalid-pattern", "oldest-first-only"],
    indirect=True,
)
def test_passing_faults_cost_no_row(sandbox: Sandbox, db: Db, fault: str) -> None:
    assert db.execute(COUNT).fetchone() == (96,)
    times = f"SELECT array(SELECT timestamp {NEWEST}), array(SELECT max(timestamp) {RANKED})"
    newest, right = db.execute(times).fetchone() or (0, 1)
    assert newest == right
    named = "SELECT count(*) FROM cloudtrail_event WHERE event_name = 'RunInstances'"
    assert db.execute(named).fetchone() == (1,)


ERRORS = [
    ("access-denied", "AWS refused logs:FilterLogEvents", "Allow logs:FilterLogEvents"),
    ("kms-denied", "AWS refused logs:FilterLogEvents", "allow kms:Decrypt on its KMS key"),
    ("policy-denied", "AWS refused logs:FilterLogEvents", "deny in a service control policy"),
    ("expired-token", "AWS refused logs:FilterLogEvents", "Renew the AWS credentials"),
    ("invalid-signature", "AWS refused logs:FilterLogEvents", "clock"),
    ("not-found", 'log group "shapes" does not exist', "cloudtrail_trail"),
    ("server-error", "AWS refused logs:FilterLogEvents", "try again later"),
    ("service-unavailable", "AWS refused logs:FilterLogEvents", "try again later"),
    ("truncated-json", "cannot reach AWS", "run the query again"),
    ("html-body", "cannot reach AWS", "run the query again"),
    ("reset", "cannot reach AWS", "run the query again"),
    ("short-body", "cannot reach AWS", "run the query again"),
]


@pytest.mark.parametrize(
    ("fault", "message", "hint"), ERRORS, indirect=["fault"], ids=[e[0] for e in ERRORS]
)
def test_lasting_faults_are_errors(
    sandbox: Sandbox, db: Db, fault: str, message: str, hint: str
) -> None:
    with pytest.raises(psycopg.Error) as raised:
        db.execute(f"{COUNT} WHERE log_group_name = 'shapes'")
    assert message in text(raised.value)
    assert hint in text(raised.value)
    assert "AKID" not in text(raised.value)


@pytest.mark.parametrize("fault", ["truncated-json", "html-body"], indirect=True)
def test_half_an_answer_is_not_an_empty_one(db: Db, fault: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        db.execute("SELECT * FROM cloudtrail_trail")
    assert "cannot reach AWS" in text(raised.value)


TRAILS = [
    ("no-trail", "no trail of this account delivers to CloudWatch Logs"),
    ("trail-without-group", "no trail of this account delivers to CloudWatch Logs"),
]


@pytest.mark.parametrize(("fault", "message"), TRAILS, indirect=["fault"])
def test_without_a_trail_the_group_must_be_named(db: Db, fault: str, message: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        db.execute(COUNT)
    assert message in text(raised.value)
    assert "log_group_name" in text(raised.value)


def test_killing_the_service_in_mid_scan_is_an_error(kind: str) -> None:
    for sandbox in start(kind, "killed", "--events", str(SHAPES), "--scan-mb", "0.01"):
        with sandbox.connect() as db:
            db.execute("SET cloudtrail_fdw.cache = off")
            assert db.execute(COUNT).fetchone() == (96,)
            sandbox.command("fault", "die-after-pages", "on")
            with pytest.raises(psycopg.Error) as raised:
                db.execute(COUNT)
            assert "cannot reach AWS" in text(raised.value)
            assert "run the query again" in text(raised.value)


def test_a_chain_that_breaks_is_an_error(kind: str) -> None:
    broken = {
        "repeated-token": "the same nextToken 7 times in a row",
        "expired-next-token": "AWS refused logs:FilterLogEvents",
    }
    for sandbox in start(kind, "paged", "--events", str(SHAPES), "--scan-mb", "0.01"):
        with sandbox.connect() as db:
            for fault, message in broken.items():
                sandbox.command("fault", fault, "on")
                with pytest.raises(psycopg.Error) as raised:
                    db.execute(COUNT)
                assert message in text(raised.value)
                sandbox.command("fault", fault, "off")
            assert db.execute(COUNT).fetchone() == (96,)


def test_a_token_that_comes_again_is_waited_out(kind: str) -> None:
    for sandbox in start(kind, "patient", "--events", str(SHAPES), "--scan-mb", "0.01"):
        for number in range(120):  # three pages of groups
            append(sandbox, f"g{number}", [])
        with sandbox.connect() as db:
            db.execute("SET cloudtrail_fdw.cache = off")
            history = db.execute("SELECT count(*) FROM cloudtrail_event_history").fetchone()
            sandbox.command("fault", "patient-token", "on")
            assert db.execute(COUNT).fetchone() == (96,)
            newest = f"SELECT count(*), count(DISTINCT log_event_id) FROM (SELECT * {NEWEST}) e"
            assert db.execute(newest).fetchone() == (7, 7)
            history_now = db.execute("SELECT count(*) FROM cloudtrail_event_history").fetchone()
            assert history_now == history
            assert db.execute("SELECT count(*) FROM cloudwatch_log_group").fetchone() == (121,)


@pytest.mark.parametrize("fault", ["empty-pages"], indirect=True)
@pytest.mark.parametrize("limit", ["max_calls = 5", "max_bytes = 100"])
def test_a_budget_ends_the_scan_with_its_name(db: Db, fault: str, limit: str) -> None:
    db.execute(f"SET cloudtrail_fdw.{limit}")
    with pytest.raises(psycopg.Error) as raised:
        db.execute(COUNT)
    assert f"the scan reached {limit} before it was complete" in text(raised.value)
    assert "Bound event_time" in text(raised.value)


def test_thousands_of_errors_leave_the_session_well(db: Db) -> None:
    for _ in range(3000):
        with pytest.raises(psycopg.Error, match="given addresses only"):
            db.execute("SELECT 1 FROM ip_enrichment")
    assert db.execute(COUNT).fetchone() == (96,)


def resident(db: Db) -> int:
    """Private memory of the backend in kB."""
    pid = db.info.backend_pid
    row = db.execute(
        f"SELECT substring(pg_read_file('/proc/{pid}/status') from 'RssAnon:\\s+(\\d+)')::int"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_memory_does_not_grow_with_queries(db: Db) -> None:
    query = (
        "SELECT count(city) FROM cloudtrail_event e"
        " JOIN ip_enrichment i ON i.ip = e.source_ip_address"
    )
    for _ in range(10):
        db.execute(query)
    before = resident(db)
    for _ in range(40):
        db.execute(query)
    gc.collect()
    assert resident(db) - before < 8_000
