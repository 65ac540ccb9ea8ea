"""The tests of JSON filter patterns, as closures over what they compare with.

A test of a record takes the parsed message; a test of a value takes what a selector found, or
``MISSING``.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Optional, Union

from cloudtrail_fdw.sandbox.local_aws.pattern_text import Reading, compile_glob, compile_regex

__all__ = ["WILDCARDS", "Step", "Test", "all_of", "any_of", "at", "compile_regex", "number",
           "regex", "text", "unary"]  # fmt: skip


class Special(Enum):
    """Steps that lead to many values, and the value of a field that is not there."""

    FIELD = ".*"
    ELEMENT = "[*]"
    MISSING = ""


WILDCARDS = {".*": Special.FIELD, "[*]": Special.ELEMENT}
MISSING = Special.MISSING
Step = Union[str, int, Special]
Test = Callable[[object], bool]

NUMERIC = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
ORDER: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def any_of(tests: Sequence[Test]) -> Test:
    """``||``."""
    return tests[0] if len(tests) == 1 else lambda record: any(test(record) for test in tests)


def all_of(tests: Sequence[Test]) -> Test:
    """``&&``."""
    return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)


def at(steps: Sequence[Step], test: Test) -> Test:
    """The test of a value, asked where the selector leads: of any value if it has a wildcard."""
    place = next((n for n, step in enumerate(steps) if isinstance(step, Special)), None)
    if place is None:
        return lambda record: test(find(record, steps))
    before, wildcard, after = steps[:place], steps[place], steps[place + 1 :]

    def test_any(record: object) -> bool:
        found = [find(value, after) for value in children(find(record, before), wildcard)]
        present = [value for value in found if value is not MISSING]
        return any(test(value) for value in present or [MISSING])

    return test_any


def find(value: object, steps: Sequence[Step]) -> object:
    """The value at the end of a path without wildcards, or MISSING."""
    for step in steps:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return MISSING
            value = value[step]
        elif isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return MISSING
            value = value[step]
    return value


def children(value: object, wildcard: Step) -> Sequence[object]:
    """All elements of an array for ``[*]``, all fields of an object for ``.*``."""
    if wildcard is Special.ELEMENT:
        return value if isinstance(value, list) else ()
    return list(value.values()) if isinstance(value, dict) else ()


def unary(words: str, reading: Reading) -> Test:
    """IS NULL, IS TRUE, IS FALSE and NOT EXISTS."""
    if words == "IS NULL":
        missing = reading.is_null_matches_missing
        return lambda value: value is None or (missing and value is MISSING)
    if words == "NOT EXISTS":
        null = reading.not_exists_matches_null
        return lambda value: value is MISSING or (null and value is None)
    wanted, word = (True, "true") if words == "IS TRUE" else (False, "false")
    text_too = reading.is_true_matches_text
    return lambda value: value is wanted or (text_too and value == word)


def text(operator_: str, wanted: str, reading: Reading) -> Test:
    """``=`` and ``!=`` with a string, in which ``*`` is a wildcard."""
    matches = compile_glob(wanted)

    def equal(value: object) -> bool:
        found = as_text(value, reading)
        return found is not None and matches(found)

    def differs(value: object) -> bool:
        found = as_text(value, reading)
        return unequal_anyway(value, reading) if found is None else not matches(found)

    return equal if operator_ == "=" else differs


def regex(expression: re.Pattern[str], reading: Reading) -> Test:
    """``= %re%``: the expression matches somewhere in the value."""

    def test(value: object) -> bool:
        found = as_text(value, reading)
        return found is not None and expression.search(found) is not None

    return test


def number(operator_: str, wanted: float, reading: Reading) -> Test:
    """A comparison with a number."""
    compare = ORDER[operator_]

    def test(value: object) -> bool:
        if isinstance(value, str) and reading.number_matches_text:
            if not NUMERIC.fullmatch(value):
                return operator_ == "!="
            value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return compare(value, wanted)
        return operator_ == "!=" and unequal_anyway(value, reading)

    return test


def as_text(value: object, reading: Reading) -> Optional[str]:
    """The value as a string to compare with, None when it is no candidate."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ("true" if value else "false") if reading.text_matches_boolean else None
    if isinstance(value, (int, float)) and reading.text_matches_number:
        return json.dumps(value)
    return None


def unequal_anyway(value: object, reading: Reading) -> bool:
    """Whether ``!=`` holds for what no string or number is compared with."""
    if value is MISSING:
        return reading.not_equal_matches_missing
    if value is None:
        return reading.not_equal_matches_null
    return isinstance(value, (dict, list)) and reading.not_equal_matches_object
