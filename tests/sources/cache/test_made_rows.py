"""Rows that are kept beside the chunks they were made of: when they answer, and when they leave."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import msgspec
import pytest

from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.cache import made_rows, page_cache
from cloudtrail_fdw.sources.cache.cache_contents import clear, entries, trim
from cloudtrail_fdw.sources.cache.made_rows import Page, Place, RowMaker
from cloudtrail_fdw.sources.cache.page_cache import DAY, PAGES, ROWS, Chunk, Shelf
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.tables import event_pages
from cloudtrail_fdw.tables.event_pages import Reading
from scan_model import SETTLE, START, Clock, Group, install, scan

WHAT = ("a layout",)
BIG = LogEvent("s", 5, "x" * 100, 5, "id")


@pytest.fixture
def group(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    """Nine events in three pages, long settled."""
    found = Group(clock, tmp_path / "cache")
    install(monkeypatch, clock, found)
    monkeypatch.setattr(page_cache, "MERGED_BYTES", 0)
    for _ in range(9):
        clock.now += 10
        found.append(0, "a")
    clock.now += 1000
    return found


class Counting(RowMaker):
    """Makes the identifiers, a byte each, and counts the events it made them of."""

    def __init__(self, *what: str) -> None:
        super().__init__(self.pack, what or WHAT)
        self.made = 0

    def pack(self, events: Sequence[LogEvent]) -> bytes:
        self.made += len(events)
        return "".join(event.event_id[2:] for event in events).encode()


def answer(
    group: Group, maker: RowMaker, low: int = START, high: Optional[int] = None, **how: bool
) -> str:
    found = scan(group, low, high or group.clock.now - SETTLE, **how)
    return b"".join(found.read_rows(maker)).decode()


def files(group: Group) -> list[Path]:
    return sorted(group.folder.glob(f"{PAGES}/*/*/*{ROWS}"))


def test_rows_are_made_once(group: Group) -> None:
    first = Counting()
    assert answer(group, first) == "876543210"
    assert first.made == 9
    again = Counting()
    found = scan(group, START, group.clock.now - SETTLE)
    assert b"".join(found.read_rows(again)) == b"876543210"
    assert again.made == 0
    assert (found.budget.calls, found.budget.cache_events) == (0, 9)


def test_events_that_were_read_before_are_made_into_rows_once(group: Group) -> None:
    list(scan(group, START, group.clock.now - SETTLE).read())
    assert files(group) == []
    maker = Counting()
    assert answer(group, maker) == answer(group, maker) == "876543210"
    assert maker.made == 9


def test_other_rows_and_other_orders_are_not_mixed_up(group: Group) -> None:
    group.clock.now += 1000
    answer(group, Counting())
    other = Counting("another layout")
    answer(group, other)
    assert other.made == 9
    forward = Counting()
    order = {"newest_first": False, "ordered": True}
    assert answer(group, forward, **order) == "012345678"
    assert answer(group, forward, **order) == "012345678"
    assert forward.made == 9
    assert answer(group, Counting()) == "876543210"


def test_a_part_of_a_chunk_is_made_anew(group: Group) -> None:
    answer(group, Counting())
    stamps = sorted(event.timestamp for _, event in group.arrived)
    for low, high, read in (
        (stamps[1], stamps[-1] + 1, "87654321"), (START, stamps[-1], "76543210"),
    ):  # fmt: skip
        maker = Counting()
        assert answer(group, maker, low, high) == read
        assert 0 < maker.made < 9
    assert answer(group, Counting()) == "876543210"


@pytest.mark.parametrize("damage", [b"", b"\0\0\0", b"\0\0\0\0876543210"])
def test_damaged_rows_are_made_anew(group: Group, damage: bytes) -> None:
    answer(group, Counting())
    for path in files(group):
        path.write_bytes(damage)
    maker = Counting()
    assert answer(group, maker) == "876543210"
    assert maker.made == 9
    assert answer(group, maker) == "876543210"
    assert maker.made == 9


def test_without_room_rows_are_made_each_time(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(scan(group, START, group.clock.now - SETTLE).read())

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(made_rows, "write_sealed", refuse)
    maker = Counting()
    assert answer(group, maker) == answer(group, maker) == "876543210"
    assert maker.made == 18


def test_rows_as_large_as_their_events_are_not_kept(shelf: Shelf) -> None:
    chunk = Chunk(0, 10, 100, 1, 100, 1)
    shelf.write(chunk, [BIG])
    for size, kept in ((51, False), (50, True)):
        maker = RowMaker(lambda events, size=size: b"x" * size, WHAT)  # type: ignore[misc]
        maker.rows(Page([BIG], None, Place(shelf, chunk, True)))
        assert (maker.load(Place(shelf, chunk, True)) is not None) == kept


def held(shelf: Shelf, chunk: Chunk) -> bool:
    return bool(list(shelf.path.glob(f"{chunk.stem}.*{ROWS}")))


def test_rows_leave_with_their_chunk(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = RowMaker(lambda events: b"rows", WHAT)

    def kept(chunk: Chunk) -> Chunk:
        shelf.write(chunk, [BIG])
        maker.keep(Place(shelf, chunk, True), b"rows")
        maker.keep(Place(shelf, chunk, False), b"rows")
        assert held(shelf, chunk)
        return chunk

    damaged = kept(Chunk(0, 10, DAY, 1, 100, 1))
    (shelf.path / damaged.name).write_bytes(b"")
    assert shelf.load(damaged) is None
    expired = kept(Chunk(0, 11, DAY, 1, 100, 1))
    shelf.expire(11)
    monkeypatch.setattr(page_cache, "MERGED_BYTES", 1000)
    joined = kept(Chunk(20, 30, DAY, 1, 100, 1))
    shelf.save(Chunk(30, 40, DAY, 0, 0, 1), [])
    assert not any(held(shelf, chunk) for chunk in (damaged, expired, joined))
    late = Chunk(50, 60, DAY, 1, 100, 1)  # removed while its rows were made
    maker.keep(Place(shelf, late, True), b"rows")
    assert not held(shelf, late)


def test_rows_leave_before_their_chunks_and_with_the_cache(group: Group) -> None:
    answer(group, Counting())
    for path in group.folder.glob(f"{PAGES}/*/*/*"):
        os.utime(path, (1000, 1000))
    answer(group, Counting())  # used now
    sizes = [path.stat().st_size + 4096 for path in group.folder.glob(f"{PAGES}/*/*/*-*")]
    counts = []
    for most in range(sum(sizes), 0, -min(sizes)):
        trim(group.folder, most)
        chunks = {entry.chunk.stem for entry in entries(group.folder)}
        assert {path.name.split(".")[0] for path in files(group)} <= chunks
        assert sum(path.stat().st_size + 4096 for path in files(group)) <= most / 4
        counts.append((len(files(group)), len(chunks)))
    assert counts[0] == (len(sizes) // 4, len(sizes) - 3)  # all files are of about the same size
    assert counts[-1] == (0, 0) or counts[-1] == (0, 1)
    answer(group, Counting())
    held = len(list(entries(group.folder)))
    assert held >= len(files(group)) == 3
    assert clear(group.folder) == held
    assert files(group) == []


def test_each_layout_and_group_has_rows_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(layout: Sequence[str], **origin: object) -> str:
        reading = Reading(None, read_settings({}), layout)  # type: ignore[arg-type]
        return reading.maker(origin).key

    first = key(["event_id", ""], log_group_name="a", filter=None)
    assert key(["event_id", ""], log_group_name="a", filter=None) == first
    others = [
        key(["", "event_id"], log_group_name="a", filter=None),
        key(["event_id", "event_name"], log_group_name="a", filter=None),
        key(["event_id", ""], log_group_name="b", filter=None),
        key(["event_id", ""], log_group_name="a", filter="None"),
    ]
    monkeypatch.setattr(event_pages, "edition", lambda: "another")
    others.append(key(["event_id", ""], log_group_name="a", filter=None))
    assert len({first, *others}) == 6


def test_the_edition_is_of_the_code_that_makes_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    event_pages.edition.cache_clear()
    now = event_pages.edition()
    for number, module in enumerate(event_pages.DECODERS):
        changed = tmp_path / f"{number}.py"
        changed.write_bytes(Path(str(module.__file__)).read_bytes() + b"\n")
        with monkeypatch.context() as patch:
            patch.setattr(module, "__file__", str(changed))
            event_pages.edition.cache_clear()
            assert event_pages.edition() != now
    monkeypatch.setattr(msgspec, "__version__", "another")
    event_pages.edition.cache_clear()
    assert event_pages.edition() != now
    monkeypatch.undo()
    event_pages.edition.cache_clear()
    assert event_pages.edition() == now


def test_rows_alone_do_not_outgrow_the_cache(group: Group) -> None:
    list(scan(group, START, group.clock.now - SETTLE).read())
    held = len(list(entries(group.folder)))
    sizes = sum(path.stat().st_size + 4096 for path in group.folder.glob(f"{PAGES}/*/*/*-*"))
    for number in range(4):
        found = scan(group, START, group.clock.now - SETTLE, cache_size=str(sizes * 2))
        assert b"".join(found.read_rows(Counting(f"layout {number}"))) == b"876543210"
        assert found.budget.calls == 0
        assert 0 < len(files(group)) <= 2 + held * 2 // 4
