"""``cloudtrail-fdw check``: SQL checks over a window of deliveries."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Optional, Union

import click
import psycopg

from cloudtrail_fdw.cli.check.check_exit import CheckCommand, complain
from cloudtrail_fdw.cli.check.check_files import SEVERITIES, Check, find_files, read_checks
from cloudtrail_fdw.cli.check.check_junit import to_junit
from cloudtrail_fdw.cli.check.check_options import Age, Moment, check_dsn
from cloudtrail_fdw.cli.check.check_outcome import Outcome, Report, Window, words
from cloudtrail_fdw.cli.check.check_output import table, to_csv, to_json, visible
from cloudtrail_fdw.cli.check.check_run import Plan, run_checks
from cloudtrail_fdw.cli.check.check_session import prepare_session, schema_of, search_path
from cloudtrail_fdw.cli.check.check_state import (
    FIRST,
    advance,
    lock,
    next_window,
    suppress,
    watermark,
)
from cloudtrail_fdw.cli.database import Connection, connect, failure, value
from cloudtrail_fdw.errors import FdwError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar


@dataclass(frozen=True)
class Wanted:
    """How to run; ``watermark`` is empty without --since-last-run."""

    dsn: str
    since: Union[datetime, timedelta]
    watermark: str
    settle: timedelta
    parallel: int
    timeout: timedelta


@dataclass(frozen=True)
class Run:
    """A run that has begun: the connection that holds its lock, and its plan."""

    connection: Connection
    plan: Plan
    now: datetime


def run(checks: Sequence[Check], wanted: Wanted, show: Callable[[Report], None]) -> int:
    """Run the checks, show the report, and only then move the watermark; the exit status."""
    started = time.monotonic()
    try:
        begun = begin(wanted)
    except (FdwError, psycopg.Error) as error:
        report = Report(tuple(Outcome(check, error=not_run(check, error)) for check in checks))
        show(report)
        return report.exit_code
    with begun.connection:
        with progress(len(checks)) as done:
            outcomes = run_checks(checks, begun.plan, wanted.parallel, done)
        outcomes = without_suppressed(begun, outcomes)
        window = begun.plan.window
        report = Report(tuple(outcomes), window, time.monotonic() - started)
        show(report)
        if wanted.watermark and not report.not_run:
            advance(
                begun.connection, begun.plan.schema, wanted.watermark, window.until,
                len(checks), report.findings,
            )  # fmt: skip
    return report.exit_code


def not_run(check: Check, error: Exception) -> str:
    """Why a check of a run that could not begin did not run."""
    given = failure(error) if isinstance(error, psycopg.Error) else error
    return check.problem or f"not run: {words(given) if isinstance(given, FdwError) else given}"


def begin(wanted: Wanted) -> Run:
    """Connect, take the lock if there is one to take, and fix the window of the run."""
    connection = connect(wanted.dsn, autocommit=True)
    try:
        schema = schema_of(connection)
        path = search_path(connection, schema)
        prepare_session(connection, path)
        if wanted.watermark:
            lock(connection, wanted.watermark)
        now: datetime = value(connection, "SELECT pg_catalog.clock_timestamp()")
        started = time.monotonic()
        window = find_window(connection, schema, wanted, now)
    except BaseException:
        connection.close()
        raise
    plan = Plan(wanted.dsn, schema, path, window, started, wanted.timeout.total_seconds())
    return Run(connection, plan, now)


def find_window(connection: Connection, schema: str, wanted: Wanted, now: datetime) -> Window:
    """The deliveries to look at."""
    if wanted.watermark:
        last = watermark(connection, schema, wanted.watermark)
        if last is None:
            complain(
                f'Notice: there is no watermark "{visible(wanted.watermark)}" yet; '
                "this run looks at the last 24 hours"
            )
        return next_window(last, now, wanted.settle)
    since = wanted.since if isinstance(wanted.since, datetime) else now - wanted.since
    return Window(since, max(since, now))


def without_suppressed(begun: Run, outcomes: list[Outcome]) -> list[Outcome]:
    """The outcomes with suppressions; with an error each where these cannot be read."""
    try:
        return suppress(begun.connection, begun.plan.schema, outcomes, begun.now)
    except psycopg.Error as error:
        reason = f"suppressions could not be read: {words(failure(error))}"
        return [
            Outcome(o.check, o.rows, "; ".join(filter(None, (o.error, reason))), o.seconds)
            for o in outcomes
        ]


@contextmanager
def progress(total: int) -> Iterator[Callable[[Outcome], None]]:
    """A bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda outcome: None
        return
    turn = Lock()
    bar: ProgressBar[int]
    with click.progressbar(length=total, label="Checks", file=sys.stderr) as bar:

        def done(outcome: Outcome) -> None:
            with turn:
                bar.update(1)

        yield done


