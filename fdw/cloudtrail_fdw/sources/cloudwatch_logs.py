"""FilterLogEvents: the pages of one log group, in the order of delivery.

The API's rules are those of
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html:
both time bounds inclusive in milliseconds, pages of 1 MB or 10,000 events that may be empty, an
end only where ``nextToken`` is absent.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional

import msgspec

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources import aws

LOG = logging.getLogger(__name__)
PAGE_EVENTS = 10_000
GROUP_ARN = re.compile(r"arn:[a-z-]+:logs:(?P<region>[a-z0-9-]+):(?P<account>\d+):"
                       r"log-group:(?P<name>[^:]+)(?::\*)?")  # fmt: skip
# A \ud800-like escape in the answer itself; msgspec refuses what is no pair, json reads it.
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class LogEvent(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """One log event: times in milliseconds since 1970."""

    log_stream_name: str
    timestamp: int
    message: str
    ingestion_time: int
    event_id: str


class Page(msgspec.Struct, rename="camel"):
    """One answer of FilterLogEvents."""

    events: list[LogEvent]
    next_token: Optional[str] = None


PAGE = msgspec.json.Decoder(Page)


@dataclass(frozen=True)
class LogGroup:
    """A log group as the user names it: ``name`` may be an ARN, of any account and Region."""

    name: str

    @property
    def arn(self) -> Optional[re.Match[str]]:
        """The parts of the ARN, when the name is one."""
        return GROUP_ARN.fullmatch(self.name)

    @property
    def valid(self) -> bool:
        """Whether it can be a group at all: AWS's rule for names, or an ARN."""
        return bool(self.arn or re.fullmatch(r"[.\-_/#A-Za-z0-9]{1,512}", self.name))

    @property
    def short_name(self) -> str:
        """The name without the rest of its ARN."""
        return self.arn["name"] if self.arn else self.name

    @property
    def region(self) -> str:
        """The Region that the ARN names, or an empty text."""
        return self.arn["region"] if self.arn else ""

    @property
    def account(self) -> str:
        """The account that the ARN names, or an empty text."""
        return self.arn["account"] if self.arn else ""

    def parameter(self) -> dict[str, str]:
        """The group as FilterLogEvents wants it; an ARN without its ``:*``."""
        if self.name.startswith("arn:"):
            return {"logGroupIdentifier": re.sub(r":\*$", "", self.name)}
        return {"logGroupName": self.name}


def choose_groups(
    asked: Optional[tuple[str, ...]], option: str
) -> Optional[tuple[tuple[str, LogGroup], ...]]:
    """The groups that a query or the option names, each beside its name; None for neither.

    FdwError for a name that is not the option's, or that no group can have.
    """
    only = LogGroup(option) if option else None
    if asked is None:
        return None if only is None else ((only.short_name, only),)
    for name in asked:
        if only is not None and name not in (only.name, only.short_name):
            raise FdwError(
                f'this table reads log group "{only.name}" only, not "{name}"',
                hint="Leave log_group_name out, or change the option log_group.",
                sqlstate="HV00R",
            )
        if not LogGroup(name).valid:
            raise FdwError(f'"{name}" is no name or ARN of a log group', sqlstate="HV00R")
    return tuple((name, only or LogGroup(name)) for name in asked)


@dataclass(frozen=True)
class Window:
    """What to ask one group for; times in milliseconds, inclusive, None for no bound."""

    start: Optional[int] = None
    end: Optional[int] = None
    pattern: str = ""
    pattern_optional: bool = True
    streams: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """The window as FilterLogEvents wants it."""
        found: dict[str, Any] = {"limit": PAGE_EVENTS}
        if self.start is not None:
            found["startTime"] = max(0, self.start)
        if self.end is not None:
            found["endTime"] = max(0, self.end)
        if self.pattern:
            found["filterPattern"] = self.pattern
        if self.streams:
            found["logStreamNames"] = list(self.streams)
        return found


@dataclass
class Budget:
    """What one scan has left to spend before it fails."""

    settings: Settings
    calls: int = 0
    bytes: int = 0
    started: float = 0.0

    def spend(self, size: int) -> None:
        """Count an answered call; FdwError (53400) once a limit is passed."""
        self.started = self.started or time.monotonic()
        self.calls += 1
        self.bytes += size

    def check(self) -> None:
        """Refuse the next call where a limit is reached."""
        limits = self.settings
        seconds = time.monotonic() - self.started if self.started else 0.0
        for name, spent, limit in (
            ("max_calls", self.calls, limits.max_calls),
            ("max_bytes", self.bytes, limits.max_bytes),
            ("max_seconds", seconds, limits.max_seconds),
        ):
            if spent >= limit:
                raise FdwError(
                    f"the scan reached {name} = {limit:g} before it was complete",
                    hint="Bound event_time more tightly, or raise the limit: "
                    f"SET cloudtrail_fdw.{name} = …",
                    sqlstate="53400",
                )


def read_pages(
    settings: Settings, group: LogGroup, window: Window, budget: Budget, stop: threading.Event
) -> Iterator[list[LogEvent]]:
    """The pages of ``group`` in ``window``; raises FdwError, also when a budget runs out.

    What the service refuses to filter by is left out, for PostgreSQL re-checks all rows: stream
    names that do not exist, and a pattern, unless it is the user's own.
    """
    asked = {**group.parameter(), **window.parameters()}
    token: Optional[str] = None
    while not stop.is_set():
        budget.check()
        try:
            page = aws.invoke(
                settings, "logs", "filter_log_events", stop, group.region, read_page, **asked
            )
        except FdwError as error:
            spare = spare_parameter(error, window) if token is None else ""
            if spare not in asked:
                raise explained(error, group, settings) from None
            LOG.warning("CloudWatch Logs refused %s %s", spare, asked.pop(spare))
            continue
        if page is None:
            return
        answer, size = page
        budget.spend(size)
        yield answer.events
        if answer.next_token is None:
            return
        if answer.next_token == token:
            raise FdwError("CloudWatch Logs gave the same nextToken twice",
                           hint="Run the query again.")  # fmt: skip
        token = asked["nextToken"] = answer.next_token


def spare_parameter(error: FdwError, window: Window) -> str:
    """The parameter that was refused and can be left out, or an empty text."""
    detail = error.detail or ""
    if detail.startswith("ResourceNotFoundException") and "log stream" in detail:
        return "logStreamNames"
    if detail.startswith("InvalidParameterException") and window.pattern_optional:
        return "filterPattern"
    return ""


def read_page(answer: Any) -> tuple[Page, int]:
    """The page and its size in bytes; BadAnswerError for one that was cut off."""
    body = answer["raw_body"]
    try:
        if SURROGATE.search(body):
            return msgspec.convert(json.loads(body), Page), len(body)
        return PAGE.decode(body), len(body)
    except (msgspec.MsgspecError, ValueError):
        raise aws.BadAnswerError from None


def explained(error: FdwError, group: LogGroup, settings: Settings) -> FdwError:
    """The error with the group's name in it, where the group is the reason."""
    if error.sqlstate != "HV00R":
        return error
    region = group.region or settings.region or "of the environment"
    return FdwError(
        f'log group "{group.name}" does not exist in Region {region}',
        hint="SELECT name, log_group_name FROM cloudtrail_trail shows the groups that trails "
        "deliver to; a group of another account or Region is named by its ARN.",
        sqlstate="HV00R",
    )
