"""``cloudtrail-fdw doctor``: what is missing or stale, in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Optional

import click

from cloudtrail_fdw.cli.doctor.doctor_aws import check_aws
from cloudtrail_fdw.cli.doctor.doctor_data import judge_data
from cloudtrail_fdw.cli.doctor.doctor_database import check_database, server_settings
from cloudtrail_fdw.cli.doctor.finding import Finding, failed
from cloudtrail_fdw.errors import FdwError, missing_package
from cloudtrail_fdw.options import read_settings

MARKS = {"ok": "green", "warn": "yellow", "fail": "red"}


def check_packages() -> Iterator[Finding]:
    """Whether this interpreter has what a server's interpreter needs."""
    for name in ("boto3", "msgspec", "maxminddb", "pycares"):
        try:
            found = import_module(name)
        except ImportError as error:
            yield failed(missing_package(name, error))
        else:
            yield Finding("ok", f"package {name} {getattr(found, '__version__', '')}".rstrip())


def check_data_files() -> Iterator[Finding]:
    """The data files that a server on this machine finds without options."""
    try:
        from cloudtrail_fdw.sources.address import aws_ranges, geolocation

        settings = read_settings({})
        ranges = aws_ranges.current(settings)
        label = geolocation.CITIES.current(settings.geo_database).label
        yield from judge_data(label, ranges.date, ranges.sample)
    except FdwError as error:
        yield failed(error)
    except ImportError as error:
        yield Finding("fail", f"data files cannot be read: {error}")


def findings(dsn: Optional[str]) -> Iterator[Finding]:
    """Everything there is to say, a database's own view first."""
    if dsn is None:
        yield from check_packages()
        yield from check_data_files()
        yield from check_aws({})
        return
    try:
        yield from check_database(dsn)
        options = server_settings(dsn)
    except FdwError as error:
        yield failed(error)
        return
    yield from check_aws(options, here="with this machine's credentials: ", missing="warn")


@click.command()
@click.argument("dsn", required=False)
@click.pass_context
def doctor(context: click.Context, dsn: Optional[str]) -> None:
    """Check an installation, or without DSN this machine; exit 1 when something fails.

    Looks at extension, objects, Python packages, data files, name servers, credentials,
    permissions, log groups and duplicate events.
    """
    worst = 0
    for finding in findings(dsn):
        mark = click.style(f"{finding.mark:<4}", fg=MARKS[finding.mark])
        click.echo(f"{mark}  {finding.text}")
        worst |= finding.mark == "fail"
    context.exit(worst)
