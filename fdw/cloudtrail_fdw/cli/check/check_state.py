"""What checks keep in the database: watermarks, the lock of a run, suppressions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Optional

from psycopg import sql

from cloudtrail_fdw.cli.check.check_outcome import Outcome, Row, Suppression, Window
from cloudtrail_fdw.cli.database import Connection, value
from cloudtrail_fdw.errors import FdwError

FIRST = timedelta(days=1)  # that a first run, or one without --since, looks at
LOCK_KEY = "pg_catalog.hashtextextended('cloudtrail-fdw check ' || %s, 0)"


def lock(connection: Connection, name: str) -> None:
    """Keep other runs with the watermark away while the connection lives; FdwError names one."""
    if value(connection, f"SELECT pg_catalog.pg_try_advisory_lock({LOCK_KEY})", name):
        return
    holder = connection.execute(
        b"SELECT 'process ' || l.pid || coalesce(' of role ' || a.usename, '') "
        b"|| coalesce(' since ' || pg_catalog.date_trunc('second', a.backend_start), '') "
        b"FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
        b"WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
        b"AND (l.classid::bigint << 32) | l.objid::bigint = " + LOCK_KEY.encode(),
        (name,),
    ).fetchone()
    raise FdwError(
        f'another run with the watermark "{name}" is under way',
        detail=str(holder[0]) if holder else None,
        hint="Wait for its end, or give the two a --watermark each.",
    )


def watermark(connection: Connection, schema: str, name: str) -> Optional[datetime]:
    """Until where deliveries are done, None before the first run.

    FdwError when the watermark is another role's: only superusers may move that.
    """
    table = sql.Identifier(schema, "cloudtrail_check_run")
    query = sql.SQL(
        "SELECT delivered_until, finished_by, finished_by = current_user "
        "OR NOT pg_catalog.row_security_active({}::regclass) FROM {} WHERE name = %s"
    ).format(sql.Literal(table.as_string(connection)), table)
    row = connection.execute(query, (name,)).fetchone()
    if row is None:
        return None
    until: datetime
    until, owner, movable = row
    if not movable:
        raise FdwError(
            f'the watermark "{name}" belongs to role "{owner}"',
            hint="Run as that role, or give this run a --watermark of its own.",
        )
    return until


def next_window(last: Optional[datetime], now: datetime, settle: timedelta) -> Window:
    """From the watermark to what has surely arrived; empty when that is not later."""
    if last is not None and last > now:
        raise FdwError(
            f"the watermark {last.isoformat()} lies in the future",
            hint="Correct delivered_until in cloudtrail_check_run.",
        )
    settled = now - settle
    since = last or settled - FIRST
    return Window(since, max(since, settled))


def advance(
    connection: Connection, schema: str, name: str, until: datetime, checks: int, findings: int
) -> None:
    """Move the watermark, which never goes back."""
    with connection.transaction():
        connection.execute(b"SET TRANSACTION READ WRITE")
        connection.execute(
            sql.SQL(
                "INSERT INTO {} AS run (name, delivered_until, checks, findings) "
                "VALUES (%s, %s, %s, %s) ON CONFLICT (name) DO UPDATE SET "
                "delivered_until = GREATEST(run.delivered_until, EXCLUDED.delivered_until), "
                "finished_at = EXCLUDED.finished_at, finished_by = EXCLUDED.finished_by, "
                "checks = EXCLUDED.checks, findings = EXCLUDED.findings"
            ).format(sql.Identifier(schema, "cloudtrail_check_run")),
            (name, until, checks, findings),
        )


def suppress(
    connection: Connection, schema: str, outcomes: Sequence[Outcome], now: datetime
) -> list[Outcome]:
    """The outcomes with what is suppressed marked, the suppression that lasts longest first."""
    places = [
        (number, index)
        for number, outcome in enumerate(outcomes)
        for index, row in enumerate(outcome.rows)
        if row.status == "alarm"
    ]
    found = [outcomes[number].rows[index] for number, index in places]
    matches = connection.execute(
        sql.SQL(
            "SELECT DISTINCT ON (f.n) f.n, s.reason, s.expires, s.created_by "
            "FROM unnest(%s::text[], %s::text[], %s::jsonb[]) "
            "WITH ORDINALITY AS f (check_id, resource, dimensions, n) "
            "JOIN {} s ON s.check_id = f.check_id "
            "AND f.resource LIKE s.resource AND f.dimensions @> s.dimensions "
            "ORDER BY f.n, s.expires DESC, s.reason"
        ).format(sql.Identifier(schema, "cloudtrail_check_suppression")),
        (
            [outcomes[number].check.id for number, _ in places],
            [row.resource or "" for row in found],
            [json.dumps(row.dimensions) for row in found],
        ),
    ).fetchall()
    marked: dict[tuple[int, int], Row] = {}
    for n, reason, expires, created_by in matches:
        given = Suppression(reason, expires, created_by)
        row = found[n - 1]
        marked[places[n - 1]] = (
            replace(row, suppression=given) if expires > now else replace(row, expired=given)
        )
    return [
        replace(
            outcome,
            rows=tuple(marked.get((number, i), row) for i, row in enumerate(outcome.rows)),
        )
        for number, outcome in enumerate(outcomes)
    ]
