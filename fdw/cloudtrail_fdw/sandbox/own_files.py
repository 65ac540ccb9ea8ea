"""A server's files as one cluster of ours sees them: links, and room for our own extension.

PostgreSQL looks for its libraries and scripts beside its program (src/port/path.c), and follows
links to them; so a copy of the program in a tree of the same form has folders of its own.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from pathlib import Path

from cloudtrail_fdw.sandbox.runtime import Server, make_readable

OURS = "cloudtrail_fdw"  # how the names of the handler's and the extension's files begin


def own_program(server: Server, target: Path) -> Path:
    """The program ``postgres`` of a tree in ``target`` that has all files of ``server``.

    What ``install`` puts into the tree's folders stays there when it is made again; those of
    ``server`` are only read.
    """
    scripts = server.share / "extension"
    root = Path(os.path.commonpath([server.bindir, server.library, server.share]))
    for source in (server.bindir, scripts, server.library, server.share):
        make_readable(target / source.relative_to(root))
    for source in (scripts, server.library, server.share):
        link_files(source, target / source.relative_to(root))
    program = target / (server.bindir / "postgres").relative_to(root)
    if not program.exists() or not filecmp.cmp(server.bindir / "postgres", program):
        shutil.copy2(server.bindir / "postgres", program)
    # to compile the handler: the headers, and the compiler that the private server brings
    for name in ("include", (server.bindir / "cc").relative_to(root)):
        link(root / name, target / name)
    return program


def link_files(source: Path, folder: Path) -> None:
    """Bring every entry of ``source`` into ``folder``; copies of ours, which may be replaced."""
    for entry in folder.iterdir():
        if entry.is_symlink():
            entry.unlink()  # the server may have been updated
    for entry in source.iterdir():
        if entry.name.startswith(OURS):
            shutil.copy2(entry, folder)
        else:
            link(entry, folder / entry.name)


def link(source: Path, target: Path) -> None:
    """Make a link where there is something to link to, unless the tree has a folder there."""
    if source.exists() and (target.is_symlink() or not target.exists()):
        target.unlink(missing_ok=True)
        target.symlink_to(source)
