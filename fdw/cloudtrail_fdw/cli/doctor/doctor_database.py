"""The doctor's look at a database: its objects, and what its own Python can reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Optional

import psycopg
from psycopg import sql

from cloudtrail_fdw.cli.database import Connection, connect, failure, installed_schema, value
from cloudtrail_fdw.cli.doctor.doctor_data import judge_data
from cloudtrail_fdw.cli.doctor.doctor_host import check_host, check_library
from cloudtrail_fdw.cli.doctor.doctor_reader import check_readers
from cloudtrail_fdw.cli.doctor.doctor_strangers import check_public, check_strangers
from cloudtrail_fdw.cli.doctor.finding import Finding, failed
from cloudtrail_fdw.cli.install.install import uses_handler
from cloudtrail_fdw.cli.install.table_changes import read_existing, table_changes
from cloudtrail_fdw.cli.install.views import SQL
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.tables import TABLES

INSTALL = "run cloudtrail-fdw install"
PAGE = 5000  # events that are enough to judge by
HOUR = "cloudtrail_event of the last hour"
KNOWN_NAME = "1.1.1.1"  # has had a PTR record since it was announced
SERVER_OPTIONS = "SELECT srvoptions FROM pg_catalog.pg_foreign_server WHERE srvname = 'cloudtrail'"


def server_settings(dsn: str) -> dict[str, str]:
    """The options of the server ``cloudtrail``, which everybody may read."""
    with connect(dsn) as connection:
        options = value(connection, SERVER_OPTIONS) or ()
    return dict(option.split("=", 1) for option in options)


def check_database(dsn: str) -> Iterator[Finding]:
    """Objects first; queries through the server only where the objects are right."""
    with connect(dsn) as connection:
        found = list(check_objects(connection))
        schema = installed_schema(connection)
    yield from found
    if schema is None or any(finding.mark == "fail" for finding in found):
        return
    # A session each: what fails in Python must not touch the next question.
    for check in (check_enrichment, check_names, check_events):
        with connect(dsn, autocommit=True) as connection:
            try:
                connection.execute(
                    sql.SQL("SET search_path = pg_catalog, {}, pg_temp").format(
                        sql.Identifier(schema)
                    )
                )
                connection.execute(b"SET statement_timeout = '60s'")
                yield from check(connection)
            except psycopg.Error as error:
                yield failed(failure(error))


def check_objects(connection: Connection) -> Iterator[Finding]:
    """The extension, the objects, and whether they are of this version."""
    host = list(check_host(connection))
    yield from host
    if any(finding.mark == "fail" for finding in host):
        return
    schema = installed_schema(connection)
    if schema is None:
        yield Finding("fail", f"cloudtrail_fdw is not installed in this database; {INSTALL}")
        return
    found = list(check_strangers(connection, schema))
    yield from found
    if any(finding.mark == "fail" for finding in found):  # nothing of a stranger's is called
        return
    try:
        stale = table_changes(connection, schema)
    except FdwError as error:
        yield failed(error)
        return
    missing = TABLES.keys() - read_existing(connection, schema).keys()
    if missing:
        yield Finding("fail", f"tables are missing: {', '.join(sorted(missing))}; {INSTALL}")
    elif stale or not validator_current(connection, schema):
        yield Finding("fail", f'objects in schema "{schema}" are of another version; {INSTALL}')
    else:
        yield Finding("ok", f'objects in schema "{schema}" are of this version')
    yield from check_options(connection, schema)
    yield from check_public(connection, schema)
    if "cloudtrail_event" not in missing:
        yield from check_readers(connection, schema)
    if uses_handler(connection):
        yield Finding("ok", "the extension's own handler is in use")
        yield from check_library(connection)
        return
    yield Finding(
        "warn", "Multicorn's own handler is in use: docs/limits.md says what can crash the server"
    )


def validator_current(connection: Connection, schema: str) -> bool:
    """Whether the validator's body is the one that this version ships."""
    body = value(
        connection,
        "SELECT p.prosrc FROM pg_catalog.pg_proc p "
        "JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname = %s AND p.proname = 'cloudtrail_fdw_validator'",
        schema,
    )
    return bool(body == (SQL / "10_validator.sql").read_text("utf-8").split("$validator$")[1])


