"""Shelves: which may answer, what their calls cost, and the index of their chunks."""

from __future__ import annotations

import contextlib
import fcntl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtrail_fdw.sources.cache import page_cache
from cloudtrail_fdw.sources.cache.fetch_lock import SUFFIX as LOCK
from cloudtrail_fdw.sources.cache.fetch_lock import fetching
from cloudtrail_fdw.sources.cache.page_cache import LABEL, OF_SHELF, PAGES, Chunk, Shelf
from cloudtrail_fdw.sources.cache.pieces import Piece, turned
from cloudtrail_fdw.sources.cache.shelves import Index, Shelves, keep, overlap
from cloudtrail_fdw.sources.disk.cache_directory import read_json
from cloudtrail_fdw.sources.record.log_event import PAGE_BYTES, PAGE_EVENTS, LogEvent
from cloudtrail_fdw.sources.scan.window_ask import FOREVER
from scan_model import SETTLE, Clock, Group


def test_a_shelf_has_a_directory_of_its_clauses(group: Group) -> None:
    shelves = Shelves(group.folder / PAGES / "x", "g", SETTLE)
    made = shelves.shelf(("a", "b"), "{ p }")
    assert read_json(made.path / LABEL, 0, OF_SHELF) == {
        "log_group": "g", "filter_pattern": "{ p }", "clauses": ["a", "b"]}  # fmt: skip
    assert made.settle == SETTLE
    assert [(clauses, shelf.path, shelf.settle) for clauses, shelf in shelves.all()] == [
        ({"a", "b"}, made.path, SETTLE)]  # fmt: skip
    (made.path / LABEL).write_text('{"clauses": "ab"}')
    assert shelves.all() == []
    assert len(made.path.name) == 32
    assert page_cache.shelf_name(["a", "b"]) != page_cache.shelf_name(["ab"])
    assert page_cache.shelf_name(["\ud800"])


def test_of_equally_narrow_shelves_the_very_one_is_first(group: Group) -> None:
    shelves = Shelves(group.folder / PAGES / "x", "g", SETTLE)
    for other in "bcdefg":
        shelves.shelf((f"a || {other}",), "")
    exact = shelves.shelf(("a",), "")
    found = shelves.usable(("a",))
    assert len(found) == 7
    assert found[0].path == exact.path


