"""A worker of the tests' own: the probe's tables behind the frames of fdw/handler/frames.h.

Run by a script that the foreign data wrapper's option ``python`` names. It believes what C tells
it, as the probe does in Multicorn's place, and does wrong on purpose where a test asks for it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import msgspec
import probe_data

HEAD = struct.Struct("=IBI")
SETTINGS = ["probe.fault", "DateStyle", "TimeZone"]
PAGE = 100  # rows


@dataclass
class Qual:
    """A condition as Multicorn hands it over."""

    field_name: str
    operator: Any
    value: Any


@dataclass
class SortKey:
    """An order as Multicorn hands it over."""

    attname: str
    is_reversed: bool


class Reported(Exception):  # noqa: N818 - what goes into an E frame
    """The four texts of an error."""


def fail(*texts: Optional[str]) -> None:
    raise Reported(*texts)


class Worker:
    """One connection to a backend."""

    def __init__(self) -> None:
        self.socket = socket.socket(fileno=3)
        self.tables: dict[int, tuple[Any, tuple[str, ...]]] = {}
        self.scans: dict[int, Any] = {}
        self.looked_up = 0
        self.settings: dict[str, Optional[str]] = {}

    def send(self, kind: str, number: int, value: object) -> None:
        body = msgspec.msgpack.encode(value)
        self.socket.sendall(HEAD.pack(len(body), ord(kind), number) + body)

    def receive(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = self.socket.recv(size - len(found))
            if not more:
                sys.exit()
            found += more
        return found

    def closed(self, number: int) -> bool:
        """Whether a close of what runs has come: the only frame that can come meanwhile."""
        if not select.select([self.socket], [], [], 0)[0]:
            return False
        return self.socket.recv(HEAD.size, socket.MSG_PEEK) != b""

    def run(self) -> None:
        self.send("H", 0, [1, SETTINGS])
        while True:
            length, kind, number = HEAD.unpack(self.receive(HEAD.size))
            value = msgspec.msgpack.decode(self.receive(length))
            try:
                getattr(self, f"on_{chr(kind)}")(number, value)
            except Reported as error:
                self.send("E", number, error.args)
            except probe_data.ProbeError as error:
                self.send("E", number, ["XX000", str(error), None, None])

    def request(self, value: Sequence[Any]) -> tuple[Any, list[Qual], list[str]]:
        table, _columns = self.tables[value[0]]
        self.settings = dict(zip(SETTINGS, value[3]))
        quals = [Qual(n, o if use is None else (o, use), v) for n, o, use, v in value[1]]
        self.misbehave()
        return table, quals, value[2]

    def misbehave(self) -> None:
        """What the setting ``probe.fault`` asks for."""
        fault = self.settings.get("probe.fault") or ""
        if fault == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif fault == "exit":
            sys.exit(3)
        elif fault == "deaf":
            time.sleep(3600)
        elif fault.startswith("send:"):
            self.socket.sendall(bytes.fromhex(fault[5:]))
        elif fault.startswith("later:"):
            time.sleep(0.5)
            self.send("R", 77, "x" * int(fault[6:]))
        elif fault.startswith("say:"):
            fail("XX000", fault[4:].encode().decode("unicode_escape"), None, None)
        elif fault == "tables":
            fail("XX000", f"{len(self.tables)} tables", None, None)

    def on_O(self, number: int, value: Sequence[Any]) -> None:  # noqa: N802 - frames' names
        names = iter(value[1])
        options = dict(zip(names, names))
        if "unless" in options and Path(options["unless"]).exists():
            fail("HV00L", "not now", None, None)
        self.tables[value[0]] = (probe_data.ProbeTable(options, dict.fromkeys(value[2])), value[2])
        self.send("R", number, None)

    def on_P(self, number: int, value: Sequence[Any]) -> None:  # noqa: N802
        table, quals, wanted = self.request(value)
        rows, width = table.get_rel_size(quals, wanted)
        orders = [["d", True]] if table.kind == "facts" else []
        self.send("R", number, [rows, width, "k" if table.kind == "keyed" else None, orders, []])

    def on_S(self, number: int, value: Sequence[Any]) -> None:  # noqa: N802
        table, quals, wanted = self.request(value)
        order = [SortKey(*value[4])] if value[4] else None
        places = [table.layout.index(name) for name in wanted]
        self.scans[number] = table, quals, wanted, order, places, None

    def on_N(self, number: int, _value: None) -> None:  # noqa: N802
        if number not in self.scans:
            fail("XX000", "no such scan", None, None)
        table, quals, wanted, order, places, rows = self.scans[number]
        if rows is None:
            rows = iter(self.rows(number, table, quals, wanted, order))
            self.scans[number] = table, quals, wanted, order, places, rows
        page = [[row[place] for place in places] for _, row in zip(range(PAGE), rows)]
        if page:
            self.send("P", number, page)
        else:
            del self.scans[number]
            self.send("Z", number, None)

    def rows(
        self, number: int, table: Any, quals: list[Qual], wanted: list[str], order: Any
    ) -> Iterator[Any]:
        if table.kind != "slow":
            yield from table.execute(quals, wanted, order)
            return
        while True:
            end = time.monotonic() + float(table.options.get("seconds", "3600"))
            while time.monotonic() < end:
                if self.closed(number):
                    fail("57014", "canceled", None, None)
                time.sleep(0.01)
            return

    def on_L(self, number: int, value: Sequence[Any]) -> None:  # noqa: N802
        key, more = value
        table, _quals, wanted, _order, places, _rows = self.scans[number]
        self.looked_up += 1
        page = []
        for one in (key, f"{key}+", "alpha", "beta"):
            rows = list(table.execute([Qual("k", "=", one)], wanted)) if one[0] != "n" else []
            if rows and "counted" in table.options:
                rows = [[one, str(self.looked_up)]]
            if rows and "ahead" in table.options:
                rows = [[one, str(more)]]
            page.append([one, [rows[0][place] for place in places] if rows else None])
        self.send("P", number, page)

    def on_C(self, number: int, _value: None) -> None:  # noqa: N802
        self.scans.pop(number, None)

    def on_X(self, number: int, value: Sequence[Any]) -> None:  # noqa: N802
        table, quals, wanted = self.request(value)
        marks = [probe_data.MARK_RUNTIME + name for name in value[6]]
        self.send("R", number, table.explain(quals, [*wanted, *marks]))

    def on_I(self, number: int, value: Sequence[Any]) -> None:  # noqa: N802
        if value[0] != "probe":
            probe_data.ProbeTable.import_schema(value[0])
        self.send("R", number, [["Facts two", [["id", "integer"], ["t", "text"]]]])


probe_data.fail = fail
probe_data.ACTIVE.value = 1
probe_data.KEY = None
probe_data.AT_EXIT = None
Worker().run()
