"""A foreign table as one session uses it: quals in, plans, packed rows and words for errors out.

It is the only path from conditions to rows, whatever process holds it: a backend with Multicorn
(wrapper.py) or a worker beside the backend (host/worker.py). Nothing is imported here that can
fail; the tables come at first use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from cloudtrail_fdw.bounds import Bounds, Qual
from cloudtrail_fdw.declare import Column, Order, Table
from cloudtrail_fdw.errors import FdwError, missing_package
from cloudtrail_fdw.options import OPTIONS, Settings, read_settings

SESSION_SETTINGS = tuple(f"cloudtrail_fdw.{option.name}" for option in OPTIONS if option.guc)
REMOTE_SCHEMA = "cloudtrail"
UNKNOWN_COLUMN_ROWS = 200  # PostgreSQL's DEFAULT_NUM_DISTINCT
# In errors of the system, the dynamic loader and Python's threads.
LACKING = ("annot allocate memory", "failed to map segment", "can't start new thread")
Row = Sequence[object]


@dataclass(frozen=True)
class Size:
    """What the planner is to know of a request.

    ``rows`` are expected, of ``width`` bytes; ``key`` is the column that every plan must bind, or
    empty; ``choices`` are the columns that choose what is read, and whether they are NULL when a
    query does not give them.
    """

    rows: int
    width: int
    key: str
    choices: tuple[tuple[str, bool], ...]


class Session:
    """One foreign table of one session; all state of a scan lives in its iterator."""

    def __init__(self, options: Mapping[str, str], columns: Sequence[str]) -> None:
        """Find the table that ``table_name`` means; FdwError without it or one of the columns."""
        self.options = dict(options)
        self.table = find_table(self.options, columns)
        self.values: tuple[Optional[str], ...] = ()
        self.known: Optional[Settings] = None

    def settings(self, values: tuple[Optional[str], ...]) -> Settings:
        """The settings of these values of SESSION_SETTINGS; FdwError for a wrong one."""
        if self.known is None or values != self.values:
            self.known = read_settings(self.options, dict(zip(SESSION_SETTINGS, values)).get)
            self.values = values
        return self.known

    def request(self, settings: Settings, bounds: Bounds, wanted: Iterable[str]) -> Any:
        """What the table plans; makes no call. ``wanted`` are the columns the query names."""
        return self.table.plan(settings, bounds, frozenset(wanted))

    def size(self, request: Any, settings: Settings, forbids: bool) -> Size:
        """What the planner is to know of the request.

        Where the host ``forbids`` plans without the key they need not look dear; PostgreSQL takes
        an unknown column for one of 200 values, and so a join for one row for each key.
        """
        rows = self.table.rows(request)
        if self.table.key and forbids:
            rows = min(rows, UNKNOWN_COLUMN_ROWS)
        return Size(rows, self.table.width, self.table.key, tuple(self.table.choices(settings)))

    def explain(self, request: Any) -> list[str]:
        """The request, one label a line."""
        return str(request).split("\n")

    def pages(self, request: Any, settings: Settings, wanted: Sequence[str]) -> Iterator[bytes]:
        """The rows packed as MessagePack, an array of one row or more each time.

        A row has a value for each wanted column. Rows that a table does not pack itself come one by
        one: the next may take a call that nobody needs.
        """
        if self.table.packed is not None:
            return self.table.packed(request, settings, wanted)
        from msgspec.msgpack import encode  # the tables need it, too

        return (encode((row,)) for row in self.table.scan(request, settings, wanted))

    def rows(self, request: Any, settings: Settings, layout: Sequence[str]) -> Iterator[Row]:
        """The rows one by one, with None for an empty name of ``layout``."""
        return self.table.scan(request, settings, layout)

    def look_up(
        self, key: str, more: int, settings: Settings, wanted: tuple[str, ...]
    ) -> Optional[bytes]:
        """The row of one key, as a join asks thousands of times, if there is a short way to it.

        As the Table's ``look_up`` gives it: packed, with ``more`` of those asked for next at most.
        """
        find = self.table.look_up
        return find(key, more, settings, wanted) if find else None

    def is_keyed(self, quals: Iterable[Qual]) -> bool:
        """Whether the conditions leave one row at most."""
        return any(qual.operator == "=" and qual.field_name == self.table.key for qual in quals)


def ordered(bounds: Bounds, column: str, descending: bool) -> Bounds:
    """The bounds of a scan whose rows have to come in this order."""
    return replace(bounds, order=Order(column, descending))


def tables() -> Mapping[str, Table]:
    """The tables by name; FdwError when a package they need is missing."""
    try:
        from cloudtrail_fdw.tables import TABLES
    except ImportError as error:
        raise missing_package(error.name or "cloudtrail_fdw", error) from None
    return TABLES


def find_table(options: Mapping[str, str], layout: Sequence[str]) -> Table:
    """The declared table, all of whose asked columns exist."""
    name = options.get("table_name", "")
    found = tables().get(name)
    if found is None:
        raise FdwError(
            f'option table_name names no table: "{name}"',
            hint=f"The tables are {', '.join(tables())}.",
            sqlstate="HV00R",
        )
    unknown = [column for column in layout if column not in found.column]
    if unknown:
        raise FdwError(
            f'this table has a column "{unknown[0]}", which "{name}" has not',
            hint="Run cloudtrail-fdw install again, or IMPORT FOREIGN SCHEMA cloudtrail.",
            sqlstate="HV005",
        )
    return found


def importable(
    schema: str, options: Mapping[str, str], limited: bool, named: Sequence[str]
) -> list[tuple[str, tuple[Column, ...]]]:
    """IMPORT FOREIGN SCHEMA cloudtrail: what LIMIT TO names, else what readers may read.

    ``named`` are the tables of LIMIT TO (``limited``) or EXCEPT. FdwError for another schema.
    """
    if schema != REMOTE_SCHEMA:
        raise FdwError(
            f'there is no remote schema "{schema}"',
            hint=f"IMPORT FOREIGN SCHEMA {REMOTE_SCHEMA} …",
            sqlstate="HV00Q",
        )
    if options:
        raise FdwError(
            "IMPORT FOREIGN SCHEMA takes no options here",
            hint="ALTER FOREIGN TABLE … OPTIONS afterwards.",
            sqlstate="HV00D",
        )
    return [
        (name, table.columns)
        for name, table in tables().items()
        if (name in named if limited else table.for_readers and name not in named)
    ]


def lacks_memory(error: Optional[BaseException]) -> bool:
    """Whether the error, or one that it came of, is that the system gives no memory or thread.

    Words of ours may quote a query, and do not count.
    """
    while error is not None:
        own = isinstance(error, FdwError)
        if not own and (isinstance(error, MemoryError) or any(w in str(error) for w in LACKING)):
            return True
        error = error.__cause__ or error.__context__
    return False


def in_words(error: BaseException) -> FdwError:
    """The error itself, or of a defect of ours its place: its text may hold a secret."""
    if lacks_memory(error):
        return FdwError(
            "there is no memory left for Python",
            hint="Ask for fewer rows or columns, or let the server have more memory and processes.",
            sqlstate="53200",  # after which the library ends a worker
        )
    if isinstance(error, FdwError):
        return error
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "unknown"
    if place is not None:
        where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
    return FdwError(
        f"unexpected {type(error).__name__} at {where}",
        hint="This is a defect of cloudtrail_fdw; please report it with this message.",
        sqlstate="XX000",
    )
