"""Cancel, timeout, terminate, and what is left of a scan's threads, behind the handler."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from probe_servers import Probe

Session = psycopg.Connection[tuple[Any, ...]]
PROMPT = 0.5 + 0.5  # seconds: the promise, and what a busy machine may add


def one(session: Session, sql: str) -> Any:
    row = session.execute(sql).fetchone()
    assert row is not None
    return row[0]


def run_during(session: Session, probed: Probe, sql: str, after: str) -> tuple[Any, float]:
    """What ``sql`` ends in when another session runs ``after`` 0.5 s later, and seconds since."""
    begun: list[float] = []

    def act() -> None:
        time.sleep(0.5)
        with probed.connect() as other:
            begun.append(time.monotonic())
            other.execute(after)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        session.execute(sql)
        ending: Any = None
    except psycopg.Error as error:
        ending = error
    ended = time.monotonic()
    thread.join()
    return ending, ended - begun[0]


def threads(session: Session) -> int:
    """Of the session's backend, once Python got a chance to end some."""
    for _ in range(20):
        one(session, "SELECT count(*) FROM facts")
        found = len(list(Path(f"/proc/{session.info.backend_pid}/task").iterdir()))
        if found == 1:
            break
        time.sleep(0.05)
    return found


def test_cancel(session: Session, probed: Probe) -> None:
    cancel = f"SELECT pg_cancel_backend({session.info.backend_pid})"
    error, seconds = run_during(session, probed, "SELECT * FROM slow", cancel)
    assert error.sqlstate == "57014"
    assert "user request" in str(error)
    assert seconds < PROMPT
    assert one(session, "SELECT count(*) FROM facts WHERE t = 'beta'") == 5
    assert threads(session) == 1


def test_timeout(session: Session) -> None:
    session.execute("SET statement_timeout = 500")
    begun = time.monotonic()
    with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
        session.execute("SELECT * FROM slow")
    assert time.monotonic() - begun < 0.5 + PROMPT
    session.execute("RESET statement_timeout")
    assert threads(session) == 1


def test_terminate(session: Session, probed: Probe) -> None:
    pid = session.info.backend_pid
    terminate = f"SELECT pg_terminate_backend({pid})"
    error, seconds = run_during(session, probed, "SELECT * FROM slow", terminate)
    assert error.sqlstate == "57P01"
    assert seconds < PROMPT
    wait_until(lambda: "probe: exit with 0 threads" in probed.log)
    assert one_of(probed, "SELECT count(*) FROM facts") == 48


def test_harmless_signal_changes_nothing(session: Session, probed: Probe) -> None:
    log = f"SELECT pg_log_backend_memory_contexts({session.info.backend_pid})"
    if probed.server.postgres_version < "14":  # which brought the function
        log = "SELECT pg_reload_conf()"
    error, _ = run_during(session, probed, "SELECT * FROM slow LIMIT 8", log)
    assert error is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM slow LIMIT 1",
        "SELECT 1 / (x - 1) FROM slow",
        "DO $$BEGIN PERFORM 1 / (x - 1) FROM slow; EXCEPTION WHEN others THEN NULL; END$$",
    ],
)
def test_no_thread_outlives_its_query(session: Session, sql: str) -> None:
    with contextlib.suppress(psycopg.errors.DivisionByZero):
        session.execute(sql)
    assert threads(session) == 1


def test_cursor_survives_a_savepoint(session: Session) -> None:
    with session.transaction():
        session.execute("DECLARE q CURSOR FOR SELECT x FROM slow")
        assert session.execute("FETCH q").fetchall() == [(0,)]
        session.execute("SAVEPOINT a")
        with pytest.raises(psycopg.errors.DivisionByZero):
            session.execute("SELECT 1 / 0")
        session.execute("ROLLBACK TO a")
        assert session.execute("FETCH q").fetchall() == [(1,)]
    assert threads(session) == 1


def one_of(probed: Probe, sql: str) -> Any:
    with probed.connect() as other:
        return one(other, sql)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
