"""Foreign data wrappers that hand rows over packed, and that say which row is the only one."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from multicorn import ForeignDataWrapper

from cloudtrail_fdw.bounds import Qual
from cloudtrail_fdw.host.multicorn import Backend, Handler, function


class PackedFdw(ForeignDataWrapper):  # type: ignore[misc]
    """The pages of the setting ``probe.pages``, a JSON array of hexadecimal texts."""

    def __init__(self, options: Mapping[str, str], columns: Mapping[str, Any]) -> None:
        super().__init__(options, columns)
        self.width = len(columns)
        self.handler = Handler()

    def execute(self, quals: Sequence[Qual], columns: Iterable[str]) -> Iterator[Sequence[object]]:
        """Rows of nothing, for which the handler puts the packed ones."""
        for page in json.loads(BACKEND.setting("probe.pages") or "[]"):
            self.handler.hand_over(bytes.fromhex(page))
            yield [None] * self.width


class CountedFdw(ForeignDataWrapper):  # type: ignore[misc]
    """One row for a key: the key, and how often this table was asked; no row for ``none``."""

    def __init__(self, options: Mapping[str, str], columns: Mapping[str, Any]) -> None:
        super().__init__(options, columns)
        self.handler = Handler()
        self.handler.needs("k")
        self.asked = 0

    def execute(self, quals: Sequence[Qual], columns: Iterable[str]) -> Iterator[Sequence[object]]:
        """The row for the key."""
        self.asked += 1
        (key,) = [qual.value for qual in quals if (qual.field_name, qual.operator) == ("k", "=")]
        if key != "none":
            self.handler.only_row()
            yield [key, self.asked]

    def get_rel_size(self, quals: Sequence[Qual], columns: Iterable[str]) -> tuple[int, int]:
        """Forbid plans without the key."""
        self.handler.needs("k")
        return 1, 40

    def get_path_keys(self) -> list[tuple[tuple[str, ...], int]]:
        """One row for a key."""
        return [(("k",), 1)]


class ForeseenFdw(CountedFdw):
    """The pages of the setting ``probe.keyed``, one for each look-up: rows of several keys."""

    def execute(self, quals: Sequence[Qual], columns: Iterable[str]) -> Iterator[Sequence[object]]:
        """A row of nothing, for which the handler puts the one that the page has first."""
        page = bytes.fromhex(json.loads(BACKEND.setting("probe.keyed") or "[]")[self.asked])
        self.asked += 1
        KEYED_ROWS(page, len(page))
        yield [None, None]

    def get_rel_size(self, quals: Sequence[Qual], columns: Iterable[str]) -> tuple[int, int]:
        """A new query, a new first look-up."""
        self.asked = 0
        return super().get_rel_size(quals, columns)


class AheadFdw(CountedFdw):
    """A row for each number: how many rows were to come ahead when it was asked for, or -1.

    It is handed over with rows of so many of the next numbers.
    """

    def execute(self, quals: Sequence[Qual], columns: Iterable[str]) -> Iterator[Sequence[object]]:
        """A row of nothing, for which the handler puts the first of those."""
        (key,) = [int(qual.value) for qual in quals]
        more = self.handler.rows_ahead
        found = [(str(key + n), (str(key + n), -1 if n else more)) for n in range(more + 1)]
        self.handler.hand_over_keyed(msgspec.msgpack.encode(found))
        yield [None, None]


BACKEND = Backend()
KEYED_ROWS: Any = function("cloudtrail_fdw_keyed_rows", ctypes.c_char_p, ctypes.c_size_t)
