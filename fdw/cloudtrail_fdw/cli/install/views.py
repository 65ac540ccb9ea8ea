"""The views, functions and tables that stand on the foreign tables, as sql/ names them."""

from __future__ import annotations

import re
from pathlib import Path

SQL = Path(__file__).parents[2] / "sql"
CREATED = re.compile(
    r"^CREATE (?:OR REPLACE )?(VIEW|FUNCTION|TABLE)(?: IF NOT EXISTS)? @extschema@\.(\w+)",
    re.MULTILINE,
)


def created() -> list[tuple[str, str]]:
    """Kind and name of each, the last created first, so that none depends on one before it."""
    files = sorted(SQL.glob("9[2-9]_*.sql"))
    found = [pair for file in files for pair in CREATED.findall(file.read_text("utf-8"))]
    return [(kind, name) for kind, name in dict.fromkeys(reversed(found))]


def analysis_objects() -> list[tuple[str, str]]:
    """Those that are made anew when a table changes: views and functions."""
    return [(kind, name) for kind, name in created() if kind != "TABLE"]


def data_tables() -> list[str]:
    """Tables whose rows people and runs wrote: installing again never drops one."""
    return [name for kind, name in created() if kind == "TABLE"]
