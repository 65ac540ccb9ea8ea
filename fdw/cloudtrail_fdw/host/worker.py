"""The process beside a backend: its frames to Sessions, their rows and errors to frames.

The server's library starts it (fdw/handler/launch.c) as ``python -I -m cloudtrail_fdw.host.worker``
with the socket as descriptor 3. It ends when the backend closes its end.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from msgspec import msgpack

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.bounds import Bounds, read_quals
from cloudtrail_fdw.host.frames import PROTOCOL, Frame, Gone, Line
from cloudtrail_fdw.host.session import SESSION_SETTINGS, Session, importable, in_words, ordered

DESCRIPTOR = 3
# A look-up waits for the interpreter's lock while a thread makes pages: 5 ms each by default.
SWITCH_SECONDS = 0.0005


@dataclass
class Told:
    """A condition as the backend sends it."""

    field_name: str
    operator: object
    value: object


@dataclass
class Scan:
    """What an S frame began; ``pages`` once the first page was asked for."""

    session: Session
    bounds: Bounds
    wanted: tuple[str, ...]
    values: tuple[Optional[str], ...]
    statement: int
    pages: Optional[Iterator[bytes]] = field(default=None, init=False)

    def next_page(self) -> Optional[bytes]:
        """The next rows, packed; None at the end."""
        if self.pages is None:
            settings = self.session.settings(self.values)
            request = self.session.request(settings, self.bounds, self.wanted)
            self.pages = self.session.pages(request, settings, self.wanted)
        return next(self.pages, None)

    def look_up(self, key: str, more: int) -> bytes:
        """Keys and their rows, nil where there is none: this one's, and at most ``more`` others."""
        settings = self.session.settings(self.values)
        found = self.session.look_up(key, more, settings, self.wanted)
        if found is not None:
            return found
        quals = [Told(self.session.table.key, "=", key)]
        bounds = replace(proven(self.session, quals), whole=self.bounds.whole)
        request = self.session.request(settings, bounds, self.wanted)
        row = next(self.session.rows(request, settings, self.wanted), None)
        return msgpack.encode([(key, row)])

    def close(self) -> None:
        """Let go of what it reads."""
        if self.pages is not None:
            self.pages.close()  # type: ignore[attr-defined]


