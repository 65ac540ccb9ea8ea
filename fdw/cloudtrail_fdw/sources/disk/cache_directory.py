"""The folder of all caches: whose it is, and how files are kept in it.

Only the PostgreSQL server's own user may look into it; a folder that others could write to is not
used at all.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.disk.sealed_file import read_sealed, write_sealed


def cache_root(settings: Settings) -> Optional[Path]:
    """The folder, made if need be; None with ``cache = off`` or where there can be none."""
    return None if settings.cache == "off" else own_folder(settings)


def own_folder(settings: Settings) -> Optional[Path]:
    """The folder for what backends have to share even with ``cache = off``; None without one."""
    chosen = settings.cache_directory or os.environ.get("CLOUDTRAIL_FDW_CACHE", "")
    try:
        home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
        root = Path(chosen) if chosen else home / ".cache" / "cloudtrail-fdw"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = root.lstat()
    except (OSError, KeyError):
        return None
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return root if ours and not found.st_mode & 0o077 else None


def found(folder: Path, pattern: str) -> list[Path]:
    """The paths below a folder that fit; none where others have just removed it."""
    try:
        return list(folder.glob(pattern))
    except OSError:
        return []


def read_json(path: Path, oldest: float, parts: int = 1) -> Optional[dict[str, Any]]:
    """An object that was written after ``oldest`` (seconds since 1970), else None.

    ``parts`` of the path say what it is of: see sealed_file.
    """
    try:
        if path.stat().st_mtime < oldest:
            return None
        content = read_sealed(path, parts)
        found = None if content is None else json.loads(bytes(content))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_json(path: Path, content: Mapping[str, object], parts: int = 1) -> None:
    """Keep an object; a full or read-only disk costs the cache, not the query."""
    with contextlib.suppress(OSError):
        write_sealed(path, json.dumps(content).encode(), parts)
