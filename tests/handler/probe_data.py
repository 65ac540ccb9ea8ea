"""The tables of the server under test, with columns and keys of every type, for any host.

They believe what the host tells them and leave out every row that a bound excludes, as a
source would; so an operand that was misread, or an operator that was no equality, loses rows. They
fill only the columns that were asked for when the handler says that these are all.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

from probe_rows import as_text, exact, fact, keeps
from probe_tables import FACTS, TIME

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.bounds import Bounds, Qual, read_quals
from cloudtrail_fdw.declare import Column
from cloudtrail_fdw.host.multicorn import Backend, backend_flag

MARK_RUNTIME = "cloudtrail_fdw.runtime."
READ = {"t": "text", "v": "text", "b": "boolean", "ts": TIME, "ci": "text", "nd": "text",
        "bp": "text", "nm": "text"}  # fmt: skip


def backend(name: str, *types: Any) -> Any:
    """A function of the handler's library, or None where it is not in use."""
    function = getattr(ctypes.PyDLL(None), name, None)
    if function is not None:
        function.restype, function.argtypes = None, types
    return function


REPORT = backend("cloudtrail_fdw_report", *[ctypes.c_char_p] * 4)
KEY = backend("cloudtrail_fdw_key", ctypes.c_char_p)
ACTIVE = backend_flag("cloudtrail_fdw_active")
AT_EXIT = backend("cloudtrail_fdw_at_exit", ctypes.CFUNCTYPE(None))


class ProbeError(Exception):
    """An error as our wrapper raises it."""


def fail(sqlstate: str, message: str, detail: Optional[str], hint: Optional[str]) -> None:
    """Raise an error that the handler gives this form."""
    if REPORT is not None:
        texts = [text and text.encode() for text in (sqlstate, message, detail, hint)]
        REPORT(*texts)
    raise ProbeError(message)