class Worker:
    """The tables that the backend has told of, and its open scans, by their numbers."""

    def __init__(self, line: Line) -> None:
        """Serve the backend at the other end of the line."""
        self.line = line
        self.sessions: dict[int, Session] = {}
        self.scans: dict[int, Scan] = {}
        self.failed: dict[int, BaseException] = {}  # scans that could not begin
        self.answers: dict[str, Callable[..., object]] = {
            "O": self.table, "P": self.size, "X": self.explain, "I": self.tables
        }  # fmt: skip

    def run(self) -> None:
        """Answer one frame after the other, until the backend has gone."""
        self.line.send("H", 0, [PROTOCOL, SESSION_SETTINGS])
        while True:
            frame = self.line.receive()
            try:
                self.answer(frame)
            except Gone:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, PostgreSQL must hear it
                told = in_words(error)
                self.line.send(
                    "E", frame.number, [told.sqlstate, told.message, told.detail, told.hint]
                )

    def answer(self, frame: Frame) -> None:
        """Do what one frame asks for."""
        if frame.kind == "S":
            self.begin(frame)
        elif frame.kind == "N":
            self.page(frame.number)
        elif frame.kind == "L":
            rows = self.at_work(frame.number).look_up(*frame.value)
            self.line.send_packed("P", frame.number, rows)
        elif frame.kind == "C":
            with suppress(Exception):  # C has no answer
                self.end(frame.number)
        else:
            self.line.send("R", frame.number, self.answers[frame.kind](*frame.value))

    def begin(self, frame: Frame) -> None:
        """A scan begins; what is wrong with it is told at its first page or look-up."""
        table, quals, wanted, values, order, whole, statement = frame.value
        try:
            session = self.sessions[table]
            bounds = replace(proven(session, read(quals)), whole=whole)
        except Exception as error:  # noqa: BLE001 - S has no answer
            self.failed[frame.number] = error
            return
        if order:
            bounds = ordered(bounds, *order)
        self.scans[frame.number] = Scan(session, bounds, tuple(wanted), tuple(values), statement)

    def at_work(self, number: int) -> Scan:
        """The scan of this number, whose statement is the one at work; raises what it failed of."""
        if number in self.failed:
            raise self.failed.pop(number)
        scan = self.scans[number]
        self.line.moment = scan.statement
        return scan

    def page(self, number: int) -> None:
        """Send the next rows of a scan, or its end; after an end or error it is over."""
        try:
            rows = self.at_work(number).next_page()
        except BaseException:
            self.end(number)
            raise
        if rows is not None:
            self.line.send_packed("P", number, rows)
            return
        self.end(number)
        self.line.send("Z", number, None)

    def end(self, number: int) -> None:
        """A scan is over, or was never there."""
        self.failed.pop(number, None)
        scan = self.scans.pop(number, None)
        if scan is not None:
            scan.close()

    def table(self, number: int, options: Sequence[str], columns: Sequence[str]) -> None:
        """What a table is, for one user: the later of one option's values counts."""
        self.sessions.pop(number, None)
        self.sessions[number] = Session(pairs(options), columns)

    def request(
        self, table: int, quals: Sequence[Any], wanted: Sequence[str], values: Sequence[Any],
        order: Optional[Sequence[Any]] = None, runtime: Sequence[str] = (),
    ) -> tuple[Session, Any, Any]:  # fmt: skip
        """What a table plans for these conditions and settings."""
        session = self.sessions[table]
        settings = session.settings(tuple(values))
        bounds = replace(proven(session, read(quals)), runtime=tuple(sorted(runtime)))
        if order:
            bounds = ordered(bounds, *order)
        return session, session.request(settings, bounds, wanted), settings

    def size(self, *asked: Any) -> list[Any]:
        """What the planner is to know of a request."""
        session, request, settings = self.request(*asked)
        size = session.size(request, settings, forbids=True)
        orders = [(order.column, order.descending) for order in session.table.orders]
        return [size.rows, size.width, size.key or None, orders, size.choices]

    def explain(
        self, table: int, quals: Sequence[Any], wanted: Sequence[str], values: Sequence[Any],
        order: Optional[Sequence[Any]], verbose: bool, runtime: Sequence[str],
    ) -> list[str]:  # fmt: skip
        """The request's lines, without what the library prints with its expressions."""
        session, request, _ = self.request(table, quals, wanted, values, order, runtime)
        lines = session.explain(request)
        return [line for line in lines if not line.startswith("Runtime Bounds: ")]

    def tables(
        self, schema: str, options: Sequence[str], which: Optional[str], named: Sequence[str]
    ) -> list[Any]:
        """What IMPORT FOREIGN SCHEMA makes: names and columns."""
        found = importable(schema, pairs(options), which == "limit", named)
        return [(name, [(c.name, c.type) for c in columns]) for name, columns in found]


def read(quals: Sequence[Any]) -> list[Told]:
    """Conditions as Multicorn has them: of ANY and ALL the operator is a pair."""
    return [
        Told(name, operator if use_or is None else (operator, use_or), value)
        for name, operator, use_or, value in quals
    ]


def proven(session: Session, quals: Sequence[Told]) -> Bounds:
    """What conditions prove, each of which the library has judged."""
    return read_quals(quals, session.table.column, "ISO, MDY", explain=False, proven=True)


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """Options by name, of names and values in turn."""
    return dict(zip(flat[::2], flat[1::2]))


def main() -> None:
    """Serve the backend that started this process."""
    sys.setswitchinterval(SWITCH_SECONDS)
    line = Line(socket.socket(fileno=DESCRIPTOR))
    interrupts.HOST = line
    status = 0
    try:
        Worker(line).run()
    except Gone:
        pass
    except Exception as error:  # noqa: BLE001 - a traceback's text may hold a secret
        status = 1
        print("the Python worker of cloudtrail_fdw ends:", in_words(error).message, file=sys.stderr)  # noqa: T201
    interrupts.join_threads()
    os._exit(status)  # libraries that still run on threads are not to be taken apart around them


if __name__ == "__main__":
    main()
