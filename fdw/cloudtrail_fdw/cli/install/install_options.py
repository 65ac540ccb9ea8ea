"""The server's options that ``install`` is given."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from psycopg import sql

from cloudtrail_fdw.cli.database import Connection, value
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import OPTIONS

DATA_FILES = {
    "geo_database": "geolocation.mmdb",
    "asn_database": "asn.mmdb",
    "ip_ranges": "ip-ranges.json",
}


def server_options(connection: Connection, options: tuple[tuple[str, str], ...]) -> list[str]:
    """ALTER SERVER statements for the options given; FdwError for one that is not a server's."""
    known = sorted(option.name for option in OPTIONS if "server" in option.catalogs)
    present = value(
        connection,
        "SELECT srvoptions FROM pg_catalog.pg_foreign_server WHERE srvname = 'cloudtrail'",
    )
    names = {option.split("=", 1)[0] for option in present or ()}
    statements = []
    for name, text in options:
        if name not in known:
            raise FdwError(
                f'"{name}" is not an option of the server', hint=f"There are {', '.join(known)}."
            )
        action = ("SET" if text else "DROP") if name in names else ("ADD" if text else "")
        names.add(name)
        if action:
            quoted = sql.Literal(text).as_string(connection) if text else ""
            statements.append(f"ALTER SERVER cloudtrail OPTIONS ({action} {name} {quoted});\n")
    return statements


def parse_options(given: tuple[str, ...], data_directory: Optional[Path]) -> dict[str, str]:
    """``name=value`` arguments and the files of a data directory, as server options."""
    options = {}
    if data_directory:
        options = {name: str(data_directory / file) for name, file in DATA_FILES.items()}
    for text in given:
        name, equals, setting = text.partition("=")
        if not equals:
            raise FdwError(f'--option "{name}" has no value', hint="Write --option name=value.")
        options[name] = setting
    return options
