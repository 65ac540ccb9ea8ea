# ruff: noqa: INP001 - a script, no package
"""For mkdocs: links that lead out of docs/, which work in a checkout, work on the site, too.

A file of sql/ becomes a file of the site, README.md the first page; what else the site does not
have stays as words. A folder in the nav stands for its pages: a new table needs no line there.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

TOP = Path(__file__).parents[1]
LINK = re.compile(r"\[([^\]\n]*)\]\(((?:\.\./)+[^)#\s]*)\)")


def on_config(config: Any) -> None:
    """List the pages of each folder that the nav names."""
    for entry in config.nav:
        for title, place in entry.items():
            if isinstance(place, str) and place.endswith("/"):
                pages = sorted((Path(config.docs_dir) / place).glob("*.md"))
                entry[title] = [{page.stem: place + page.name} for page in pages]


def on_files(files: Any, config: Any) -> Any:
    """Add sql/checks and sql/recipes."""
    for path in sorted(TOP.glob("sql/*/*.sql")):
        name = path.relative_to(TOP).as_posix()
        if "/extension/" not in name:
            files.append(File.generated(config, name, content=path.read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Turn each link that leaves docs/."""
    folder = posixpath.dirname(page.file.src_uri)

    def turn(found: re.Match[str]) -> str:
        words, target = found[1], posixpath.normpath(posixpath.join(folder, found[2]))
        if not target.startswith("../"):
            return found[0]
        target = {"../README.md": "index.md"}.get(target, target[3:])
        if files.get_file_from_path(target) is None:
            return words if "`" in words else f"`{words}`"
        return f"[{words}]({posixpath.relpath(target, folder or '.')})"

    return LINK.sub(turn, markdown)
