"""The program ``cloudtrail-fdw``: one file per command."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import click
import psycopg

# Renamed, as a submodule's name stays the submodule's.
from cloudtrail_fdw.cli.check.check import check_command
from cloudtrail_fdw.cli.check.check_output import visible
from cloudtrail_fdw.cli.data import data as data_command
from cloudtrail_fdw.cli.database import failure
from cloudtrail_fdw.cli.demo import demo as demo_command
from cloudtrail_fdw.cli.doctor.doctor import doctor as doctor_command
from cloudtrail_fdw.cli.install.install import install_command
from cloudtrail_fdw.cli.install.uninstall import uninstall_command
from cloudtrail_fdw.cli.query.query import psql_command, query_command
from cloudtrail_fdw.cli.sandbox import sandbox as sandbox_command
from cloudtrail_fdw.errors import INTERRUPTED, FdwError


class Commands(click.Group):
    """A group whose expected failures are a few plain lines and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; FdwError and psycopg's errors become Error, Detail and Hint lines."""
        try:
            return super().invoke(ctx)
        except FdwError as error:
            tell_failure(error)
        except psycopg.Error as error:
            tell_failure(failure(error))
        except KeyboardInterrupt:
            click.echo("Error: interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        raise click.exceptions.Exit(1)


def tell_failure(error: FdwError) -> None:
    """One line each, on standard error."""
    for label, text in (("Error", error.message), ("Detail", error.detail), ("Hint", error.hint)):
        if text:
            click.echo(f"{label}: {visible(' '.join(text.split()))}", err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("cloudtrail-fdw"), prog_name="cloudtrail-fdw")
def main() -> None:
    """AWS CloudTrail events and where they come from, as PostgreSQL tables."""


COMMANDS = (
    install_command,
    uninstall_command,
    doctor_command,
    check_command,
    query_command,
    psql_command,
    data_command,
    sandbox_command,
    demo_command,
)
for command in COMMANDS:
    main.add_command(command)
