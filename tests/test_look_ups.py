"""A join's look-ups through SQL: the rows of single ones, in few calls of Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from servers import Db, Sandbox, start
from test_addresses_ahead import record

ODD = [
    "2600:1F18:AA::1", "2600:1f18:aa::1", "2600:1f18:00aa::1", "::ffff:82.102.17.180",
    "2002:5266:11b4::1", "fe80::1%eth0", "82.102.17.180/32", "2600:1f18:aa::1/128", "10.0.0.0/8",
    "082.102.017.180", " 82.102.17.180 ", "82.102.17.180", "AWS Internal", "aws internal", "",
    "s3.amazonaws.com", "host.example", "caf\u00e9.example", "\u4e2d", "x" * 400, "256.1.1.1",
]  # fmt: skip
PLAIN = [f"9.{number // 200}.{number % 200}.7" for number in range(3000)]
# The odd ones among those that come ahead, and all of them again.
SOURCES = [*PLAIN[:1500], *ODD, *PLAIN[1500:], *reversed(ODD), *PLAIN[::3]]
COLUMNS = "i.ip, i.address, i.address_class, i.country_code, i.latitude, i.asn, i.aws_services"
JOIN = (
    f"SELECT e.source_ip_address, {COLUMNS} FROM cloudtrail_event AS e "
    "{} JOIN ip_enrichment AS i ON i.ip = e.source_ip_address"
)


@pytest.fixture(scope="module")
def server(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Events of thousands of sources."""
    path = tmp_path_factory.mktemp("look-ups") / "events.jsonl"
    path.write_text("\n".join(record(n % 3600, text) for n, text in enumerate(SOURCES)) + "\n")
    yield from start(kind, "look-ups", "--events", str(path))


@pytest.fixture
def db(server: Sandbox) -> Iterator[Db]:
    """A session whose joins ask for each row by itself."""
    with server.session() as session:
        yield session


def single(db: Db, text: str) -> tuple[Any, ...]:
    """The row of one key, asked for alone."""
    sql = f"SELECT {COLUMNS} FROM ip_enrichment AS i WHERE ip = %s"
    (row,) = db.execute(sql.encode(), [text]).fetchall()
    return row


def look_ups(db: Db, query: str) -> list[int]:
    """How often each scan asked Python for a key, as EXPLAIN says; the last scan first."""
    ((plan,),) = db.execute(("EXPLAIN (ANALYZE, FORMAT JSON) " + query).encode()).fetchall()
    found, left = [], [plan[0]["Plan"]]
    while left:
        node = left.pop()
        found += [node["Look-ups"]] if "Look-ups" in node else []
        left += node.get("Plans", [])
    return found


@pytest.mark.parametrize("work_mem", ["4MB", "64kB"])
@pytest.mark.parametrize("kind_of_join", ["", "LEFT"])
def test_a_join_has_the_rows_of_single_look_ups(db: Db, kind_of_join: str, work_mem: str) -> None:
    db.execute(f"SET work_mem = '{work_mem}'".encode())
    found = db.execute(JOIN.format(kind_of_join).encode()).fetchall()
    assert len(found) == len(SOURCES)
    expected = {text: single(db, text) for text in SOURCES}
    assert {row[0] for row in found} == set(SOURCES)
    assert [row for row in found if row[1:] != expected[row[0]]] == []


def test_a_join_asks_python_for_many_keys_at_once(db: Db) -> None:
    (calls,) = look_ups(db, JOIN.format(""))
    assert 10 < calls < len(set(SOURCES)) / 30
    twice = JOIN.format("") + " JOIN ip_enrichment AS j ON j.ip = e.source_ip_address"
    assert all(calls < len(set(SOURCES)) / 30 for calls in look_ups(db, twice))
    chosen = JOIN.format("") + " WHERE i.address_class = 'public' AND i.asn IS NULL"
    assert all(calls < len(set(SOURCES)) / 30 for calls in look_ups(db, chosen))
    found = db.execute(chosen.encode()).fetchall()
    assert {row[0] for row in found} >= set(PLAIN)
    assert {(row[3], row[6]) for row in found} == {("public", None)}
    other = "(SELECT upper(source_ip_address) AS ip FROM cloudtrail_event OFFSET 0) AS e"
    query = f"SELECT count(i.city) FROM {other} JOIN ip_enrichment AS i USING (ip)"
    assert look_ups(db, query)  # of some that no event has


def test_a_limit_asks_for_what_it_needs(db: Db) -> None:
    assert look_ups(db, JOIN.format("") + " LIMIT 3") == [3]


def test_each_statement_and_each_scan_asks_anew(db: Db) -> None:
    """A function's queries are of one statement, and have one key each."""
    db.execute(
        b"CREATE FUNCTION pg_temp.country(text) RETURNS text LANGUAGE plpgsql AS "
        b"'BEGIN RETURN (SELECT country_code FROM ip_enrichment WHERE ip = $1); END'"
    )
    found = db.execute(
        b"SELECT source_ip_address, pg_temp.country(source_ip_address) FROM cloudtrail_event"
    ).fetchall()
    assert dict(found) == {text: single(db, text)[3] for text in SOURCES}


def test_rows_are_those_of_the_settings_in_force(db: Db) -> None:
    """What came ahead was of no scan but its own."""
    query = JOIN.format("").replace("i.ip,", "i.reverse_dns_status,")
    db.execute("SET cloudtrail_fdw.network_enrichment = off")
    found = db.execute(query.encode()).fetchall()
    assert {row[1] for row in found} == {"not_requested"}
    assert json.dumps([row[0] for row in found]) == json.dumps(
        [row[0] for row in db.execute(b"SELECT source_ip_address FROM cloudtrail_event").fetchall()]
    )
