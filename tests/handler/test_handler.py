"""The handler around Multicorn's, on real servers with a real wrapper class behind it."""

from __future__ import annotations

import re
from contextlib import closing
from itertools import product
from typing import Any

import psycopg
import pytest
from matrix import CRASH, RIGHT, WRONG, connect, ending, reference
from probe_servers import WITH, Probe
from statements import STATEMENTS, Statement

RUNS = ("plain", "EXPLAIN", "FORMAT JSON", "auto_explain")
Session = psycopg.Connection[tuple[Any, ...]]
# What the handler refuses, as it cannot be proven: the table says that it needs its key.
REFUSED = {"textarray key = column"}


def explain(session: Session, sql: str, options: str = "COSTS OFF") -> list[str]:
    return [row[0] for row in session.execute(f"EXPLAIN ({options}) {sql}").fetchall()]


def labels(lines: list[str], label: str) -> list[str]:
    found = (line.strip() for line in lines)
    return [line[len(label) + 2 :] for line in found if line.startswith(f"{label}: ")]


def one(session: Session, sql: str) -> Any:
    row = session.execute(sql).fetchone()
    assert row is not None
    return row[0]


def seen(session: Session, condition: str) -> str:
    """The quals that Python got for a condition which some row fulfils."""
    return str(one(session, f"SELECT seen FROM facts WHERE {condition} LIMIT 1"))


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s.what)
def test_no_statement_crashes_or_lies(probed: Probe, statement: Statement) -> None:
    modes = ("force_generic_plan", "force_custom_plan") if statement.parameters else ("",)
    first = STATEMENTS.index(statement) % len(RUNS)  # so that each is a session's first somewhere
    with closing(connect(probed, WITH)) as session:
        right = reference(session, statement)
        for run, mode in product(RUNS[first:] + RUNS[:first], modes):
            session.execute("DISCARD ALL")
            found = ending(session, statement, run, mode, right)
            assert found not in (CRASH, WRONG), (run, mode, found)
            assert found == RIGHT or statement.what in REFUSED, (run, mode, found)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("t = 'alpha'", "t = 'alpha'"),
        ("'alpha' = t", "t = 'alpha'"),
        ("b", "b = 't'"),
        ("NOT b", "b = 'f'"),
        ("b IS UNKNOWN", "b = None"),
        ("b IS NOT TRUE", ""),
        ("t IN ('alpha', 'beta')", "t ('=', True) ['alpha', 'beta']"),
        ("t NOT IN ('alpha', 'beta')", "t ('<>', False) ['alpha', 'beta']"),
        ("t <> ANY (ARRAY['alpha', 'beta'])", ""),
        ("ci = 'ALPHA'", ""),
        ("bp = 'ab'", ""),
        ("n = 1.1", ""),
        ("id = 7::bigint", ""),
        ("big = 7", "big = '7'"),
        ("7 = big", "big = '7'"),
        ("big = 7::smallint", ""),
        ("t <> current_user", "t <> 'postgres'"),
        ("c = '10.1.0.0/16'", "c = '10.1.0.0/16'"),
        ("ts > '2024-01-05 01:02:03.4+02'", "ts > '2024-01-04 23:02:03.4+00'"),
        ("ts > date '2024-01-05'", "ts > '2024-01-05 05:00:00+00'"),
        ("ts > timestamp '2024-01-05 01:02:03.9'", "ts > '2024-01-05 06:02:03.9+00'"),
        ("ts < date '5874897-12-31'", "ts < 'infinity'"),
        ("t = (SELECT txt FROM cases WHERE id = 1)", "t = 'beta'"),
    ],
)
def test_what_python_gets_is_proven(session: Session, condition: str, expected: str) -> None:
    session.execute("SET TimeZone = 'America/New_York'")
    session.execute("SET DateStyle = 'German'")
    assert seen(session, condition) == expected


def test_a_collation_in_which_other_texts_are_equal_is_left_to_postgresql(session: Session) -> None:
    """Where PostgreSQL was built without ICU no collation is such a one."""
    bare = one(session, "SELECT count(*) FROM pg_collation WHERE NOT collisdeterministic") == 0
    rows = session.execute("SELECT seen FROM facts WHERE nd = 'ALPHA'").fetchall()
    assert {seen for (seen,) in rows} == (set() if bare else {""})


def test_null_operand_asks_nothing(session: Session) -> None:
    """A look-up by NULL would be one without a key, which is an error."""
    sql = "SELECT count(*) FROM cases c LEFT JOIN keyed_text k ON k.k = c.txt"
    assert one(session, sql) == 20


def test_wanted_columns_are_all(session: Session) -> None:
    asked = one(session, "SELECT to_jsonb(x) ->> 'asked' FROM facts AS x LIMIT 1")
    assert {"id", "t", "seen", "nd"} <= set(asked.split(","))
    assert one(session, "SELECT asked FROM facts WHERE t = 'alpha' LIMIT 1") == "asked,t"
    hidden = "SELECT asked FROM facts WHERE ci = 'ALPHA' OR bp = 'x' LIMIT 1"
    assert one(session, hidden) == "asked,bp,ci"


