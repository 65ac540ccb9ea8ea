"""Declarations as text: DDL, the validator's lists, the facts on docs pages.

``python -m cloudtrail_fdw.render`` writes them into a checkout, run from its top folder;
``--check`` writes nothing, names what is stale on standard error and exits 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.declare import Column, Option, Push, Table
from cloudtrail_fdw.options import OPTIONS
from cloudtrail_fdw.render_checks import checks_list
from cloudtrail_fdw.render_recipes import recipes_page
from cloudtrail_fdw.tables import TABLES

# pg_foreign_data_wrapper, pg_foreign_server, …
CATALOG_IDS = {"wrapper": 2328, "server": 1417, "mapping": 1418, "table": 3118}
PLACES = {"wrapper": "foreign data wrapper", "server": "server", "table": "foreign table",
          "mapping": "user mapping"}  # fmt: skip
# What our own host reads (fdw/handler/launch.c): the interpreter, most workers, until one goes.
WRAPPER_OPTIONS = {"python": "path", "max_workers": "integer", "idle_seconds": "integer"}
SQL_MARKS = ("-- generated:{}\n", "-- /generated")
DOCS_MARKS = ("<!-- generated:{} -->\n", "<!-- /generated -->")


def table_ddl(table: Table) -> str:
    """CREATE and COMMENT statements of one foreign table, in the schema ``@extschema@``."""
    name = f"@extschema@.{table.name}"
    columns = ",\n".join(f"    {column.name} {column.type}" for column in table.columns)
    comments = [f"COMMENT ON FOREIGN TABLE {name}\nIS {literal(table.help)};\n"]
    comments += [
        f"COMMENT ON COLUMN {name}.{column.name}\nIS {literal(column.help)};\n"
        for column in table.columns
    ]
    return (
        f"CREATE FOREIGN TABLE IF NOT EXISTS {name} (\n{columns}\n)\n"
        f"SERVER cloudtrail OPTIONS (table_name {literal(table.name)});\n\n" + "".join(comments)
    )


def tables_sql(tables: Iterable[Table]) -> str:
    """All of 40_tables.sql."""
    head = (
        "-- The foreign tables. Generated from the declarations in fdw/cloudtrail_fdw/tables by\n"
        "-- python -m cloudtrail_fdw.render; change them there.\n"
    )
    return "\n".join([head, *(table_ddl(table) for table in tables)])


def validator_lists(options: Iterable[Option], tables: Iterable[Table]) -> str:
    """The constants of the validator: which options stand where, of what kind."""
    kinds = {
        catalog: {
            option.name: "|".join(option.choices) or option.kind
            for option in options
            if catalog in option.catalogs
        }
        for catalog in CATALOG_IDS
    }
    kinds["server"] = {"wrapper": "wrapper", **kinds["server"]}
    kinds["wrapper"] = WRAPPER_OPTIONS
    kinds["table"] = {"table_name": "table_name", **kinds["table"]}
    secrets = ", ".join(literal(option.name) for option in options if option.kind == "secret")
    names = ", ".join(literal(table.name) for table in tables)
    cases = "".join(
        f"        -- {PLACES[catalog]}\n        WHEN {CATALOG_IDS[catalog]} THEN "
        + literal(json.dumps(kinds[catalog], indent=4).replace("\n", "\n        "))
        + "\n"
        for catalog in PLACES
    )
    return (
        f"    allowed CONSTANT jsonb := CASE catalog\n{cases}        ELSE '{{}}' END;\n"
        f"    secrets CONSTANT text[] := ARRAY[{secrets}];\n"
        f"    tables CONSTANT text[] := ARRAY[{names}];\n"
    )


HANDLER_SQL = """\
CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_fdw_handler() RETURNS fdw_handler
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;

COMMENT ON FUNCTION @extschema@.cloudtrail_fdw_handler()
IS 'Multicorn''s handler, with what it misreads or cannot survive kept from it.';

CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_fdw_worker_handler() RETURNS fdw_handler
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;

COMMENT ON FUNCTION @extschema@.cloudtrail_fdw_worker_handler()
IS 'A handler that needs no Multicorn: Python runs in a process of its own beside each session.';

"""
EARLIER: tuple[str, ...] = ()  # versions before this one that were released
ADOPTED = (
    "FUNCTION @extschema@.cloudtrail_fdw_validator(text[], oid)",
    "FOREIGN DATA WRAPPER cloudtrail_fdw",
    "FUNCTION @extschema@.try_inet(text)",
    "FUNCTION @extschema@.try_jsonb(text)",
)


def extension_scripts(top: Path, new_validator: str) -> dict[Path, str]:
    """The extension's own scripts: those of install that make no table, and the handler."""
    version = metadata.version("cloudtrail-fdw")
    wrapper = (top / "sql/20_wrapper.sql").read_text("utf-8")
    functions = (top / "sql/50_functions.sql").read_text("utf-8")
    head = '\\echo Use "CREATE EXTENSION cloudtrail_fdw" to load this file. \\quit\n\n'
    body = "\n".join([new_validator, HANDLER_SQL + wrapper, functions])
    adopt = "".join(f"ALTER EXTENSION cloudtrail_fdw ADD {member};\n" for member in ADOPTED)
    name = "sql/extension/cloudtrail_fdw--{}.sql"
    updates = {Path(name.format(f"{earlier}--{version}")): head + body for earlier in EARLIER}
    return {
        **updates,
        Path(name.format(version)): head + body,
        Path(name.format("unpackaged")): "-- What install makes without the extension is there.\n",
        Path(name.format(f"unpackaged--{version}")): head + adopt + "\n" + body,
    }


