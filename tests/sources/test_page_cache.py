"""The cache of log events: whatever happened to it, the answer is what the service would say."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from cloudtrail_fdw.sources import page_cache
from cloudtrail_fdw.sources.cache_contents import clear, entries, trim
from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent
from cloudtrail_fdw.sources.page_cache import DAY, LABEL, PAGES, Chunk, Shelf, listed
from cloudtrail_fdw.sources.shelves import Index, Shelves
from cloudtrail_fdw.sources.window_scan import FOREVER
from scan_model import CLAUSES, SETTLE, START, Clock, Group, install, scan

SPAN = 160  # ms of the model's time
MEMBERS = st.sampled_from(["", "a", "b", "ab", "abc"])
APPENDS = st.tuples(
    st.just("append"), st.lists(st.tuples(st.integers(-3, SETTLE - 1), MEMBERS), max_size=12)
)
QUERIES = st.tuples(
    st.just("query"),
    st.tuples(
        st.integers(START - 5, START + SPAN) | st.just(0),
        st.integers(1, SPAN) | st.just(FOREVER),
        st.sets(st.sampled_from(CLAUSES)).map(sorted),
        st.booleans(),  # newest first
        st.booleans(),  # in order
        st.none() | st.integers(0, 3),  # pages, then it is left
        st.sampled_from([0.0, 0.0, 0.0, 0.2]),  # latency, which makes for more chains
        st.sampled_from(["0", "30 ms"]),  # cache_max_age
    ),
)
DAMAGES = st.tuples(st.just("damage"), st.tuples(st.integers(0, 99), st.integers(0, 4)))
STEPS = st.lists(
    st.one_of(QUERIES, QUERIES, APPENDS, DAMAGES, st.tuples(st.just("pass"), st.integers(0, 40))),
    max_size=14,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def group(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    found = Group(clock, tmp_path / "cache")
    install(monkeypatch, clock, found)
    return found


@pytest.fixture
def shelf(group: Group) -> Shelf:
    return Shelves(group.folder / PAGES / "x", "g", "", SETTLE).shelf((), "")


def damage(folder: Path, which: int, how: int) -> None:
    files = sorted(path for path in folder.glob("pages/*/*/*") if path.is_file())
    if not files:
        return
    path = files[which % len(files)]
    content = path.read_bytes()
    if how == 0:
        path.write_bytes(content[: len(content) // 2])
    elif how == 1 and content:
        place = which % len(content)
        path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
    elif how == 2:
        path.unlink()
    elif how == 3:
        path.write_bytes(b"")
    else:
        (path.parent / "not-a-chunk.events").write_bytes(content)


def ask(group: Group, query: Any) -> None:
    """Make the query and hold its answer against the truth."""
    low, width, clauses, newest_first, ordered, pages, latency, max_age = query
    high = min(low + width, FOREVER)
    held = scan(group, low, high, clauses, newest_first=newest_first or not ordered,
                ordered=ordered, latency=latency, cache_max_age=max_age)  # fmt: skip
    newest_first = newest_first or not ordered
    read = held.read()
    found = [event for page in itertools.islice(read, pages) for event in page]
    if pages is not None:
        held.stop.set()
        read.close()  # type: ignore[attr-defined]
    stamps = [event.timestamp for event in found]
    if ordered:
        assert stamps == sorted(stamps, reverse=newest_first)
    assert all(low <= stamp < high for stamp in stamps)
    got = sorted(e.event_id for e in found if all(c[2] in e.message for c in clauses))
    truth = group.truth(low, high, clauses)
    assert len(got) == len(set(got))
    assert set(got) <= set(truth)
    if pages is None:
        by = group.clock.now - (30 if max_age != "0" else 0)
        assert set(got) >= set(group.truth(low, high, clauses, by=by))
        if max_age == "0":
            assert got == truth


@trials(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.sampled_from([0, 20, 100, 1_000_000]), st.sampled_from([0, 10 << 20, 90 << 20]))
def test_the_answer_is_what_the_service_has(
    steps: list[tuple[str, Any]], merged: int, stored: int
) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        group = Group(clock, Path(folder) / "cache")
        group.stored_bytes = stored
        install(patch, clock, group)
        patch.setattr(page_cache, "MERGED_BYTES", merged)
        for kind, what in steps:
            if kind == "append":
                for age, members in what:
                    group.append(age, members)
            elif kind == "damage":
                damage(group.folder, *what)
            elif kind == "pass":
                clock.now += what
            else:
                ask(group, what)
        ask(group, (0, FOREVER, [], True, False, None, 0.0, "0"))


def event(stamp: int, late: int = 0) -> LogEvent:
    return LogEvent("s", stamp, "{}", stamp + late, f"id{stamp}")


def answer(group: Group, low: int, high: int, **options: Any) -> list[str]:
    found = scan(group, low, high, **options)
    return sorted(event.event_id for page in found.read() for event in page)


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


def test_a_chunk_that_cannot_be_removed_is_read_around(
    group: Group, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.append(0, "a")
    clock.now += 1000
    assert answer(group, START, clock.now) == ["id0"]
    for path in group.folder.glob("pages/*/*/*.events"):
        path.write_bytes(b"damaged")
    monkeypatch.setattr(page_cache.Path, "unlink", lambda *_, **__: None)
    assert answer(group, START, clock.now) == ["id0"]


def test_a_cache_that_cannot_be_written_is_read(
    group: Group, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.append(0, "a")
    clock.now += 1000
    answer(group, START, clock.now - 100)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    for name in ("utime", "open", "unlink", "mkdir"):
        monkeypatch.setattr(page_cache.os, name, refuse)
    group.calls.clear()
    assert answer(group, START, clock.now - 100) == ["id0"]
    assert group.calls == []
    assert answer(group, START, clock.now) == ["id0"]


def test_events_past_the_retention_leave_the_disk(group: Group, clock: Clock) -> None:
    group.retention_days = 3
    for _ in range(6):
        clock.now += DAY
        group.append(0, "a")
    clock.now += 1000
    held = answer(group, START, clock.now)
    clock.now += DAY + DAY // 2
    answer(group, START, clock.now)
    kept = [e for path in group.folder.glob("pages/*/*") for c in listed(path)
            for e in Shelf(path, SETTLE).load(c) or []]  # fmt: skip
    assert held == [f"id{n}" for n in range(6)]
    assert {e.event_id for e in kept} <= {"id3", "id4", "id5"}  # a day at a time
    assert {e.event_id for e in kept} >= {"id4", "id5"}
    group.calls.clear()
    assert set(answer(group, START, clock.now - SETTLE)) >= {"id4", "id5"}
    assert group.calls == []


def test_a_chunk_that_outlives_the_retention_is_divided(shelf: Shelf) -> None:
    events = [event(day * DAY) for day in range(10)]
    shelf.write(Chunk(0, 10 * DAY, 20 * DAY, 10, 20, 3), events)

    def held() -> list[tuple[int, int, int, int]]:
        return sorted((c.start, c.end, c.events, c.bytes) for c in listed(shelf.path))

    half = DAY // 2
    shelf.expire(half)
    assert held() == [(0, 10 * DAY, 10, 20)]
    for _ in range(2):
        shelf.expire(4 * DAY)
        assert held() == [(0, 4 * DAY, 0, 0), (4 * DAY, 10 * DAY, 6, 12)]
    (chunk,) = (c for c in listed(shelf.path) if c.events)
    assert shelf.load(chunk) == events[4:]
    shelf.expire(10 * DAY)
    assert [(c.events, shelf.load(c)) for c in listed(shelf.path)] == [(0, [])] * 2


def test_the_narrowest_clauses_that_fit_answer(group: Group) -> None:
    shelves = Shelves(group.folder / PAGES / "x", "g", "", SETTLE)
    made = [shelves.shelf(clauses, "") for clauses in ((), ("b", "a"), ("a",), ("c",))]
    assert [s.path for s in shelves.usable(("a", "b"))] == [made[n].path for n in (1, 2, 0)]
    assert [s.path for s in shelves.usable(())] == [made[0].path]
    assert shelves.shelf(("a", "b"), "").path == made[1].path
    (made[0].path / LABEL).write_text("[")
    assert shelves.usable(()) == []
    assert shelves.shelf((), "").path == made[0].path
    assert len(shelves.usable(())) == 1


def test_the_chunk_that_reaches_farthest_is_taken(shelf: Shelf, clock: Clock) -> None:
    clock.now = 1_000_000
    for start, end in ((0, 50), (10, 30), (10, 90), (95, 99)):
        shelf.write(Chunk(start, end, 900_000, 0, 0, 1), [])
    index = Index([shelf], False, 0)
    assert [index.at(edge) and index.at(edge)[1].end for edge in (0, 9, 10, 60, 89)] == [
        50, 50, 90, 90, 90]  # fmt: skip
    assert index.at(90) is None
    assert index.next_start(1000) == 95
    assert index.next_start(93) == 93
    assert index.at(95) is not None
    assert index.next_start(1000) == 1000
    backwards = Index([shelf], True, 0)
    assert backwards.at(-99) is None
    assert backwards.next_start(0) == -98


def test_small_neighbours_are_joined_and_large_ones_are_not(shelf: Shelf, clock: Clock) -> None:
    clock.now = 1_000_000
    for start in range(0, 50, 10):
        shelf.save(Chunk(start, start + 10, 900_000, 1, 100, 1), [event(start + 5)])
    (chunk,) = listed(shelf.path)
    assert (chunk.start, chunk.end, chunk.events, chunk.bytes, chunk.calls) == (0, 50, 5, 500, 5)
    assert chunk.settled == 900_000 - 40
    assert shelf.load(chunk) == [event(stamp) for stamp in range(5, 50, 10)]
    shelf.save(Chunk(50, 60, 900_000, 1, 999_501, 1), [event(55)])
    assert len(listed(shelf.path)) == 2
    shelf.save(Chunk(0, 60, 900_001, 0, 0, 1), [])
    assert [c.end for c in listed(shelf.path)] == [60]
    shelf.save(Chunk(0, 60, 900_001, 0, 0, 1), [])
    assert [c.end for c in listed(shelf.path)] == [60]


def test_what_had_not_settled_is_not_joined(shelf: Shelf, clock: Clock) -> None:
    clock.now = 1_000_000
    shelf.save(Chunk(0, 1000, 1000 + SETTLE - 1, 0, 0, 1), [])
    shelf.save(Chunk(1000, 1100, 900_000, 0, 0, 1), [])
    assert len(listed(shelf.path)) == 2
    shelf.save(Chunk(2000, 2100, 2200 + SETTLE - 1, 0, 0, 1), [])
    shelf.save(Chunk(2100, 2200, 2200 + SETTLE, 0, 0, 1), [])
    assert len(listed(shelf.path)) == 3


def test_the_density_is_of_bytes_and_not_of_small_calls(group: Group, clock: Clock) -> None:
    shelves = Shelves(group.folder / PAGES / "x", "g", "", SETTLE)
    shelf = shelves.shelf((), "")
    assert shelves.density(0, 1000) is None
    clock.now = 2_000_000
    for number in range(50):
        shelf.write(Chunk(number * 10, number * 10 + 10, 1_900_000, 1, 1 << 10, 1), [])
    found = shelves.density(0, 1000)
    assert found is not None
    assert 0.9 < found * 500 * 1024 / 50 < 1.1
    assert shelves.density(0, 1_000_000) is None  # half a second tells little of a quarter hour


def test_calls_that_patterns_cost_are_shared_by_time(group: Group) -> None:
    shelves = Shelves(group.folder / PAGES / "x", "g", "", SETTLE)
    assert shelves.spent(0, 100) == (0, 1.0)
    shelves.shelf(("a",), "").write(Chunk(0, 100, 1000, 0, 0, 8), [])
    shelves.shelf(("b",), "").write(Chunk(50, 150, 1000, 0, 0, 4), [])
    shelves.shelf((), "").write(Chunk(0, 100, 1000, 0, 0, 50), [])
    assert shelves.spent(0, 100) == (10, 5)
    assert shelves.spent(0, 50) == (4, 4)
    assert shelves.spent(200, 300) == (0, 1.0)


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


def test_what_was_used_least_recently_leaves_first(group: Group, shelf: Shelf) -> None:
    for number in range(4):
        shelf.write(Chunk(number * 10, number * 10 + 9, 100, 0, 1, 1), [event(number)])
        os.utime(shelf.path / listed(shelf.path)[0].name)
    chunks = sorted(listed(shelf.path), key=lambda chunk: chunk.start)
    for age, chunk in enumerate(reversed(chunks)):
        os.utime(shelf.path / chunk.name, (1000 - age, 1000 - age))
    old, young = shelf.path / ".1-1.part", shelf.path / ".1-2.part"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (1, 1))
    assert shelf.load(chunks[0])  # used now, and so the youngest
    trim(group.folder, 2 * (4096 + 200))
    assert [chunk.start for chunk in sorted(listed(shelf.path), key=lambda c: c.start)] == [0, 30]
    assert not old.exists()


def test_clear_removes_what_is_cached_and_nothing_else(group: Group, clock: Clock) -> None:
    clock.now += 1000
    answer(group, START, clock.now - 100)
    other = group.folder / "base" / "1"
    other.parent.mkdir()
    other.write_text("a database, perhaps")
    assert clear(group.folder) == 1
    assert other.exists()
    assert not (group.folder / PAGES).exists()
    assert clear(group.folder) == 0


def test_only_the_owner_may_look(group: Group, clock: Clock) -> None:
    before = os.umask(0)
    try:
        clock.now += 1000
        answer(group, START, clock.now - 100)
    finally:
        os.umask(before)
    assert stat.S_IMODE(group.folder.stat().st_mode) == 0o700
    files = [path for path in group.folder.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


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
