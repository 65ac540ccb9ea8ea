"""The interpreter of a worker: which one, and whether strangers could change what it runs.

The server's own user runs it, so it is trusted as the server's own program is.
"""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from cloudtrail_fdw.cli.database import Connection, value
from cloudtrail_fdw.cli.install.server_folders import check_folder, group_is_ours
from cloudtrail_fdw.errors import FdwError

PLACES = """
import json, sys, cloudtrail_fdw.host.worker
print(json.dumps([*cloudtrail_fdw.__path__, *sys.path]))
"""
SECONDS = 60


def choose(connection: Connection, given: Optional[Path]) -> Path:
    """The interpreter to install: the one given, else our own; FdwError for a doubtful one."""
    python = (given or Path(sys.executable)).absolute()
    check(connection, python)
    return python


def check(connection: Connection, python: Path) -> None:
    """Raise FdwError unless the server's user can run it, and nobody else can change it.

    Looked at are the interpreter, what it finds modules in, and this package there, each with the
    folders above.
    """
    user, seen = server_user(connection), set[Path]()
    if not python.is_file():
        raise FdwError(f"there is no interpreter {python}", hint="Name one with --python.")
    check_tree(python, user, seen)
    for path in map(Path, module_places(python, user)):
        if path.exists():
            check_tree(path, user, seen)


def server_user(connection: Connection) -> int:
    """The number of the user that the server runs as; FdwError where it runs elsewhere."""
    folder = Path(value(connection, "SHOW data_directory"))
    try:
        return folder.stat().st_uid
    except OSError:
        raise FdwError(
            f"the server's data folder {folder} is not on this machine",
            hint="Run cloudtrail-fdw install on the database server's own machine: it runs Python "
            "there, beside PostgreSQL.",
        ) from None


def links(path: Path) -> Iterator[Path]:
    """What symbolic links lead to, one after the other."""
    while path.is_symlink():
        path = path.parent / path.readlink()
        yield path


def module_places(python: Path, user: int) -> list[str]:
    """Where the interpreter finds modules, our package among them, as the server's user.

    FdwError where that user cannot run it, or it cannot import the package.
    """
    become: dict[str, Any] = {}
    if os.geteuid() == 0:
        group = pwd.getpwuid(user).pw_gid
        become = {"user": user, "group": group, "extra_groups": []}
    try:
        done = subprocess.run(  # none of our environment, which may hold credentials
            [str(python), "-I", "-B", "-c", PLACES], cwd="/", env={}, timeout=SECONDS,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **become,
        )  # fmt: skip
        problem = done.stderr.strip()[-300:] if done.returncode else ""
    except (OSError, subprocess.SubprocessError) as error:
        problem = str(error)
    if problem:
        raise FdwError(
            f"the server's user cannot run {python} with this package",
            detail=problem,
            hint="Install cloudtrail-fdw into a virtual environment that this user can read, below "
            "/opt say, and run install with it; or name its interpreter with --python.",
        )
    return [place for place in json.loads(done.stdout) if place]


def check_tree(top: Path, user: int, seen: set[Path]) -> None:
    """Raise FdwError when anybody but root and the server's user may write a file or folder.

    What a symbolic link leads to is looked at, too; ``seen`` are those trees, each looked at once.
    """
    check_folder(top if top.is_dir() else top.parent, {user})
    ours = {0, user}
    for path in (top, *(Path(folder, name) for folder, folders, files in os.walk(top)
                        for name in (*folders, *files))):  # fmt: skip
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            for step in links(path):
                if step.exists() and step.resolve() not in seen:
                    seen.add(step.resolve())
                    check_tree(step, user, seen)
            continue
        group = found.st_mode & stat.S_IWGRP and not group_is_ours(found, ours)
        if found.st_uid not in ours or found.st_mode & stat.S_IWOTH or group:
            raise FdwError(
                f"{path} may be written by others than root and the server's user",
                hint=f"Look at what is in it, then: chown root {path}; chmod go-w {path}",
                sqlstate="42501",
            )
