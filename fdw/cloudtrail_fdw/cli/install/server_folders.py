"""Who may write into the folders of a server."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import sys
from collections.abc import Collection
from pathlib import Path

from cloudtrail_fdw.errors import FdwError


def check_folder(folder: Path, trusted: Collection[int]) -> None:
    """Raise FdwError when a user but root and those ``trusted`` may change what is in it.

    Whoever may write to a folder above it may replace it, except in those with the sticky bit; and
    so may who can replace a symbolic link on the way to it.
    """
    ours = {0, *trusted}
    for step in (folder, *folder.parents):
        if step.is_symlink():
            check_folder(step.parent, trusted)
            check_folder(step.parent / step.readlink(), trusted)
    for step in (folder.resolve(), *folder.resolve().parents):
        found = step.stat()
        shared = bool(found.st_mode & stat.S_ISVTX) and step != folder.resolve()
        everybody = found.st_mode & stat.S_IWOTH and not shared
        group = found.st_mode & stat.S_IWGRP and not shared and not group_is_ours(found, ours)
        if found.st_uid not in ours or everybody or group:
            raise FdwError(
                f"{step} may be written by others than root and the server's user",
                hint=f"Look at what is in it, then: chown root {step}; chmod go-w {step}",
                sqlstate="42501",
            )


def group_is_ours(found: os.stat_result, ours: Collection[int]) -> bool:
    """Whether all members of the file's group are ``ours``, or may become root anyway."""
    try:
        group = grp.getgrgid(found.st_gid)
    except KeyError:
        members = set()
    else:
        if sys.platform == "darwin" and group.gr_name == "admin":
            return True  # whoever is in it may use sudo
        members = set(group.gr_mem)
    users = [u for u in pwd.getpwall() if u.pw_name in members or u.pw_gid == found.st_gid]
    return all(user.pw_uid in ours for user in users)
