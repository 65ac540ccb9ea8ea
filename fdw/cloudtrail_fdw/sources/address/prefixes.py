"""Nested address prefixes, flattened so that one bisect finds all that contain an address."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

T = TypeVar("T")
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
BITS = {4: 32, 6: 128}


class Prefix(NamedTuple):
    """All addresses from ``first`` to ``last``, both included, as integers."""

    version: int
    first: int
    last: int


def read_prefix(text: str) -> Prefix:
    """``10.0.0.0/8`` or ``2001:db8::/32``; ValueError when it is anything else."""
    address, slash, length = text.partition("/")
    version = 6 if ":" in address else 4
    try:
        first = int.from_bytes(socket.inet_pton(FAMILIES[version], address), "big")
    except (OSError, ValueError):
        raise ValueError(f"no address prefix: {text[:60]!r}") from None
    if not slash or not length.isdecimal() or int(length) > BITS[version]:
        raise ValueError(f"no address prefix: {text[:60]!r}")
    hosts = (1 << (BITS[version] - int(length))) - 1
    if first & hosts:
        raise ValueError(f"bits beyond the prefix length: {text[:60]!r}")
    return Prefix(version, first, first | hosts)


def flatten(prefixes: Iterable[tuple[Prefix, T]]) -> tuple[list[int], list[tuple[T, ...]]]:
    """``(starts, holders)`` of prefixes of one family, which may nest and repeat.

    ``holders[bisect_right(starts, address) - 1]`` are the values of all prefixes that contain
    the address, widest first; ``()`` where there is none. ``starts[0]`` is 0.
    """
    starts: list[int] = [0]
    holders: list[tuple[T, ...]] = [()]

    def begin(start: int, values: tuple[T, ...]) -> None:
        if starts[-1] == start:
            holders[-1] = values
        else:
            starts.append(start)
            holders.append(values)

    around: list[tuple[int, tuple[T, ...]]] = []  # (last address, values) from outside inwards
    for prefix, value in sorted(prefixes, key=lambda item: (item[0].first, -item[0].last)):
        while around and around[-1][0] < prefix.first:
            last, _ = around.pop()
            begin(last + 1, around[-1][1] if around else ())
        values = (*(around[-1][1] if around else ()), value)
        around.append((prefix.last, values))
        begin(prefix.first, values)
    while around:
        last, _ = around.pop()
        begin(last + 1, around[-1][1] if around else ())
    return starts, holders
