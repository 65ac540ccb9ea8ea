"""The cache through SQL: nothing asked twice, by many sessions at once, and a cache that fails."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from scan_service import EVENTS, FROM, calls, in_group, rows, serve
from servers import Db, Sandbox

ALL = "SELECT log_event_id FROM cloudtrail_event ORDER BY 1"
WINDOW = "event_time >= '2025-10-01 00:00+00' AND event_time < '2025-10-02 00:00+00'"
MORNING = "event_time < '2025-10-01 00:40+00'"
OWN_CACHE = "cloudtrail_fdw_cache"  # in the data directory, which sandboxes use


@pytest.fixture(scope="module")
def aws(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    yield from serve(kind, "cache", tmp_path_factory.mktemp("cache"))


@pytest.fixture
def db(aws: Sandbox) -> Iterator[Db]:
    """A superuser's session, with an empty cache."""
    with aws.session() as session:
        session.execute("SELECT cloudtrail_fdw_cache_clear()")
        yield session


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


def test_a_cache_that_cannot_be_emptied_is_an_error(aws: Sandbox, db: Db) -> None:
    rows(db, in_group("a", ALL))
    root = Path(rows(db, "SELECT current_setting('data_directory')")[0][0]) / OWN_CACHE
    (shelf, *_) = root.glob("pages/*")
    immutable = f"cat >/dev/null; chmod {{}} {shelf}"
    db.execute(f"COPY (SELECT 1) TO PROGRAM '{immutable.format(500)}'".encode())
    with pytest.raises(psycopg.Error, match="the cache cannot be emptied") as raised:
        db.execute("SELECT cloudtrail_fdw_cache_clear()")
    assert raised.value.sqlstate == "58030"
    (cleared,) = root.glob(".cleared-*")
    repaired = f"cat >/dev/null; chmod 700 {cleared}/*"
    db.execute(f"COPY (SELECT 1) TO PROGRAM '{repaired}'".encode())
    db.execute("SELECT cloudtrail_fdw_cache_clear()")
    assert not list(root.glob(".cleared-*"))


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


def test_kept_rows_are_those_that_would_be_made(aws: Sandbox, db: Db) -> None:
    root = Path(rows(db, "SELECT current_setting('data_directory')")[0][0]) / OWN_CACHE
    queries = [
        f"SELECT event_id, event_name, source_ip_address {FROM} WHERE {WINDOW} ORDER BY 1",
        f"SELECT event_time, event_id {FROM} WHERE {WINDOW} ORDER BY 1, 2",
        f"SELECT count(*) {FROM} WHERE {WINDOW}",
        f"SELECT event_id {FROM} WHERE {WINDOW} ORDER BY timestamp DESC LIMIT 100",
        f"SELECT event_id {FROM} WHERE {WINDOW} ORDER BY timestamp LIMIT 100",
    ]
    expected = [rows(db, query) for query in queries]
    assert len(expected[0]) == EVENTS
    kept = list(root.glob("pages/*/*/*.rows"))
    assert len({path.name.split(".")[1] for path in kept}) >= 4
    with aws.connect() as other:
        assert [rows(other, query) for query in queries] == expected
    for path in kept:
        content = path.read_bytes()
        path.write_bytes(content[:40] + b"?" + content[41:])
    assert [rows(db, query) for query in queries] == expected


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
            ((worker,),) = rows(fresh, "SELECT max(worker_pid) FROM cloudtrail_fdw_stat")
            status = Path(f"/proc/{worker or fresh.info.backend_pid}/status").read_text()
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
    with contextlib.suppress(psycopg.OperationalError):
        while True:  # this session is one of those that end
            db.execute("SELECT pg_sleep(0.05)")
    for _ in range(150):
        with contextlib.suppress(psycopg.OperationalError):
            again = aws.connect()
            break
        time.sleep(0.2)
    with again:
        assert rows(again, in_group("a", ALL)) == expected
        assert rows(again, in_group("a", ALL)) == expected
