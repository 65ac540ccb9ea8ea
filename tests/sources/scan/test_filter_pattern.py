from __future__ import annotations

import pytest

from cloudtrail_fdw.bounds import (
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
)
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox.local_aws.pattern import compile_pattern
from cloudtrail_fdw.sources.scan.filter_pattern import LONGEST, build_clauses, join_clauses
from cloudtrail_fdw.tables.cloudtrail_event import TABLE


def pattern(own: str = "", **predicates: Predicate) -> str:
    bounds = Bounds({name: (predicate,) for name, predicate in predicates.items()})
    built = join_clauses(own, build_clauses(TABLE.column, bounds, own))
    compile_pattern(built)  # AWS's grammar accepts it
    return built


def within(*beginnings: str) -> str:
    texts = (*beginnings, "0*", "*.0*", "* *")
    return "{ (" + " || ".join(f'$.sourceIPAddress = "{text}"' for text in texts) + ") }"


@pytest.mark.parametrize(
    ("predicates", "expected"),
    [
        ({}, ""),
        ({"event_name": In(("A",))}, '{ $.eventName = "A" }'),
        ({"event_name": In(("A", "B"))}, '{ ($.eventName = "A" || $.eventName = "B") }'),
        ({"event_name": In(('a"b\\c%d*é',))}, '{ $.eventName = "a*b*c*d*" }'),
        ({"event_name": In(("",))}, ""),
        # a member that is an array, an object, a number or a boolean differs, too, and is not NULL
        ({"event_name": NotIn(("A", "B"))}, ""),
        ({"error_code": NotNull()}, ""),
        ({"event_name": Prefix("Desc")}, '{ $.eventName = "Desc*" }'),
        ({"event_name": Prefix("é")}, '{ $.eventName = "*" }'),
        ({"event_name": Prefix("[")}, ""),
        ({"event_name": Prefix("tr")}, ""),
        ({"event_name": Prefix("-1.5e")}, ""),
        ({"event_name": Prefix("1.5.")}, '{ $.eventName = "1.5.*" }'),
        ({"event_name": Prefix("")}, ""),
        (
            {"recipient_account_id": In(("012345678901",))},
            '{ $.recipientAccountId = "012345678901" }',
        ),
        (
            {"recipient_account_id": In(("123456789012",))},
            '{ ($.recipientAccountId = "123456789012" || $.recipientAccountId = 123456789012) }',
        ),
        ({"read_only": Is(value=False)}, '{ ($.readOnly IS FALSE || $.readOnly = "false") }'),
        ({"error_code": IsNull()}, ""),
        (
            {"error_code": IsNull(), "event_name": In(("A",))},
            '{ $.eventName = "A" && ($.errorCode NOT EXISTS || $.errorCode IS NULL) }',
        ),
        (
            {"username": IsNull(), "read_only": Is(value=True)},
            '{ ($.readOnly IS TRUE || $.readOnly = "true")'
            " && ($.userIdentity.userName NOT EXISTS || $.userIdentity.userName IS NULL"
            " || $.userIdentity NOT EXISTS || $.userIdentity IS NULL) }",
        ),
        ({"event_name": In(("A", "[1]"))}, ""),
        ({"event_name": In(("true",))}, ""),
        ({"user_agent": In(("curl/8",))}, '{ $.userAgent = "curl/8" }'),
        ({"read_only": NotNull()}, ""),
        ({"event_name": Prefix("a*")}, '{ $.eventName = "a*" }'),
        ({"event_name": Prefix('a"*')}, '{ $.eventName = "a*" }'),
        (
            {"event_name": In(("falsehood", "x[", "not true"))},
            '{ ($.eventName = "falsehood" || $.eventName = "x*" || $.eventName = "not true") }',
        ),
        ({"event_name": In(("false",))}, ""),
        ({"event_name": In(('{"a": 1}',))}, ""),
        ({"source_ip": Within("10.0.0.0/7")}, ""),
        ({"source_ip": Within("0.0.0.0/0")}, ""),
        ({"source_ip": Within("10.0.0.0/8")}, within("10.*")),
        ({"source_ip": Within("10.0.0.0/15")}, within("10.*")),
        ({"source_ip": Within("10.1.0.0/16")}, within("10.1.*")),
        ({"source_ip": Within("10.1.2.0/24")}, within("10.1.2.*")),
        ({"source_ip": Within("10.1.2.2/31")}, within("10.1.2.*")),
        ({"source_ip": Within("10.1.2.3/32")}, within("10.1.2.3", "10.1.2.3/32")),
        ({"source_ip": Contains("10.1.2.3/32")}, ""),
        ({"source_ip": IsNull(), "event_name": In(("A",))}, '{ $.eventName = "A" }'),
        ({"message": Prefix("a")}, ""),
        ({"message": In(("a",)), "source_address_class": In(("public",))}, ""),
    ],
)
def test_predicates_as_clauses(predicates: dict[str, Predicate], expected: str) -> None:
    assert pattern(**predicates) == expected


