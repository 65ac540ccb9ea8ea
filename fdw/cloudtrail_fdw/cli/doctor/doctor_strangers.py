"""The doctor's look at what other roles could put in the place of ours, or do through it."""

from __future__ import annotations

from collections.abc import Iterator

from cloudtrail_fdw.cli.database import Connection, value
from cloudtrail_fdw.cli.doctor.finding import Finding, failed
from cloudtrail_fdw.cli.install import steampipe
from cloudtrail_fdw.cli.owners import shadows, strangers

# A function of Multicorn's that every role may call.
CALLABLE = """
    SELECT p.oid::regprocedure::text
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
        AND d.classid = 'pg_catalog.pg_proc'::regclass
    JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'multicorn'
    CROSS JOIN LATERAL pg_catalog.aclexplode(
        coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
    ) AS granted
    WHERE granted.grantee = 0
    ORDER BY p.proname DESC
    LIMIT 1
"""
READ_BY_ALL = """
    SELECT c.oid::regclass::text
    FROM pg_catalog.pg_class c
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS granted
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND granted.grantee = 0
    ORDER BY c.relname
    LIMIT 1
"""
EXISTS = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s"


def check_strangers(connection: Connection, schema: str) -> Iterator[Finding]:
    """Whether all that install, checks and this command call is a superuser's."""
    schemas = [schema, *([steampipe.SCHEMA] if steampipe.ours(connection) else [])]
    found = strangers(connection, schemas)
    yield from map(failed, found)
    if not found:
        names = " and ".join(f'"{name}"' for name in schemas)
        yield Finding("ok", f"nobody but superusers can change what is in schema {names}")


def check_public(connection: Connection, schema: str) -> Iterator[Finding]:
    """What every role may call or read."""
    function = value(connection, CALLABLE)
    if function:
        yield Finding(
            "fail",
            f"every role may call {function}, which can run Python as the server's user; "
            "run cloudtrail-fdw install",
        )
    table = value(connection, READ_BY_ALL, schema)
    if table:
        yield Finding("warn", f"every role has a right on {table}: REVOKE it FROM PUBLIC")


def check_path(connection: Connection, role: str, path: list[str], ours: str) -> Iterator[Finding]:
    """Whether the search_path of a role that reads can lead it to a stranger's objects."""
    for name in path:
        home = role if name == "$user" else name
        if home in ("pg_catalog", "pg_temp", ours):
            continue
        if value(connection, EXISTS, home):
            for error in shadows(connection, home, ours):
                yield Finding(
                    "warn", f"role {role} looks names up in schema {home}: {failed(error).text}"
                )
        elif name != "$user":
            yield Finding(
                "warn",
                f"role {role} looks names up in schema {home}, which is not there: whoever may "
                "create schemas can make it; take it out of the role's search_path",
            )
