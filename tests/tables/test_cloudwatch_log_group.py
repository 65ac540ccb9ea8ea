"""cloudwatch_log_group, over groups of the local AWS."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import Sandbox

Db = psycopg.Connection[tuple[Any, ...]]
ORDERED = 'SELECT name FROM {} {} ORDER BY name COLLATE "C"'
NAMES = sorted(["/app/a", "/app/ab", "/app/b", *(f"many/{n:02d}" for n in range(55)), "shapes"])


@pytest.fixture(scope="session")
def groups(sandbox: Sandbox) -> Sandbox:
    """The sandbox of shapes, with more groups than a page has."""
    for name in NAMES[:-1]:
        url = f"{sandbox.state['aws_endpoint']}/_sandbox/append?log-group={name}&class="
        log_class = "INFREQUENT_ACCESS" if name == "/app/b" else "STANDARD"
        urllib.request.urlopen(url + log_class, b"x\n", timeout=10).close()
    return sandbox


@pytest.fixture(scope="module")
def db(groups: Sandbox) -> Iterator[Db]:
    """A session, one for all tests: each new one imports boto3 anew."""
    with groups.connect() as connection:
        yield connection


def asked(groups: Sandbox, db: Db, where: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The names found, and the parameters of the calls made."""
    before = len(requests(groups))
    rows = db.execute(ORDERED.format("cloudwatch_log_group", where)).fetchall()
    found = [row[0] for row in rows]
    return found, [call["parameters"] for call in requests(groups)[before:]]


def requests(groups: Sandbox) -> list[dict[str, Any]]:
    """The calls so far."""
    url = f"{groups.state['aws_endpoint']}/_sandbox/requests"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return list(json.load(answer))


def test_every_group_is_one_row_from_as_many_pages_as_there_are(groups: Sandbox, db: Db) -> None:
    found, calls = asked(groups, db, "")
    assert found == NAMES
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("where", "prefixes"),
    [
        ("WHERE name = '/app/a'", ["/app/a"]),
        ("WHERE name IN ('/app/a', '/app/ab', 'no such')", ["/app/a", "/app/ab", "no"]),
        ("WHERE name LIKE '/app/%'", ["/app/"]),
        ("WHERE name LIKE 'many/\\_%' OR name = 'shapes'", [None, None]),
        ("WHERE name LIKE '/app/a{%'", ["/app/a"]),
        ("WHERE name = '/app/a' AND name LIKE '/app/b%'", ["/app/a"]),
        ("WHERE name LIKE '%a'", [None, None]),
        ("WHERE name IN ('b') AND name IN ('c')", []),
    ],
)
def test_what_is_pushed_loses_no_row(
    groups: Sandbox, db: Db, where: str, prefixes: list[Any]
) -> None:
    found, calls = asked(groups, db, where)
    db.execute("CREATE TEMP TABLE IF NOT EXISTS copy AS SELECT name FROM cloudwatch_log_group")
    rows = db.execute(ORDERED.format("copy", where)).fetchall()
    assert found == [row[0] for row in rows]
    assert [call.get("logGroupNamePrefix") for call in calls] == prefixes


def test_columns_are_those_of_the_api(groups: Sandbox, db: Db) -> None:
    row = db.execute(
        "SELECT arn, log_group_arn, log_group_class, creation_time < now(), retention_in_days,"
        " stored_bytes, metric_filter_count, kms_key_id, data_protection_status, region,"
        " account_id FROM cloudwatch_log_group WHERE name = '/app/b'"
    ).fetchone()
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:/app/b"
    assert row is not None
    assert row[:4] == (f"{arn}:*", arn, "INFREQUENT_ACCESS", True)
    assert row[4] is None
    assert row[5] > 0
    assert row[6:] == (0, None, None, "us-east-1", "123456789012")


def test_explain_shows_what_is_asked(groups: Sandbox, db: Db) -> None:
    for where, line in (
        ("name = 'x'", "Log Group: x"),
        ("name LIKE 'x%'", "Log Group Prefix: x"),
        ("arn = 'x'", "Log Group Prefix: none"),
    ):
        query = f"EXPLAIN (COSTS OFF) SELECT * FROM cloudwatch_log_group WHERE {where}"
        assert line in [row[0].strip() for row in db.execute(query)]


def test_half_an_answer_is_an_error(groups: Sandbox, db: Db) -> None:
    groups.command("fault", "truncated-json", "on")
    try:
        with pytest.raises(psycopg.Error, match="cannot reach AWS"):
            db.execute("SELECT * FROM cloudwatch_log_group")
    finally:
        groups.command("fault", "truncated-json", "off")
