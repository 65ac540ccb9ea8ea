"""cloudtrail_event_history, against PostgreSQL's own answer on a copy of it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw.sandbox import runtime
from servers import Sandbox, start

WITHOUT_HANDLER_TOO = True
Db = psycopg.Connection[tuple[Any, ...]]
MIDNIGHT = datetime(2026, 11, 20, tzinfo=timezone.utc)
COUNT = "SELECT count(*) FROM cloudtrail_event_history"


def record(number: int) -> dict[str, Any]:
    """A management record, ``number`` seconds after midnight; of other kinds now and then."""
    role = "arn:aws:sts::123456789012:assumed-role/admin/alice"
    identities: list[dict[str, Any]] = [
        {"type": "IAMUser", "userName": "bob", "accessKeyId": "AKIA1"},
        {"type": "AssumedRole", "arn": role, "accessKeyId": "ASIA2"},
        # the account's alias, by which Event History does not know the root user
        {"type": "Root", "userName": "alias", "accountId": "123456789012"},
    ]
    when = MIDNIGHT + timedelta(seconds=number)
    return {
        "eventTime": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventID": f"id-{number}",
        "eventName": f"Event{number % 7}",
        "eventSource": f"{('ec2', 's3')[number % 2]}.amazonaws.com",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1",
        "userIdentity": identities[number % 3],
        "readOnly": number % 5 == 0,
        "eventCategory": "Management",
        "requestParameters": {"bucketName": f"bucket-{number % 4}", "groupId": "sg-1"},
    }


@pytest.fixture(scope="session")
def history(kind: str) -> Iterator[Sandbox]:
    """A sandbox of 130 events, which are three pages."""
    folder = runtime.default_cache() / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    events = folder / "history.jsonl"
    events.write_text("".join(json.dumps(record(number)) + "\n" for number in range(130)))
    yield from start(kind, "history", "--events", str(events), "--log-group", "history")


def reset(history: Sandbox) -> None:
    """Forget the calls so far; quicker than the command line."""
    url = f"{history.state['aws_endpoint']}/_sandbox/reset-stats"
    urllib.request.urlopen(url, b"", timeout=10).close()


@pytest.fixture(scope="module")
def session(history: Sandbox) -> Iterator[Db]:
    """A reader's session, one for all tests: each new one imports boto3 anew."""
    with history.connect("reader_dsn") as connection:
        yield connection


@pytest.fixture
def db(history: Sandbox, session: Db) -> Db:
    """The session as it was at first, and the calls uncounted."""
    reset(history)
    session.execute("RESET ALL")
    session.execute("SET TimeZone = 'UTC'")
    return session


