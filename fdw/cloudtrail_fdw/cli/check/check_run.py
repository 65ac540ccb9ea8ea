"""Running checks: a few connections, on each one check after the other."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.string import TextLoader

from cloudtrail_fdw.cli.check.check_files import Check
from cloudtrail_fdw.cli.check.check_outcome import STATUSES, Outcome, Row, Window, words
from cloudtrail_fdw.cli.check.check_session import prepare_session
from cloudtrail_fdw.cli.database import Connection, connect, failure
from cloudtrail_fdw.errors import FdwError

NATIVE = ("bool", "int2", "int4", "int8")
COLUMNS = ("resource", "status", "reason")


@dataclass(frozen=True)
class Plan:
    """What the checks of a run have in common; ``timeout`` is seconds a statement may take.

    ``path`` is the search_path of every connection, ``started`` the time.monotonic() of the run's
    start.
    """

    dsn: str
    schema: str
    path: str
    window: Window
    started: float
    timeout: float


def run_checks(
    checks: Sequence[Check], plan: Plan, parallel: int, done: Callable[[Outcome], None]
) -> list[Outcome]:
    """An outcome for each check, in their order; ``done`` hears of each, from any thread.

    A check whose connection is lost, and those that nobody runs then or after Ctrl-C, has an error.
    """
    waiting = deque(check for check in checks if not check.problem)
    outcomes = {id(c): Outcome(c, error=c.problem) for c in checks if c.problem}
    connections: list[Connection] = []
    reason = "the run ended before it"

    def work() -> None:
        with open_session(plan) as connection:
            connections.append(connection)
            while waiting and not connection.closed:
                try:
                    check = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                outcomes[id(check)] = outcome = run_check(connection, check, plan)
                done(outcome)
            if connection.closed:
                raise FdwError("the connection to the database was lost")

    with ThreadPoolExecutor(min(parallel, len(waiting)) or 1) as pool:
        workers = [pool.submit(work) for _ in range(min(parallel, len(waiting)))]
        try:
            wait(workers)
        except KeyboardInterrupt:
            reason = "interrupted"
            waiting.clear()
            for connection in connections:
                connection.cancel()
    for worker in workers:
        error = worker.exception()
        if error is not None and reason != "interrupted":
            reason = words(error) if isinstance(error, FdwError) else f"a defect: {error!r}"
    missing = {id(check): Outcome(check, error=f"not run: {reason}") for check in checks}
    return [outcomes.get(id(check), missing[id(check)]) for check in checks]


def open_session(plan: Plan) -> Connection:
    """A connection on which checks run; most types come as the text that PostgreSQL prints."""
    connection = connect(plan.dsn)
    for kind in connection.adapters.types:
        if kind.name not in NATIVE:
            connection.adapters.register_loader(kind.oid, TextLoader)
        if kind.array_oid:
            connection.adapters.register_loader(kind.array_oid, TextLoader)
    try:
        prepare_session(connection, plan.path)
    except psycopg.Error as error:
        connection.close()
        raise failure(error) from None
    connection.read_only = True
    return connection


def share_pages(connection: Connection, started: float) -> None:
    """Let the next check use the pages that this run has fetched, the unsettled end included.

    ``started`` is the time.monotonic() of the run's start.
    """
    age = math.ceil(time.monotonic() - started)
    connection.execute(
        b"SELECT pg_catalog.set_config('cloudtrail_fdw.cache', 'wide', true), "
        b"pg_catalog.set_config('cloudtrail_fdw.cache_max_age', %s, true)",
        (f"{age} s",),
    )


def run_check(connection: Connection, check: Check, plan: Plan) -> Outcome:
    """One check, in a read-only transaction of its own."""
    started = time.monotonic()
    try:
        with connection.transaction():
            share_pages(connection, plan.started)
            connection.execute(
                b"SELECT pg_catalog.set_config('cloudtrail_fdw.check_since', %s, true), "
                b"pg_catalog.set_config('cloudtrail_fdw.check_until', %s, true), "
                b"pg_catalog.set_config('statement_timeout', %s, true)",
                (
                    plan.window.since.isoformat(),
                    plan.window.until.isoformat(),
                    str(math.ceil(plan.timeout * 1000)),
                ),
            )
            # A cursor can be declared for one SELECT and for nothing else.
            with connection.cursor(name="cloudtrail_check") as cursor:
                cursor.execute(check.sql.encode())
                names = [column.name for column in cursor.description or ()]
                rows = read_rows(names, cursor.fetchall())
    except psycopg.Error as error:
        return Outcome(check, (), words(failure(error)), time.monotonic() - started)
    except FdwError as error:
        return Outcome(check, (), words(error), time.monotonic() - started)
    failed = [row for row in rows if row.status == "error"]
    problem = f"{len(failed)} rows of status error, first: {failed[0].reason}" if failed else ""
    return Outcome(check, rows, problem, time.monotonic() - started)


def read_rows(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> tuple[Row, ...]:
    """The rows as Row; FdwError for other columns or another status than a check has."""
    lacking = [name for name in COLUMNS if name not in names]
    if lacking or len(set(names)) < len(names):
        raise FdwError(
            f"the check has no column {', '.join(lacking)}"
            if lacking
            else "the check has two columns of one name",
            hint=f"Columns are {', '.join(COLUMNS)} and any others.",
        )
    found = []
    for row in rows:
        values = dict(zip(names, row))
        resource, status, reason = (values.pop(name) for name in COLUMNS)
        if status not in STATUSES:
            raise FdwError(
                f"the check has a row of status {status!r}",
                hint=f"A status is one of {', '.join(STATUSES)}.",
            )
        resource = None if resource is None else str(resource)
        found.append(Row(resource, status, str(reason or ""), values))
    return tuple(found)
