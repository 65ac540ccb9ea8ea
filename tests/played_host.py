"""A host whose statement and stop request a test sets."""

from __future__ import annotations

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.interrupts import Host


class PlayedHost(Host):
    """Put it into ``interrupts.HOST`` by monkeypatch."""

    def __init__(self, moment: int = 0) -> None:
        self.moment, self.stop = moment, False

    def statement(self) -> int:
        return self.moment

    def check(self) -> None:
        if self.stop:
            raise FdwError("canceling statement", sqlstate="57014")
