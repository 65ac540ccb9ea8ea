"""A run that loses a connection or is interrupted names what did not run."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from check_cases import ALARM, NOTHING, check, command, write_check
from servers import Sandbox


def test_a_lost_connection_names_its_check_and_those_not_run(
    sample: Sandbox, tmp_path: Path
) -> None:
    sql = (
        "SELECT 'r' AS resource, 'ok' AS status, "
        "pg_terminate_backend(pg_backend_pid())::text AS reason"
    )
    for name, text in {"a": ALARM, "b": sql, "c": ALARM, "d": NOTHING}.items():
        write_check(tmp_path, name, text)
    dsn = sample.state["dsn"]
    found = check(tmp_path, "--dsn", dsn, "--format", "json")
    assert found.returncode == 2
    assert "3 of 4 checks could not run: b, c, d" in found.stderr
    document = json.loads(found.stdout)["checks"]
    assert len(document[0]["findings"]) == 1
    assert "terminating connection" in document[1]["error"]
    assert document[3]["error"] == "not run: the connection to the database was lost"
    others = sql.replace(
        "pg_terminate_backend(pg_backend_pid())::text AS reason",
        "pg_terminate_backend(pid)::text AS reason FROM pg_stat_activity "
        "WHERE application_name = 'cloudtrail-fdw' AND pid <> pg_backend_pid()",
    )
    write_check(tmp_path, "b", others)
    found = check(tmp_path, "--dsn", dsn)
    assert found.returncode == 2
    assert "suppressions could not be read" in found.stdout
    assert "arn:aws:iam::1:root" in found.stdout


def wait_for(dsn: str, query: str) -> None:
    """Until the query has a row; an error after ten seconds."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(200):
            if connection.execute(query.encode()).fetchone():
                return
            time.sleep(0.05)
    raise AssertionError(query)


def test_an_interrupt_is_2_and_ends_the_queries(sample: Sandbox, tmp_path: Path) -> None:
    sleep = "SELECT 'r' AS resource, 'ok' AS status, pg_sleep(100)::text AS reason"
    for name in "abc":
        write_check(tmp_path, name, sleep)
    dsn = sample.state["dsn"]
    process: subprocess.Popen[Any] = subprocess.Popen(
        command(tmp_path, "--dsn", dsn, "--parallel", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    busy = "FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'"
    wait_for(dsn, f"SELECT 1 {busy} HAVING count(*) = 2")
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "3 of 3 checks could not run: a, b, c" in stderr
    assert "not run: interrupted" in stdout
    wait_for(dsn, f"SELECT 1 {busy} HAVING count(*) = 0")
