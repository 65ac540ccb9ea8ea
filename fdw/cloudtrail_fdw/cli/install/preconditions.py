"""What must be so before ``install`` changes anything."""

from __future__ import annotations

import re
from typing import Optional

from cloudtrail_fdw.cli.database import Connection, installed_schema, value
from cloudtrail_fdw.errors import FdwError

OLDEST = 14  # PostgreSQL's major version that needs no Multicorn


def check_database(connection: Connection, schema: str, reader: str) -> None:
    """Raise FdwError unless this database and role can take the installation."""
    for name in (schema, reader):
        # the rule of PostgreSQL's own extensions for names that stand inside function bodies
        if not name or re.search(r"[\"'$\\]", name):
            raise FdwError(f"the name {name!r} cannot be used", hint="Leave out quotes, $ and \\.")
    encoding = value(connection, "SHOW server_encoding")
    if encoding != "UTF8":
        raise FdwError(
            f"the database's encoding is {encoding}; events need UTF8",
            hint="CREATE DATABASE security ENCODING 'UTF8' TEMPLATE template0; and install there.",
        )
    if value(connection, "SHOW is_superuser") != "on":
        raise FdwError(
            "only a superuser can install a foreign data wrapper",
            hint="Connect as one, often postgres. Reading the tables later takes no such rights.",
        )
    check_names(connection, schema, reader)


def choose_host(connection: Connection, wanted: str) -> str:
    """``multicorn`` or ``worker``: what is wanted, or for ``auto`` what is there.

    An installation keeps its host; a new one has Multicorn where the server has it, else a worker.
    FdwError where that cannot be had.
    """
    version = int(value(connection, "SHOW server_version_num")) // 10000
    available = value(
        connection, "SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'multicorn'"
    )
    found = wanted
    if wanted == "auto":
        kept = installed_host(connection)
        found = kept or ("multicorn" if available else "worker")
    if found == "multicorn" and not available:
        raise FdwError(
            "the extension multicorn is not available on this server",
            hint=f"Install Multicorn2 for PostgreSQL {version}: the package multicorn2_{version} "
            "of PostgreSQL's yum repository, or from source elsewhere; or do without, with "
            "--host worker.",
        )
    if found == "worker" and version < OLDEST:
        raise FdwError(
            f"on PostgreSQL {version} the tables need Multicorn, which is not available here",
            hint=f"PostgreSQL {OLDEST} and newer can do without.",
        )
    return found


def installed_host(connection: Connection) -> Optional[str]:
    """The host of this database's installation, None where there is none."""
    handler = value(
        connection,
        "SELECT p.proname FROM pg_catalog.pg_foreign_data_wrapper w "
        "JOIN pg_catalog.pg_proc p ON p.oid = w.fdwhandler WHERE w.fdwname = 'cloudtrail_fdw'",
    )
    if handler is None:
        return None
    return "worker" if handler == "cloudtrail_fdw_worker_handler" else "multicorn"


def check_names(connection: Connection, schema: str, reader: str) -> None:
    """Raise FdwError when a name we need is someone else's."""
    other = installed_schema(connection)
    if other not in (None, schema):
        raise FdwError(
            f'this database has cloudtrail_fdw in schema "{other}" already',
            hint="Install there with --schema, or uninstall it first: one per database.",
        )
    wrapper = value(
        connection,
        "SELECT w.fdwname FROM pg_catalog.pg_foreign_server s "
        "JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw "
        "WHERE s.srvname = 'cloudtrail'",
    )
    if wrapper not in (None, "cloudtrail_fdw"):
        raise FdwError(
            f'a server "cloudtrail" of the foreign data wrapper "{wrapper}" is in the way',
            hint="ALTER SERVER cloudtrail RENAME TO …;",
        )
    role = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = %s"
    if value(connection, role, reader):
        raise FdwError(
            f'role "{reader}" is a superuser, not a reader',
            hint="Name another role with --reader; it is created if need be.",
        )


def reader_members(connection: Connection, reader: str) -> list[str]:
    """The roles that are members of the reader, where there is such a role; they will read too."""
    return [
        name
        for (name,) in connection.execute(
            b"SELECT m.rolname FROM pg_catalog.pg_auth_members a "
            b"JOIN pg_catalog.pg_roles r ON r.oid = a.roleid "
            b"JOIN pg_catalog.pg_roles m ON m.oid = a.member "
            b"WHERE r.rolname = %s AND NOT m.rolsuper GROUP BY m.rolname ORDER BY m.rolname",
            (reader,),
        )
    ]
