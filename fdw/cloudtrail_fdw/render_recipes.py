"""docs/recipes.md: each file of sql/recipes, word for word, where the page has its mark."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path("docs/recipes.md")
FOLDER = Path("sql/recipes")
MARK = "<!-- recipe:{} -->\n"
END = "<!-- /recipe -->"
BLOCK = re.compile(r"<!-- recipe:(\w+) -->\n.*?<!-- /recipe -->", re.DOTALL)


def recipes_page(top: Path) -> dict[Path, str]:
    """The page with every recipe between its marks.

    ValueError names a recipe that the page does not show, or one that it shows and is no file.
    """
    files = {file.stem: file.read_text("utf-8") for file in (top / FOLDER).glob("*.sql")}
    old = (top / PAGE).read_text("utf-8")
    shown = BLOCK.findall(old)
    for name in sorted(files.keys() ^ set(shown)):
        wrong = f"{MARK.format(name).strip()} … {END} is missing"
        raise ValueError(f"{PAGE}: {wrong if name in files else f'{name}.sql is no recipe'}")
    return {PAGE: BLOCK.sub(lambda found: block(found[1], files[found[1]]), old)}


def block(name: str, text: str) -> str:
    """One recipe: its question as heading, its file, the SQL."""
    question = text.partition("\n")[0].removeprefix("-- ").rstrip()
    link = f"[{FOLDER}/{name}.sql](../{FOLDER}/{name}.sql)"
    return f"{MARK.format(name)}### {question}\n\n{link}\n\n```sql\n{text}```\n\n{END}"
