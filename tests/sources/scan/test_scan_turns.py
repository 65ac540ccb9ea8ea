"""Whose turn it is to fetch: a scan waits for another backend, shows its own work, gives way."""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

import pytest

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.cache.fetch_lock import fetching
from cloudtrail_fdw.sources.cache.page_cache import Chunk, Shelf
from cloudtrail_fdw.sources.cache.pieces import Piece
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.scan import window_scan
from scan_model import CLAUSES, START, Group, scan


@contextlib.contextmanager
def reader(shelf: Shelf, low: int, high: int) -> Iterator[IO[str]]:
    """What another backend, which is at work on [low, high), has in the folder."""
    with (shelf.path / f"{low}-{high}-1-1.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield held


def test_what_another_backend_reads_is_waited_for(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.clock.now = START + 1000
    low, high, looks = START, START + 500, []
    found = scan(group, low, high, newest_first=False, ordered=True)
    assert found.shelves is not None
    shelf = found.shelves.shelf((), "")
    event = LogEvent("s", START + 7, "{}", START + 7, "read by another")

    def look(*what: Any) -> Any:
        looks.append(what)
        return fetching(*what)

    def end() -> None:
        shelf.write(Chunk(low, high, START + 900, 1, 2, 1), [event])
        fcntl.flock(held, fcntl.LOCK_UN)

    monkeypatch.setattr(window_scan, "fetching", look)
    with reader(shelf, low, high) as held:
        done = threading.Timer(0.3, end)
        done.start()
        assert list(found.read()) == [[event]]
        done.join()
    assert group.calls == []
    assert 3 <= len(looks) <= 8  # twenty a second
    assert set(looks) == {(shelf.path, low, high, 500)}


def test_who_waits_ends_with_the_budget_or_the_scan(group: Group) -> None:
    group.clock.now = START + 1000
    how = {"newest_first": False, "ordered": True, "max_seconds": "200 ms"}
    late, stopped = (scan(group, START, START + 500, **how) for _ in range(2))  # type: ignore[arg-type]
    assert late.shelves is not None
    with reader(late.shelves.shelf((), ""), START, START + 500):
        with pytest.raises(FdwError, match="max_seconds"):
            list(late.read())
        stopped.budget.started = time.monotonic() + 60
        threading.Timer(0.1, stopped.stop.set).start()
        assert list(stopped.read()) == []
    assert group.calls == []


def test_a_fetch_shows_with_each_piece_that_it_goes_on(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age in range(9):
        group.append(age, "a")
    group.clock.now += 1000
    beats: list[int] = []
    monkeypatch.setattr(window_scan, "beat", beats.append)
    scanned = scan(group, START, START + 500, newest_first=False, ordered=True)
    assert sum(map(len, scanned.read())) == 9
    assert len(beats) == 3
    assert len(set(beats)) == 1


@pytest.mark.parametrize(
    ("spans", "asked"),
    [
        # what was read to there in one go is not read again
        ([(0, 100), (100, 200), (200, 500)], [(200, 500)]),
        # of pieces out of order nobody knows from where on the rest is missing
        ([(0, 100), (200, 500), (100, 200)], []),
    ],
)
def test_a_fetch_gives_way_where_all_before_was_read(
    group: Group, monkeypatch: pytest.MonkeyPatch, spans: list[tuple[int, int]],
    asked: list[tuple[int, int]],
) -> None:  # fmt: skip
    for stamp in (10, 110, 210, 310):
        group.append(group.clock.now - START - stamp, "a")
    group.clock.now += 1000
    group.stored_bytes = 1 << 40  # so that nobody reads all of it
    found = scan(group, START, START + 500, CLAUSES[:1], newest_first=False, ordered=True)
    first = iter([[
        Piece(START + low, START + high,
              [event for _, event in group.arrived if low <= event.timestamp - START < high], 1)
        for low, high in spans
    ]])  # fmt: skip
    read, looks = found.source.read, iter([False, True])
    monkeypatch.setattr(found.source, "read", lambda *what: next(first, None) or read(*what))
    monkeypatch.setattr(found, "gives_way", lambda *_: next(looks, False))
    ids = [event.event_id for page in found.read() for event in page]
    assert sorted(ids) == group.truth(START, START + 500, CLAUSES[:1])
    assert group.calls == [(START + low, START + high) for low, high in asked]
