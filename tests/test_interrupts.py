"""A query that waits can be stopped at once, and the session is as good as new afterwards."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from servers import BARE, SHAPES, Db, Sandbox, start

PROMPT = 0.5 + 0.5  # seconds: the promise, and what a busy machine may add


@pytest.fixture
def ready(sandbox: Sandbox) -> Iterator[Db]:
    """A session whose imports, which nothing interrupts, are done; a name server may be slow."""
    with sandbox.connect() as db:
        db.execute("SELECT count(*) FROM cloudtrail_event")
        db.execute("SET cloudtrail_fdw.dns_timeout = '30 s'")
        yield db


@pytest.fixture(params=["an AWS call", "a name server"])
def blocked(
    request: pytest.FixtureRequest, sandbox: Sandbox, ready: Db
) -> Iterator[tuple[Sandbox, str]]:
    """A query that waits for somebody who never answers."""
    if request.param == "an AWS call":
        sandbox.command("fault", "hang", "on")
        yield sandbox, "SELECT count(*) FROM cloudtrail_event"
        sandbox.command("fault", "hang", "off")
        return
    # a port of a socket that nobody reads
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent:
        silent.bind(("127.0.0.1", 0))
        with sandbox.connect() as admin:
            server = "ALTER SERVER cloudtrail OPTIONS (SET dns_servers '{}')"
            admin.execute(server.format(f"127.0.0.1:{silent.getsockname()[1]}"))
            yield sandbox, "SELECT reverse_dns FROM ip_enrichment WHERE ip = '198.41.0.4'"
            admin.execute(server.format(sandbox.state["dns_server"]))


def works(sandbox: Sandbox, db: Db, query: str = "") -> None:
    """The next query of the session is right, and no thread is left but one that pycares keeps."""
    sandbox.command("fault", "hang", "off")
    assert db.execute("SELECT count(*) > 50 FROM cloudtrail_event").fetchone() == (True,)
    assert threads_end(db, 2 if "reverse_dns" in query else 1)


def test_statement_timeout_ends_a_blocked_scan(blocked: tuple[Sandbox, str], ready: Db) -> None:
    sandbox, query = blocked
    ready.execute("SET statement_timeout = '700ms'")
    begun = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
        ready.execute(query)
    assert time.monotonic() - begun < 0.7 + PROMPT
    ready.execute("RESET statement_timeout")
    works(sandbox, ready, query)


def test_cancel_ends_a_blocked_scan(blocked: tuple[Sandbox, str], ready: Db) -> None:
    sandbox, query = blocked
    threading.Timer(0.7, ready.cancel).start()
    begun = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled, match="user request"):
        ready.execute(query)
    assert time.monotonic() - begun < 0.7 + PROMPT
    works(sandbox, ready, query)


def test_terminate_ends_a_blocked_backend(blocked: tuple[Sandbox, str], ready: Db) -> None:
    sandbox, query = blocked
    with sandbox.connect() as other:
        pid = ready.info.backend_pid

        def terminate() -> None:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])

        threading.Timer(0.7, terminate).start()
        begun = time.monotonic()
        with pytest.raises(psycopg.errors.AdminShutdown):
            ready.execute(query)
        assert time.monotonic() - begun < 0.7 + PROMPT
        gone = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        while other.execute(gone, [pid]).fetchone() != (0,):
            assert time.monotonic() - begun < 0.7 + 2 * PROMPT
            time.sleep(0.05)
        works(sandbox, other)


def test_a_look_at_its_memory_changes_nothing(sandbox: Sandbox) -> None:
    with sandbox.connect() as db, sandbox.connect() as other:
        if db.info.server_version < 140000:
            look = "SELECT pg_reload_conf(), pg_sleep(0.1)"  # another interrupt that is no cancel
        else:
            look = f"SELECT pg_log_backend_memory_contexts({db.info.backend_pid})"
        sandbox.command("fault", "slow-body", "on")
        timer = threading.Timer(0.3, other.execute, [look])
        timer.start()
        row = db.execute(
            "SELECT count(*) FROM cloudtrail_event WHERE event_name = 'LastEvent'"
        ).fetchone()
        timer.join()
        sandbox.command("fault", "slow-body", "off")
        assert row == (1,)


@pytest.mark.multicorn
def test_without_the_handler_a_timeout_is_as_prompt(kind: str) -> None:
    for sandbox in start(kind + BARE, "bare", "--events", str(SHAPES)):
        with sandbox.connect() as db:
            db.execute("SELECT count(*) FROM cloudtrail_event")
            sandbox.command("fault", "hang", "on")
            db.execute("SET statement_timeout = '700ms'")
            begun = time.monotonic()
            with pytest.raises(psycopg.Error, match="cancel"):
                db.execute("SELECT count(*) FROM cloudtrail_event")
            assert time.monotonic() - begun < 0.7 + PROMPT
            db.execute("RESET statement_timeout")
            works(sandbox, db)


def test_closing_a_cursor_early_leaves_no_thread(sandbox: Sandbox) -> None:
    with sandbox.connect() as db:
        db.execute("BEGIN")
        db.execute("DECLARE c CURSOR FOR SELECT event_name FROM cloudtrail_event")
        assert len(db.execute("FETCH 3 FROM c").fetchall()) == 3
        db.execute("CLOSE c")
        db.execute("COMMIT")
        assert threads_end(db)


def test_an_error_elsewhere_leaves_no_thread(sandbox: Sandbox) -> None:
    with sandbox.connect() as db:
        for _ in range(5):
            with pytest.raises(psycopg.Error, match="division by zero"):
                db.execute(
                    "SELECT 1 / (length(event_name) - length(event_name)) FROM cloudtrail_event"
                )
        assert threads_end(db)


def test_a_savepoint_ends_only_its_own_scans(sandbox: Sandbox) -> None:
    with sandbox.connect() as db:
        db.execute(
            "CREATE OR REPLACE FUNCTION pg_temp.walk() RETURNS bigint LANGUAGE plpgsql AS $$"
            " DECLARE n bigint := 0; r record; BEGIN"
            " FOR r IN SELECT event_name FROM cloudtrail_event LOOP n := n + 1;"
            " BEGIN PERFORM 1 / 0 FROM cloudtrail_event LIMIT 1;"
            " EXCEPTION WHEN division_by_zero THEN NULL; END;"
            " EXIT WHEN n = 20; END LOOP; RETURN n; END $$"
        )
        assert db.execute("SELECT pg_temp.walk()").fetchone() == (20,)


def threads_end(db: Db, most: int = 1) -> bool:
    """Whether the backend soon has so few threads."""
    pid = db.info.backend_pid
    status = "SELECT substring(pg_read_file('/proc/%s/status') from 'Threads:\\s+(\\d+)')::int"
    for _ in range(20):
        row = db.execute(status % pid).fetchone()
        if row is not None and row[0] <= most:
            return True
        time.sleep(0.1)
    return False
