"""The class that Multicorn calls: quals in, rows out, errors in words. It knows no table.

A failed import of this module crashes the server at its second try, so nothing is imported here
that can fail; the tables come at first use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from logging import ERROR
from pathlib import Path
from typing import Any, NoReturn, Optional

from multicorn import ColumnDefinition, ForeignDataWrapper, TableDefinition, utils

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.bounds import Qual, read_quals
from cloudtrail_fdw.declare import Order, Table
from cloudtrail_fdw.errors import FdwError, missing_package
from cloudtrail_fdw.handler import Handler, at_exit, runtime_columns
from cloudtrail_fdw.options import OPTIONS, Settings, read_settings
from cloudtrail_fdw.recent import Recent

SESSION_SETTINGS = tuple(f"cloudtrail_fdw.{option.name}" for option in OPTIONS if option.guc)
REMOTE_SCHEMA = "cloudtrail"
MOST_LAYOUTS = 64


def tables() -> Mapping[str, Table]:
    """The tables by name; FdwError when a package they need is missing."""
    try:
        from cloudtrail_fdw.tables import TABLES
    except ImportError as error:
        raise missing_package(error.name or "cloudtrail_fdw", error) from None
    return TABLES


def report(error: BaseException) -> NoReturn:
    """End the query with the error's own words, by whatever handler and Multicorn offer."""
    if not isinstance(error, FdwError):
        error = unexpected(error)
    Handler().report(error)
    if hasattr(utils, "MulticornException"):
        utils.log_to_postgres(error.message, ERROR, hint=error.hint, detail=error.detail)
    # Multicorn 1.4 would leave Python by a jump that spoils the interpreter; of an exception it
    # prints the class name as message and the text as detail.
    lines = [part for part in (error.detail, error.hint and f"Hint: {error.hint}") if part]
    raise type(error.message, (Exception,), {})("\n".join(lines)) from None


def unexpected(error: BaseException) -> FdwError:
    """An error that is a defect of ours: its place, not its text, which may hold a secret."""
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


