"""docs/troubleshooting.md has the messages that the source code has, word for word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

TOP = Path(__file__).parents[1]
PAGE = TOP / "docs" / "troubleshooting.md"
LISTED = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
RAISED = {"FdwError", "UsageError", "BadParameter"}
IN_SQL = re.compile(r"RAISE EXCEPTION '((?:[^']|'')*)'")
IN_C = re.compile(r'errmsg\("([^"]*)"')
NOT_LISTED = {
    "…",  # words of PostgreSQL, pip, a remote service or another error of ours
    "--no-handler",  # why there is none; not raised
    "out of memory",
    "no row where there is always one",  # a defect of doctor's own
}


def texts(node: ast.expr) -> list[str]:
    """What an expression may give, with … for what is known only when it runs."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(part for value in node.values for part in texts(value))]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return ["".join(pair) for pair in product(texts(node.left), texts(node.right))]
    return ["…"]


def raised() -> Iterator[str]:
    """Every message in Python, SQL and C."""
    for file in (TOP / "fdw").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in RAISED:
                    yield from texts(node.args[0])
    for file in (TOP / "sql").glob("*.sql"):
        for message in IN_SQL.findall(file.read_text("utf-8")):
            yield message.replace("%", "…").replace("''", "'")
    for file in (TOP / "fdw" / "handler").glob("*.c"):
        for message in IN_C.findall(file.read_text("utf-8")):
            yield re.sub("%[sdm]", "…", message)


def test_the_page_and_the_code_have_the_same_messages() -> None:
    listed, found = LISTED.findall(PAGE.read_text("utf-8")), set(raised())
    assert len(listed) == len(set(listed)) > 100
    assert {
        "listed, not in the code": sorted(set(listed) - found),
        "in the code, not listed": sorted(found - set(listed) - NOT_LISTED),
        "needlessly left out": sorted(NOT_LISTED - found),
    } == {
        "listed, not in the code": [],
        "in the code, not listed": [],
        "needlessly left out": [],
    }