def reader_grants(tables: Iterable[Table]) -> str:
    """SELECT on each of our tables, and on nothing else that the schema may hold."""
    return "".join(
        f"GRANT SELECT ON @extschema@.{table.name} TO @reader@;\n"
        for table in tables
        if table.for_readers
    )


def columns_page(table: Table) -> str:
    """The column table of a docs page."""
    rows = [(f"`{c.name}`", c.type, c.help, json_path(c), pushed(c, table)) for c in table.columns]
    return markdown(("column", "type", "what it holds", "in the record", "pushed down"), rows)


def json_path(column: Column) -> str:
    """Where the value stands in a CloudTrail record, as its filter patterns spell it."""
    return f"`$.{'.'.join(column.path)}`" if column.path else ""


def pushed(column: Column, table: Table) -> str:
    """Which predicates reach the source."""
    if column.name == table.key:
        return f"key: {Push.VALUE.value}"
    return "" if column.push is Push.NOTHING else column.push.value


def options_page(options: Iterable[Option]) -> str:
    """The options table of docs/options.md."""
    rows = [
        (
            f"`{option.name}`",
            option.kind,
            ", ".join(PLACES[place] for place in PLACES if place in option.catalogs),
            f"`{option.default}`" if option.default else "",
            f"`cloudtrail_fdw.{option.name}`" if option.guc else "",
            option.help,
        )
        for option in options
    ]
    return markdown(("option", "kind", "stands on", "default", "in a session", "meaning"), rows)


def markdown(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; cells may hold the character that separates them."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def literal(text: str) -> str:
    """An SQL string, as standard_conforming_strings reads it."""
    return "'" + text.replace("'", "''") + "'"


def between(text: str, marks: tuple[str, str], name: str, new: str) -> str:
    """``text`` with what stands between its marks replaced; ValueError when they are missing."""
    start, end = marks[0].format(name), marks[1]
    head, found, rest = text.partition(start)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{start.strip()} … {end} is missing")
    indent = head[len(head.rstrip(" ")) :]
    return f"{head}{found}{new}{indent}{closed}{tail}"


def new_page(title: str, help_text: str, name: str) -> str:
    """The beginning of a docs page that nobody has written yet."""
    return f"# {title}\n\n{help_text}\n\n{DOCS_MARKS[0].format(name)}{DOCS_MARKS[1]}\n"


def files(top: Path) -> dict[Path, str]:
    """Every file with generated text and what it should hold now.

    ValueError names a file without its marks.
    """
    tables = tuple(TABLES.values())
    wanted = {Path("sql/40_tables.sql"): tables_sql(tables)}
    parts = [
        (Path("sql/10_validator.sql"), SQL_MARKS, "options", validator_lists(OPTIONS, tables), ""),
        (Path("sql/90_reader.sql"), SQL_MARKS, "grants", reader_grants(tables), ""),
        (Path("docs/options.md"), DOCS_MARKS, "options", options_page(OPTIONS),
         new_page("Options", "Every option of the server, the tables and user mappings.",
                  "options")),
        (Path("docs/checks.md"), DOCS_MARKS, "checks", checks_list(top), ""),
    ]  # fmt: skip
    parts += [
        (Path(f"docs/tables/{table.name}.md"), DOCS_MARKS, "columns", columns_page(table),
         new_page(table.name, table.help, "columns"))
        for table in tables
    ]  # fmt: skip
    for path, marks, name, new, start in parts:
        old = (top / path).read_text("utf-8") if (top / path).exists() else start
        try:
            wanted[path] = between(old, marks, name, new)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    wanted |= recipes_page(top)
    return {**wanted, **extension_scripts(top, wanted[Path("sql/10_validator.sql")])}


def stale(top: Path) -> dict[Path, str]:
    """The files that differ from what the declarations say, with their right text."""
    return {
        path: text
        for path, text in files(top).items()
        if not (top / path).exists() or (top / path).read_text("utf-8") != text
    }


def main(arguments: Optional[list[str]] = None) -> int:
    """Write or check; the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    top = Path.cwd()
    if arguments not in ([], ["--check"]) or not (top / "sql").is_dir():
        sys.stderr.write("usage: python -m cloudtrail_fdw.render [--check], in a checkout\n")
        return 2
    try:
        found = stale(top)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for path, text in found.items():
        if arguments:
            sys.stderr.write(f"{path} is stale: run python -m cloudtrail_fdw.render\n")
            continue
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text, "utf-8")
        sys.stderr.write(f"wrote {path}\n")
    return 1 if found and arguments else 0


if __name__ == "__main__":
    sys.exit(main())
