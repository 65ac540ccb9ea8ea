"""SQL regression: every file of tests/sql prints what its namesake in tests/expected holds."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest

from servers import TESTS, Sandbox

WITHOUT_HANDLER_TOO = True
FILES = sorted((TESTS / "sql").glob("*.sql"))


def plain(output: str) -> list[str]:
    """The lines, without what Multicorn 1.4 puts before every message of ours."""
    return output.replace("Error in python: ", "").splitlines()


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_output_is_as_expected(sample: Sandbox, path: Path) -> None:
    printed = plain(sample.psql(path))
    name = f"psql on {sample.state['server']}"
    differences = []
    # as with pg_regress, NAME_1.out is another output that is right
    for expected in sorted((TESTS / "expected").glob(f"{path.stem}*.out")):
        right = expected.read_text("utf-8").splitlines()
        difference = difflib.unified_diff(right, printed, expected.name, name, lineterm="")
        differences.append("\n".join(difference))
    assert differences
    assert "" in differences, min(differences, key=len)


def test_every_expected_file_has_its_sql() -> None:
    names = {path.stem for path in (TESTS / "expected").glob("*.out")}
    assert {re.sub(r"_\d$", "", name) for name in names} == {path.stem for path in FILES}
