"""Scans through the cache: whatever happened to it, the answer is what the service would say."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trials
from hypothesis import strategies as st

from cloudtrail_fdw.sources.cache import made_rows, page_cache
from cloudtrail_fdw.sources.cache.made_rows import RowMaker
from cloudtrail_fdw.sources.cache.page_cache import EVENTS
from cloudtrail_fdw.sources.scan import window_scan
from cloudtrail_fdw.sources.scan.window_ask import FOREVER
from cloudtrail_fdw.sources.scan.window_scan import EDGE
from scan_model import CLAUSES, SETTLE, START, Clock, Group, install, scan

PACKED = RowMaker(msgspec.msgpack.encode, ["events"])
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
        st.booleans(),  # as rows, which are kept
    ),
)
DAMAGES = st.tuples(st.just("damage"), st.tuples(st.integers(0, 99), st.integers(0, 4)))
STEPS = st.lists(
    st.one_of(QUERIES, QUERIES, APPENDS, DAMAGES, st.tuples(st.just("pass"), st.integers(0, 40))),
    max_size=14,
)


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
    low, width, clauses, newest_first, ordered, pages, latency, max_age, packed = query
    high = min(low + width, FOREVER)
    held = scan(group, low, high, clauses, newest_first=newest_first or not ordered,
                ordered=ordered, latency=latency, cache_max_age=max_age)  # fmt: skip
    newest_first = newest_first or not ordered
    read = map(EVENTS.decode, held.read_rows(PACKED)) if packed else held.read()
    found = [event for page in itertools.islice(read, pages) for event in page]
    if pages is not None:
        held.stop.set()
        del read
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
@given(
    STEPS, st.sampled_from([0, 20, 100, 1_000_000]), st.sampled_from([0, 10 << 20, 90 << 20]),
    st.sampled_from([1, EDGE]),
)  # fmt: skip
def test_the_answer_is_what_the_service_has(
    steps: list[tuple[str, Any]], merged: int, stored: int, edge: int
) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        group = Group(clock, Path(folder) / "cache")
        group.stored_bytes = stored
        install(patch, clock, group)
        patch.setattr(page_cache, "MERGED_BYTES", merged)
        patch.setattr(made_rows, "SHARE", 1000)
        patch.setattr(window_scan, "EDGE", edge)
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
        for packed in (False, True):
            ask(group, (0, FOREVER, [], True, False, None, 0.0, "0", packed))
