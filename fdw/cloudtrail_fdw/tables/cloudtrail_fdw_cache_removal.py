"""cloudtrail_fdw_cache_removal: reading it empties the cache; what a function stands on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Column, Push, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.cache.cache_contents import clear
from cloudtrail_fdw.sources.disk.cache_directory import cache_root

COLUMNS = (
    Column("action", "text", "Must be clear.", (), Push.VALUE),
    Column("pieces", "bigint", "Pieces of time that were removed."),
)


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> str:
    """What will be done."""
    return "Action: " + ("clear" if bounds.values("action") == ("clear",) else "none")


def scan(request: str, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row, once the cache is empty; FdwError unless that is what was asked for."""
    if request != "Action: clear":
        raise FdwError("this table empties the cache",
                       hint="SELECT cloudtrail_fdw_cache_clear();", sqlstate="55000")  # fmt: skip
    root = cache_root(settings)
    try:
        values = {"action": "clear", "pieces": clear(root) if root else 0}
    except OSError as error:
        raise FdwError("the cache cannot be emptied", detail=error.strerror,
                       hint="Look at its folder's owner, modes and disk (cache_directory).",
                       sqlstate="58030") from None  # fmt: skip
    yield [values.get(name) for name in layout]


TABLE = Table(
    name="cloudtrail_fdw_cache_removal",
    help="Empties the cache: cloudtrail_fdw_cache_clear() reads it.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    rows=lambda request: 1,
    width=20,
    for_readers=False,
)
