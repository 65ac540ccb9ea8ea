"""Every statement, run in every way, with the handler and without, on every server.

    python tests/handler/matrix.py docs/limits.md

writes the table between the markers of the file. A crash takes down a throwaway cluster only.
Exit status 1 when a statement crashes or gives a wrong answer behind the handler.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests/servers.py

from probe_servers import WITH, WITHOUT, Probe, probe, servers
from psycopg.types.json import set_json_loads
from statements import STATEMENTS, Statement

from cloudtrail_fdw.sandbox.runtime import Server

RUNS = ("plain", "EXPLAIN", "EXPLAIN ANALYZE", "FORMAT JSON", "auto_explain")
BEGIN, END = "<!-- matrix -->", "<!-- /matrix -->"
RIGHT, ERROR, WRONG, CRASH = "right", "error", "WRONG ANSWER", "SERVER CRASH"
AUTO_EXPLAIN = (
    "LOAD 'auto_explain'",
    "SET auto_explain.log_min_duration = 0",
    "SET auto_explain.log_analyze = on",
    "SET auto_explain.log_verbose = on",
)


class DuplicateKeyError(Exception):
    """A JSON object names a key twice, of which a reader keeps one."""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of EXPLAIN's JSON."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DuplicateKeyError
    return found


def tables(sql: str, local: bool) -> str:
    """The statement on the foreign tables or on their copies."""
    return re.sub(r"\{(\w+)\}", lambda m: m[1] + ("_local" if local else ""), sql)


def answer(session: psycopg.Connection[Any], statement: Statement, run: str, sql: str) -> Any:
    """What the server says; of an EXPLAIN only that it said something well-formed."""
    prefix = {"plain": "", "auto_explain": "", "EXPLAIN": "EXPLAIN ",
              "EXPLAIN ANALYZE": "EXPLAIN (ANALYZE, VERBOSE) ",
              "FORMAT JSON": "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) "}[run]  # fmt: skip
    if statement.parameters:
        types = ", ".join(kind for kind, _ in statement.parameters)
        session.execute(f"PREPARE probe ({types}) AS {sql}")
        sql = f"EXECUTE probe ({', '.join(value for _, value in statement.parameters)})"
    cursor = session.cursor(row_factory=psycopg.rows.tuple_row)
    if run == "FORMAT JSON":
        set_json_loads(lambda text: json.loads(text, object_pairs_hook=unique), cursor)
    rows = cursor.execute(prefix + sql).fetchall()
    if prefix:
        return bool(rows)
    return sorted(repr(row) for row in rows)


def outcome(
    server: Probe, dbname: str, statement: Statement, run: str, mode: str, right: Any
) -> str:
    """What a session of its own ends in."""
    with contextlib.closing(connect(server, dbname)) as session:
        found = ending(session, statement, run, mode, right)
    if found == CRASH:
        recover(server)
    return found


def ending(
    session: psycopg.Connection[Any], statement: Statement, run: str, mode: str, right: Any
) -> str:
    """RIGHT, ERROR with its code, WRONG or CRASH."""
    try:
        prepare(session, statement, mode, run)
        sql = tables(statement.sql, local=False)
        found = answer(session, statement, run, sql)
    except DuplicateKeyError:
        return WRONG
    except psycopg.Error as error:
        if session.broken:
            return CRASH
        return f"{ERROR} {error.sqlstate}" if error.sqlstate != right else RIGHT
    if run not in ("plain", "auto_explain"):
        return RIGHT if found else WRONG
    return RIGHT if found == right else WRONG


def prepare(session: psycopg.Connection[Any], statement: Statement, mode: str, run: str) -> None:
    """Settings of the statement and of the run."""
    session.execute("SET client_min_messages = error")
    session.execute("SET statement_timeout = '20s'")
    if statement.setup:
        session.execute(statement.setup)
    if mode:
        session.execute(f"SET plan_cache_mode = {mode}")
    for setting in AUTO_EXPLAIN if run == "auto_explain" else ():
        session.execute(setting)


def reference(session: psycopg.Connection[Any], statement: Statement) -> Any:
    """The answer of the local copies: rows, or an SQLSTATE."""
    try:
        prepare(session, statement, "", "plain")
        return answer(session, statement, "plain", tables(statement.sql, local=True))
    except psycopg.Error as error:
        return error.sqlstate


def connect(server: Probe, dbname: str) -> psycopg.Connection[Any]:
    """A session, waiting while the server gets up again after a crash."""
    for _ in range(200):
        try:
            return server.connect(dbname)
        except psycopg.OperationalError:
            time.sleep(0.05)
    return server.connect(dbname)


def recover(server: Probe) -> None:
    """Wait for the end of a crash, in which the postmaster ends every session for a while."""
    while True:
        with contextlib.suppress(psycopg.Error), connect(server, WITH) as session:
            time.sleep(0.3)
            session.execute("SELECT 1")
            return


def worst(outcomes: Sequence[str]) -> str:
    """One word for the plan modes of a prepared statement."""
    order = (CRASH, WRONG, ERROR, RIGHT)
    return min(outcomes, key=lambda one: next(n for n, o in enumerate(order) if one.startswith(o)))


def rows_of(server: Probe) -> dict[tuple[str, str], dict[str, str]]:
    """(statement, database) -> run -> outcome."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for statement in STATEMENTS:
        with connect(server, WITH) as session:
            right = reference(session, statement)
        modes = ("force_generic_plan", "force_custom_plan") if statement.parameters else ("",)
        for dbname in (WITH, WITHOUT):
            found[statement.what, dbname] = {
                run: worst([outcome(server, dbname, statement, run, m, right) for m in modes])
                for run in RUNS
            }
    return found


