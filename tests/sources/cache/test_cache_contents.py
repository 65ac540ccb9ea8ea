"""What is in the cache, and what leaves it first: rows for chunks, and the least recently used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloudtrail_fdw.sources.cache import cache_contents
from cloudtrail_fdw.sources.cache.cache_contents import clear, entries, trim
from cloudtrail_fdw.sources.cache.made_rows import Place, RowMaker
from cloudtrail_fdw.sources.cache.page_cache import LABEL, PAGES, ROWS, SUFFIX, Chunk, Shelf
from cloudtrail_fdw.sources.cache.shelves import Shelves

CONTENT = 100  # bytes
SIZE = CONTENT + 4096  # what a file takes beside it


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder among the pages."""
    folder = tmp_path / PAGES / "x" / "y"
    folder.mkdir(parents=True)
    return folder


def lay(folder: Path, *names: str, used: float = 1000.0) -> None:
    """Files of one size, the first the longest unused."""
    for number, name in enumerate(names):
        path = folder / name
        path.write_bytes(b"x" * CONTENT)
        os.utime(path, (used + number, used + number))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


EVENTS = [f"{number}{SUFFIX}" for number in range(4)]
MADE = [f"{number}{ROWS}" for number in range(4)]


def test_entries_are_told_shelf_by_shelf_with_what_they_are_of(tmp_path: Path) -> None:
    made = {}
    for group, clauses in (("g", ("a",)), ("h", ())):
        shelf = Shelves(tmp_path / PAGES / group, group, 20).shelf(clauses, f"{{ {group} }}")
        for start in (100, 9, 20):
            shelf.write(Chunk(start, start + 5, 1000, 0, 0, 1), [])
        made[group] = shelf
    assert [(e.log_group, e.filter_pattern, e.chunk.start) for e in entries(tmp_path)] == [
        (group, f"{{ {group} }}", start) for group in "gh" for start in (9, 20, 100)
    ]
    (made["g"].path / LABEL).write_text("[")
    assert [e.log_group for e in entries(tmp_path)][2:] == ["", "h", "h", "h"]
    made["h"].remove(Chunk(9, 14, 1000, 0, 0, 1))
    assert clear(tmp_path) == 5
    assert list(entries(tmp_path)) == []


def test_clear_forgets_groups_and_trails(tmp_path: Path) -> None:
    lay(tmp_path, "group-1", "trails-1", "rate-1", "names.sqlite")
    assert clear(tmp_path) == 0
    assert names(tmp_path) == ["names.sqlite", "rate-1"]


@pytest.mark.parametrize(
    ("most", "left"),
    [(4 * SIZE, 4), (4 * SIZE - 1, 3), (3 * SIZE, 3), (2 * SIZE, 2), (SIZE, 1), (1, 0), (0, 0)],
)
def test_the_least_recently_used_leave_until_the_rest_fits(
    tmp_path: Path, shelf: Path, most: int, left: int
) -> None:
    lay(shelf, *EVENTS[:2])
    other = tmp_path / PAGES / "z" / "y"
    other.mkdir(parents=True)
    lay(other, *EVENTS[2:], used=2000.0)
    trim(tmp_path, most)
    assert names(shelf) + names(other) == EVENTS[4 - left :]


@pytest.mark.parametrize(
    ("most", "rows", "events"),
    [
        (16 * SIZE, 4, 4),
        (16 * SIZE - 4, 3, 4),  # a fourth of the room is for rows, whatever else there is
        (8 * SIZE, 2, 4),
        (6 * SIZE, 1, 4),  # what left already does not count
        (4 * SIZE, 0, 4),  # the row that may stay was unused for longer than any chunk
        (3 * SIZE, 0, 3),
        (0, 0, 0),
    ],
)
def test_rows_have_a_share(tmp_path: Path, shelf: Path, most: int, rows: int, events: int) -> None:
    lay(shelf, *MADE)
    lay(shelf, *EVENTS, used=2000.0)
    trim(tmp_path, most)
    assert names(shelf) == sorted(MADE[4 - rows :] + EVENTS[4 - events :])


def test_rows_that_are_used_outlive_chunks_that_are_not(tmp_path: Path, shelf: Path) -> None:
    lay(shelf, *EVENTS)
    lay(shelf, *MADE, used=2000.0)
    trim(tmp_path, 4 * SIZE)
    assert names(shelf) == sorted([*EVENTS[1:], MADE[3]])


def test_parts_leave_when_nobody_writes_them_any_more(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_contents, "time", SimpleNamespace(time=lambda: 9600.0))
    lay(shelf, ".1-1.part", used=5999.5)
    lay(shelf, ".1-2.part", used=6000.0)  # an hour ago
    lay(shelf, LABEL, "1-2-3-4.lock", "fetching")
    trim(tmp_path, 1 << 40)
    assert names(shelf) == [".1-2.part", "1-2-3-4.lock", "fetching", LABEL]
    lay(shelf, EVENTS[0])
    trim(tmp_path, SIZE)  # nothing else counts
    assert EVENTS[0] in names(shelf)
    trim(tmp_path, 0)
    assert names(shelf) == [".1-2.part", "1-2-3-4.lock", "fetching", LABEL]


def test_what_cannot_be_removed_does_not_stop_the_rest(tmp_path: Path, shelf: Path) -> None:
    lay(shelf, *EVENTS[1:], used=2000.0)
    (shelf / EVENTS[0]).mkdir()  # no file, so that not even root can unlink it
    os.utime(shelf / EVENTS[0], (1000, 1000))
    trim(tmp_path, 0)
    assert names(shelf) == EVENTS[:1]


def test_what_is_read_was_used_now(shelf: Path) -> None:
    held, chunk, maker = (
        Shelf(shelf, 20),
        Chunk(0, 9, 99, 0, 0, 1),
        RowMaker(lambda _: b"", ("rows",)),
    )
    place = Place(held, chunk, newest_first=True)
    held.write(chunk, [])
    maker.keep(place, b"rows")
    rows, events = shelf / maker.name(place), shelf / chunk.name

    def used(read: Callable[[], object]) -> tuple[bool, bool]:
        for path in (rows, events):
            os.utime(path, (1000, 1000))
        assert read() is not None
        return rows.stat().st_mtime > 1000, events.stat().st_mtime > 1000

    assert used(lambda: held.load(chunk)) == (False, True)
    assert used(lambda: maker.load(place)) == (True, True)  # they leave before their chunk
    assert rows.stat().st_mtime <= events.stat().st_mtime
    rows.write_bytes(b"damaged")
    assert maker.load(place) is None
    assert not rows.exists()
    assert events.exists()
