"""Waiting that a cancel can end, and what the backend around us says.

While Python blocks, PostgreSQL sees neither a cancel nor ``statement_timeout``. So whatever may
block runs on a thread with all signals masked, and the backend's own thread waits in short steps
and looks at the two flags that mean "stop now" (``InterruptPending`` is also set by harmless
requests). Outside PostgreSQL, as in the command line, the flags do not exist.
"""

from __future__ import annotations

import ctypes
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


def backend_flag(name: str) -> Any:
    """One of PostgreSQL's exported ints, or a zero where there is no PostgreSQL."""
    try:
        return ctypes.c_int.in_dll(ctypes.CDLL(None), name)
    except ValueError:
        return ctypes.c_int(0)


CANCEL = backend_flag("QueryCancelPending")
DIE = backend_flag("ProcDiePending")


def backend_function(name: str, result: Any, *arguments: Any) -> Optional[Callable[..., Any]]:
    """One of PostgreSQL's functions, or None where there is no PostgreSQL."""
    function = getattr(ctypes.PyDLL(None), name, None)
    if function is not None:
        function.restype, function.argtypes = result, arguments
    return function


GET_SETTING = backend_function(
    "GetConfigOption", ctypes.c_char_p, ctypes.c_char_p, ctypes.c_bool, ctypes.c_bool
)
STATEMENT = backend_function("GetCurrentStatementStartTimestamp", ctypes.c_int64)
NEST_LEVEL = backend_function("GetCurrentTransactionNestLevel", ctypes.c_int)


def setting(name: str) -> Optional[str]:
    """The session's value of a PostgreSQL setting, None where it is not set.

    From PostgreSQL 17 on a setting of ours that was RESET, by DISCARD ALL say, is an empty text.
    """
    value = GET_SETTING(name.encode(), True, False) if GET_SETTING else None
    return value.decode() if value else None


def statement() -> int:
    """A number that no other statement of the session has; 0 outside PostgreSQL."""
    return int(STATEMENT()) if STATEMENT else 0


def check() -> None:
    """Raise FdwError (57014, or 57P01 for a shutdown) when the query has to stop."""
    if DIE.value:
        raise FdwError("terminating connection due to administrator command", sqlstate="57P01")
    if CANCEL.value:
        raise FdwError("canceling statement due to user request or timeout", sqlstate="57014")


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
        self.level = nest_level()
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


def nest_level() -> int:
    """How deep in savepoints the backend is; 0 outside PostgreSQL."""
    return int(NEST_LEVEL()) if NEST_LEVEL else 0


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