def cell(outcomes: dict[str, str]) -> str:
    """The outcomes of one statement: one word where all runs agree."""
    if len(set(outcomes.values())) == 1:
        return next(iter(outcomes.values()))
    groups: dict[str, list[str]] = {}
    for run, found in outcomes.items():
        groups.setdefault(found, []).append(run)
    return "; ".join(
        found if found == RIGHT else f"{found} ({', '.join(runs)})"
        for found, runs in groups.items()
    )


def document(found: dict[str, dict[tuple[str, str], dict[str, str]]]) -> str:
    """The table as Markdown, and the sums."""
    heads = [f"{name}, {how}" for name in found for how in ("with the handler", "without")]
    lines = [
        f"{len(STATEMENTS)} statements, each run in these ways: {', '.join(RUNS)}.",
        "",
        "| statement | " + " | ".join(heads) + " |",
        "|---|" + "---|" * len(heads),
    ]
    for statement in STATEMENTS:
        cells = [
            cell(rows[statement.what, db]) for rows in found.values() for db in (WITH, WITHOUT)
        ]
        lines.append(f"| {statement.what} | " + " | ".join(cells) + " |")
    lines.append("| **runs** | " + " | ".join(
        sums(rows, db) for rows in found.values() for db in (WITH, WITHOUT)) + " |")  # fmt: skip
    return "\n".join(lines)


def sums(rows: dict[tuple[str, str], dict[str, str]], dbname: str) -> str:
    """How often each outcome came."""
    counted = Counter(
        next(o for o in (RIGHT, ERROR, WRONG, CRASH) if outcome_.startswith(o))
        for (_, db), runs in rows.items() if db == dbname for outcome_ in runs.values()
    )  # fmt: skip
    return ", ".join(f"{number} {what}" for what, number in counted.most_common())


def on_server(server: Server) -> tuple[str, dict[tuple[str, str], dict[str, str]]]:
    """The server's name and its rows."""
    with probe(server) as running:
        rows = rows_of(running)
    return f"PostgreSQL {server.postgres_version}, Multicorn {server.multicorn_version}", rows


def main(path: Path) -> int:
    """Write the table; tell whether the handler held."""
    with ThreadPoolExecutor() as pool:
        found = dict(pool.map(on_server, servers()))
    text = document(found)
    before = path.read_text() if path.exists() else f"{BEGIN}\n{END}\n"
    head, rest = before.split(BEGIN)
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")
    bad = [key for rows in found.values() for key, runs in rows.items()
           if key[1] == WITH and {WRONG, CRASH} & set(runs.values())]  # fmt: skip
    sys.stdout.write(f"{len(STATEMENTS)} statements; bad behind the handler: {bad or 'none'}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