READER = """
import sys
from pathlib import Path
from cloudtrail_fdw.sources.cache.fetch_lock import fetching
with fetching(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), 100) as lock:
    print("reading" if lock else "waiting", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def reader(shelf: Shelf, low: int, high: int) -> Iterator[None]:
    """Another process that reads [low, high)."""
    command = [sys.executable, "-c", READER, str(shelf.path), str(low), str(high)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "reading\n"
        yield
        process.stdin.close()


def test_it_is_seen_that_another_process_reads_by_another_pattern(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, "g", SETTLE)
    narrow = shelves.shelf(("a",), "{ a }")
    shelves.shelf(("b",), "{ b }")
    assert not shelves.others_read(("b",), 100, 200, 100)
    with reader(narrow, 100, 200):
        assert shelves.others_read(("b",), 150, 300, 150)
        assert shelves.others_read((), 150, 300, 150)
        assert not shelves.others_read(("a",), 150, 300, 150)  # that is waited for instead
        assert not shelves.others_read(("b",), 200, 300, 100)  # another time
        assert not shelves.wide_read(100, 200, 100)
    assert not shelves.others_read(("b",), 150, 300, 150)


def test_it_is_seen_that_another_process_reads_everything_up_to_now(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, "g", SETTLE)
    now = int(time.time() * 1000)
    low = now - 1_000_000
    with reader(shelves.shelf((), ""), low, FOREVER):
        assert shelves.wide_read(low, FOREVER, 110_000)
        assert not shelves.wide_read(low, FOREVER, 99_000)  # it may take ten times as long
        assert shelves.wide_read(now - 1, now, 110_000)
        assert not shelves.wide_read(low - 9, low, 110_000)
        assert shelves.others_read(("a",), low, FOREVER, 110_000)
        assert not shelves.others_read((), low, FOREVER, 110_000)
    assert not shelves.wide_read(low, FOREVER, 110_000)


def test_a_fetch_leaves_no_descriptor_and_passes_by_what_is_no_fetch(tmp_path: Path) -> None:
    before = list(Path("/proc/self/fd").iterdir())
    with (tmp_path / f"strange{LOCK}").open("w") as strange:
        fcntl.flock(strange, fcntl.LOCK_EX)
        for _ in range(3):
            with fetching(tmp_path, 0, 100, 100) as lock:
                assert lock is not None
                (own,) = (path for path in tmp_path.glob(f"*{LOCK}") if path.name[0] == "0")
                assert stat.S_IMODE(own.stat().st_mode) == 0o600
                own.unlink()  # as who clears the cache does
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_piece_is_kept_in_the_order_of_delivery(shelf: Shelf, newest_first: bool) -> None:
    events = [LogEvent("s", stamp, "{}", stamp, f"id{stamp}") for stamp in (100, 150, 199)]
    start, end = turned(100, 200, newest_first)
    piece = Piece(start, end, events[::-1] if newest_first else events, 3)
    made = keep(shelf, piece, 900_000, newest_first)
    assert made == Chunk(100, 200, 900_000, 3, 6, 3)
    assert shelf.load(made) == events
    assert keep(shelf, Piece(*turned(200, 300, newest_first), [], 1), 900_000, newest_first) is None
    assert [(c.start, c.end, c.calls) for c in page_cache.listed(shelf.path)] == [(100, 300, 4)]


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [(0, 200, 1), (100, 200, 1), (100, 150, 0.5), (150, 400, 0.5), (0, 100, 0), (200, 300, 0),
     (0, 99, 0), (120, 130, 0.1)],
)  # fmt: skip
def test_the_share_of_a_chunk_in_a_span(low: int, high: int, share: float) -> None:
    assert overlap(Chunk(100, 200, 1000, 0, 0, 1), low, high) == share
    assert overlap(Chunk(100, 900, 200, 0, 0, 1), low, high) == share  # known until 200
    assert overlap(Chunk(100, 100, 1000, 0, 0, 1), low, high) == 0
    assert overlap(Chunk(low, low + 1, 1000, 0, 0, 1), low, high) == 1


def test_the_density_is_known_from_a_call_or_a_quarter_of_the_time(shelf: Shelf) -> None:
    shelves = Shelves(shelf.path.parent, "g", SETTLE)
    shelf.write(Chunk(1000, 1250, 9000, 0, 0, 9), [])
    assert shelves.density(1000, 2000) is None
    assert shelves.density(1000, 1999) == 0
    assert shelves.density(1000, 1000) is None
    assert shelves.density(1100, 1100) is None
    assert shelves.density(1100, 1101) == 0
    assert shelves.density(1500, 1900) == 0  # as far as the span is wide
    assert shelves.density(1500, 1750) is None
    assert shelves.density(800, 900) is None
    assert shelves.density(800, 901) == 0
    shelf.write(Chunk(1250, 1500, 9000, PAGE_EVENTS, 1, 1), [])
    assert shelves.density(1000, 9000) == 1 / 500
    shelf.write(Chunk(1500, 2000, 9000, 1, 3 * PAGE_BYTES, 1), [])
    assert shelves.density(1000, 9000) == 4 / 1000
    shelves.shelf(("a",), "").write(Chunk(0, 9000, 9999, PAGE_EVENTS, 1, 1), [])
    assert shelves.density(1000, 9000) == 4 / 1000  # without clauses


def test_the_index_leaves_out_what_is_unusable(group: Group, clock: Clock) -> None:
    shelves = Shelves(group.folder / PAGES / "x", "g", SETTLE)
    clock.now = 1_000_000
    narrow, wide = shelves.shelf(("a",), ""), shelves.shelf((), "")
    for shelf in (narrow, wide):
        shelf.write(Chunk(0, 50, 900_000, 0, 0, 1), [])
    first = Index([narrow, wide], False, 0)
    assert first.next_start(9) == 0
    assert first.next_start(-9) == -9
    found = first.at(0)
    assert found is not None
    assert found[0] is narrow  # of equal reach the first
    assert found[1].until == 50
    (chunk,) = narrow.chunks()
    assert Index([narrow, wide], False, 0, [chunk]).at(0) is None
    assert Index([narrow], False, 0).at(-1) is None
