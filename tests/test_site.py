"""The documentation site builds without a warning, and says what the pages say."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
DOCS = TOP / "docs"
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def build(top: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Run mkdocs; warnings are errors."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(
        command, cwd=top, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site."""
    folder = tmp_path_factory.mktemp("site")
    done = build(TOP, folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there_with_its_tables_and_lists(site: Path) -> None:
    """Where Markdown of GitHub and of mkdocs differ, a table or list becomes running text."""
    for page in DOCS.rglob("*.md"):
        words = FENCED.sub("", page.read_text("utf-8"))
        shown = (site / page.relative_to(DOCS)).with_suffix(".html").read_text("utf-8")
        shown = re.sub(r"<pre.*?</pre>", "", shown, flags=re.DOTALL)
        assert shown.count("<table") == len(re.findall(r"^\|[-:| ]+\|$", words, re.MULTILINE)), page
        for text in re.findall(r"<p>(.*?)</p>", shown, re.DOTALL):
            lost = re.search(r"^(\||-|\d+\.) |```|\]\(", html.unescape(text), re.MULTILINE)
            assert lost is None, (page, text)


def test_the_sql_of_checks_and_recipes_is_linked(site: Path) -> None:
    for page, folder in (("checks.html", "checks"), ("recipes.html", "recipes")):
        shown = (site / page).read_text("utf-8")
        linked = set(re.findall(rf'href="(sql/{folder}/\w+\.sql)"', shown))
        assert linked == {f"sql/{folder}/{file.name}" for file in (TOP / "sql" / folder).iterdir()}
        assert all((site / file).is_file() for file in linked)


def test_a_reader_is_not_sent_elsewhere(site: Path) -> None:
    """Scripts, styles, fonts and pictures come from the site itself."""
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert re.findall(r'(?:src|<link[^>]*href)="https?:[^"]*"', text) == [], page


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    (tmp_path / "tools").mkdir()
    shutil.copy(TOP / "tools" / "site_links.py", tmp_path / "tools")
    shutil.copy(TOP / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs" / "index.md").open("a") as page:
        page.write("\n[nowhere](nowhere.md) and [no heading](tutorial.md#nowhere)\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    assert "nowhere.md" in done.stderr
    assert "#nowhere" in done.stderr
