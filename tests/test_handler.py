"""What only our own handler can do: inet keys, operands of any type, labels, SQLSTATEs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import Sandbox

Db = psycopg.Connection[tuple[Any, ...]]
# Article 004's query with its own names, its regex repaired, on the demo's events.
ARTICLE = r"""
with addrs as (
  select
    a.source_ip_address::inet
  from
    aws_cloudtrail_trail_event a
  where
    a.log_group_name = 'aws-cloudtrail-logs-sandbox'
    and a.source_ip_address ~ '^\d+\.\d+' -- filter ipv4 addresses
)
select
  a.source_ip_address as ip,
  i.continent_name,
  i.country_name,
  i.region_name,
  i.city
from
  addrs a
join
  ipstack_ip i
on
  a.source_ip_address = i.ip
"""
SIX = {
    ("104.53.216.85", "United States", "California"),
    ("82.102.17.180", "Spain", "Madrid"),
    ("89.248.165.99", "The Netherlands", "North Holland"),
    ("107.170.20.63", "United States", "New Jersey"),
    ("157.230.162.15", "United States", "California"),
    ("212.102.58.164", "United States", "Illinois"),
}


@pytest.fixture
def article(sample: Sandbox) -> Iterator[Db]:
    """The article's tables, with a key of type inet."""
    with sample.connect() as db:
        db.execute("CREATE SCHEMA article")
        db.execute(
            "CREATE FOREIGN TABLE article.ipstack_ip (ip inet, continent_name text,"
            " country_name text, region_name text, city text)"
            " SERVER cloudtrail OPTIONS (table_name 'ip_enrichment')"
        )
        db.execute(
            "CREATE VIEW article.aws_cloudtrail_trail_event AS SELECT * FROM cloudtrail_event"
        )
        db.execute("SET search_path = article, cloudtrail, public")
        yield db
        db.execute("DROP SCHEMA article CASCADE")


def places(db: Db, query: str) -> set[tuple[str, str, str]]:
    rows = db.execute(query).fetchall()
    return {(str(ip), country, region) for ip, _continent, country, region, _city in rows}


def test_the_articles_query_runs_as_it_is_written(article: Db) -> None:
    assert places(article, ARTICLE) >= SIX
    for explain in ("EXPLAIN", "EXPLAIN (ANALYZE, VERBOSE)", "EXPLAIN (FORMAT XML)"):
        assert article.execute(explain + ARTICLE).fetchall()


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_the_articles_query_prepared_ten_times(article: Db, mode: str) -> None:
    article.execute(f"SET plan_cache_mode = {mode}")
    article.execute("SET cloudtrail_fdw.cache = off")  # EXPLAIN says what is in it
    article.execute("PREPARE p AS " + ARTICLE)
    plans = set()
    for _ in range(10):
        plans.add(str(article.execute("EXPLAIN (COSTS OFF) EXECUTE p").fetchall()))
        assert places(article, "EXECUTE p") >= SIX
    assert len(plans) == 1


