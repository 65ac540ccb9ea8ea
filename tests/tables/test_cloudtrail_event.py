from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw.declare import Column
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.tables.event_columns import COLUMNS
from cloudtrail_fdw.tables.event_rows import page_rows
from servers import REAL, SHAPES, Sandbox, start

Db = psycopg.Connection[tuple[Any, ...]]
# What PostgreSQL's own operators extract from the message, by type of column.
EXTRACT = {
    # what is no string is its JSON as written, which is what the type json keeps
    "text": "CASE jsonb_typeof(message::jsonb #> '{{{path}}}') WHEN 'string'"
    " THEN message::jsonb #>> '{{{path}}}' ELSE message::json #>> '{{{path}}}' END",
    "jsonb": "nullif(message::jsonb #> '{{{path}}}', 'null')",
    "boolean": "CASE WHEN message::jsonb #>> '{{{path}}}' IN ('true', 'false')"
    " THEN (message::jsonb #>> '{{{path}}}')::boolean END",
}
EXTRACTED = [column for column in COLUMNS if column.path and column.type in EXTRACT]


def lines(path: Path) -> list[str]:
    """The file's events as the log has them."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        data: bytes = file.read()
    return data.decode().removesuffix("\n").split("\n")


@pytest.fixture(scope="module", params=["shapes", "real"])
def events(request: pytest.FixtureRequest, kind: str) -> Iterator[tuple[Sandbox, list[str]]]:
    """Sandboxes of hand-written records and, where they are at hand, of real ones."""
    if request.param == "shapes":
        yield request.getfixturevalue("sandbox"), lines(SHAPES)
    elif REAL.exists():
        for sandbox in start(kind, "real", "--events", str(REAL)):
            yield sandbox, lines(REAL)
    else:
        yield request.getfixturevalue("sample"), []


def compare(column: Column, expected: str) -> str:
    """A query that counts the rows whose column differs from what PostgreSQL extracts."""
    return (
        f"SELECT count(*) FILTER (WHERE {column.name} IS DISTINCT FROM {expected})"
        f", min({column.name}::text) FILTER (WHERE {column.name} IS DISTINCT FROM {expected})"
    )


def test_every_event_is_one_row(events: tuple[Sandbox, list[str]]) -> None:
    sandbox, messages = events
    with sandbox.connect() as db:
        found = [row[0] for row in db.execute("SELECT message FROM cloudtrail_event")]
        assert db.execute("SELECT count(*) FROM cloudtrail_event").fetchone() == (len(found),)
    if messages:
        assert sorted(found) == sorted(m.replace("\0", "\ufffd") for m in messages)


def test_every_field_is_what_postgresql_extracts(events: tuple[Sandbox, list[str]]) -> None:
    sandbox, _messages = events
    with sandbox.connect() as db:
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM cloudtrail_event")
        # jsonb itself cannot read what holds NUL, lone surrogates or endless numbers
        db.execute(
            "DELETE FROM copy WHERE jsonb_typeof(try_jsonb(message)) IS DISTINCT FROM 'object'"
        )
        db.execute("DELETE FROM copy WHERE cloudtrail_event IS NULL")  # nested too deeply
        kept = db.execute("SELECT count(*) FROM copy").fetchone()
        assert kept is not None
        assert kept[0] > 40
        for column in EXTRACTED:
            expected = EXTRACT[column.type].format(path=",".join(column.path))
            differing = db.execute(f"{compare(column, expected)} FROM copy").fetchone()
            assert differing == (0, None), column.name
        assert db.execute(
            "SELECT count(*) FROM copy WHERE cloudtrail_event IS DISTINCT FROM message::jsonb"
        ).fetchone() == (0,)


def test_each_column_alone_is_that_of_whole_rows(events: tuple[Sandbox, list[str]]) -> None:
    sandbox, _messages = events
    with sandbox.connect() as db:
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM cloudtrail_event")
        for column in COLUMNS:
            digest = (
                f"SELECT md5(string_agg(digest, ',' ORDER BY digest)) FROM (SELECT "
                f"coalesce(md5({column.name}::text), 'null') AS digest FROM "
            )
            alone = db.execute(f"{digest} cloudtrail_event) AS digests").fetchone()
            whole = db.execute(f"{digest} copy) AS digests").fetchone()
            assert alone == whole, column.name


def test_event_time_is_the_records_or_the_delivery(events: tuple[Sandbox, list[str]]) -> None:
    sandbox, _messages = events
    with sandbox.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        rows = db.execute(
            "SELECT event_time, timestamp, cloudtrail_event ->> 'eventTime' FROM cloudtrail_event"
        ).fetchall()
    for event_time, delivered, written in rows:
        assert event_time is not None
        if re.fullmatch(r"\d{4}-(?!02-30)\d\d-\d\dT\d\d:\d\d:\d\dZ", written or ""):
            assert event_time.isoformat()[:19] == written[:19]
        elif not re.match(r"\d{4}-?\d\d-?(?!30)", written or ""):
            assert event_time == delivered


BEYOND = [  # what PostgreSQL's types cannot hold
    *(f'{{"eventTime":"{time}","userIdentity":{{"sessionContext":{{"attributes":'
      f'{{"creationDate":"{time}"}}}}}}}}'
      for time in ("0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
                   "2026-11-20T10:00:00Z\\n2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z\\n",
                   "2026-02-30T10:00:00Z", "2026-11-20T24:00:00Z")),
    *(f'{{"requestParameters":[{number}],"errorCode":[{number}]}}'
      for number in (f"0.{'1' * 7000}e-10000", f"0.{'1' * 9998}e-9999", f"{'1' * 9998}e9999",
                     f"0.{'1' * 16384}", "1" * 131_073, "1e131072", "0e-16384", "1e-99999")),
    '{"requestParameters":"\\u0000","resources":["\\ud800"],"sourceIPAddress":"fe80::1%\\u0000"}',
]  # fmt: skip


@pytest.mark.parametrize("together", [1, len(BEYOND)])
def test_postgresql_takes_every_value(db: Db, together: int) -> None:
    names = [column.name for column in COLUMNS]
    casts = ", ".join(f"%s::{column.type}" for column in COLUMNS)
    events = [LogEvent("s", 0, message, 0, "e") for message in BEYOND]
    make = page_rows(names, {"log_group_name": "g"})
    for start_at in range(0, len(events), together):
        for row in make(events[start_at : start_at + together]):
            assert db.execute(f"SELECT row({casts}) IS NOT NULL", row).fetchone() is not None


MALFORMED = "parse_error IS NOT NULL AND cloudtrail_event IS NULL"


def test_what_is_no_record_keeps_its_text_and_says_why(db: Db) -> None:
    rows = db.execute(
        f"SELECT message, parse_error, event_name, event_time = timestamp"
        f" FROM cloudtrail_event WHERE {MALFORMED} ORDER BY message"
    ).fetchall()
    found = {message[:20] for message, *_ in rows}
    assert {"", "17", "null", "[1,2]", "START RequestId: not", "raw \ufffd nul"} <= found
    assert all(fault and name is None and fallback for _m, fault, name, fallback in rows)


def test_addresses_become_inet_or_null(db: Db) -> None:
    rows = db.execute(
        "SELECT source_ip_address, host(source_ip), source_address_class FROM cloudtrail_event"
    ).fetchall()
    found = {address: (ip, kind) for address, ip, kind in rows}
    assert found["203.0.113.9"] == ("203.0.113.9", "documentation")
    assert found["253.252.51.07"][0] == "253.252.51.7"
    assert found["2600:1f18::1"] == ("2600:1f18::1", "public")
    assert found["ec2.amazonaws.com"] == (None, "aws_service")
    assert found["AWS Internal"] == (None, "aws_internal")
    assert found["192.0.2.0/24"][0] is None
    assert found["81.2.69.142, 192.168.10.10"][0] is None
    assert found[None] == (None, None)


def test_whole_rows_are_whole(db: Db) -> None:
    direct = db.execute(
        "SELECT log_event_id, message, event_name, user_arn FROM cloudtrail_event ORDER BY 1"
    ).fetchall()
    through_row = db.execute(
        "SELECT (e).log_event_id, (e).message, (e).event_name, (e).user_arn"
        " FROM (SELECT e FROM cloudtrail_event e) s ORDER BY 1"
    ).fetchall()
    assert direct == through_row
    names = db.execute(
        "SELECT row_to_json(e) ->> 'message' FROM cloudtrail_event e WHERE event_name = 'LastEvent'"
    ).fetchall()
    assert len(names) == 1
    assert names[0][0] is not None


def test_a_join_neither_loses_nor_doubles_events(events: tuple[Sandbox, list[str]]) -> None:
    sandbox, _messages = events
    with sandbox.connect() as db:
        counts = db.execute(
            "SELECT (SELECT count(*) FROM cloudtrail_event),"
            " (SELECT count(*) FROM cloudtrail_event e"
            " LEFT JOIN ip_enrichment i ON i.ip = e.source_ip_address),"
            " (SELECT count(source_ip_address) FROM cloudtrail_event),"
            " (SELECT count(*) FROM cloudtrail_event e"
            " JOIN ip_enrichment i ON i.ip = e.source_ip_address)"
        ).fetchone()
    assert counts is not None
    assert counts[0] == counts[1]
    assert counts[2] == counts[3]


def test_what_is_pushed_down_crosses_the_wire_no_more(sandbox: Sandbox, db: Db) -> None:
    sent = []
    db.execute("SET cloudtrail_fdw.cache = off")
    for clause in ("true", "event_name IN ('RunInstances', 'LastEvent')"):
        sandbox.reset()
        found = db.execute(f"SELECT count(*) FROM cloudtrail_event WHERE {clause}").fetchone()
        sent.append((sandbox.stats()["events"], found))
    assert sent == [(96, (96,)), (2, (2,))]


def test_columns_of_the_log_event_itself(db: Db) -> None:
    row = db.execute(
        "SELECT min(log_group_name), max(log_group_name), bool_and(log_group_region = 'us-east-1'),"
        " bool_and(log_group_account_id = '123456789012'), count(DISTINCT log_event_id),"
        " bool_and(ingestion_time >= timestamp), bool_and(log_stream_name <> ''),"
        " count(*) - count(filter) FROM cloudtrail_event"
    ).fetchone()
    assert row == ("shapes", "shapes", True, True, 96, True, True, 96)


def test_what_is_derived_from_the_identity(db: Db) -> None:
    rows = db.execute(
        "SELECT DISTINCT user_type, role_session_name, user_identifier FROM cloudtrail_event"
        " WHERE user_type IN ('AssumedRole', 'IAMUser', 'IdentityCenterUser')"
        " AND coalesce(user_arn, '') NOT LIKE 'arn: %' ORDER BY 1"
    ).fetchall()
    assert rows == [
        ("AssumedRole", "session-1", "arn:aws:sts::123456789012:assumed-role/Admin/session-1"),
        ("IAMUser", None, "arn:aws:iam::123456789012:user/alice"),
        ("IdentityCenterUser", None, None),
    ]
