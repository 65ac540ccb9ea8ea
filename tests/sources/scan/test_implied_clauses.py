"""A list answers its parts: shelves of longer IN lists are used, and only where that is exact."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from cloudtrail_fdw.bounds import Bounds, In, Is, IsNull, Predicate, Prefix, Within
from cloudtrail_fdw.sandbox.local_aws.pattern import compile_pattern
from cloudtrail_fdw.sources.cache.shelves import implies
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.scan.filter_pattern import build_clauses, join_clauses
from cloudtrail_fdw.sources.scan.window_ask import FOREVER
from cloudtrail_fdw.tables.cloudtrail_event import TABLE
from scan_model import START, Clock, Group, ModelPieces, install, scan

NAMES = ["a", "b", "c", "d", "a|b", "a || b", "(a)", 'a" && "b', "ab", "a*", "é", "[1"]
LISTS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(sorted)
PREDICATES = st.one_of(
    LISTS.map(lambda names: In(tuple(names))),
    st.sampled_from(NAMES).map(Prefix),
    st.just(IsNull()),
)
OTHERS = st.sampled_from([("read_only", Is(value=True)), ("read_only", Is(value=False)),
                          ("source_ip", Within("10.0.0.0/8")), ("source_ip", Within("10.1.0.0/16")),
                          ("username", In(("a", "b"))), ("username", In(("b",)))])  # fmt: skip
RECORDS = st.fixed_dictionaries({}, optional={
    "eventName": st.sampled_from([*NAMES, None]), "readOnly": st.sampled_from([True, "false"]),
    "sourceIPAddress": st.sampled_from(["10.1.2.3", "10.2.3.4", "x"]),
    "userIdentity": st.just({"userName": "b"}),
})  # fmt: skip


def clauses(predicates: list[tuple[str, Predicate]]) -> tuple[str, ...]:
    bounds: dict[str, tuple[Predicate, ...]] = {}
    for name, predicate in predicates:
        bounds[name] = (*bounds.get(name, ()), predicate)
    return build_clauses(TABLE.column, Bounds(bounds), "")


CHOSEN = st.lists(PREDICATES.map(lambda p: ("event_name", p)) | OTHERS, max_size=3).map(clauses)


@trials(deadline=None)
@given(CHOSEN, CHOSEN, st.lists(RECORDS, max_size=12))
def test_what_a_clause_selects_an_implied_one_selects(
    some: tuple[str, ...], others: tuple[str, ...], records: list[dict[str, object]]
) -> None:
    for one in some:
        for other in others:
            if implies(one, other):
                narrow, wide = (compile_pattern(join_clauses("", [c])) for c in (one, other))
                messages = [json.dumps(record) for record in records]
                assert all(wide(m) for m in messages if narrow(m)), (one, other)


@pytest.mark.parametrize(
    ("one", "other", "implied"),
    [
        (In(("a",)), In(("a", "b")), True),
        (In(("a", "c")), In(("a", "b", "c")), True),
        (In(("a", "b")), In(("a", "b")), True),
        (In(("a", "b")), In(("a",)), False),
        (In(("a", "d")), In(("a", "b", "c")), False),
        (In(("a",)), Prefix("a"), False),
        (Prefix("a"), Prefix("a"), True),
    ],
)
def test_shorter_lists_imply_longer_ones(one: Predicate, other: Predicate, implied: bool) -> None:
    (narrow,), (wide,) = clauses([("event_name", one)]), clauses([("event_name", other)])
    assert implies(narrow, wide) == implied


class FilteredPieces(ModelPieces):
    """Pieces of a service that evaluates the pattern."""

    def chain_pages(
        self, low: int, high: int, pattern: str, newest_first: bool, stop: threading.Event
    ) -> Iterator[tuple[list[LogEvent], bool]]:
        test = compile_pattern(pattern) if pattern else None
        for page, last in super().chain_pages(low, high, "", newest_first, stop):
            yield [event for event in page if test is None or test(event.message)], last


def answer(group: Group, names: list[str], **options: str) -> tuple[list[str], int]:
    """The ids after PostgreSQL's own look, and the calls."""
    chosen = clauses([("event_name", In(tuple(names)))])
    found = scan(group, START, FOREVER, chosen, **options)  # type: ignore[arg-type]
    found.source.__class__ = FilteredPieces
    ids = [event.event_id for page in found.read() for event in page
           if json.loads(event.message)["eventName"] in names]  # fmt: skip
    return sorted(ids), found.budget.calls


def fill(group: Group, names: list[str]) -> None:
    for number, name in enumerate(names):
        stamp, message = group.clock.now - number // 2, json.dumps({"eventName": name})
        event = LogEvent("s", stamp, message, group.clock.now, f"id{number}")
        group.arrived.append((0, event))
    group.clock.now += 1000


@trials(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(NAMES), max_size=30), st.lists(LISTS, min_size=2, max_size=4))
def test_the_answer_from_other_lists_is_that_of_a_cold_cache(
    events: list[str], lists: list[list[str]]
) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        group = Group(clock, Path(folder) / "cache")
        install(patch, clock, group)
        fill(group, events)
        for names in lists:
            cold = sorted(f"id{n}" for n, name in enumerate(events) if name in names)
            assert answer(group, names)[0] == cold


def test_a_part_of_a_list_takes_no_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group(Clock(), tmp_path / "cache")
    install(monkeypatch, group.clock, group)
    group.stored_bytes = 1 << 40  # so that nobody reads all of it
    fill(group, ["a", "b", "c"] * 10)
    assert answer(group, ["a", "b", "c"]) == (sorted(f"id{n}" for n in range(30)), 11)
    found, calls = answer(group, ["b"])
    assert found == sorted(f"id{n}" for n in range(1, 30, 3))
    assert calls == 1  # for what has not settled
    assert answer(group, ["b", "d"])[1] > 1
