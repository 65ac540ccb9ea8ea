"""Our wrapper with tables that note whether it was told that all of their rows will be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from multicorn import ForeignDataWrapper

from cloudtrail_fdw import wrapper
from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Column, Order, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.host import session
from cloudtrail_fdw.host.multicorn import Handler

HEARD: list[tuple[str, str, bool]] = []  # table, when, what
ROWS = 3


def now(name: str, when: str) -> None:
    """Note what the handler says at this moment."""
    HEARD.append((name, when, Handler().wants_all))


@dataclass(frozen=True)
class Request:
    """What the wrapper asked for."""

    name: str
    whole: bool

    def __str__(self) -> str:
        now(self.name, "explain")
        return f"Table: {self.name}"


def declared(name: str) -> Table:
    """A table of the ids from ROWS down to 1; ``failing`` has one row and an error."""

    def plan(_settings: object, bounds: Bounds, _wanted: object) -> Request:
        return Request(name, bounds.whole)

    def scan(
        request: Request, _settings: object, layout: Sequence[str]
    ) -> Iterator[Sequence[object]]:
        HEARD.append((name, "bounds", request.whole))
        for number in range(ROWS, 0, -1):
            now(name, "row")
            yield [number for _column in layout]
            if name == "failing":
                raise FdwError("it failed")
        now(name, "end")

    def rows(_request: Request) -> int:
        now(name, "plan")
        return ROWS

    column = Column("id", "integer", "Number.")
    return Table(name, "Numbers.", (column,), plan, scan, rows, 4, orders=(Order("id", True),))


TABLES = {name: declared(name) for name in ("one", "two", "failing")}
setattr(session, "tables", lambda: TABLES)  # noqa: B010 - mypy knows the function's type


class ToldFdw(wrapper.CloudTrailFdw):
    """The wrapper itself."""


class HeardFdw(ForeignDataWrapper):  # type: ignore[misc]
    """What was noted since it was last asked."""

    def execute(self, _quals: object, _columns: Iterable[str]) -> Iterator[Sequence[Any]]:
        """All notes, which are then forgotten."""
        notes = HEARD[:]
        HEARD.clear()
        for name, when, told in notes:
            yield [name, when, "t" if told else "f"]
