"""The probe's rows, and what bounds let through of them."""

from __future__ import annotations

import calendar
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from cloudtrail_fdw.bounds import Bounds, In, Is, IsNull, NotIn, NotNull, Prefix, Qual

DAY = 86_400_000_000
START = 1_704_067_200_000_000  # 2024-01-01, in microseconds
EXACT = ("id", "i", "c", "u", "j", "n", "big", "k")


def fact(number: int) -> dict[str, Any]:
    """One row; every fifth has NULLs."""
    word = ("alpha", "Alpha", "beta", "gamma ", "100.0.0.1", "AWS Internal", "fdw", "")[number % 8]
    micros = START + number * DAY // 4
    seconds, rest = divmod(micros, 1_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest + number:06d}Z"
    row = {
        "id": number, "t": word, "v": word, "b": (True, False, None)[number % 3],
        "i": f"10.0.{number % 4}.{number % 7}", "c": f"10.{number % 4}.0.0/16", "ts": stamp,
        "d": stamp[:10], "u": f"00000000-0000-0000-0000-{number % 6:012d}",
        "j": json.dumps({"n": number % 5}), "a": f"{{a,{number % 3}}}",
        "n": str(number % 4) + ".10", "bp": ("ab", "cd")[number % 2], "big": str(number % 9),
        "fl": number / 2, "ci": word, "nd": word, "nm": word,
    }  # fmt: skip
    if number % 5 == 0:
        row.update(dict.fromkeys(("t", "i", "ts", "u", "j", "ci", "nd", "n")))
    return row


def micros_of(stamp: str) -> int:
    """The instant of a row's ts."""
    whole = time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")
    return calendar.timegm(whole) * 1_000_000 + int(stamp[20:26])


def keeps(row: Mapping[str, Any], bounds: Bounds) -> bool:
    """Whether the bounds let a row through."""
    for name, predicates in bounds.predicates.items():
        value = row[name]
        text = {True: "t", False: "f"}.get(value, value) if name == "b" else value
        for predicate in predicates:
            if isinstance(predicate, In):
                good = text in predicate.values
            elif isinstance(predicate, NotIn):
                good = text is not None and text not in predicate.values
            elif isinstance(predicate, Prefix):
                good = text is not None and text.startswith(predicate.text)
            elif isinstance(predicate, IsNull):
                good = value is None
            elif isinstance(predicate, NotNull):
                good = value is not None
            elif isinstance(predicate, Is):
                good = value is predicate.value
            else:
                at = None if value is None else micros_of(value)
                good = at is not None and not (
                    (predicate.low is not None and at < predicate.low)
                    or (predicate.high is not None and at > predicate.high)
                )
            if not good:
                return False
    return True


def exact(row: Mapping[str, Any], quals: Iterable[Qual]) -> bool:
    """As keeps(), for types that bounds.py leaves alone: equality as Multicorn names it."""
    for qual in quals:
        if qual.field_name not in EXACT or qual.field_name not in row:
            continue
        value, operand = row[qual.field_name], qual.value
        if qual.operator == "=" and operand is not None:
            good = same(qual.field_name, value, operand)
        elif qual.operator == ("=", True) and isinstance(operand, list):
            good = any(same(qual.field_name, value, item) for item in operand)
        elif qual.operator == ("<>", False) and isinstance(operand, list):
            good = not any(same(qual.field_name, value, item) for item in operand)
        else:
            continue
        if not good:
            return False
    return True


def same(column: str, value: Any, operand: Any) -> bool:
    """Equality of two values as they are written."""
    if value is None or operand is None:
        return False
    if column == "j":
        return bool(json.loads(value) == json.loads(operand))
    if column in ("id", "big", "n"):
        return float(value) == float(operand)
    return str(value) == str(operand)


def as_text(value: Any) -> str:
    """A key as it is written; a list as an array."""
    if isinstance(value, list):
        return "{" + ",".join(map(str, value)) + "}"
    return str(value)
