"""What a scan wants of one log group, and what the cache on disk says to it beforehand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws.log_groups import GroupFacts, LogGroup, known_facts
from cloudtrail_fdw.sources.cache.page_cache import PAGES, shelf_name
from cloudtrail_fdw.sources.cache.shelves import Index, Shelves
from cloudtrail_fdw.sources.disk import cache_directory
from cloudtrail_fdw.sources.scan.filter_pattern import join_clauses

FOREVER = 1 << 52  # ms
OLDEST_PUT = 14 * 86_400_000  # ms before a group's creation, API_PutLogEvents


@dataclass(frozen=True)
class Ask:
    """What is wanted of a group: [low, high) of delivery in ms, by streams and pattern.

    ``own`` is the user's own pattern, ``clauses`` those made of quals: only these may be left out.
    ``late`` is a clause that cannot be left out, for far too much would come without it.
    ``ordered`` wants the events in the order of delivery, and not only that end first; ``whole``
    tells that all of them will be wanted, so that what is too much is so from the start.
    """

    group: LogGroup
    low: int
    high: int
    streams: tuple[str, ...]
    own: str
    clauses: tuple[str, ...]
    newest_first: bool
    ordered: bool
    late: str = ""
    whole: bool = False

    def pattern(self, clauses: Sequence[str]) -> str:
        """The pattern to send with these of the clauses."""
        return join_clauses(self.own, [*clauses, self.late] if self.late else clauses)


def shelves_of(settings: Settings, ask: Ask, facts: GroupFacts) -> Optional[Shelves]:
    """The shelves for whom and what is asked; None without a cache."""
    root = cache_directory.cache_root(settings)
    if root is None:
        return None
    whose = [settings.endpoint_url, facts.region, facts.caller, facts.arn, str(facts.creation),
             *ask.streams, "own", ask.own, ask.late]  # fmt: skip
    path = root / PAGES / shelf_name(whose)
    return Shelves(path, facts.arn, settings.cache_settle * 1000)


def is_too_early(settings: Settings, ask: Ask) -> bool:
    """Whether the window is known to end before the group could have events, from disk alone."""
    facts = known_facts(settings, ask.group, cache_directory.cache_root(settings))
    return facts is not None and ask.high <= facts.creation - OLDEST_PUT


def foresee(settings: Settings, ask: Ask) -> Optional[tuple[float, float]]:
    """The share of the window that the cache holds, and about how many calls the rest takes.

    Of what is on disk alone; None where nothing is known of the group.
    """
    facts = known_facts(settings, ask.group, cache_directory.cache_root(settings))
    shelves = shelves_of(settings, ask, facts) if facts else None
    if facts is None or shelves is None:
        return None
    now = int(time.time() * 1000)
    edge, end = max(ask.low, facts.creation), min(ask.high, now)
    index = Index(shelves.usable(ask.clauses), False, settings.cache_max_age * 1000)
    width, missing, calls = end - edge, 0, 0.0
    while edge < end:
        found = index.at(edge)
        reach = found[1].until if found else min(end, index.next_start(end))
        if found is None:
            missing += reach - edge
            calls += 1 if ask.clauses or ask.own else facts.calls(reach - edge)
        edge = reach
    return 1 - missing / width if width > 0 else 1.0, calls
