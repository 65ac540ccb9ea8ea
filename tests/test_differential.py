"""Every operator and kind of operand, against the same query on a materialized copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from servers import Db, Sandbox

WITHOUT_HANDLER_TOO = True
SESSIONS = {
    "st_johns_iso": "SET TimeZone = 'America/St_Johns'; SET DateStyle = 'ISO, MDY'",
    "kolkata_german": "SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'German, DMY'",
}
TEXT = [
    "= 'DescribeInstances'", "= 'no such name'", "= ''", "= 'DescribeInstances'::varchar",
    "= 'DescribeInstances'::name", "= 'DescribeInstances'::char(30)", "= NULL",
    "<> 'DescribeInstances'", "<> ''", "<> NULL", "IN ('RunInstances', 'ConsoleLogin')",
    "IN ('RunInstances', NULL)", "NOT IN ('DescribeInstances', 'ListBuckets')",
    "NOT IN ('DescribeInstances', NULL)", "= ANY ('{RunInstances,LastEvent}')",
    "= ALL ('{RunInstances,LastEvent}')", "<> ANY ('{DescribeInstances,ListBuckets}')",
    "<> ALL ('{DescribeInstances,ListBuckets}')", "= ANY ('{}')", "= ALL ('{}')",
    "LIKE 'Desc%'", "LIKE '%Instances'", "LIKE 'Run_nst%'", "LIKE 'RunInstances'",
    r"LIKE 'Run\Instances'", "NOT LIKE 'Desc%'", "ILIKE 'desc%'", "~ '^Desc'", "~* '^desc'",
    "!~ '^Desc'", "IS NULL", "IS NOT NULL", "< 'E'", "<= 'E'", "> 'E'", ">= 'E'",
    "BETWEEN 'D' AND 'M'", "IS DISTINCT FROM 'DescribeInstances'",
    "IS NOT DISTINCT FROM 'LastEvent'", "SIMILAR TO '(Desc|Run)%'",
    "= (SELECT 'LastEvent'::text)", "IN (SELECT unnest(ARRAY['LastEvent', 'RunInstances']))",
    "= concat('Last', 'Event')", "= lower('X') || 'y'", "= current_setting('my.name')",
    "COLLATE \"C\" = 'LastEvent'", "COLLATE \"C\" > 'L'",
]  # fmt: skip
TIME = [
    "= '2026-11-20 08:00:05+00'", ">= '2026-11-20 08:00:30+00'", "> '2026-11-20 08:00:30.5+00'",
    "<= '2026-11-20 08:00:30+00'", "< '2026-11-20 08:00:30+00'", "<> '2026-11-20 08:00:30+00'",
    "BETWEEN '2026-11-20 08:00:10+00' AND '2026-11-20 08:00:40+00'",
    "BETWEEN '2026-11-20 08:00:40+00' AND '2026-11-20 08:00:10+00'",
    "> 'infinity'", "< 'infinity'", "> '-infinity'", "= 'infinity'", "> 'epoch'", "IS NULL",
    "IS NOT NULL", ">= '2026-11-20'::date", "< '2026-11-20'::date", "< '2026-11-21'::date",
    "> '2026-11-20 08:00:30'::timestamp", "<= '2026-11-20 08:00:30'::timestamp",
    "= '2026-11-20 08:00:30'::timestamp", "< now()", "> now() - interval '100 years'",
    "> now() + interval '1 day'", "< date_trunc('day', now()) + interval '30 days'",
    "= ANY ('{2026-11-20 08:00:05+00,2026-11-20 08:00:06+00}')",
    "> ALL ('{2026-11-20 08:00:05+00,2026-11-20 08:00:06+00}')",
    "IN ('2026-11-20 08:00:05+00', '2026-11-20 08:00:06+00')",
    "NOT IN ('2026-11-20 08:00:05+00', '2026-11-20 08:00:06+00')",
    "> (SELECT '2026-11-20 08:00:30+00'::timestamptz)", "< current_timestamp + interval '1 day'",
    "<= '9999-01-01'", ">= '0001-01-01 BC'", "< '2005-01-01'",
]  # fmt: skip
FLAG = [
    "{}", "NOT {}", "{} IS TRUE", "{} IS NOT TRUE", "{} IS FALSE", "{} IS NOT FALSE",
    "{} IS UNKNOWN", "{} IS NOT UNKNOWN", "{} = true", "{} = false", "{} <> true", "{} <> false",
    "{} IS NULL", "{} IS NOT NULL", "{} = NULL", "{} = (SELECT true)", "{} IN (true)",
    "{} NOT IN (true)", "{} < true", "{} >= true",
]  # fmt: skip
COMBINED = [
    "event_name = 'RunInstances' AND error_code IS NULL",
    "read_only AND username IS NULL",
    "username = 'alice' AND session_issuer_name IS NULL AND NOT read_only",
    "event_name = 'A' OR error_code IS NULL",
    "event_name = 'RunInstances' AND event_name = 'LastEvent'",
    "event_name IN ('RunInstances', 'LastEvent') AND event_name IN ('LastEvent', 'X')",
    "NOT (event_name = 'DescribeInstances' AND read_only)",
    "source_ip <<= '198.51.100.0/24'", "source_ip = '198.51.100.7'", "source_ip >> '10.0.0.0/8'",
    "source_ip <<= '253.252.51.0/24'", "source_ip << '192.0.0.0/8'", "source_ip = '253.252.51.7'",
    "source_ip <<= '81.2.69.142/31'", "source_ip <<= '0.0.0.0/0'", "source_ip <<= '2001:db8::/32'",
    "source_ip IS NULL", "source_ip IN ('198.51.100.7', '253.252.51.7')",
    "request_parameters = '{\"maxResults\": 3}'", "request_parameters ->> 'maxResults' = '3'",
    "request_parameters IS NULL", "request_parameters @> '{\"omitted\": true}'",
    "user_agent = '[\"a\",\"b\"]'", "user_agent <> 'aws-cli/2.31'", "user_agent IS NOT NULL",
    "user_agent LIKE '[%'", "filter IS NULL", "log_stream_name IS NOT NULL",
    "log_stream_name = 'no such stream'", "log_group_name = 'shapes'",
    "log_group_name IS NOT NULL", "log_group_name IS NULL", "parse_error IS NOT NULL",
    "message = ''", "message LIKE 'START%'", "message IS NOT NULL AND event_name IS NULL",
    "length(message) > 100000", "event_time > timestamp - interval '2 minutes'",
    "event_id = shared_event_id", "source_address_class = 'public'", "mfa_authenticated",
    "session_creation_date > '2026-11-20 06:59:59+00'", "log_group_account_id = '123456789012'",
    "log_group_region <> 'us-east-1'", "user_identifier = principal_id",
]  # fmt: skip
CLAUSES = [
    *(f"event_name {clause}" for clause in TEXT),
    *(f"error_code {clause}" for clause in TEXT[:24]),
    *(f"event_time {clause}" for clause in TIME),
    *(f"timestamp {clause}" for clause in TIME),
    *(clause.format(flag) for flag in ("read_only", "mfa_authenticated") for clause in FLAG),
    *COMBINED,
]


@pytest.fixture(scope="module")
def materialized(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, with a copy of all its events in a plain table."""
    with sandbox.connect() as db:
        db.execute("DROP TABLE IF EXISTS public.materialized_copy")
        db.execute("CREATE TABLE public.materialized_copy AS SELECT * FROM cloudtrail_event")
    yield sandbox
    with sandbox.connect() as db:
        db.execute("DROP TABLE public.materialized_copy")


