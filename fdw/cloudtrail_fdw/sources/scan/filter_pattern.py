"""CloudWatch Logs filter patterns from bounds: never narrower than the SQL they come from.

Syntax: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html.
A JSON pattern selects no message that is not JSON, while SQL's ``IS NULL`` does. So a NULL test
is used only beside a clause that such a message could not satisfy either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Optional

from cloudtrail_fdw.bounds import Bounds, In, Is, IsNull, Predicate, Prefix, Within
from cloudtrail_fdw.declare import Column, Push
from cloudtrail_fdw.errors import FdwError

SOURCE_ADDRESS = "$.sourceIPAddress"
LONGEST = 1024  # characters of a pattern
# A member need not be a string. The column then has its JSON, which no pattern finds in an array or
# object, nor for certain in a number or boolean. Nor does any pattern say "whatever value", so <>
# and IS NOT NULL are left to PostgreSQL. The empty text is undocumented in patterns.
NOT_A_STRING = re.compile(r"$|[\[{]|(?:true|false)$")
JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
BEGINS_OTHERWISE = re.compile(r"[\[{]|-?[0-9]*(?:\.[0-9]*)?(?:[eE][+-]?[0-9]*)?$")
# Characters proven to stand for themselves inside quotes; `*` is a wildcard even there.
UNSAFE = re.compile(r"[^A-Za-z0-9_ .:/@,+=#;-]+")


def build_clauses(columns: Mapping[str, Column], bounds: Bounds, own: str) -> tuple[str, ...]:
    """The clauses for ``bounds`` that can be AND-ed to the user's ``own`` pattern.

    Those that select most come first; what does not fit within the limits is left to PostgreSQL.
    A user's pattern that is not JSON cannot be combined. FdwError for one that is half JSON.
    """
    if own and not own.strip().startswith("{"):
        return ()
    inner = inner_pattern(own)
    chosen: list[str] = []
    selecting = selecting_clauses(columns, bounds)
    for clause in [*selecting, *(null_clauses(columns, bounds) if selecting or inner else [])]:
        if len(join_clauses(own, [*chosen, clause])) <= LONGEST:
            chosen.append(clause)
    return tuple(chosen)


def inner_pattern(own: str) -> str:
    """What stands in the braces of a user's JSON pattern; empty without a pattern."""
    inner = own.strip()[1:-1].strip()
    if own.strip() and (not own.strip().endswith("}") or not inner):
        raise FdwError(
            "the filter is no complete JSON filter pattern",
            hint="Write filter = '{ $.eventName = \"ConsoleLogin\" }'.",
            sqlstate="HV024",
        )
    return inner


def join_clauses(own: str, clauses: Sequence[str]) -> str:
    """One pattern: the user's own and the clauses; empty selects everything."""
    if not clauses:
        return own
    parts = [f"({inner_pattern(own)})"] if own.strip() else []
    return "{ " + " && ".join([*parts, *clauses]) + " }"


def selecting_clauses(columns: Mapping[str, Column], bounds: Bounds) -> list[str]:
    """The clauses that a message without the field does not satisfy, most selective first."""
    found = []
    for name, predicates in bounds.predicates.items():
        for predicate in predicates:
            clause = selecting_clause(columns[name], predicate)
            if clause is not None:
                found.append(clause)
    return [clause for _, clause in sorted(found, key=lambda pair: pair[0])]


def selecting_clause(column: Column, predicate: Predicate) -> Optional[tuple[int, str]]:
    """The rank and text of one clause, or None when it cannot be said safely."""
    path = "$." + ".".join(column.path)
    if column.push is Push.FLAG and isinstance(predicate, Is):
        word = "TRUE" if predicate.value else "FALSE"
        return 2, f'({path} IS {word} || {path} = "{word.lower()}")'
    if column.push is Push.NETWORK and isinstance(predicate, Within):
        return within(predicate)
    if column.push is not Push.PATTERN:
        return None
    if isinstance(predicate, In) and not any(map(NOT_A_STRING.match, predicate.values)):
        tests = [test for value in predicate.values for test in equal_tests(path, value)]
        return 0, group(tests, " || ")
    if isinstance(predicate, Prefix) and not begins_otherwise(predicate.text):
        return 1, f'{path} = {quote(predicate.text)[:-1].rstrip("*")}*"'
    return None


def equal_tests(path: str, value: str) -> list[str]:
    """What selects a member with this text: the string, and the number that is written so."""
    tests = [f"{path} = {quote(value)}"]
    return [*tests, f"{path} = {value}"] if JSON_NUMBER.fullmatch(value) else tests


def begins_otherwise(text: str) -> bool:
    """Whether the JSON of anything but a string may begin with ``text``."""
    words = any(word.startswith(text) for word in ("true", "false"))
    return words or BEGINS_OTHERWISE.match(text) is not None


def within(predicate: Within) -> Optional[tuple[int, str]]:
    """The octets that the network fixes; also texts with leading zeros, blanks or their length.

    PostgreSQL reads ``10.01.2.3`` as ``10.1.2.3``, so the text alone does not say.
    """
    address, _, length = predicate.network.partition("/")
    whole = int(length) // 8
    if not whole:
        return None
    beginning = ".".join(address.split(".")[:whole])
    exact = (beginning, beginning + "/32") if whole == 4 else (beginning + ".*",)
    texts = (*exact, "0*", "*.0*", "* *")
    return 1, group([f'{SOURCE_ADDRESS} = "{text}"' for text in texts], " || ")


def null_clauses(columns: Mapping[str, Column], bounds: Bounds) -> list[str]:
    """The NULL tests; of use only beside a clause that leaves out what is not JSON."""
    return [
        null_clause(columns[name])
        for name, predicates in bounds.predicates.items()
        if columns[name].push is Push.PATTERN and IsNull() in predicates
    ]


def null_clause(column: Column) -> str:
    """The field, or an object on the way to it, is absent or JSON null."""
    tests = []
    for depth in range(len(column.path), 0, -1):
        path = "$." + ".".join(column.path[:depth])
        tests += [f"{path} NOT EXISTS", f"{path} IS NULL"]
    return group(tests, " || ")


def quote(value: str) -> str:
    """A value in quotes, each run of characters that might mean something else a wildcard."""
    return '"' + UNSAFE.sub("*", value) + '"'


def group(tests: list[str], operator: str) -> str:
    """The tests joined, in parentheses when there is more than one."""
    return tests[0] if len(tests) == 1 else "(" + operator.join(tests) + ")"
