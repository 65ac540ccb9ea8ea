"""The superset law: a pushed-down bound never excludes a row that SQL would keep."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Optional, Union

from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw.bounds import read_quals
from cloudtrail_fdw.sandbox.local_aws.pattern import Reading, compile_pattern
from cloudtrail_fdw.sources.record.cloudtrail_record import read_record
from cloudtrail_fdw.sources.scan.filter_pattern import build_clauses, join_clauses
from cloudtrail_fdw.tables.cloudtrail_event import TABLE
from cloudtrail_fdw.tables.event_rows import RECORD, source

TEXTS = ("event_name", "error_code", "username", "session_issuer_arn", "source_ip_address")
FLAGS = ("read_only", "mfa_authenticated", "session_credential_from_console")
WORDS = st.sampled_from(
    ["A", "AB", "ABC", "", "a*b", "a-b", 'q"x', "é", "%", "B\\C", "AWS Internal", "1.2.3.4",
     "12", "1.50", "tr", "true", "[", '["A"]', "{", "-"]
)  # fmt: skip
Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]
# A member that should be a string may be anything.
ANYTHING = st.one_of(
    WORDS,
    st.sampled_from([True, False, 12, 1.5, -1, 1e300, [], {}, ["A"], ["A", "AB"], [1], [[]], [{}],
                     [None], {"A": "AB"}, {"A": {}}]),
)  # fmt: skip


def sometimes(values: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.one_of(st.just("absent"), st.none(), values)


def objects(**members: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(members).map(
        lambda found: {k: v for k, v in found.items() if v != "absent"}
    )


FLAG = st.sampled_from([True, False, "true", "false", "maybe"])
SESSION = objects(
    sessionIssuer=sometimes(objects(arn=sometimes(ANYTHING))),
    attributes=sometimes(objects(mfaAuthenticated=sometimes(FLAG))),
)
MESSAGES = st.one_of(
    objects(
        eventName=sometimes(ANYTHING),
        errorCode=sometimes(ANYTHING),
        sourceIPAddress=sometimes(ANYTHING),
        readOnly=sometimes(FLAG),
        sessionCredentialFromConsole=sometimes(FLAG),
        userIdentity=sometimes(
            st.one_of(
                st.just("a string"),
                objects(userName=sometimes(ANYTHING), sessionContext=sometimes(SESSION)),
            )
        ),
    ).map(json.dumps),
    st.sampled_from(["", "not JSON", "[1]", '{"eventName": "A"', '"A"']),
)


@dataclass
class Qual:
    field_name: str
    operator: object
    value: object
    keeps: Callable[[object], Optional[bool]]  # SQL's answer for a column's value


def like(prefix: str) -> Callable[[object], Optional[bool]]:
    return lambda value: None if value is None else str(value).startswith(prefix)


TEXT_QUALS = st.sampled_from(TEXTS).flatmap(
    lambda name: st.one_of(
        WORDS.map(lambda w: Qual(name, "=", w, lambda v: None if v is None else v == w)),
        WORDS.map(lambda w: Qual(name, "<>", w, lambda v: None if v is None else v != w)),
        st.lists(WORDS, min_size=1).map(
            lambda ws: Qual(name, ("=", True), ws, lambda v: None if v is None else v in ws)
        ),
        st.lists(WORDS, min_size=1).map(
            lambda ws: Qual(name, ("<>", False), ws, lambda v: None if v is None else v not in ws)
        ),
        WORDS.filter(lambda w: "%" not in w and "\\" not in w).map(
            lambda w: Qual(name, "~~", f"{w}%", like(w))
        ),
        st.just(Qual(name, "=", None, lambda v: v is None)),
        st.just(Qual(name, "<>", None, lambda v: v is not None)),
    )
)
FLAG_QUALS = st.sampled_from(FLAGS).flatmap(
    lambda name: st.sampled_from(
        [
            Qual(name, "=", "t", lambda v: v),  # type: ignore[arg-type,return-value]
            Qual(name, "<>", "t", lambda v: None if v is None else not v),
            Qual(name, "IS", "t", lambda v: v is True),
            Qual(name, "IS NOT", "t", lambda v: v is not True),
            Qual(name, "=", None, lambda v: v is None),
        ]
    )
)
READINGS = st.fixed_dictionaries({f.name: st.booleans() for f in fields(Reading)}).map(
    lambda chosen: replace(Reading(), **chosen)
)


@given(st.lists(st.one_of(TEXT_QUALS, FLAG_QUALS), min_size=1, max_size=3), MESSAGES, READINGS)
def test_no_wanted_event_is_filtered_out(quals: list[Qual], message: str, reading: Reading) -> None:
    values, _fault = read_record(message, RECORD)
    if not all(qual.keeps(values.get(qual.field_name)) for qual in quals):
        return
    bounds = read_quals(quals, TABLE.column, "ISO, MDY", explain=False)
    if any(bounds.values(name) == () for name in bounds.predicates):
        raise AssertionError("a contradiction kept a row")
    pattern = join_clauses("", build_clauses(TABLE.column, bounds, ""))
    assert not pattern or compile_pattern(pattern, reading)(message), pattern


def reach(address: str) -> st.SearchStrategy[str]:
    """Texts near an address: zeros before octets, blanks around it, an octet changed."""
    zeros = st.lists(st.sampled_from(["", "", "", "0", "00"]), min_size=4, max_size=4)
    blanks = st.sampled_from(["", "", " ", "  ", "\t", "\n"])
    octets = st.tuples(*(st.just(octet) | st.just(str(255 - int(octet)))
                         for octet in address.split(".")))  # fmt: skip
    return st.builds(
        lambda before, zero, parts, after: (
            before + ".".join(z + part for z, part in zip(zero, parts)) + after
        ),
        blanks, zeros, octets, blanks,
    )  # fmt: skip


ADDRESSES = st.ip_addresses(v=4).map(str)
NETWORKS = ADDRESSES.flatmap(
    lambda address: st.tuples(
        st.integers(0, 32).map(lambda length: f"{address}/{length}"), reach(address)
    )
)


@given(NETWORKS, st.sampled_from(["<<=", "<<", "="]), READINGS)
def test_no_address_of_a_network_is_filtered_out(
    case: tuple[str, str], operator: str, reading: Reading
) -> None:
    network, text = case
    qual = Qual("source_ip", operator, network, bool)
    bounds = read_quals([qual], TABLE.column, "ISO, MDY", explain=False)
    pattern = join_clauses("", build_clauses(TABLE.column, bounds, ""))
    assert bool(pattern) == (int(network.partition("/")[2]) >= 8)
    address, _ = source(text)
    held = ipaddress.ip_network(network, strict=False)
    if not pattern or address is None or ipaddress.ip_address(address) not in held:
        return
    message = json.dumps({"sourceIPAddress": text})
    assert compile_pattern(pattern, reading)(message), (pattern, text)


@given(ADDRESSES, st.integers(8, 32))
def test_a_plain_address_outside_of_the_octets_is_filtered_out(address: str, length: int) -> None:
    first, rest = address.split(".", 1)
    other = f"{(int(first) + 1) % 255 + 1}.{rest}"
    bounds = read_quals([Qual("source_ip", "<<=", f"{address}/{length}", bool)], TABLE.column,
                        "ISO, MDY", explain=False)  # fmt: skip
    selects = compile_pattern(join_clauses("", build_clauses(TABLE.column, bounds, "")))
    plain = not any(octet.startswith("0") for octet in other.split("."))
    assert selects(json.dumps({"sourceIPAddress": other})) == (not plain)
    assert selects(json.dumps({"sourceIPAddress": address}))