@pytest.fixture(params=list(SESSIONS))
def session(request: pytest.FixtureRequest, materialized: Sandbox) -> Iterator[Db]:
    with materialized.session() as db:
        db.execute(SESSIONS[request.param])
        db.execute("SET my.name = 'LastEvent'")
        yield db


def rows(db: Db, table: str, clause: str) -> list[tuple[Any, ...]]:
    return db.execute(f"SELECT log_event_id FROM {table} WHERE {clause} ORDER BY 1").fetchall()


def test_no_clause_changes_the_answer(session: Db) -> None:
    differing = [
        clause
        for clause in CLAUSES
        if rows(session, "cloudtrail_event", clause) != rows(session, "materialized_copy", clause)
    ]
    assert differing == []
    some = [clause for clause in CLAUSES if rows(session, "materialized_copy", clause)]
    assert len(some) > len(CLAUSES) / 2  # most clauses select something, so a loss would show


PREPARED = [
    ("event_name = $1", "text", "'LastEvent'"),
    ("event_name <> $1", "text", "'DescribeInstances'"),
    ("event_name LIKE $1", "text", "'Run%'"),
    ("event_name = ANY ($1)", "text[]", "'{RunInstances,LastEvent}'"),
    ("event_name IN ($1, 'LastEvent')", "text", "'RunInstances'"),
    ("event_name <> ALL ($1)", "text[]", "'{DescribeInstances}'"),
    ("event_time > $1", "timestamptz", "'2026-11-20 08:00:30+00'"),
    ("event_time <= $1", "timestamptz", "'2026-11-20 08:00:30+00'"),
    ("read_only = $1", "boolean", "false"),
    ("event_name = $1", "text", "NULL"),
    ("error_code IS NOT DISTINCT FROM $1", "text", "NULL"),
]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_no_prepared_statement_changes_the_answer(session: Db, mode: str) -> None:
    session.execute(f"SET plan_cache_mode = {mode}")
    for number, (clause, kind, value) in enumerate(PREPARED):
        answers = []
        for table in ("cloudtrail_event", "materialized_copy"):
            name = f"p{number}_{table}"
            session.execute(
                f"PREPARE {name} ({kind}) AS"
                f" SELECT log_event_id FROM {table} WHERE {clause} ORDER BY 1"
            )
            answers.append(
                [session.execute(f"EXECUTE {name} ({value})").fetchall() for _ in range(2)]
            )
        assert answers[0] == answers[1], clause


