"""Declarations: what a table, a column and an option are, checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from cloudtrail_fdw.bounds import Bounds
    from cloudtrail_fdw.options import Settings

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
TYPES = frozenset({"text", "text[]", "jsonb", "boolean", "integer", "bigint", "double precision",
                   "timestamp with time zone", "inet", "cidr"})  # fmt: skip
KINDS = frozenset({"text", "integer", "interval", "boolean", "choice", "path", "url",
                   "secret"})  # fmt: skip
CATALOGS = frozenset({"server", "table", "mapping"})


class Push(Enum):
    """What a predicate on a column is good for, besides PostgreSQL's own re-check."""

    NOTHING = "not pushed down"
    VALUE = "=, IN"
    CHOICE = "=, IN (chooses what is read)"
    ASKED = "= (chooses what is read; NULL when not given)"
    TIME = "=, <, <=, >, >="
    PATTERN = "=, IN, LIKE 'prefix%', IS NULL"
    FLAG = "boolean tests"
    NETWORK = "=, <<=, << (IPv4)"
    HOLDS = "=, >>=, >> (one address or network)"


@dataclass(frozen=True)
class Column:
    """One column: SQL name and type, one sentence of help, and where its value comes from.

    ``path`` names the members that lead to it in a CloudTrail record; empty when it has none.
    ``push`` says which predicates reach the source.
    """

    name: str
    type: str
    help: str
    path: tuple[str, ...] = ()
    push: Push = Push.NOTHING

    def __post_init__(self) -> None:
        """Refuse a careless declaration at import."""
        require(bool(NAME.fullmatch(self.name)), f"column name {self.name!r}")
        require(self.type in TYPES, f"type {self.type!r} of column {self.name}")
        require(self.help.endswith("."), f"help of column {self.name} is no sentence")
        require(self.name != "time", "a column named time would capture Grafana's GROUP BY time")
        if self.push in (Push.PATTERN, Push.FLAG):
            require(bool(self.path), f"column {self.name} is pushed as a pattern but has no path")


@dataclass(frozen=True)
class Option:
    """One OPTIONS entry: its kind, the catalogs it may stand in, its default, one sentence.

    ``guc`` options may also be set for a session as ``cloudtrail_fdw.<name>``; an option of kind
    choice takes one of ``choices``.
    """

    name: str
    kind: str
    catalogs: frozenset[str]
    help: str
    default: str = ""
    guc: bool = False
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a careless declaration at import; secrets live in user mappings only."""
        require(bool(NAME.fullmatch(self.name)), f"option name {self.name!r}")
        require(self.kind in KINDS, f"kind {self.kind!r} of option {self.name}")
        require(self.catalogs <= CATALOGS and bool(self.catalogs), f"catalogs of {self.name}")
        require(self.help.endswith("."), f"help of option {self.name} is no sentence")
        if self.kind == "secret":
            require(self.catalogs == {"mapping"}, f"secret {self.name} outside user mappings")
        if self.kind in ("path", "url"):
            require(self.catalogs == {"server"}, f"{self.name} could be set by others than owners")


@dataclass(frozen=True)
class Order:
    """ORDER BY a column that is never NULL."""

    column: str
    descending: bool


@dataclass(frozen=True)
class Table:
    """One SQL table.

    ``plan(settings, bounds, wanted)`` makes no network call and returns a frozen request;
    ``str(request)`` is what EXPLAIN prints, one ``Label: value`` a line. ``wanted`` are the
    columns the query names, a hint only. ``scan(request, settings, layout)`` yields one
    sequence a row with a value for every name of ``layout``, in that order, and None for an
    empty name. ``rows(request)`` estimates how many. ``key`` names the column that a query must
    give, ``orders`` the orders in which rows can be made.
    ``look_up(value, more, settings, layout)`` is the only row for a value of the key without a
    plan, or None where that takes a scan; packed as a MessagePack array of [value, row or nil] of
    this value and then of at most ``more`` that the statement is likely to ask for next.
    ``packed(request, settings, layout)`` yields the rows of ``scan`` some at a time, one at least:
    a MessagePack array of arrays of texts, booleans and nil.
    ``fixed(settings)`` names the columns of Push.CHOICE whose value an option has settled.
    ``width`` is the usual size of a row in bytes, for the planner.
    ``for_readers`` says whether the role for analysts may read it.
    """

    name: str
    help: str
    columns: tuple[Column, ...]
    plan: Callable[[Settings, Bounds, frozenset[str]], Any]
    scan: Callable[[Any, Settings, Sequence[str]], Iterator[Sequence[object]]]
    rows: Callable[[Any], int]
    width: int
    key: str = ""
    orders: tuple[Order, ...] = ()
    look_up: Optional[Callable[[str, int, Settings, tuple[str, ...]], Optional[bytes]]] = None
    packed: Optional[Callable[[Any, Settings, Sequence[str]], Iterator[bytes]]] = None
    fixed: Callable[[Settings], Sequence[str]] = lambda settings: ()
    for_readers: bool = True
    column: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a careless declaration at import."""
        require(bool(NAME.fullmatch(self.name)), f"table name {self.name!r}")
        require(self.help.endswith("."), f"help of table {self.name} is no sentence")
        byname = {column.name: column for column in self.columns}
        require(len(byname) == len(self.columns), f"table {self.name} names a column twice")
        require(not self.key or byname[self.key].type == "text", f"key of {self.name} is not text")
        object.__setattr__(self, "column", byname)

    def choices(self, settings: Settings) -> Iterator[tuple[str, bool]]:
        """The columns that choose what is read, and whether they are NULL when not given."""
        fixed = self.fixed(settings)
        for column in self.columns:
            if column.push in (Push.CHOICE, Push.ASKED) and column.name not in fixed:
                yield column.name, column.push is Push.ASKED


def require(good: bool, what: str) -> None:
    """Raise ValueError with the declaration's fault unless it is good."""
    if not good:
        raise ValueError(f"bad declaration: {what}")
