"""Pages cut into pieces: every event once, spans that touch, whatever the pages look like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.cache.pieces import Piece, cut, turned
from cloudtrail_fdw.sources.record.log_event import LogEvent

Pages = list[tuple[list[LogEvent], bool]]
LOW, HIGH = 1000, 1012


def event(number: int, stamp: int) -> LogEvent:
    return LogEvent("s", stamp, f"m{number}", stamp + 1, f"id{number}")


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[LogEvent], Pages, bool]:
    """All events of [LOW, HIGH), the pages they come in, and whether newest first."""
    stamps = sorted(draw(st.lists(st.integers(LOW, HIGH - 1), max_size=25)))
    newest_first = draw(st.booleans())
    events = [event(number, stamp) for number, stamp in enumerate(stamps)]
    order = events[::-1] if newest_first else events
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=8)))  # equal ones: empty pages
    parts = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)])]
    before: list[LogEvent] = []
    for part in parts:
        if before and draw(st.booleans()):  # AWS may repeat an event on the next page
            part.insert(0, before[-1])
        if part and draw(st.booleans()):
            part.append(part[-1])
        before = part or before
    pages = [(part, number == len(parts) - 1) for number, part in enumerate(parts)]
    return events, pages, newest_first


@given(chains(), st.lists(st.integers(0, 6), max_size=30))
def test_the_pieces_hold_every_event_once(
    chain: tuple[list[LogEvent], Pages, bool], steals: list[int]
) -> None:
    events, pages, newest_first = chain
    start, end = turned(LOW, HIGH, newest_first)
    limits = [end]  # comes nearer, never nearer than what was read
    reached = [start]

    def limit() -> int:
        if steals and steals.pop() == 0:
            limits.append(max(reached[-1], (reached[-1] + limits[-1]) // 2))
        return limits[-1]

    found = []
    for piece in cut(pages, start, limit, newest_first):
        assert piece.start == reached[-1]
        reached.append(piece.end)
        low, high = turned(piece.start, piece.end, newest_first)
        assert all(low <= e.timestamp < high for e in piece.events)
        found.append(piece)
    assert reached[-1] == limits[-1]
    low, high = turned(start, limits[-1], newest_first)
    expected = [e for e in events if low <= e.timestamp < high]
    got = [e for piece in found for e in piece.events]
    assert sorted(e.event_id for e in got) == sorted(e.event_id for e in expected)
    stamps = [e.timestamp for e in got]
    assert stamps == sorted(stamps, reverse=newest_first)
    assert 0 <= sum(piece.calls for piece in found) <= len(pages)
    if limits == [end]:
        assert sum(piece.calls for piece in found) == len(pages)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_piece_comes_as_soon_as_it_is_whole(newest_first: bool) -> None:
    events = [event(number, LOW + number // 2) for number in range(8)]
    order = events[::-1] if newest_first else events
    start, end = turned(LOW, HIGH, newest_first)
    asked = []

    def pages() -> Iterator[tuple[list[LogEvent], bool]]:
        for number in range(0, 8, 4):
            asked.append(number)
            yield order[number : number + 4], False
        yield [], True

    pieces = cut(pages(), start, lambda: end, newest_first)
    first = next(pieces)
    assert asked == [0]
    assert [e.event_id for e in first.events] == [e.event_id for e in order[:2]]
    assert [(len(piece.events), piece.calls) for piece in pieces] == [(4, 1), (2, 1)]


def test_a_chain_that_stops_claims_only_what_it_has_read() -> None:
    pages: Pages = [([event(1, LOW), event(2, LOW + 5)], False), ([event(3, LOW + 5)], False)]
    assert list(cut(pages, LOW, lambda: HIGH, newest_first=False)) == [
        Piece(LOW, LOW + 5, [event(1, LOW)], 1)
    ]


def test_no_page_is_asked_for_behind_the_end() -> None:
    def pages() -> Iterator[tuple[list[LogEvent], bool]]:
        yield [event(1, LOW), event(2, HIGH)], False
        raise AssertionError

    assert list(cut(pages(), LOW, lambda: HIGH, newest_first=False)) == [
        Piece(LOW, HIGH, [event(1, LOW)], 1)
    ]


@pytest.mark.parametrize("stamps", [(LOW + 3, LOW + 2), (LOW - 1, LOW + 2)])
def test_pages_out_of_order_are_an_error(stamps: tuple[int, ...]) -> None:
    pages: Pages = [([event(stamp, stamp) for stamp in stamps], True)]
    with pytest.raises(FdwError, match="out of order"):
        list(cut(pages, LOW, lambda: HIGH, newest_first=False))


def test_a_clipped_piece_keeps_what_lies_before_the_end() -> None:
    stamps = [LOW, LOW + 1, LOW + 2]
    events = [event(stamp, stamp) for stamp in stamps]
    piece = Piece(LOW, HIGH, events, 2)
    assert piece.clipped(HIGH, newest_first=False) is piece
    assert piece.clipped(LOW + 2, newest_first=False) == Piece(LOW, LOW + 2, events[:2], 2)
    turned_piece = Piece(*turned(LOW, HIGH, newest_first=True), events[::-1], 2)
    clipped = turned_piece.clipped(-LOW, newest_first=True)
    assert clipped == Piece(1 - HIGH, -LOW, events[:0:-1], 2)
    assert turned(*turned(3, 9, newest_first=True), newest_first=True) == (3, 9)