JOINS = [
    "SELECT count(*) FROM {t} a JOIN {t} b USING (event_id)",
    "SELECT a.log_event_id FROM {t} a WHERE EXISTS (SELECT FROM {t} b WHERE b.access_key_id ="
    " a.access_key_id AND b.event_time > a.event_time) ORDER BY 1",
    "SELECT v.n, count(e.log_event_id) FROM (VALUES ('LastEvent'), ('RunInstances'), ('x')) v(n)"
    " LEFT JOIN {t} e ON e.event_name = v.n GROUP BY 1 ORDER BY 1",
    "SELECT v.n, l.c FROM (VALUES ('LastEvent'), ('RunInstances')) v(n), LATERAL"
    " (SELECT count(*) c FROM {t} e WHERE e.event_name = v.n) l ORDER BY 1",
    "SELECT event_name, count(*) FROM {t} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1",
    "SELECT log_event_id FROM {t} ORDER BY event_time DESC, log_event_id LIMIT 7",
    "SELECT log_event_id FROM {t} ORDER BY timestamp, log_event_id OFFSET 5 LIMIT 7",
    "SELECT DISTINCT ON (event_name) event_name, log_event_id FROM {t} ORDER BY 1, 2",
]


@pytest.mark.parametrize("query", JOINS)
def test_no_join_or_order_changes_the_answer(session: Db, query: str) -> None:
    ours = session.execute(query.format(t="cloudtrail_event")).fetchall()
    assert ours == session.execute(query.format(t="materialized_copy")).fetchall()
    assert ours
