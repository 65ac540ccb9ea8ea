from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from cloudtrail_fdw.bounds import (
    Between,
    Bounds,
    Contains,
    In,
    Is,
    IsNull,
    NotIn,
    NotNull,
    Predicate,
    Prefix,
    Within,
    like_prefix,
    read_quals,
)
from cloudtrail_fdw.declare import Column, Push

COLUMNS = {
    "t": Column("t", "timestamp with time zone", "A time."),
    "s": Column("s", "text", "A text."),
    "b": Column("b", "boolean", "A flag."),
    "j": Column("j", "jsonb", "A document."),
    "n": Column("n", "bigint", "A number that a query may give.", push=Push.CHOICE),
    "m": Column("m", "bigint", "A number."),
    "c": Column("c", "cidr", "A network."),
    "i": Column("i", "inet", "An address."),
}
ANY, ALL = True, False


@dataclass
class Qual:
    """Multicorn's, of which only these three attributes are read."""

    field_name: str
    operator: object
    value: object


def read(*quals: Qual, explain: bool = False) -> Bounds:
    return read_quals(quals, COLUMNS, "ISO, MDY", explain)


@pytest.mark.parametrize(
    ("qual", "predicate"),
    [
        (Qual("s", "=", "a"), In(("a",))),
        (Qual("s", "=", "?"), In(("?",))),
        (Qual("s", ("=", ANY), ["b", "a", None, "a"]), In(("a", "b"))),
        (Qual("s", "<>", "a"), NotIn(("a",))),
        (Qual("s", ("<>", ALL), ["b", "a"]), NotIn(("a", "b"))),
        (Qual("s", ("<>", ALL), ["a", None]), In(())),
        (Qual("s", "=", None), IsNull()),
        (Qual("s", "<>", None), NotNull()),
        (Qual("s", "~~", "Desc%"), Prefix("Desc")),
        (Qual("b", "=", "t"), Is(value=True)),
        (Qual("b", "<>", "t"), Is(value=False)),
        (Qual("b", "IS", "f"), Is(value=False)),
        (Qual("n", "=", 365), In(("365",))),
        (Qual("c", ">>=", "1.2.3.4"), Contains("1.2.3.4/32")),
        (Qual("c", ">>", "1.2.3.4/24"), Contains("1.2.3.0/24")),
        (Qual("c", "=", "2600:1f18::/33"), Contains("2600:1f18::/33")),
        (Qual("c", ">>=", "::ffff:1.2.3.4"), Contains("::ffff:102:304/128")),
        (Qual("i", "=", "1.2.3.4"), Within("1.2.3.4/32")),
        (Qual("i", "<<=", "10.1.2.3/8"), Within("10.0.0.0/8")),
        (Qual("i", "<<", "10.0.0.0/8"), Within("10.0.0.0/8")),
        (Qual("s", "~~", "exact"), Prefix("exact")),
        (Qual("s", ("=", ANY), []), In(())),
        (Qual("b", "IS", "t"), Is(value=True)),
        (Qual("b", "=", False), Is(value=False)),
        (Qual("b", "=", True), Is(value=True)),
        (Qual("b", "<>", "f"), Is(value=True)),
        (Qual("n", "=", "-365"), In(("-365",))),  # a bigint
        (Qual("n", "=", "9223372036854775807"), In(("9223372036854775807",))),
        (Qual("n", ("=", ANY), [30, None, "365", 30]), In(("30", "365"))),
    ],
)
def test_proven_quals_become_predicates(qual: Qual, predicate: Predicate) -> None:
    assert read(qual).of(qual.field_name) == (predicate,)


@pytest.mark.parametrize(
    "qual",
    [
        Qual("s", ("<>", ANY), ["a", "b"]),  # <> ANY keeps almost everything
        Qual("s", ("=", ALL), ["a", "b"]),
        Qual("s", ("=", ANY), "{a,$1}"),  # a generic plan's list arrives as text
        Qual("s", ("=", ANY), [1, "a"]),
        Qual("s", "=", 5),
        Qual("s", ">", "a"),
        Qual("s", "~~*", "Desc%"),
        Qual("s", "~", "^Desc"),
        Qual("s", "~~", "%scribe"),
        Qual("b", "IS NOT", "t"),  # lets NULL through
        Qual("b", "=", None),
        Qual("b", ("=", ANY), ["t"]),
        Qual("j", "=", "{}"),
        Qual("t", "<>", "2026-11-21 12:00:00+00"),
        Qual("t", (">", ANY), ["2026-11-21 12:00:00+00"]),
        Qual("t", ">", "2000-01-01 00:00:00.0098+00"),
        Qual("no_such_column", "=", "a"),
        Qual("m", "=", 365),
        Qual("n", "=", True),
        Qual("c", "<<=", "1.2.3.4"),
        Qual("c", "<<", "1.2.3.4"),
        Qual("i", ">>=", "1.2.3.4"),
        Qual("i", ">>", "1.2.3.4"),
        Qual("i", "<>", "1.2.3.4"),
        Qual("i", "=", "::1"),  # no IPv4
        Qual("i", "<<=", "?"),
        Qual("i", "=", None),
        Qual("i", "=", 16909060),
        Qual("i", ("=", ANY), ["1.2.3.4"]),
        Qual("b", "=", "maybe"),
        Qual("b", ">", "t"),
        Qual("s", ">", None),
        Qual("s", ("=", ANY), 5),
        Qual("t", "=", None),
        Qual("t", ">", "no time"),
        Qual("n", "=", "12345678901234567890"),  # no bigint
        Qual("c", "<>", "1.2.3.4"),
        Qual("c", "&&", "1.2.3.0/24"),
        Qual("c", (">>=", ANY), ["1.2.3.4"]),
        Qual("c", ">>=", "?"),
        Qual("c", ">>=", None),
        Qual("n", "=", "1.5"),
        Qual("n", "=", "?"),
        Qual("n", "=", [365]),
        Qual("n", "<>", 365),
        Qual("n", ">", 365),
        Qual("n", ("<>", ALL), [365]),
        Qual("n", ("=", ANY), [365, "x"]),
    ],
)
def test_everything_else_proves_nothing(qual: Qual) -> None:
    assert read(qual).predicates == {}


