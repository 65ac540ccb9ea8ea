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
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Optional

import msgspec

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws import aws
from cloudtrail_fdw.sources.aws.aws_errors import BadAnswerError, is_about_key
from cloudtrail_fdw.sources.aws.budget import Budget
from cloudtrail_fdw.sources.aws.call_rate import CallRate
from cloudtrail_fdw.sources.aws.log_groups import LogGroup
from cloudtrail_fdw.sources.aws.page_tokens import PageTokens
from cloudtrail_fdw.sources.record.log_event import PAGE_EVENTS, LogEvent

LOG = logging.getLogger(__name__)
EVENT_ID = attrgetter("event_id")
# A \ud800-like escape in the answer itself; msgspec refuses what is no pair, json reads it.
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Answer(msgspec.Struct, rename="camel"):
    """One answer of FilterLogEvents."""

    events: list[LogEvent]
    next_token: Optional[str] = None


ANSWER = msgspec.json.Decoder(Answer)


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


def ask_pages(
    settings: Settings, group: LogGroup, window: Window, budget: Budget, stop: threading.Event,
    rate: CallRate, newest_first: bool = False,
) -> Iterator[tuple[list[LogEvent], bool]]:  # fmt: skip
    """The pages of ``group`` in ``window``, each with whether it is the last.

    Raises FdwError, also when the budget runs out; ends early only once ``stop`` is set. What the
    service refuses to filter by is left out, for PostgreSQL re-checks all rows: stream names that
    do not exist, and a pattern, unless it is the user's own.
    """
    asked = {**group.parameter(), **window.parameters()}
    extra: dict[str, object] = {"startFromHead": False} if newest_first else {}
    tokens = PageTokens[LogEvent]("CloudWatch Logs", "nextToken", EVENT_ID, stop)
    while not stop.is_set():
        budget.check()
        try:
            page = aws.invoke(
                settings, "logs", "filter_log_events", stop, group.region, read_page,
                budget=budget, rate=rate, extra=extra, **asked,
            )  # fmt: skip
        except FdwError as error:
            spare = spare_parameter(error, window) if tokens.latest is None else ""
            if spare not in asked:
                raise explained(error, group, settings) from None
            LOG.warning("CloudWatch Logs refused %s %s", spare, asked.pop(spare))
            continue
        if page is None:
            return
        answer, size = page
        budget.spend(size, len(answer.events))
        events = tokens.fresh(answer.events)
        if answer.next_token is None:
            yield events, True
            return
        if events or answer.next_token != tokens.latest:
            yield events, False
        asked["nextToken"] = tokens.follow(answer.next_token, events)


def spare_parameter(error: FdwError, window: Window) -> str:
    """The parameter that was refused and can be left out, or an empty text."""
    detail = error.detail or ""
    if detail.startswith("ResourceNotFoundException") and "log stream" in detail:
        return "logStreamNames"
    if "startFromHead" in detail:
        return ""
    if detail.startswith("InvalidParameterException") and window.pattern_optional:
        return "filterPattern"
    return ""


def read_page(answer: Any) -> tuple[Answer, int]:
    """The page and its size in bytes; BadAnswerError for one that was cut off."""
    body = answer["raw_body"]
    try:
        return ANSWER.decode(body), len(body)
    except (msgspec.MsgspecError, ValueError):
        if not SURROGATE.search(body):
            raise BadAnswerError from None
    try:
        return msgspec.convert(json.loads(body), Answer), len(body)
    except (msgspec.MsgspecError, ValueError):
        raise BadAnswerError from None


def explained(error: FdwError, group: LogGroup, settings: Settings) -> FdwError:
    """The error with the group's name in it, where the group is the reason."""
    detail = error.detail or ""
    if detail.startswith("InvalidOperationException") and not is_about_key(detail):
        return wrong_class(group)
    if error.sqlstate != "HV00R":
        return error
    region = group.region or settings.region or "of the environment"
    return FdwError(
        f'log group "{group.short_name}" does not exist in Region {region}',
        hint="SELECT name, log_group_name FROM cloudtrail_trail shows the groups that trails "
        "deliver to; a group of another account or Region is named by its ARN.",
        sqlstate="HV00R",
    )


def wrong_class(group: LogGroup) -> FdwError:
    """The error for a group that FilterLogEvents does not read."""
    return FdwError(
        f'log group "{group.name}" is of the class Infrequent Access, which only CloudWatch Logs '
        "Insights can read",
        hint="Let the trail deliver to a log group of the class Standard.",
        sqlstate="0A000",
    )
