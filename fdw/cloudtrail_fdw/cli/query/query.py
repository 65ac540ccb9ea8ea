"""``cloudtrail-fdw query`` and ``psql``: one's own account, without a server of one's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Optional

import click
import psycopg

from cloudtrail_fdw.cli.check.check_output import visible
from cloudtrail_fdw.cli.database import connect
from cloudtrail_fdw.cli.query import own_server
from cloudtrail_fdw.cli.query.own_container import run_in_container
from cloudtrail_fdw.cli.query.own_server import Own, Wanted
from cloudtrail_fdw.cli.query.query_output import Rows, table, to_csv, to_json
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import acceptable_url
from cloudtrail_fdw.sandbox import lifecycle
from cloudtrail_fdw.sandbox.runtime import Server

FIRST_ROWS = """\
SELECT e.event_time, e.event_name, e.username, e.source_ip_address, i.country_name, e.error_code
  FROM cloudtrail_event e LEFT JOIN ip_enrichment i ON i.ip = e.source_ip_address
 WHERE e.event_time > now() - interval '1 hour'
 ORDER BY e.event_time DESC LIMIT 20"""
# a password on the command line could be seen by others
LIBPQ = {"HOST": "host", "PORT": "port", "USER": "user", "DATABASE": "dbname",
         "PASSWORD": "password"}  # fmt: skip
tell = partial(click.echo, err=True)


def check_endpoint(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """The URL; a usage error for one that signed requests must not go to."""
    if given and not acceptable_url(given):
        raise click.BadParameter("give an https URL, or http on the loopback address")
    return given


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that both commands have."""
    for option in (
        click.option(
            "--endpoint-url", default="", callback=check_endpoint,
            help="Where AWS is; AWS_ENDPOINT_URL is not followed.",
        ),
        click.option("--log-group", default="", help="Name or ARN.  [default: of the trails]"),
        click.option("--region", help="AWS Region.  [default: the environment's or profile's]"),
        click.option(
            "--server", "kind", type=click.Choice(lifecycle.SERVERS),
            help="Which PostgreSQL.  [default: this machine's with Multicorn, else private]",
        ),
        click.option(
            "--dir", "directory", type=click.Path(path_type=Path),
            default=own_server.default_directory,
            help="Folder of database and cache.  [default: a data folder]",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("query")
@click.argument("sql", required=False)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table",
    show_default=True, help="How rows are printed.",
)  # fmt: skip
@click.option("--stop", "stopping", is_flag=True, help="End the server, after SQL if given.")
@server_options
def query_command(sql: Optional[str], form: str, stopping: bool, **given: Any) -> None:
    """Run SQL, or standard input, on your own account with the AWS credentials you have here.

    The first call makes a PostgreSQL in a folder of yours, and starts it; it stays running, for
    you alone, until --stop. On a terminal without SQL: the last hour's newest events.
    """
    wanted = wish(given)
    if sql is None and not stopping:
        sql = FIRST_ROWS if sys.stdin.isatty() else sys.stdin.read()
    if sql is not None:
        server = find_server(wanted)
        if isinstance(server, FdwError):
            again = ["query", sql, "--format", form, "--stop"]
            raise click.exceptions.Exit(run_in_container(wanted, again, server, tell))
        with own_server.running(wanted, server, tell) as own:
            show(own, sql, form)
    if stopping:
        stopped = own_server.stop(wanted.directory)
        if sql is None:
            tell("Stopped." if stopped else f"Nothing runs in {wanted.directory}.")


@click.command("psql", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--admin", is_flag=True, help="As the superuser, to create views and mappings.")
@server_options
def psql_command(arguments: tuple[str, ...], admin: bool, **given: Any) -> None:
    """Open psql on your own account; ARGUMENTS are psql's, after --.

    Its aligned tables show control characters as text; its other formats do not.
    """
    wanted = wish(given)
    server = find_server(wanted)
    if isinstance(server, FdwError):
        again = ["psql", *(["--admin"] if admin else []), "--", *arguments]
        terminal = sys.stdin.isatty()
        raise click.exceptions.Exit(
            run_in_container(wanted, again, server, tell, terminal=terminal)
        )
    with own_server.running(wanted, server, tell) as own:
        status = psql(own, arguments, admin=admin)
    raise click.exceptions.Exit(status)


def wish(given: dict[str, Any]) -> Wanted:
    """The options as a value."""
    return Wanted(**{**given, "directory": given["directory"].absolute()})


def find_server(wanted: Wanted) -> Server | FdwError:
    """The PostgreSQL to use; the reason where this machine can have none."""
    try:
        return lifecycle.choose_server(wanted.kind, tell)
    except FdwError as error:
        return error


def show(own: Own, sql: str, form: str) -> None:
    """Print the rows of each statement."""
    terminal = sys.stdout.isatty()
    with connect(own.dsn(), autocommit=True) as connection:
        connection.execute("RESET search_path")
        connection.add_notice_handler(tell_notice)
        cursor = connection.execute(sql.encode())
        while True:
            if cursor.description is not None:
                rows = Rows(cursor.pgresult)
                text = table(rows) if form == "table" else (
                    to_csv(rows, terminal=terminal) if form == "csv" else to_json(rows)
                )  # fmt: skip
                click.echo(text, nl=False)
            if not cursor.nextset():
                return


def tell_notice(notice: psycopg.errors.Diagnostic) -> None:
    """A warning or notice of the server, on standard error."""
    tell(f"{notice.severity}: {visible(notice.message_primary or '')}")


def psql(own: Own, arguments: tuple[str, ...], *, admin: bool) -> int:
    """Psql's exit status; Ctrl-C is its own to handle."""
    dsn = psycopg.conninfo.conninfo_to_dict(own.dsn(admin=admin))
    beside = Path(own.cluster.bindir) / "psql"
    program = str(beside) if beside.exists() else shutil.which("psql")
    if program is None:
        raise FdwError("there is no psql", hint="Install PostgreSQL's client programs.")
    environment = {
        **os.environ,
        **own.cluster.env,
        **{f"PG{name}": str(dsn[key]) for name, key in LIBPQ.items()},
    }
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return subprocess.run([program, *arguments], env=environment, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
