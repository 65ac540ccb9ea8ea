"""Pages of cloudtrail_event, of one log group or of several in one order."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from heapq import merge
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import msgspec

from cloudtrail_fdw import times
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.address import address
from cloudtrail_fdw.sources.aws import cloudtrail_api
from cloudtrail_fdw.sources.aws.budget import Budget, record
from cloudtrail_fdw.sources.aws.log_groups import LogGroup
from cloudtrail_fdw.sources.cache.made_rows import RowMaker
from cloudtrail_fdw.sources.record import cloudtrail_record, plain_rows
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.scan.window_scan import WindowScan
from cloudtrail_fdw.tables import event_columns, event_rows
from cloudtrail_fdw.tables.event_request import Request
from cloudtrail_fdw.tables.event_rows import page_rows

Origin = Mapping[str, object]  # the columns that tell of which group events are
FromGroup = tuple[Origin, Sequence[LogEvent]]  # some events in order
DECODERS = (address, cloudtrail_record, event_columns, event_rows, plain_rows, times)
MOST_MERGED = 500  # events at a time, of several groups in one order


@dataclass(frozen=True)
class Reading:
    """One scan's reading of CloudWatch Logs, on a thread beside the backend.

    ``layout`` has the columns' names in order, and empty ones for those that are not wanted.
    """

    request: Request
    settings: Settings
    layout: Sequence[str]

    def events(self, stop: threading.Event) -> Iterator[FromGroup]:
        """The events in the order that the request wants, a page at a time."""
        groups = self.groups(stop)
        with self.spending(groups) as budget:
            yield from self.in_order(groups, budget, stop)

    def rows(self, stop: threading.Event) -> Iterator[bytes]:
        """The same as packed rows, those that were made before as they were kept."""
        groups = self.groups(stop)
        with self.spending(groups) as budget:
            if self.request.order is not None and len(groups) > 1:
                # by all of an origin: two Regions may have groups of one name
                makers: dict[tuple[object, ...], RowMaker] = {}
                for origin, page in self.in_order(groups, budget, stop):
                    whose = tuple(origin.values())
                    makers[whose] = makers.get(whose) or self.maker(origin)
                    yield makers[whose].make(page)
                return
            for label, group in groups:
                for origin, part in self.scans(label, group, budget, stop):
                    yield from part.read_rows(self.maker(origin))

    def groups(self, stop: threading.Event) -> Sequence[tuple[str, LogGroup]]:
        """The groups with the names that the query knows them by."""
        if self.request.groups is None:
            found = cloudtrail_api.trail_groups(self.settings, stop)
            return [(group.short_name, group) for group in found]
        return [
            (label, group)
            for label, named in self.request.groups
            for group in cloudtrail_api.named_groups(self.settings, named, stop)
        ]

    @contextmanager
    def spending(self, groups: Sequence[tuple[str, LogGroup]]) -> Iterator[Budget]:
        """The scan's budget, which cloudtrail_fdw_stat shows."""
        budget = Budget(self.settings, "cloudtrail_event", ", ".join(label for label, _ in groups))
        ended = record(budget)
        try:
            yield budget
        finally:
            ended()

    def scans(
        self, label: str, group: LogGroup, budget: Budget, stop: threading.Event
    ) -> Iterator[tuple[Origin, WindowScan]]:
        """The scans of one group, and the columns that tell of it."""
        settings = self.settings
        scans = [WindowScan(settings, ask, budget, stop) for ask in self.request.asks(group)]
        account = scans[0].account
        if not account:
            needed = "log_group_account_id" in self.layout
            account = cloudtrail_api.account(settings, stop, needed) or ""
        origin = {
            "log_group_name": label,
            "log_group_region": scans[0].region,
            "log_group_account_id": account or None,
            "filter": self.request.own_filter,
        }
        return ((origin, scan) for scan in scans)

    def in_order(
        self, groups: Sequence[tuple[str, LogGroup]], budget: Budget, stop: threading.Event
    ) -> Iterator[FromGroup]:
        """The events of all groups, in one order where one is wanted."""

        def pages(label: str, group: LogGroup) -> Iterator[FromGroup]:
            for origin, part in self.scans(label, group, budget, stop):
                for page in part.read():
                    yield origin, page

        parts = [pages(label, group) for label, group in groups]
        order = self.request.order
        if order is None or len(parts) < 2:
            return chain.from_iterable(parts)
        return merged(parts, order.descending)

    def maker(self, origin: Origin) -> RowMaker:
        """What makes rows of a group's events."""
        make = page_rows(self.layout, origin)
        what = [edition(), *self.layout, *map(repr, origin.values())]
        return RowMaker(lambda events: msgspec.msgpack.encode(make(events)), what)


def merged(parts: Sequence[Iterator[FromGroup]], descending: bool) -> Iterator[FromGroup]:
    """The pages of several groups, each in order, as pages in the order of all."""
    sign = -1 if descending else 1

    def keyed(part: Iterator[FromGroup], number: int) -> Any:
        return ((sign * event.timestamp, number, origin, event)
                for origin, page in part for event in page)  # fmt: skip

    events = merge(*(keyed(part, number) for number, part in enumerate(parts)),
                   key=lambda item: item[0])  # fmt: skip
    for _, run in groupby(events, key=lambda item: item[1]):
        for _, items in groupby(enumerate(run), key=lambda item: item[0] // MOST_MERGED):
            origins, page = zip(*((item[2], item[3]) for _, item in items))
            yield origins[0], list(page)


@lru_cache(maxsize=1)
def edition() -> str:
    """What tells the code that makes rows from any other that could make others of the same events."""
    sources = [Path(str(module.__file__)).read_bytes() for module in DECODERS]
    return sha256(b"".join([msgspec.__version__.encode(), *sources])).hexdigest()
