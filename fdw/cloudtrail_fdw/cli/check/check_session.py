"""The session of a check: where its names are found, and how its values are written."""

from __future__ import annotations

from psycopg import sql

from cloudtrail_fdw.cli.check.check_exit import complain
from cloudtrail_fdw.cli.database import Connection, installed_schema, value
from cloudtrail_fdw.cli.install import steampipe
from cloudtrail_fdw.cli.owners import check_owners
from cloudtrail_fdw.errors import FdwError


def schema_of(connection: Connection) -> str:
    """Where checks find tables and functions."""
    schema = installed_schema(connection)
    if schema is None:
        raise FdwError("cloudtrail_fdw is not installed here", hint="Is it another database?")
    return schema


def search_path(connection: Connection, schema: str) -> str:
    """Where checks find what they name; FdwError when a stranger could have put it there.

    Our schemas and pg_catalog: a role that may only log in can create functions in public, where
    PostgreSQL 14 or older made the database, and so answer for ours or act as whoever checks.
    """
    schemas = [schema, *([steampipe.SCHEMA] if steampipe.ours(connection) else [])]
    check_owners(connection, schemas)
    if value(connection, "SHOW is_superuser") == "on":
        complain(
            "Notice: the checks run as a superuser, with whom a check file may do anything; "
            "run them as a role that only reads, such as cloudtrail_reader"
        )
    quoted = [sql.Identifier(name).as_string(connection) for name in schemas]
    return ", ".join(["pg_catalog", *quoted, "pg_temp"])


def prepare_session(connection: Connection, path: str) -> None:
    """Unqualified names, times and dates mean the same whoever runs the checks."""
    connection.execute(
        b"SELECT pg_catalog.set_config('search_path', %s, false), "
        b"pg_catalog.set_config('TimeZone', 'UTC', false), "
        b"pg_catalog.set_config('DateStyle', 'ISO, YMD', false), "
        b"pg_catalog.set_config('IntervalStyle', 'postgres', false), "
        b"pg_catalog.set_config('cursor_tuple_fraction', '1', false)",
        (path,),
    )
    connection.commit()
