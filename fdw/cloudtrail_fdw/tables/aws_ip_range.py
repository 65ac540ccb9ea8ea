"""aws_ip_range: one row for every range and service of AWS's ip-ranges.json."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

import msgspec

from cloudtrail_fdw.bounds import Bounds, Contains
from cloudtrail_fdw.declare import Column, Push, Table
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.address import aws_ranges

ALL_ROWS = 17_000  # of the file of 2026-08-22
PAGE = 1000  # rows that are handed on at once
NESTED = 4  # entries that hold the same address, about

COLUMNS = (
    Column(
        "prefix", "cidr",
        "The range; of prefix >>= '1.2.3.4' only the ranges that hold the address are made.",
        push=Push.HOLDS,
    ),
    Column(
        "region", "text", "Region, or GLOBAL for edge locations.", push=Push.VALUE,
    ),
    Column(
        "service", "text", "Service; AMAZON lists every range, so each has a row of it, too.",
        push=Push.VALUE,
    ),
    Column("network_border_group", "text", "Group of zones that AWS announces the range from."),
    Column("create_date", "timestamp with time zone", "When AWS made the file."),
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """The networks that a range has to hold, and the only Regions and services, None for all."""

    held: tuple[str, ...]
    regions: Optional[tuple[str, ...]]
    services: Optional[tuple[str, ...]]
    runtime: tuple[str, ...]

    def __str__(self) -> str:
        """What EXPLAIN prints."""
        lines = [f"Holding: {network}" for network in self.held]
        for label, values in (("Region", self.regions), ("Service", self.services)):
            if values is not None:
                lines.append(f"{label}: {', '.join(values) or 'none'}")
        if self.runtime:
            lines.append(f"Runtime Bounds: {', '.join(self.runtime)}")
        return "\n".join(lines or ["Ranges: all"])


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
    """The request that the quals make."""
    held = [found.network for found in bounds.of("prefix") if isinstance(found, Contains)]
    return Request(tuple(held), bounds.values("region"), bounds.values("service"), bounds.runtime)


def rows(request: Request) -> int:
    """A guess: a thirtieth of the file is about one Region or one service."""
    if request.held or "prefix" in request.runtime:
        return NESTED
    known = (request.regions is not None) + (request.services is not None)
    return (ALL_ROWS, ALL_ROWS // 30, ALL_ROWS // 900)[known]


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row an entry, IPv4 first, in AWS's order; FdwError for a broken file."""
    ranges = aws_ranges.current(settings)
    for row in chosen(ranges, request.held):
        if request.regions is not None and row.region not in request.regions:
            continue
        if request.services is not None and row.service not in request.services:
            continue
        values = {
            "prefix": row.prefix,
            "region": row.region,
            "service": row.service,
            "network_border_group": row.border_group,
            "create_date": ranges.date,
        }
        yield [values.get(name) for name in layout]


def packed(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[bytes]:
    """The rows of ``scan``, packed: all of them are at hand."""
    rows = scan(request, settings, layout)
    while page := list(itertools.islice(rows, PAGE)):
        yield msgspec.msgpack.encode(page)


def chosen(ranges: aws_ranges.Ranges, held: Sequence[str]) -> Sequence[aws_ranges.Row]:
    """The entries that hold the first address of the first network; all without one."""
    if not held:
        return ranges.rows
    network = ipaddress.ip_network(held[0])
    return ranges.holding(network.version, int(network.network_address))


TABLE = Table(
    name="aws_ip_range",
    help="One row for every address range and service that AWS's ip-ranges.json lists.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    packed=packed,
    rows=rows,
    width=70,
)
