"""docs/seeds.md names tests and pages that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TOP = Path(__file__).parents[1]
PAGE = TOP / "docs" / "seeds.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROW = re.compile(r"^\| (?!promise |--- ).*\|$", re.MULTILINE)


def functions_in(file: Path) -> set[str]:
    """The names of the test functions that stand in a file."""
    body = ast.parse(file.read_text("utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_tests_that_exist_and_a_page() -> None:
    rows = ROW.findall(PAGE.read_text("utf-8"))
    assert len(rows) > 30
    for row in rows:
        promise, tests, page = row.strip("| ").split(" | ")
        named = NAMED.findall(tests)
        assert named, promise
        for file, name in named:
            assert name.startswith("test_"), name
            assert name in functions_in(TOP / file), f"{promise}: {file}::{name}"
        assert re.match(r"\[", page), promise


def test_the_five_articles_are_there() -> None:
    assert PAGE.read_text("utf-8").count("\n## ") == 5
