"""The tokens that lead from page to page: one that comes again is waited out, but not for ever.

The services have given a token back, once or twice, in answers that went on well after that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Generic, Optional, TypeVar

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.aws.aws import TRIES, pause

T = TypeVar("T")


class PageTokens(Generic[T]):
    """The tokens of one chain of calls, as ``service`` gives them in its member ``member``.

    ``identity`` tells items apart: what came with a token that is given back may come once more.
    """

    def __init__(
        self, service: str, member: str, identity: Callable[[T], object], stop: threading.Event
    ) -> None:
        self.service, self.member, self.identity, self.stop = service, member, identity, stop
        self.latest: Optional[str] = None
        self.times = 0  # that it came again
        self.seen: set[object] = set()  # what came with it

    def fresh(self, items: list[T]) -> list[T]:
        """The items without those that came by the same token before."""
        return [i for i in items if self.identity(i) not in self.seen] if self.seen else items

    def follow(self, token: str, items: Iterable[T]) -> str:
        """The token to go on by, after a page of ``items``; waits where it is the last one again.

        Raises FdwError when it comes again and again.
        """
        if token != self.latest:
            self.latest, self.times, self.seen = token, 0, set()
            return token
        self.times += 1
        if self.times > TRIES:
            raise FdwError(
                f"{self.service} gave the same {self.member} {self.times + 1} times in a row",
                hint="Run the query again.",
            )
        self.seen.update(map(self.identity, items))
        self.stop.wait(pause(self.times))
        return token
