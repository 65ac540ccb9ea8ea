"""What README and docs show runs: SQL, the rows below it, commands, and links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cloudtrail_fdw.cli import main
from servers import Db, Sandbox

TOP = Path(__file__).parents[1]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(block, id=f"{page.relative_to(TOP)}-{number}")
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
# The reason, if any, why a block does not run; its language; its text.
FENCED = re.compile(r"^(?:<!-- not run: (.+) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOOKS_RUN = re.compile(
    r"(cloudtrail-fdw|docker|make|pip|psql|python3?|sudo|\.venv/bin/\S+) |"
    r"(ALTER|CREATE|DELETE|EXPLAIN|GRANT|IMPORT|INSERT|SELECT|SET|UPDATE|WITH) "
)
# What a command begins with, of ours without cloudtrail-fdw, and the test that runs it.
RUN_BY = {
    "make setup": ("test_packaging.py", "test_the_metadata"),
    "make demo": ("cli/test_demo.py", "test_recipes_print_their_rows"),
    "make test": ("test_docs.py", "test_every_command_runs_in_a_test_or_says_why_not"),
    "pip install .": ("test_packaging.py", "test_the_metadata"),
    "psql": ("test_recipes.py", "test_psql_runs_them_as_they_are"),
    "check": ("test_docs.py", "test_the_checks_find_what_the_tutorial_says"),
    "data update": ("cli/test_data.py", "test_the_command_takes_files_and_names_the_folder"),
    "doctor": ("cli/doctor/test_doctor.py", "test_a_working_installation_has_no_failure"),
    "install": ("cli/install/test_install.py", "test_install_makes_what_is_declared_and_answers"),
    "psql --admin": ("cli/query/test_query.py", "test_it_reads_only_and_psql_can_more"),
    "query": ("cli/query/test_query.py", "test_it_reads_only_and_psql_can_more"),
    "query --stop": ("cli/query/test_query.py", "test_stop"),
    "sandbox start": ("cli/test_sandbox.py", "test_start_to_stop"),
    "sandbox stop": ("cli/test_sandbox.py", "test_start_to_stop"),
}


def answer(db: Db, example: str) -> tuple[list[str], list[list[str]]]:
    """Names and rows of the last statement, as psql prints them without alignment."""
    cursor = db.execute(example)
    while cursor.nextset():
        pass
    found = cursor.pgresult
    assert found is not None
    rows = [
        [(found.get_value(row, column) or b"").decode() for column in range(found.nfields)]
        for row in range(found.ntuples)
    ]
    return [column.name for column in cursor.description or ()], rows


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs_and_finds_rows(sample: Sandbox, example: str) -> None:
    with sample.connect("reader_dsn") as db:
        assert answer(db, example)[1]


def test_the_tutorial_shows_what_its_examples_print(sample: Sandbox) -> None:
    page = (TOP / "docs" / "tutorial.md").read_text("utf-8")
    shown = re.findall(r"```sql\n((?:(?!```).)*)```\n\n```\n(.*?)```", page, re.DOTALL)
    assert len(shown) == page.count("```sql\n")
    with sample.session("reader_dsn") as db:
        db.execute("SET timezone = 'UTC'")
        for example, table in shown:
            header, _, *lines = table.splitlines()
            cells = [[cell.strip() for cell in line.split("|")] for line in [header, *lines]]
            names, rows = answer(db, example)
            assert cells == [names, *rows]


def test_the_plan_is_the_one_that_is_explained(sample: Sandbox) -> None:
    page = (TOP / "docs" / "explain.md").read_text("utf-8")
    example, plan = re.findall(r"```sql\n(.*?)```\n\n```\n(.*?)```", page, re.DOTALL)[0]
    with sample.session() as owner:
        owner.execute("SELECT cloudtrail_fdw_cache_clear()")
    with sample.session("reader_dsn") as db:
        db.execute("SET timezone = 'UTC'")
        db.execute(
            "SELECT count(*) FROM cloudtrail_event WHERE timestamp >= '2026-11-20 00:00+00' "
            "AND timestamp < '2026-11-20 06:00+00'"
        )
        shown = "\n".join(row[0] for row in answer(db, example)[1])
        # from PostgreSQL 16 on a join's condition has the inner side first
        shown = shown.replace("(ip = e.source_ip_address)", "(e.source_ip_address = ip)")
        assert shown == plan.rstrip("\n")
    labels = set(re.findall(r"^ *(?:-> )? *([A-Z][\w ]+): ", plan, re.MULTILINE))
    explained = set(re.findall(r"^\| `([\w ]+)` \|", page, re.MULTILINE))
    assert labels - {"Sort Key"} == explained


def test_the_checks_find_what_the_tutorial_says(sample: Sandbox) -> None:
    page = (TOP / "docs" / "tutorial.md").read_text("utf-8")
    command = next(line for line in page.splitlines() if " check --dsn" in line)
    arguments = shlex.split(command.replace("$READER_DSN", sample.state["reader_dsn"]))[1:]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    titles = re.findall(r"^(?:critical|high) .*$", done.stdout, re.MULTILINE)
    assert titles == re.findall(r"^(?:critical|high)  .*$", page, re.MULTILINE)


def commands(block: str) -> Iterator[list[str]]:
    """The commands of a shell block, without what they are piped into."""
    plain = re.sub(r"\s+# .*$", "", block, flags=re.MULTILINE)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=";&|<>\n")
    lexer.whitespace, lexer.whitespace_split = " \t", True
    words: list[str] = []
    for word in [*lexer, "\n"]:
        if word.strip("\n;&"):
            words.append(word)
        elif words:
            ends = [place for place, word in enumerate(words) if word in ("|", "<", ">")]
            yield words[: min(ends, default=None)]
            words = []


def unknown_options(words: list[str]) -> list[str]:
    """Options of one of our commands that it does not have."""
    found: click.Command = main
    for word in words[1:]:
        if isinstance(found, click.Group) and word in found.commands:
            found = found.commands[word]
    known = {option for parameter in found.params for option in parameter.opts} | {"--help"}
    return [word for word in words if word.startswith("-") and word not in known]


def test_every_command_runs_in_a_test_or_says_why_not() -> None:
    wrong = []
    for page in PAGES:
        for reason, language, block in FENCED.findall(page.read_text("utf-8")):
            if reason or language == "sql":
                continue
            if language != "sh":
                first = block.partition("\n")[0]
                wrong += [(page.name, first)] if LOOKS_RUN.match(first) and "…" not in first else []
                continue
            for words in commands(block):
                ours = words[0].rpartition("/")[2] == "cloudtrail-fdw"
                command = " ".join(words[1:] if ours else words)
                if not any(f"{command} ".startswith(f"{known} ") for known in RUN_BY):
                    wrong.append((page.name, command))
                wrong += [(page.name, word) for word in unknown_options(words) if ours]
    assert wrong == []


@pytest.mark.parametrize(("file", "test"), sorted(set(RUN_BY.values())))
def test_the_tests_that_run_commands_are_there(file: str, test: str) -> None:
    assert f"\ndef {test}(" in (TOP / "tests" / file).read_text("utf-8")


@pytest.mark.parametrize("page", [*PAGES, TOP / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
