"""The Python inside PostgreSQL: which one it is, and whether it finds this package."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import Optional

import psycopg
from psycopg import sql

from cloudtrail_fdw.cli.database import Connection, connect, failure, value
from cloudtrail_fdw.errors import FdwError


def check_python(dsn: str, schema: str, worker: Optional[Path]) -> str:
    """Which Python serves the tables; FdwError unless it can import this package.

    ``worker`` is the interpreter beside the backends, None where it is Multicorn's.

    A session of its own: a failed import leaves Multicorn in a state that crashes the next query.
    """
    query = sql.SQL("EXPLAIN SELECT FROM {} WHERE ip = '192.0.2.1'").format(
        sql.Identifier(schema, "ip_enrichment")
    )
    with connect(dsn) as connection:
        python = str(worker) if worker else f"Python {server_python(connection)}"
        try:
            connection.execute(query)
        except psycopg.Error as error:
            found = failure(error)
            program = str(worker) if worker else python.lower().replace(" ", "")
            package = f"cloudtrail-fdw=={metadata.version('cloudtrail-fdw')}"
            raise FdwError(
                f"the tables are there, but PostgreSQL's {python} cannot load them",
                detail=f"{found.message}: {found.detail}" if found.detail else found.message,
                hint=f"On the database server run: {program} -m pip install {package} "
                "(or the wheel or checkout that this program came from), readable for the "
                "operating system user of PostgreSQL; then: cloudtrail-fdw doctor DSN",
            ) from None
        version = connection.info.parameter_status("server_version")
    return f"PostgreSQL {version} loads the wrapper with {python}."


def server_python(connection: Connection) -> str:
    """The version of the interpreter that Multicorn's library is linked to, "3" if unknown."""
    library = value(
        connection,
        "SELECT pg_catalog.pg_read_binary_file(setting || '/multicorn.so') "
        "FROM pg_catalog.pg_config WHERE name = 'PKGLIBDIR'",
    )
    found = re.search(rb"libpython(3\.\d+)", library)
    return found.group(1).decode() if found else "3"
