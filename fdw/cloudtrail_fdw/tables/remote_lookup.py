"""What the tables of remote sources share: one row for each address, from the source's record."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from cloudtrail_fdw.bounds import Bounds, IsNull
from cloudtrail_fdw.declare import Column, Push, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.record.cloudtrail_record import safe_json, storable
from cloudtrail_fdw.sources.remote.remote_addresses import Found, look_up
from cloudtrail_fdw.sources.remote.remote_source import Source

TIME = "timestamp with time zone"
UNKEYED_ROWS = 100_000_000  # so dear that the planner takes any keyed path

HEAD = (
    Column("ip", "text", "The value asked for, exactly as given; any text.", push=Push.VALUE),
    Column("address", "inet", "The address that was asked about; of an IPv4-mapped or 6to4 address, the IPv4 address inside."),
    Column("status", "text", "found; none (the source knows nothing); not_sent (no public address); network_off; with remote_errors = status also quota, throttled or unavailable."),
    Column("status_detail", "text", "Why there is no answer, in words."),
    Column("fetched_at", TIME, "When the source gave the answer."),
)  # fmt: skip


class Choice(NamedTuple):
    """A bigint column whose value a query may give; else it is that of the option."""

    column: str
    option: str


@dataclass(frozen=True)
class Request:
    """The addresses asked for, sorted; None when there are none, or not yet (``runtime``).

    ``chosen`` are the values of the column of a Choice, each asked about by itself; None likewise.
    """

    source: str
    addresses: Optional[tuple[str, ...]]
    runtime: bool
    network: bool
    most: int
    choice: Optional[Choice]
    chosen: Optional[tuple[int, ...]]

    def __str__(self) -> str:
        """What EXPLAIN prints."""
        if self.addresses is not None:
            given = str(len(self.addresses))
        else:
            given = "from the join or parameter" if self.runtime else "not given"
        asked = f"at most {self.most} addresses a query" if self.network else "not asked"
        lines = [f"Addresses: {given}", f"{self.source}: {asked}"]
        if self.choice:
            values = ", ".join(map(str, self.chosen or ())) or "from the join or parameter"
            lines.append(f"{self.choice.column.replace('_', ' ').title()}: {values}")
        return "\n".join(lines)


def remote_table(
    source: Source, text: str, columns: tuple[Column, ...], choice: Optional[Choice] = None
) -> Table:
    """The table of ``source``; the paths of ``columns`` lead through its record."""
    every = (*HEAD, *columns)

    def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
        return Request(
            source.title,
            # a join hands NULL over as IS NULL; no row has a NULL ip
            () if IsNull() in bounds.of("ip") else bounds.values("ip"),
            "ip" in bounds.runtime,
            settings.network_enrichment,
            settings.max_lookups,
            choice,
            choose(choice, settings, bounds) if choice else None,
        )

    def scan(
        request: Request, settings: Settings, layout: Sequence[str]
    ) -> Iterator[Sequence[object]]:
        if request.addresses is None:
            raise FdwError(
                "this table answers for given addresses only",
                hint="Join it ON the column of the address, as ON i.ip = e.source_ip_address, or "
                "write WHERE ip = '…' or ip IN (…).",
            )
        full = not source.full_columns.isdisjoint(layout)
        for changes, given in variants(request):
            found = look_up(source, replace(settings, **changes), request.addresses, full)
            makers = [maker(every, wanted, given) for wanted in layout]
            for ip in request.addresses:
                yield [make(ip, found[ip]) for make in makers]

    return Table(name=source.table, help=text, columns=every, plan=plan, scan=scan, rows=rows,
                 width=300, key="ip")  # fmt: skip


def choose(choice: Choice, settings: Settings, bounds: Bounds) -> Optional[tuple[int, ...]]:
    """The column's values; FdwError for a condition that names none."""
    if choice.column in bounds.runtime:
        return None
    if choice.column in bounds.unread:
        raise FdwError(
            f"{choice.column} takes a value by =, or some by IN",
            hint=f"Without, it is the setting cloudtrail_fdw.{choice.option}.",
            sqlstate="HV024",
        )
    values = bounds.values(choice.column)
    if values is None:
        return (int(getattr(settings, choice.option)),)
    return tuple(sorted(map(int, values)))


def variants(request: Request) -> Iterator[tuple[dict[str, Any], dict[str, object]]]:
    """For each value of the choice: the options to change, and the column's value."""
    if request.choice is None:
        yield {}, {}
        return
    for number in request.chosen or ():
        yield {request.choice.option: number}, {request.choice.column: number}


def rows(request: Request) -> int:
    """One for each address; too many to consider without any."""
    if request.addresses is None:
        return 1 if request.runtime else UNKEYED_ROWS
    return len(request.addresses) * len(request.chosen or (0,))


def maker(
    columns: Sequence[Column], wanted: str, given: Mapping[str, object]
) -> Callable[[str, Found], object]:
    """From an address and what is known of it to the value of one column, NULL for no name.

    ``given`` are columns that have the same value in all rows.
    """
    if wanted in given:
        return lambda ip, found: given[wanted]
    for column in columns:
        if column.name == wanted and column.path:
            return lambda ip, found: value(column, found)
    return {
        "ip": lambda ip, found: ip,
        "address": lambda ip, found: found.address,
        "status": lambda ip, found: found.status,
        "status_detail": lambda ip, found: found.detail,
        "fetched_at": lambda ip, found: found.asked and as_time(found.asked),
    }.get(wanted, lambda ip, found: None)


def value(column: Column, found: Found) -> object:
    """What the record has for ``column``, NULL for what has another type."""
    item: object = found.record
    for name in column.path:
        item = item.get(name) if isinstance(item, dict) else None
    if item is None:
        return None
    return CONVERT[column.type](item)


def as_text(item: object) -> Optional[str]:
    """A string as it is, anything else as JSON."""
    return storable(item) if isinstance(item, str) else as_json(item)


def as_json(item: object) -> Optional[str]:
    """JSON as jsonb accepts it."""
    return safe_json(json.dumps(item)) if is_finite(item) else None


def is_finite(item: object) -> bool:
    """Whether JSON has a way to write all numbers in it."""
    if isinstance(item, dict):
        return all(map(is_finite, item.values()))
    if isinstance(item, list):
        return all(map(is_finite, item))
    return not isinstance(item, float) or math.isfinite(item)


def as_number(item: object) -> Optional[float]:
    """A number, also one in a string, as ipstack's radius is."""
    try:
        number = float(item) if isinstance(item, (str, int, float)) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and not isinstance(item, bool) else None


def as_integer(item: object) -> Optional[int]:
    """A whole number that fits into a bigint."""
    number = as_number(item)
    if number is None or not number.is_integer() or abs(number) >= 2**63:
        return None
    return int(number)


def as_flag(item: object) -> Optional[bool]:
    """A boolean."""
    return item if isinstance(item, bool) else None


def as_time(item: object) -> Optional[str]:
    """A time in ISO 8601, UTC where it names no zone, as Shodan's; or Unix time."""
    try:
        if isinstance(item, (int, float)):
            return datetime.fromtimestamp(item, timezone.utc).isoformat()
        read = datetime.fromisoformat(str(item).replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return None
    return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).isoformat()


CONVERT: dict[str, Callable[[object], object]] = {
    "text": as_text,
    "jsonb": as_json,
    "double precision": as_number,
    "bigint": as_integer,
    "boolean": as_flag,
    TIME: as_time,
}
