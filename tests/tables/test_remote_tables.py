"""ipstack_ip, abuseipdb_check and shodan_host through SQL, with a real HTTP server behind them."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw.tables import TABLES
from remote_server import KEY, Fault, Remote, ipstack_error, serving
from servers import Sandbox

Db = psycopg.Connection[tuple[Any, ...]]
REMOTE = {"ipstack": "ipstack_ip", "abuseipdb": "abuseipdb_check", "shodan": "shodan_host"}
WITHOUT_HANDLER_TOO = True


@pytest.fixture(scope="module")
def server() -> Iterator[Remote]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def remotes(sample: Sandbox, server: Remote) -> Iterator[Sandbox]:
    """The server's options name the HTTP server, and its superuser has the keys."""
    urls = {f"{name}_url": server.url for name in REMOTE}
    keys = ", ".join(f"{name}_key '{KEY}'" for name in REMOTE)
    added = ", ".join(f"ADD {name} '{value}'" for name, value in urls.items())
    dropped = ", ".join(f"DROP {name}" for name in (*urls, "cache_directory"))
    with sample.connect() as db:
        db.execute(f"ALTER SERVER cloudtrail OPTIONS ({added}, ADD cache_directory '/')".encode())
        db.execute(
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER cloudtrail OPTIONS ({keys})".encode()
        )
        yield sample
        db.execute(f"ALTER SERVER cloudtrail OPTIONS ({dropped})".encode())
        db.execute(b"DROP USER MAPPING FOR CURRENT_USER SERVER cloudtrail")


@pytest.fixture
def db(remotes: Sandbox, server: Remote) -> Iterator[Db]:
    """A superuser's session, with a cache of its own."""
    server.reset()
    folder = Path(remotes.state["dir"]) / "postgres" / "data" / f"cache-{secrets.token_hex(4)}"
    with remotes.connect() as connection:
        connection.execute(
            f"ALTER SERVER cloudtrail OPTIONS (SET cache_directory '{folder}')".encode()
        )
        yield connection


def fetch(db: Db, query: str) -> list[Any]:
    return db.execute(query.encode()).fetchall()


def test_every_column_is_filled_from_the_record(db: Db):
    ipstack = (
        "SELECT ip, host(address), status, status_detail, fetched_at <= clock_timestamp(),"
        " hostname, type, country_code, city, zip, latitude, radius, location_geoname_id,"
        " location_is_eu, location_languages -> 0 ->> 'code', timezone_current_time, asn,"
        " isp, is_proxy FROM cloudtrail.ipstack_ip WHERE ip = '8.8.8.8'"
    )
    db.execute(b"SET TimeZone = 'Asia/Kathmandu'")
    row = fetch(db, ipstack)[0]
    when = row[15].isoformat()
    assert row[:15] == ("8.8.8.8", "8.8.8.8", "found", None, True, "8.8.8.8", "ipv4", "US",
                        "Los Angeles", "90013", 34.0453, 46.2, 5368361, False, "en")  # fmt: skip
    assert when == "2018-03-29T20:20:08+05:45"
    assert row[16:] == (25876, "Los Angeles Department of Water & Power", None)
    assert fetch(
        db,
        "SELECT abuse_confidence_score, total_reports, is_whitelisted, is_tor, country_name,"
        " max_age_in_days, last_reported_at AT TIME ZONE 'UTC' = '2018-12-20 20:55:14',"
        " reports #>> '{0,comment}', jsonb_typeof(hostnames)"
        " FROM abuseipdb_check WHERE ip = '118.25.6.39'",
    ) == [(100, 2, None, False, "China", 90, True, "a\ufffdb", "array")]
    assert fetch(
        db,
        "SELECT asn, ports, vulns ->> 0, dma_code, data #>> '{0,port}', country_code_3,"
        " last_update AT TIME ZONE 'UTC' = '2021-01-22 08:49:35.190817'"
        " FROM cloudtrail.shodan_host WHERE ip = '8.8.8.8'",
    ) == [("AS15169", [53, 443], "CVE-2021-1", 807, "53", None, True)]


@pytest.mark.parametrize("table", REMOTE.values())
def test_whole_rows_have_all_columns(db: Db, server: Remote, table: str):
    """Also the ones that take a fuller answer, and in the types that were declared."""
    found = fetch(
        db, f"SELECT to_jsonb(t) FROM cloudtrail.{table} t WHERE ip IN ('8.8.8.8', '10.0.0.1')"
    )
    assert [set(row[0]) for row in found] == [set(TABLES[table].column)] * 2
    wanted = {"ipstack_ip": "hostname", "abuseipdb_check": "reports", "shodan_host": "data"}
    assert {row[0]["ip"]: row[0][wanted[table]] is not None for row in found} == {
        "10.0.0.1": False,
        "8.8.8.8": True,
    }


