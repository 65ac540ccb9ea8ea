"""ip_enrichment: everything that is known of the source of an event, one row for each value."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Optional

from msgspec.msgpack import Encoder

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.bounds import Bounds, IsNull
from cloudtrail_fdw.declare import Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.recent import Recent
from cloudtrail_fdw.sources.address import aws_ranges, geolocation
from cloudtrail_fdw.sources.address.address import LONGEST, classify
from cloudtrail_fdw.sources.disk.data_files import MOST_FILES
from cloudtrail_fdw.sources.names.addresses_ahead import following
from cloudtrail_fdw.sources.names.name_cache import Answer
from cloudtrail_fdw.sources.names.reverse_dns import NOT_REQUESTED, resolve
from cloudtrail_fdw.sources.record.cloudtrail_record import array_literal
from cloudtrail_fdw.tables.ip_columns import COLUMNS

Row = tuple[object, ...]
CACHED = 5_000  # rows of this process, and as many older ones
CHECKED = 64  # rows between two looks at whether the query has to stop
PATIENCE = 1.0  # seconds that a replaced data file may go unnoticed by cached rows
UNKEYED_ROWS = 100_000_000  # so dear that the planner takes any keyed path

PLACES = {column.name: place for place, column in enumerate(COLUMNS)}
REVERSE_DNS = frozenset(name for name in PLACES if name.startswith("reverse_dns"))
CONFIRMED = "reverse_dns_confirmed"
EVERYTHING = tuple(PLACES)
SYSTEM = frozenset({"asn", "as_organization"})
AWS = frozenset(aws_ranges.AwsRange._fields)
LOCATION = frozenset(geolocation.Place._fields) - SYSTEM - {"geo_database"}


@dataclass(frozen=True)
class Request:
    """The addresses asked for, sorted; None when there are none, or not yet (``runtime``)."""

    addresses: Optional[tuple[str, ...]]
    runtime: bool
    reverse_dns: bool
    confirm: bool = False

    def __str__(self) -> str:
        """What EXPLAIN prints."""
        if self.addresses is not None:
            given = str(len(self.addresses))
        else:
            given = "from the join or parameter" if self.runtime else "not given"
        asked = "asked" if self.reverse_dns else "not asked"
        asked += ", and whether names lead back" if self.confirm else ""
        return f"Addresses: {given}\nReverse DNS: {asked}"


@dataclass
class Known:
    """Rows without reverse DNS by address and recipe, good while both sources are in force.

    ``older`` are those that ``rows`` held when it was last full, ``checked`` is when the sources
    were last looked at.
    """

    places: geolocation.Geolocation
    ranges: aws_ranges.Ranges
    checked: float
    rows: dict[tuple[str, Recipe], Row] = field(default_factory=dict)
    older: dict[tuple[str, Recipe], Row] = field(default_factory=dict)


KNOWN: Recent[tuple[str, str, str], Known] = Recent(MOST_FILES)
ENCODER = Encoder()


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
    """The request that the quals on ``ip`` and the wanted columns make."""
    return Request(
        # a join hands NULL over as IS NULL; no row has a NULL ip
        () if IsNull() in bounds.of("ip") else bounds.values("ip"),
        "ip" in bounds.runtime,
        settings.network_enrichment and not REVERSE_DNS.isdisjoint(wanted),
        settings.network_enrichment and CONFIRMED in wanted,
    )


def rows(request: Request) -> int:
    """One for each address; too many to consider without any."""
    if request.addresses is None:
        return 1 if request.runtime else UNKEYED_ROWS
    return len(request.addresses)


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[Sequence[object]]:
    """One row for each address; FdwError without any, or for a broken data file."""
    if request.addresses is None:
        raise FdwError(
            "this table answers for given addresses only",
            hint="Join it ON the column of the address, as ON i.ip = e.source_ip_address, or write "
            "WHERE ip = '…' or ip IN (…).",
        )
    wanted = recipe(tuple(layout))
    if not request.reverse_dns:
        return iter([offline(ip, settings, wanted) for ip in request.addresses])
    everything = recipe(EVERYTHING)
    whole = [offline(ip, settings, everything) for ip in request.addresses]
    answers = resolve(request.addresses, settings, request.confirm)
    found = (with_names(row, answers[ip]) for row, ip in zip(whole, request.addresses))
    return map(wanted.project, found)


def look_up(ip: str, more: int, settings: Settings, layout: tuple[str, ...]) -> Optional[bytes]:
    """Pairs of an address and its row, packed, that of ``ip`` first; None if it takes a name server.

    The others, at most ``more``, are what the query is to ask for next by the events that it has
    read. An error about one of them ends the pairs: it is raised if that one is asked for.
    """
    wanted = recipe(layout)
    if wanted.names and settings.network_enrichment:
        return None
    pairs = [(ip, offline(ip, settings, wanted))]
    for number, text in enumerate(following(ip, more) if more else ()):
        if number % CHECKED == 0:
            interrupts.check()
        # PostgreSQL must be able to store it, whatever the encoding of the database
        if len(text) > LONGEST or not text.isascii():
            continue
        try:
            pairs.append((text, offline(text, settings, wanted)))
        except FdwError:
            break
    return ENCODER.encode(pairs)


def offline(ip: str, settings: Settings, wanted: Recipe) -> Row:
    """The row of ``ip`` from the data files."""
    here = known(settings, PATIENCE)
    key = (ip, wanted)
    row = here.rows.get(key) or here.older.get(key)
    if row is None:
        # a file that was cut short in place must not be touched
        if not here.places.intact():
            here = known(settings, 0.0)
        row = make_row(ip, here, wanted)
        if len(here.rows) >= CACHED:
            here.rows, here.older = {}, here.rows
        if len(ip) <= LONGEST:
            here.rows[key] = row
    return row


def known(settings: Settings, patience: float) -> Known:
    """The cached rows of the data files in force; none after a file was replaced.

    The files are looked at unless that was done ``patience`` seconds ago.
    """
    key = (settings.geo_database, settings.asn_database, settings.ip_ranges)
    now = time.monotonic()
    held = KNOWN.get(key)
    if held is not None and now - held.checked < patience:
        return held
    KNOWN.drop(key)  # nothing is known any more when a file turns out to be broken
    places, ranges = geolocation.current(settings), aws_ranges.current(settings)
    if held is None or held.places is not places or held.ranges is not ranges:
        held = Known(places, ranges, now)
    held.checked = now
    return KNOWN.put(key, held)


def make_row(ip: str, here: Known, wanted: Recipe) -> Row:
    """The row of ``ip``, its columns of reverse DNS as not requested."""
    address = classify(ip)
    head: Row = (ip, address.address, address.version, address.address_class)
    place = here.places.columns(address, wanted.location, wanted.system)
    if not wanted.aws:
        return wanted.project(head + place + UNASKED_AWS)
    aws: Row = here.ranges.find(address)
    services = aws[3]
    if services is not None:
        aws = (*aws[:3], array_literal(services), *aws[4:])
    return wanted.project(head + place + aws + UNASKED)


def with_names(row: Row, answer: Answer) -> Row:
    """The row with what the name servers said, and the NULL of columns that nobody looks at."""
    names = array_literal(answer.names) if answer.names else None
    confirmed = answer.name if answer.status == "confirmed" else None
    before = row[: len(COLUMNS) - len(REVERSE_DNS)]
    return (*before, answer.name, answer.status, names, confirmed, None)


UNASKED = with_names((), NOT_REQUESTED)
UNASKED_AWS = (*aws_ranges.UNKNOWN, *UNASKED)


@dataclass(frozen=True, eq=False)
class Recipe:
    """What rows of one layout take: location, autonomous system, AWS's ranges, reverse DNS.

    ``project`` makes them from what ``with_names`` gives.
    """

    location: bool
    system: bool
    aws: bool
    names: bool
    project: Callable[[Row], Row]


@lru_cache(maxsize=64)
def recipe(layout: tuple[str, ...]) -> Recipe:
    """The recipe of a layout, in which the empty name stands for a NULL."""
    names = frozenset(layout)
    places = [PLACES.get(name, len(PLACES)) for name in layout]
    one_or_none = lambda row: tuple(row[place] for place in places)  # noqa: E731
    return Recipe(
        not LOCATION.isdisjoint(names), not SYSTEM.isdisjoint(names),
        not AWS.isdisjoint(names), not REVERSE_DNS.isdisjoint(names),
        itemgetter(*places) if len(places) > 1 else one_or_none,
    )  # fmt: skip


TABLE = Table(
    name="ip_enrichment",
    help="Geolocation, autonomous system, AWS range and reverse DNS of a source address.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    rows=rows,
    width=300,
    key="ip",
    look_up=look_up,
)
