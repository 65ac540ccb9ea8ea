"""Commands on databases, and what is then in their catalogs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from click.testing import CliRunner, Result

from cloudtrail_fdw.cli import main
from cloudtrail_fdw.tables import TABLES
from servers import INSTALL

CATALOG = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        col_description(c.oid, a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'f' AND c.relnamespace = %s::regnamespace
        AND a.attnum > 0 AND NOT a.attisdropped
"""


def host_of(dsn: str) -> dict[str, Any]:
    """What a Target has to have for another database of the sandbox's server."""
    given = INSTALL.get(urlsplit(dsn).port or 0)
    return {"host": "worker", "python": Path(given[-1])} if given else {}


def run(*arguments: str) -> Result:
    """What ``cloudtrail-fdw`` says; ``install`` gets the host of the sandbox that DSN is of."""
    host: tuple[str, ...] = ()
    if arguments[0] == "install" and "--host" not in arguments:
        host = INSTALL.get(urlsplit(arguments[1]).port or 0, ())
    return CliRunner().invoke(main, [*arguments, *host])


def installed(*arguments: str) -> str:
    result = run("install", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def rows(dsn: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode(), parameters or None).fetchall()


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def declared() -> set[tuple[str, str, str, str]]:
    return {
        (table.name, column.name, column.type, column.help)
        for table in TABLES.values()
        for column in table.columns
    }
