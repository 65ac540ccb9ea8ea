"""Budgets: what is refused, and when; a LIMIT that nobody tells of still gets its rows."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.aws.budget import RECENT, Budget, record
from cloudtrail_fdw.sources.cache.page_cache import Chunk
from cloudtrail_fdw.sources.record.log_event import PAGE_BYTES
from cloudtrail_fdw.sources.scan import group_pieces, window_scan
from cloudtrail_fdw.sources.scan.group_pieces import NEWEST_FIRST_SINCE
from cloudtrail_fdw.sources.scan.window_ask import FOREVER
from cloudtrail_fdw.sources.scan.window_scan import WindowScan
from scan_model import CLAUSES, PAGE, Clock, Group, install, scan


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    """Ten pages, which look like forty."""
    clock = Clock()
    found = Group(clock, tmp_path / "cache")
    install(monkeypatch, clock, found)
    monkeypatch.setattr(group_pieces, "FREE_EVENTS", PAGE)
    # the model spends an event a call, whatever is in the page
    monkeypatch.setattr(Budget, "spend", lambda self, size, events: spend(self, PAGE))
    found.stored_bytes = 40 * PAGE_BYTES
    for age in range(10 * PAGE):
        found.append(age, "a")
    clock.now += 1000
    return found


def spend(budget: Budget, events: int) -> None:
    budget.calls += 1
    budget.events += events


def refused(group: Group, high: int = FOREVER, **options: Any) -> int:
    """The calls that were made before the refusal."""
    found = scan(group, NEWEST_FIRST_SINCE, high, **options)
    with pytest.raises(FdwError, match=r"the scan needs about .* more calls, .* at 10 a second"):
        list(found.read())
    return found.budget.calls


def test_the_first_page_is_free_and_no_other(group: Group) -> None:
    assert refused(group, max_calls="30") == 1
    answered = scan(group, NEWEST_FIRST_SINCE, FOREVER, max_calls="30")
    assert len(list(itertools.islice(answered.read(), 1))) == 1


def test_a_page_with_few_events_is_not_enough_for_a_limit(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_pieces, "FREE_EVENTS", 2 * PAGE + 1)
    assert refused(group, max_calls="30") == 3


def test_what_will_be_read_whole_is_refused_before_a_call_where_it_is_clear(group: Group) -> None:
    assert refused(group, max_calls="19", cache="off", whole=True) == 0
    assert refused(group, max_calls="20", cache="off", whole=True) == 1  # an average may mislead
    assert refused(group, max_calls="19", cache="off") == 1


def test_a_burst_is_not_taken_for_all_time(group: Group) -> None:
    group.stored_bytes = 10 * PAGE_BYTES
    found = scan(group, NEWEST_FIRST_SINCE, FOREVER, max_calls="20", whole=True)
    assert found.shelves is not None
    burst = Chunk(group.clock.now - 1000, group.clock.now - 990, group.clock.now, 0, 1 << 30, 1)
    found.shelves.shelf((), "").write(burst, [])
    assert found.calls(0, FOREVER) > 1000
    assert sum(map(len, found.read())) > 0


def test_what_fits_is_not_refused(group: Group) -> None:
    pages = list(scan(group, NEWEST_FIRST_SINCE, FOREVER, max_calls="40", cache="off").read())
    assert sum(map(len, pages)) == 10 * PAGE
    pages = list(scan(group, NEWEST_FIRST_SINCE, FOREVER, max_calls="40").read())
    assert sum(map(len, pages)) == 10 * PAGE


def test_what_other_spans_took_was_not_foreseen_for_this_one(group: Group) -> None:
    def spent(limit: str) -> WindowScan:
        found = scan(group, NEWEST_FIRST_SINCE, FOREVER, max_calls=limit, cache="off")
        found.budget.calls = 5
        return found

    with pytest.raises(FdwError, match=r"the scan needs about 3\d more calls"):
        list(spent("43").read())
    assert sum(map(len, spent("44").read())) == 10 * PAGE


@pytest.mark.parametrize("options", [{"ordered": True}, {"clauses": CLAUSES[:1]}])
def test_orders_and_patterns_are_not_foreseen(group: Group, options: dict[str, object]) -> None:
    found = scan(group, NEWEST_FIRST_SINCE, FOREVER, max_calls="20", **options)  # type: ignore[arg-type]
    assert sum(map(len, found.read())) == 10 * PAGE


def test_a_window_that_was_read_to_its_end_is_not_refused(group: Group) -> None:
    del group.arrived[PAGE:]
    found = scan(group, NEWEST_FIRST_SINCE, FOREVER, max_calls="20")
    assert sum(map(len, found.read())) == PAGE


def test_what_the_cache_gave_counts_as_the_first_page(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_scan, "EDGE", 1)  # ms: not the whole minute
    last = group.arrived[0][1].timestamp + 1
    list(scan(group, last - PAGE, last).read())
    assert refused(group, last, max_calls="1") == 0


def test_each_limit_is_foreseen() -> None:
    def needs(calls: float, rate: float = 10.0, **limits: str) -> str:
        budget = Budget(read_settings(limits), calls=2, bytes=1000)
        with pytest.raises(FdwError) as raised:
            budget.foresee(calls, rate)
        assert raised.value.sqlstate == "53400"
        assert f"SET cloudtrail_fdw.{next(iter(limits))} = …" in str(raised.value.hint)
        return str(raised.value)

    assert needs(41_000, 25.0, max_calls="10000") == (
        "the scan needs about 41,000 more calls, 27 minutes at 25 a second, and max_calls is 10,000"
    )
    assert "4 more calls, 0 seconds at 10 a second, and max_calls is 5" in needs(4, max_calls="5")
    assert "max_bytes is 10,000,000,000" in needs(9998, 1000.0, max_bytes="10000000000")
    assert "max_bytes is 1,049,575" in needs(2, max_bytes=str(PAGE_BYTES + 999))
    assert "101 seconds at 10 a second, and max_seconds is 100" in needs(1010, max_seconds="100 s")
    enough = {"max_calls": "6", "max_bytes": str(3 * PAGE_BYTES + 1000), "max_seconds": "1 s"}
    Budget(read_settings(enough), calls=2, bytes=1000).foresee(4, 10.0)
    little = read_settings({"max_bytes": "2000"})
    Budget(little, bytes=1000).foresee(0.5, 10.0)
    with pytest.raises(FdwError, match="max_bytes is 2,000"):
        Budget(little, bytes=2001).foresee(0.0, 10.0)
    late = Budget(read_settings(enough), calls=2, started=time.monotonic() - 0.7)
    with pytest.raises(FdwError, match="max_seconds is 1"):
        late.foresee(4, 10.0)


def test_minutes_are_told_from_two_on() -> None:
    budget = Budget(read_settings({"max_calls": "1"}))
    for calls, told in ((1190, "119 seconds"), (1200, "2 minutes"), (36_000, "60 minutes")):
        with pytest.raises(FdwError, match=f"more calls, {told} at"):
            budget.foresee(calls, 10.0)


def test_what_is_spent_is_counted_and_ends_at_the_limit() -> None:
    limits = {"max_calls": "2", "max_bytes": "100", "max_seconds": "60 s"}
    budget = Budget(read_settings(limits))
    budget.check()
    budget.spend(60, 7)
    budget.check()
    assert (budget.calls, budget.bytes, budget.events) == (1, 60, 7)
    budget.spend(39, 8)
    with pytest.raises(FdwError, match=r"reached max_calls = 2 before") as raised:
        budget.check()
    assert raised.value.sqlstate == "53400"
    assert (budget.calls, budget.bytes, budget.events) == (2, 99, 15)
    with pytest.raises(FdwError, match=r"reached max_bytes = 100 before"):
        Budget(read_settings(limits), bytes=100).check()
    with pytest.raises(FdwError, match=r"reached max_seconds = 60 before"):
        Budget(read_settings(limits), started=time.monotonic() - 60).check()


def test_a_scan_begins_with_nothing_spent() -> None:
    budget = Budget(read_settings({}))
    assert (budget.table, budget.log_group) == ("", "")
    counts = (budget.calls, budget.events, budget.bytes, budget.cache_events, budget.throttles,
              budget.retries, budget.seconds)  # fmt: skip
    assert counts == (0,) * 7


def test_the_last_scans_are_remembered_with_how_long_they_took() -> None:
    budget = Budget(read_settings({}), started=time.monotonic() - 3)
    ended = record(budget)
    assert RECENT[-1] is budget
    ended()
    assert 3 <= budget.seconds < 4
    assert RECENT.maxlen == 100