def check_options(connection: Connection, schema: str) -> Iterator[Finding]:
    """Whether the validator still accepts the server's options."""
    query = sql.SQL("SELECT {}.cloudtrail_fdw_validator(({})::text[], 1417)").format(
        sql.Identifier(schema), sql.SQL(SERVER_OPTIONS)
    )
    try:
        with connection.transaction():
            connection.execute(query)
        yield Finding("ok", "the server's options are valid")
    except psycopg.errors.InsufficientPrivilege:
        yield Finding("warn", "only a superuser can check the server's options")
    except psycopg.Error as error:
        yield failed(failure(error))


def check_enrichment(connection: Connection) -> Iterator[Finding]:
    """Whether the server's Python works offline, and how old its data files are."""
    row = one(
        connection,
        b"SELECT address_class, geo_database, aws_ranges_date::text, is_aws "
        b"FROM ip_enrichment WHERE ip = '192.0.2.1'",
    )
    yield Finding("ok", "the server's Python loads the wrapper and its packages")
    yield from judge_data(row[1], row[2], row[3] is None)


def check_names(connection: Connection) -> Iterator[Finding]:
    """Whether the server's name servers answer."""
    query = f"SELECT reverse_dns_status FROM ip_enrichment WHERE ip = '{KNOWN_NAME}'"  # noqa: S608
    (status,) = one(connection, query.encode())
    if status in ("found", "confirmed", "none"):
        yield Finding("ok", f"reverse DNS answers ({KNOWN_NAME}: {status})")
    elif status == "not_requested":
        yield Finding("ok", "reverse DNS is switched off (network_enrichment)")
    else:
        yield Finding(
            "warn", f"reverse DNS does not answer ({status}); see the options dns_servers and "
            "dns_timeout, or set network_enrichment to off"
        )  # fmt: skip


def check_events(connection: Connection) -> Iterator[Finding]:
    """Whether events arrive, through the server's own credentials, and how many twice."""
    connection.execute(b"SET cloudtrail_fdw.max_calls = 20")
    groups: Optional[str]
    count, ids, distinct, groups = one(
        connection,
        b"SELECT count(*), count(event_id), count(DISTINCT event_id), "
        b"string_agg(DISTINCT log_group_name, ', ') FROM ("
        b"SELECT event_id, log_group_name FROM cloudtrail_event "
        b"WHERE event_time > now() - interval '1 hour' LIMIT %d) AS page" % PAGE,
    )
    if not count:
        yield Finding(
            "warn", f"{HOUR}: none; check that a trail delivers to the log group, and its Region"
        )
        yield from check_cache(connection)
        return
    yield Finding("ok", f"{HOUR}: {count} read from {groups}")
    share = 100 * (ids - distinct) / ids if ids else 0
    text = f"duplicate event_id: {share:.1f} %"
    if share > 1:
        text += "; several trails deliver to one log group, or count DISTINCT event_id"
    yield Finding("warn" if share > 1 else "ok", text)
    if count < PAGE:
        yield from check_cache(connection)


def check_cache(connection: Connection) -> Iterator[Finding]:
    """Whether what was just read is kept on disk."""
    plan = connection.execute(b"EXPLAIN SELECT event_id FROM cloudtrail_event").fetchall()
    if any("Cache: off" in row[0] for row in plan):
        yield Finding("ok", "the page cache is switched off (cache)")
        return
    pieces, size = one(
        connection, b"SELECT count(*), pg_size_pretty(sum(bytes)) FROM cloudtrail_fdw_cache"
    )
    if pieces:
        yield Finding("ok", f"the page cache holds {pieces} pieces of time, {size}")
        return
    yield Finding(
        "warn",
        "the page cache holds nothing of what was just read: its folder (cache_directory) must be "
        "the PostgreSQL server's user's own, with mode 0700, and its disk must have room",
    )


def one(connection: Connection, query: bytes) -> tuple[Any, ...]:
    """The only row."""
    row = connection.execute(query).fetchone()
    if row is None:
        raise FdwError("no row where there is always one", hint=re.sub(r"\s+", " ", query.decode()))
    return row
