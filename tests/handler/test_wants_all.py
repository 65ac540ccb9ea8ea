"""Whether the wrapper is told that a query will read all rows of a scan."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from probe_servers import WITHOUT, Probe

from cloudtrail_fdw.host.multicorn import Handler

Session = psycopg.Connection[tuple[Any, ...]]
PROBE = "probe_wants_all"
ALL, SOME = {True}, {False}
SET_UP = (
    "DROP SCHEMA IF EXISTS wants CASCADE",
    "CREATE SCHEMA wants",
    "SET search_path = wants, public",
    "DROP SERVER IF EXISTS told, heard CASCADE",
    f"CREATE SERVER told FOREIGN DATA WRAPPER probe OPTIONS (wrapper '{PROBE}.ToldFdw')",
    f"CREATE SERVER heard FOREIGN DATA WRAPPER probe OPTIONS (wrapper '{PROBE}.HeardFdw')",
    "CREATE FOREIGN TABLE heard (name text, moment text, told boolean) SERVER heard",
    "CREATE FOREIGN TABLE one (id int) SERVER told OPTIONS (table_name 'one')",
    "CREATE FOREIGN TABLE two (id int) SERVER told OPTIONS (table_name 'two')",
    "CREATE FOREIGN TABLE failing (id int) SERVER told OPTIONS (table_name 'failing')",
    "CREATE TABLE kept (id int)",
    "CREATE TABLE parts (id int) PARTITION BY RANGE (id)",
    "CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (100) TO (200)",
    "CREATE FOREIGN TABLE part_2 PARTITION OF parts FOR VALUES FROM (1) TO (100) "
    "SERVER told OPTIONS (table_name 'one')",
    "CREATE FUNCTION ids() RETURNS SETOF int LANGUAGE sql VOLATILE AS 'SELECT id FROM one'",
    "CREATE FUNCTION first() RETURNS int LANGUAGE plpgsql AS "
    "$$DECLARE n int; BEGIN SELECT id INTO n FROM two; RETURN n; END$$",
    "CREATE FUNCTION counted() RETURNS int LANGUAGE plpgsql AS "
    "$$DECLARE n int; BEGIN SELECT count(*) INTO n FROM two; RETURN n; END$$",
    "CREATE FUNCTION survive() RETURNS int LANGUAGE plpgsql AS "
    "$$BEGIN PERFORM id FROM failing; RETURN 0; EXCEPTION WHEN OTHERS THEN RETURN 1; END$$",
)


@pytest.fixture(scope="module")
def told(probed: Probe) -> Iterator[Session]:
    """A session with the tables of the probe."""
    with probed.connect() as session:
        set_up(session, probed)
        yield session


def set_up(session: Session, probed: Probe) -> None:
    """Make the tables, in either database."""
    shutil.copy(Path(__file__).with_name(f"{PROBE}.py"), probed.folder / "python")
    for statement in SET_UP:
        session.execute(statement)


def heard(session: Session) -> dict[str, set[bool]]:
    """What was told of each table that was scanned: in its bounds, at each row and at the end.

    While planning and explaining it must have been False.
    """
    found: dict[str, set[bool]] = {}
    for name, moment, said in notes(session):
        if moment in ("plan", "explain"):
            assert not said, (name, moment)
        else:
            found.setdefault(name, set()).add(said)
    return found


def notes(session: Session, *statements: str) -> list[tuple[Any, ...]]:
    """Of which table, when, what was told since last asked, and by these statements."""
    for statement in statements:
        session.execute(statement)
    return session.execute("SELECT * FROM heard").fetchall()


def run(session: Session, *statements: str) -> dict[str, set[bool]]:
    """What was heard of these statements."""
    notes(session)
    for statement in statements:
        session.execute(statement)
    return heard(session)


WHOLE = {
    "plain": "SELECT id FROM one",
    "where": "SELECT id FROM one WHERE id > 1",
    "count": "SELECT count(*) FROM one",
    "limit of a count": "SELECT count(*) FROM one LIMIT 1",
    "top of groups": "SELECT id % 2, count(*) FROM one GROUP BY 1 ORDER BY 2 LIMIT 1",
    "distinct": "SELECT DISTINCT id FROM one LIMIT 1",
    "sorted here": "SELECT id FROM one ORDER BY id LIMIT 1",
    "offset": "SELECT id FROM one OFFSET 1",
    "limit all": "SELECT id FROM one LIMIT ALL",
    "minimum": "SELECT min(id) FROM one",
    "hashed not in": "SELECT 1 WHERE 9 + random() NOT IN (SELECT id FROM one) LIMIT 1",
    "array": "SELECT ARRAY(SELECT id FROM one), g FROM generate_series(1, 2) AS g LIMIT 1",
    "union": "SELECT id FROM one UNION SELECT 7 LIMIT 1",
    "union all": "SELECT id FROM one UNION ALL SELECT id FROM one",
    "materialized groups": "WITH e AS MATERIALIZED (SELECT count(*) FROM one) SELECT * FROM e",
    "window of groups": "SELECT count(*) OVER (PARTITION BY id) FROM one LIMIT 1",
    "partitions": "SELECT id FROM parts",
    "insert": "INSERT INTO kept SELECT id FROM one",
    "create as": "CREATE TEMP TABLE made ON COMMIT DROP AS SELECT id FROM one",
    "update": "UPDATE kept SET id = one.id FROM one WHERE one.id = kept.id",
    "function in from": "SELECT * FROM ids()",
    "count in a function": "DO $$DECLARE n int; BEGIN SELECT count(*) INTO n FROM one; END$$",
    "perform": "DO $$BEGIN PERFORM id FROM one; END$$",
    "analyze": "EXPLAIN ANALYZE SELECT id FROM one",
}
STOPPED = {
    "limit": "SELECT id FROM one LIMIT 10",
    "where and limit": "SELECT id FROM one WHERE id > 1 LIMIT 10",
    "limit in a subquery": "SELECT count(*) FROM (SELECT id FROM one LIMIT 2) AS s",
    "limit of a subquery": "SELECT id FROM (SELECT id FROM one OFFSET 1) AS s LIMIT 2",
    "sorted there": "SELECT id FROM one ORDER BY id DESC LIMIT 1",
    "maximum": "SELECT max(id) FROM one",
    "exists": "SELECT 1 WHERE EXISTS (SELECT FROM one)",
    "not exists": "SELECT g FROM generate_series(1, 2) AS g WHERE NOT EXISTS "
    "(SELECT FROM one WHERE id > g + random())",
    "any": "SELECT g FROM generate_series(1, 2) AS g WHERE g < ANY (SELECT id FROM one)",
    "union all and limit": "SELECT id FROM one UNION ALL SELECT id FROM one LIMIT 9",
    "one value": "SELECT (SELECT id FROM one WHERE id = 1) FROM generate_series(1, 2) LIMIT 1",
    "materialized": "WITH e AS MATERIALIZED (SELECT id FROM one) SELECT id FROM e",
    "materialized and limit": "WITH e AS MATERIALIZED (SELECT id FROM one) SELECT id FROM e "
    "LIMIT 1",
    "materialized and inner limit": "WITH e AS MATERIALIZED (SELECT id FROM one) "
    "SELECT count(*) FROM (SELECT id FROM e LIMIT 1) AS s",
    "window": "SELECT n FROM (SELECT row_number() OVER () AS n FROM one) AS s WHERE n <= 1",
    "partitions and limit": "SELECT id FROM parts LIMIT 2",
    "function in select": "SELECT ids() LIMIT 1",
    "into": "DO $$DECLARE n int; BEGIN SELECT id INTO n FROM one; END$$",
    "loop": "DO $$DECLARE r record; BEGIN FOR r IN SELECT id FROM one LOOP EXIT; END LOOP; END$$",
}


@pytest.mark.parametrize("shape", WHOLE)
def test_all_rows(told: Session, shape: str) -> None:
    """It is told, at every moment, and it is true."""
    notes(told)
    found = [note[1:] for note in notes(told, WHOLE[shape])]
    assert {said for moment, said in found if moment not in ("plan", "explain")} == ALL
    begun, ended = found.count(("bounds", True)), found.count(("end", True))
    assert begun == ended > 0


@pytest.mark.parametrize("shape", STOPPED)
def test_some_rows(told: Session, shape: str) -> None:
    assert run(told, STOPPED[shape]) == {"one": SOME}


def test_interleaved_scans(told: Session) -> None:
    """Each scan is told for itself, at every row, whichever was called before."""
    limited = "(SELECT id FROM two LIMIT 2) AS s"
    assert run(told, f"SELECT * FROM one, {limited}") == {"one": ALL, "two": SOME}
    lateral = "LATERAL (SELECT id FROM two WHERE two.id >= one.id LIMIT 1) AS s"
    assert run(told, f"SELECT * FROM one, {lateral}") == {"one": ALL, "two": SOME}
    twice = "SELECT (SELECT count(*) FROM two WHERE two.id >= one.id) FROM one LIMIT 2"
    assert run(told, twice) == {"one": SOME, "two": ALL}
    calls = "SELECT id, first() FROM one"
    assert run(told, calls) == {"one": ALL, "two": SOME}
    counts = "SELECT id, counted() FROM one LIMIT 2"
    assert run(told, counts) == {"one": SOME, "two": ALL}


@pytest.mark.parametrize(
    ("method", "inner"), [("hashjoin", ALL), ("nestloop", SOME), ("mergejoin", ALL)]
)
def test_joins(told: Session, method: str, inner: set[bool]) -> None:
    """A nested loop leaves the inner side at the first match that settles the outer row.

    A hash join leaves the outer side where there is nothing to join to.
    """
    outer = SOME if method == "hashjoin" else ALL
    methods = ("hashjoin", "nestloop", "mergejoin")
    with told.transaction():
        for name in methods:
            told.execute(f"SET LOCAL enable_{name} = {'on' if name == method else 'off'}")
        told.execute("SET LOCAL enable_material = off")
        both = run(told, "SELECT * FROM one JOIN two USING (id)")
        assert sorted(both.values(), key=sum) == [outer, ALL]
        for word, left in (("EXISTS", outer), ("NOT EXISTS", ALL)):
            sql = f"SELECT id FROM one WHERE {word} (SELECT FROM two WHERE two.id = one.id)"
            found = run(told, sql)
            # from PostgreSQL 18 on the rows that are looked for may be those that are hashed
            turned = method == "hashjoin" and word == "EXISTS" and found["one"] == inner
            assert found == ({"one": inner, "two": left} if turned else {"one": left, "two": inner})
        sql = "SELECT * FROM one LEFT JOIN two USING (id)"
        assert run(told, sql)["one"] == ALL
        deep = ("SELECT id FROM (SELECT id FROM one OFFSET 1) AS s "
                "WHERE EXISTS (SELECT FROM two WHERE two.id = s.id)")  # fmt: skip
        assert sorted(run(told, deep).values(), key=sum) == sorted([outer, inner], key=sum)
        first = run(told, "SELECT one.id FROM one JOIN two USING (id) LIMIT 1")
        first_is_told = {"hashjoin": [SOME, ALL], "nestloop": [SOME, SOME], "mergejoin": [ALL, ALL]}
        assert sorted(first.values(), key=sum) == first_is_told[method]


def test_cursors(told: Session) -> None:
    """A cursor is told by what is fetched; an aggregate reads all, whatever is."""
    declare = "DECLARE c NO SCROLL CURSOR FOR"
    for sql, fetch, said in (
        ("SELECT id FROM one", "2", SOME),
        ("SELECT id FROM one", "ALL", ALL),
        ("SELECT count(*) FROM one", "1", ALL),
        ("WITH e AS MATERIALIZED (SELECT id FROM one) SELECT id FROM e", "1", SOME),
    ):
        with told.transaction():
            assert run(told, f"{declare} {sql}", f"FETCH {fetch} FROM c") == {"one": said}, sql
            told.execute("CLOSE c")


def test_generic_plans(told: Session) -> None:
    with told.transaction():
        told.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for sql, said in (
            ("SELECT id FROM one WHERE id > $1", ALL),
            ("SELECT id FROM one LIMIT $1", SOME),
        ):
            told.execute(f"PREPARE p (int) AS {sql}")
            for _ in range(2):
                assert run(told, "EXECUTE p (1)") == {"one": said}, sql
            told.execute("DEALLOCATE p")


def test_planning_is_not_told(told: Session) -> None:
    assert run(told, "EXPLAIN SELECT id FROM one", "EXPLAIN VERBOSE SELECT count(*) FROM one") == {}
    found = notes(told, "EXPLAIN ANALYZE SELECT id FROM one")
    assert {note[1] for note in found} == {"plan", "bounds", "row", "end", "explain"}
    assert {note[1] for note in found if note[2]} == {"bounds", "row", "end"}


def test_after_errors(told: Session) -> None:
    """An error while all rows are read leaves nothing behind."""
    for sql in ("SELECT id FROM failing", "SELECT 1 / (id - 2) FROM one"):
        notes(told)
        with pytest.raises(psycopg.Error):
            told.execute(sql)
        assert all(True in said for said in heard(told).values())
        assert run(told, "EXPLAIN SELECT id FROM one", "SELECT id FROM one LIMIT 1") == {
            "one": SOME
        }
    caught = "SELECT id, survive() FROM one"
    assert run(told, caught) == {"one": ALL, "failing": ALL}
    assert run(told, f"{caught} LIMIT 2") == {"one": SOME, "failing": ALL}
    with told.transaction():
        cursor = (f"DECLARE c NO SCROLL CURSOR FOR {caught}", "FETCH 3 FROM c")
        assert run(told, *cursor) == {"one": SOME, "failing": ALL}


def test_without_the_handler(probed: Probe) -> None:
    """Multicorn's own handler tells nothing, and neither does a process without a server."""
    assert not Handler().wants_all
    with probed.connect(WITHOUT) as session:
        set_up(session, probed)
        assert run(session, "SELECT id FROM one", "SELECT count(*) FROM one") == {"one": SOME}
