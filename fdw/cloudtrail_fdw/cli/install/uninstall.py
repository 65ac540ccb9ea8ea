"""``cloudtrail-fdw uninstall``: every database object that install made, and no others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

import click
import psycopg
from psycopg import sql

from cloudtrail_fdw.cli.database import Connection, connect, installed_schema, value
from cloudtrail_fdw.cli.install import steampipe
from cloudtrail_fdw.cli.install.library import remove_unused
from cloudtrail_fdw.cli.install.views import analysis_objects, data_tables
from cloudtrail_fdw.errors import FdwError

DROP = {
    "VIEW": sql.SQL("DROP VIEW IF EXISTS {} CASCADE"),
    "FUNCTION": sql.SQL("DROP FUNCTION IF EXISTS {} CASCADE"),
    "TABLE": sql.SQL("DROP TABLE IF EXISTS {} CASCADE"),
    "FOREIGN TABLE": sql.SQL("DROP FOREIGN TABLE IF EXISTS {} CASCADE"),
}
FUNCTIONS = ("cloudtrail_fdw_validator(text[], oid)", "try_inet(text)", "try_jsonb(text)")


def uninstall(
    dsn: str, schema: Optional[str], reader: str, cascade: bool, tell: Callable[[str], None]
) -> None:
    """Drop our objects; FdwError names what depends on them, unless ``cascade`` drops that too.

    The role stays, without rights and settings in this database: other databases may use it.
    So do the extension multicorn, and unless ``cascade`` tables in which people left rows.
    """
    with connect(dsn) as connection:
        home = installed_schema(connection)
        if home is None or schema not in (None, home):
            raise FdwError(
                "cloudtrail_fdw is not installed " + (f'in schema "{schema}"' if home else "here"),
                hint=f'It is in schema "{home}".' if home else "Is it another database?",
            )
        compatible = steampipe.ours(connection)
        filled = [] if cascade else [t for t in data_tables() if has_rows(connection, home, t)]
        objects = [(kind, sql.Identifier(steampipe.SCHEMA, name)) for kind, name in compatible]
        objects += [(kind, sql.Identifier(home, name)) for kind, name in analysis_objects()]
        objects += [("TABLE", sql.Identifier(home, t)) for t in data_tables() if t not in filled]
        dropped = drop_all(connection, home, objects)
        if dropped and not cascade:
            raise FdwError(
                "other objects depend on cloudtrail_fdw: " + ", ".join(dropped),
                hint="Nothing was dropped. Drop them first, or all of them with --cascade.",
            )
        withdraw(connection, reader)
        if compatible:
            drop_schema(connection, steampipe.SCHEMA, reader)
        kept = drop_schema(connection, home, reader)
        multicorn = value(
            connection, "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'multicorn'"
        )
        connection.commit()
        remove_unused(connection)
    for name in filled:
        tell(f'Table "{home}"."{name}" has rows and stays; --cascade drops it.')
    for name in dropped:
        tell(f"Dropped {name}.")
    tell("Dropped cloudtrail_fdw." + (f' Schema "{home}" holds other objects and stays.' * kept))
    if not multicorn:
        tell(f'The role "{reader}" stays: others may use it.')
        return
    tell(
        f'The role "{reader}" and the extension multicorn stay: others may use them. '
        "Multicorn's functions stay closed to PUBLIC, which nobody needs to be able to call them."
    )


def drop_all(
    connection: Connection, schema: str, objects: list[tuple[str, sql.Identifier]]
) -> list[str]:
    """Drop wrapper, server, tables, functions; what else that takes along, as PostgreSQL names it.

    ``objects`` stand on the tables, each with its kind; the last made comes first.
    PostgreSQL names at most 100 of them and says how many more there are, each with its schema:
    database.connect() leaves none in the search_path.
    """
    tables = connection.execute(
        b"SELECT c.relname FROM pg_catalog.pg_foreign_table t "
        b"JOIN pg_catalog.pg_foreign_server s ON s.oid = t.ftserver "
        b"JOIN pg_catalog.pg_class c ON c.oid = t.ftrelid "
        b"JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        b"WHERE s.srvname = 'cloudtrail' AND n.nspname = %s "
        b"AND 'table_name=' || c.relname = ANY (t.ftoptions) ORDER BY c.relname",
        (schema,),
    ).fetchall()
    connection.execute(b"SET LOCAL lc_messages = 'C'")
    connection.execute(b"SET LOCAL client_min_messages = notice")
    dropped: list[str] = []

    def note(notice: psycopg.errors.Diagnostic) -> None:
        lines = notice.message_detail or notice.message_primary or ""
        dropped.extend(
            line.replace("drop cascades to ", "")
            for line in lines.splitlines()
            if line.startswith(("drop cascades to ", "and "))
        )

    connection.add_notice_handler(note)
    for kind, name in objects:
        connection.execute(DROP[kind].format(name))
    names = [sql.Identifier(schema, name) for (name,) in tables]
    if names:
        drop = sql.SQL("DROP FOREIGN TABLE {} CASCADE")
        connection.execute(drop.format(sql.SQL(", ").join(names)))
    connection.execute(b"DROP SERVER IF EXISTS cloudtrail CASCADE")
    query = "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'cloudtrail_fdw'"
    if value(connection, query):
        connection.execute(b"DROP EXTENSION cloudtrail_fdw CASCADE")
    else:
        connection.execute(b"DROP FOREIGN DATA WRAPPER cloudtrail_fdw CASCADE")
        for function in FUNCTIONS:
            drop = sql.SQL("DROP FUNCTION IF EXISTS {}.{} CASCADE")
            connection.execute(drop.format(sql.Identifier(schema), sql.SQL(function)))
    connection.remove_notice_handler(note)
    return dropped


def has_rows(connection: Connection, schema: str, table: str) -> bool:
    """Whether there is such a table, with rows; a view, which could run anything, is not read."""
    name = sql.Identifier(schema, table)
    query = "SELECT relkind = 'r' FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass(%s)"
    if not value(connection, query, name.as_string(connection)):
        return False
    row = connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name)).fetchone()
    return row is not None


def is_role(connection: Connection, name: str) -> bool:
    """Whether there is such a role."""
    query = "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s"
    return value(connection, query, name) is not None


def withdraw(connection: Connection, reader: str) -> None:
    """Take the reader's settings in this database away."""
    if is_role(connection, reader):
        database = sql.Identifier(value(connection, "SELECT pg_catalog.current_database()"))
        reset = sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL")
        connection.execute(reset.format(sql.Identifier(reader), database))


def drop_schema(connection: Connection, schema: str, reader: str) -> bool:
    """Take the reader's right to a schema away and drop it if it is empty; whether it stays."""
    if is_role(connection, reader):
        revoke = sql.SQL("REVOKE USAGE ON SCHEMA {} FROM {}")
        connection.execute(revoke.format(sql.Identifier(schema), sql.Identifier(reader)))
    if schema == "public":
        return True
    try:
        with connection.transaction():
            connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))
    except psycopg.errors.DependentObjectsStillExist:
        return True
    return False


@click.command("uninstall")
@click.argument("dsn")
@click.option("--schema", help="Schema of the tables; else the one they are in.")
@click.option("--reader", default="cloudtrail_reader", show_default=True, help="Read-only role.")
@click.option("--cascade", is_flag=True, help="Drop dependent views and user mappings as well.")
def uninstall_command(dsn: str, schema: Optional[str], reader: str, cascade: bool) -> None:
    """Remove everything that install made from the database DSN.

    Names views, tables and user mappings that depend on it, and drops them only with --cascade.
    Keeps the role, which other databases may use, and the extension multicorn.
    """
    uninstall(dsn, schema, reader, cascade, click.echo)