class CloudTrailFdw(ForeignDataWrapper):  # type: ignore[misc]
    """One foreign table in one backend; all state of a scan lives in its iterator."""

    def __init__(self, options: Mapping[str, str], columns: Mapping[str, Any]) -> None:
        """Find the table that ``table_name`` means."""
        super().__init__(options, columns)
        self.options = dict(options)
        self.layout = tuple(columns)
        self.session: tuple[Optional[str], ...] = ()
        self.settings: Optional[Settings] = None
        self.generation = 0
        self.layouts: Recent[frozenset[str], tuple[str, ...]] = Recent(MOST_LAYOUTS)
        self.packings: Recent[frozenset[str], tuple[str, ...]] = Recent(MOST_LAYOUTS)
        self.in_place_of_rows = (None,) * len(self.layout)
        self.table: Table = guarded(find_table, self.options, self.layout)
        self.handler = Handler()
        at_exit(interrupts.join_threads)

    def request(
        self, quals: Iterable[Qual], columns: Iterable[str], explain: bool, sortkeys: Any = None
    ) -> tuple[Any, Settings]:
        """What the table plans for these quals, and the settings in force now."""
        settings = self.current_settings(explain)
        if self.handler.active:
            bounds = read_quals(quals, self.table.column, "ISO, MDY", explain=False, proven=True)
            if explain:
                bounds = replace(bounds, runtime=runtime_columns(columns))
            else:
                bounds = replace(bounds, whole=self.handler.wants_all)
        else:
            style = interrupts.setting("DateStyle") or "ISO, MDY"
            bounds = read_quals(quals, self.table.column, style, explain)
        for key in sortkeys or ():
            bounds = replace(bounds, order=Order(key.attname, bool(key.is_reversed)))
        return self.table.plan(settings, bounds, frozenset(columns)), settings

    def current_settings(self, planning: bool) -> Settings:
        """The settings in force; while a scan runs, those of its beginning."""
        generation = self.handler.flag.value
        if self.settings is not None and not planning and 0 < generation == self.generation:
            return self.settings
        session = tuple(interrupts.setting(name) for name in SESSION_SETTINGS)
        if self.settings is None or session != self.session:
            self.settings = read_settings(self.options, dict(zip(SESSION_SETTINGS, session)).get)
            self.session = session
        self.generation = generation
        return self.settings

    def filled(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The layout of a row: an empty name for a column that nobody will look at.

        Only the handler tells of whole-row references; without it all columns are filled.
        """
        if not self.handler.active:
            return self.layout
        wanted = frozenset(columns)
        return self.layouts.made(
            wanted, lambda: tuple(name if name in wanted else "" for name in self.layout)
        )

    def packed(self, columns: Iterable[str]) -> tuple[str, ...]:
        """The layout of a row that is handed over: what is wanted, in the order of the table."""
        wanted = frozenset(columns)
        return self.packings.made(
            wanted, lambda: tuple(name for name in self.layout if name in wanted)
        )

    def execute(
        self, quals: Sequence[Qual], columns: Iterable[str], sortkeys: object = None, **_: object
    ) -> Iterable[Sequence[object]]:
        """The rows, each with a value for every column of the foreign table."""
        if not guarded(self.look_up, quals, columns):
            return self.scan(quals, columns, sortkeys)
        return (self.in_place_of_rows,)

    def look_up(self, quals: Sequence[Qual], columns: Iterable[str]) -> bool:
        """Hand over the row of one key, as a join asks thousands of times, if that is possible.

        PostgreSQL checks the other conditions.
        """
        find = self.table.look_up
        if find is None or not self.handler.takes_keyed_rows:
            return False
        value = next((qual.value for qual in quals if self.is_keyed(qual)), None)
        if not isinstance(value, str):
            return False
        layout = self.packed(columns)
        rows = find(value, self.handler.rows_ahead, self.current_settings(False), layout)
        if rows is not None:
            self.handler.hand_over_keyed(rows)
        return rows is not None

    def is_keyed(self, qual: Qual) -> bool:
        """Whether a condition leaves one row at most."""
        return qual.operator == "=" and qual.field_name == self.table.key

    def scan(
        self, quals: Sequence[Qual], columns: Iterable[str], sortkeys: object
    ) -> Iterator[Sequence[object]]:
        """The rows of what the table plans."""
        try:
            request, settings = self.request(quals, columns, False, sortkeys)
            layout = self.filled(columns)
            if self.table.packed is not None and self.handler.takes_rows:
                for rows in self.table.packed(request, settings, self.packed(columns)):
                    self.handler.hand_over(rows)
                    yield self.in_place_of_rows
                return
            keyed = any(map(self.is_keyed, quals))
            for row in self.table.scan(request, settings, layout):
                if keyed:
                    self.handler.only_row()
                yield row
        except Exception as error:  # noqa: BLE001 - whatever it is, PostgreSQL must hear it
            report(error)

    def explain(
        self, quals: Sequence[Qual], columns: Iterable[str], sortkeys: object = None,
        verbose: bool = False, **_: object,
    ) -> list[str]:  # fmt: skip
        """The request, one label a line."""
        request, _settings = guarded(self.request, quals, columns, True, sortkeys)
        lines = str(request).split("\n")
        # the handler prints these itself, with their expressions
        own = self.handler.active
        return [line for line in lines if not (own and line.startswith("Runtime Bounds: "))]

    def get_rel_size(self, quals: Sequence[Qual], columns: Iterable[str]) -> tuple[int, int]:
        """The planner's estimate of rows and of their width in bytes."""
        request, settings = guarded(self.request, quals, columns, True)
        rows = guarded(self.table.rows, request)
        for name, nullable in self.table.choices(settings):
            self.handler.chooses(name, nullable)
        if self.table.key and self.handler.active:
            # it forbids plans without the key, so they need not look dear; PostgreSQL takes an
            # unknown column for one of 200 values, and so a join for one row for each key
            self.handler.needs(self.table.key)
            rows = min(rows, 200)
        return rows, self.table.width

    def get_path_keys(self) -> list[tuple[tuple[str, ...], int]]:
        """A look-up by key gives one row."""
        return [((self.table.key,), 1)] if self.table.key in self.layout else []

    def can_sort(self, sortkeys: Sequence[Any]) -> list[Any]:
        """The first of the keys, if rows can be made in its order.

        The columns are never NULL, so the place of NULLs does not matter. Only the handler asks
        for an order just where a LIMIT is served by it.
        """
        first = sortkeys[0] if sortkeys and self.handler.active else None
        if first is None or Order(first.attname, bool(first.is_reversed)) not in self.table.orders:
            return []
        return [first]

    def end_scan(self) -> None:
        """Nothing: an iterator lets go of what it holds when it is closed."""

    def rollback(self) -> None:
        """After an error elsewhere no iterator is closed: end their threads here."""
        interrupts.stop_scans()

    def sub_rollback(self, level: int) -> None:
        """As rollback, for the scans that the savepoint saw begin."""
        interrupts.stop_scans(level)

    @classmethod
    def import_schema(
        cls, schema: str, srv_options: Mapping[str, str], options: Mapping[str, str],
        restriction_type: Optional[str], restricts: Sequence[str],
    ) -> list[Any]:  # fmt: skip
        """IMPORT FOREIGN SCHEMA cloudtrail: what LIMIT TO names, else what readers may read."""
        if schema != REMOTE_SCHEMA:
            report(FdwError(f'there is no remote schema "{schema}"',
                            hint=f"IMPORT FOREIGN SCHEMA {REMOTE_SCHEMA} …",
                            sqlstate="HV00Q"))  # fmt: skip
        if options:
            report(FdwError("IMPORT FOREIGN SCHEMA takes no options here",
                            hint="ALTER FOREIGN TABLE … OPTIONS afterwards.",
                            sqlstate="HV00D"))  # fmt: skip
        chosen = guarded(tables)
        kept = [
            name
            for name, table in chosen.items()
            if (
                name in restricts
                if restriction_type == "limit"
                else table.for_readers and name not in restricts
            )
        ]
        return [
            TableDefinition(
                name,
                columns=[ColumnDefinition(c.name, type_name=c.type) for c in chosen[name].columns],
                options={"table_name": name},
            )
            for name in kept
        ]


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


def guarded(function: Any, *arguments: Any) -> Any:
    """``function(*arguments)``, its errors reported to PostgreSQL."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, PostgreSQL must hear it
        report(error)