def test_a_users_own_json_pattern_is_and_ed() -> None:
    own = '{ $.eventSource = "s3.amazonaws.com" || $.a = 1 }'
    assert pattern(own) == own
    assert (
        pattern(own, event_name=In(("A",)))
        == '{ ($.eventSource = "s3.amazonaws.com" || $.a = 1) && $.eventName = "A" }'
    )


def test_a_users_plain_text_pattern_is_sent_alone() -> None:
    assert pattern('"AccessDenied" -Describe', event_name=In(("A",))) == '"AccessDenied" -Describe'


@pytest.mark.parametrize("own", ["{", "{}", "{ }", "{ $.eventName = 1", ' { $.a = "A"'])
def test_an_unfinished_pattern_is_an_error(own: str) -> None:
    with pytest.raises(FdwError, match="no complete JSON filter pattern") as caught:
        build_clauses(TABLE.column, Bounds(), own)
    assert caught.value.sqlstate == "HV024"
    assert "{ $.eventName" in str(caught.value.hint)


@pytest.mark.parametrize("own", ["[a, b]", "?A ?B", "}", ""])
def test_what_is_no_json_pattern_is_left_alone(own: str) -> None:
    assert join_clauses(own, build_clauses(TABLE.column, Bounds(), own)) == own
    if own:
        bounds = Bounds({"event_name": (In(("A",)),)})
        assert build_clauses(TABLE.column, bounds, own) == ()


def test_null_tests_stand_beside_the_users_pattern_only() -> None:
    nobody = "($.errorCode NOT EXISTS || $.errorCode IS NULL)"
    assert pattern(" { $.a = 1 }\n", error_code=IsNull()) == f"{{ ($.a = 1) && {nobody} }}"
    assert pattern("{$.a=1}", error_code=IsNull()) == f"{{ ($.a=1) && {nobody} }}"
    assert pattern(" ", error_code=IsNull()) == " "
    assert pattern("A", error_code=IsNull()) == "A"


def test_what_selects_most_comes_first() -> None:
    built = pattern(
        error_code=IsNull(), read_only=Is(value=True),
        event_source=Prefix("s3"), source_ip=Within("10.0.0.0/8"), event_name=In(("A",)),
    )  # fmt: skip
    members = ["eventName", "eventSource", "sourceIPAddress", "readOnly", "errorCode"]
    places = [built.index(member) for member in members]
    assert places == sorted(places)


def test_two_predicates_on_one_column_are_both_said() -> None:
    bounds = Bounds({"event_name": (In(("A",)), Prefix("Desc"))})
    assert build_clauses(TABLE.column, bounds, "") == (
        '$.eventName = "A"', '$.eventName = "Desc*"')  # fmt: skip


def test_what_does_not_fit_is_left_to_postgresql() -> None:
    names = In(tuple(f"Action{n:03}" for n in range(60)))
    built = pattern(event_name=names, read_only=Is(value=True))
    assert built == '{ ($.readOnly IS TRUE || $.readOnly = "true") }'
    assert len(pattern(event_name=In(names.values[:30]))) <= 1024


@pytest.mark.parametrize("own", ["", "{ $.a = 1 }"])
def test_a_pattern_may_have_1024_characters_and_no_more(own: str) -> None:
    frame = len(pattern(own, event_name=In(("A",)))) - 1
    fitting = pattern(own, event_name=In(("A" * (LONGEST - frame),)))
    assert len(fitting) == 1024
    assert pattern(own, event_name=In(("A" * (LONGEST - frame + 1),))) == own
