"""What is generated from the declarations, and that nothing generated is stale."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_fdw import render
from cloudtrail_fdw.declare import Column, Option, Push, Table

TOP = Path(__file__).parents[1]


def nothing(*_: Any) -> Any:
    """Neither planned nor scanned here."""


TABLE = Table(
    "thing",
    "One row for each thing that's there.",
    (
        Column("id", "text", "Which thing."),
        Column("seen", "timestamp with time zone", "When.", ("seen", "at"), Push.TIME),
        Column("a_or_b", "text[]", "Either a | b.", ("aOrB",), Push.PATTERN),
    ),
    nothing,
    nothing,
    nothing,
    width=10,
    key="id",
)


def test_table_ddl_creates_and_comments() -> None:
    expected = """\
CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.thing (
    id text,
    seen timestamp with time zone,
    a_or_b text[]
)
SERVER cloudtrail OPTIONS (table_name 'thing');

COMMENT ON FOREIGN TABLE @extschema@.thing
IS 'One row for each thing that''s there.';
COMMENT ON COLUMN @extschema@.thing.id
IS 'Which thing.';
COMMENT ON COLUMN @extschema@.thing.seen
IS 'When.';
COMMENT ON COLUMN @extschema@.thing.a_or_b
IS 'Either a | b.';
"""
    assert expected == render.table_ddl(TABLE)


def test_docs_name_path_and_pushdown_of_each_column() -> None:
    expected = [
        "| column | type | what it holds | in the record | pushed down |",
        "| --- | --- | --- | --- | --- |",
        f"| `id` | text | Which thing. |  | key: {Push.VALUE.value} |",
        f"| `seen` | timestamp with time zone | When. | `$.seen.at` | {Push.TIME.value} |",
        f"| `a_or_b` | text[] | Either a \\| b. | `$.aOrB` | {Push.PATTERN.value} |",
    ]
    assert expected == render.columns_page(TABLE).splitlines()


def test_validator_lists_each_option_where_it_may_stand() -> None:
    options = (
        Option("region", "text", frozenset({"server"}), "Where."),
        Option("max_calls", "integer", frozenset({"server", "table"}), "How often."),
        Option("secret_key", "secret", frozenset({"mapping"}), "Key."),
    )
    text = render.validator_lists(options, [TABLE])
    server, rest = text.split("WHEN 3118")
    table, mapping = rest.split("WHEN 1418")
    names = [f'"{option.name}"' for option in options]
    assert names[:2] == [name for name in names if name in server]
    assert names[1:2] == [name for name in names if name in table]
    assert names[2:] == [name for name in names if name in mapping]
    assert '"wrapper"' in server
    assert '"wrapper"' not in rest
    assert "tables CONSTANT text[] := ARRAY['thing'];" in text


def test_reader_may_select_from_our_tables_only() -> None:
    assert render.reader_grants([TABLE]) == "GRANT SELECT ON @extschema@.thing TO @reader@;\n"


def test_text_around_the_marks_is_kept() -> None:
    old = "# by hand\n\n  <!-- generated:columns -->\nold\n  <!-- /generated -->\nmore by hand\n"
    new = "# by hand\n\n  <!-- generated:columns -->\nnew\n  <!-- /generated -->\nmore by hand\n"
    assert new == render.between(old, render.DOCS_MARKS, "columns", "new\n")


def test_generated_files_of_this_checkout_are_fresh() -> None:
    assert not [str(path) for path in render.stale(TOP)], "run python -m cloudtrail_fdw.render"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what render reads and writes, as the current folder."""
    shutil.copytree(TOP / "sql", tmp_path / "sql")
    shutil.copytree(TOP / "docs", tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_names_stale_files_and_writes_none(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, old, new in (
        ("sql/40_tables.sql", "text", "jsonb"),
        ("sql/10_validator.sql", '"region": "text"', '"region": "path"'),
        ("docs/options.md", "| `region` |", "| `regoin` |"),
    ):
        file = checkout / name
        file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")
    (checkout / "docs/tables/ip_enrichment.md").unlink()
    assert render.main(["--check"]) == 1
    told = capsys.readouterr().err
    for name in ("sql/40_tables.sql", "sql/10_validator.sql", "docs/options.md",
                 "docs/tables/ip_enrichment.md"):  # fmt: skip
        assert f"{name} is stale" in told
    assert "sql/90_reader.sql" not in told
    assert not (checkout / "docs/tables/ip_enrichment.md").exists()

    assert render.main([]) == 0
    assert render.main(["--check"]) == 0


def test_a_file_without_marks_is_named(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "docs/options.md").write_text("# Options\n", "utf-8")
    assert render.main(["--check"]) == 1
    assert "docs/options.md: <!-- generated:options -->" in capsys.readouterr().err


def test_elsewhere_than_in_a_checkout_it_tells_its_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert render.main([]) == 2
    assert "usage" in capsys.readouterr().err
