"""Several chains of calls over one span, where one alone would leave the quota unused.

Other chains take half of what the longest one has still before it. More chains than rate times
latency only waste calls (half a page each).
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Optional, Union

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.sources.aws.call_rate import CallRate
from cloudtrail_fdw.sources.cache.pieces import Piece

WORTH_STEALING = 3.0  # pages that a chain must have left: each half ends in a page not full
STEP = 0.05  # seconds between two looks at the scan's stop


class Chain:
    """What one chain has still to read: [edge, end) of forward times."""

    def __init__(self, edge: int, end: int, span: float = 0.0) -> None:
        """``span`` is how much time a page covers, 0 when that is not known yet."""
        self.edge = edge
        self.end = end
        self.span = span
        self.tried = False  # whether it is known that events lie ahead

    @property
    def pages(self) -> float:
        """About how many pages are left."""
        return (self.end - self.edge) / self.span if self.span else 0.0

    def passed(self, piece: Piece) -> None:
        """Note how far a piece brought us."""
        covered = (piece.end - self.edge) / max(1, piece.calls)
        self.span = covered if not self.span else 0.5 * (self.span + covered)
        self.edge = max(self.edge, piece.end)
        self.tried = True


Read = Callable[[int, Callable[[], int], threading.Event], Iterator[Piece]]
Item = Union[Piece, BaseException, None]


def run_chains(
    read: Read, first: Chain, newest_first: bool, rate: CallRate, stop: threading.Event
) -> Iterator[Piece]:
    """The pieces of what ``first`` has to read, in any order, as ``read`` gives them.

    Raises what a chain raises; ends early only once ``stop`` is set.
    """
    alone = rate.latest
    halt = threading.Event()
    items: queue.Queue[Item] = queue.Queue(2)
    first.tried = True
    chains = [first]
    threads: list[threading.Thread] = []
    lock = threading.Lock()

    def offer(item: Item) -> None:
        while not halt.is_set():
            with contextlib.suppress(queue.Full):
                items.put(item, timeout=STEP)
                return

    def follow(chain: Optional[Chain]) -> None:
        try:
            while chain is not None and not halt.is_set():
                for piece in read(chain.edge, lambda own=chain: own.end, halt):  # type: ignore[misc]
                    with lock:  # the end may have come nearer since the piece was cut
                        mine = piece.clipped(chain.end, newest_first)
                        chain.passed(mine)
                    offer(mine)
                    if chain.edge >= chain.end:
                        break
                with lock:
                    if chain.edge < chain.end:  # only a halt leaves a rest
                        return
                    chains.remove(chain)
                    chain = steal(chains)
            offer(None)
        except BaseException as error:  # noqa: BLE001 - raised again by the reader
            offer(error)

    def hire(chain: Chain) -> None:
        threads.append(interrupts.spawn(follow, chain))

    ended = 0
    hire(first)
    try:
        while ended < len(threads) and not stop.is_set():
            with lock:
                while len(threads) - ended < rate.chains(alone):
                    taken = steal(chains)
                    if taken is None:
                        break
                    hire(taken)
            try:
                item = items.get(timeout=STEP)
            except queue.Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            if item is None:
                ended += 1
            else:
                yield item
    finally:
        halt.set()
        for thread in threads:
            wake = interrupts.WAKERS.get(thread)
            if wake is not None:
                wake()
        for thread in threads:
            thread.join(2.0)


def steal(chains: list[Chain]) -> Optional[Chain]:
    """The farther half of the longest chain, now a chain of its own; None if not worth it.

    Only of a chain that has read something: what it was given may have been an empty time.
    """
    tried = [chain for chain in chains if chain.tried]
    longest = max(tried, key=lambda chain: chain.pages, default=None)
    if longest is None or longest.pages < WORTH_STEALING or longest.end - longest.edge < 2:
        return None
    middle = (longest.edge + longest.end) // 2
    taken = Chain(middle, longest.end, longest.span)
    longest.end = middle
    chains.append(taken)
    return taken
