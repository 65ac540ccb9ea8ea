"""The scan engine through SQL: few calls, the newest first, many sessions, a cache that fails."""

from __future__ import annotations

import json
import os
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from servers import Db, Sandbox, start

EVENTS = 240
ALL = "SELECT log_event_id FROM cloudtrail_event ORDER BY 1"
WINDOW = "event_time >= '2025-10-01 00:00+00' AND event_time < '2025-10-02 00:00+00'"
MORNING = "event_time < '2025-10-01 00:40+00'"
FROM = "FROM cloudtrail_event"
NEWEST = f"SELECT event_time {FROM} ORDER BY event_time DESC LIMIT 12"
OWN_CACHE = "cloudtrail_fdw_cache"  # in the data directory, which sandboxes use


def record(number: int, second: int, month: str = "2025-10") -> str:
    """An event; three of a kind share a second."""
    when = f"{month}-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    return json.dumps({
        "eventVersion": "1.11", "eventID": f"e{number:04}", "eventTime": when,
        "eventName": f"Get{number % 7}", "eventSource": "s3.amazonaws.com", "awsRegion": "r",
        "sourceIPAddress": f"198.51.100.{number % 50}", "readOnly": number % 2 == 0,
        "userIdentity": {"type": "IAMUser", "userName": f"u{number % 5}"},
        "requestParameters": {"padding": "x" * 500},
    })  # fmt: skip


