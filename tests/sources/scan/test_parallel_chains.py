"""Several chains over one span: every event once, and no thread or page left behind."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.aws.call_rate import CallRate
from cloudtrail_fdw.sources.cache.pieces import Piece, cut, turned
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.scan.parallel_chains import Chain, run_chains, steal

LOW, HIGH = 5000, 6000
PAGE = 7  # events


class Service:
    """Answers spans of random events page by page, as slowly as real ones do."""

    def __init__(self, seed: int, count: int, newest_first: bool, span: int = HIGH - LOW) -> None:
        self.lot = random.Random(seed)  # noqa: S311
        stamps = sorted(LOW + int(self.lot.random() ** 3 * span) for _ in range(count))
        self.events = [LogEvent("s", stamp, "m", 0, str(n)) for n, stamp in enumerate(stamps)]
        self.newest_first = newest_first
        self.calls = self.given = 0
        self.fail_at = -1

    def pages(
        self, low: int, high: int, stop: threading.Event
    ) -> Iterator[tuple[list[LogEvent], bool]]:
        assert low < high
        found = [event for event in self.events if low <= event.timestamp < high]
        if self.newest_first:
            found.reverse()
        for place in range(0, max(1, len(found)), PAGE):
            if stop.is_set():
                return
            self.calls += 1
            if self.calls == self.fail_at:
                raise FdwError("the service fails")
            time.sleep(self.lot.random() / 2000)
            yield found[place : place + PAGE], place + PAGE >= len(found)

    def read(self, start: int, limit: Callable[[], int], stop: threading.Event) -> Iterator[Piece]:
        span = turned(start, limit(), self.newest_first)
        for piece in cut(self.pages(*span, stop), start, limit, self.newest_first):
            self.given += 1
            yield piece


@pytest.fixture
def rate() -> CallRate:
    found = CallRate(25.0)
    found.answered(0.2)
    assert found.chains(0.2) == 6
    return found


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def first_chain(newest_first: bool, pages: float) -> Chain:
    start, end = turned(LOW, HIGH, newest_first)
    return Chain(start, end, (end - start) / pages)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_every_event_comes_once_in_pieces_that_fill_the_span(
    rate: CallRate, seed: int, newest_first: bool
) -> None:
    service = Service(seed, 400, newest_first, span=(HIGH - LOW, 30, 1)[seed % 3])
    chain = first_chain(newest_first, 58.0)
    pieces = list(run_chains(service.read, chain, newest_first, rate, threading.Event()))
    got = [event.event_id for piece in pieces for event in piece.events]
    assert sorted(got) == sorted(event.event_id for event in service.events)
    spans = sorted((piece.start, piece.end) for piece in pieces if piece.start < piece.end)
    assert [a for a, _ in spans[1:]] == [b for _, b in spans[:-1]]
    assert (spans[0][0], spans[-1][1]) == turned(LOW, HIGH, newest_first)
    for piece in pieces:
        low, high = turned(piece.start, piece.end, newest_first)
        assert all(low <= event.timestamp < high for event in piece.events)


def test_what_a_chain_raises_is_raised(rate: CallRate) -> None:
    service = Service(1, 400, newest_first=False)
    service.fail_at = 20
    with pytest.raises(FdwError, match="the service fails"):
        list(run_chains(service.read, first_chain(False, 58.0), False, rate, threading.Event()))


def test_a_stop_ends_it_soon(rate: CallRate) -> None:
    service, stop = Service(1, 4000, newest_first=False), threading.Event()
    pieces = run_chains(service.read, first_chain(False, 580.0), False, rate, stop)
    next(pieces)
    stop.set()
    began = time.monotonic()
    assert len(list(pieces)) < 100
    assert time.monotonic() - began < 1


def test_nobody_reads_far_ahead(rate: CallRate) -> None:
    service = Service(1, 4000, newest_first=False)
    pieces = run_chains(service.read, first_chain(False, 580.0), False, rate, threading.Event())
    for taken in range(1, 4):
        next(pieces)
        time.sleep(0.1)
        assert service.given <= taken + rate.chains(0.2) + 2  # one in each hand, two on the table
    pieces.close()


def known(edge: int, end: int) -> Chain:
    """A chain that has read pages of 20 ms each."""
    chain = Chain(edge - 20, end, 20.0)
    chain.passed(Piece(edge - 20, edge, [], 1))
    return chain


def test_a_chain_is_divided_only_where_that_pays() -> None:
    chains = [known(0, 100), known(100, 120)]
    taken = steal(chains)
    assert taken is not None
    assert [(c.edge, c.end) for c in chains] == [(0, 50), (100, 120), (50, 100)]
    assert chains[2] is taken
    assert taken.span == 20.0
    assert steal(chains) is None  # the longest is new: it may hold no event at all
    taken.passed(Piece(50, 51, [], 1))
    assert steal([known(0, 59)]) is None  # less than three pages
    assert steal([]) is None
    assert steal([Chain(0, 100)]) is None  # nobody knows how long


def test_a_chain_learns_how_much_time_a_page_covers() -> None:
    chain = Chain(0, 100)
    assert chain.pages == 0.0
    chain.passed(Piece(0, 20, [], 2))
    assert (chain.edge, chain.span, chain.pages) == (20, 10.0, 8.0)
    chain.passed(Piece(20, 50, [], 1))
    assert (chain.edge, chain.span, chain.pages) == (50, 20.0, 2.5)
