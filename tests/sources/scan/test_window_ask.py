"""What a scan asks of a group, whose shelves answer it, and what it is thought to take."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from cloudtrail_fdw.sources.aws.log_groups import LogGroup, answer_name
from cloudtrail_fdw.sources.cache.page_cache import Chunk
from cloudtrail_fdw.sources.disk.cache_directory import write_json
from cloudtrail_fdw.sources.scan import window_ask
from cloudtrail_fdw.sources.scan.filter_pattern import join_clauses
from cloudtrail_fdw.sources.scan.group_pieces import NEWEST_FIRST_SINCE
from cloudtrail_fdw.sources.scan.window_ask import FOREVER, Ask, foresee, shelves_of
from scan_model import CLAUSES, SETTLE, START, Clock, Group, scan, settings


def wanted(low: int, high: int, *clauses: str, own: str = "") -> Ask:
    return Ask(LogGroup("g"), START + low, START + high, (), own, clauses, True, False)


def test_what_a_window_takes_is_told_before_it_is_read(
    group: Group, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_ask, "time", clock)
    clock.now = START + 3000  # of which the group has ten pages a thousand ms
    chosen, facts = settings(group.folder), group.facts
    assert foresee(chosen, wanted(0, 1000)) is None
    write_json(group.folder / answer_name(chosen, "group", "g"), asdict(facts))
    assert foresee(settings(group.folder, cache="off"), wanted(0, 1000)) is None

    def told(*what: int | str, **how: str) -> tuple[float, float]:
        own, low, high, *clauses = how.pop("own", ""), *what
        ask = wanted(int(low), int(high), *map(str, clauses), own=own)
        found = foresee(settings(group.folder, **how), ask)
        assert found is not None
        return round(found[0], 9), round(found[1], 9)

    assert told(0, 1000) == told(-500, 1000) == (0, 10)  # there was no group before
    assert told(0, 1) == (0, 1)
    assert told(1000, FOREVER) == (0, 20)  # and there is nothing yet from now on
    shelves = shelves_of(chosen, wanted(0, 1), facts)
    assert shelves is not None
    assert shelves.settle == SETTLE
    shelves.shelf((), "").write(Chunk(START + 400, START + 600, START + 600, 0, 0, 1), [])
    assert told(400, 580) == told(450, 550) == (1, 0)
    assert told(0, 1000) == (0.18, 8.2)
    assert told(0, 1000, cache_max_age="2400 ms") == (0.18, 8.2)
    assert told(0, 1000, cache_max_age="2401 ms") == (0.2, 8)
    assert told(0, 1000, CLAUSES[0]) == (0.18, 2)  # a call for each gap at least
    assert told(0, 1000, own="x") == (0, 1)  # of other shelves
    assert told(3000, 4000) == told(3001, 4000) == told(500, 500) == (1, 0)


def test_each_that_is_asked_otherwise_has_shelves_of_its_own(group: Group) -> None:
    facts, ask, chosen = group.facts, wanted(0, 1), settings(group.folder)
    others = [
        (chosen, replace(ask, streams=("a",)), facts), (chosen, replace(ask, own="a"), facts),
        (chosen, replace(ask, late="a"), facts), (chosen, ask, replace(facts, caller="you")),
        (chosen, ask, replace(facts, arn="a")), (chosen, ask, replace(facts, region="a")),
        (chosen, ask, replace(facts, creation=1)), (chosen, ask, facts),
        (settings(group.folder, endpoint_url="http://127.0.0.1:1"), ask, facts),
    ]  # fmt: skip
    found = [shelves_of(*other) for other in others]
    assert len({shelves.path for shelves in found if shelves}) == len(others)
    same = shelves_of(chosen, replace(ask, low=7, clauses=("a",), ordered=True), facts)
    assert same is not None
    assert same.path in {shelves.path for shelves in found if shelves}


def test_what_may_not_be_left_out_is_in_every_pattern() -> None:
    ask = wanted(0, 1, own="{ $.o = 1 }")
    assert ask.pattern(CLAUSES[:1]) == join_clauses(ask.own, CLAUSES[:1])
    late = replace(ask, late=CLAUSES[2])
    assert late.pattern(()) == join_clauses(ask.own, CLAUSES[2:])
    assert late.pattern(CLAUSES[:1]) == join_clauses(ask.own, [CLAUSES[0], CLAUSES[2]])


@pytest.mark.parametrize("newest_first", [False, True])
def test_what_had_just_settled_comes_once(group: Group, clock: Clock, newest_first: bool) -> None:
    settled = NEWEST_FIRST_SINCE + 480
    for clock.now in (settled - 1, settled, settled + 1):
        group.append(0, "a")
    clock.now = settled + SETTLE
    for asked in (NEWEST_FIRST_SINCE, settled):
        group.calls.clear()
        found = scan(group, NEWEST_FIRST_SINCE, FOREVER, newest_first=newest_first, ordered=True)
        ids = [event.event_id for page in found.read() for event in page]
        assert ids == ["id0", "id1", "id2"][:: -1 if newest_first else 1]
        assert [call[0] for call in group.calls] == [asked]
        clock.now += 1000


def test_a_window_takes_no_more_of_what_is_held(group: Group, clock: Clock) -> None:
    clock.now = START + 500
    for age in (400, 399, 201, 200):
        group.append(age, "a")
    clock.now += 1000
    list(scan(group, START, START + 500, newest_first=False, ordered=True).read())
    group.calls.clear()
    found = scan(group, START + 100, START + 300, newest_first=False, ordered=True)
    assert [event.event_id for page in found.read() for event in page] == ["id0", "id1", "id2"]
    assert group.calls == []
    assert found.budget.cache_events == 3