@pytest.fixture(scope="module")
def aws(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A slow AWS with some twenty pages, and a second group with events of the same hours."""
    events = tmp_path_factory.mktemp("cache") / "events.jsonl"
    lines = [record(n, n // 3 * 240) for n in range(EVENTS)]
    events.write_text("\n".join(lines) + "\n")
    given = ("--events", str(events), "--latency-ms", "30", "--scan-mb", "0.01", "--log-group", "a")
    for sandbox in start(kind, "cache", *given):
        other = [record(5000 + n, n * 900 + 1) for n in range(80)]
        other += [record(7000 + n, n * 900 + 1, month="2023-12") for n in range(20)]
        append(sandbox, "b", other)
        yield sandbox


@pytest.fixture
def db(aws: Sandbox) -> Iterator[Db]:
    """A superuser's session, with an empty cache."""
    with aws.session() as session:
        session.execute("SELECT cloudtrail_fdw_cache_clear()")
        yield session


def append(sandbox: Sandbox, group: str, lines: list[str]) -> None:
    url = f"{sandbox.state['aws_endpoint']}/_sandbox/append?log-group={group}"
    urllib.request.urlopen(url, "\n".join(lines).encode() + b"\n").close()


def calls(sandbox: Sandbox) -> int:
    """FilterLogEvents calls since the last look."""
    url = f"{sandbox.state['aws_endpoint']}/_sandbox/"
    with urllib.request.urlopen(url + "stats") as answer:
        found = json.load(answer)["calls"].get("FilterLogEvents", 0)
    urllib.request.urlopen(url + "reset-stats", b"").close()
    return int(found)


def rows(db: Db, query: str) -> list[tuple[Any, ...]]:
    return db.execute(query.encode()).fetchall()


def in_group(group: str, query: str) -> str:
    return query.replace(FROM, f"{FROM} WHERE log_group_name = '{group}'")


def test_nothing_is_asked_twice(aws: Sandbox, db: Db) -> None:
    calls(aws)
    query = f"SELECT event_id, event_name FROM cloudtrail_event WHERE {WINDOW} ORDER BY 1"
    cold = rows(db, query)
    assert len(cold) == EVENTS
    assert 10 < calls(aws) < 40
    assert rows(db, query) == cold
    narrow = f"SELECT event_id, event_name FROM cloudtrail_event WHERE {WINDOW}"
    assert rows(db, f"{narrow} AND event_name = 'Get3' ORDER BY 1") == [
        row for row in cold if row[1] == "Get3"
    ]
    assert len(rows(db, f"{narrow} ORDER BY event_time DESC LIMIT 7")) == 7
    assert calls(aws) == 0
    with aws.connect() as other:
        assert rows(other, query) == cold
    assert calls(aws) == 0
    later = query.replace("2025-10-02 00:00", "2025-10-02 01:00")
    assert rows(db, later) == cold
    assert calls(aws) <= 2


def test_many_sessions_at_once_fetch_each_page_once(aws: Sandbox, db: Db) -> None:
    query = in_group("a", ALL)
    expected = rows(db, query)
    calls(aws)
    db.execute("SELECT cloudtrail_fdw_cache_clear()")
    assert rows(db, query) == expected
    alone = calls(aws)
    db.execute("SELECT cloudtrail_fdw_cache_clear()")
    sessions = [aws.connect() for _ in range(8)]
    for session in sessions:
        session.execute("SELECT * FROM cloudtrail_event LIMIT 0")  # Python is there
    calls(aws)
    with ThreadPoolExecutor(len(sessions)) as pool:
        found = list(pool.map(lambda session: rows(session, query), sessions))
    for session in sessions:
        session.close()
    assert all(result == expected for result in found)
    # each asks anew for what has not settled; how chains are divided depends on the moment
    assert calls(aws) <= 1.5 * alone + 8


def test_an_idle_cursor_delays_others_for_seconds_only(aws: Sandbox, db: Db) -> None:
    query = in_group("a", ALL)
    with aws.connect() as idle, aws.connect() as other:
        idle.execute("BEGIN")
        idle.execute(f"DECLARE c CURSOR FOR {in_group('a', 'SELECT 1 ' + FROM)}".encode())
        idle.execute("FETCH 1 FROM c")
        began = time.monotonic()
        threading.Timer(1.0, other.cancel).start()
        with pytest.raises(psycopg.errors.QueryCanceled):  # it waits, and can be told not to
            rows(other, query)
        assert 0.9 < time.monotonic() - began < 2.5
        assert len(rows(other, query)) == EVENTS
        assert time.monotonic() - began < 12
        assert len(idle.execute("FETCH ALL FROM c").fetchall()) == EVENTS - 1


def test_a_join_with_itself_does_not_wait_for_itself(aws: Sandbox, db: Db) -> None:
    db.execute("SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off")
    query = """
        SELECT count(*) FROM (SELECT * FROM cloudtrail_event WHERE log_group_name = 'a' LIMIT 2) x
        JOIN cloudtrail_event y ON y.event_name = x.event_name AND y.log_group_name = 'a'
    """
    began = time.monotonic()
    (count,) = rows(db, query)[0]
    assert count >= 2 * (EVENTS // 7)
    assert time.monotonic() - began < 5


ORDERED = """
SELECT {} FROM {} ORDER BY event_time DESC LIMIT 10
SELECT {} FROM {} ORDER BY event_time DESC, log_event_id LIMIT 10
SELECT {} FROM {} ORDER BY event_time DESC FETCH FIRST 7 ROWS WITH TIES
SELECT {} FROM {} ORDER BY timestamp DESC LIMIT 10
SELECT {} FROM {} ORDER BY timestamp LIMIT 10
SELECT {} FROM {} ORDER BY timestamp, log_event_id OFFSET 5 LIMIT 10
SELECT {} FROM {} WHERE read_only ORDER BY event_time DESC OFFSET 3 LIMIT 5
SELECT {} FROM {} WHERE event_name = 'Get3' ORDER BY event_time DESC LIMIT 4
SELECT {} FROM {} WHERE username LIKE 'u1%' ORDER BY timestamp DESC LIMIT 4
SELECT {} FROM {} WHERE event_time < '2025-10-01 03:00+00' ORDER BY event_time DESC LIMIT 9
SELECT {} FROM {} WHERE event_time >= '2025-10-01 03:00+00' ORDER BY timestamp LIMIT 9
SELECT {} FROM {} WHERE log_group_name IN ('a', 'b') ORDER BY event_time DESC LIMIT 100
SELECT {} FROM {} WHERE log_group_name IN ('b', 'a') ORDER BY timestamp DESC LIMIT 100
SELECT {} FROM {} WHERE log_group_name IN ('b', 'a') ORDER BY timestamp LIMIT 30
SELECT {} FROM {} WHERE log_group_name = 'b' ORDER BY event_time DESC LIMIT 90
SELECT {} FROM {} WHERE log_group_name = 'b' ORDER BY timestamp DESC LIMIT 95
SELECT {} FROM {} WHERE log_group_name = 'b' AND event_time < '2024-01-01' ORDER BY event_time DESC LIMIT 3
SELECT {} FROM {} WHERE log_group_name = 'b' AND event_time < '2024-01-01' ORDER BY timestamp LIMIT 3
SELECT {} FROM {} WHERE log_group_name = 'b' AND event_time < '2023-12-01 02:00+00' ORDER BY 1 LIMIT 3
SELECT {} FROM {} JOIN ip_enrichment i ON i.ip = source_ip_address ORDER BY event_time DESC LIMIT 6
SELECT {} FROM (SELECT * FROM {} ORDER BY event_time DESC LIMIT 20) x WHERE read_only ORDER BY event_time DESC LIMIT 5
SELECT {} FROM {} WHERE event_time > (SELECT '2025-10-01 04:00+00'::timestamptz) ORDER BY event_time DESC LIMIT 4
SELECT {} FROM {} WHERE event_name IN ('Get1', 'Get2') OR username = 'u3' ORDER BY event_time DESC LIMIT 8
""".strip().splitlines()  # noqa: E501


@pytest.fixture(scope="module")
def copied(aws: Sandbox) -> Db:
    """The shared session's database with a copy of all events."""
    with aws.session() as db:
        db.execute(b"SET cloudtrail_fdw.cache = off")
        db.execute(b"DROP TABLE IF EXISTS public.copied")
        both = f"SELECT * {FROM} WHERE log_group_name IN ('a', 'b')"
        db.execute(f"CREATE TABLE public.copied AS {both}".encode())
        return db


def compare(db: Db, query: str) -> None:
    """The rows' sort keys are the copy's; ties leave a choice of rows."""
    key = re.findall(r"ORDER BY ((?:event_time|timestamp)(?: DESC)?(?:, log_event_id)?)", query)
    columns = key[-1].replace(" DESC", "") if key else "event_time"
    copy = "public.copied"
    if "log_group_name" not in query:
        copy = f"(SELECT * FROM {copy} WHERE log_group_name = 'a') c"
    expected = rows(db, query.format(columns, copy))
    assert rows(db, query.format(columns, "cloudtrail_event")) == expected, query
    assert expected


@pytest.mark.parametrize("state", ["off", "cold", "warm"])
def test_the_newest_rows_are_those_of_a_copy(aws: Sandbox, copied: Db, db: Db, state: str) -> None:
    db.execute(f"SET cloudtrail_fdw.cache = {'off' if state == 'off' else 'on'}".encode())
    if state == "warm":
        rows(db, "SELECT event_id FROM cloudtrail_event WHERE log_group_name IN ('a', 'b')")
        calls(aws)
    for query in ORDERED:
        if state == "cold":
            db.execute("SELECT cloudtrail_fdw_cache_clear()")
        compare(db, query)


CALLS = [
    (NEWEST.replace("12", "3"), 6),
    (f"SELECT event_id {FROM} ORDER BY timestamp DESC LIMIT 3", 2),
    (f"SELECT event_id {FROM} ORDER BY timestamp LIMIT 3", 2),
    (f"SELECT event_id {FROM} LIMIT 1", 2),
    (f"SELECT 1 {FROM} WHERE event_time < '2025-10-01' AND event_time > '2025-10-02'", 0),
]


@pytest.mark.parametrize(("query", "most"), CALLS, ids=[str(n) for n in range(len(CALLS))])
def test_a_limit_reads_no_more_than_it_needs(aws: Sandbox, db: Db, query: str, most: int) -> None:
    time.sleep(0.3)  # what is asked ahead for the test before has come
    calls(aws)
    rows(db, query)
    assert calls(aws) <= most


def test_an_order_holds_in_views_cursors_and_prepared_statements(copied: Db, db: Db) -> None:
    copied.execute("SELECT 1")
    expected = rows(db, NEWEST.replace(FROM, "FROM public.copied WHERE log_group_name = 'a'"))
    db.execute(f"CREATE TEMP VIEW newest AS {NEWEST}".encode())
    assert rows(db, "SELECT * FROM newest") == expected
    db.execute(f"PREPARE newest_rows(int) AS {NEWEST.replace('12', '$1')}".encode())
    for _ in range(7):  # a generic plan from the sixth on
        assert rows(db, "EXECUTE newest_rows(12)") == expected
    with db.transaction():
        db.execute(f"DECLARE c SCROLL CURSOR FOR {NEWEST}".encode())
        found = rows(db, "FETCH 5 FROM c") + rows(db, "FETCH ALL FROM c")
        assert found == expected
        assert rows(db, "FETCH BACKWARD 2 FROM c") == expected[:-3:-1]


def ahead(hours: int, count: int) -> list[str]:
    """Events dated in the future."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600))
    return [record(n, 0).replace("2025-10-01T00:00:00Z", when) for n in range(count)]


def test_an_event_from_the_future_is_an_error_and_no_wrong_order(aws: Sandbox, db: Db) -> None:
    """It comes on a later page than others from the future, and is dated after them."""
    for hours, count in ((3, 1), (2, 15), (2, 15)):
        append(aws, "future", ahead(hours, count))
        time.sleep(0.01)
    query = in_group("future", NEWEST).replace("12", "31")
    with pytest.raises(psycopg.Error) as raised:
        rows(db, query)
    assert raised.value.sqlstate == "22000"
    assert "SET cloudtrail_fdw.clock_skew" in (raised.value.diag.message_hint or "")
    db.execute("SET cloudtrail_fdw.clock_skew = '1 day'")
    found = [row[0] for row in rows(db, query)]
    assert found == sorted(found, reverse=True)
    assert len(found) == 31
    assert found[0] > found[1]


UNUSABLE = {
    "a file": "touch {0}",
    "a link": "mkdir -m 700 {0}.real && ln -s {0}.real {0}",
    "open to the group": "mkdir -m 770 {0}",
    "not writable": "mkdir -m 500 {0}",
    "with a file in its place": "mkdir -m 700 {0} && touch {0}/pages",
    "with a folder nobody may enter": "mkdir -m 700 {0} && mkdir -m 000 {0}/pages",
    "below a file": "touch {0}",
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_cache_that_cannot_be_used_costs_only_calls(aws: Sandbox, db: Db, what: str) -> None:
    folder = rows(db, "SELECT current_setting('data_directory')")[0][0]
    path = f"{folder}/unusable-{list(UNUSABLE).index(what)}"
    command = f"cat >/dev/null; {UNUSABLE[what].format(path)}"
    db.execute(f"COPY (SELECT 1) TO PROGRAM '{command}'".encode())
    option = f"{path}/below" if what == "below a file" else path
    db.execute(f"ALTER SERVER cloudtrail OPTIONS (ADD cache_directory '{option}')".encode())
    query = f"SELECT event_id {FROM} WHERE log_group_name = 'a' AND {WINDOW} AND {MORNING}"
    try:
        calls(aws)
        assert len(rows(db, query)) == 30
        assert calls(aws) > 0
        assert len(rows(db, query)) == 30
        assert calls(aws) > 0
    finally:
        db.execute("ALTER SERVER cloudtrail OPTIONS (DROP cache_directory)")


def test_only_the_owner_can_read_the_cache(aws: Sandbox, db: Db) -> None:
    rows(db, in_group("a", ALL))
    root = Path(rows(db, "SELECT current_setting('data_directory')")[0][0]) / OWN_CACHE
    found = [root, *root.rglob("*")]
    assert any(path.suffix == ".events" for path in found)
    assert all(path.stat().st_mode & 0o077 == 0 for path in found)


def test_a_backend_that_answers_from_the_cache_loads_no_sdk(aws: Sandbox, db: Db) -> None:
    query = f"SELECT event_id FROM cloudtrail_event WHERE log_group_name = 'a' AND {WINDOW}"
    expected = rows(db, query)

    def memory(cache: str) -> int:
        """Private memory in kB; boto3 and a client take more than all else."""
        with aws.connect() as fresh:
            fresh.execute(f"SET cloudtrail_fdw.cache = {cache}".encode())
            assert sorted(rows(fresh, query)) == sorted(expected)
            status = Path(f"/proc/{fresh.info.backend_pid}/status").read_text()
            return int(re.findall(r"RssAnon:\s+(\d+)", status)[0])

    assert memory("on") < 0.7 * memory("off")


def test_a_killed_backend_leaves_a_usable_cache(aws: Sandbox, db: Db) -> None:
    """Last: PostgreSQL ends all sessions."""
    expected = rows(db, in_group("a", ALL))
    db.execute("SELECT cloudtrail_fdw_cache_clear()")
    victim = aws.connect()
    pid = victim.info.backend_pid
    threading.Timer(0.7, os.kill, (pid, 9)).start()
    with pytest.raises(psycopg.OperationalError):
        rows(victim, f"SELECT pg_sleep(0.02) {FROM} WHERE log_group_name = 'a'")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            again = aws.connect()
            break
        except psycopg.OperationalError:
            time.sleep(0.2)
    with again:
        assert rows(again, in_group("a", ALL)) == expected
        assert rows(again, in_group("a", ALL)) == expected
