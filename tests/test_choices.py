"""Columns that choose what is read: every form of condition gives all rows, or an error.

Three log groups, of which a trail delivers to one. The copy holds all three.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import Db, Sandbox, start

TRAIL, OTHERS = "trail", ("audit-eu", "audit-us")
COPY = "public.choices_copy"
# {t} is the table or its copy. A form that is told gives its rows in every plan; one that is not
# is an error in every plan.
TOLD = """
SELECT count(*) FROM {t} WHERE log_group_name = 'audit-eu'
SELECT log_group_name, count(*) FROM {t} WHERE log_group_name IN ('audit-eu', 'audit-us') GROUP BY 1 ORDER BY 1
SELECT log_group_name, count(*) FROM {t} WHERE log_group_name = ANY ('{{audit-eu,trail}}') GROUP BY 1 ORDER BY 1
SELECT log_group_name, count(*) FROM {t} WHERE log_group_name = 'audit-eu' OR log_group_name = 'audit-us' GROUP BY 1 ORDER BY 1
SELECT count(*) FROM {t} WHERE log_group_name = 'audit-eu' OR log_group_name IN ('trail', 'audit-us') OR log_group_name = lower('AUDIT-EU')
SELECT event_id FROM {t} WHERE (log_group_name, event_name) IN (('audit-eu', 'Call0'), ('audit-us', 'Call1')) ORDER BY 1
SELECT event_id FROM {t} WHERE (log_group_name = 'audit-eu' AND event_name = 'Call0') OR (event_name LIKE 'C%1' AND log_group_name = 'audit-us') ORDER BY 1
SELECT count(*) FROM {t} WHERE 'audit-eu' = log_group_name AND log_group_name LIKE 'audit%'
SELECT count(*) FROM {t} WHERE log_group_name IN ('audit-eu', 'audit-us') AND NOT log_group_name = 'audit-us'
SELECT count(*) FROM {t} WHERE log_group_name = (SELECT min(n) FROM groups)
SELECT count(*) FROM {t} WHERE log_group_name = ANY (ARRAY (SELECT n FROM groups))
SELECT log_group_name, count(*) FROM {t} GROUP BY 1 HAVING log_group_name = 'audit-us'
SELECT count(*) FROM (SELECT * FROM {t}) x WHERE log_group_name = 'audit-us'
SELECT count(*) FROM {t} WHERE log_group_name = NULL
SELECT count(*) FROM {t} WHERE log_group_name IS NULL
WITH e AS (SELECT * FROM {t}) SELECT count(*) FROM e WHERE log_group_name = 'audit-eu'
WITH e AS MATERIALIZED (SELECT * FROM {t} WHERE log_group_name IN ('audit-eu', 'audit-us')) SELECT (SELECT count(*) FROM e WHERE log_group_name = 'audit-eu'), (SELECT count(*) FROM e WHERE log_group_name LIKE '%us')
SELECT x.g, count(*) FROM (SELECT log_group_name AS g, row_number() OVER (PARTITION BY log_group_name ORDER BY event_id) FROM {t}) x WHERE g = 'audit-eu' GROUP BY 1
SELECT event_id FROM {t} WHERE log_group_name = 'audit-eu' UNION ALL SELECT event_id FROM {t} WHERE log_group_name = 'audit-us' ORDER BY 1
SELECT a.event_id FROM {t} a JOIN {t} b USING (log_group_name, log_event_id) WHERE log_group_name = 'audit-eu' ORDER BY 1
""".strip().splitlines()
# Forms whose values come from other rows: all rows where a plan can pass them, else an error.
JOINED = """
SELECT log_group_name, count(*) FROM {t} WHERE log_group_name IN (SELECT n FROM groups) GROUP BY 1 ORDER BY 1
SELECT e.log_group_name, count(*) FROM groups g JOIN {t} e ON e.log_group_name = g.n GROUP BY 1 ORDER BY 1
SELECT e.log_group_name, count(*) FROM {t} e JOIN groups g ON g.n = e.log_group_name WHERE g.label = 'Europe' GROUP BY 1 ORDER BY 1
SELECT g.label, count(e.event_id) FROM groups g LEFT JOIN {t} e ON e.log_group_name = g.n GROUP BY 1 ORDER BY 1
SELECT c.n, count(e.event_id) FROM (VALUES ('audit-eu'), ('audit-us')) c(n) LEFT JOIN {t} e ON e.log_group_name = c.n GROUP BY 1 ORDER BY 1
SELECT g.n FROM groups g WHERE NOT EXISTS (SELECT FROM {t} e WHERE e.log_group_name = g.n) ORDER BY 1
SELECT g.n FROM groups g WHERE EXISTS (SELECT FROM {t} e WHERE e.log_group_name = g.n AND e.event_name = 'Call1') ORDER BY 1
SELECT g.n, (SELECT count(*) FROM {t} e WHERE e.log_group_name = g.n) FROM groups g ORDER BY 1
SELECT g.n, x.c FROM groups g, LATERAL (SELECT count(*) AS c FROM {t} e WHERE e.log_group_name = g.n) x ORDER BY 1
SELECT g.n, x.event_id FROM groups g LEFT JOIN LATERAL (SELECT event_id FROM {t} e WHERE e.log_group_name = g.n ORDER BY event_time DESC, event_id LIMIT 1) x ON true ORDER BY 1
SELECT e.event_id, i.address_class FROM groups g JOIN {t} e ON e.log_group_name = g.n JOIN ip_enrichment i ON i.ip = e.source_ip_address ORDER BY 1
SELECT a.log_group_name, count(*) FROM {t} a JOIN {t} b USING (log_group_name, log_event_id) JOIN groups g ON g.n = a.log_group_name GROUP BY 1 ORDER BY 1
WITH g AS MATERIALIZED (SELECT n FROM groups) SELECT count(*) FROM {t} WHERE log_group_name IN (SELECT n FROM g)
""".strip().splitlines()
UNTOLD = """
SELECT count(*) FROM {t} WHERE log_group_name LIKE 'audit-%'
SELECT count(*) FROM {t} WHERE log_group_name ~ '^audit'
SELECT count(*) FROM {t} WHERE log_group_name > 'a'
SELECT count(*) FROM {t} WHERE log_group_name <> 'trail'
SELECT count(*) FROM {t} WHERE log_group_name NOT IN ('trail')
SELECT count(*) FROM {t} WHERE log_group_name NOT IN (SELECT 'trail'::text)
SELECT count(*) FROM {t} WHERE lower(log_group_name) = 'audit-eu'
SELECT count(*) FROM {t} WHERE log_group_name || '' = 'audit-eu'
SELECT count(*) FROM {t} WHERE starts_with(log_group_name, 'audit')
SELECT count(*) FROM {t} WHERE log_group_name IS NOT DISTINCT FROM 'audit-eu'
SELECT count(*) FROM {t} WHERE log_group_name COLLATE "C" LIKE 'audit%'
SELECT count(*) FROM {t} WHERE log_group_name = 'audit-eu' OR event_name = 'Call0'
SELECT count(*) FROM {t} WHERE (log_group_name, event_name) > ('a', 'b')
SELECT count(*) FROM {t} WHERE CASE log_group_name WHEN 'audit-eu' THEN true END
SELECT count(*) FROM {t} WHERE CASE WHEN log_group_name = 'audit-eu' THEN event_name END = 'Call0'
SELECT count(*) FROM {t} WHERE nullif(log_group_name, 'trail') = 'audit-eu'
SELECT count(*) FROM {t} WHERE log_group_name = event_source OR log_group_name = 'audit-eu'
SELECT count(*) FROM {t} e WHERE to_jsonb(e) ->> 'log_group_name' = 'audit-eu'
SELECT count(*) FROM {t} e WHERE to_jsonb(e) @> '{{"log_group_name": "audit-eu"}}'
SELECT count(*) FILTER (WHERE log_group_name = 'audit-eu') FROM {t}
SELECT sum(CASE WHEN log_group_name = 'audit-eu' THEN 1 ELSE 0 END) FROM {t}
SELECT sum((log_group_name = 'audit-eu')::int) FROM {t}
SELECT count(CASE log_group_name WHEN 'audit-eu' THEN 1 END) FROM {t}
SELECT bool_or(log_group_name = 'audit-eu') FROM {t}
SELECT sum(x) FROM (SELECT (log_group_name = 'audit-eu')::int AS x FROM {t} OFFSET 0) y
SELECT log_group_name, count(*) FROM {t} GROUP BY GROUPING SETS ((1), ()) HAVING log_group_name = 'audit-eu'
SELECT max(log_group_name) FROM {t} HAVING max(log_group_name) = 'audit-eu'
WITH e AS (SELECT * FROM {t}) SELECT (SELECT count(*) FROM e WHERE log_group_name = 'audit-eu'), (SELECT count(*) FROM e WHERE log_group_name = 'audit-us')
WITH e AS MATERIALIZED (SELECT * FROM {t}) SELECT count(*) FROM e WHERE log_group_name = 'audit-eu'
WITH e AS MATERIALIZED (SELECT log_group_name AS g FROM {t}) SELECT count(*) FROM groups WHERE n NOT IN (SELECT g FROM e)
WITH RECURSIVE e AS (SELECT log_group_name AS g, 1 AS n FROM {t} UNION ALL SELECT g, n + 1 FROM e WHERE n < 2) SELECT count(*) FROM e WHERE g = 'audit-eu'
SELECT count(*) FROM (SELECT *, row_number() OVER (ORDER BY event_time) FROM {t}) x WHERE log_group_name = 'audit-eu'
SELECT count(*) FROM (SELECT * FROM {t} LIMIT 1000) x WHERE log_group_name = 'audit-eu'
SELECT count(*) FROM (SELECT * FROM {t} OFFSET 0) x WHERE (x).log_group_name = 'audit-eu'
SELECT count(*) FROM (SELECT DISTINCT log_group_name, event_name FROM {t} OFFSET 0) x WHERE log_group_name = 'audit-eu'
SELECT count(*) FROM (SELECT e FROM {t} e OFFSET 0) x WHERE (x.e).log_group_name = 'audit-eu'
SELECT count(*) FROM (SELECT to_jsonb(e) AS j FROM {t} e OFFSET 0) x WHERE j ->> 'log_group_name' = 'audit-eu'
SELECT count(*) FROM (SELECT log_group_name = 'audit-eu' AS mine FROM {t} OFFSET 0) x WHERE mine
SELECT n FROM groups WHERE n NOT IN (SELECT log_group_name FROM {t}) ORDER BY 1
SELECT n FROM groups WHERE n <> ALL (ARRAY (SELECT log_group_name FROM {t})) ORDER BY 1
SELECT n FROM groups WHERE n = (SELECT max(log_group_name) FROM {t}) ORDER BY 1
SELECT n FROM groups EXCEPT SELECT log_group_name FROM {t} ORDER BY 1
SELECT n FROM groups INTERSECT SELECT log_group_name FROM {t} ORDER BY 1
SELECT count(*) FROM {t} e FULL JOIN groups g ON g.n = e.log_group_name WHERE g.label IS NOT DISTINCT FROM 'Europe'
SELECT count(*) FROM {t} e LEFT JOIN groups g ON g.n = e.log_group_name WHERE coalesce(g.label, '') = 'Europe'
SELECT count(*) FROM {t} e JOIN groups g ON g.n LIKE e.log_group_name || '%'
SELECT count(*) FROM {t} e JOIN groups g ON lower(g.n) = lower(e.log_group_name)
SELECT count(*) FROM {t} e, regexp_matches(e.log_group_name, '^audit')
SELECT count(*) FROM {t} e, LATERAL (SELECT 1 WHERE e.log_group_name LIKE 'audit%' OFFSET 0) x
SELECT count(*) FROM {t} e WHERE EXISTS (SELECT FROM groups g WHERE g.n LIKE e.log_group_name)
SELECT count(*) FROM {t} e WHERE (SELECT g.label FROM groups g WHERE g.n = e.log_group_name) = 'Europe'
""".strip().splitlines()
# No condition: what the trail delivers to.
SHOWN = """
SELECT count(*) FROM {t}
SELECT log_group_name, count(*) FROM {t} GROUP BY 1 ORDER BY 1
SELECT DISTINCT log_group_name FROM {t} WHERE log_group_name IS NOT NULL
SELECT max(log_group_name), count(DISTINCT log_group_name), count(DISTINCT split_part(log_group_name, '-', 1)) FROM {t}
SELECT CASE WHEN log_group_name = 'trail' THEN 'ours' ELSE 'theirs' END AS whose, count(*) FROM {t} GROUP BY 1
SELECT event_id, log_group_name = 'trail' FROM {t} ORDER BY 1
SELECT e.event_id, g.label FROM {t} e LEFT JOIN groups g ON g.n = e.log_group_name ORDER BY 1
SELECT e.event_id, (SELECT g.label FROM groups g WHERE g.n = e.log_group_name) FROM {t} e ORDER BY 1
SELECT count(*) FROM {t} a JOIN {t} b USING (log_group_name, log_event_id)
SELECT a.event_id FROM {t} a WHERE NOT EXISTS (SELECT FROM {t} b WHERE b.log_group_name = a.log_group_name AND b.event_id > a.event_id)
SELECT count(e), jsonb_array_length(jsonb_agg(e)) FROM {t} e
SELECT count(*) FROM {t} e WHERE e::text LIKE '%198.51.100%'
SELECT count(*) FROM (SELECT * FROM {t} EXCEPT SELECT * FROM {t}) x
SELECT event_id, row_number() OVER (PARTITION BY log_group_name ORDER BY event_id) FROM {t} ORDER BY 1
SELECT event_id FROM {t} ORDER BY log_group_name, event_id LIMIT 3
""".strip().splitlines()
PLANS = [
    "", "enable_nestloop = off", "enable_hashjoin = off", "enable_mergejoin = off",
    "join_collapse_limit = 1", "from_collapse_limit = 1", "enable_material = off",
    "cursor_tuple_fraction = 0.01", "enable_hashagg = off",
]  # fmt: skip


def message(number: int, name: str) -> str:
    return json.dumps({
        "eventVersion": "1.11", "eventTime": f"2026-11-20T10:00:0{number}Z",
        "eventSource": "ec2.amazonaws.com", "eventName": f"Call{number}",
        "eventID": f"{name}-{number}", "sourceIPAddress": f"198.51.100.{number}",
    })  # fmt: skip


@pytest.fixture(scope="module")
def groups(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    events = tmp_path_factory.mktemp("choices") / "events.jsonl"
    events.write_text("".join(message(n, TRAIL) + "\n" for n in range(4)))
    for sandbox in start(kind, "choices", "--events", str(events), "--log-group", TRAIL):
        for name in OTHERS:
            body = "".join(message(n, name) + "\n" for n in range(3)).encode()
            url = f"{sandbox.state['aws_endpoint']}/_sandbox/append?log-group={name}"
            urllib.request.urlopen(url, body).close()
        with sandbox.connect() as db:
            db.execute("CREATE TABLE public.groups (n text, label text)")
            db.execute("INSERT INTO public.groups VALUES"
                       " ('audit-eu', 'Europe'), ('audit-us', 'America')")  # fmt: skip
            db.execute(f"CREATE TABLE {COPY} AS SELECT * FROM cloudtrail_event"
                       f" WHERE log_group_name IN ('{TRAIL}', 'audit-eu', 'audit-us')")  # fmt: skip
            assert fetch(db, f"SELECT count(*) FROM {COPY}") == [(10,)]
            for view, name in (("of_trail", TRAIL), ("of_one", "audit-eu")):
                db.execute(f"CREATE VIEW public.{view} AS SELECT * FROM {COPY}"
                           f" WHERE log_group_name = '{name}'".encode())  # fmt: skip
        yield sandbox


@pytest.fixture(params=PLANS)
def db(request: pytest.FixtureRequest, groups: Sandbox) -> Iterator[Db]:
    with groups.session() as session:
        if request.param:
            session.execute(f"SET {request.param}".encode())
        yield session


def fetch(db: Db, query: str) -> list[tuple[Any, ...]]:
    return db.execute(query.encode()).fetchall()


def of(query: str, table: str) -> str:
    return query.replace("{t}", table).replace("{{", "{").replace("}}", "}")


def refused(db: Db, query: str) -> bool:
    """Whether the query is refused, and its EXPLAIN too, with words that say what works."""
    for asked in (query, f"EXPLAIN {query}"):
        try:
            fetch(db, asked)
        except psycopg.errors.FdwInvalidAttributeValue as error:
            if "log_group_name = '" not in str(error.diag.message_hint):
                raise
        else:
            return False
    return True


def test_what_is_told_gives_all_rows_in_every_plan(db: Db) -> None:
    for query in TOLD:
        assert fetch(db, of(query, "cloudtrail_event")) == fetch(db, of(query, COPY)), query


def test_what_other_rows_tell_gives_all_rows_or_an_error(db: Db) -> None:
    refusals = []
    for query in JOINED:
        ours = of(query, "cloudtrail_event")
        if refused(db, ours):
            refusals.append(query)
        else:
            assert fetch(db, ours) == fetch(db, of(query, COPY)), query
    # the order of the joins as written leaves no plan that passes the names on
    in_order = db.execute("SHOW join_collapse_limit").fetchone() == ("1",)
    assert refusals == [query for query in JOINED if in_order and "JOIN {t} b" in query]


def test_what_is_not_told_is_an_error_in_every_plan(db: Db) -> None:
    assert [query for query in UNTOLD if not refused(db, of(query, "cloudtrail_event"))] == []


def test_what_only_shows_the_group_is_no_condition(db: Db) -> None:
    for query in SHOWN:
        assert fetch(db, of(query, "cloudtrail_event")) == fetch(db, of(query, "of_trail")), query


def test_with_the_option_every_form_is_answered(db: Db) -> None:
    """The table then is that group, whatever is asked of its name."""
    db.execute("ALTER SERVER cloudtrail OPTIONS (ADD log_group 'audit-eu')")
    try:
        for query in UNTOLD:
            assert fetch(db, of(query, "cloudtrail_event")) == fetch(db, of(query, "of_one")), query
    finally:
        db.execute("ALTER SERVER cloudtrail OPTIONS (DROP log_group)")


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_prepared_statements(groups: Sandbox, mode: str) -> None:
    with groups.session() as db:
        db.execute(f"SET plan_cache_mode = {mode}".encode())
        for number, (condition, kind, value) in enumerate([
            ("log_group_name = $1", "text", "'audit-eu'"),
            ("log_group_name = ANY ($1)", "text[]", "'{audit-eu,audit-us}'"),
            ("log_group_name IN ($1, 'audit-us')", "text", "'audit-eu'"),
            ("log_group_name = $1 OR log_group_name = 'audit-us'", "text", "'audit-eu'"),
        ]):  # fmt: skip
            for table in ("cloudtrail_event", COPY):
                name = f"p{number}_{mode}_{table == COPY}"
                db.execute(f"PREPARE {name} ({kind}) AS SELECT event_id FROM {table}"
                           f" WHERE {condition} ORDER BY 1".encode())  # fmt: skip
            ours, copied = (fetch(db, f"EXECUTE p{number}_{mode}_{c} ({value})")
                            for c in (False, True))  # fmt: skip
            assert ours == copied, condition
            assert ours


FILTER = "'{ $.eventName = \"Call1\" }'"
HISTORY, CHECK = "cloudtrail_event_history", "abuseipdb_check"
OTHER_FORMS = {
    "filter": [
        ("cloudtrail_event", f"filter = {FILTER} OR filter = 'x'"),
        ("cloudtrail_event", f"filter LIKE {FILTER}"),
        ("(SELECT * FROM cloudtrail_event OFFSET 0) e", f"filter = {FILTER}"),
        ("cloudtrail_event", "filter IS NOT NULL"),
        ("cloudtrail_event", "filter IS DISTINCT FROM 'x'"),
        ("cloudtrail_event", f"filter = {FILTER} OR event_name = 'x'"),
    ],
    "resource_name": [
        (HISTORY, "resource_name = 'a' OR resource_name = 'b'"),
        (HISTORY, "resource_name LIKE 'a%'"),
        (f"(SELECT * FROM {HISTORY} OFFSET 0) h", "resource_name = 'a'"),
    ],
    "start_time": [
        (HISTORY, "start_time = '2026-11-20' OR start_time = '2026-11-19'"),
        (HISTORY, "start_time IN ('2026-11-20', '2026-11-19')"),
        (HISTORY, "start_time > '2026-11-20'"),
        (HISTORY, "coalesce(start_time, now()) > '2026-11-20'"),
    ],
    "max_age_in_days": [
        (CHECK, "ip = '10.0.0.1' AND max_age_in_days + 0 = 30"),
        (f"(SELECT * FROM {CHECK} WHERE ip = '10.0.0.1' OFFSET 0) a", "max_age_in_days = 30"),
    ],
}


@pytest.mark.parametrize("column", OTHER_FORMS)
def test_other_columns_that_choose_are_told_or_an_error(groups: Sandbox, column: str) -> None:
    with groups.session() as db:
        for table, condition in OTHER_FORMS[column]:
            with pytest.raises(psycopg.errors.FdwInvalidAttributeValue, match=column):
                fetch(db, f"SELECT count(*) FROM {table} WHERE {condition}")


def test_patterns_and_days_come_from_other_rows(groups: Sandbox) -> None:
    with groups.session() as db:
        assert fetch(db, "SELECT p, count(*) FROM (VALUES ('{ $.eventName = \"Call1\" }'),"
                         " ('{ $.eventName = \"Call2\" }')) v(p) JOIN cloudtrail_event e"
                         " ON e.filter = p GROUP BY 1 ORDER BY 1") == [
            ('{ $.eventName = "Call1" }', 1), ('{ $.eventName = "Call2" }', 1)]  # fmt: skip
        assert fetch(db, "SELECT d, a.max_age_in_days, a.status FROM (VALUES (30), (60)) v(d)"
                         " JOIN abuseipdb_check a ON a.max_age_in_days = d AND a.ip = '10.0.0.1'"
                         " ORDER BY 1") == [(30, 30, "not_sent"), (60, 60, "not_sent")]  # fmt: skip
        assert fetch(db, "SELECT v.i, a.max_age_in_days FROM (VALUES ('10.0.0.1', 30),"
                         " ('10.0.0.2', 60)) v(i, d) JOIN abuseipdb_check a"
                         " ON a.ip = v.i AND a.max_age_in_days = v.d ORDER BY 1") == [
            ("10.0.0.1", 30), ("10.0.0.2", 60)]  # fmt: skip