def show_report(report: Report, form: str, *, verbose: bool) -> None:
    """The report on standard output, its summary on standard error."""
    if form == "table":
        text = table(report, verbose=verbose)
        encoding = click.get_text_stream("stdout").encoding or "ascii"
        if text:
            click.echo(text.encode(encoding, "backslashreplace").decode(encoding))
    else:
        write = {"json": to_json, "csv": to_csv, "junit": to_junit}[form]
        click.echo(write(report).encode(), nl=False)
    click.get_text_stream("stdout").flush()
    for outcome in report.outcomes:
        expired = {row.expired for row in outcome.rows if row.expired}
        for given in sorted(expired, key=lambda given: given.expires):
            complain(
                f"Notice: a suppression of {outcome.check.id} expired "
                f"{given.expires.isoformat()}: {visible(given.reason)}"
            )
    if report.not_run:
        names = visible(", ".join(outcome.check.id for outcome in report.not_run))
        of = f"{len(report.not_run)} of {len(report.outcomes)}"
        complain(f"Error: {of} checks could not run: {names}")
    if verbose or sys.stderr.isatty():
        complain(summary(report))


def summary(report: Report) -> str:
    """Counts, window and time in one line."""
    window = report.window
    span = window and f", deliveries from {window.since.isoformat()} to {window.until.isoformat()}"
    return (
        f"{len(report.outcomes)} checks{span or ''}: {report.findings} findings, "
        f"{report.suppressed} suppressed, {len(report.not_run)} could not run "
        f"({report.seconds:.1f} s)"
    )


def default_watermark(paths: Sequence[Path], severity: str) -> str:
    """A name that two sets of checks do not share, as one would then miss what the other saw."""
    places = ", ".join(sorted({str(path.resolve()) for path in paths})) or "packaged"
    return places if severity == SEVERITIES[-1] else f"{places}; {severity} and above"


@click.command("check", cls=CheckCommand)
@click.argument(
    "paths", metavar="[PATH]...", nargs=-1,
    type=click.Path(exists=True, readable=False, path_type=Path),
)  # fmt: skip
@click.option("--dsn", default="", callback=check_dsn, help="Database; else libpq's environment.")
@click.option("--since", type=Moment(), help="Deliveries since a time or an age.  [default: 1d]")
@click.option("--since-last-run", is_flag=True, help="Deliveries since the last complete run.")
@click.option("--watermark", "name", help="Name of the last run's mark.  [default: of the PATHs]")
@click.option(
    "--settle", type=Age(), default="60s", show_default=True,
    help="With --since-last-run: leave what is younger to the next run.",
)  # fmt: skip
@click.option(
    "--severity", type=click.Choice(SEVERITIES), default=SEVERITIES[-1], show_default=True,
    help="Only checks of this severity and above.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv", "junit"]), default="table",
    show_default=True,
)  # fmt: skip
@click.option(
    "--parallel", type=click.IntRange(1, 32), default=2, show_default=True,
    help="Checks at a time, each on a connection of its own.",
)  # fmt: skip
@click.option("--timeout", type=Age(), default="5m", show_default=True, help="Of each check.")
@click.option("-v", "--verbose", is_flag=True, help="Also info rows, suppressed ones, counts.")
@click.pass_context
def check_command(
    context: click.Context, paths: tuple[Path, ...], dsn: str,
    since: Optional[Union[datetime, timedelta]], since_last_run: bool, name: Optional[str],
    settle: timedelta, severity: str, form: str, parallel: int, timeout: timedelta, verbose: bool,
) -> None:  # fmt: skip
    """Run the SQL checks in files and folders PATH, else those that come along.

    Exit status: 0 nothing found, 1 findings, 2 a check could not run, 3 wrong use.
    """
    if since is not None and since_last_run:
        raise click.UsageError("give --since or --since-last-run, not both")
    if name is not None and not (since_last_run and name):
        raise click.UsageError("--watermark names the mark of --since-last-run")
    if not timeout:
        raise click.UsageError("--timeout 0s leaves no time")
    checks = read_checks(find_files(paths), severity)
    if not checks:
        raise click.UsageError(
            "there is no such check in " + (", ".join(map(str, paths)) or "the package")
        )
    mark = (name or default_watermark(paths, severity)) if since_last_run else ""
    wanted = Wanted(dsn, since or FIRST, mark, settle, parallel, timeout)
    context.exit(run(checks, wanted, lambda report: show_report(report, form, verbose=verbose)))
