"""A worker that dies, sends rubbish or hangs is one error, and the next query has another."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Timer

import psycopg
import pytest
from probe_servers import Probe
from processes import COUNT, Session, alive, children, frame, until, worker_of, zombies

pytestmark = pytest.mark.usefixtures("nothing_is_left")
SLOW = "SELECT * FROM slow"


def fails(session: Session, sql: str = COUNT) -> psycopg.Error:
    """The error of a query, after which the next one works."""
    with pytest.raises(psycopg.Error) as caught:
        session.execute(sql)
    session.execute("RESET probe.fault")
    assert session.execute(COUNT).fetchone() == (48,)
    assert zombies(session.info.backend_pid) == []
    return caught.value


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        ("die", "It was terminated by signal 9."),
        ("segv", "It was terminated by signal 11."),
        ("exit", "It ended with status 3."),
    ],
)
def test_a_worker_that_ends_is_one_error(used: Session, fault: str, detail: str) -> None:
    before = worker_of(used)
    used.execute(f"SET probe.fault = '{fault}'")
    error = fails(used)
    assert (error.sqlstate, error.diag.message_detail) == ("HV00L", detail)
    assert "Run the query again" in str(error.diag.message_hint)
    assert worker_of(used) != before


@pytest.mark.parametrize(
    "fault",
    [
        frame("?", 0, b"\xc0"),
        frame("R", 0, b""),
        frame("R", 0, b"\xc0", 0x7FFFFFFF),
        frame("R", 0, b"\xc1"),
        frame("R", 0, b"\xc0\xc0"),
        frame("R", 0, b"\x91\x91\x91\x91\x91\x91\x90"),
        frame("P", 0, b"\x90"),
        frame("P", 0, b"\xc0"),
        frame("P", 0, b"\x91\xa1a"),
        frame("P", 0, b"\xdd\xff\xff\xff\xff"),
        frame("P", 0, b"\x91\x91\xa1\x00"),
        frame("P", 0, b"\x91\x91\xa1\xff"),
        frame("P", 0, b"\x91\x91\xa3\xed\xa0\x80"),
        frame("E", 0, b"\x94\xc0\xc0\xc0\xc0"),
        frame("E", 0, b"\x91\xa1a"),
        frame("H", 0, b"\xc0"),
        frame("Z", 0, b"\x01"),
    ],
)
def test_rubbish_is_one_error(used: Session, fault: str) -> None:
    before = worker_of(used)
    used.execute(f"SET probe.fault = '{fault}'")
    error = fails(used)
    assert error.sqlstate == "HV000"
    assert "sent what cannot be read" in str(error)
    assert worker_of(used) != before


def test_frames_of_other_numbers_are_dropped(used: Session) -> None:
    before = worker_of(used)
    used.execute(f"SET probe.fault = '{frame('P', 12345, bytes([0x91, 0x90]))}'")
    assert used.execute(COUNT).fetchone() == (48,)
    assert worker_of(used) == before


def test_killed_in_the_midst_of_a_scan(used: Session) -> None:
    Timer(0.3, os.kill, (worker_of(used), signal.SIGKILL)).start()
    assert fails(used, SLOW).sqlstate == "HV00L"


def test_killed_while_idle_is_replaced_without_a_word(used: Session) -> None:
    before = worker_of(used)
    os.kill(before, signal.SIGKILL)
    until(lambda: not alive(before))
    assert used.execute(COUNT).fetchone() == (48,)
    assert worker_of(used) != before


def test_killed_between_two_rows_is_an_error(used: Session) -> None:
    used.execute("CREATE FOREIGN TABLE IF NOT EXISTS wide_two (a text, b text) SERVER probe "
                 "OPTIONS (table_name 'wide', rows '300')")  # fmt: skip
    with used.transaction(force_rollback=True):
        used.execute("DECLARE c CURSOR FOR SELECT * FROM wide_two")
        used.execute("FETCH 3 FROM c")
        os.kill(worker_of(used), signal.SIGKILL)
        with pytest.raises(psycopg.Error) as caught, used.transaction():
            used.execute("FETCH 200 FROM c")
        assert caught.value.sqlstate == "HV00L"
    assert used.execute(COUNT).fetchone() == (48,)


def test_a_cancel_ends_the_wait_and_keeps_the_worker(probed: Probe, used: Session) -> None:
    before = worker_of(used)
    Timer(0.3, used.cancel).start()
    assert fails(used, SLOW).sqlstate == "57014"
    assert worker_of(used) == before
    used.execute("SET statement_timeout = '100ms'")
    assert fails(used, SLOW).sqlstate == "57014"
    used.execute("RESET statement_timeout")
    assert worker_of(used) == before


def test_a_worker_that_ignores_a_close_is_replaced(used: Session) -> None:
    before = worker_of(used)
    used.execute("SET probe.fault = 'deaf'")
    used.execute("SET statement_timeout = '200ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        used.execute(COUNT)
    used.execute("RESET statement_timeout")
    used.execute("RESET probe.fault")
    assert used.execute(COUNT).fetchone() == (48,)
    assert worker_of(used) != before
    assert not alive(before)


def test_a_stopped_worker_can_be_cancelled_and_is_replaced(used: Session) -> None:
    before = worker_of(used)
    os.kill(before, signal.SIGSTOP)
    used.execute("SET statement_timeout = '200ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        used.execute(COUNT)
    used.execute("RESET statement_timeout")
    assert used.execute(COUNT).fetchone() == (48,)
    assert not alive(before)


def test_two_full_buffers_do_not_wait_for_each_other(used: Session) -> None:
    """The worker sends 8 MB that nobody asked for before it reads a request of 8 MB."""
    used.execute("SET statement_timeout = '60s'")
    body = b"\xdb" + struct.pack(">I", 8_000_000) + b"x" * 8_000_000
    used.execute(f"SET probe.fault = '{frame('R', 77, body)}'")
    sql = f"SELECT count(*) FROM facts WHERE t = '{'y' * 8_000_000}'"
    assert used.execute(sql).fetchone() == (0,)
    used.execute("RESET statement_timeout")


def test_no_worker_outlives_its_backend(probed: Probe) -> None:
    with closing(probed.connect()) as session:
        session.execute(COUNT)
        ended = worker_of(session)
        os.kill(session.info.backend_pid, signal.SIGTERM)
        until(lambda: not alive(ended))
    with closing(probed.connect()) as session:
        session.execute(COUNT)
        worker = worker_of(session)
    until(lambda: not alive(worker))


def test_a_client_that_is_gone_ends_the_query(probed: Probe) -> None:
    """At the default of client_connection_check_interval, which is not to look."""
    code = "import psycopg, sys; psycopg.connect(sys.argv[1]).execute('SELECT * FROM slow')"
    client = subprocess.Popen([sys.executable, "-c", code, probed.started.dsn("handler")])
    query = f"SELECT pid FROM pg_stat_activity WHERE query = '{SLOW}' AND state = 'active'"
    with closing(probed.connect()) as session:
        until(lambda: len(session.execute(query).fetchall()) == 1)
        (backend,) = session.execute(query).fetchone() or (0,)
        until(lambda: len(children(backend)) == 1)
        (worker,) = children(backend)
        client.kill()
        client.wait()
        until(lambda: not alive(backend) and not alive(worker))


def test_secrets_are_nowhere_to_be_read(used: Session) -> None:
    used.execute("CREATE USER MAPPING IF NOT EXISTS FOR postgres SERVER probe "
                 "OPTIONS (secret 'hush-hush')")  # fmt: skip
    assert used.execute(COUNT).fetchone() == (48,)
    place = Path(f"/proc/{worker_of(used)}")
    assert b"hush" not in (place / "cmdline").read_bytes()
    assert b"hush" not in (place / "environ").read_bytes()
    used.execute("DROP USER MAPPING FOR postgres SERVER probe")


def test_what_a_worker_is_started_with(used: Session) -> None:
    place = Path(f"/proc/{worker_of(used)}")
    opened = {int(entry.name): str(entry.readlink()) for entry in (place / "fd").iterdir()}
    assert set(opened) == {0, 1, 2, 3}
    assert opened[0] == opened[1] == "/dev/null"
    assert opened[3].startswith("socket:")
    limits = (place / "limits").read_text()
    assert any(line.split()[4:6] == ["1", "1"] for line in limits.splitlines() if "core" in line)
    assert int((place / "oom_score_adj").read_text()) >= 500
    assert os.getsid(worker_of(used)) == worker_of(used)
    status = dict(line.split(":\t") for line in (place / "status").read_text().splitlines()
                  if line.startswith("Sig"))  # fmt: skip
    assert int(status["SigBlk"], 16) == 0
    assert int(status["SigIgn"], 16) & (1 << (signal.SIGINT - 1))


def test_there_are_only_so_many_workers(probed: Probe, session: Session) -> None:
    session.execute("ALTER FOREIGN DATA WRAPPER probe OPTIONS (ADD max_workers '1')")
    try:
        with closing(probed.connect()) as one, closing(probed.connect()) as other:
            until(lambda: works(one))
            with pytest.raises(psycopg.Error) as caught:
                other.execute(COUNT)
            assert caught.value.sqlstate == "53400"
            assert "max_workers" in str(caught.value.diag.message_hint)
            os.kill(one.info.backend_pid, signal.SIGTERM)
            until(lambda: works(other))
    finally:
        session.execute("ALTER FOREIGN DATA WRAPPER probe OPTIONS (DROP max_workers)")


def works(session: Session) -> bool:
    """Whether the session has a worker, or gets one."""
    with suppress(psycopg.errors.ConfigurationLimitExceeded):
        return session.execute(COUNT).fetchone() == (48,)
    return False


def test_an_idle_worker_is_let_go(probed: Probe, session: Session) -> None:
    session.execute("ALTER FOREIGN DATA WRAPPER probe OPTIONS (ADD idle_seconds '1')")
    try:
        with closing(probed.connect()) as idle:
            idle.execute(COUNT)
            worker = worker_of(idle)
            until(lambda: not alive(worker))
            assert zombies(idle.info.backend_pid) == []
            assert idle.execute(COUNT).fetchone() == (48,)
            with idle.transaction():  # an open scan keeps it
                idle.execute("DECLARE c CURSOR FOR SELECT * FROM wide")
                idle.execute("FETCH 1 FROM c")
                time.sleep(1.5)
                assert len(idle.execute("FETCH 300 FROM c").fetchall()) == 300
    finally:
        session.execute("ALTER FOREIGN DATA WRAPPER probe OPTIONS (DROP idle_seconds)")


def test_a_change_of_options_is_told(used: Session) -> None:
    used.execute("CREATE FOREIGN TABLE IF NOT EXISTS few (a text) SERVER probe "
                 "OPTIONS (table_name 'wide', rows '7')")  # fmt: skip
    assert used.execute("SELECT count(*) FROM few").fetchone() == (7,)
    used.execute("ALTER FOREIGN TABLE few OPTIONS (SET rows '9')")
    assert used.execute("SELECT count(*) FROM few").fetchone() == (9,)
    used.execute("ALTER FOREIGN TABLE few ADD b text")
    assert used.execute("SELECT b FROM few LIMIT 1").fetchone() == ("1",)
    used.execute("DROP FOREIGN TABLE few")


def test_only_a_superuser_names_the_interpreter(probed: Probe, session: Session) -> None:
    session.execute("CREATE ROLE stranger")
    try:
        session.execute("SET ROLE stranger")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("ALTER FOREIGN DATA WRAPPER probe OPTIONS (SET python '/bin/true')")
    finally:
        session.execute("RESET ROLE")
        session.execute("DROP ROLE stranger")


@pytest.mark.parametrize("python", ["/nowhere/python", "python3", "/bin/true", "/etc/passwd"])
def test_an_interpreter_that_is_none(probed: Probe, session: Session, python: str) -> None:
    (before,) = session.execute(
        "SELECT option_value FROM pg_foreign_data_wrapper, pg_options_to_table(fdwoptions) "
        "WHERE fdwname = 'probe' AND option_name = 'python'"
    ).fetchone() or ("",)
    session.execute(f"ALTER FOREIGN DATA WRAPPER probe OPTIONS (SET python '{python}')")
    try:
        with pytest.raises(psycopg.Error) as caught:
            session.execute(COUNT)
        assert caught.value.sqlstate == "HV00L"
    finally:
        session.execute(f"ALTER FOREIGN DATA WRAPPER probe OPTIONS (SET python '{before}')")
    assert session.execute(COUNT).fetchone() == (48,)


def test_import_foreign_schema(session: Session) -> None:
    session.execute("CREATE SCHEMA imported")
    try:
        session.execute("IMPORT FOREIGN SCHEMA probe FROM SERVER probe INTO imported")
        found = session.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'imported.\"Facts two\"'::regclass AND attnum > 0 ORDER BY attnum"
        ).fetchall()
        assert found == [("id", "integer"), ("t", "text")]
    finally:
        session.execute("DROP SCHEMA imported CASCADE")


def test_rows_of_foreseen_keys_need_no_further_look_up(used: Session) -> None:
    """The test's worker gives the rows of other keys with each, and numbers its look-ups."""
    sql = (
        "SELECT v.key, k.label FROM (VALUES ('a'), ('a+'), ('b'), ('alpha'), ('nope'), ('beta')) "
        "AS v (key) LEFT JOIN LATERAL (SELECT * FROM counted WHERE k = v.key OFFSET 0) k ON true"
    )
    used.execute("CREATE FOREIGN TABLE IF NOT EXISTS counted (k text, label text) SERVER probe "
                 "OPTIONS (table_name 'keyed', counted 'on')")  # fmt: skip
    first = used.execute(sql).fetchall()
    number = int(str(first[0][1]))
    assert first == [
        ("a", f"{number}"), ("a+", f"{number}"), ("b", f"{number + 1}"), ("alpha", f"{number}"),
        ("nope", None), ("beta", f"{number}"),
    ]  # fmt: skip
    assert used.execute("SELECT label FROM counted WHERE k = 'x'").fetchone() == (str(number + 3),)
    used.execute("DROP FOREIGN TABLE counted")


def test_a_worker_is_told_how_many_rows_may_come_ahead(used: Session) -> None:
    """The test's worker gives three that nobody asks for: then no more, for a while."""
    used.execute("CREATE FOREIGN TABLE IF NOT EXISTS ahead (k text, label text) SERVER probe "
                 "OPTIONS (table_name 'keyed', ahead 'on')")  # fmt: skip
    found = used.execute(
        "SELECT k.label FROM (VALUES ('a'), ('b'), ('c'), ('d'), ('e'), ('f'), ('g')) AS v (key) "
        "CROSS JOIN LATERAL (SELECT * FROM ahead WHERE k = v.key OFFSET 0) AS k"
    ).fetchall()
    used.execute("DROP FOREIGN TABLE ahead")
    assert [label for (label,) in found] == ["0", "0", "0", "0", "32", "0", "0"]
