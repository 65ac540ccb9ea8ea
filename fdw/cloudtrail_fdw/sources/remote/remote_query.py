"""What one query may do with a remote source: its key, its count, its turn to wait for."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.aws.budget import Budget, record
from cloudtrail_fdw.sources.remote.remote_source import Source, TroubleError

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings


@dataclass
class Statement:
    """What one query has sent to a source, and whether it goes on asking."""

    stamp: int
    budget: Budget  # for cloudtrail_fdw_stat
    sent: int = 0
    failures: int = 0
    trouble: Optional[TroubleError] = None


STATEMENTS: dict[str, Statement] = {}  # of the running query, by callers


def statement(caller: str, source: Source, settings: Settings) -> Statement:
    """What the running query has done so far; outside PostgreSQL a call is a query."""
    stamp = interrupts.statement()
    held = STATEMENTS.get(caller)
    if held is None or not stamp or held.stamp != stamp:
        for other in [name for name, each in STATEMENTS.items() if each.stamp != stamp]:
            del STATEMENTS[other]
        held = STATEMENTS[caller] = Statement(stamp, Budget(settings, source.table))
        record(held.budget)
    return held


def find_key(source: Source, settings: Settings) -> str:
    """The API key, of the user mapping or else the environment; FdwError without a usable one."""
    option = f"{source.name}_key"
    variable = f"CLOUDTRAIL_FDW_{source.name.upper()}_KEY"
    key = str(getattr(settings, option)) or os.environ.get(variable, "").strip()
    if re.fullmatch("[!-~]+", key):
        return key
    raise FdwError(
        f"the API key of {source.title} has characters that no key has" if key
        else f"no API key of {source.title} is configured",
        hint=f"CREATE USER MAPPING FOR CURRENT_USER SERVER cloudtrail OPTIONS ({option} '…'), or "
        f"ALTER USER MAPPING … OPTIONS (ADD {option} '…'); or set {variable} in the environment "
        "of the PostgreSQL server.",
        sqlstate="28000",
    )  # fmt: skip


def pause(seconds: float) -> None:
    """Wait; FdwError as soon as the query has to stop."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        interrupts.check()
        time.sleep(min(left, interrupts.STEP))
