"""A query that waits can be stopped at once, and the session is as good as new afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import Sandbox

Db = psycopg.Connection[tuple[Any, ...]]
SLOW = "SELECT count(*) FROM cloudtrail_event"
PROMPT = 0.5 + 0.5  # seconds: the promise, and what a busy machine may add


@pytest.fixture
def hanging(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The local AWS takes requests and never answers."""
    sandbox.command("fault", "hang", "on")
    yield sandbox
    sandbox.command("fault", "hang", "off")


def works(sandbox: Sandbox, db: Db) -> None:
    """The next query of the session is right."""
    sandbox.command("fault", "hang", "off")
    assert db.execute("SELECT count(*) > 50 FROM cloudtrail_event").fetchone() == (True,)


def test_statement_timeout_ends_a_blocked_scan(hanging: Sandbox) -> None:
    with hanging.connect() as db:
        db.execute("SET statement_timeout = '700ms'")
        begun = time.monotonic()
        with pytest.raises(psycopg.Error, match="cancel"):
            db.execute(SLOW)
        assert time.monotonic() - begun < 0.7 + PROMPT
        db.execute("RESET statement_timeout")
        works(hanging, db)


def test_cancel_ends_a_blocked_scan(hanging: Sandbox) -> None:
    with hanging.connect() as db:
        threading.Timer(0.7, db.cancel).start()
        begun = time.monotonic()
        with pytest.raises(psycopg.Error, match="cancel"):
            db.execute(SLOW)
        assert time.monotonic() - begun < 0.7 + PROMPT
        works(hanging, db)


def test_terminate_ends_a_blocked_backend(hanging: Sandbox) -> None:
    with hanging.connect() as db, hanging.connect() as other:
        pid = db.info.backend_pid

        def terminate() -> None:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])

        threading.Timer(0.7, terminate).start()
        begun = time.monotonic()
        with pytest.raises(psycopg.Error, match="terminating connection"):
            db.execute(SLOW)
        assert time.monotonic() - begun < 0.7 + PROMPT
        with pytest.raises(psycopg.OperationalError):
            db.execute("SELECT 1")
        works(hanging, other)


def test_closing_a_cursor_early_leaves_no_thread(sandbox: Sandbox) -> None:
    with sandbox.connect() as db:
        db.execute("BEGIN")
        db.execute("DECLARE c CURSOR FOR SELECT event_name FROM cloudtrail_event")
        assert len(db.execute("FETCH 3 FROM c").fetchall()) == 3
        db.execute("CLOSE c")
        db.execute("COMMIT")
        assert threads_end_at_one(db)


def test_an_error_elsewhere_leaves_no_thread(sandbox: Sandbox) -> None:
    with sandbox.connect() as db:
        for _ in range(5):
            with pytest.raises(psycopg.Error, match="division by zero"):
                db.execute(
                    "SELECT 1 / (length(event_name) - length(event_name)) FROM cloudtrail_event"
                )
        assert threads_end_at_one(db)


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


def threads_end_at_one(db: Db) -> bool:
    """Whether the backend soon has no thread but its own."""
    pid = db.info.backend_pid
    status = "SELECT substring(pg_read_file('/proc/%s/status') from 'Threads:\\s+(\\d+)')::int"
    for _ in range(40):
        if db.execute(status % pid).fetchone() == (1,):
            return True
        time.sleep(0.1)
    return False
