"""The statements that Multicorn runs, and those that it lets no FDW run without a handler."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from servers import Sandbox

WITHOUT_HANDLER_TOO = True
Db = psycopg.Connection[tuple[Any, ...]]
EVENTS = "cloudtrail_event e"
JOIN = f"FROM {EVENTS} JOIN ip_enrichment i ON i.ip = "
# (name, statement, EXPLAIN kills Multicorn 1.4, EXPLAIN kills Multicorn2)
STATEMENTS = [
    ("text key", f"SELECT count(*) {JOIN} e.source_ip_address", False, False),
    ("left join", f"SELECT count(i.ip) FROM {EVENTS} LEFT JOIN ip_enrichment i"
     " ON i.ip = e.source_ip_address", False, False),
    ("function on the key", f"SELECT count(*) {JOIN} host(e.source_ip)", True, False),
    ("in sub-select", "SELECT count(*) FROM ip_enrichment i WHERE i.ip IN"
     f" (SELECT e.source_ip_address FROM {EVENTS})", False, False),
    ("any array sub-select", "SELECT count(*) FROM ip_enrichment i WHERE i.ip = ANY (ARRAY"
     f" (SELECT e.source_ip_address FROM {EVENTS}))", False, True),
    ("lateral", f"SELECT count(*) FROM {EVENTS}, LATERAL (SELECT * FROM ip_enrichment i"
     " WHERE i.ip = e.source_ip_address) l", False, False),
    ("scalar sub-select", "SELECT (SELECT i.address_class FROM ip_enrichment i"
     f" WHERE i.ip = e.source_ip_address) FROM {EVENTS}", False, False),
    ("init plan", "SELECT count(*) FROM ip_enrichment i WHERE i.ip ="
     f" (SELECT min(e.source_ip_address) FROM {EVENTS})", False, False),
    ("stable function", f"SELECT count(*) FROM {EVENTS} WHERE e.event_time"
     " > now() - interval '100 years'", False, False),
    ("cte", f"WITH a AS MATERIALIZED (SELECT DISTINCT source_ip_address FROM {EVENTS})"
     " SELECT count(*) FROM a JOIN ip_enrichment i ON i.ip = a.source_ip_address", False, False),
    ("self-join", f"SELECT count(*) FROM {EVENTS} JOIN cloudtrail_event f"
     " USING (log_event_id)", False, False),
]  # fmt: skip
EXPLAINS = ["EXPLAIN", "EXPLAIN (VERBOSE, FORMAT JSON)", "EXPLAIN (ANALYZE, FORMAT YAML)"]


@pytest.mark.parametrize(
    ("statement", "fatal_1_4", "fatal_2"),
    [s[1:] for s in STATEMENTS],
    ids=[s[0] for s in STATEMENTS],
)
def test_statements_run_and_explain(
    sandbox: Sandbox, statement: str, fatal_1_4: bool, fatal_2: bool
) -> None:
    fatal = fatal_2 if sandbox.state["server"] != "private" else fatal_1_4
    fatal = fatal and sandbox.bare
    with sandbox.connect() as db:
        first = db.execute(statement).fetchall()
        assert first
        assert db.execute(statement).fetchall() == first
        if fatal:
            return  # listed in docs/limits.md
        for explain in EXPLAINS:
            assert db.execute(f"{explain} {statement}").fetchall()


def test_what_joins_to_an_address_is_right(db: Db) -> None:
    counts = {
        name: db.execute(statement).fetchone()
        for name, statement, *_ in STATEMENTS
        if name in ("text key", "left join", "lateral")
    }
    expected = db.execute(f"SELECT count(source_ip_address) FROM {EVENTS}").fetchone()
    assert set(counts.values()) == {expected}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_prepared_look_ups_ten_times(db: Db, mode: str) -> None:
    db.execute(f"SET plan_cache_mode = {mode}")
    db.execute("PREPARE p (text) AS SELECT aws_range_class FROM ip_enrichment WHERE ip = $1")
    for _ in range(10):
        assert db.execute("EXECUTE p ('54.240.200.68')").fetchone() == ("infrastructure",)
        assert db.execute("EXECUTE p ('3.141.213.252')").fetchone() == ("ec2",)
        assert db.execute("EXECUTE p (NULL)").fetchone() is None
    assert db.execute("EXPLAIN EXECUTE p ('54.240.200.68')").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM ip_enrichment",
        "SELECT * FROM ip_enrichment WHERE country_code = 'JP'",
        "SELECT * FROM ip_enrichment WHERE ip LIKE '10.%'",
        f"SELECT count(*) FROM {EVENTS} FULL JOIN ip_enrichment i ON i.ip = e.source_ip_address",
    ],
)
def test_without_a_key_the_error_says_how(db: Db, statement: str) -> None:
    with pytest.raises(psycopg.Error, match="given addresses only"):
        db.execute(statement)


def test_a_cursor_can_be_read_in_pieces(db: Db) -> None:
    db.execute("BEGIN")
    db.execute("DECLARE c CURSOR WITH HOLD FOR SELECT log_event_id FROM cloudtrail_event")
    first = db.execute("FETCH 10 FROM c").fetchall()
    db.execute("COMMIT")
    rest = db.execute("FETCH ALL FROM c").fetchall()
    assert len(set(first + rest)) == len(first) + len(rest) == 96


def test_ordinary_statements_around_the_tables(db: Db) -> None:
    db.execute("CREATE TEMP TABLE t AS SELECT * FROM cloudtrail_event WHERE read_only")
    db.execute(
        "CREATE VIEW pg_temp.v AS SELECT event_name, count(*) c FROM cloudtrail_event GROUP BY 1"
    )
    assert db.execute("SELECT sum(c) FROM pg_temp.v").fetchone() == (96,)
    with (
        db.cursor() as cursor,
        cursor.copy("COPY (SELECT message FROM cloudtrail_event) TO STDOUT") as copy,
    ):
        assert sum(1 for _ in copy) == 96
    with pytest.raises(psycopg.Error):
        db.execute("DELETE FROM cloudtrail_event")
    with pytest.raises(psycopg.Error):
        db.execute("INSERT INTO cloudtrail_event (event_name) VALUES ('x')")
