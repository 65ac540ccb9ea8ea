"""The extension cloudtrail_fdw on a server: its handler compiled, its files placed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.cli.database import Connection, value
from cloudtrail_fdw.errors import FdwError

NAME = "cloudtrail_fdw"
PACKAGE = Path(__file__).parents[2]
SOURCE = PACKAGE / "handler_source"
SCRIPTS = PACKAGE / "sql" / "extension"
VERSION = metadata.version("cloudtrail-fdw")
# As PostgreSQL's own extensions are compiled; the headers are not ours to be warned of.
FLAGS = (
    "-O2",
    "-std=gnu99",
    "-D_GNU_SOURCE",
    "-fno-strict-aliasing",
    "-fwrapv",
    "-fPIC",
    "-shared",
)


def extension_sql(connection: Connection) -> list[str]:
    """The statements that bring the extension, of a server that has its files, into the database.

    Objects of an installation without it become its members.
    """
    installed = value(
        connection, "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = %s", NAME
    )
    if installed is not None:
        return [f"ALTER EXTENSION {NAME} UPDATE;\n"] if installed != VERSION else []
    if value(
        connection, "SELECT 1 FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwname = %s", NAME
    ):
        return [
            f"CREATE EXTENSION {NAME} WITH SCHEMA @extschema@ VERSION unpackaged;\n",
            f"ALTER EXTENSION {NAME} UPDATE;\n",
        ]
    return [f"CREATE EXTENSION {NAME} WITH SCHEMA @extschema@;\n"]


def available(connection: Connection) -> bool:
    """Whether the server has the files of this version of the extension."""
    query = "SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = %s"
    return bool(value(connection, query, NAME) == VERSION)


def place_extension(connection: Connection) -> None:
    """Compile the handler for the connection's server and place the extension's files there.

    Needs the server's headers and a C compiler on this machine, which must be the server's, and
    the right to write into its folders. FdwError names what is missing. Files that are there
    and of this source stay.
    """
    names: dict[str, str] = dict(
        connection.execute("SELECT name, setting FROM pg_catalog.pg_config").fetchall()
    )
    libraries = Path(names["PKGLIBDIR"])
    scripts = Path(names["SHAREDIR"]) / "extension"
    headers = Path(names["INCLUDEDIR-SERVER"])
    sources = [*sorted(SOURCE.glob("*.[ch]")), *sorted(SCRIPTS.glob("*.sql"))]
    made_of = b"".join(path.read_bytes() for path in sources)
    stamp = f"# made of {hashlib.sha256(made_of).hexdigest()[:16]}\n"
    control = (SOURCE / f"{NAME}.control").read_text("utf-8") + stamp
    control = re.sub(r"default_version = '.*'", f"default_version = '{VERSION}'", control)
    placed = scripts / f"{NAME}.control"
    if (libraries / f"{NAME}.so").exists() and placed.exists() and placed.read_text() == control:
        return
    compiler = find_compiler(Path(names["BINDIR"]))
    if not (headers / "postgres.h").exists():
        raise FdwError(f"the server's headers are not in {headers}", hint=headers_hint(connection))
    if compiler is None:
        raise FdwError("there is no C compiler on this machine", hint="Install gcc.")
    if not (os.access(libraries, os.W_OK) and os.access(scripts, os.W_OK)):
        raise FdwError(f"{libraries} is not ours to write", hint="Run install as root.")
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-") as work:
        library = Path(work) / f"{NAME}.so"
        compile_handler(compiler, headers, library)
        place(library, libraries / library.name)
    for script in SCRIPTS.glob(f"{NAME}--*.sql"):
        place(script, scripts / script.name)
    with tempfile.NamedTemporaryFile("w", dir=scripts, suffix=".tmp", delete=False) as file:
        file.write(control)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(placed)


def find_compiler(bindir: Path) -> Optional[str]:
    """A C compiler: this machine's, or the one that the private PostgreSQL brings."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), str(bindir)])
    return shutil.which("cc", path=path) or shutil.which("gcc", path=path)


def compile_handler(compiler: str, headers: Path, library: Path) -> None:
    """Compile the handler to ``library``; FdwError with the compiler's words."""
    sources = map(str, sorted(SOURCE.glob("*.c")))
    done = subprocess.run(
        [compiler, "-isystem", str(headers), *FLAGS, "-o", str(library), *sources],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise FdwError("the handler does not compile", detail=done.stderr.strip()[-500:])


def place(source: Path, target: Path) -> None:
    """Copy a file into one of the server's folders, whole or not at all, readable for it."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as file:
        file.write(source.read_bytes())
    Path(file.name).chmod(0o644)
    Path(file.name).replace(target)


def headers_hint(connection: Connection) -> str:
    """Which package has the headers of this server."""
    major = int(value(connection, "SHOW server_version_num")) // 10000
    return f"Install postgresql-server-dev-{major} (Debian) or postgresql{major}-devel (EL)."
