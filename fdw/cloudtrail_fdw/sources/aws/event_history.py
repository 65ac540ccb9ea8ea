"""LookupEvents: a Region's Event History, newest first.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html: management
events of the last 90 days, one attribute to look up, both time bounds inclusive, pages of 50 that
may be empty, an end only where ``NextToken`` is absent, 2 calls a second.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from operator import itemgetter
from typing import Any, Optional

from cloudtrail_fdw import times
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws import aws
from cloudtrail_fdw.sources.aws.budget import Budget
from cloudtrail_fdw.sources.aws.cloudtrail_api import with_member
from cloudtrail_fdw.sources.aws.page_tokens import PageTokens

EVENT_ID = itemgetter("EventId")
LONGEST = 2000  # characters of an attribute's value, where those of DOUBLE count twice
DOUBLE = "_ ,\n"
FIRST_SECOND = 1_356_998_400  # 2013-01-01, CloudTrail's first year
LAST_SECOND = 4_102_444_800  # 2100-01-01; later bounds bound nothing and may be no datetime


@dataclass(frozen=True)
class Lookup:
    """What to ask: seconds since 1970, inclusive, None for no bound; an attribute or none.

    ``values`` are asked for one after the other, for the API takes one.
    """

    start: Optional[int] = None
    end: Optional[int] = None
    attribute: str = ""
    values: tuple[str, ...] = ()

    @property
    def empty(self) -> str:
        """Why no event can be in it, which the API answers with an error; empty where one can."""
        if self.end is not None and self.end < FIRST_SECOND:
            return "CloudTrail has no events before 2013, its first year"
        if self.start is not None and self.end is not None and self.start > self.end:
            return "the conditions contradict each other"
        return ""

    def chains(self) -> Iterator[dict[str, Any]]:
        """The parameters of the first call for each value."""
        asked: dict[str, Any] = {"MaxResults": 50}
        if self.start is not None:
            asked["StartTime"] = datetime.fromtimestamp(self.start, timezone.utc)
        if self.end is not None:
            asked["EndTime"] = datetime.fromtimestamp(self.end, timezone.utc)
        if not self.attribute:
            yield asked
        for value in self.values:
            attribute = {"AttributeKey": self.attribute, "AttributeValue": value}
            yield {**asked, "LookupAttributes": [attribute]}


def whole_seconds(low: Optional[int], high: Optional[int]) -> tuple[Optional[int], Optional[int]]:
    """The whole seconds around bounds in microseconds."""
    start = None if low is None else min(low // times.SECOND, LAST_SECOND)
    start = None if start is None or start < FIRST_SECOND else start
    end = None if high is None or high > LAST_SECOND * times.SECOND else -(-high // times.SECOND)
    return start, end


def can_be_looked_up(value: str) -> bool:
    """Whether the API takes the value at all."""
    doubled = sum(value.count(character) for character in DOUBLE)
    return len(value) > 0 and len(value) + doubled <= LONGEST


def lookup_pages(
    settings: Settings, lookup: Lookup, budget: Budget, stop: threading.Event
) -> Iterator[list[dict[str, Any]]]:
    """The pages of events, as boto3 shapes them; raises FdwError, also when a budget runs out."""
    read = with_member("Events")
    for asked in lookup.chains():
        tokens = PageTokens[dict[str, Any]]("CloudTrail", "NextToken", EVENT_ID, stop)
        while not stop.is_set():
            budget.check()
            page = aws.invoke(
                settings, "cloudtrail", "lookup_events", stop, read=read, budget=budget, **asked
            )
            if page is None:
                return
            events = tokens.fresh(page["Events"])
            size = sum(len(event.get("CloudTrailEvent", "")) for event in events)
            budget.spend(size, len(events))
            yield events
            if "NextToken" not in page:
                break
            asked["NextToken"] = tokens.follow(page["NextToken"], events)