@pytest.mark.parametrize("table", REMOTE.values())
def test_an_inet_as_text_is_an_address(db: Db, table: str):
    """PostgreSQL writes ``inet::text`` with the length, and checks the key again."""
    query = f"""
        SELECT t.ip, host(t.address), t.status FROM (VALUES (inet '8.8.8.8'), ('10.0.0.1')) v(a)
        JOIN cloudtrail.{table} t ON t.ip = v.a::text ORDER BY 1
    """
    assert fetch(db, query) == [
        ("10.0.0.1/32", None, "not_sent"), ("8.8.8.8/32", "8.8.8.8", "found")
    ]  # fmt: skip


JOIN = "SELECT v.ip, t.status FROM (VALUES ('8.8.8.8'), ('10.0.0.1'), ('AWS Internal'), ('8.8.8.8'), (NULL), ('8.8.4.4')) v(ip) LEFT JOIN {} t ON t.ip = v.ip"  # noqa: E501


@pytest.mark.parametrize("setting", ["", "enable_nestloop", "enable_hashjoin", "enable_mergejoin"])
def test_a_join_gives_one_row_for_each_key_in_every_plan(
    db: Db, remotes: Sandbox, server: Remote, setting: str
):
    if setting:
        db.execute(f"SET {setting} = off".encode())
    if setting == "enable_nestloop" and remotes.bare and db.info.server_version >= 180000:
        with pytest.raises(psycopg.Error, match="given addresses only"):  # docs/limits.md
            fetch(db, JOIN.format("abuseipdb_check"))
        return
    rows = fetch(db, JOIN.format("abuseipdb_check"))
    assert sorted(rows, key=str) == sorted(
        [("8.8.8.8", "found"), ("8.8.8.8", "found"), ("8.8.4.4", "found"), (None, None),
         ("10.0.0.1", "not_sent"), ("AWS Internal", "not_sent")], key=str)  # fmt: skip
    assert len(server.calls) == 2
    again = fetch(db, "SELECT ip, status FROM abuseipdb_check"
                      " WHERE ip = ANY ('{8.8.8.8,9.9.9.9,10.0.0.1}') ORDER BY ip")  # fmt: skip
    assert again == [("10.0.0.1", "not_sent"), ("8.8.8.8", "found"), ("9.9.9.9", "found")]
    assert len(server.calls) == 3


def test_days_of_reports_may_be_given_and_are_kept_apart(db: Db, server: Remote) -> None:
    query = (
        "SELECT ip, max_age_in_days, status FROM abuseipdb_check"
        " WHERE ip IN ('8.8.8.8', '10.0.0.1') AND max_age_in_days {} ORDER BY 2, 1"
    )
    for _ in range(2):
        assert fetch(db, query.format("= 365")) == [
            ("10.0.0.1", 365, "not_sent"),
            ("8.8.8.8", 365, "found"),
        ]
    assert fetch(db, query.format("IN (365, 30)")) == [
        ("10.0.0.1", 30, "not_sent"),
        ("8.8.8.8", 30, "found"),
        ("10.0.0.1", 365, "not_sent"),
        ("8.8.8.8", 365, "found"),
    ]
    assert len(fetch(db, query.format("= 90"))) == 2
    assert [re.findall(r"maxAgeInDays=(\d+)", call) for call in server.calls] == [
        ["365"], ["30"], ["90"]]  # fmt: skip
    assert fetch(db, query.format("= 30 AND max_age_in_days = 31")) == []
    db.execute(b"SET cloudtrail_fdw.abuseipdb_max_age_days = 30")
    assert fetch(db, "SELECT max_age_in_days FROM abuseipdb_check WHERE ip = '8.8.8.8'") == [(30,)]
    assert len(server.calls) == 3
    shown = str(fetch(db, "EXPLAIN " + query.format("= 365")))
    assert "Max Age In Days: 365" in shown
    for wrong, message in (("= 366", "1 to 365 days, not 366"), ("= 0", "1 to 365 days, not 0"),
                           ("> 30", "takes a value by =")):  # fmt: skip
        with pytest.raises(psycopg.Error, match=message):
            fetch(db, query.format(wrong))


def test_two_backends_share_what_was_asked(db: Db, remotes: Sandbox, server: Remote):
    query = "SELECT city, fetched_at FROM cloudtrail.ipstack_ip WHERE ip IN ('8.8.8.8', '8.8.4.4')"
    first = fetch(db, query)
    assert len(server.calls) == 1
    with remotes.connect() as other:
        assert fetch(other, query) == first
    assert len(server.calls) == 1


def test_limits_are_errors_or_rows(db: Db, server: Remote):
    server.reset(Fault(200, ipstack_error(104, "usage_limit_reached")))
    with pytest.raises(psycopg.Error, match="used up") as caught:
        fetch(db, JOIN.format("cloudtrail.ipstack_ip"))
    assert "remote_errors" in f"{caught.value.diag.message_hint} {caught.value.diag.message_detail}"
    db.execute(b"SET cloudtrail_fdw.remote_errors = 'status'")
    server.reset(Fault(200, ipstack_error(104, "usage_limit_reached")))
    rows = fetch(db, JOIN.format("cloudtrail.ipstack_ip"))
    assert sorted(str(status) for _, status in rows) == ["None", "not_sent", "not_sent",
                                                         "quota", "quota", "quota"]  # fmt: skip
    assert len(server.calls) == 1  # and not one for each key
    detail = fetch(db, "SELECT status_detail FROM cloudtrail.ipstack_ip WHERE ip = '8.8.8.8'")
    assert "usage_limit_reached" in detail[0][0]


