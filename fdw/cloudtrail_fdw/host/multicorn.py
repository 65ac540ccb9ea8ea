"""A backend with Multicorn as a host: what PostgreSQL and our C library offer Python inside it.

The library (fdw/handler/multicorn.c) is in the process where the foreign data wrapper has
``cloudtrail_fdw_handler``; with Multicorn's own handler none of it is there, and everything works
without it. No other module reads the backend's memory.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any, Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.interrupts import Host

RUNTIME_MARK = "cloudtrail_fdw.runtime."  # before the name of a column that is bound at run time
CALLBACK = ctypes.CFUNCTYPE(None)
KEPT: list[Any] = []  # callbacks that C holds must not be collected


def backend_flag(name: str) -> Any:
    """One of the process' exported ints, or a zero where it has none of that name."""
    try:
        return ctypes.c_int.in_dll(ctypes.CDLL(None), name)
    except ValueError:
        return ctypes.c_int(0)


def function(name: str, *types: Any, result: Any = ctypes.c_bool) -> Optional[Callable[..., Any]]:
    """One of the process' exported functions, None where it has none of that name."""
    found = getattr(ctypes.PyDLL(None), name, None)
    if found is not None:
        found.restype, found.argtypes = result, types
    return found


class Backend(Host):
    """PostgreSQL's own part: the session's settings, its statement, and the flags that say "stop".

    ``InterruptPending`` is not looked at, as harmless requests set it, too.
    """

    def __init__(self) -> None:
        """Find the backend's functions and flags."""
        self.cancel = backend_flag("QueryCancelPending")
        self.die = backend_flag("ProcDiePending")
        self.option = function("GetConfigOption", ctypes.c_char_p, ctypes.c_bool, ctypes.c_bool,
                               result=ctypes.c_char_p)  # fmt: skip
        self.began = function("GetCurrentStatementStartTimestamp", result=ctypes.c_int64)
        self.nested = function("GetCurrentTransactionNestLevel", result=ctypes.c_int)

    def setting(self, name: str) -> Optional[str]:
        """The session's value of a PostgreSQL setting, None where it is not set.

        From PostgreSQL 17 on a setting of ours that was RESET, by DISCARD ALL say, is empty.
        """
        value = self.option(name.encode(), True, False) if self.option else None
        return value.decode() if value else None

    def check(self) -> None:
        """Raise FdwError (57014, or 57P01 for a shutdown) when the query has to stop."""
        if self.die.value:
            raise FdwError("terminating connection due to administrator command", sqlstate="57P01")
        if self.cancel.value:
            raise FdwError("canceling statement due to user request or timeout", sqlstate="57014")

    def statement(self) -> int:
        """When the running statement began, which tells it from others."""
        return int(self.began()) if self.began else 0

    def nest_level(self) -> int:
        """How deep in savepoints the backend is: a rollback ends the scans inside it."""
        return int(self.nested()) if self.nested else 0


class Handler:
    """The library as the backend has it when a foreign table is first used."""

    def __init__(self) -> None:
        """Find the library's functions, and let it run ``at_exit`` callbacks."""
        self.reporter = function("cloudtrail_fdw_report", *[ctypes.c_char_p] * 4)
        self.namer = function("cloudtrail_fdw_key", ctypes.c_char_p)
        self.chooser = function("cloudtrail_fdw_choice", ctypes.c_char_p, ctypes.c_bool)
        self.taker = function("cloudtrail_fdw_rows", ctypes.c_char_p, ctypes.c_size_t)
        self.keyed_taker = function("cloudtrail_fdw_keyed_rows", ctypes.c_char_p, ctypes.c_size_t)
        self.marker = function("cloudtrail_fdw_only_row")
        self.flag = backend_flag("cloudtrail_fdw_active")
        self.all_rows = backend_flag("cloudtrail_fdw_all_rows")
        self.ahead = backend_flag("cloudtrail_fdw_rows_ahead")

    @property
    def active(self) -> bool:
        """Whether the present call comes through the handler.

        The names of wanted columns are then complete, times are ISO in UTC, and every operand
        has the type it is read as.
        """
        return bool(self.flag.value)

    @property
    def wants_all(self) -> bool:
        """Whether the query will read the present scan to its end, as its plan looks.

        False, then, below LIMIT, EXISTS and the like unless a sort or an aggregate in between reads
        all its input first; where the client or a function fetches some rows at a time; while a
        query is planned; without the handler or with an earlier version of it; and in doubt.
        """
        return bool(self.all_rows.value)

    def report(self, error: FdwError) -> None:
        """Give the error that is about to be raised its SQLSTATE, message, detail and hint."""
        if self.active and self.reporter is not None:
            texts = (error.sqlstate, error.message, error.detail, error.hint)
            self.reporter(*[None if text is None else c_string(text) for text in texts])

    def needs(self, column: str) -> None:
        """Forbid plans that do not bind ``column`` with ``=``."""
        if column and self.active and self.namer is not None:
            self.namer(column.encode())

    def chooses(self, column: str, nullable: bool) -> None:
        """Make a condition on ``column`` that does not give its values an error, not fewer rows."""
        if self.active and self.chooser is not None:
            self.chooser(column.encode(), nullable)

    @property
    def takes_rows(self) -> bool:
        """Whether rows may be handed over: a library of an earlier version does not take them."""
        return self.active and self.taker is not None

    def hand_over(self, rows: bytes) -> None:
        """Give the scan that runs these rows instead of the one that is yielded next.

        They are what the Table's ``packed`` gives; MemoryError when there is no room.
        """
        if self.taker is None or not self.taker(rows, len(rows)):
            raise MemoryError

    @property
    def takes_keyed_rows(self) -> bool:
        """Whether rows may be handed over with their keys, as takes_rows."""
        return self.active and self.keyed_taker is not None

    @property
    def rows_ahead(self) -> int:
        """How many rows of other keys may be handed over with that of the present look-up."""
        return int(self.ahead.value)

    def hand_over_keyed(self, rows: bytes) -> None:
        """Give the look-up that runs what the Table's ``look_up`` gives, as hand_over."""
        if self.keyed_taker is None or not self.keyed_taker(rows, len(rows)):
            raise MemoryError

    def only_row(self) -> None:
        """Say that the row that is given next is the only one for the scan's key."""
        if self.active and self.marker is not None:
            self.marker()


def c_string(text: str) -> bytes:
    """Text as C takes it."""
    return text.replace("\0", "").encode(errors="replace")


def at_exit(callback: Callable[[], None]) -> None:
    """Run ``callback`` before the backend ends, where the library is loaded."""
    register = function("cloudtrail_fdw_at_exit", CALLBACK)
    if register is not None and not KEPT:
        KEPT.append(CALLBACK(callback))
        register(KEPT[0])


def runtime_columns(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns that EXPLAIN's set of wanted columns marks as bound at run time."""
    found = (name for name in columns if name.startswith(RUNTIME_MARK))
    return tuple(sorted(name[len(RUNTIME_MARK) :] for name in found))
