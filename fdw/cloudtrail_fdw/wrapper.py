"""The class that Multicorn calls: a backend's face of a Session.

A failed import of this module crashes the server at its second try, so nothing is imported here
that can fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from logging import ERROR
from typing import Any, NoReturn, Optional

from multicorn import ColumnDefinition, ForeignDataWrapper, TableDefinition, utils

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.bounds import Qual, read_quals
from cloudtrail_fdw.declare import Order
from cloudtrail_fdw.host.multicorn import Backend, Handler, at_exit, runtime_columns
from cloudtrail_fdw.host.session import (
    SESSION_SETTINGS,
    Row,
    Session,
    importable,
    in_words,
    ordered,
)
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.recent import Recent

MOST_LAYOUTS = 64
BACKEND = Backend()
interrupts.HOST = BACKEND


def report(error: BaseException) -> NoReturn:
    """End the query with the error's own words, by whatever handler and Multicorn offer."""
    told = in_words(error)
    Handler().report(told)
    if hasattr(utils, "MulticornException"):
        utils.log_to_postgres(told.message, ERROR, hint=told.hint, detail=told.detail)
    # Multicorn 1.4 would leave Python by a jump that spoils the interpreter; of an exception it
    # prints the class name as message and the text as detail.
    lines = [part for part in (told.detail, told.hint and f"Hint: {told.hint}") if part]
    raise type(told.message, (Exception,), {})("\n".join(lines)) from None


class CloudTrailFdw(ForeignDataWrapper):  # type: ignore[misc]
    """One foreign table in one backend; all state of a scan lives in its iterator."""

    def __init__(self, options: Mapping[str, str], columns: Mapping[str, Any]) -> None:
        """Find the table that ``table_name`` means."""
        super().__init__(options, columns)
        self.layout = tuple(columns)
        self.generation = 0
        self.values: tuple[Optional[str], ...] = ()
        self.layouts: Recent[frozenset[str], tuple[str, ...]] = Recent(MOST_LAYOUTS)
        self.packings: Recent[frozenset[str], tuple[str, ...]] = Recent(MOST_LAYOUTS)
        self.in_place_of_rows = (None,) * len(self.layout)
        self.session: Session = guarded(Session, options, self.layout)
        self.handler = Handler()
        at_exit(interrupts.join_threads)

    def request(
        self, quals: Iterable[Qual], columns: Iterable[str], explain: bool, sortkeys: Any = None
    ) -> tuple[Any, Settings]:
        """What the table plans for these quals, and the settings in force now."""
        settings = self.settings(explain)
        known = self.session.table.column
        if self.handler.active:
            bounds = read_quals(quals, known, "ISO, MDY", explain=False, proven=True)
            if explain:
                bounds = replace(bounds, runtime=runtime_columns(columns))
            else:
                bounds = replace(bounds, whole=self.handler.wants_all)
        else:
            style = BACKEND.setting("DateStyle") or "ISO, MDY"
            bounds = read_quals(quals, known, style, explain)
        for key in sortkeys or ():
            bounds = ordered(bounds, key.attname, bool(key.is_reversed))
        return self.session.request(settings, bounds, columns), settings

    def settings(self, planning: bool) -> Settings:
        """The settings in force; while a scan runs, those of its beginning."""
        generation = self.handler.flag.value
        if planning or generation == 0 or generation != self.generation:
            self.values = tuple(map(BACKEND.setting, SESSION_SETTINGS))
            self.generation = generation
        return self.session.settings(self.values)

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
    ) -> Iterable[Row]:
        """The rows, each with a value for every column of the foreign table."""
        if not guarded(self.look_up, quals, columns):
            return self.scan(quals, columns, sortkeys)
        return (self.in_place_of_rows,)

    def look_up(self, quals: Sequence[Qual], columns: Iterable[str]) -> bool:
        """Hand over the row of one key, as a join asks thousands of times, if that is possible.

        PostgreSQL checks the other conditions.
        """
        if not self.handler.takes_keyed_rows or not self.session.table.look_up:
            return False
        value = next((qual.value for qual in quals if self.session.is_keyed([qual])), None)
        if not isinstance(value, str):
            return False
        settings, wanted = self.settings(False), self.packed(columns)
        rows = self.session.look_up(value, self.handler.rows_ahead, settings, wanted)
        if rows is not None:
            self.handler.hand_over_keyed(rows)
        return rows is not None

    def scan(
        self, quals: Sequence[Qual], columns: Iterable[str], sortkeys: object
    ) -> Iterator[Row]:
        """The rows of what the table plans; packed ones are handed over in place of them."""
        try:
            request, settings = self.request(quals, columns, False, sortkeys)
            layout = self.filled(columns)
            keyed = self.session.is_keyed(quals)
            if self.handler.takes_rows and not keyed:
                for page in self.session.pages(request, settings, self.packed(columns)):
                    self.handler.hand_over(page)
                    yield self.in_place_of_rows
                return
            for row in self.session.rows(request, settings, layout):
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
        # the handler prints these itself, with their expressions
        own = self.handler.active
        lines = self.session.explain(request)
        return [line for line in lines if not (own and line.startswith("Runtime Bounds: "))]

    def get_rel_size(self, quals: Sequence[Qual], columns: Iterable[str]) -> tuple[int, int]:
        """The planner's estimate of rows and of their width in bytes."""
        request, settings = guarded(self.request, quals, columns, True)
        size = guarded(self.session.size, request, settings, self.handler.active)
        for name, nullable in size.choices:
            self.handler.chooses(name, nullable)
        self.handler.needs(size.key)
        return size.rows, size.width

    def get_path_keys(self) -> list[tuple[tuple[str, ...], int]]:
        """A look-up by key gives one row."""
        key = self.session.table.key
        return [((key,), 1)] if key in self.layout else []

    def can_sort(self, sortkeys: Sequence[Any]) -> list[Any]:
        """The first of the keys, if rows can be made in its order.

        The columns are never NULL, so the place of NULLs does not matter. Only the handler asks
        for an order just where a LIMIT is served by it.
        """
        first = sortkeys[0] if sortkeys and self.handler.active else None
        if first is None:
            return []
        order = Order(first.attname, bool(first.is_reversed))
        return [first] if order in self.session.table.orders else []

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
        """IMPORT FOREIGN SCHEMA cloudtrail."""
        limited = restriction_type == "limit"
        return [
            TableDefinition(
                name,
                columns=[ColumnDefinition(c.name, type_name=c.type) for c in columns],
                options={"table_name": name},
            )
            for name, columns in guarded(importable, schema, options, limited, restricts)
        ]


def guarded(function: Any, *arguments: Any) -> Any:
    """``function(*arguments)``, its errors reported to PostgreSQL."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, PostgreSQL must hear it
        report(error)
