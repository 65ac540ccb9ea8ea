"""Connections to the user's database, and its errors without secrets."""

from __future__ import annotations

from typing import Any, Optional

import psycopg
from psycopg.conninfo import conninfo_to_dict

from cloudtrail_fdw.errors import FdwError

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(dsn: str, *, autocommit: bool = False) -> Connection:
    """A connection for a libpq URL or connection string; FdwError names what is wrong with it."""
    try:
        given = conninfo_to_dict(dsn)
    except psycopg.Error:  # its message repeats the text, and with it a password
        raise FdwError(
            "the DSN is not a PostgreSQL connection string",
            hint="Give one such as postgresql:///security or 'host=db.example dbname=security'.",
        ) from None
    defaults = {"connect_timeout": "10", "application_name": "cloudtrail-fdw", **given}
    try:
        return psycopg.connect(
            **defaults, autocommit=autocommit, prepare_threshold=None, client_encoding="UTF8"
        )
    except psycopg.Error as error:
        found = failure(error)
        password = str(given.get("password") or "")
        text = found.message.replace(password, "…") if password else found.message
        raise FdwError(text, detail=found.detail, hint=found.hint) from None


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
