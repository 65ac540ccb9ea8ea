"""``cloudtrail-fdw install``: every database object, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

import click
import psycopg
from psycopg import sql

from cloudtrail_fdw.cli.database import Connection, connect, failure, new_schema, value
from cloudtrail_fdw.cli.install import steampipe, worker_python
from cloudtrail_fdw.cli.install.extension import available, extension_sql, place_extension
from cloudtrail_fdw.cli.install.install_options import parse_options, server_options
from cloudtrail_fdw.cli.install.preconditions import check_database, choose_host, reader_members
from cloudtrail_fdw.cli.install.server_python import check_python
from cloudtrail_fdw.cli.install.table_changes import table_changes
from cloudtrail_fdw.cli.install.views import SQL, analysis_objects
from cloudtrail_fdw.cli.owners import check_owners
from cloudtrail_fdw.errors import FdwError

OTHER_SHAPE = (psycopg.errors.InvalidTableDefinition, psycopg.errors.InvalidFunctionDefinition)


@dataclass(frozen=True)
class Target:
    """Where to install; ``options`` are the server's, an empty value takes one away.

    ``handler`` is whether to use our own around Multicorn's, where that can be had;
    ``steampipe`` whether to have the schema of that name; ``host`` is multicorn, worker, or auto
    for the one that can be had; ``python`` the interpreter of a worker, None for our own.
    """

    schema: str = "cloudtrail"
    reader: str = "cloudtrail_reader"
    options: tuple[tuple[str, str], ...] = ()
    handler: bool = True
    steampipe: bool = True
    host: str = "auto"
    python: Optional[Path] = None


def install(dsn: str, target: Target, tell: Callable[[str], None]) -> None:
    """Install into the database, then check that its Python finds the package.

    Runs again over the same or an older version. FdwError says what is missing; before the
    check nothing has then changed.
    """
    with connect(dsn) as connection:
        target = check_target(connection, target)
        members = reader_members(connection, target.reader)
        lacking = place_handler(connection, target)
        try:
            with connection.transaction():
                for statement in install_sql(connection, target):
                    run(connection, statement)
        except OTHER_SHAPE:  # a view or function of an older version has other columns
            for statement in install_sql(connection, target, anew=True):
                run(connection, statement)
        check_owners(connection, schemas(target))  # nobody came in between
        ours = uses_handler(connection)
        where = value(connection, "SELECT pg_catalog.current_database()")
    tell(f'Installed in schema "{target.schema}" of database "{where}".')
    tell(check_python(dsn, target.schema, target.python))
    tell(
        f'Role "{target.reader}" may only read; to let it log in from elsewhere, give it a '
        f"password: \\password {target.reader}"
    )
    if members:
        tell(f'Notice: members of role "{target.reader}" may read as well: {", ".join(members)}')
    if target.host == "worker":
        tell("Python runs in a process of its own beside each session; Multicorn is not in use.")
        return
    if ours:
        tell("The extension's own handler is in use.")
        return
    tell(
        f"Notice: Multicorn's own handler is in use ({lacking or 'unknown reason'}). A few "
        "statements, such as EXPLAIN of a join through a function call, can crash the server "
        "with it: see docs/limits.md."
    )


NOT_WANTED = FdwError("--no-handler")


def check_target(connection: Connection, target: Target) -> Target:
    """The target with its host and interpreter chosen.

    FdwError unless all that it names can be had and is ours or nobody's.
    """
    check_database(connection, target.schema, target.reader)
    host = choose_host(connection, target.host)
    if host == "worker" and not target.handler:
        raise FdwError("--no-handler is for Multicorn", hint="Leave it out, or --host multicorn.")
    python = worker_python.choose(connection, target.python) if host == "worker" else None
    if target.steampipe:
        steampipe.check_steampipe(connection)
    check_owners(connection, schemas(target))
    return replace(target, host=host, python=python)


def schemas(target: Target) -> list[str]:
    """The schemas that install puts objects into."""
    return [target.schema, steampipe.SCHEMA] if target.steampipe else [target.schema]


def place_handler(connection: Connection, target: Target) -> Optional[FdwError]:
    """Bring the extension's files to the server; what is lacking for it, if anything.

    FdwError where nothing can do without them.
    """
    if not target.handler:
        return NOT_WANTED
    try:
        place_extension(connection)
    except FdwError as error:
        if error.sqlstate == "42501":  # strangers may write where the library would be
            raise
        if available(connection):
            return None
        if target.host == "worker":
            raise
        return error
    return None


def uses_handler(connection: Connection) -> bool:
    """Whether the wrapper has one of the extension's handlers, not Multicorn's."""
    return bool(
        value(
            connection,
            "SELECT 1 FROM pg_catalog.pg_foreign_data_wrapper w "
            "JOIN pg_catalog.pg_proc p ON p.oid = w.fdwhandler "
            "WHERE w.fdwname = 'cloudtrail_fdw' AND p.proname <> 'multicorn_handler'",
        )
    )


def install_sql(connection: Connection, target: Target, anew: bool = False) -> list[str]:
    """The statements that this database, which check_target accepts, needs.

    ``anew`` drops our views and functions before they are made.
    """
    given = server_options(connection, target.options)
    changes = changes_sql(connection, target, anew)
    parts = [
        "SET LOCAL client_min_messages = warning;\n",
        "SET LOCAL search_path = pg_catalog, pg_temp;\n",
        sql.SQL("SET LOCAL cloudtrail_fdw.host = {};\n").format(target.host).as_string(connection),
        *([multicorn_sql(connection)] if target.host == "multicorn" else []),
        *new_schema(connection, "@extschema@", target.schema),
    ]
    if target.handler and available(connection):
        parts += extension_sql(connection)
    for file in sorted(SQL.glob("[0-9]*.sql")):
        if file in steampipe.FILES and not target.steampipe:
            continue
        if file == steampipe.FILES[0]:
            parts += steampipe.creations(connection, target.handler)
        if file.name.startswith("30_") and target.python:
            parts.append(python_sql(connection, target.python))
        if file.name.startswith("40_"):
            parts += [*given, *changes]
        text = file.read_text("utf-8")
        # a schema that is not there is of whoever makes it
        parts.append(text if target.steampipe else text.replace("'steampipe, @ext", "'@ext"))
    names = {"@extschema@": target.schema, "@reader@": target.reader}
    return [filled(part, names, connection) for part in parts]


def multicorn_sql(connection: Connection) -> str:
    """What makes the extension: in the schema public, where there is one."""
    public = value(connection, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'public'")
    home = "public" if public else "pg_catalog"
    return f"CREATE EXTENSION IF NOT EXISTS multicorn WITH SCHEMA {home};\n"


def python_sql(connection: Connection, python: Path) -> str:
    """What makes this the interpreter of the wrapper's workers."""
    there = value(
        connection,
        "SELECT 1 FROM pg_catalog.pg_foreign_data_wrapper w, "
        "pg_catalog.pg_options_to_table(w.fdwoptions) o "
        "WHERE w.fdwname = 'cloudtrail_fdw' AND o.option_name = 'python'",
    )
    change = sql.SQL("ALTER FOREIGN DATA WRAPPER cloudtrail_fdw OPTIONS ({} python {});\n")
    verb = sql.SQL("SET" if there else "ADD")
    return change.format(verb, str(python)).as_string(connection)


