"""What an older installation's foreign tables need, to be as they are declared now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cloudtrail_fdw.cli.database import Connection
from cloudtrail_fdw.declare import Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.tables import TABLES

# Every relation of the schema, one row a column; options only of foreign tables of our server.
RELATIONS = b"""
    SELECT c.relname,
        t.ftoptions,
        a.attname,
        pg_catalog.format_type(a.atttypid, a.atttypmod)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_foreign_server s ON s.srvname = 'cloudtrail'
    LEFT JOIN pg_catalog.pg_foreign_table t ON t.ftrelid = c.oid AND t.ftserver = s.oid
    LEFT JOIN pg_catalog.pg_attribute a
        ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = %s AND c.relkind IN ('f', 'r', 'p', 'v', 'm')
    ORDER BY c.relname, a.attnum
"""


@dataclass
class Existing:
    """A relation of the schema: whether it is ours, its ``table_name``, its columns' types."""

    ours: bool
    table_name: str = ""
    columns: dict[str, str] = field(default_factory=dict)


def read_existing(connection: Connection, schema: str) -> dict[str, Existing]:
    """The relations of the schema by name; empty when it does not exist."""
    found: dict[str, Existing] = {}
    for name, options, column, sql_type in connection.execute(RELATIONS, (schema,)):
        relation = found.setdefault(name, Existing(options is not None))
        relation.table_name = dict(o.split("=", 1) for o in options or ()).get("table_name", "")
        if column is not None:
            relation.columns[column] = sql_type
    return found


def table_changes(
    connection: Connection, schema: str, tables: Mapping[str, Table] = TABLES
) -> list[str]:
    """ALTER and DROP statements with ``@extschema@``, none for a new or current installation.

    FdwError when a name is taken by something that is not ours.
    """
    changes: list[str] = []
    for name, relation in read_existing(connection, schema).items():
        target = f"@extschema@.{name}"
        if name in tables:
            if not relation.ours:
                raise FdwError(
                    f'schema "{schema}" already has a relation "{name}", which is not ours',
                    hint="Rename it, or install into another schema with --schema.",
                )
            changes += [
                f"ALTER FOREIGN TABLE {target} {change};"
                for change in column_changes(relation, tables[name])
            ]
        elif relation.ours and relation.table_name == name:
            changes.append(f"DROP FOREIGN TABLE {target};")
    return changes


def column_changes(relation: Existing, table: Table) -> Iterator[str]:
    """What ALTER FOREIGN TABLE has to do to one table's columns."""
    for column in table.columns:
        old = relation.columns.get(column.name)
        if old is None:
            yield f"ADD COLUMN {column.name} {column.type}"
        elif old != column.type:
            yield f"ALTER COLUMN {column.name} TYPE {column.type}"
    for name in relation.columns:
        if name not in table.column:
            quoted = '"' + name.replace('"', '""') + '"'
            yield f"DROP COLUMN {quoted}"
