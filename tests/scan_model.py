"""A log group that events arrive in, a clock, and scans of both through the real cache."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cloudtrail_fdw.options import Settings, read_settings
from cloudtrail_fdw.sources.aws import log_groups
from cloudtrail_fdw.sources.aws.budget import Budget
from cloudtrail_fdw.sources.aws.log_groups import GroupFacts, LogGroup
from cloudtrail_fdw.sources.cache import cache_contents, page_cache
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.scan import window_scan
from cloudtrail_fdw.sources.scan.group_pieces import NEWEST_FIRST_SINCE, GroupPieces
from cloudtrail_fdw.sources.scan.window_ask import FOREVER, Ask
from cloudtrail_fdw.sources.scan.window_scan import WindowScan

START = NEWEST_FIRST_SINCE - 40  # ms: the service reads newest first only from there on
SETTLE = 20  # ms
PAGE = 3  # events
CLAUSES = ('$.a = "1"', '$.b = "1"', '$.c = "1"')


class Clock:
    """Stands for the module ``time``; stands still until told."""

    def __init__(self) -> None:
        self.now = START + 100  # ms

    def time(self) -> float:
        return self.now / 1000 + 1e-7  # so that its milliseconds are ``now`` again

    def monotonic(self) -> float:
        return self.time()


class Group:
    """All events, each with when it arrived; ``calls`` the spans that were asked for."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        self.clock = clock
        self.folder = folder
        self.arrived: list[tuple[int, LogEvent]] = []
        self.calls: list[tuple[int, int]] = []
        self.retention_days = 0
        self.stored_bytes = 30 << 20

    def append(self, age: int, members: str) -> None:
        """An event of ``age`` ms, with these members."""
        number = len(self.arrived)
        record = dict.fromkeys(members, "1")
        stamp = self.clock.now - age
        event = LogEvent("s", stamp, json.dumps(record), self.clock.now, f"id{number}")
        self.arrived.append((self.clock.now, event))

    def truth(self, low: int, high: int, clauses: Sequence[str], by: int = FOREVER) -> list[str]:
        """The ids of what the service holds of a window, if it arrived ``by`` then."""
        return sorted(
            event.event_id for arrival, event in self.arrived
            if low <= event.timestamp < high and arrival <= by and selected(event, clauses)
        )  # fmt: skip

    @property
    def facts(self) -> GroupFacts:
        return GroupFacts("me", "arn:aws:logs:r:1:log-group:g", "r", "1", START,
                          self.retention_days, self.stored_bytes, "STANDARD")  # fmt: skip


def selected(event: LogEvent, clauses: Sequence[str]) -> bool:
    record = json.loads(event.message)
    return all(clause[2] in record for clause in clauses)


class ModelPieces(GroupPieces):
    """Pieces whose pages come from the group."""

    group: Group

    def chain_pages(
        self, low: int, high: int, pattern: str, newest_first: bool, stop: threading.Event
    ) -> Iterator[tuple[list[LogEvent], bool]]:
        assert 0 <= low < high
        assert not newest_first or low >= NEWEST_FIRST_SINCE
        clauses = [clause for clause in CLAUSES if clause in pattern]
        found = sorted(
            (event for _, event in self.group.arrived
             if low <= event.timestamp < high and selected(event, clauses)),
            key=lambda event: (event.timestamp, event.ingestion_time, event.event_id),
            reverse=newest_first,
        )  # fmt: skip
        self.group.calls.append((low, high))
        for place in range(0, max(1, len(found)), PAGE):
            if stop.is_set():
                return
            self.budget.spend(1, 1)
            yield found[place : place + PAGE], place + PAGE >= len(found)


def settings(folder: Path, **options: str) -> Settings:
    given = {"region": "r", "cache_directory": str(folder), "cache_settle": f"{SETTLE} ms"}
    return read_settings({**given, **options})


def scan(
    group: Group, low: int, high: int, clauses: Sequence[str] = (), *, newest_first: bool = True,
    ordered: bool = False, whole: bool = False, latency: float = 0.0, **options: str,
) -> WindowScan:  # fmt: skip
    ask = Ask(LogGroup("g"), low, high, (), "", tuple(clauses), newest_first, ordered,
              whole=whole)  # fmt: skip
    chosen = settings(group.folder, **options)
    found = WindowScan(chosen, ask, Budget(chosen), threading.Event())
    given = found.source
    found.source = ModelPieces(chosen, ask, given.budget, given.stop, given.facts, given.rate)
    found.source.group = group
    given.rate.latency = given.rate.latest = latency
    return found


def install(patch: Any, clock: Clock, group: Group) -> None:
    """Let the modules see the clock and the group."""
    for module in (page_cache, window_scan, cache_contents, log_groups):
        patch.setattr(module, "time", clock)
    patch.setattr(window_scan, "find_facts", lambda *_: group.facts)
