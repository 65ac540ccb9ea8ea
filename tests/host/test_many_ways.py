"""Sessions that do more than a query: roles, nested queries, encodings, much, or nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import psycopg
import pytest
from probe_servers import Probe
from processes import COUNT, Session, alive, children, frame, until, worker_of
from worker_servers import wrapper_sql

pytestmark = pytest.mark.usefixtures("nothing_is_left")
FEW = "SELECT count(*) FROM few"


def test_the_check_of_a_domain_may_ask_the_worker_too(used: Session) -> None:
    """In the midst of a row, whose bytes have to stay."""
    with used.transaction(force_rollback=True):
        used.execute(
            "CREATE FUNCTION asks(text) RETURNS boolean LANGUAGE plpgsql AS "
            "$$BEGIN PERFORM * FROM keyed_text_of_three WHERE k = 'b'; RETURN true; END$$"
        )
        used.execute("CREATE DOMAIN guarded AS text CHECK (asks(VALUE))")
        for name, kind in (("checked", "guarded"), ("keyed_text_of_three", "text")):
            used.execute(f"CREATE FOREIGN TABLE {name} (k text, label {kind}, more text) "
                         "SERVER probe OPTIONS (table_name 'keyed')")  # fmt: skip
        found = used.execute("SELECT * FROM checked WHERE k = 'a'").fetchall()
        assert found == [("a", "row of a", "more of a")]


def test_a_table_that_could_not_be_told_is_told_again(probed: Probe, session: Session) -> None:
    """To the first worker of a session, too."""
    closed = probed.folder / "closed"
    closed.touch()
    with session.transaction(force_rollback=True):
        session.execute("CREATE FOREIGN TABLE opening (a text) SERVER probe "
                        f"OPTIONS (table_name 'wide', rows '2', unless '{closed}')")  # fmt: skip
        with pytest.raises(psycopg.Error, match="not now"), session.transaction():
            session.execute("SELECT * FROM opening")
        closed.unlink()
        assert len(session.execute("SELECT * FROM opening").fetchall()) == 2


def test_an_idle_worker_is_let_go_after_an_error(probed: Probe, session: Session) -> None:
    """PostgreSQL switches off every timeout of a session whose statement fails."""
    session.execute("ALTER FOREIGN DATA WRAPPER probe OPTIONS (ADD idle_seconds '1')")
    try:
        with closing(probed.connect()) as idle:
            idle.execute(COUNT)
            worker = worker_of(idle)
            with pytest.raises(psycopg.errors.DivisionByZero):
                idle.execute("SELECT 1 / 0")
            until(lambda: not alive(worker), 10)
    finally:
        session.execute("ALTER FOREIGN DATA WRAPPER probe OPTIONS (DROP idle_seconds)")


def test_a_worker_that_has_much_to_say_is_waited_for(used: Session) -> None:
    """Its answer to what was closed is larger than the buffer, so it cannot be there yet."""
    before = worker_of(used)
    used.execute("SET probe.fault = 'later:16000000'")
    used.execute("SET statement_timeout = '200ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        used.execute(COUNT)
    used.execute("RESET statement_timeout")
    used.execute("RESET probe.fault")
    time.sleep(2.5)
    assert used.execute(COUNT).fetchone() == (48,)
    assert worker_of(used) == before


def test_the_worker_knows_only_so_many_tables(used: Session) -> None:
    with used.transaction(force_rollback=True):
        used.execute("DO $$BEGIN FOR i IN 1..1100 LOOP "
                     "EXECUTE 'CREATE FOREIGN TABLE few_' || i || ' (a text) SERVER probe "
                     "OPTIONS (table_name ''wide'', rows ''' || i || ''')'; "
                     "EXECUTE 'SELECT FROM few_' || i || ' LIMIT 1'; END LOOP; END$$")  # fmt: skip
        for number in (1, 500, 1100):
            found = used.execute(f"SELECT count(*) FROM few_{number}").fetchone()
            assert found == (number,)
        used.execute("SET LOCAL probe.fault = 'tables'")
        with pytest.raises(psycopg.errors.InternalError, match=r"^1000 tables"):
            used.execute(COUNT)


@pytest.fixture
def mapped(used: Session) -> Iterator[Session]:
    """A table of 3 rows, or as many as the mapping of whoever reads it says: owner 7, reader 5."""
    used.execute("CREATE ROLE owner_of_few")
    used.execute("CREATE ROLE reader_of_few")
    used.execute("GRANT USAGE ON FOREIGN SERVER probe TO owner_of_few")
    used.execute("CREATE FOREIGN TABLE few (a text) SERVER probe "
                 "OPTIONS (table_name 'wide', rows '3')")  # fmt: skip
    used.execute("CREATE USER MAPPING FOR owner_of_few SERVER probe OPTIONS (rows '7')")
    used.execute("CREATE USER MAPPING FOR reader_of_few SERVER probe OPTIONS (rows '5')")
    used.execute("GRANT SELECT ON few TO owner_of_few, reader_of_few")
    used.execute("CREATE VIEW view_of_few AS SELECT * FROM few")
    used.execute("ALTER VIEW view_of_few OWNER TO owner_of_few")
    used.execute(
        f"CREATE FUNCTION count_few() RETURNS bigint SECURITY DEFINER AS '{FEW}' LANGUAGE sql"
    )
    used.execute("ALTER FUNCTION count_few() OWNER TO owner_of_few")
    used.execute("GRANT SELECT ON view_of_few TO reader_of_few")
    yield used
    used.execute("RESET ROLE")
    used.execute("DROP FOREIGN TABLE few CASCADE")
    used.execute("DROP FUNCTION count_few()")
    used.execute("DROP USER MAPPING FOR owner_of_few SERVER probe")
    used.execute("DROP USER MAPPING FOR reader_of_few SERVER probe")
    used.execute("REVOKE ALL ON FOREIGN SERVER probe FROM owner_of_few")
    used.execute("DROP ROLE owner_of_few")
    used.execute("DROP ROLE reader_of_few")


def rows(session: Session, sql: str) -> int:
    """The count that a query gives."""
    return int(str(session.execute(sql.encode()).fetchall()[0][0]))


def test_a_scan_has_the_mapping_of_the_role_that_asks(mapped: Session) -> None:
    mapped.execute("SET plan_cache_mode = force_generic_plan")
    mapped.execute(f"PREPARE few AS {FEW}")
    assert rows(mapped, FEW) == rows(mapped, "EXECUTE few") == 3
    mapped.execute("SET ROLE reader_of_few")
    assert rows(mapped, FEW) == rows(mapped, "EXECUTE few") == 5
    assert rows(mapped, "SELECT count(*) FROM view_of_few") == 5
    assert rows(mapped, "SELECT count_few()") == 7
    assert rows(mapped, f"SELECT ({FEW}) * 10 + count_few()") == 57
    mapped.execute("SET ROLE owner_of_few")
    assert rows(mapped, "EXECUTE few") == 7
    with mapped.transaction():
        mapped.execute("DECLARE c CURSOR FOR SELECT * FROM few")
        mapped.execute("FETCH 1 FROM c")
        mapped.execute("SET ROLE reader_of_few")
        assert len(mapped.execute("FETCH ALL FROM c").fetchall()) == 6


def test_cursors_that_interleave_with_errors_and_savepoints(mapped: Session) -> None:
    with mapped.transaction():
        for name in ("one", "two"):
            mapped.execute(f"DECLARE {name} CURSOR FOR SELECT id FROM facts ORDER BY id")
        found = []
        for _ in range(3):
            found.append(mapped.execute("FETCH 10 FROM one").fetchall())
            with suppress(psycopg.errors.DivisionByZero), mapped.transaction():
                mapped.execute("DECLARE inner_one CURSOR FOR SELECT * FROM wide")
                mapped.execute("FETCH 3 FROM inner_one")
                mapped.execute("SELECT 1 / a::int FROM few")  # whose a is 0
                pytest.fail("no error")
            found.append(mapped.execute("FETCH 10 FROM two").fetchall())
            mapped.execute("ALTER SERVER probe OPTIONS (ADD noted 'x')")
            mapped.execute("ALTER SERVER probe OPTIONS (DROP noted)")
    assert found[0::2] == found[1::2]
    assert [row for page in found[0::2] for row in page] == [(number,) for number in range(30)]


def test_parallel_workers_have_workers_of_their_own(probed: Probe, mapped: Session) -> None:
    mapped.execute("RESET ROLE")
    mapped.execute("ALTER FUNCTION count_few() PARALLEL SAFE")
    forced = "force" if int(probed.server.postgres_version.split(".")[0]) < 16 else "debug"
    name = "force_parallel_mode" if forced == "force" else "debug_parallel_query"
    with mapped.transaction(force_rollback=True):
        mapped.execute(f"SET LOCAL {name} = on")
        assert rows(mapped, "SELECT count_few() FROM generate_series(1, 3)") == 7
    assert len(children(mapped.info.backend_pid)) == 1


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def encoded(request: pytest.FixtureRequest, probed: Probe) -> Iterator[Session]:
    """A session in a database of another encoding, with one table."""
    library, script = probed.folder / "cloudtrail_fdw.so", probed.folder / "interpreter"
    with closing(probed.connect()) as admin:
        admin.execute(f"CREATE DATABASE encoded ENCODING '{request.param}' TEMPLATE template0 "
                      "LC_COLLATE 'C' LC_CTYPE 'C'")  # fmt: skip
        try:
            with closing(probed.connect("encoded")) as session:
                for statement in wrapper_sql(library, script):
                    session.execute(statement)
                session.execute("CREATE SERVER probe FOREIGN DATA WRAPPER probe")
                session.execute("CREATE FOREIGN TABLE keyed (k text, label text) SERVER probe "
                                "OPTIONS (table_name 'keyed')")  # fmt: skip
                yield session
        finally:
            admin.execute("DROP DATABASE encoded WITH (FORCE)")


def test_databases_of_other_encodings(encoded: Session) -> None:
    encoding = encoded.execute("SHOW server_encoding").fetchone()
    encoded.execute("SET client_encoding = 'SQL_ASCII'")
    by_key = "SELECT convert_to(label, 'UTF8') FROM keyed WHERE k = '{}'"
    if encoding == ("LATIN1",):
        found = encoded.execute(
            "SELECT label = 'row of ' || chr(228) FROM keyed WHERE k = chr(228)"
        )
        assert found.fetchall() == [(True,)]
    else:  # its bytes are what a client makes of them; those that are no UTF-8 reach no worker
        found = encoded.execute(by_key.format("ä").encode()).fetchall()
        assert found == [("row of ä".encode(),)]
        with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
            encoded.execute(b"SELECT * FROM keyed WHERE k = '\xe4'")


def test_an_error_has_words_in_every_encoding(encoded: Session) -> None:
    """The test's worker tells of a character that LATIN1 has not."""
    unknown = encoded.execute("SHOW server_encoding").fetchone() == ("SQL_ASCII",)
    encoded.execute(f"SET client_encoding = '{'SQL_ASCII' if unknown else 'UTF8'}'")
    encoded.execute(r"SET probe.fault = 'say:caf\u00e9 \u2026 here'")
    with pytest.raises(psycopg.errors.InternalError) as caught:
        encoded.execute("SELECT * FROM keyed WHERE k = 'a'")
    raw = caught.value.diag.message_primary or ""
    assert raw.startswith("caf")
    assert raw.endswith(" here")


def test_a_frame_may_come_in_parts() -> None:
    """To a worker that is stopped and continued in its midst, as by a container that is paused."""
    code = ("import socket\nfrom cloudtrail_fdw.host.frames import Line\n"
            "print(len(Line(socket.socket(fileno=0)).receive().value))")  # fmt: skip
    body = b"\xda\x80\x00" + b"x" * 0x8000
    whole = bytes.fromhex(frame("O", 1, body)[5:])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-c", code]
        reader = subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE)
        ours.sendall(whole[:1000])
        time.sleep(1)  # it reads by now
        for number in (signal.SIGSTOP, signal.SIGCONT):
            os.kill(reader.pid, number)
            time.sleep(0.2)
        with suppress(OSError):
            ours.sendall(whole[1000:])
        assert reader.communicate(timeout=20)[0] == b"32768\n"