def test_the_cap_counts_the_whole_query(db: Db, server: Remote):
    db.execute(b"SET cloudtrail_fdw.max_lookups = 2")
    db.execute(b"SET cloudtrail_fdw.remote_errors = 'status'")
    query = (
        "SELECT t.status FROM (SELECT '8.8.8.' || n AS ip FROM generate_series(1, 5) n OFFSET 0) v"
        " CROSS JOIN LATERAL (SELECT * FROM abuseipdb_check a WHERE a.ip = v.ip) t"
    )
    assert sorted(row[0] for row in fetch(db, query)) == ["found", "found", *["quota"] * 3]
    assert len(server.calls) == 2
    assert [row[0] for row in fetch(db, query)].count("found") == 4  # two were kept
    db.execute(b"SET cloudtrail_fdw.remote_errors = 'error'")
    db.execute(b"SET cloudtrail_fdw.max_lookups = 1")
    with pytest.raises(psycopg.Error, match="max_lookups"):
        fetch(db, "SELECT status FROM abuseipdb_check WHERE ip IN ('8.1.1.1', '8.1.1.2')")


def test_without_a_key_only_what_needs_one_fails(db: Db, remotes: Sandbox, server: Remote):
    with remotes.connect("reader_dsn") as reader:
        for name, table in REMOTE.items():
            local = f"SELECT status FROM cloudtrail.{table} WHERE ip = '10.0.0.1'"
            assert fetch(reader, local) == [("not_sent",)]
            with pytest.raises(psycopg.Error, match="no API key") as caught:
                fetch(reader, f"SELECT status FROM cloudtrail.{table} WHERE ip = '8.8.8.8'")
            assert f"{name}_key" in str(caught.value)
        reader.execute(b"SET cloudtrail_fdw.network_enrichment = off")
        assert fetch(reader, "SELECT status FROM cloudtrail.shodan_host WHERE ip = '8.8.8.8'") == [
            ("network_off",)
        ]
    assert server.calls == []


def test_no_key_is_shown_anywhere(db: Db, remotes: Sandbox, server: Remote):
    said = []
    server.reset(Fault(raw=b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n{}"))
    db.execute(b"SET cloudtrail_fdw.remote_timeout = '300 ms'")
    for table in REMOTE.values():
        query = f"SELECT * FROM cloudtrail.{table} WHERE ip = '8.8.8.8'"
        said += [row[0] for row in fetch(db, f"EXPLAIN (VERBOSE) {query}")]
        with pytest.raises(psycopg.Error) as caught:
            fetch(db, query)
        diag = caught.value.diag
        said += [str(part) for part in (diag.message_primary, diag.message_detail,
                                        diag.message_hint, diag.context)]  # fmt: skip
    assert KEY not in " ".join(said)
    assert any("Addresses: 1" in line for line in said)
    logs = [*Path(remotes.state["dir"]).rglob("*log*")]
    text = b"".join(path.read_bytes() for path in logs if path.is_file())
    assert b"did not help" in text
    kept = [line for line in text.splitlines() if KEY.encode() in line]
    assert all(b"USER MAPPING" in line for line in kept)  # what PostgreSQL itself logs


def test_a_cancel_ends_the_wait_and_the_session_goes_on(db: Db, server: Remote):
    server.reset(Fault(hang=True))
    db.execute(b"SET statement_timeout = 300")
    db.execute(b"SET cloudtrail_fdw.remote_timeout = '20 s'")
    started = time.monotonic()
    for table in REMOTE.values():
        with pytest.raises(psycopg.Error, match="canceling statement"):
            fetch(db, f"SELECT * FROM cloudtrail.{table} WHERE ip = '8.8.8.8'")
    assert time.monotonic() - started < 3
    server.reset()
    db.execute(b"RESET statement_timeout")
    assert fetch(db, "SELECT status FROM cloudtrail.ipstack_ip WHERE ip = '8.8.8.8'") == [
        ("found",)
    ]


def test_a_scan_without_addresses_is_an_error_with_a_hint(db: Db):
    for table in REMOTE.values():
        with pytest.raises(psycopg.Error, match=r"given addresses only|ip = |key"):
            fetch(db, f"SELECT * FROM cloudtrail.{table}")


def test_where_the_sources_are_is_for_the_owner_of_the_server(db: Db):
    for name, table in REMOTE.items():
        for statement in (
            f"CREATE FOREIGN TABLE t (ip text) SERVER cloudtrail "
            f"OPTIONS (table_name '{table}', {name}_url 'https://evil.example')",
            f"ALTER SERVER cloudtrail OPTIONS (SET {name}_url 'http://10.0.0.1')",
            f"ALTER SERVER cloudtrail OPTIONS (ADD {name}_key 'x')",
        ):
            with pytest.raises(psycopg.Error):
                db.execute(statement.encode())
