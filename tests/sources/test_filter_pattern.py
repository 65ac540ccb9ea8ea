from __future__ import annotations

import pytest

from cloudtrail_fdw.bounds import Bounds, In, Is, IsNull, NotIn, NotNull, Predicate, Prefix
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox.local_aws.pattern import compile_pattern
from cloudtrail_fdw.sources.filter_pattern import build_clauses, join_clauses
from cloudtrail_fdw.tables.cloudtrail_event import TABLE


def pattern(own: str = "", **predicates: Predicate) -> str:
    bounds = Bounds({name: (predicate,) for name, predicate in predicates.items()})
    built = join_clauses(own, build_clauses(TABLE.column, bounds, own))
    compile_pattern(built)  # AWS's grammar accepts it
    return built


@pytest.mark.parametrize(
    ("predicates", "expected"),
    [
        ({}, ""),
        ({"event_name": In(("A",))}, '{ $.eventName = "A" }'),
        ({"event_name": In(("A", "B"))}, '{ ($.eventName = "A" || $.eventName = "B") }'),
        ({"event_name": In(('a"b\\c%d*é',))}, '{ $.eventName = "a*b*c*d*" }'),
        ({"event_name": In(("",))}, ""),
        ({"event_name": NotIn(("A", "B"))}, '{ ($.eventName != "A" && $.eventName != "B") }'),
        ({"event_name": NotIn(("a*b",))}, '{ $.eventName = "*" }'),
        ({"event_name": NotIn(("a*b", "C"))}, '{ $.eventName != "C" }'),
        ({"event_name": Prefix("Desc")}, '{ $.eventName = "Desc*" }'),
        ({"event_name": Prefix("é")}, '{ $.eventName = "*" }'),
        ({"error_code": NotNull()}, '{ $.errorCode = "*" }'),
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
        ({"user_agent": NotIn(("curl/8",))}, ""),  # an array's text differs too
        ({"user_agent": NotNull()}, ""),
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


def test_an_unfinished_pattern_is_an_error() -> None:
    with pytest.raises(FdwError, match="no complete JSON filter pattern"):
        build_clauses(TABLE.column, Bounds(), '{ $.eventName = "A"')


def test_what_does_not_fit_is_left_to_postgresql() -> None:
    names = In(tuple(f"Action{n:03}" for n in range(60)))
    built = pattern(event_name=names, read_only=Is(value=True))
    assert built == '{ ($.readOnly IS TRUE || $.readOnly = "true") }'
    assert len(pattern(event_name=In(names.values[:30]))) <= 1024
