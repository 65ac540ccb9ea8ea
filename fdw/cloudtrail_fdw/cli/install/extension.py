"""The extension cloudtrail_fdw on a server: its handler compiled, its files placed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.cli.database import Connection, value
from cloudtrail_fdw.cli.install import library
from cloudtrail_fdw.cli.install.library import NAME, PACKAGE, SOURCE, VERSION
from cloudtrail_fdw.cli.install.server_folders import check_folder
from cloudtrail_fdw.errors import FdwError

SCRIPTS = PACKAGE / "sql" / "extension"
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
MACOS = ("-undefined", "dynamic_lookup")  # the server itself has what is missing


def extension_sql(connection: Connection) -> list[str]:
    """The statements that bring the extension, of a server that has its files, into the database.

    Objects of an installation without it become its members.
    """
    installed = value(
        connection, "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = %s", NAME
    )
    if installed is not None:
        if installed != VERSION:
            return [f"ALTER EXTENSION {NAME} UPDATE;\n"]
        return switches(connection)
    if value(
        connection, "SELECT 1 FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwname = %s", NAME
    ):
        return [
            f"CREATE EXTENSION {NAME} WITH SCHEMA @extschema@ VERSION unpackaged;\n",
            f"ALTER EXTENSION {NAME} UPDATE;\n",
        ]
    return [f"CREATE EXTENSION {NAME} WITH SCHEMA @extschema@;\n"]


def switches(connection: Connection) -> list[str]:
    """What gives the functions of this very version the library that its control file names."""
    control = value(
        connection,
        "SELECT pg_catalog.pg_read_file(setting || %s, 0, 10000, true) "
        "FROM pg_catalog.pg_config WHERE name = 'SHAREDIR'",
        f"/extension/{NAME}.control",
    )
    named = re.search(r"^module_pathname = '(.*)'", control or "", re.MULTILINE)
    query = (
        "SELECT pg_catalog.replace(pg_catalog.pg_get_functiondef(p.oid), "
        "pg_catalog.quote_literal(p.probin), pg_catalog.quote_literal(%s)) "
        "FROM pg_catalog.pg_proc p "
        "JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype = 'e' "
        "AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass "
        "JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid "
        "WHERE e.extname = %s AND p.probin <> %s ORDER BY p.oid"
    )
    if named is None:
        return []
    found = connection.execute(query.encode(), (named[1], NAME, named[1])).fetchall()
    return [f"{definition.rstrip()};\n" for (definition,) in found]


def available(connection: Connection) -> bool:
    """Whether the server has the files of this version of the extension."""
    query = "SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = %s"
    return bool(value(connection, query, NAME) == VERSION)


def place_extension(connection: Connection) -> None:
    """Place the handler's library and the extension's files in the connection's server.

    The library is the one that the package brings for this server, else it is compiled here,
    which needs the server's headers and a C compiler. This machine must be the server's, and its
    folders ours to write and nobody else's. FdwError names what is missing. Files that are there
    and of this source stay, those of others go once nothing needs them.
    """
    names: dict[str, str] = dict(
        connection.execute("SELECT name, setting FROM pg_catalog.pg_config").fetchall()
    )
    scripts = Path(names["SHAREDIR"]) / "extension"
    target = library.placed_path(connection, Path(names["PKGLIBDIR"]))
    placed = scripts / f"{NAME}.control"
    library.remove_unused(connection)
    if target.exists() and placed.exists() and placed.read_text() == control_text(target):
        return
    place_any_library(connection, names, target)
    for script in SCRIPTS.glob(f"{NAME}--*.sql"):
        place(script.read_bytes(), scripts / script.name)
    place(control_text(target).encode(), placed)


def control_text(placed: Path) -> str:
    """The control file, with the names of this version and what it and the library are made of."""
    sources = [*sorted(SOURCE.glob("*.[ch]")), *sorted(SCRIPTS.glob("*.sql"))]
    made_of = b"".join(path.read_bytes() for path in sources)
    stamp = f"# made of {hashlib.sha256(made_of).hexdigest()[:16]}\n"
    stamp += f"# library {library.digest(placed.read_bytes())}\n"
    text = (SOURCE / f"{NAME}.control").read_text("utf-8") + stamp
    text = re.sub(r"default_version = '.*'", f"default_version = '{VERSION}'", text)
    path = f"module_pathname = '$libdir/{library.library_name()}'"
    return re.sub(r"module_pathname = '.*'", lambda _: path, text)


def place_any_library(connection: Connection, names: dict[str, str], target: Path) -> None:
    """Place the package's own library, or one that is compiled where there is none that loads.

    ``names`` are the server's folders as pg_config has them.
    """
    major = int(value(connection, "SHOW server_version_num")) // 10000
    ready = library.prebuilt(major, Path(names["BINDIR"]) / "postgres")
    problem = None
    if ready is not None:
        check_writable(connection, names)
        try:
            library.place_library(connection, ready, target)
            return
        except FdwError as error:
            problem = f"the one of this package does not load: {error.detail}"
    headers = Path(names["INCLUDEDIR-SERVER"])
    compiler = find_compiler(Path(names["BINDIR"]))
    if not (headers / "postgres.h").exists():
        raise FdwError(
            f"the server's headers are not in {headers}",
            hint=headers_hint(connection),
            detail=problem,
        )
    if compiler is None:
        raise FdwError(
            "there is no C compiler on this machine", hint="Install gcc.", detail=problem
        )
    check_writable(connection, names)
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-") as work:
        made = Path(work) / target.name
        compile_handler(compiler, headers, made, MACOS if sys.platform == "darwin" else ())
        library.place_library(connection, made, target)


def check_writable(connection: Connection, names: dict[str, str]) -> None:
    """Raise FdwError unless the server's folders are ours to write, and no stranger's."""
    folders = [Path(names["PKGLIBDIR"]), Path(names["SHAREDIR"]) / "extension"]
    for folder in folders:
        if not os.access(folder, os.W_OK):
            raise FdwError(f"{folder} is not ours to write", hint="Run install as root.")
    try:
        server = {Path(value(connection, "SHOW data_directory")).stat().st_uid}
    except OSError:
        server = set()
    for folder in folders:
        check_folder(folder, {os.geteuid(), *server})


def find_compiler(bindir: Path) -> Optional[str]:
    """A C compiler: this machine's, or one beside the private PostgreSQL or our own Python."""
    places = [os.environ.get("PATH", os.defpath), str(bindir), str(Path(sys.executable).parent)]
    path = os.pathsep.join(places)
    return shutil.which("cc", path=path) or shutil.which("gcc", path=path)


def compile_handler(compiler: str, headers: Path, target: Path, flags: Sequence[str] = ()) -> None:
    """Compile the handler to ``target``; FdwError with the compiler's words."""
    sources = map(str, sorted(SOURCE.glob("*.c")))
    done = subprocess.run(
        [compiler, "-isystem", str(headers), *FLAGS, *flags, "-o", str(target), *sources],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise FdwError("the handler does not compile", detail=done.stderr.strip()[-500:])


def place(content: bytes, target: Path) -> None:
    """Write a file into one of the server's folders, whole or not at all, readable for it."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(target)


def headers_hint(connection: Connection) -> str:
    """Which package has the headers of this server."""
    major = int(value(connection, "SHOW server_version_num")) // 10000
    return f"Install postgresql-server-dev-{major} (Debian) or postgresql{major}-devel (EL)."
