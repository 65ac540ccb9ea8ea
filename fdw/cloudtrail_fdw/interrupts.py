"""Waiting that a cancel can end, whatever process we are in.

While Python blocks in a backend, PostgreSQL sees neither a cancel nor ``statement_timeout``. So
whatever may block runs on a thread with all signals masked, and the main thread waits in short
steps and asks the host whether to stop.
"""

from __future__ import annotations

import itertools
import queue
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional, TypeVar

from cloudtrail_fdw.errors import FdwError

T = TypeVar("T")
STEP = 0.05  # seconds between two looks at the flags
PARTING = 0.25  # seconds that the end of a scan waits for its thread


class Host:
    """What the process that holds a session offers whatever runs in it.

    This one is the command line's, which has no session and stops for nothing; host/ has those
    that PostgreSQL uses.
    """

    def check(self) -> None:
        """Raise FdwError (57014, or 57P01 for a shutdown) when the query has to stop."""

    def statement(self) -> int:
        """A number that no other statement of the session has; 0 outside PostgreSQL."""
        return 0

    def worker(self) -> Optional[int]:
        """The session's own Python process beside its backend, None where there is none."""
        return None

    def nest_level(self) -> int:
        """How deep in savepoints the session is; 0 where no rollback ends a scan from outside."""
        return 0


HOST = Host()  # which a face in host/ replaces


def check() -> None:
    """Raise FdwError (57014, or 57P01 for a shutdown) when the query has to stop."""
    HOST.check()


def statement() -> int:
    """A number that no other statement of the session has; 0 outside PostgreSQL."""
    return HOST.statement()


@contextmanager
def signals_masked() -> Iterator[None]:
    """Let threads started inside inherit a full signal mask: PostgreSQL's handlers are its own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def spawn(target: Callable[..., None], *arguments: object) -> threading.Thread:
    """Start ``target`` on a daemon thread that receives no signal."""
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    with signals_masked():
        thread.start()
    return thread


class Scan:
    """What one running scan must let go of, and the transaction depth it was started at."""

    def __init__(self) -> None:
        """Note the depth, so that a savepoint's rollback ends only the scans inside it."""
        self.stop = threading.Event()
        self.level = HOST.nest_level()
        self.thread: Optional[threading.Thread] = None
        SCANS.add(self)

    def end(self) -> None:
        """Tell the scan's thread to end, and wake it from what it waits for."""
        self.stop.set()
        wake = WAKERS.get(self.thread) if self.thread else None
        if wake is not None:
            wake()


SCANS: weakref.WeakSet[Scan] = weakref.WeakSet()
# How to wake a thread that waits for the network.
WAKERS: weakref.WeakKeyDictionary[threading.Thread, Callable[[], None]] = (
    weakref.WeakKeyDictionary()
)


def stop_scans(level: int = 0) -> None:
    """Tell the threads of all scans started at ``level`` or deeper to end."""
    for scan in list(SCANS):
        if scan.level >= level:
            scan.end()


def join_threads(seconds: float = 2.0) -> None:
    """End all scans and wait for their threads: a library must not be left running at exit."""
    stop_scans()
    deadline = time.monotonic() + seconds
    for scan in list(SCANS):
        if scan.thread is not None:
            scan.thread.join(max(0.0, deadline - time.monotonic()))


def stream(
    produce: Callable[[threading.Event], Iterator[T]], depth: int = 2, lazy: int = 0
) -> Iterator[T]:
    """The items of ``produce(stop)``, made on a thread of their own, ``depth`` ahead at most.

    The first ``lazy`` items are made only when they are asked for. ``stop`` is set when nobody
    wants more. Raises what the producer raises, and FdwError when the query has to stop or the
    scan was stopped by a rollback: an end is never mistaken for completeness.
    """
    scan = Scan()
    items: queue.Queue[tuple[str, Any]] = queue.Queue(depth)
    asked = threading.Semaphore(0)

    def offer(kind: str, item: object) -> None:
        while not scan.stop.is_set():
            try:
                items.put((kind, item), timeout=STEP)
            except queue.Full:
                continue
            return

    def run() -> None:
        try:
            source = produce(scan.stop)
            for number in itertools.count():
                while number < lazy and not asked.acquire(timeout=STEP) and not scan.stop.is_set():
                    pass
                if scan.stop.is_set():
                    return
                item = next(source, asked)
                if item is asked:
                    break
                offer("item", item)
            offer("end", None)
        except BaseException as error:  # noqa: BLE001 - raised again by the reader
            offer("error", error)

    scan.thread = spawn(run)
    try:
        while True:
            asked.release()
            kind, item = receive(items, scan)
            if kind == "end":
                return
            if kind == "error":
                raise item
            yield item
    finally:
        scan.end()
        # An idle backend keeps Python's lock: the thread could not even close its files.
        scan.thread.join(PARTING)


def receive(source: queue.Queue[T], scan: Scan) -> T:
    """The next item of ``source``; raises FdwError as soon as the query has to stop."""
    while True:
        check()
        try:
            return source.get(timeout=STEP)
        except queue.Empty:
            if scan.stop.is_set():
                raise FdwError("the scan was ended by a rollback") from None


def call(function: Callable[..., T], *arguments: object) -> T:
    """``function(*arguments)`` on a thread of its own; its result or exception, or a stop."""
    return next(stream(lambda stop: iter([function(*arguments)])))
