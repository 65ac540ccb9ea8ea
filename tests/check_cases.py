"""Check files for tests, and ``cloudtrail-fdw check`` as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

HEAD = "-- id: {id}\n-- title: Title of {id}\n-- severity: {severity}\n-- technique: {technique}\n"
ROOT = """SELECT user_arn AS resource, 'alarm' AS status, event_name AS reason, event_time, event_id
FROM cloudtrail_event
WHERE timestamp >= check_since() AND timestamp < check_until()
    AND user_type = 'Root' AND event_name = 'ConsoleLogin'"""
COUNT = """SELECT 'all' AS resource, 'info' AS status, count(*) || ' events' AS reason
FROM cloudtrail_event WHERE timestamp >= check_since() AND timestamp < check_until()"""
ALARM = """SELECT 'arn:aws:iam::1:root' AS resource, 'alarm' AS status, 'it acted' AS reason,
    'ConsoleLogin' AS event_name"""
NOTHING = "SELECT '' AS resource, 'alarm' AS status, '' AS reason WHERE false"
# all of the sample; its events keep their dates
SAMPLE = ("--since", "2026-11-19")


def write_check(
    folder: Path, name: str, sql: str, severity: str = "high", technique: str = "T1078.004"
) -> Path:
    """A well-formed check file."""
    path = folder / f"{name}.sql"
    head = HEAD.format(id=name, severity=severity, technique=technique)
    path.write_text(f"{head}-- do: Look\n--   into it.\n{sql};\n", "utf-8")
    return path


def command(*arguments: object) -> list[str]:
    """The command line; one connection, as each starts a Python in the server."""
    own = [] if "--parallel" in arguments else ["--parallel", "1"]
    return [sys.executable, "-m", "cloudtrail_fdw.cli", "check", *own, *map(str, arguments)]


def check(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    """What the command wrote, and its exit status."""
    given = {"stdout": subprocess.PIPE, **more}
    return subprocess.run(
        command(*arguments),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
        **given,
    )
