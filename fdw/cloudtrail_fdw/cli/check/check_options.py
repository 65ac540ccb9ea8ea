"""Values of the options of ``cloudtrail-fdw check``; a wrong one is a usage error."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict

AGE = re.compile(r"(\d{1,6}) *([smhdw])", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
EARLIEST = datetime(2006, 1, 1, tzinfo=timezone.utc)  # CloudTrail began in 2013


class Age(click.ParamType):
    """A span of time such as 90s, 30m, 2h, 7d or 1w."""

    name = "age"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:
        """The span; a usage error for anything else."""
        if isinstance(value, timedelta):
            return value
        found = AGE.fullmatch(value)
        if found is None:
            self.fail("give an age such as 90s, 30m, 2h, 7d or 1w", param, ctx)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


class Moment(Age):
    """An ISO 8601 time, UTC unless it says, or how long ago."""

    name = "time|age"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The time, or the span; a usage error for the future and for times before CloudTrail."""
        now = datetime.now(timezone.utc)
        if AGE.fullmatch(value):
            span = super().convert(value, param, ctx)
            if span > now - EARLIEST:
                self.fail("that is before CloudTrail began", param, ctx)
            return span
        try:
            found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", value))
        except ValueError:
            self.fail("give an ISO time or an age such as 2h", param, ctx)
        moment = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        if moment > now:
            self.fail("that is in the future", param, ctx)
        return moment


def check_dsn(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """The DSN; a usage error, without the text and its password, for what is none."""
    try:
        conninfo_to_dict(given)
    except psycopg.Error:
        raise click.BadParameter("that is not a PostgreSQL connection string") from None
    return given