def test_no_join_condition_is_lost(session: Session) -> None:
    sql = "SELECT count(*) FROM cases c JOIN keyed_text k ON k.k = c.txt AND k.label = c.vc"
    assert one(session, sql) == 0


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_prepared_ten_times(session: Session, mode: str) -> None:
    session.execute(f"SET plan_cache_mode = {mode}")
    session.execute(
        "PREPARE p(timestamptz, int) AS SELECT c.id, k.k FROM cases c "
        "JOIN keyed_inet k ON k.k = c.addr WHERE c.at > $1 AND c.id < $2"
    )
    plans, rows = set(), set()
    for _ in range(10):
        execute = "EXECUTE p('2024-01-04+00', 12)"
        rows.add(tuple(sorted(session.execute(execute).fetchall())))
        plans.add("\n".join(explain(session, execute)))
    assert len(plans) == 1
    assert [len(found) for found in rows] == [8]


def test_labels_have_one_value_each(session: Session) -> None:
    sql = "SELECT c.id FROM cases c JOIN keyed_inet k ON k.k = c.addr"
    text = explain(session, sql)
    assert labels(text, "Waits For") == ["k"]
    # from PostgreSQL 16 on a join's condition has the inner side first
    (shown,) = labels(text, "Runtime Bounds")
    assert [shown] == labels(text, "Filter")
    assert shown in ("(c.addr = k)", "(k = c.addr)")
    plan = one(session, f"EXPLAIN (FORMAT JSON, ANALYZE, VERBOSE) {sql}")[0]["Plan"]
    while "Plans" in plan:
        plan = plan["Plans"][-1]
    assert plan["Waits For"] == "k"
    assert plan["Runtime Bounds"] in ("(c.addr = k.k)", "(k.k = c.addr)")
    xml = one(session, f"EXPLAIN (FORMAT XML) {sql}")
    assert xml.count(f"<Runtime-Bounds>{shown}</Runtime-Bounds>") == 1


def test_explain_evaluates_stable_operands(session: Session) -> None:
    lines = explain(session, "SELECT FROM facts WHERE ts < now() AND t = current_user")
    (quals,) = labels(lines, "Quals")
    assert re.fullmatch(r"t = 'postgres'; ts < '\d{4}-.*\+00'", quals)
    assert not labels(lines, "Runtime Bounds")


def test_sorted_only_for_a_limit(session: Session) -> None:
    sql = "SELECT d FROM facts ORDER BY d DESC"
    assert any("Sort" in line for line in explain(session, sql))
    assert not any("Sort" in line for line in explain(session, f"{sql} LIMIT 3"))


@pytest.mark.parametrize(
    ("sql", "state"),
    [
        ("SELECT * FROM broken", "HV00R"),
        ("EXPLAIN SELECT * FROM broken", "HV00R"),
        ("SELECT * FROM failing", "HV00L"),
        ("SELECT * FROM keyed_text", "HV00L"),
        ("IMPORT FOREIGN SCHEMA x FROM SERVER probe INTO public", "HV00Q"),
        ("INSERT INTO facts (id) VALUES (1)", "0A000"),
        ("DELETE FROM facts", "0A000"),
    ],
)
def test_errors_have_their_state(session: Session, sql: str, state: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        session.execute(sql)
    assert caught.value.sqlstate == state
    assert "Error in python" not in str(caught.value)
    assert one(session, "SELECT count(*) FROM facts WHERE id < 3") == 3


def test_error_keeps_detail_and_hint(session: Session) -> None:
    with pytest.raises(psycopg.Error) as caught:
        session.execute("SELECT * FROM failing")
    found = caught.value.diag
    assert found.message_primary == "it failed"
    assert (found.message_detail, found.message_hint) == ("the detail", "the hint")


def test_class_that_cannot_be_imported(session: Session) -> None:
    session.execute("DROP SERVER IF EXISTS absent CASCADE")
    session.execute(
        "CREATE SERVER absent FOREIGN DATA WRAPPER probe OPTIONS (wrapper 'absent.Absent')"
    )
    session.execute("CREATE FOREIGN TABLE absent (x int) SERVER absent")
    for _ in range(3):
        with pytest.raises(psycopg.errors.InternalError_):
            session.execute("SELECT * FROM absent")


def test_no_join_reads_a_keyed_table_without_its_key(session: Session) -> None:
    session.execute("SET enable_nestloop = off")
    sql = "SELECT count(*) FROM cases c JOIN keyed_text k ON k.k = c.txt"
    assert labels(explain(session, sql), "Waits For") == ["k"]
    assert one(session, sql) == 17


def test_whole_log_has_no_crash(probed: Probe) -> None:
    """Comes last: no backend behind the handler died of a signal."""
    assert "terminated by signal" not in probed.log
