"""A memory of what was used last, so that what each setting ever used had made does not stay."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Optional, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, at most ``most`` of them: those that were used last.

    ``leave`` is called with each value that has to go, but not with one that another replaces.
    Several threads may use it at once.
    """

    def __init__(self, most: int, leave: Callable[[V], object] = lambda value: None) -> None:
        self.most, self.leave = most, leave
        self.held: dict[K, V] = {}  # the last used one last
        self.lock = threading.RLock()

    def get(self, key: K) -> Optional[V]:
        """The value of ``key``, which is now the last used one; None where there is none."""
        if len(self.held) < 2:  # the quick way of a look-up for each row
            return self.held.get(key)
        with self.lock:
            value = self.held.pop(key, None)
            return None if value is None else self.put(key, value)

    def put(self, key: K, value: V) -> V:
        """Hold ``value``, and let go of what was not used for longest."""
        with self.lock:
            self.held.pop(key, None)
            self.held[key] = value
            if len(self.held) > self.most:
                self.leave(self.held.pop(next(iter(self.held))))
            return value

    def made(self, key: K, make: Callable[[], V]) -> V:
        """The value of ``key``, made where there is none; raises what ``make`` raises."""
        value = self.get(key)
        if value is not None:
            return value
        with self.lock:
            value = self.get(key)  # another thread may have made it meanwhile
            return self.put(key, make()) if value is None else value

    def drop(self, key: K) -> None:
        """Let go of one, if it is there."""
        with self.lock:
            value = self.held.pop(key, None)
            if value is not None:
                self.leave(value)

    def clear(self) -> None:
        """Let go of all."""
        for key in list(self.held):
            self.drop(key)
