"""Debian's sqlsmith: random statements of its own making; only crashes, hangs and secrets count."""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import tempfile
import time
from pathlib import Path

from ground import Ground
from tally import PLANTED, Tally, ask

from cloudtrail_fdw.sandbox import packages, runtime

# What a superuser's random call must not do to the machine or to the run itself.
HARMFUL = """
DO $$
DECLARE f regprocedure;
BEGIN
    FOR f IN SELECT oid FROM pg_proc WHERE proname ~ '^(pg_(terminate|cancel|reload|rotate|promote|switch|start_backup|backup|stop|create_(physical|logical)|drop_repl|read|ls_|file|logdir|stat_reset|sleep|advisory|try_advisory|import|replication|wal_replay|log_backend|logical|export|copy|sync|extension_config)|lo_|dblink|set_config|currtid|binary_upgrade|brin_|gin_clean|pg_nextoid|pg_stop|query_to|table_to|schema_to|database_to|cursor_to|ts_stat|cloudtrail_fdw_cache_clear)' AND prokind = 'f'
    LOOP EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f); END LOOP;
END$$
"""


def program(folder: Path) -> tuple[Path, dict[str, str]]:
    """The sqlsmith of this machine's Debian, unpacked without root, and where its libraries are."""
    found = folder / "root" / "usr/bin/sqlsmith"
    if not found.exists():
        folder.mkdir(parents=True, exist_ok=True)
        names = ["sqlsmith", "libpqxx-6.4", "libpq5"]
        packages.run(["apt-get", "-q", "download", *names], folder)
        packages.unpack(sorted(folder.glob("*.deb")), folder / "root", print)
    libraries = ":".join(map(str, (folder / "root" / "usr/lib").glob("*-linux-gnu*")))
    return found, {"LD_LIBRARY_PATH": libraries}


def run(ground: Ground, seconds: float, chance: random.Random, role: str) -> Tally:
    """Let sqlsmith ask for so long, as the reader or as a superuser."""
    tally, until = Tally(), time.monotonic() + seconds
    smith, environment = program(runtime.default_cache() / "sqlsmith")
    with ground.session() as db:
        db.execute(HARMFUL.encode())
        before = len(ground.log.read_text(errors="replace"))
        db.execute("ALTER ROLE cloudtrail_reader SET statement_timeout = '5s'")
        db.execute("ALTER ROLE cloudtrail_reader SET log_min_messages = 'fatal'")
        if role == "superuser":
            db.execute("DROP ROLE IF EXISTS smith")
            db.execute("CREATE ROLE smith LOGIN SUPERUSER PASSWORD 'smith'")
            db.execute("ALTER ROLE smith SET statement_timeout = '5s'")
            db.execute("ALTER ROLE smith SET search_path = cloudtrail, steampipe, pg_catalog")
    dsn = ground.sandbox.state["reader_dsn"]
    if role == "superuser":
        dsn = re.sub(r"//[^@]+@", "//smith:smith@", ground.sandbox.state["dsn"])
    while time.monotonic() < until:
        left = until - time.monotonic()
        with tempfile.TemporaryFile("w+") as said:
            command = [str(smith), f"--target={dsn}", f"--seed={chance.randrange(1 << 30)}",
                       "--max-queries=100000", "--verbose"]  # fmt: skip
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(command, env=environment, stdout=said, stderr=said,
                               timeout=left, check=False)  # fmt: skip
            said.seek(0)
            text = said.read()
        # one letter a statement: e error, S syntax error, t timeout, C broken connection, . done
        marks = "".join(re.findall(r"^[.etSC]+$", text, re.MULTILINE))
        counted = [int(n) for n in re.findall(r"queries: (\d+)", text)]
        tried = max(counted[-1] if counted else 0, len(marks))
        tally.tried += tried
        tally.right_error += marks.count("e") + marks.count("t") + marks.count("S")
        tally.exact += max(0, tried - len(marks.replace(".", "")))
        if PLANTED in text:
            tally.note("secrets", text[text.index(PLANTED) - 300 :][:600])
        if not tried:
            tally.note("wrong", f"sqlsmith did nothing: {text[-500:]}")
            break
    for line in ground.log.read_text(errors="replace")[before:].splitlines():
        if "terminated by signal" in line or "PANIC" in line:
            tally.note("crashes", line)
    with ground.session() as db:
        ask(db, "SELECT count(*) FROM cloudtrail_event", tally)
    return tally
