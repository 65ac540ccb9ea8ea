"""Connections to the user's database, and its errors without secrets."""

from __future__ import annotations

from typing import Any, Optional

import psycopg
from psycopg.conninfo import conninfo_to_dict

from cloudtrail_fdw.errors import FdwError

Connection = psycopg.Connection[tuple[Any, ...]]
SAFE = (
    b"SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false), "
    b"pg_catalog.set_config('standard_conforming_strings', 'on', false)"
)


def connect(dsn: str, *, autocommit: bool = False) -> Connection:
    """A connection for a libpq URL or connection string; FdwError names what is wrong with it.

    Names are looked up in pg_catalog alone and strings are standard, whatever the role's or the
    database's settings say: the database's owner may set both, and is a stranger to a superuser.
    """
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.Error:  # its message repeats the text, and with it a password
        raise FdwError(
            "the DSN is not a PostgreSQL connection string",
            hint="Give one such as postgresql:///security or 'host=db.example dbname=security'.",
        ) from None
    defaults = {"connect_timeout": "10", "application_name": "cloudtrail-fdw"}
    settings = {**defaults, **given, "client_encoding": "UTF8"}
    try:
        connection = psycopg.connect(**settings, autocommit=autocommit, prepare_threshold=None)
        connection.execute(SAFE)
        connection.commit()
    except psycopg.Error as error:
        found = failure(error)
        password = str(given.get("password") or "")
        text = found.message.replace(password, "…") if password else found.message
        raise FdwError(text, detail=found.detail, hint=found.hint) from None
    return connection


def failure(error: psycopg.Error) -> FdwError:
    """What went wrong, with PostgreSQL's own message, detail and hint."""
    diag = error.diag
    return FdwError(
        diag.message_primary or " ".join(str(error).split()),
        detail=diag.message_detail,
        hint=diag.message_hint,
        sqlstate=error.sqlstate or "HV000",
    )


def value(connection: Connection, query: str, *parameters: object) -> Any:
    """The first column of the only row, None when there is none."""
    row = connection.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


def new_schema(connection: Connection, quoted: str, name: str) -> list[str]:
    """What makes a schema where there is none: it fails when somebody makes it in between."""
    there = value(connection, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", name)
    return [] if there else [f"CREATE SCHEMA {quoted};\n"]


def installed_schema(connection: Connection) -> Optional[str]:
    """Where the validator of the wrapper lives, None when there is no wrapper."""
    found = value(
        connection,
        "SELECT n.nspname FROM pg_catalog.pg_foreign_data_wrapper w "
        "JOIN pg_catalog.pg_proc p ON p.oid = w.fdwvalidator "
        "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
        "WHERE w.fdwname = 'cloudtrail_fdw'",
    )
    return None if found is None else str(found)