class ProbeTable:
    """Option ``table_name`` chooses: facts, wide, keyed, slow, failing, or broken."""

    def __init__(self, options: Mapping[str, str], columns: Mapping[str, Any]) -> None:
        self.options = dict(options)
        self.layout = tuple(columns)
        self.kind = options["table_name"]
        if AT_EXIT is not None and self.kind == "slow":
            AT_EXIT(AT_EXIT_CALLBACK)

    def bounds(self, quals: Sequence[Qual], explain: bool, marked: bool) -> Bounds:
        """What the quals prove, as our wrapper reads them."""
        declared = {name: Column(name, READ[name], "Probe.") for name in READ}
        style = "ISO, MDY" if marked else Backend().setting("DateStyle") or "ISO, MDY"
        return read_quals(quals, declared, style, explain)

    def execute(
        self, quals: Sequence[Qual], columns: Iterable[str], sortkeys: Any = None, **_: Any
    ) -> Iterator[Sequence[object]]:
        """The rows."""
        wanted = set(columns)
        if self.kind == "keyed":
            return self.look_up(quals)
        if self.kind == "slow":
            return self.trickle()
        if self.kind == "failing":
            return self.fail_late()
        if self.kind == "wide":
            row = [str(number) for number in range(len(self.layout))]
            return iter([row] * int(self.options.get("rows", "100000")))
        return self.facts(quals, wanted, sortkeys)

    def facts(
        self, quals: Sequence[Qual], wanted: set[str], sortkeys: Any
    ) -> Iterator[Sequence[object]]:
        """Rows that the quals let through, with only the wanted columns when that is sure."""
        marked = bool(ACTIVE.value)
        bounds = self.bounds(quals, False, marked)
        seen = "; ".join(f"{q.field_name} {q.operator} {q.value!r}" for q in quals)
        rows = [row for row in map(fact, range(FACTS)) if keeps(row, bounds) and exact(row, quals)]
        if sortkeys:
            rows.sort(key=lambda row: row[sortkeys[0].attname] or "", reverse=True)
        for row in rows:
            row["seen"], row["asked"] = seen, ",".join(sorted(wanted))
            yield [row[c] if c in wanted or not marked else None for c in self.layout]

    def look_up(self, quals: Sequence[Qual]) -> Iterator[Sequence[object]]:
        """One row for each value of the key."""
        values: Optional[set[Any]] = None
        for qual in quals:
            if qual.field_name != "k":
                continue
            if qual.operator == "=" and qual.value is not None:
                found = {as_text(qual.value)}
            elif qual.operator == ("=", True) and isinstance(qual.value, list):
                found = {as_text(item) for item in qual.value if item is not None}
            else:
                continue
            values = found if values is None else values & found
        if values is None:
            fail("HV00L", "keyed answers for given keys only", f"quals: {len(quals)}", "Give k.")
            return iter([])
        count = len(self.layout)
        rows = ([value, f"row of {value}", f"more of {value}"] for value in sorted(values))
        return (row[:count] for row in rows)

    def trickle(self) -> Iterator[Sequence[object]]:
        """Rows from a thread, one every 0.2 seconds."""

        def produce(stop: threading.Event) -> Iterator[int]:
            for number in range(1000):
                stop.wait(0.2)
                yield number

        try:
            for number in interrupts.stream(produce):
                yield [number, str(threading.active_count())]
        except Exception as error:  # noqa: BLE001 - as our wrapper does
            fail(getattr(error, "sqlstate", "XX000"), str(error), None, None)

    def fail_late(self) -> Iterator[Sequence[object]]:
        """A row, and then an error."""
        yield [1, "x"]
        fail(self.options.get("state", "HV00L"), "it failed", "the detail", "the hint")

    def explain(
        self, quals: Sequence[Qual], columns: Iterable[str], sortkeys: Any = None,
        verbose: bool = False, **_: Any,
    ) -> list[str]:  # fmt: skip
        """What was understood."""
        wanted = set(columns)
        self.bounds(quals, True, bool(ACTIVE.value))
        shown = sorted(f"{q.field_name} {q.operator} {q.value!r}" for q in quals)
        runtime = sorted(c[len(MARK_RUNTIME) :] for c in wanted if c.startswith(MARK_RUNTIME))
        return [f"Quals: {'; '.join(shown)}", f"Waits For: {', '.join(runtime)}"]

    def get_rel_size(self, quals: Sequence[Qual], columns: Iterable[str]) -> tuple[int, int]:
        """Few rows with a key, very many without."""
        if self.kind == "broken":
            fail("HV00R", "no such table", "while planning", "Name another.")
        if self.kind == "keyed":
            if KEY is not None:
                KEY(b"k")
            given = [q for q in quals if q.operator in ("=", ("=", True)) and q.value is not None]
            return (len(given), 40) if given else (100_000_000, 40)
        return {"wide": 100_000}.get(self.kind, FACTS), 300

    def get_path_keys(self) -> list[tuple[tuple[str, ...], int]]:
        """One row for a key."""
        return [(("k",), 1)] if self.kind == "keyed" else []

    def can_sort(self, sortkeys: list[Any]) -> list[Any]:
        """Newest first, by a column that is never NULL."""
        first = sortkeys[:1]
        good = self.kind == "facts" and first and first[0].attname == "d" and first[0].is_reversed
        return first if good else []

    @classmethod
    def import_schema(cls, schema: str, *_: Any) -> list[Any]:
        """Nothing but an error."""
        fail("HV00Q", f"no schema {schema}", None, "Name another.")
        return []


def leave_a_trace() -> None:
    """At the backend's end: join the threads, and say so."""
    interrupts.stop_scans()
    deadline = time.monotonic() + 2
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
    os.write(2, f"probe: exit with {threading.active_count() - 1} threads\n".encode())


AT_EXIT_CALLBACK = ctypes.CFUNCTYPE(None)(leave_a_trace)
