"""Reverse DNS of a join through SQL: asked at once, only when wanted, with one patience a query."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from servers import Db, Sandbox, start

ADDRESSES = [f"9.9.{number}.{number + 1}" for number in range(100)]
NAMES = {address: [f"h{address}.example"] for address in ADDRESSES}
CACHE = "cloudtrail_fdw_cache"  # the sandbox's folder of caches
LATENCY = 0.05  # seconds; one after the other the addresses take 5
AT_ONCE = 2.0  # seconds, as many as a loaded machine may need
JOIN = (
    "SELECT e.source_ip_address, i.reverse_dns, i.reverse_dns_status"
    " FROM cloudtrail_event e JOIN ip_enrichment i ON i.ip = e.source_ip_address"
)


def record(number: int, source: str) -> str:
    return json.dumps({
        "eventVersion": "1.11", "eventID": f"e{number:04}", "eventName": "GetObject",
        "eventTime": f"2025-10-01T{number // 60:02}:{number % 60:02}:00Z",
        "eventSource": "s3.amazonaws.com", "awsRegion": "r", "sourceIPAddress": source,
        "userIdentity": {"type": "IAMUser", "userName": "u"},
    })  # fmt: skip


@pytest.fixture(scope="module")
def server(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Events from a hundred hosts and some others, twice each, and a slow name server."""
    path = tmp_path_factory.mktemp("ahead") / "events.jsonl"
    sources = ["10.0.0.1", "AWS Internal", "s3.amazonaws.com", *ADDRESSES, "9.9.200.1"] * 2
    path.write_text("\n".join(record(n, source) for n, source in enumerate(sources)) + "\n")
    for sandbox in start(kind, "ahead", "--events", str(path)):
        change(sandbox, names=NAMES, latency_ms=LATENCY * 1000)
        yield sandbox


@pytest.fixture
def db(server: Sandbox) -> Iterator[Db]:
    """A new session, as if no name server had ever been asked; it has read the events once."""
    for path in names(server).parent.glob("names.*"):
        path.unlink()
    with server.connect() as session:
        session.execute("SELECT count(source_ip_address) FROM cloudtrail_event")
        session.execute("SELECT city FROM ip_enrichment WHERE ip = '9.9.9.9'")
        yield session


def names(sandbox: Sandbox) -> Path:
    """The file that the sessions share."""
    return Path(sandbox.state["dir"], "postgres", "data", CACHE, "dns", "names.sqlite")


def change(sandbox: Sandbox, **shape: Any) -> None:
    url = f"{sandbox.state['aws_endpoint']}/_sandbox/dns"
    urllib.request.urlopen(url, json.dumps(shape).encode()).close()


def asked(sandbox: Sandbox) -> dict[str, int]:
    """Questions to the name server so far, by type."""
    with urllib.request.urlopen(f"{sandbox.state['aws_endpoint']}/_sandbox/dns") as answer:
        return dict(json.load(answer)["queries"])


def timed(db: Db, query: str) -> tuple[list[tuple[Any, ...]], float]:
    started = time.monotonic()
    found = db.execute(query.encode()).fetchall()
    return found, time.monotonic() - started


def pointers(sandbox: Sandbox) -> int:
    return asked(sandbox).get("PTR", 0)


@pytest.mark.parametrize("order", ["", " ORDER BY e.event_time DESC LIMIT 400"])
def test_the_addresses_of_events_are_asked_at_once(server: Sandbox, db: Db, order: str) -> None:
    before = pointers(server)
    found, seconds = timed(db, JOIN + order)
    assert seconds < AT_ONCE
    assert pointers(server) - before == 101
    assert len(found) == 208
    expected = {address: (names[0], "found") for address, names in NAMES.items()}
    expected |= dict.fromkeys(["10.0.0.1", "AWS Internal", "s3.amazonaws.com"],
                              (None, "not_requested"))  # fmt: skip
    expected["9.9.200.1"] = (None, "none")
    assert {ip: (name, status) for ip, name, status in found} == expected


def test_a_list_is_asked_at_once(server: Sandbox, db: Db) -> None:
    before = pointers(server)
    texts = ", ".join(f"'{address}'" for address in ADDRESSES)
    for condition in (f"ip IN ({texts})", f"ip = ANY (ARRAY[{texts}])"):
        found, seconds = timed(db, f"SELECT ip, reverse_dns FROM ip_enrichment WHERE {condition}")
        assert dict(found) == {address: names[0] for address, names in NAMES.items()}
        assert seconds < AT_ONCE
    assert pointers(server) - before == 100


