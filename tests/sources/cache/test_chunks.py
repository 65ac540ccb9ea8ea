"""Chunks one by one: names, how long they hold, neighbours joined, damage."""

from __future__ import annotations

from cloudtrail_fdw.sources.cache.page_cache import Chunk, Shelf, listed
from cloudtrail_fdw.sources.record.log_event import LogEvent
from scan_model import SETTLE, Clock


def event(stamp: int, late: int = 0) -> LogEvent:
    return LogEvent("s", stamp, "{}", stamp + late, f"id{stamp}")


def test_a_name_is_a_chunk_only_when_it_says_everything() -> None:
    chunk = Chunk(1, 2, 3, 4, 5, 6, 7)
    assert chunk.name == "1-2-3-4-5-6-7.events"
    assert Chunk.named(chunk.name) == Chunk(1, 2, 3, 4, 5, 6, 7, until=2)
    assert chunk.until == 0
    for name in ("1-2-3-4-5-6.events", "1-2-3-4-5-6-7-8.events", "1-2-3-4-5-6-x.events",
                 "1-2-3-4-5-6-7.part", "1-2-3-4-5-6--7.events", "label", ""):  # fmt: skip
        assert Chunk.named(name) is None
    assert (Chunk(0, 5, 9, 0, 0, 0).known_until, Chunk(0, 9, 5, 0, 0, 0).known_until) == (5, 5)


def test_the_end_of_a_chunk_that_had_not_settled_is_not_used(shelf: Shelf, clock: Clock) -> None:
    def until(fetched: int, now: int, max_age: float = 0, end: int = 100) -> list[int]:
        for path in shelf.path.glob("*.events"):
            path.unlink()
        clock.now = now
        shelf.write(Chunk(50, end, fetched, 0, 0, 1), [])
        return [chunk.until for chunk in shelf.chunks(max_age)]

    assert until(100 + SETTLE, 500) == [100]
    assert until(99 + SETTLE, 500) == [99]
    assert until(51 + SETTLE, 500) == [51]
    assert until(50 + SETTLE, 500) == []
    assert until(60, 500) == []
    assert until(60, 90, max_age=31) == [100]
    assert until(60, 90, max_age=30) == []
    assert until(91, 90, max_age=100) == []  # of the future
    assert until(90, 90, max_age=100) == [100]


def test_late_events_lengthen_what_is_waited_for(shelf: Shelf) -> None:
    assert shelf.longest_wait() == SETTLE
    shelf.widen([])
    shelf.widen([event(5, SETTLE // 2)])
    assert not (shelf.path.parent / "settle").exists()
    shelf.widen([event(5, 1), event(6, SETTLE // 2 + 1), event(7, 2)])
    assert shelf.longest_wait() == SETTLE + 2
    assert Shelf(shelf.path, 500).longest_wait() == 500
    (shelf.path.parent / "settle").write_text("x")
    assert shelf.longest_wait() == SETTLE


def test_a_damaged_chunk_leaves_the_disk(shelf: Shelf) -> None:
    chunk = Chunk(0, 10, 100, 1, 2, 1)
    shelf.write(chunk, [event(5)])
    path = shelf.path / chunk.name
    assert shelf.load(chunk) == [event(5)]
    path.write_bytes(path.read_bytes() + b"x")
    assert shelf.load(chunk) is None
    assert not path.exists()
    assert shelf.load(chunk) is None
    shelf.write(chunk, [event(5)])
    path.write_bytes(b"")
    shelf.expire(50)
    assert listed(shelf.path) == listed(shelf.path / "nowhere") == []


def test_neighbours_are_joined_at_either_side(shelf: Shelf, clock: Clock) -> None:
    clock.now = 1_000_000
    held = [event(stamp) for stamp in (100, 149, 199)]
    shelf.save(Chunk(100, 200, 800_000, 3, 30, 2), held)
    shelf.save(Chunk(50, 150, 900_000, 2, 20, 1), [event(60), event(100), event(149)])
    (chunk,) = listed(shelf.path)
    assert (chunk.start, chunk.end, chunk.fetched) == (50, 200, 900_000)
    assert (chunk.events, chunk.bytes, chunk.calls) == (4, 50, 3)
    assert chunk.settled == 800_000 - 200
    assert shelf.load(chunk) == [event(60), *held]
    shelf.save(Chunk(150, 260, 900_001, 1, 500, 4), [event(199), event(230)])
    (chunk,) = listed(shelf.path)
    assert (chunk.start, chunk.end, chunk.events) == (50, 260, 5)
    assert (chunk.bytes, chunk.calls, chunk.settled) == (550, 7, 800_000 - 200)
    assert shelf.load(chunk) == [event(60), *held, event(230)]
    late = [event(60), event(70)]
    shelf.save(Chunk(50, 80, 900_001, 2, 40, 1), late)  # the same start
    (chunk,) = listed(shelf.path)
    assert (chunk.start, chunk.end, chunk.events) == (50, 260, 6)
    assert shelf.load(chunk) == [*late, *held, event(230)]
    shelf.save(Chunk(261, 300, 900_000, 0, 0, 1), [])  # one millisecond apart
    assert len(listed(shelf.path)) == 2
    shelf.save(Chunk(60, 250, 900_002, 0, 999_410, 1), [])  # as large as may be joined
    assert len(listed(shelf.path)) == 2
