"""``cloudtrail-fdw demo``: from nothing to joined rows, on this machine alone."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click

from cloudtrail_fdw.cli.data import fetch_demo_data
from cloudtrail_fdw.cli.install.views import SQL
from cloudtrail_fdw.cli.sandbox import install_sandbox, tell
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox import lifecycle, runtime
from cloudtrail_fdw.sandbox.runtime import Server

RECIPES = ("where_from.sql", "aws_or_somebody.sql")


@click.command()
def demo() -> None:
    """Show sample events joined to where they come from: real PostgreSQL, no AWS.

    Uses a PostgreSQL with Multicorn of this machine, else builds a private one; then serves the
    sample from a local CloudWatch Logs, installs into a database of its own and runs two queries.
    """
    server = lifecycle.choose_server(None, tell)
    cache = runtime.default_cache()
    started = lifecycle.start(
        cache / "demo", server, ["--shift-to-now"], install_sandbox, demo_data(cache / "data"), tell
    )
    psql = [str(psql_program(server)), started["reader_dsn"]]
    for recipe in RECIPES:
        click.echo()
        run_psql(server, psql, SQL / "recipes" / recipe)
    click.echo(f"\nGo on with:\n  {shlex.join(psql)}\nand end with:")
    stop = [own_program(), "sandbox", "stop", "--dir", started["dir"]]
    click.echo(f"  {shlex.join(stop)}")


def demo_data(directory: Path) -> Path:
    """The folder with a real geolocation database; one line where only the sample can be had."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        kept = [outcome for outcome in fetch_demo_data(directory, tell) if outcome.state == "kept"]
    except FdwError as error:
        tell(f"Using the small bundled geolocation sample: {error.message}")
        return directory
    for outcome in kept:
        tell(f"Using the small bundled sample of {outcome.name}: {outcome.text}")
    return directory


def psql_program(server: Server) -> Path:
    """A psql that runs without an environment of its own, where there is one."""
    wrapped = server.bindir.parents[4] / "psql" if server.kind == "private" else None
    if wrapped is not None and wrapped.exists():
        return wrapped
    on_path = shutil.which("psql")
    own = server.bindir / "psql"
    return Path("psql") if on_path and Path(on_path).resolve() == own.resolve() else own


def own_program() -> str:
    """This program, as a shell finds it."""
    beside = Path(sys.executable).with_name("cloudtrail-fdw")
    return "cloudtrail-fdw" if shutil.which("cloudtrail-fdw") else str(beside)


def run_psql(server: Server, psql: list[str], file: Path) -> None:
    """Show a file's query and its rows; FdwError when psql fails."""
    click.echo(file.read_text("utf-8"))
    done = subprocess.run(
        [*psql, "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--pset=pager=off", f"--file={file}"],
        env={**os.environ, **server.env},
        check=False,
    )
    if done.returncode:
        raise FdwError(f"psql could not run {file.name}", hint="Its own words are above.")
