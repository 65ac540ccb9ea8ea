"""The points that AWS does not document: each reading decides one, and laws hold for all."""

from __future__ import annotations

import itertools
import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtrail_fdw.sandbox.local_aws.pattern import (
    DEFAULT,
    PatternError,
    Reading,
    compile_pattern,
)

MESSAGE = json.dumps(
    {
        "managementEvent": True,
        "requestParameters": None,
        "flag": "true",
        "code": "400",
        "count": 3,
        "userIdentity": {"type": "Root"},
        "tags": ["x", "y"],
    }
)


@pytest.mark.parametrize(
    ("switch", "text"),
    [
        ("not_equal_matches_missing", "{ $.nothing != x }"),
        ("not_equal_matches_missing", "{ $.nothing != 5 }"),
        ("not_equal_matches_null", "{ $.requestParameters != x }"),
        ("not_equal_matches_object", "{ $.userIdentity != x }"),
        ("not_equal_matches_object", "{ $.tags != x }"),
        ("not_exists_matches_null", "{ $.requestParameters NOT EXISTS }"),
        ("is_null_matches_missing", "{ $.nothing IS NULL }"),
        ("is_true_matches_text", "{ $.flag IS TRUE }"),
        ("text_matches_boolean", '{ $.managementEvent = "true" }'),
        ("text_matches_number", '{ $.count = "3" }'),
        ("number_matches_text", "{ $.code = 400 }"),
    ],
)
def test_each_reading_decides_its_point(switch: str, text: str) -> None:
    assert compile_pattern(text, replace(DEFAULT, **{switch: True}))(MESSAGE)
    assert not compile_pattern(text, replace(DEFAULT, **{switch: False}))(MESSAGE)


def test_every_reading_has_a_test_above() -> None:
    names = {field.name for field in fields(Reading)}
    marks = test_each_reading_decides_its_point.pytestmark  # type: ignore[attr-defined]
    assert names == {case[0] for case in marks[0].args[1]}


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet="1a.é", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from("abc"), values), st.sampled_from(list("abc")))
def test_equal_and_unequal_exclude_each_other_whatever_the_reading(
    record: dict[str, Any], name: str
) -> None:
    message = json.dumps(record)
    for choice in itertools.product([False, True], repeat=2):
        reading = replace(DEFAULT, text_matches_boolean=choice[0], text_matches_number=choice[1])
        equal = compile_pattern(f'{{ $.{name} = "1*" }}', reading)(message)
        unequal = compile_pattern(f'{{ $.{name} != "1*" }}', reading)(message)
        assert not (equal and unequal)


@settings(max_examples=300)
@given(st.text(alphabet='{}$.ab[]*"%=!<>&|() ISNULOTEX01-?', max_size=30))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        pattern = compile_pattern(text)
    except PatternError:
        return
    assert pattern(MESSAGE) in (True, False)
