"""The views and functions that stand on the tables, as sql/ names them."""

from __future__ import annotations

import re
from pathlib import Path

SQL = Path(__file__).parents[1] / "sql"
CREATED = re.compile(
    r"^CREATE (?:OR REPLACE )?(VIEW|FUNCTION|TABLE)(?: IF NOT EXISTS)? @extschema@\.(\w+)",
    re.MULTILINE,
)


def analysis_objects() -> list[tuple[str, str]]:
    """Kind and name of each, the last created first, so that none depends on one before it."""
    files = sorted(SQL.glob("9[2-9]_*.sql"))
    found = [pair for file in files for pair in CREATED.findall(file.read_text("utf-8"))]
    return [(kind, name) for kind, name in dict.fromkeys(reversed(found))]
