"""Quals as Multicorn hands them over, turned into bounds that are proven, or into nothing.

PostgreSQL re-checks every qual, so a bound may keep too many rows and never too few. A qual
whose operator, column type or value is not understood with certainty is left out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Optional, Protocol, Union

from cloudtrail_fdw import times
from cloudtrail_fdw.declare import Column, Order, Push

NUMBER = re.compile(r"-?[0-9]{1,19}")
TEXT_WITHOUT_VALUE = "?"  # what Multicorn's EXPLAIN shows for a text parameter


@dataclass(frozen=True)
class In:
    """The column equals one of ``values`` (sorted, unique; none of them NULL).

    Of a whole number the value is its decimal text.
    """

    values: tuple[str, ...]


@dataclass(frozen=True)
class NotIn:
    """The column is not NULL and differs from all of ``values``."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Prefix:
    """The column starts with ``text``."""

    text: str


@dataclass(frozen=True)
class IsNull:
    """The column is NULL."""


@dataclass(frozen=True)
class NotNull:
    """The column is not NULL."""


@dataclass(frozen=True)
class Is:
    """The boolean column has this value and is not NULL."""

    value: bool


@dataclass(frozen=True)
class Between:
    """The time lies in [low, high], microseconds since 1970 in UTC; None is no bound."""

    low: Optional[int] = None
    high: Optional[int] = None


@dataclass(frozen=True)
class Within:
    """The address lies in this IPv4 network, written as ``address/length``."""

    network: str


@dataclass(frozen=True)
class Contains:
    """The network holds this whole network, IPv4 or IPv6, written as ``address/length``."""

    network: str


Predicate = Union[In, NotIn, Prefix, IsNull, NotNull, Is, Between, Within, Contains]


class Qual(Protocol):
    """Multicorn's qual: ``operator`` is a name, or (name, use_or) for ANY and ALL."""

    field_name: str
    operator: object
    value: object


@dataclass(frozen=True)
class Bounds:
    """What is proven of the rows a query wants, per column.

    ``runtime`` names the columns whose bound has no value yet, as in EXPLAIN of a join key;
    ``order`` is the order the rows have to come in; ``unread`` are the columns with a qual on a
    value that proved nothing; ``whole`` says whether every row will be read, as the plan looks.
    """

    predicates: Mapping[str, tuple[Predicate, ...]] = field(default_factory=dict)
    runtime: tuple[str, ...] = ()
    order: Optional[Order] = None
    unread: frozenset[str] = frozenset()
    whole: bool = False

    def of(self, name: str) -> tuple[Predicate, ...]:
        """All predicates on one column."""
        return self.predicates.get(name, ())

    def values(self, name: str) -> Optional[tuple[str, ...]]:
        """The only values the column may have; () when the quals contradict each other."""
        lists = [set(found.values) for found in self.of(name) if isinstance(found, In)]
        return tuple(sorted(set.intersection(*lists))) if lists else None

    def between(self, name: str) -> Between:
        """The tightest window that all time bounds on the column leave."""
        found = [bound for bound in self.of(name) if isinstance(bound, Between)]
        lows = [bound.low for bound in found if bound.low is not None]
        highs = [bound.high for bound in found if bound.high is not None]
        return Between(max(lows, default=None), min(highs, default=None))


def read_quals(
    quals: Iterable[Qual], columns: Mapping[str, Column], date_style: str, explain: bool,
    proven: bool = False,
) -> Bounds:  # fmt: skip
    """The bounds that ``quals`` prove, for columns of this table.

    ``proven`` says that every operand has the type it is read as.
    """
    predicates: dict[str, tuple[Predicate, ...]] = {}
    runtime: list[str] = []
    unread: set[str] = set()
    for qual in quals:
        column = columns.get(qual.field_name)
        if column is None:
            continue
        if explain and unknown_at_explain(qual.value, column):
            runtime.append(column.name)
            continue
        found = read_qual(qual, column, date_style, proven)
        if found is not None:
            predicates[column.name] = (*predicates.get(column.name, ()), found)
        elif qual.value is not None:
            unread.add(column.name)
    if len(predicates) + len(runtime) < 2:  # a look-up by key, which has to be quick
        return Bounds(predicates, tuple(runtime), None, frozenset(unread))
    # the planner's order of quals is not the query's
    ordered = {name: predicates[name] for name in columns if name in predicates}
    named = tuple(name for name in columns if name in runtime)
    return Bounds(ordered, named, None, frozenset(unread))


