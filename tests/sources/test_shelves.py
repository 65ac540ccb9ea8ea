"""Shelves: which may answer, what their calls cost, and the index of their chunks."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cloudtrail_fdw.sources import page_cache, window_ask
from cloudtrail_fdw.sources.aws import PAGE_BYTES
from cloudtrail_fdw.sources.cache_directory import write_json
from cloudtrail_fdw.sources.cloudwatch_logs import PAGE_EVENTS
from cloudtrail_fdw.sources.filter_pattern import join_clauses
from cloudtrail_fdw.sources.log_groups import LogGroup, answer_name
from cloudtrail_fdw.sources.page_cache import LABEL, PAGES, Chunk, Shelf
from cloudtrail_fdw.sources.shelves import Index, Shelves, overlap
from cloudtrail_fdw.sources.window_ask import FOREVER, Ask, foresee, shelves_of
from scan_model import CLAUSES, SETTLE, START, Clock, Group, install, settings


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


def test_a_shelf_has_a_directory_of_its_clauses(group: Group) -> None:
    shelves = Shelves(group.folder / PAGES / "x", "g", "", SETTLE)
    made = shelves.shelf(("a", "b"), "{ p }")
    assert json.loads((made.path / LABEL).read_text()) == {
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
    shelves = Shelves(group.folder / PAGES / "x", "g", "", SETTLE)
    for other in "bcdefg":
        shelves.shelf((f"a || {other}",), "")
    exact = shelves.shelf(("a",), "")
    found = shelves.usable(("a",))
    assert len(found) == 7
    assert found[0].path == exact.path


READER = """
import sys, time
from pathlib import Path
from cloudtrail_fdw.sources.fetch_lock import fetching
with fetching(Path(sys.argv[1]), 100, 200, 100) as lock:
    print("reading" if lock else "waiting", flush=True)
    sys.stdin.read()
"""


def test_it_is_seen_that_another_process_reads_by_another_pattern(tmp_path: Path) -> None:
    shelves = Shelves(tmp_path, "g", "", SETTLE)
    narrow = shelves.shelf(("a",), "{ a }")
    shelves.shelf(("b",), "{ b }")
    assert not shelves.others_read(("b",), 100, 200, 100)
    command = [sys.executable, "-c", READER, str(narrow.path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as reader:  # type: ignore[call-overload]
        assert reader.stdout.readline() == "reading\n"
        assert shelves.others_read(("b",), 150, 300, 150)
        assert shelves.others_read((), 150, 300, 150)
        assert not shelves.others_read(("a",), 150, 300, 150)  # that is waited for instead
        assert not shelves.others_read(("b",), 200, 300, 100)  # another time
        reader.stdin.close()
    assert not shelves.others_read(("b",), 150, 300, 150)


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [(0, 200, 1), (100, 200, 1), (100, 150, 0.5), (150, 400, 0.5), (0, 100, 0), (200, 300, 0),
     (0, 99, 0), (120, 130, 0.1)],
)  # fmt: skip
def test_the_share_of_a_chunk_in_a_span(low: int, high: int, share: float) -> None:
    assert overlap(Chunk(100, 200, 1000, 0, 0, 1), low, high) == share
    assert overlap(Chunk(100, 900, 200, 0, 0, 1), low, high) == share  # known until 200
    assert overlap(Chunk(100, 100, 1000, 0, 0, 1), low, high) == 0


def test_the_density_is_known_from_a_call_or_a_quarter_of_the_time(shelf: Shelf) -> None:
    shelves = Shelves(shelf.path.parent, "g", "", SETTLE)
    shelf.write(Chunk(1000, 1250, 9000, 0, 0, 9), [])
    assert shelves.density(1000, 2000) is None
    assert shelves.density(1000, 1999) == 0
    assert shelves.density(1000, 1000) is None
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
    shelves = Shelves(group.folder / PAGES / "x", "g", "", SETTLE)
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


def wanted(low: int, high: int, *clauses: str, own: str = "") -> Ask:
    return Ask(LogGroup("g"), START + low, START + high, (), own, clauses, True, False)


def test_what_a_window_takes_is_told_before_it_is_read(
    group: Group, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_ask, "time", clock)
    clock.now = START + 3000  # of which the group has ten pages a thousand ms
    chosen, facts = settings(group.folder), group.facts
    assert foresee(chosen, wanted(0, 1000)) is None
    write_json(group.folder / answer_name(chosen, "group", "g"), asdict(facts))
    assert foresee(settings(group.folder, cache="off"), wanted(0, 1000)) is None

    def told(*what: int | str, **how: str) -> tuple[float, float]:
        own, low, high, *clauses = how.pop("own", ""), *what
        ask = wanted(int(low), int(high), *map(str, clauses), own=own)
        found = foresee(settings(group.folder, **how), ask)
        assert found is not None
        return round(found[0], 9), round(found[1], 9)

    assert told(0, 1000) == told(-500, 1000) == (0, 10)  # there was no group before
    assert told(1000, FOREVER) == (0, 20)  # and there is nothing yet from now on
    shelves = shelves_of(chosen, wanted(0, 1), facts)
    assert shelves is not None
    assert shelves.settle == SETTLE
    shelves.shelf((), "").write(Chunk(START + 400, START + 600, START + 600, 0, 0, 1), [])
    assert told(400, 580) == told(450, 550) == (1, 0)
    assert told(0, 1000) == (0.18, 8.2)
    assert told(0, 1000, cache_max_age="2400 ms") == (0.18, 8.2)
    assert told(0, 1000, cache_max_age="2401 ms") == (0.2, 8)
    assert told(0, 1000, CLAUSES[0]) == (0.18, 2)  # a call for each gap at least
    assert told(0, 1000, own="x") == (0, 1)  # of other shelves
    assert told(3000, 4000) == told(3001, 4000) == told(500, 500) == (1, 0)


def test_each_that_is_asked_otherwise_has_shelves_of_its_own(group: Group) -> None:
    facts, ask, chosen = group.facts, wanted(0, 1), settings(group.folder)
    others = [
        (chosen, replace(ask, streams=("a",)), facts), (chosen, replace(ask, own="a"), facts),
        (chosen, replace(ask, late="a"), facts), (chosen, ask, replace(facts, caller="you")),
        (chosen, ask, replace(facts, arn="a")), (chosen, ask, replace(facts, region="a")),
        (chosen, ask, replace(facts, creation=1)), (chosen, ask, facts),
        (settings(group.folder, endpoint_url="http://127.0.0.1:1"), ask, facts),
    ]  # fmt: skip
    found = [shelves_of(*other) for other in others]
    assert len({shelves.path for shelves in found if shelves}) == len(others)
    same = shelves_of(chosen, replace(ask, low=7, clauses=("a",), ordered=True), facts)
    assert same is not None
    assert same.path in {shelves.path for shelves in found if shelves}


def test_what_may_not_be_left_out_is_in_every_pattern() -> None:
    ask = wanted(0, 1, own="{ $.o = 1 }")
    assert ask.pattern(CLAUSES[:1]) == join_clauses(ask.own, CLAUSES[:1])
    late = replace(ask, late=CLAUSES[2])
    assert late.pattern(()) == join_clauses(ask.own, CLAUSES[2:])
    assert late.pattern(CLAUSES[:1]) == join_clauses(ask.own, [CLAUSES[0], CLAUSES[2]])
