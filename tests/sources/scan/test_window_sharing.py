"""Scans through the cache: what they ask for again, and what they share with others."""

from __future__ import annotations

import fcntl
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_fdw.sources.cache.cache_contents import entries
from cloudtrail_fdw.sources.cache.page_cache import shelf_name
from cloudtrail_fdw.sources.scan import window_scan
from cloudtrail_fdw.sources.scan.group_pieces import NEWEST_FIRST_SINCE
from cloudtrail_fdw.sources.scan.window_ask import FOREVER
from cloudtrail_fdw.sources.scan.window_scan import EDGE
from scan_model import CLAUSES, SETTLE, START, Clock, Group, install, scan


@pytest.fixture
def to_the_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for is not rounded to minutes."""
    monkeypatch.setattr(window_scan, "EDGE", 1)


def answer(group: Group, low: int, high: int, **options: Any) -> list[str]:
    pages = list(scan(group, low, high, **options).read())
    assert all(pages)  # none is empty
    return sorted(event.event_id for page in pages for event in page)


def test_what_settled_is_read_once_and_its_edge_again(group: Group, clock: Clock) -> None:
    for age in range(SETTLE // 2):
        group.append(age, "a")
    everything = group.truth(0, FOREVER, ())
    assert answer(group, 0, FOREVER) == everything
    clock.now += 10
    group.calls.clear()
    assert answer(group, 0, FOREVER) == everything
    assert group.calls == [(clock.now - 10 - SETTLE, FOREVER)]
    group.calls.clear()
    assert answer(group, 0, clock.now - 10 - SETTLE) != everything
    assert group.calls == []


@pytest.mark.usefixtures("to_the_millisecond")
def test_a_wider_window_asks_for_its_margins_only(group: Group, clock: Clock) -> None:
    clock.now += 1000
    low, high = START + 100, START + 200
    answer(group, low, high)
    group.calls.clear()
    answer(group, low - 10, high + 20, newest_first=False, ordered=True)
    assert group.calls == [(low - 10, low), (high, high + 20)]
    group.calls.clear()
    answer(group, low - 10, high + 20)
    answer(group, low + 1, high - 1)
    assert group.calls == []


@pytest.mark.usefixtures("to_the_millisecond")
def test_a_longer_settle_time_doubts_what_was_joined_before(group: Group, clock: Clock) -> None:
    clock.now += 1000
    end = clock.now - SETTLE
    answer(group, end - 100, end)  # asked for just as it had settled
    clock.now += 1000
    answer(group, end, end + 500)  # joins the first, much later
    assert len(list(entries(group.folder))) == 1
    group.calls.clear()
    answer(group, end - 100, end + 500)
    assert group.calls == []
    answer(group, end - 100, end, cache_settle="500 ms")
    assert group.calls == [(end - 100, end)]


def test_late_events_lengthen_the_settle_time_of_their_group(group: Group, clock: Clock) -> None:
    clock.now += 1000
    answer(group, START, clock.now - 100)
    group.calls.clear()
    clock.now += 10
    group.append(150, "a")  # 150 ms late, long after SETTLE
    assert group.truth(START, FOREVER, ())
    assert answer(group, clock.now - 160, clock.now + 1) == []
    clock.now += 1
    assert answer(group, START, FOREVER, cache="off") == group.truth(START, FOREVER, ())
    (group.folder / "pages").rename(group.folder / "old")
    group.append(15, "a")
    answer(group, START, FOREVER)
    clock.now += 100
    group.calls.clear()
    answer(group, START, clock.now - SETTLE)
    assert group.calls == [(clock.now - 100 - 300, clock.now - SETTLE)]  # twice 150 ms


def test_what_is_from_the_future_was_written_by_a_clock_that_went_wrong(
    group: Group, clock: Clock
) -> None:
    clock.now += 5000
    answer(group, START, FOREVER)
    clock.now -= 4000
    group.append(1, "a")
    assert answer(group, START, FOREVER) == group.truth(START, FOREVER, ())


def test_an_answer_may_be_as_old_as_cache_max_age(group: Group, clock: Clock) -> None:
    answer(group, START, FOREVER)
    group.append(0, "a")
    clock.now += 30
    group.calls.clear()
    assert answer(group, START, FOREVER, cache_max_age="31 ms") == []
    assert group.calls == []
    assert answer(group, START, FOREVER, cache_max_age="30 ms") == ["id0"]


def test_many_patterns_over_one_window_become_one_scan(group: Group, clock: Clock) -> None:
    group.stored_bytes, low = 12 << 20, START + 50
    for _ in range(30):
        group.append(0, "abc")
    clock.now += 1000
    asked = []
    for clauses in (["$.a"], ["$.b"], ["$.c"], ["$.a", "$.b"], ["$.b", "$.c"]):
        group.calls.clear()
        chosen = [clause for clause in CLAUSES if clause[:3] in clauses]
        found = answer(group, low, clock.now - 100, clauses=chosen)
        assert found == group.truth(low, clock.now - 100, chosen)
        asked.append(len(group.calls))
    assert asked[0] == 1
    assert asked[-2:] == [0, 0]
    group.calls.clear()
    answer(group, low, clock.now - 100)
    assert group.calls == []


def test_queries_that_begin_together_share_what_their_edges_need(
    group: Group, clock: Clock
) -> None:
    group.append(-20, "a")
    clock.now += 400_000
    low, high = clock.now - 300_000, clock.now + 300_000
    assert high % EDGE not in (0, EDGE - 30)
    first, second = scan(group, low + 30, high), scan(group, low, high + 30)
    clock.now += 5
    assert list(first.read()) == []
    group.calls.clear()
    assert list(second.read()) == []
    assert group.calls == []
    assert answer(group, low, high + 30) == []
    assert [call[1] for call in group.calls] == [high + 30 + -(high + 30) % EDGE]


def test_rounding_adds_no_event(group: Group, clock: Clock) -> None:
    for age in range(-9, 9):
        group.append(age, "a")
    low, high = clock.now - 3, clock.now + 4
    assert answer(group, low, high) == group.truth(low, high, ()) != group.truth(0, FOREVER, ())
    assert group.calls == [(NEWEST_FIRST_SINCE, high - high % EDGE + EDGE)]
    assert answer(group, low, high) == group.truth(low, high, ())


def test_a_narrow_fetch_gives_way_to_one_of_everything(group: Group, clock: Clock) -> None:
    for age in range(30):
        group.append(age, "ab")
    clock.now += 1000
    low, high = START + 50, clock.now - 100
    narrow = scan(group, low, high, CLAUSES[:1])
    read = narrow.read()
    found = list(next(read))
    assert narrow.shelves is not None
    wide = narrow.shelves.path / shelf_name(())
    wide.mkdir()
    lock = wide / f"{low}-{high}-1-1.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found += next(read)
        done = threading.Timer(0.2, lambda: fcntl.flock(held, fcntl.LOCK_UN))
        done.start()
        found += [event for page in read for event in page]
        done.join()
    assert sorted(event.event_id for event in found) == group.truth(low, high, CLAUSES[:1])
    assert len(group.calls) == 2
    assert group.calls[1][1] <= found[1].timestamp  # it goes on where the first page ended


def read_all(folder: Path, number: int, results: Any) -> None:
    """What one of several processes does."""
    clock = Clock()
    clock.now += 1000
    group = Group(clock, folder)
    for age in range(60):
        group.append(100 + age * 3, "ab")
    with pytest.MonkeyPatch.context() as patch:
        install(patch, clock, group)
        truth = group.truth(START, FOREVER, ())
        same = [answer(group, START, FOREVER, newest_first=n % 2 == 0, ordered=n % 2 == 1) == truth
                for n in range(number, number + 6)]  # fmt: skip
    results.put((all(same), len(group.calls)))


def test_processes_at_once_get_the_same(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    readers = [context.Process(target=read_all, args=(tmp_path / "cache", number, results))
               for number in range(4)]  # fmt: skip
    for reader in readers:
        reader.start()
    found = [results.get(timeout=60) for _ in readers]
    for reader in readers:
        reader.join()
    assert all(same for same, _ in found)


def test_two_scans_of_one_process_do_not_wait_for_each_other(group: Group, clock: Clock) -> None:
    for age in range(30):
        group.append(age % 15, "a")
    first = scan(group, START, FOREVER).read()
    next(first)
    truth = group.truth(START, FOREVER, ())
    done = threading.Timer(2.0, lambda: None)
    done.start()
    assert answer(group, START, FOREVER) == truth
    assert done.is_alive()
    done.cancel()