def changes_sql(connection: Connection, target: Target, anew: bool) -> list[str]:
    """What brings older tables up to date, after the views on them are dropped.

    Views keep the columns they show from changing; install makes them anew.
    """
    changes = table_changes(connection, target.schema)
    drops = [f"DROP {kind} IF EXISTS @extschema@.{name};\n" for kind, name in analysis_objects()]
    keyed = (
        steampipe.changes(connection, target.handler)
        if target.steampipe
        else steampipe.drops(connection, "FOREIGN TABLE")
    )
    if not changes and not keyed and not anew:
        return []
    views = steampipe.drops(connection, "VIEW")
    return [*views, *(drops if changes or anew else ()), *changes, *keyed]


def filled(text: str, names: dict[str, str], connection: Connection) -> str:
    """The text with its placeholders replaced by quoted identifiers."""
    for mark, name in names.items():
        text = text.replace(mark, sql.Identifier(name).as_string(connection))
    return text


def run(connection: Connection, statement: str) -> None:
    """Run one part; FdwError tells what depends on a column or table that has to go."""
    try:
        connection.execute(statement.encode())
    except (psycopg.errors.DependentObjectsStillExist, psycopg.errors.FeatureNotSupported) as error:
        found = failure(error)
        raise FdwError(
            f"{found.message}: {statement.strip()}",
            detail=found.detail,
            hint="Drop or change what depends on it, install again, and create it anew.",
        ) from None


@click.command("install")
@click.argument("dsn")
@click.option("--schema", default="cloudtrail", show_default=True, help="Schema of the tables.")
@click.option("--reader", default="cloudtrail_reader", show_default=True, help="Read-only role.")
@click.option("--dry-run", is_flag=True, help="Print the SQL and change nothing.")
@click.option(
    "--data-directory",
    type=click.Path(path_type=Path),
    help="Folder of the database server with geolocation.mmdb, asn.mmdb and ip-ranges.json.",
)
@click.option(
    "--host",
    type=click.Choice(("auto", "multicorn", "worker")),
    default="auto",
    show_default=True,
    help="What runs Python: Multicorn in the backend, or a worker process beside it.",
)
@click.option(
    "--python", type=click.Path(path_type=Path),
    help="Interpreter of the workers.  [default: this one]",
)  # fmt: skip
@click.option(
    "--no-handler", is_flag=True, help="Use Multicorn's own handler: some statements crash it."
)
@click.option(
    "--no-steampipe", is_flag=True,
    help="Leave out the schema steampipe; one that an earlier install made is dropped.",
)  # fmt: skip
@click.option(
    "--option", "given", multiple=True, metavar="NAME=VALUE",
    help="Option of the server, as region=eu-west-1; repeatable; an empty value removes it.",
)  # fmt: skip
def install_command(
    dsn: str, schema: str, reader: str, dry_run: bool, data_directory: Optional[Path], host: str,
    python: Optional[Path], no_handler: bool, no_steampipe: bool, given: tuple[str, ...],
) -> None:  # fmt: skip
    """Install into the database DSN: schema, wrapper, server, tables, functions, role.

    Installing again brings an older version up to date and keeps options and settings.
    """
    options = tuple(parse_options(given, data_directory).items())
    target = Target(schema, reader, options, not no_handler, not no_steampipe, host, python)
    if not dry_run:
        install(dsn, target, click.echo)
        return
    with connect(dsn) as connection:
        target = check_target(connection, target)
        click.echo("\n".join(["BEGIN;\n", *install_sql(connection, target), "COMMIT;"]))
