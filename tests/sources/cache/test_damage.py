"""Every file of the cache, damaged in every byte, cut at every length, or under another's name.

What is read is then right, or is as if the file were not there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudtrail_fdw.sources.aws.call_rate import CallRate
from cloudtrail_fdw.sources.cache.made_rows import Place, RowMaker
from cloudtrail_fdw.sources.cache.page_cache import LABEL, OF_SHELF, PAGES, Chunk, listed
from cloudtrail_fdw.sources.cache.shelves import Shelves
from cloudtrail_fdw.sources.disk.cache_directory import read_json, write_json
from cloudtrail_fdw.sources.names import name_cache
from cloudtrail_fdw.sources.names.name_cache import Answer
from cloudtrail_fdw.sources.remote import answer_cache
from cloudtrail_fdw.sources.remote.answer_cache import Kept
from scan_model import SETTLE, START, Clock, Group, scan

NOW = 1000.0


def damaged(path: Path) -> Iterator[None]:
    """The file with each byte changed in turn, and cut at each length, and then as it was."""
    whole = path.read_bytes()
    flips = random.Random(7)  # noqa: S311
    for place in range(len(whole)):
        changed = whole[place] ^ flips.randint(1, 255)
        path.write_bytes(whole[:place] + bytes([changed]) + whole[place + 1 :])
        yield
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        yield
    path.write_bytes(whole + b"\0")
    yield
    path.write_bytes(whole)


def answer(group: Group, low: int, high: int) -> list[str]:
    pages = scan(group, low, high, newest_first=False).read()
    return sorted(event.event_id for page in pages for event in page)


def test_json_files_are_whole_or_not_there(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("group-1", "group-2")]
    facts = [{"arn": "a", "creation": 1}, {"arn": "b", "creation": 2}]
    for path, content in zip(paths, facts):
        write_json(path, content)
    for _ in damaged(paths[0]):
        assert read_json(paths[0], 0) is None
    assert read_json(paths[0], 0) == facts[0]
    one, other = (path.read_bytes() for path in paths)
    paths[0].write_bytes(other)
    paths[1].write_bytes(one)
    assert [read_json(path, 0) for path in paths] == [None, None]


@pytest.fixture
def cached(group: Group, clock: Clock) -> tuple[int, int]:
    """A window whose events lie in the cache, those that came late among them."""
    for age in (0, 5, SETTLE * 2):  # the last one widens what is waited for
        clock.now += 7
        group.append(age, "a")
    clock.now += 1000
    window = START, clock.now - 500
    assert answer(group, *window) == ["id0", "id1", "id2"]
    return window


@pytest.mark.parametrize("pattern", ["*.events", LABEL])
def test_a_damaged_file_of_a_shelf_costs_a_call(
    group: Group, cached: tuple[int, int], pattern: str
) -> None:
    (path,) = (group.folder / PAGES).glob(f"*/*/{pattern}")
    group.calls.clear()
    whole = path.read_bytes()
    assert answer(group, *cached) == ["id0", "id1", "id2"]
    assert group.calls == []
    rounds = 0
    for _ in damaged(path):
        rounds += 1
        assert answer(group, *cached) == ["id0", "id1", "id2"]
        for chunk in path.parent.glob("*.events"):
            if chunk != path:
                chunk.unlink()
        if pattern == LABEL:
            path.write_bytes(whole)
    assert rounds > 2 * len(whole)
    assert len(group.calls) > len(whole)


def test_a_damaged_settle_time_is_not_taken_for_a_shorter_one(
    group: Group, cached: tuple[int, int]
) -> None:
    (path,) = (group.folder / PAGES).glob("*/settle")
    chunks = {chunk: chunk.read_bytes() for chunk in path.parent.glob("*/*.events")}
    assert chunks
    for _ in damaged(path):
        for chunk, content in chunks.items():
            chunk.write_bytes(content)
        group.calls.clear()
        assert answer(group, *cached) == ["id0", "id1", "id2"]
        assert group.calls


def test_chunks_rows_and_labels_of_another_shelf_are_not_taken(group: Group, clock: Clock) -> None:
    clock.now = START + 10_000
    made = []
    for name, text in (("x", "one"), ("y", "two")):
        group.append(0, text[0])
        shelf = Shelves(group.folder / PAGES / name, name, SETTLE).shelf((), "")
        chunk = Chunk(START, START + 100, START + 5000, 1, 9, 1)
        shelf.write(chunk, [group.arrived[-1][1]])
        maker = RowMaker(lambda events: events[0].event_id.encode(), ["w"])
        maker.keep(Place(shelf, chunk, False), text.encode())
        made.append((shelf, chunk, maker, Place(shelf, chunk, False)))
    for pattern in (f"*{LABEL}", "*.events", "*.rows"):
        one, other = (next(shelf.path.glob(pattern)) for shelf, *_ in made)
        mine, others = one.read_bytes(), other.read_bytes()
        one.write_bytes(others)
        other.write_bytes(mine)
    assert [maker.load(place) for _, _, maker, place in made] == [None, None]
    assert [shelf.load(chunk) for shelf, chunk, *_ in made] == [None, None]
    assert [read_json(shelf.path / LABEL, 0, OF_SHELF) for shelf, *_ in made] == [None, None]
    assert [listed(shelf.path) for shelf, *_ in made] == [[], []]


def test_damaged_rows_are_made_again(group: Group) -> None:
    shelf = Shelves(group.folder / PAGES / "x", "g", SETTLE).shelf((), "")
    maker = RowMaker(lambda events: b"", ["w"])
    place = Place(shelf, Chunk(0, 9, 50, 1, 900, 1), False)
    shelf.write(place.chunk, [])
    maker.keep(place, b"the rows")
    path = shelf.path / maker.name(place)
    for _ in damaged(path):
        assert maker.load(place) is None
        assert not path.exists()
    assert maker.load(place) == b"the rows"


def test_a_damaged_rate_is_the_full_one(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("rate-1-r", "rate-2-r")]
    for path in paths:
        for throttled in (False, True, True):
            CallRate(10.0, path).change(NOW, throttled=throttled)
    slow = NOW - 0.1  # when the next call is due by the file, and by a bucket that is full
    full = NOW - 0.2
    whole = paths[0].read_bytes()
    assert CallRate(10.0, paths[0]).change(NOW, throttled=False) == pytest.approx(slow)
    paths[0].write_bytes(whole)
    for number, _ in enumerate(damaged(paths[0])):
        found = CallRate(10.0, paths[0]).change(NOW, throttled=False)
        longer = number == 2 * len(whole)  # what follows is not looked at
        assert found == pytest.approx(slow if longer else full)
    paths[1].write_bytes(whole)
    assert CallRate(10.0, paths[1]).change(NOW, throttled=False) == pytest.approx(full)


SERVERS, NAMES = "127.0.0.1", {
    "1.in-addr.arpa": Answer("a.example", ("a.example",), "found"),
    "2.in-addr.arpa": Answer(None, (), "none"),
}  # fmt: skip


def find_names(path: Path) -> dict[str, Answer]:
    found = name_cache.NameCache(path)
    try:
        return {name: answer for name, (answer, _) in
                found.find(SERVERS, False, NAMES, 1.0).items()}  # fmt: skip
    finally:
        found.close()


def find_answers(path: Path) -> dict[str, object]:
    found = answer_cache.Cache(path)
    try:
        return {name: kept.record for name, kept in found.find("s", RECORDS, 0).items()}
    finally:
        found.close()


RECORDS = {"9.9.9.9": {"country": "CH"}, "8.8.8.8": None}


@pytest.mark.parametrize("what", ["names", "answers"])
def test_a_damaged_database_gives_what_was_kept_or_nothing(tmp_path: Path, what: str) -> None:
    path = tmp_path / "x" / "file.sqlite"
    find: Callable[[Path], dict[str, object]]
    if what == "names":
        names = name_cache.NameCache(path)
        names.keep(SERVERS, False, {name: (one, 9999.0) for name, one in NAMES.items()}, 1.0)
        names.write()
        names.close()
        find, right = find_names, dict[str, object](NAMES)  # type: ignore[assignment]
    else:
        answers = answer_cache.Cache(path)
        answers.keep("s", {name: Kept(one, 5.0) for name, one in RECORDS.items()})
        answers.close()
        find, right = find_answers, dict[str, object](RECORDS)
    whole = path.read_bytes()
    assert find(path) == right
    used = [place for place, byte in enumerate(whole) if byte][::3]
    lost = 0
    for place in used:
        for stale in path.parent.glob("file.sqlite-*"):
            stale.unlink()
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        found = find(path)
        assert found.items() <= right.items(), place
        lost += found != right
    assert lost > 20
