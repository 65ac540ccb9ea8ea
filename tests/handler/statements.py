"""Statements for the matrix: operators, operands and plans that Multicorn is known to misread.

``{facts}`` and ``{keyed_…}`` stand for a foreign table, or for its local copy, whose answer is
the right one. A statement with parameters is prepared and run under both plan_cache_modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from join_statements import JOINS


@dataclass(frozen=True)
class Statement:
    """``setup`` runs before it; ``parameters`` are (type, literal)."""

    what: str
    sql: str
    parameters: Sequence[tuple[str, str]] = ()
    setup: str = ""


def over_facts(what: str, condition: str, setup: str = "") -> Statement:
    return Statement(what, f"SELECT id FROM {{facts}} AS x WHERE {condition}", (), setup)


def join(what: str, kind: str, condition: str, where: str = "true") -> Statement:
    table = f"{{keyed_{kind}}}"
    return Statement(
        what, f"SELECT c.id, k.k FROM cases c JOIN {table} k ON {condition} WHERE {where}"
    )


HOSTILE = (
    "SET DateStyle = 'German'; SET TimeZone = 'America/New_York'; SET IntervalStyle = 'iso_8601'"
)

STATEMENTS = (
    # constants
    over_facts("text = constant", "t = 'alpha'"),
    over_facts("text <> constant", "t <> 'alpha'"),
    over_facts("text IN", "t IN ('alpha', 'beta', NULL)"),
    over_facts("text NOT IN", "t NOT IN ('alpha', 'beta')"),
    over_facts("text NOT IN with NULL", "t NOT IN ('alpha', NULL)"),
    over_facts("text = ALL", "t = ALL (ARRAY['alpha', 'alpha'])"),
    over_facts("text <> ANY", "t <> ANY (ARRAY['alpha', 'beta'])"),
    over_facts("text LIKE", "t LIKE 'al%'"),
    over_facts("text ILIKE", "t ILIKE 'AL%'"),
    over_facts("text regex", "t ~ '^al'"),
    over_facts("constant = text", "'alpha' = t"),
    over_facts("text IS NULL", "t IS NULL"),
    over_facts("boolean, NOT boolean", "b OR NOT b"),
    over_facts("boolean IS NOT TRUE", "b IS NOT TRUE"),
    over_facts("boolean IS FALSE", "b IS FALSE"),
    over_facts("NOT boolean", "NOT b"),
    over_facts("boolean IS UNKNOWN", "b IS UNKNOWN"),
    over_facts("OR", "t = 'alpha' OR id = 3"),
    over_facts("int = constant", "id = 7"),
    over_facts("int = bigint constant", "id = 7::bigint"),
    over_facts("bigint = int constant", "big = 7"),
    over_facts("bigint IN", "big IN (3, 4)"),
    over_facts("numeric = constant", "n = 1.1"),
    over_facts("inet = constant", "i = '10.0.1.1'"),
    over_facts("inet << constant", "i << '10.0.1.0/24'"),
    over_facts("cidr = constant", "c = '10.1.0.0/16'"),
    over_facts("uuid = constant", "u = '00000000-0000-0000-0000-000000000003'"),
    over_facts("jsonb = constant", "j = '{\"n\": 1}'"),
    over_facts("jsonb @> constant", "j @> '{\"n\": 1}'"),
    over_facts("text[] = constant", "a = '{a,1}'"),
    over_facts("bpchar = constant", "bp = 'ab'"),
    over_facts("varchar = constant", "v = 'alpha'"),
    over_facts("name = constant", "nm = 'alpha'"),
    over_facts("citext = constant", "ci = 'ALPHA'"),
    over_facts("operator of a user's own", "t OPERATOR(mine.=) 'ALPHA'"),
    over_facts("nondeterministic = constant", "nd = 'ALPHA'"),
    over_facts('nondeterministic COLLATE "C"', "nd COLLATE \"C\" = 'Alpha'"),
    over_facts("text COLLATE nondeterministic", "t COLLATE nondeterministic = 'ALPHA'"),
    over_facts("timestamptz > constant", "ts > '2024-01-05 01:02:03.4+00'"),
    over_facts("timestamptz, hostile session", "ts > '2024-01-05 01:02:03.4+00'", HOSTILE),
    over_facts("timestamptz BETWEEN", "ts BETWEEN '2024-01-03+00' AND '2024-01-04 12:00+00'"),
    over_facts("timestamptz < infinity", "ts < 'infinity'"),
    over_facts("timestamptz > date constant", "ts > date '2024-01-05'"),
    over_facts("timestamptz > date, hostile session", "ts > date '2024-01-05'", HOSTILE),
    over_facts("timestamptz <= timestamp constant", "ts <= timestamp '2024-01-05 01:02:03.9'"),
    over_facts("date column", "d = '2024-01-05'"),
    # values of the session and stable functions
    over_facts("timestamptz < now()", "ts < now()"),
    over_facts("timestamptz < CURRENT_TIMESTAMP", "ts < CURRENT_TIMESTAMP"),
    over_facts("timestamptz < current_date", "ts < current_date"),
    over_facts("timestamptz < now()::date", "ts < now()::date"),
    over_facts("timestamptz < localtimestamp", "ts < localtimestamp"),
    over_facts("timestamptz < now() - interval", "ts < now() - interval '1 day'"),
    over_facts("timestamptz = ANY of now()", "ts < ANY (ARRAY[now(), now()])"),
    over_facts("text <> current_user", "t <> current_user"),
    over_facts("text <> current_database()", "t <> current_database()"),
    over_facts("text = name column function", "t = lower(current_schema())"),
    over_facts("text = current_setting", "t = current_setting('probe.word')",
               "SET probe.word = 'beta'"),
    over_facts("inet = stable cast", "i = current_setting('probe.addr')::inet",
               "SET probe.addr = '10.0.1.1'"),
    over_facts("uuid = stable cast", "u = current_setting('probe.uid')::uuid",
               "SET probe.uid = '00000000-0000-0000-0000-000000000003'"),
    over_facts("jsonb = stable function", "j = to_jsonb(json_build_object('n', 1))"),
    over_facts("text = volatile function", "t = CASE WHEN random() < 2 THEN 'beta' END"),
    # init plans, subplans
    over_facts("text = init plan", "t = (SELECT txt FROM cases WHERE id = 4)"),
    over_facts("inet = init plan", "i = (SELECT addr FROM cases WHERE id = 4)"),
    over_facts("timestamptz > init plan", "ts > (SELECT at FROM cases WHERE id = 4)"),
    over_facts("timestamptz > date init plan", "ts > (SELECT day FROM cases WHERE id = 4)"),
    over_facts("text = name init plan", "t = (SELECT nm FROM cases WHERE id = 4)"),
    over_facts("text = NULL init plan", "t = (SELECT txt FROM cases WHERE id = -1)"),
    over_facts("text = ANY(ARRAY(SELECT))", "t = ANY (ARRAY(SELECT txt FROM cases))"),
    over_facts("uuid = ANY(ARRAY(SELECT))", "u = ANY (ARRAY(SELECT uid FROM cases LIMIT 2))"),
    over_facts("text <> ALL(ARRAY(SELECT))",
               "t <> ALL (ARRAY(SELECT txt FROM cases WHERE txt IS NOT NULL))"),
    over_facts("text = correlated subplan", "t = (SELECT c.txt FROM cases c WHERE c.id = x.id)"),
    over_facts("text IN (SELECT)", "t IN (SELECT txt FROM cases)"),
    over_facts("EXISTS", "EXISTS (SELECT FROM cases c WHERE c.addr = x.i)"),
    over_facts("NOT IN (SELECT)", "t NOT IN (SELECT txt FROM cases WHERE txt IS NOT NULL)"),
    # keyed tables
    *[join(f"{kind} key = column", kind, f"k.k = c.{column}") for kind, column in (
        ("text", "txt"), ("inet", "addr"), ("uuid", "uid"), ("jsonb", "js"),
        ("textarray", "arr"), ("timestamptz", "at"))],
    join("text key = varchar column", "text", "k.k = c.vc"),
    join("text key = name column", "text", "k.k = c.nm"),
    join("text key = bpchar column", "text", "k.k = c.bp"),
    join("text key = citext column", "text", "k.k = c.ci"),
    join("text key = host(inet)", "text", "k.k = host(c.addr)"),
    join("inet key = text::inet", "inet", "k.k = c.txt::inet", "c.txt ~ '^10'"),
    join("inet key = cidr column", "inet", "k.k = c.net"),
    join("timestamptz key = date column", "timestamptz", "k.k = c.day"),
    join("timestamptz key = timestamp column", "timestamptz", "k.k = c.ats"),
    join("two conditions", "text", "k.k = c.txt AND length(k.k) = c.id"),
    join("two conditions, both of columns", "text", "k.k = c.txt AND k.label = c.vc"),
    Statement("left join", "SELECT c.id, k.k FROM cases c LEFT JOIN {keyed_text} k ON k.k = c.txt"),
    Statement("left join lateral",
              "SELECT c.id, y.k FROM cases c LEFT JOIN LATERAL "
              "(SELECT k.k, c.id AS i FROM {keyed_inet} k WHERE k.k = c.addr) y ON true"),
    Statement("left join lateral without a key",
              "SELECT c.id, y.n, y.id FROM cases c LEFT JOIN LATERAL "
              "(SELECT x.id, coalesce(c.num, x.id) AS n FROM {facts} x) y ON y.id = c.id"),
    Statement("lateral with LIMIT",
              "SELECT c.id, y.k FROM cases c, LATERAL "
              "(SELECT k.k FROM {keyed_inet} k WHERE k.k = c.addr LIMIT 1) y"),
    Statement("three tables",
              "SELECT c.id, k.k, m.k FROM cases c JOIN {keyed_text} k ON k.k = c.txt "
              "JOIN {keyed_inet} m ON m.k = c.addr"),
    Statement("self-join",
              "SELECT x.id, y.id FROM {facts} x JOIN {facts} y ON x.t = y.t AND x.id < y.id"),
    Statement("facts and keyed",
              "SELECT x.id, k.k FROM {facts} x JOIN {keyed_inet} k ON k.k = x.i"),
    Statement("semi-join", "SELECT k.k FROM {keyed_inet} k WHERE k.k IN (SELECT addr FROM cases)"),
    Statement("key = constant", "SELECT k.k FROM {keyed_text} k WHERE k.k = 'alpha'"),
    Statement("key IN", "SELECT k.k FROM {keyed_inet} k WHERE k.k IN ('10.0.1.1', '10.0.2.2')"),
    Statement("key = ANY(ARRAY(SELECT))",
              "SELECT k.k FROM {keyed_uuid} k WHERE k.k = ANY (ARRAY(SELECT uid FROM cases))"),
    join("key = ANY(array column)", "text", "k.k = ANY (ARRAY[c.txt, c.vc])"),
    # prepared
    Statement("prepared text = $1", "SELECT id FROM {facts} WHERE t = $1", [("text", "'beta'")]),
    Statement("prepared text = NULL", "SELECT id FROM {facts} WHERE t = $1", [("text", "NULL")]),
    Statement("prepared text IN ($1, $2)", "SELECT id FROM {facts} WHERE t IN ($1, $2)",
              [("text", "'beta'"), ("text", "'alpha'")]),
    Statement("prepared text = ANY($1)", "SELECT id FROM {facts} WHERE t = ANY ($1)",
              [("text[]", "'{alpha,beta}'")]),
    Statement("prepared text = $1 name", "SELECT id FROM {facts} WHERE t = $1",
              [("name", "'alpha'")]),
    Statement("prepared inet = $1", "SELECT id FROM {facts} WHERE i = $1",
              [("inet", "'10.0.1.1'")]),
    Statement("prepared inet key = $1::inet", "SELECT k FROM {keyed_inet} WHERE k = $1::inet",
              [("text", "'10.0.1.1'")]),
    Statement("prepared uuid IN", "SELECT k FROM {keyed_uuid} WHERE k IN ($1, $2)",
              [("uuid", "'00000000-0000-0000-0000-000000000003'"),
               ("uuid", "'00000000-0000-0000-0000-000000000004'")]),
    Statement("prepared jsonb = $1", "SELECT id FROM {facts} WHERE j = $1",
              [("jsonb", "'{\"n\": 1}'")]),
    Statement("prepared timestamptz > $1", "SELECT id FROM {facts} WHERE ts > $1",
              [("timestamptz", "'2024-01-05 01:02:03.4+00'")]),
    Statement("prepared timestamptz > $1 date", "SELECT id FROM {facts} WHERE ts > $1",
              [("date", "'2024-01-05'")]),
    Statement("prepared int = $1 bigint", "SELECT id FROM {facts} WHERE id = $1",
              [("bigint", "7")]),
    Statement("prepared join", "SELECT c.id, k.k FROM cases c JOIN {keyed_inet} k ON k.k = c.addr "
              "WHERE c.id < $1", [("int", "9")]),
    # what a query asks for
    Statement("whole row",
              "SELECT (x).t, (x).i, to_jsonb(x) ->> 'u' FROM {facts} AS x WHERE id < 9"),
    Statement("whole row only", "SELECT x::text ~ 'alpha' FROM {facts} AS x"),
    Statement("whole row in a join",
              "SELECT to_jsonb(x) ->> 't', k.k FROM {facts} x JOIN {keyed_inet} k ON k.k = x.i"),
    Statement("count(*)", "SELECT count(*) FROM {facts} WHERE id > 5"),
    Statement("no column", "SELECT FROM {facts} WHERE t = 'alpha'"),
    Statement("aggregate", "SELECT t, count(*), max(ts) FROM {facts} GROUP BY t"),
    Statement("order by, LIMIT", "SELECT d FROM {facts} ORDER BY d DESC LIMIT 9"),
    Statement("order by whole row", "SELECT id FROM {facts} AS x ORDER BY to_jsonb(x), x.id"),
    Statement("order by row itself",
              "SELECT r.id FROM (SELECT id, t, d FROM {facts}) AS r ORDER BY r"),
    Statement("order by table row", "SELECT z.k FROM {keyed_text} z "
              "WHERE z.k IN ('alpha', 'beta') ORDER BY z"),
    Statement("order by a cast", "SELECT id FROM {facts} ORDER BY c::inet, id LIMIT 5"),
    Statement("group by a cast", "SELECT c::inet, count(*) FROM {facts} GROUP BY c::inet"),
    Statement("CTE", "WITH e AS MATERIALIZED (SELECT * FROM {facts} WHERE t = 'alpha') "
              "SELECT e.id, k.k FROM e JOIN {keyed_inet} k ON k.k = e.i"),
    Statement("FOR UPDATE", "SELECT c.id, x.id FROM cases c JOIN {facts} x ON x.id = c.id "
              "FOR UPDATE OF c"),
    Statement("full join", "SELECT x.id, c.id FROM {facts} x FULL JOIN cases c ON x.id = c.id"),
    Statement("union", "SELECT id FROM {facts} WHERE t = 'alpha' UNION ALL "
              "SELECT id FROM {facts} WHERE i = '10.0.1.1'"),
    *(Statement(what, sql, (), setup) for what, sql, setup in JOINS),
)  # fmt: skip