def test_what_was_not_understood_is_named() -> None:
    bounds = read(Qual("s", ">", "a"), Qual("t", "<>", "2026-11-21 12:00:00+00"), Qual("n", "=", 1),
                  Qual("b", "=", None), Qual("no_such_column", "=", "a"))  # fmt: skip
    assert bounds.unread == {"s", "t"}


def test_the_tightest_of_several_time_bounds_counts() -> None:
    bounds = read(
        Qual("t", ">=", "2026-11-21 10:00:00+00"),
        Qual("t", ">", "2026-11-21 11:00:00+00"),
        Qual("t", "<", "2026-11-21 13:00:00+00"),
        Qual("t", "<=", "2026-11-21 12:00:00.5+00"),
    )
    eleven = 1_795_258_800_000_000
    assert bounds.between("t") == Between(eleven, eleven + 3_600_500_000)
    assert bounds.between("s") == Between(None, None)


def test_a_time_bound_has_the_sides_that_its_operator_has() -> None:
    noon, text = 1_795_262_400_000_000, "2026-11-21 12:00:00+00"
    sides = {"=": (noon, noon), "<": (None, noon), "<=": (None, noon), ">": (noon, None),
             ">=": (noon, None)}  # fmt: skip
    for operator, (low, high) in sides.items():
        assert read(Qual("t", operator, text)).of("t") == (Between(low, high),)


def test_predicates_come_in_the_order_of_the_columns() -> None:
    bounds = read(Qual("n", "=", 1), Qual("b", "=", "t"), Qual("s", "<>", "a"), Qual("s", "=", "b"))
    assert list(bounds.predicates) == ["s", "b", "n"]
    assert bounds.of("s") == (NotIn(("a",)), In(("b",)))
    assert (bounds.runtime, bounds.order, bounds.unread) == ((), None, frozenset())
    for fewer in (read(Qual("s", ">", "a")), read(Qual("s", ">", "a"), Qual("b", "=", "t"),
                                                  Qual("n", "=", 1))):  # fmt: skip
        assert (fewer.order, fewer.unread) == (None, {"s"})


def test_a_column_without_a_predicate_has_none() -> None:
    bounds = read(Qual("no_such_column", "=", "a"), Qual("b", "=", "t"), Qual("s", ">", "a"))
    assert bounds.predicates == {"b": (Is(value=True),)}
    assert bounds.of("s") == ()


def test_lists_on_one_column_intersect() -> None:
    bounds = read(Qual("s", ("=", ANY), ["a", "b"]), Qual("s", ("=", ANY), ["b", "c"]))
    assert bounds.values("s") == ("b",)
    assert read(Qual("s", "=", "a"), Qual("s", "=", "b")).values("s") == ()
    assert read().values("s") is None
    assert read(Qual("s", "=", "a"), Qual("s", "<>", "b")).values("s") == ("a",)
    assert Bounds({"t": (NotNull(), Between(1, 2))}).between("t") == Between(1, 2)


def test_explain_names_the_columns_bound_at_run_time() -> None:
    bounds = read(
        Qual("s", "=", "?"),
        Qual("t", ">", "2000-01-01 00:00:00+00"),
        Qual("b", "=", "t"),
        explain=True,
    )
    assert bounds.runtime == ("t", "s")
    assert bounds.predicates == {"b": (Is(value=True),)}


@pytest.mark.parametrize(
    ("column", "value", "known"),
    [
        ("t", "2000-01-01 01:00:00+01", False),
        ("t", "1999-12-31 19:00:00-05", False),
        ("t", "2010-01-02 00:00:00+00", True),
        ("t", "2026-11-21 12:00:00+00", True),
        ("t", date(2026, 11, 21), True),
        ("s", "?", False),
        ("s", "2000-01-01 00:00:00+00", True),
        ("i", "?", False),
        ("c", "1.2.3.4", True),
    ],
)
def test_a_stand_in_of_explain_is_no_value(column: str, value: object, known: bool) -> None:
    bounds = read(Qual(column, "=", value), explain=True)
    assert bounds.runtime == (() if known else (column,))
    assert list(bounds.predicates) == ([column] if known else [])
    assert bounds.unread == frozenset()


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("abc%", "abc"),
        ("a_c%", "a"),
        (r"100\%%", "100%"),
        (r"a\_b", "a_b"),
        ("%a", ""),
        ("a\nb%", "a\nb"),
        ("trailing\\", "trailing"),
    ],
)
def test_the_literal_beginning_of_a_like_pattern(pattern: str, prefix: str) -> None:
    assert like_prefix(pattern) == prefix
