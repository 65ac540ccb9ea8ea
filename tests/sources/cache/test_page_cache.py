"""Chunks and shelves: what they claim, keep, join and forget, and who may see them."""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest

from cloudtrail_fdw.sources.cache import page_cache
from cloudtrail_fdw.sources.cache.cache_contents import clear, trim
from cloudtrail_fdw.sources.cache.page_cache import DAY, LABEL, PAGES, Chunk, Shelf, listed
from cloudtrail_fdw.sources.cache.shelves import Index, Shelves
from cloudtrail_fdw.sources.record.log_event import LogEvent
from scan_model import SETTLE, START, Clock, Group, scan


def event(stamp: int, late: int = 0) -> LogEvent:
    return LogEvent("s", stamp, "{}", stamp + late, f"id{stamp}")


def answer(group: Group, low: int, high: int, **options: Any) -> list[str]:
    found = scan(group, low, high, **options)
    return sorted(event.event_id for page in found.read() for event in page)


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
    shelves = Shelves(group.folder / PAGES / "x", "g", SETTLE)
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


@pytest.mark.parametrize("spans", [((0, 50), (40, 90)), ((40, 90), (0, 50))])
def test_where_neighbours_overlap_an_event_is_kept_once(
    shelf: Shelf, clock: Clock, spans: tuple[tuple[int, int], ...]
) -> None:
    clock.now = 1_000_000
    events = [event(stamp) for stamp in (0, 39, 40, 49, 50, 89)]
    for start, end in spans:
        held = [e for e in events if start <= e.timestamp < end]
        shelf.save(Chunk(start, end, 900_000, len(held), 0, 1), held)
    (chunk,) = listed(shelf.path)
    assert (chunk.start, chunk.end, chunk.events) == (0, 90, 6)
    assert shelf.load(chunk) == events


def test_what_had_not_settled_is_not_joined(shelf: Shelf, clock: Clock) -> None:
    clock.now = 1_000_000
    shelf.save(Chunk(0, 1000, 1000 + SETTLE - 1, 0, 0, 1), [])
    shelf.save(Chunk(1000, 1100, 900_000, 0, 0, 1), [])
    assert len(listed(shelf.path)) == 2
    shelf.save(Chunk(2000, 2100, 2200 + SETTLE - 1, 0, 0, 1), [])
    shelf.save(Chunk(2100, 2200, 2200 + SETTLE, 0, 0, 1), [])
    assert len(listed(shelf.path)) == 3


def test_the_density_is_of_bytes_and_not_of_small_calls(group: Group, clock: Clock) -> None:
    shelves = Shelves(group.folder / PAGES / "x", "g", SETTLE)
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
    shelves = Shelves(group.folder / PAGES / "x", "g", SETTLE)
    assert shelves.spent(0, 100) == (0, 1.0)
    shelves.shelf(("a",), "").write(Chunk(0, 100, 1000, 0, 0, 8), [])
    shelves.shelf(("b",), "").write(Chunk(50, 150, 1000, 0, 0, 4), [])
    shelves.shelf((), "").write(Chunk(0, 100, 1000, 0, 0, 50), [])
    assert shelves.spent(0, 100) == (10, 5)
    assert shelves.spent(0, 50) == (4, 4)
    assert shelves.spent(200, 300) == (0, 1.0)


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