@pytest.fixture
def fault(history: Sandbox, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fault that is on during the test."""
    history.command("fault", request.param, "on")
    yield request.param
    history.command("fault", request.param, "off")


def calls(history: Sandbox) -> list[dict[str, Any]]:
    """The parameters of the LookupEvents calls since the last reset."""
    url = f"{history.state['aws_endpoint']}/_sandbox/requests"
    with urllib.request.urlopen(url, timeout=10) as answer:
        made = json.load(answer)
    return [call["parameters"] for call in made if call["action"] == "LookupEvents"]


def test_every_event_is_one_row_newest_first(history: Sandbox, db: Db) -> None:
    rows = db.execute(
        "SELECT event_id, event_time, message::jsonb = cloudtrail_event, event_category,"
        " host(source_ip), parse_error FROM cloudtrail_event_history"
    ).fetchall()
    expected = [
        (f"id-{n}", MIDNIGHT + timedelta(seconds=n), True, "Management", "192.0.2.1", None)
        for n in reversed(range(130))
    ]
    assert rows == expected
    assert len(calls(history)) == 3


PUSHED = [
    ("event_id = 'id-3'", "EventId"),
    ("event_name = 'Event3' AND event_id IN ('id-3', 'id-4')", "EventId"),
    ("username = 'bob' AND event_name = 'Event3'", "Username"),
    ("username = 'alice' AND access_key_id = 'ASIA2'", "Username"),
    ("username = 'alias'", "Username"),
    ("username IN ('root', 'nobody')", "Username"),
    ("access_key_id = 'AKIA1' AND event_name = 'Event1'", "AccessKeyId"),
    ("event_name IN ('Event1', 'Event2') AND event_source = 's3.amazonaws.com'", "EventName"),
    ("event_source = 's3.amazonaws.com' AND read_only", "EventSource"),
    ("read_only", "ReadOnly"),
    ("NOT read_only AND read_only IS NOT TRUE", "ReadOnly"),
    ("read_only IS NOT TRUE", ""),
    ("event_name = ''", ""),
    ("event_name <> 'Event1'", ""),
    ("event_name LIKE 'Event1%'", ""),
    ("event_name = 'Event1' OR event_name IS NULL", ""),
    (f"event_name = '{'x' * 2001}'", ""),
    (f"event_id IN ({', '.join(repr(f'id-{n}') for n in range(11))})", ""),
    ("event_time > '2026-11-20 00:00:09.5+00' AND event_time < '2026-11-20 00:00:20.5+00'", ""),
    ("event_time >= '2026-11-20 00:02:00+00' AND event_name = 'Event1'", "EventName"),
    ("event_time = '2026-11-20 00:00:07+00'", ""),
    ("event_time < '9999-12-31 23:59:59+00' AND event_time > '2009-01-01 00:00+00'", ""),
]


def test_what_is_pushed_loses_no_row(history: Sandbox, db: Db) -> None:
    with history.connect() as owner:
        owner.execute("CREATE TEMP TABLE copy AS SELECT * FROM cloudtrail_event_history")
        for where, attribute in PUSHED:
            query = "SELECT event_id FROM {} WHERE " + where + " ORDER BY event_time"
            expected = owner.execute(query.format("copy")).fetchall()
            reset(history)
            assert db.execute(query.format("cloudtrail_event_history")).fetchall() == expected, (
                where
            )
            sent = {
                asked["AttributeKey"]
                for call in calls(history)
                for asked in call.get("LookupAttributes", [])
            }
            chosen = {attribute} if attribute else set()
            # Multicorn's own handler does not hand over every boolean
            assert sent == chosen or (history.bare and not sent and "read_only" in where), where


def test_resources_are_looked_up_by_name_or_type(db: Db) -> None:
    def asked(where: str) -> list[Any]:
        query = (
            "SELECT DISTINCT resource_name, resource_type, jsonb_array_length(event_resources),"
            f" count(*) OVER () FROM cloudtrail_event_history WHERE {where}"
        )
        return db.execute(query).fetchall()

    assert asked("resource_name = 'bucket-1'") == [("bucket-1", None, 2, 33)]
    both = "resource_name = 'bucket-1' AND resource_type = 'AWS::S3::Bucket'"
    assert asked(both) == [("bucket-1", "AWS::S3::Bucket", 2, 33)]
    # the event has both, but they are two resources
    assert asked("resource_name = 'bucket-1' AND resource_type = 'AWS::EC2::SecurityGroup'") == []
    assert asked("resource_type = 'AWS::EC2::SecurityGroup'") == [
        (None, "AWS::EC2::SecurityGroup", 2, 130)
    ]
    assert asked("event_id = 'id-1' AND resource_name = 'bucket-1'") == [("bucket-1", None, 2, 1)]
    assert asked("event_id = 'id-1' AND resource_name = 'bucket-2'") == []
    contained = """event_resources @> '[{"ResourceName": "bucket-1"}]'"""
    assert asked(contained) == [(None, None, 2, 33)]
    for where in ("resource_name IN ('a', 'b')", "resource_type LIKE 'AWS%'", "resource_name = ''"):
        with pytest.raises(psycopg.Error) as raised:
            asked(where)
        assert "takes one value, by =" in str(raised.value)


def test_start_and_end_time_bound_the_window_by_equality(history: Sandbox, db: Db) -> None:
    query = (
        "SELECT count(*), min(event_time), max(event_time), min(start_time), max(end_time)"
        " FROM cloudtrail_event_history WHERE "
    )
    at = [MIDNIGHT + timedelta(seconds=n) for n in (10, 20)]
    both = "start_time = '2026-11-20 00:00:10+00' AND end_time = '2026-11-20 00:00:20+00'"
    assert db.execute(query + both).fetchone() == (11, *at, *at)
    assert len(calls(history)) == 1
    cut = [moment + timedelta(milliseconds=500) for moment in at]
    finer = both.replace("+00", ".5+00")
    inner = [MIDNIGHT + timedelta(seconds=n) for n in (11, 20)]
    assert db.execute(query + finer).fetchone() == (10, *inner, *cut)
    tighter = f"{both} AND event_time < '2026-11-20 00:00:12+00'"
    assert db.execute(query + tighter).fetchone() == (2, at[0], inner[0], *at)
    one = "start_time = '2026-11-20 00:02:00+00'"
    last = MIDNIGHT + timedelta(seconds=120)
    assert db.execute(query + one).fetchone() == (10, last, last + timedelta(seconds=9), last, None)
    # operands that are known at run time only
    since = "now() - interval '4000 days' AND end_time = now() + interval '1 day'"
    found = db.execute(f"{COUNT} WHERE start_time = {since}").fetchone()
    assert found == (130,)
    reset(history)
    never = "start_time = '2026-11-20 00:00:20+00' AND end_time = '2026-11-20 00:00:10+00'"
    assert db.execute(query + never).fetchone() == (0, None, None, None, None)
    assert calls(history) == []
    assert db.execute(COUNT + " WHERE start_time IS NULL AND end_time IS NULL").fetchone() == (130,)


@pytest.mark.parametrize(
    "where",
    [
        "start_time > '2026-11-20 00:00:10+00'",
        "start_time <> '2026-11-20 00:00:10+00'",
        "end_time BETWEEN '2026-11-20 00:00:10+00' AND '2026-11-20 00:00:11+00'",
        "start_time = 'infinity'",
    ],
)
def test_other_conditions_on_them_are_errors(db: Db, where: str) -> None:
    with pytest.raises(psycopg.Error, match="takes one value, a timestamptz, by ="):
        db.execute(f"{COUNT} WHERE {where}")


def test_a_moment_before_2006_is_one_unless_it_may_be_misread(history: Sandbox, db: Db) -> None:
    query = f"{COUNT} WHERE start_time = '2001-01-01 00:00+00'"
    if history.bare:
        with pytest.raises(psycopg.Error, match="takes one value, a timestamptz, by ="):
            db.execute(query)
        return
    assert db.execute(query).fetchone() == (130,)
    assert db.execute(query.replace("start", "end")).fetchone() == (0,)


def test_explain_shows_what_is_looked_up(history: Sandbox, db: Db) -> None:
    lines = db.execute(
        "EXPLAIN (COSTS OFF) SELECT * FROM cloudtrail_event_history WHERE username = 'bob'"
        " AND event_time > '2026-11-20 00:00:09.5+00' AND event_time < '2026-11-20 00:00:20.5+00'"
    ).fetchall()
    shown = [line.strip().replace("Multicorn: ", "") for (line,) in lines]
    window = "Window: 2026-11-20T00:00:09+00:00 to 2026-11-20T00:00:21+00:00 of event_time"
    for line in ("Region: us-east-1", window, "Lookup Attribute: Username = bob"):
        assert line in shown
    never = "event_time > '2026-11-21 00:00+00' AND event_time < '2026-11-20 00:00+00'"
    assert db.execute(f"{COUNT} WHERE {never}").fetchone() == (0,)
    assert calls(history) == []


@pytest.mark.parametrize("fault", ["throttle-some"], indirect=True)
def test_throttling_costs_no_row(history: Sandbox, db: Db, fault: str) -> None:
    assert db.execute(COUNT).fetchone() == (130,)
    assert history.stats()["throttles"] > 0


@pytest.mark.parametrize("fault", ["malformed-record"], indirect=True)
def test_a_malformed_record_is_a_row_that_says_so(db: Db, fault: str) -> None:
    row = db.execute(
        "SELECT event_time, event_name, username, user_type, parse_error, length(message) > 100"
        " FROM cloudtrail_event_history WHERE event_id = 'id-9'"
    ).fetchone()
    assert row is not None
    assert row[:4] == (MIDNIGHT + timedelta(seconds=9), "Event2", "bob", None)
    assert "not a JSON object" in row[4]
    assert row[5]


BROKEN = [
    ("repeated-token", "the same NextToken 7 times in a row"),
    ("truncated-json", "cannot reach AWS"),
    ("access-denied", "AWS refused cloudtrail:LookupEvents"),
]


@pytest.mark.parametrize(("fault", "message"), BROKEN, indirect=["fault"])
def test_a_chain_that_breaks_is_an_error(db: Db, fault: str, message: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        db.execute(COUNT)
    assert message in str(raised.value)


def test_a_budget_ends_the_scan_with_its_name(db: Db) -> None:
    db.execute("SET cloudtrail_fdw.max_calls = 2")
    with pytest.raises(psycopg.Error) as raised:
        db.execute(COUNT)
    assert "the scan reached max_calls = 2 before it was complete" in str(raised.value)
