"""The schema steampipe: foreign tables with inet keys, and which of its relations are ours.

A foreign table ``<name>_by_address`` stands there for every table with a key. Its key is inet
where the wrapper has our handler, else text: Multicorn's own cannot survive other keys.
"""

from __future__ import annotations

import re
from dataclasses import replace

from cloudtrail_fdw.cli.database import Connection, new_schema, value
from cloudtrail_fdw.cli.install.extension import available
from cloudtrail_fdw.cli.install.library import NAME
from cloudtrail_fdw.cli.install.table_changes import column_changes, read_existing
from cloudtrail_fdw.cli.install.views import SQL
from cloudtrail_fdw.declare import Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.tables import TABLES

SCHEMA = "steampipe"
FILES = tuple(sorted(SQL.glob("99_steampipe_*.sql")))
SUFFIX = "_by_address"
VIEW = re.compile(rf"^CREATE OR REPLACE VIEW {SCHEMA}\.(\w+)", re.MULTILINE)
# Relations of the schema with these names that neither are foreign tables of our server nor
# views on one.
FOREIGN_TO_US = """
    SELECT c.relname
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'steampipe'
        AND c.relkind IN ('f', 'm', 'p', 'r', 'v')
        AND NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_foreign_table t
            JOIN pg_catalog.pg_foreign_server s ON s.oid = t.ftserver
            WHERE s.srvname = 'cloudtrail'
                AND (t.ftrelid = c.oid OR t.ftrelid IN (
                    SELECT d.refobjid
                    FROM pg_catalog.pg_rewrite r
                    JOIN pg_catalog.pg_depend d ON d.objid = r.oid
                    WHERE r.ev_class = c.oid
                        AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
                        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                ))
        )
    ORDER BY c.relname
"""


def keyed_tables(key_type: str) -> dict[str, Table]:
    """The tables with a key by their names in the schema, the key of type ``key_type``."""
    return {
        table.name + SUFFIX: replace(
            table,
            key="",
            columns=tuple(
                replace(column, type=key_type) if column.name == table.key else column
                for column in table.columns
            ),
        )
        for table in TABLES.values()
        if table.key
    }


def key_type(connection: Connection, handler: bool) -> str:
    """The type that keys may have; ``handler`` is whether install brings ours if it can."""
    there = value(connection, "SELECT 1 FROM pg_catalog.pg_extension WHERE extname = %s", NAME)
    return "inet" if there or (handler and available(connection)) else "text"


def changes(connection: Connection, handler: bool) -> list[str]:
    """What brings the foreign tables that are there up to date."""
    existing = read_existing(connection, SCHEMA)
    return [
        f"ALTER FOREIGN TABLE {SCHEMA}.{name} {change};\n"
        for name, table in keyed_tables(key_type(connection, handler)).items()
        if name in existing
        for change in column_changes(existing[name], table)
    ]


def creations(connection: Connection, handler: bool) -> list[str]:
    """What makes the schema and its foreign tables where they are not there."""
    tables = keyed_tables(key_type(connection, handler))
    made = [ddl(name, table) for name, table in tables.items()]
    return [*new_schema(connection, SCHEMA, SCHEMA), *made]


def ddl(name: str, table: Table) -> str:
    """CREATE FOREIGN TABLE of one of keyed_tables()."""
    columns = ",\n".join(f"    {column.name} {column.type}" for column in table.columns)
    return (
        f"CREATE FOREIGN TABLE IF NOT EXISTS {SCHEMA}.{name} (\n{columns}\n)\n"
        f"SERVER cloudtrail OPTIONS (table_name '{table.name}');\n"
    )


def ours(connection: Connection) -> list[tuple[str, str]]:
    """Kind and name of our relations that are there, views first."""
    others = {name for (name,) in connection.execute(FOREIGN_TO_US.encode())}
    there = read_existing(connection, SCHEMA).keys() - others
    return [(kind, name) for kind, name in wanted() if name in there]


def wanted() -> list[tuple[str, str]]:
    """Kind and name of the relations that install makes in the schema, views first."""
    text = "".join(file.read_text("utf-8") for file in FILES)
    views = [("VIEW", name) for name in reversed(VIEW.findall(text))]
    return views + [("FOREIGN TABLE", name) for name in keyed_tables("text")]


def drops(connection: Connection, *kinds: str) -> list[str]:
    """What drops our relations of these kinds; nothing of others."""
    return [f"DROP {kind} {SCHEMA}.{name};\n" for kind, name in ours(connection) if kind in kinds]


def check_steampipe(connection: Connection) -> None:
    """Raise FdwError when the schema is someone else's, or one of our names in it."""
    others = [name for (name,) in connection.execute(FOREIGN_TO_US.encode())]
    names = {name for _, name in wanted()}
    taken = [name for name in others if name in names]
    hint = "Rename it, or install without Steampipe's names: --no-steampipe."
    if taken:
        raise FdwError(
            f'schema "{SCHEMA}" already has a relation "{taken[0]}", which is not ours', hint=hint
        )
    if others and not ours(connection):
        raise FdwError(f'there is a schema "{SCHEMA}", which is not ours', hint=hint)
