"""The handler's compiled library: its name, the one that a wheel brings, those left over."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Optional

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cloudtrail_fdw.cli.database import Connection, connect, failure, value
from cloudtrail_fdw.errors import FdwError

NAME = "cloudtrail_fdw"
PACKAGE = Path(__file__).parents[2]
SOURCE = PACKAGE / "handler_source"
# tools/wheel puts pg14.so … pg18.so of one platform there, and their digests
PREBUILT = PACKAGE / "libraries"
DIGESTS = "sha256sums"
VERSION = metadata.version("cloudtrail-fdw")
# How the path of glibc's loader ends, which every program names near its beginning.
LOADERS = {"x86_64": b"/ld-linux-x86-64.so.2", "aarch64": b"/ld-linux-aarch64.so.1"}


def library_name() -> str:
    """The name of this version's library, without what the platform appends.

    With a digest of its source: a session that has loaded a file keeps it, and must not be given
    functions of another one by the same name.
    """
    source = b"".join(path.read_bytes() for path in sorted(SOURCE.glob("*.[ch]")))
    return f"{NAME}-{VERSION}-{hashlib.sha256(source).hexdigest()[:8]}"


def suffix(major: int) -> str:
    """What PostgreSQL of this major version appends to the name of a library."""
    return ".dylib" if sys.platform == "darwin" and major >= 16 else ".so"


def placed_path(connection: Connection, folder: Path) -> Path:
    """Where this version's library is in the server's folder."""
    major = int(value(connection, "SHOW server_version_num")) // 10000
    return folder / (library_name() + suffix(major))


def digest(library: bytes) -> str:
    """What tells a library from one that was changed."""
    return hashlib.sha256(library).hexdigest()


def prebuilt(major: int, program: Path) -> Optional[Path]:
    """The library that this package brings for the server, None where there is none.

    ``program`` is the server's ``postgres``: on Linux it has to be one of this machine's
    architecture, with glibc. PostgreSQL itself checks the rest when it loads the library. FdwError
    when the file is damaged: loading a part of a library can end a server.
    """
    library = PREBUILT / f"pg{major}.so"
    if not library.exists():
        return None
    if sys.platform == "linux":
        loader = LOADERS.get(platform.machine())
        with program.open("rb") as file:
            if loader is None or loader not in file.read(4096):
                return None
    digest = hashlib.sha256(library.read_bytes()).hexdigest()
    if f"{digest}  {library.name}" not in (PREBUILT / DIGESTS).read_text("utf-8").splitlines():
        raise FdwError(f"{library} is damaged", hint="Install the package cloudtrail-fdw again.")
    return library


def place_library(connection: Connection, source: Path, target: Path) -> None:
    """Copy a library into the server's folder, once the connection's server has loaded it.

    FdwError with PostgreSQL's words, and no file, where it does not load.
    """
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as file:
        file.write(source.read_bytes())
    fresh = Path(file.name)
    fresh.chmod(0o755)
    try:
        with connection.transaction():
            connection.execute(sql.SQL("LOAD {}").format(str(fresh)))
        fresh.replace(target)
    except psycopg.errors.Error as error:
        raise FdwError(
            "the server does not load the handler's library", detail=failure(error).message
        ) from None
    finally:
        fresh.unlink(missing_ok=True)


def remove_unused(connection: Connection) -> None:
    """Remove the libraries in the server's folder that nothing can load any more.

    This version's own stays. All stay where a database cannot be asked, or where another server
    runs from the same programs, or might.
    """
    query = "SELECT setting FROM pg_catalog.pg_config WHERE name = 'PKGLIBDIR'"
    folder = Path(value(connection, query))
    files = [path for path in folder.glob(f"{NAME}-*") if path.stem != library_name()]
    if not files or not os.access(folder, os.W_OK) or not runs_alone(connection):
        return
    used = used_libraries(connection)
    for path in files:
        if used is not None and path.stem not in used:
            path.unlink(missing_ok=True)


def used_libraries(connection: Connection) -> Optional[set[str]]:
    """The names of our libraries that functions of any database have, None when unknown."""
    query = b"SELECT datname, datallowconn FROM pg_catalog.pg_database WHERE datname <> 'template0'"
    used = set()
    for name, open_to_us in connection.execute(query).fetchall():
        if not open_to_us:
            return None
        given = {**connection.info.get_parameters(), "dbname": name}
        try:
            with connect(make_conninfo(**given, password=connection.info.password)) as other:
                found = other.execute(
                    b"SELECT probin FROM pg_catalog.pg_proc WHERE probin LIKE '%cloudtrail_fdw%'"
                ).fetchall()
        except FdwError:
            return None
        used |= {Path(path).name.removesuffix(".so").removesuffix(".dylib") for (path,) in found}
    return used


def runs_alone(connection: Connection) -> bool:
    """Whether the server is here, and no other runs from its programs.

    False where that cannot be seen, as without /proc or the right to look.
    """
    query = "SELECT setting FROM pg_catalog.pg_config WHERE name = 'BINDIR'"
    program = Path(value(connection, query)) / "postgres"
    data = Path(value(connection, "SHOW data_directory"))
    try:
        alone = Path(f"/proc/{connection.info.backend_pid}/cwd").samefile(data)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "comm").read_text() != "postgres\n":
                    continue
                same = (process / "exe").samefile(program)
                alone = alone and (not same or (process / "cwd").samefile(data))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
    except OSError:
        return False
    return alone
