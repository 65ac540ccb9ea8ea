"""In an environment with a wheel: have a server load the wheel's library, as install does.

python load_library.py DSN: the superuser's, of an empty database. Ends with an error unless the
library that the server then has is the wheel's own, and PostgreSQL has called it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg

from cloudtrail_fdw.cli.database import connect, value
from cloudtrail_fdw.cli.install import extension, library

TABLE = """
    CREATE FOREIGN DATA WRAPPER tried HANDLER public.cloudtrail_fdw_worker_handler;
    CREATE SERVER tried FOREIGN DATA WRAPPER tried;
    CREATE FOREIGN TABLE public.tried (a text) SERVER tried;
"""
FUNCTION = (
    "CREATE FUNCTION public.{0}() RETURNS fdw_handler LANGUAGE c STRICT AS '$libdir/{1}', '{0}'"
)


def main(dsn: str) -> None:
    """Place, load, call."""
    with connect(dsn, autocommit=True) as connection:
        query = "SELECT setting FROM pg_config WHERE name = 'PKGLIBDIR'"
        folder = Path(value(connection, query))
        major = int(value(connection, "SHOW server_version_num")) // 10000
        placed = folder / (library.library_name() + library.suffix(major))
        placed.unlink(missing_ok=True)
        extension.place_extension(connection)
        if placed.read_bytes() != (library.PREBUILT / f"pg{major}.so").read_bytes():
            raise SystemExit("the server does not have the wheel's library")
        for handler in ("cloudtrail_fdw_handler", "cloudtrail_fdw_worker_handler"):
            connection.execute(FUNCTION.format(handler, placed.stem).encode())
        connection.execute(TABLE.encode())
        try:
            connection.execute(b"EXPLAIN SELECT FROM public.tried")
        except psycopg.Error as error:  # no option names an interpreter
            if "there is no Python" in str(error):
                return
            raise
        raise SystemExit("the library's handler was not called")


if __name__ == "__main__":
    main(sys.argv[1])
