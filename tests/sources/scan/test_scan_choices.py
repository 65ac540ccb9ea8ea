"""What a scan decides before it reads: whose quota it uses, from where on, and by which clauses."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Optional

import pytest

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.aws.budget import Budget
from cloudtrail_fdw.sources.aws.log_groups import GroupFacts, LogGroup
from cloudtrail_fdw.sources.cache.page_cache import Chunk, shelf_name
from cloudtrail_fdw.sources.cache.shelves import Shelves
from cloudtrail_fdw.sources.scan import window_scan
from cloudtrail_fdw.sources.scan.group_pieces import NEWEST_FIRST_SINCE
from cloudtrail_fdw.sources.scan.window_ask import FOREVER, Ask
from cloudtrail_fdw.sources.scan.window_scan import OLDEST_PUT, WindowScan
from scan_model import CLAUSES, START, Group, scan, settings


def know(monkeypatch: pytest.MonkeyPatch, facts: Optional[GroupFacts]) -> None:
    """What AWS says of the group, None for nothing."""
    monkeypatch.setattr(window_scan, "find_facts", lambda *_: facts)


@pytest.mark.parametrize("name", ["g", "arn:aws:logs:us-west-2:123456789012:log-group:g"])
def test_the_calls_are_counted_where_the_group_is(
    group: Group, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ask = Ask(LogGroup(name), 0, FOREVER, (), "", (), True, False)
    chosen = settings(group.folder)

    def counted() -> tuple[str, str, str]:
        found = WindowScan(chosen, ask, Budget(chosen), threading.Event())
        path = found.source.rate.path
        assert path is not None
        return found.region, found.account, path.name

    know(monkeypatch, replace(group.facts, region="eu-west-3", account="7"))
    assert counted() == ("eu-west-3", "7", "rate-7-eu-west-3")
    know(monkeypatch, None)
    if name == "g":
        nobody = shelf_name([chosen.endpoint_url])
        assert counted() == ("r", "", f"rate-{nobody}-r")
    else:
        assert counted() == ("us-west-2", "123456789012", "rate-123456789012-us-west-2")


def test_a_group_of_infrequent_access_is_refused(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, replace(group.facts, log_class="INFREQUENT_ACCESS"))
    with pytest.raises(FdwError, match="Infrequent Access"):
        scan(group, 0, FOREVER)


OLDEST = START - OLDEST_PUT  # what was put into the group may be so much older than it
STAMPS = (OLDEST - 1, OLDEST, START - 1, START, NEWEST_FIRST_SINCE - 1, NEWEST_FIRST_SINCE,
          NEWEST_FIRST_SINCE + 30)  # fmt: skip


@pytest.mark.parametrize("cache", ["on", "off"])
@pytest.mark.parametrize(("newest_first", "ordered"), [(True, True), (True, False), (False, True)])
def test_what_is_older_than_2024_or_the_group_is_read_too(
    group: Group, cache: str, newest_first: bool, ordered: bool
) -> None:
    for stamp in STAMPS:
        group.append(group.clock.now - stamp, "a")
    group.clock.now += 1000

    def read(low: int, high: int) -> list[int]:
        group.calls.clear()
        found = scan(group, low, high, newest_first=newest_first, ordered=ordered, cache=cache)
        stamps = [event.timestamp for page in found.read() for event in page]
        return stamps if ordered else sorted(stamps, reverse=True)

    order = -1 if newest_first else 1
    for high, count in ((START - 5, 1), (STAMPS[5], 4), (STAMPS[5] + 1, 5), (FOREVER, 6)):
        assert read(0, high) == [*STAMPS[1 : 1 + count]][::order]
    assert read(STAMPS[3], STAMPS[6]) == [*STAMPS[3:6]][::order]
    assert read(STAMPS[5], STAMPS[6]) == [STAMPS[5]]
    if cache == "off":
        assert read(0, FOREVER)
        assert min(low for low, _ in group.calls) == OLDEST


def test_patterns_may_cost_a_tenth_of_everything(group: Group) -> None:
    group.stored_bytes = 100 << 20  # a hundred calls for all of its time
    group.clock.now = START + 100_000
    found = scan(group, START, FOREVER, CLAUSES[:1])
    assert found.shelves is not None
    assert found.calls(START, FOREVER) == 100
    narrow = found.shelves.shelf(CLAUSES[1:2], "")
    for calls, asked in ((5, CLAUSES[:1]), (6, ())):  # and the next one, as much as one before
        narrow.write(Chunk(START, START + 10, START + 90_000, 0, 0, calls), [])
        assert found.choose_clauses(START, FOREVER) == asked
        for chunk in narrow.chunks():
            narrow.remove(chunk)
    assert found.choose_clauses(START, FOREVER) == CLAUSES[:1]
    assert scan(group, START, FOREVER, CLAUSES[:1], cache="wide").choose_clauses(0, FOREVER) == ()
    off = scan(group, START, FOREVER, CLAUSES[:1], cache="off")
    assert off.choose_clauses(START, START + 1) == CLAUSES[:1]
    assert scan(group, START, FOREVER).choose_clauses(START, FOREVER) == ()


@pytest.mark.parametrize(("calls", "asked"), [(200, ()), (201, CLAUSES[:1])])
def test_few_calls_are_shared_with_other_patterns(
    group: Group, monkeypatch: pytest.MonkeyPatch, calls: int, asked: tuple[str, ...]
) -> None:
    group.stored_bytes = calls << 20
    found = scan(group, START, FOREVER, CLAUSES[:1])
    assert found.choose_clauses(START, FOREVER) == CLAUSES[:1]
    monkeypatch.setattr(Shelves, "others_read", lambda *_: True)
    assert found.choose_clauses(START, FOREVER) == asked


def test_the_calls_of_a_window_are_guessed_from_what_is_known(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.clock.now = START + 1000  # of thirty pages
    found = scan(group, START, FOREVER)
    assert found.calls(0, FOREVER) == found.calls(START, START + 1000) == 30
    assert found.calls(START + 100, START + 200) == pytest.approx(3)
    assert found.calls(START + 900, FOREVER) == pytest.approx(3)
    assert found.calls(START, START) == found.calls(START + 5000, FOREVER) == 1
    assert found.shelves is not None
    shelf = found.shelves.shelf((), "")
    shelf.write(Chunk(START, START + 500, START + 900, 0, 50 << 20, 1), [])
    assert found.calls(START, START + 500) == 50
    assert found.calls(START, FOREVER) == 100
    assert found.calls(START + 100, START + 101) == 1
    shelf.write(Chunk(START, START + 500, START + 901, 0, 1950 << 20, 1), [])
    assert found.calls(START + 100, START + 100) == found.calls(START + 100, START + 101) == 2
    know(monkeypatch, None)
    assert scan(group, START, FOREVER).calls(0, FOREVER) == 1


def test_a_scan_is_about_the_time_in_which_events_can_be(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.clock.now = START + 1000
    for low, high, window in ((-500, FOREVER, 1000), (400, 700, 300), (2000, FOREVER, 1)):
        assert scan(group, START + low, START + high, cache="off").window == window
    know(monkeypatch, None)
    assert scan(group, START - 500, FOREVER).window == 1500


@pytest.mark.parametrize(("age", "used"), [(1999, True), (2000, False)])
def test_what_may_be_old_is_used_to_its_end(group: Group, age: int, used: bool) -> None:
    group.clock.now = START + 9000
    found, fetched = scan(group, START, FOREVER, cache_max_age="2 s"), START + 9000 - age
    assert found.shelves is not None
    found.shelves.shelf((), "").write(Chunk(START, fetched, fetched, 0, 0, 1), [])
    assert (found.index(newest_first=False).at(fetched - 1) is not None) == used


def test_the_size_of_the_cache_is_looked_after_now_and_then(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age in range(15):  # five pages
        group.append(age, "a")
    group.clock.now += 1000
    trims: list[tuple[Path, int]] = []
    monkeypatch.setattr(window_scan, "trim", lambda *what: trims.append(what))
    monkeypatch.setattr(window_scan, "TRIM_EVERY", 2)
    how = {"newest_first": False, "ordered": True, "cache_size": "9000000"}
    assert list(scan(group, START, START + 500, **how).read())  # type: ignore[arg-type]
    assert trims == [(group.folder, 9_000_000)] * 3


@pytest.mark.timeout(30)
def test_a_millisecond_of_many_pages_is_read_to_its_end(group: Group) -> None:
    for _ in range(20):
        group.append(group.clock.now - START, "a")
    source = scan(group, START, FOREVER).source
    steps = list(source.step_pages(START, START + 2, "", True, source.stop))
    assert sorted(event.event_id for event in steps[1][0]) == group.truth(START, START + 1, ())
    assert [(len(page), last) for page, last in steps] == [(0, False), (20, True)]
    spans = [(START, START + 2), (START + 1, START + 2), (START, START + 1)]
    assert group.calls[:3] == spans