def unknown_at_explain(value: object, column: Column) -> bool:
    """Whether EXPLAIN shows a stand-in: ``?`` for a text, 2000-01-01 for a time."""
    if column.type == "timestamp with time zone":
        return isinstance(value, str) and value.startswith(("2000-01-01", "1999-12-31"))
    return value == TEXT_WITHOUT_VALUE


def read_qual(
    qual: Qual, column: Column, date_style: str, proven: bool = False
) -> Optional[Predicate]:
    """One qual as a predicate, or None when it proves nothing."""
    if column.type == "timestamp with time zone":
        return read_time(qual, date_style, proven)
    if column.type == "boolean":
        return read_flag(qual)
    if column.type == "text":
        return read_text(qual)
    if column.type == "bigint" and column.push is Push.CHOICE:
        return read_number(qual)
    return read_network(qual, column) if column.type in ("inet", "cidr") else None


def read_time(qual: Qual, date_style: str, proven: bool = False) -> Optional[Predicate]:
    """A comparison with one instant."""
    if not isinstance(qual.operator, str) or qual.operator not in ("=", "<", "<=", ">", ">="):
        return None
    span = times.read_instant(qual.value, date_style, proven)
    if span is None:
        return None
    low = None if span[0] == times.PAST else span[0]
    high = None if span[1] == times.FUTURE else span[1]
    if qual.operator == "=":
        return Between(low, high)
    return Between(low=low) if qual.operator.startswith(">") else Between(high=high)


def read_network(qual: Qual, column: Column) -> Optional[Predicate]:
    """An inet in, or a cidr around, an address or network, or equal (manual, section 9.12)."""
    inside = column.type == "inet"
    operators = ("=", "<<=", "<<") if inside else ("=", ">>=", ">>")
    if qual.operator not in operators or not isinstance(qual.value, str):
        return None
    try:
        if inside:
            return Within(str(ipaddress.IPv4Network(qual.value, strict=False)))
        return Contains(str(ipaddress.ip_network(qual.value, strict=False)))
    except ValueError:
        return None


def read_flag(qual: Qual) -> Optional[Predicate]:
    """``b``, ``NOT b``, ``b = true`` and ``b IS TRUE``; other tests may let NULL through."""
    if qual.value not in ("t", "f", True, False) or not isinstance(qual.operator, str):
        return None
    value = qual.value in ("t", True)
    if qual.operator in ("=", "IS"):
        return Is(value)
    return Is(not value) if qual.operator == "<>" else None


def read_number(qual: Qual) -> Optional[Predicate]:
    """Equality with whole numbers, which Multicorn hands over as text, integer as int."""
    operator, value = qual.operator, qual.value
    if operator == ("=", True) and isinstance(value, list):
        items = [item for item in value if item is not None]
    elif operator == "=":
        items = [value]
    else:
        return None
    texts = {str(item) for item in items}
    return In(tuple(sorted(texts))) if all(map(NUMBER.fullmatch, texts)) else None


def read_text(qual: Qual) -> Optional[Predicate]:
    """Equality, lists, NULL tests and LIKE with a literal beginning."""
    operator, value = qual.operator, qual.value
    if isinstance(value, list):
        if not all(isinstance(item, str) or item is None for item in value):
            return None
        texts = tuple(sorted({item for item in value if isinstance(item, str)}))
        if operator == ("=", True):
            return In(texts)
        if operator == ("<>", False):
            return In(()) if None in value else NotIn(texts)
        return None
    if value is None:
        return IsNull() if operator == "=" else NotNull() if operator == "<>" else None
    if not isinstance(value, str):
        return None
    if operator == "=":
        return In((value,))
    if operator == "<>":
        return NotIn((value,))
    if operator == "~~":
        beginning = like_prefix(value)
        return Prefix(beginning) if beginning else None
    return None


def like_prefix(pattern: str) -> str:
    """The literal text before the first wildcard of a LIKE pattern (manual, section 9.7.1)."""
    literal = re.match(r"(?:[^%_\\]|\\.)*", pattern, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", literal.group(), flags=re.DOTALL) if literal else ""
