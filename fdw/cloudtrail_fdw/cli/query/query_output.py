"""Rows as a table, CSV or JSON; what attackers wrote does not reach a terminal as commands."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator
from typing import Any, Optional

from cloudtrail_fdw.cli.check.check_output import visible
from cloudtrail_fdw.errors import FdwError

Value = Optional[str]
NUMBERS = frozenset({20, 21, 23, 26, 700, 701, 1700})  # OIDs of pg_type.dat
BOOLEAN = 16
JSON = frozenset({114, 3802})


class Rows:
    """One result with PostgreSQL's own text for every value, as psql has it."""

    def __init__(self, result: Any) -> None:
        columns = range(result.nfields)
        self.names = [result.fname(column).decode() for column in columns]
        self.types = [result.ftype(column) for column in columns]
        self._result = result

    def __iter__(self) -> Iterator[list[Value]]:
        columns = range(len(self.names))
        for row in range(self._result.ntuples):
            found = [self._result.get_value(row, column) for column in columns]
            yield [None if text is None else text.decode() for text in found]


def table(rows: Rows) -> str:
    """As psql prints: names in the middle, numbers to the right, and how many rows."""
    names = [visible(name) for name in rows.names]
    shown = [["" if text is None else visible(text) for text in row] for row in rows]
    widths = [max(map(width, column)) for column in zip(names, *shown)]
    lines = [line([centred(*pair) for pair in zip(names, widths)])]
    lines.append("+".join("-" * (size + 2) for size in widths))
    for row in shown:
        cells = zip(row, widths, rows.types)
        lines.append(line([padded(text, size, kind in NUMBERS) for text, size, kind in cells]))
    count = len(shown)
    return "\n".join([*lines, f"({count} row{'' if count == 1 else 's'})", ""]) + "\n"


def line(cells: list[str]) -> str:
    """One line of a table."""
    return (" " + " | ".join(cells)).rstrip()


def centred(text: str, size: int) -> str:
    """The text in the middle of ``size`` places."""
    left = (size - width(text)) // 2
    return padded(" " * left + text, size, right=False)


def padded(text: str, size: int, right: bool) -> str:
    """The text on one side of ``size`` places."""
    space = " " * (size - width(text))
    return space + text if right else text + space


def width(text: str) -> int:
    """Places that a terminal takes: two for East Asian wide characters, none for marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(character) in ("Mn", "Me")
        else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )  # fmt: skip


def to_csv(rows: Rows, *, terminal: bool) -> str:
    """With a line of names; as psql --csv, but on a terminal nothing that it may act on."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    shown = visible if terminal else str
    writer.writerow(map(shown, rows.names))
    for row in rows:
        writer.writerow("" if value is None else shown(value) for value in row)
    return text.getvalue()


def to_json(rows: Rows) -> str:
    """One array of objects in ASCII, a row a line; numbers and jsonb are PostgreSQL's own text."""
    twice = {name for name in rows.names if rows.names.count(name) > 1}
    if twice:
        raise FdwError(
            f"several columns are named {', '.join(sorted(twice))}", hint="Name them with AS."
        )
    keys = [json.dumps(name) for name in rows.names]
    lines = [
        "{" + ", ".join(f"{key}: {to_value(*pair)}" for key, *pair in zip(keys, row, rows.types))
        + "}"
        for row in rows
    ]  # fmt: skip
    return "[" + ",\n ".join(lines) + "]\n"


def to_value(text: Value, kind: int) -> str:
    """One value as JSON."""
    if text is None:
        return "null"
    if kind == BOOLEAN:
        return "true" if text == "t" else "false"
    if kind in JSON:  # beyond ASCII only inside of strings
        return "".join(c if c.isascii() and c != "\x7f" else json_escape(c) for c in text)
    if kind in NUMBERS and text not in ("NaN", "Infinity", "-Infinity"):
        return text
    return json.dumps(text).replace("\x7f", "\\u007f")


def json_escape(character: str) -> str:
    """A character as JSON writes it in ASCII."""
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]
