"""Exit statuses of ``cloudtrail-fdw check``: 1 means findings and nothing else."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import click
import psycopg

from cloudtrail_fdw.cli.check.check_outcome import words
from cloudtrail_fdw.cli.check.check_output import visible
from cloudtrail_fdw.cli.database import failure
from cloudtrail_fdw.errors import FdwError

COULD_NOT_RUN = 2
WRONG_USE = 3


class CheckCommand(click.Command):
    """A command whose exit status is never 1 for anything but findings."""

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        """Exit with WRONG_USE on arguments that are none."""
        try:
            return super().make_context(*given, **more)
        except click.UsageError as error:
            raise wrong_use(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Exit with COULD_NOT_RUN on any failure, our own crash included."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except click.UsageError as error:
            raise wrong_use(error) from None
        except FdwError as error:
            complain(f"Error: {visible(words(error))}")
        except psycopg.Error as error:
            complain(f"Error: {visible(words(failure(error)))}")
        except KeyboardInterrupt:
            complain("Error: interrupted")
        except OSError as error:  # standard output is closed, or its disk is full
            complain(f"Error: {visible(error)}")
            forget_output()
        except Exception:  # noqa: BLE001
            lines = traceback.format_exc().splitlines()
            complain("\n".join(["Error: a defect of cloudtrail-fdw", *map(visible, lines)]))
        raise click.exceptions.Exit(COULD_NOT_RUN)


def wrong_use(error: click.UsageError) -> click.exceptions.Exit:
    """Tell what is wrong; the exit to raise."""
    context = f"{error.ctx.get_usage()}\n" if error.ctx else ""
    complain(f"{context}Error: {visible(error.format_message())}")
    return click.exceptions.Exit(WRONG_USE)


def complain(text: str) -> None:
    """A line on standard error, if there is one: the exit status says it too."""
    try:
        click.echo(text, err=True)
    except OSError:
        return


def forget_output() -> None:
    """Keep Python from writing the rest again when it ends, which would change the status."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
