"""The doctor's look at what runs Python: Multicorn, or an interpreter beside each session."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cloudtrail_fdw.cli.database import Connection, value
from cloudtrail_fdw.cli.doctor.finding import Finding, failed
from cloudtrail_fdw.cli.install import library, worker_python
from cloudtrail_fdw.cli.install.preconditions import installed_host
from cloudtrail_fdw.errors import FdwError

INSTALL = "run cloudtrail-fdw install"
OPTION = """
    SELECT o.option_value
    FROM pg_catalog.pg_foreign_data_wrapper w, pg_catalog.pg_options_to_table(w.fdwoptions) o
    WHERE w.fdwname = 'cloudtrail_fdw' AND o.option_name = 'python'
"""


def check_host(connection: Connection) -> Iterator[Finding]:
    """Which host the wrapper has; of a worker's, whether strangers could change what it runs."""
    version = connection.info.parameter_status("server_version")
    host = installed_host(connection)
    query = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'multicorn'"
    multicorn = value(connection, query)
    if host is None:
        yield Finding("ok", f"PostgreSQL {version}")
        return
    if host != "worker" and multicorn is None:
        yield Finding("fail", f"PostgreSQL {version} without extension multicorn here; {INSTALL}")
        return
    if host != "worker":
        yield Finding("ok", f"PostgreSQL {version}, Multicorn {multicorn}")
        return
    yield Finding("ok", f"PostgreSQL {version}, Python beside each session")
    python = value(connection, OPTION)
    if python is None:
        yield Finding("fail", f"the foreign data wrapper names no interpreter; {INSTALL}")
        return
    if value(connection, "SHOW is_superuser") != "on":
        yield Finding("warn", f"only a superuser can have {python} looked at")
        return
    try:
        worker_python.check(connection, Path(python))
        yield Finding("ok", f"nobody but root and the server's user can change {python}")
    except FdwError as error:
        yield failed(error)


def check_library(connection: Connection) -> Iterator[Finding]:
    """Whether the library that the functions name is the one that install placed."""
    query = (
        "SELECT p.probin FROM pg_catalog.pg_foreign_data_wrapper w "
        "JOIN pg_catalog.pg_proc p ON p.oid = w.fdwhandler WHERE w.fdwname = 'cloudtrail_fdw'"
    )
    name = Path(value(connection, query) or "").name
    if name != library.library_name():
        yield Finding("fail", f"the library in use, {name}, is of another version; {INSTALL}")
        return
    folders: dict[str, str] = dict(
        connection.execute("SELECT name, setting FROM pg_catalog.pg_config").fetchall()
    )
    try:
        control = Path(folders["SHAREDIR"], "extension", f"{library.NAME}.control").read_text()
        placed = library.placed_path(connection, Path(folders["PKGLIBDIR"])).read_bytes()
    except OSError as error:
        yield Finding("warn", f"the library cannot be read here: {error.strerror}")
        return
    noted = re.search(r"^# library (\w+)$", control, re.MULTILINE)
    if noted is None or noted[1] != library.digest(placed):
        yield Finding("fail", f"the library {name} is not the one that was installed; {INSTALL}")
    else:
        yield Finding("ok", f"the library {name} is the one that was installed")