OPERANDS = [
    ("username = current_user", "username = 'postgres'::text"),
    ("username = 'alice'::name", "username = 'alice'"),
    ("event_name::citext = 'getobject'", "lower(event_name) = 'getobject'"),
    ("event_name = 'GetObject'::char(20)", "event_name = 'GetObject'"),
    ("event_time < current_date", "event_time < current_date::timestamptz"),
    ("event_time < localtimestamp", "event_time < now()"),
    ("event_time > current_timestamp", "event_time > now()"),
    ("event_time <= date '2026-11-20'", "event_time <= '2026-11-20 00:00'::timestamptz"),
    ("source_ip = (SELECT inet '3.141.213.252')", "source_ip = '3.141.213.252'"),
    ("source_ip = ANY (ARRAY(SELECT inet '3.141.213.252'))", "host(source_ip) = '3.141.213.252'"),
    ("event_name COLLATE \"C\" = 'GetObject'", "event_name = 'GetObject'"),
]


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns"])
@pytest.mark.parametrize(("clause", "same"), OPERANDS, ids=[clause for clause, _ in OPERANDS])
def test_operands_of_other_types_are_right(
    sample: Sandbox, clause: str, same: str, zone: str
) -> None:
    with sample.connect() as db:
        db.execute("CREATE EXTENSION IF NOT EXISTS citext")
        db.execute(f"SET TimeZone = '{zone}'")
        db.execute("SET DateStyle = 'German, DMY'")
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM cloudtrail_event")
        query = "SELECT log_event_id FROM {} WHERE {} ORDER BY 1"
        found = db.execute(query.format("cloudtrail_event", clause)).fetchall()
        assert found == db.execute(query.format("copy", clause)).fetchall()
        assert found == db.execute(query.format("copy", same)).fetchall()
        assert db.execute(f"EXPLAIN SELECT * FROM cloudtrail_event WHERE {clause}").fetchall()


def test_labels_hold_one_value_each(sample: Sandbox) -> None:
    with sample.connect() as db:
        row = db.execute(
            "EXPLAIN (FORMAT JSON) SELECT city FROM cloudtrail_event e"
            " JOIN ip_enrichment i ON i.ip = host(e.source_ip)"
            " WHERE e.event_time > '2026-11-20 10:00+00' AND e.event_name = 'ListRoles'"
        ).fetchone()
    assert row is not None
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    events, addresses = plan[0]["Plan"]["Plans"]
    assert events["Log Group"] == "those of the account's trails"
    assert events["Window"].startswith("2026-11-20T09:59:00+00:00 to unbounded")
    assert events["Filter Pattern"] == '{ $.eventName = "ListRoles" }'
    # from PostgreSQL 16 on a join's condition has the inner side first
    both = ("(host(e.source_ip) = ip)", "(ip = host(e.source_ip))")
    assert addresses["Runtime Bounds"] in both
    assert "Multicorn" not in str(plan)


SQLSTATES = [
    ("SELECT * FROM ip_enrichment", "HV000"),
    ("SELECT * FROM cloudtrail_event WHERE log_group_name = 'misspelt'", "HV00R"),
    ("SELECT * FROM cloudtrail_event WHERE filter = '{ $.a = '", "HV024"),
]


@pytest.mark.parametrize(("query", "sqlstate"), SQLSTATES)
def test_errors_have_a_sqlstate_of_their_class(sample: Sandbox, query: str, sqlstate: str) -> None:
    with sample.connect() as db:
        for _ in range(2):
            with pytest.raises(psycopg.Error) as raised:
                db.execute(query)
            assert raised.value.sqlstate == sqlstate
            assert not str(raised.value).startswith("Error in python")


def test_a_join_is_keyed_and_estimated(sample: Sandbox) -> None:
    with sample.connect() as db:
        row = db.execute(
            "EXPLAIN (FORMAT JSON) SELECT * FROM cloudtrail_event e"
            " JOIN ip_enrichment i ON i.ip = e.source_ip_address"
        ).fetchone()
    assert row is not None
    join = row[0][0]["Plan"]
    assert join["Node Type"] == "Nested Loop"
    assert join["Plan Rows"] == join["Plans"][0]["Plan Rows"]


def test_columns_nobody_asked_for_are_not_made(sample: Sandbox) -> None:
    with sample.connect() as db:
        db.execute("SET cloudtrail_fdw.network_enrichment = on")
        whole = db.execute(
            "SELECT (i).reverse_dns_status FROM (SELECT i FROM ip_enrichment i"
            " WHERE ip = '3.141.213.252') s"
        ).fetchone()
        assert whole == ("found",)
        direct = db.execute("SELECT city FROM ip_enrichment WHERE ip = '3.141.213.252'").fetchone()
        assert direct == ("Dublin",)