def test_nothing_is_sent_that_the_query_does_not_ask_for(server: Sandbox, db: Db) -> None:
    before = asked(server)
    db.execute(JOIN.replace("i.reverse_dns, i.reverse_dns_status", "i.city").encode())
    db.execute("SELECT source_ip_address FROM cloudtrail_event")
    db.execute("SET cloudtrail_fdw.network_enrichment = off")
    found = db.execute(JOIN.encode()).fetchall()
    assert {status for _, _, status in found} == {"not_requested"}
    assert asked(server) == before
    # what an earlier statement read is no reason to ask for it
    db.execute("SET cloudtrail_fdw.network_enrichment = on")
    db.execute("SELECT source_ip_address FROM cloudtrail_event")
    one = "SELECT reverse_dns FROM ip_enrichment WHERE ip = '9.9.7.8'"
    assert db.execute(one.encode()).fetchall() == [("h9.9.7.8.example",)]
    assert pointers(server) - before.get("PTR", 0) == 1


def test_a_silent_server_is_waited_for_once_in_a_query(server: Sandbox, db: Db) -> None:
    silent = [f"9.8.7.{number}" for number in range(40)]
    change(server, silent=silent)
    db.execute("SET cloudtrail_fdw.dns_timeout = '500 ms'")
    query = (
        "SELECT v.ip, i.reverse_dns_status FROM (VALUES {}) v(ip) JOIN ip_enrichment i USING (ip)"
    )
    values = ", ".join(f"('{address}')" for address in silent)
    db.execute("SET enable_hashjoin = off")
    found, seconds = timed(db, query.format(values))
    assert dict(found) == dict.fromkeys(silent, "timeout")
    assert seconds < 2  # one after the other: 20
    assert db.execute(query.format("('9.9.3.4')").encode()).fetchall() == [("9.9.3.4", "found")]


def test_names_that_lead_back_are_confirmed_on_request(server: Sandbox, db: Db) -> None:
    change(server, unconfirmed=["9.9.5.6"])
    before = asked(server)
    found, seconds = timed(db, JOIN.replace("i.reverse_dns,", "i.reverse_dns_confirmed,"))
    assert seconds < AT_ONCE
    by_address = {ip: (name, status) for ip, name, status in found}
    assert by_address["9.9.5.6"] == (None, "found")
    assert by_address["9.9.7.8"] == ("h9.9.7.8.example", "confirmed")
    assert by_address["10.0.0.1"] == (None, "not_requested")
    after = asked(server)
    assert (after["PTR"] - before["PTR"], after["A"] - before.get("A", 0)) == (101, 100)


def test_a_cursor_whose_fetches_are_statements_gets_the_same(server: Sandbox, db: Db) -> None:
    expected = sorted(db.execute(JOIN.encode()).fetchall(), key=str)
    with psycopg.connect(server.state["dsn"]) as other, other.cursor("c") as cursor:
        cursor.execute(JOIN.encode())
        found = cursor.fetchmany(150) + cursor.fetchall()
    assert sorted(found, key=str) == expected


def test_sessions_share_what_they_were_told(server: Sandbox, db: Db) -> None:
    change(server, silent=["9.9.7.8"])
    db.execute("SET cloudtrail_fdw.dns_timeout = '300 ms'")
    expected = sorted(db.execute(JOIN.encode()).fetchall(), key=str)
    assert {status for _, _, status in expected} == {"found", "none", "timeout", "not_requested"}
    before = asked(server)
    with server.connect() as other:
        other.execute("SET cloudtrail_fdw.dns_timeout = '300 ms'")
        assert sorted(other.execute(JOIN.encode()).fetchall(), key=str) == expected
        assert asked(server) == before
    found = names(server).stat()
    assert found.st_mode & 0o777 == 0o600
    assert names(server).parent.stat().st_mode & 0o777 == 0o700
    assert found.st_uid == names(server).parents[2].stat().st_uid
    change(server, silent=[])


@pytest.mark.parametrize("damage", ["overwritten", "cut off", "switched off"])
def test_a_damaged_file_is_as_if_it_were_not_there(server: Sandbox, db: Db, damage: str) -> None:
    query = b"SELECT reverse_dns FROM ip_enrichment WHERE ip = '9.9.7.8'"
    db.execute(query)
    before = pointers(server)
    for turn in (1, 2):
        with server.connect() as other:
            if damage == "switched off":
                other.execute("SET cloudtrail_fdw.cache = off")
            elif turn == 1:
                hurt(names(server), damage)
            assert other.execute(query).fetchall() == [("h9.9.7.8.example",)]
    assert pointers(server) - before == (2 if damage == "switched off" else 1)


def hurt(path: Path, damage: str) -> None:
    """Damage the file in place."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        if damage == "cut off":
            file.truncate(size // 3)
        else:
            file.write(b"\xff" * size)
    for extra in path.parent.glob("names.sqlite-*"):
        extra.unlink()
