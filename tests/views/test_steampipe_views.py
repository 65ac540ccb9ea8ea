"""The schema steampipe: its names and types, what reaches AWS, whom it asks about addresses."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from remote_server import KEY, Remote, serving
from servers import Sandbox
from steampipe_columns import COLUMNS

Db = psycopg.Connection[tuple[Any, ...]]
GROUP = "aws-cloudtrail-logs-sandbox"


@pytest.fixture
def db(sample: Sandbox) -> Iterator[Db]:
    """A reader's session."""
    with sample.connect("reader_dsn") as connection:
        yield connection


def plan(db: Db, query: str) -> str:
    found = db.execute(f"EXPLAIN (COSTS OFF) {query}".encode()).fetchall()
    return "\n".join(line for (line,) in found)


@pytest.mark.parametrize("view", COLUMNS)
def test_names_and_types_are_steampipes(db: Db, view: str) -> None:
    found = db.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0",
        [f"steampipe.{view}"],
    ).fetchall()
    assert dict(found) == COLUMNS[view]
    assert db.execute("SELECT obj_description(%s::regclass)", [f"steampipe.{view}"]).fetchone()


def test_unqualified_names_are_steampipes_then_ours(sample: Sandbox) -> None:
    for dsn in ("dsn", "reader_dsn"):
        with sample.connect(dsn) as db:
            named = [*COLUMNS, "ip_enrichment", "abuseipdb_check"]
            found = db.execute(
                "SELECT (SELECT relnamespace::regnamespace::text FROM pg_class"
                " WHERE oid = name::regclass)"
                " FROM unnest(%s::text[]) WITH ORDINALITY n (name, at) ORDER BY at",
                [named],
            ).fetchall()
            assert found == [("steampipe",)] * len(COLUMNS) + [("cloudtrail",)] * 2


def test_bounds_and_conditions_reach_aws(db: Db) -> None:
    shown = plan(
        db,
        "SELECT event_name, timestamp_ms, _ctx FROM aws_cloudtrail_trail_event"
        f" WHERE log_group_name = '{GROUP}' AND event_name = 'GetObject' AND NOT read_only"
        " AND timestamp BETWEEN '2026-11-20 10:00+00' AND '2026-11-20 11:00+00'"
        " AND filter = '{ $.errorCode = \"AccessDenied\" }'",
    )
    assert f"Log Group: {GROUP}\n" in shown
    window = r"Window: 2026-11-20T10:00:00\S* to 2026-11-20T11:00:00\S* of delivery\n"
    assert re.search(window, shown)
    assert '$.eventName = "GetObject"' in shown
    assert "$.readOnly IS FALSE" in shown
    assert '$.errorCode = "AccessDenied"' in shown


def test_an_hour_is_asked_for_where_an_hour_is_meant(db: Db) -> None:
    shown = plan(
        db,
        "SELECT count(*) FROM aws_cloudtrail_trail_event"
        f" WHERE log_group_name = '{GROUP}' AND timestamp >= now() - interval '1 hour'",
    )
    ((since,),) = db.execute("SELECT to_char((now() - interval '1 h') AT TIME ZONE 'UTC',"
                             " '\"Window: \"YYYY-MM-DD\"T\"HH24')").fetchall()  # fmt: skip
    assert f"{since}:" in shown


def test_a_name_server_is_asked_only_for_names(db: Db) -> None:
    query = "SELECT {} FROM net_dns_reverse WHERE ip_address = '3.141.213.252'"
    assert "Reverse DNS: not asked" in plan(db, query.format("ip_address"))
    assert "Reverse DNS: asked" in plan(db, query.format("domains"))
    db.execute("SET cloudtrail_fdw.network_enrichment = off")
    assert db.execute(query.format("domains, status").encode()).fetchall() == [
        (None, "not_requested")
    ]


@pytest.fixture
def ipstack() -> Iterator[Remote]:
    """ipstack, as a server on loopback."""
    with serving() as server:
        yield server


FORMS = (
    "ipstack_ip i WHERE i.ip = '104.53.216.85'",
    "ipstack_ip i WHERE i.ip IN ('104.53.216.85', '104.53.216.85')",
    "(VALUES (inet '104.53.216.85')) v (a) JOIN ipstack_ip i ON i.ip = {a}",
    "(VALUES (inet '104.53.216.85')) v (a) LEFT JOIN ipstack_ip i ON i.ip = {a} AND i.city <> ''",
)


@pytest.mark.parametrize("setting", ["", "enable_nestloop", "enable_hashjoin", "enable_memoize"])
def test_without_a_key_no_plan_asks_ipstack(sample: Sandbox, ipstack: Remote, setting: str) -> None:
    """Whether there is a key is looked up before, not as a filter of what ipstack says."""
    with sample.connect() as db, db.transaction(force_rollback=True):
        db.execute(f"ALTER SERVER cloudtrail OPTIONS (ADD ipstack_url '{ipstack.url}')".encode())
        if setting:
            db.execute(
                "SELECT set_config(name, 'off', true) FROM pg_settings WHERE name = %s", (setting,)
            )
        for form in FORMS:
            # without our handler the key is a text
            query = "SELECT i.city, i.status FROM " + form.format(
                a="host(v.a)" if sample.bare else "v.a"
            )
            assert db.execute(query.encode()).fetchall() == [("Berkeley", None)], form
    assert ipstack.calls == []


def test_ipstack_is_asked_for_whom_has_a_key_and_nobody_else(
    sample: Sandbox, ipstack: Remote
) -> None:
    query = b"SELECT city, status FROM steampipe.ipstack_ip WHERE ip = '104.53.216.85'"
    offline = [("Berkeley", None)]
    cache = Path(sample.state["dir"]) / "postgres" / "data" / f"cache-{secrets.token_hex(4)}"
    with sample.connect() as db, db.transaction(force_rollback=True):
        options = f"ADD ipstack_url '{ipstack.url}', ADD cache_directory '{cache}'"
        db.execute(f"ALTER SERVER cloudtrail OPTIONS ({options})".encode())
        assert db.execute(query).fetchall() == offline
        mine = "USER MAPPING FOR CURRENT_USER SERVER cloudtrail OPTIONS"
        db.execute(f"CREATE {mine} (shodan_key '{KEY}')".encode())
        assert db.execute(query).fetchall() == offline
        db.execute(f"ALTER {mine} (ADD ipstack_key '{KEY}')".encode())
        db.execute(b"SET ROLE cloudtrail_reader")
        assert db.execute(query).fetchall() == offline
        assert ipstack.calls == []
        db.execute(b"RESET ROLE")
        assert db.execute(query).fetchall() == [("Los Angeles", "found")]
        assert len(ipstack.calls) == 1


def test_sources_of_their_own_need_a_key(db: Db) -> None:
    for query in (
        b"SELECT 1 FROM shodan_host WHERE ip = '8.8.8.8' AND hostnames ? 'dns.google'",
        b"SELECT 1 FROM abuseipdb_check_ip WHERE ip_address = '118.25.6.39'",
    ):
        with pytest.raises(psycopg.Error, match="no API key of"):
            db.execute(query)
