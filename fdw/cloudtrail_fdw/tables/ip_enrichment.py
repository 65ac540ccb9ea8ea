"""ip_enrichment: everything that is known of the source of an event, one row for each value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Optional

from cloudtrail_fdw.bounds import Bounds, IsNull
from cloudtrail_fdw.declare import Column, Push, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources import aws_ranges, geolocation
from cloudtrail_fdw.sources.address import LONGEST, classify
from cloudtrail_fdw.sources.reverse_dns import NOT_REQUESTED, Answer, resolve

Row = tuple[object, ...]
CACHED = 10_000  # rows of this process
PATIENCE = 1.0  # seconds that a replaced data file may go unnoticed by cached rows
UNKEYED_ROWS = 100_000_000  # so dear that the planner takes any keyed path

COLUMNS = (
    Column("ip", "text", "The value asked for, exactly as given; any text.", push=Push.VALUE),
    Column("address", "inet", "The address; NULL unless the value is one address."),
    Column("ip_version", "integer", "4 or 6; NULL unless the value is one address."),
    Column(
        "address_class", "text",
        "public, private, loopback, link_local, cgnat, documentation, multicast, reserved, "
        "aws_service, aws_internal, hostname or invalid; of an IPv4-mapped or 6to4 address, that "
        "of the IPv4 address inside.",
    ),
    Column("continent_code", "text", "Continent, two letters."),
    Column("continent_name", "text", "Continent, in English."),
    Column("country_code", "text", "Country, ISO 3166-1 alpha-2."),
    Column("country_name", "text", "Country, in English."),
    Column("region_code", "text", "State or province, ISO 3166-2; not in every database."),
    Column("region_name", "text", "State or province."),
    Column("city", "text", "City."),
    Column("postal_code", "text", "Postal code; not in every database."),
    Column("latitude", "double precision", "Degrees north (WGS 84), approximate."),
    Column("longitude", "double precision", "Degrees east (WGS 84), approximate."),
    Column("time_zone", "text", "IANA time zone; not in every database."),
    Column("accuracy_radius_km", "integer", "Radius around the coordinates; MaxMind's only."),
    Column("asn", "bigint", "Number of the autonomous system that announces the address."),
    Column("as_organization", "text", "Holder of the autonomous system."),
    Column(
        "geo_database", "text",
        "Type and build date of the database that was asked; says so when it is the sample.",
    ),
    Column(
        "is_aws", "boolean",
        "Whether AWS's ip-ranges.json lists the address; NULL where only the sample was asked.",
    ),
    Column(
        "aws_range_class", "text",
        "ec2 (EC2 and no other service), service (a named one) or infrastructure (AMAZON only).",
    ),
    Column(
        "aws_customer_usable", "boolean",
        "Whether a customer's instance can have the address, that is, aws_range_class is ec2.",
    ),
    Column("aws_services", "text[]", "Services whose ranges contain the address, bar AMAZON."),
    Column("aws_region", "text", "Region of the most specific range; GLOBAL for edge services."),
    Column("aws_network_border_group", "text", "Border group of the most specific range."),
    Column("aws_prefix", "cidr", "The most specific range."),
    Column("aws_ranges_date", "timestamp with time zone", "When AWS made the file."),
    Column(
        "reverse_dns", "text",
        "The first name by reverse DNS, of those that are confirmed if there are any; asking for "
        "it asks the name servers. Proof of nothing.",
    ),
    Column(
        "reverse_dns_status", "text",
        "found, confirmed (only where reverse_dns_confirmed is asked for), none, timeout, error, "
        "or not_requested (also for values that are no public address, which are never sent out).",
    ),
    Column("reverse_dns_names", "text[]", "All names by reverse DNS, in alphabetical order."),
    Column(
        "reverse_dns_confirmed", "text",
        "The first name that leads back to the address; asking for it asks for the addresses of "
        "all names, too.",
    ),
)  # fmt: skip
PLACES = {column.name: place for place, column in enumerate(COLUMNS)}
REVERSE_DNS = frozenset(name for name in PLACES if name.startswith("reverse_dns"))
CONFIRMED = "reverse_dns_confirmed"


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
    """Rows without reverse DNS, good for as long as both sources are the ones in force."""

    places: geolocation.Geolocation
    ranges: aws_ranges.Ranges
    rows: dict[str, Row] = field(default_factory=dict)


KNOWN: dict[tuple[str, str, str], Known] = {}


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
            "ip_enrichment answers for given addresses only",
            hint="Join it ON i.ip = e.source_ip_address, or write WHERE ip = '…' or ip IN (…).",
        )
    found: Iterable[Row] = [offline(ip, settings) for ip in request.addresses]
    if request.reverse_dns:
        answers = resolve(request.addresses, settings, request.confirm)
        found = [with_names(row, answers[ip]) for row, ip in zip(found, request.addresses)]
    return map(projection(tuple(layout)), found)


def offline(ip: str, settings: Settings) -> Row:
    """The row of ``ip`` from the data files, all columns."""
    row = known(settings, PATIENCE).rows.get(ip)
    if row is None:
        # a look at the files first: one that was written in place must not be touched
        here = known(settings, 0.0)
        row = make_row(ip, here)
        if len(here.rows) >= CACHED:
            del here.rows[next(iter(here.rows))]
        if len(ip) <= LONGEST:
            here.rows[ip] = row
    return row


def known(settings: Settings, patience: float) -> Known:
    """The cached rows of the data files in force; none after a file was replaced."""
    places = geolocation.current(settings, patience)
    ranges = aws_ranges.current(settings, patience)
    key = (settings.geo_database, settings.asn_database, settings.ip_ranges)
    held = KNOWN.get(key)
    if held is None or held.places is not places or held.ranges is not ranges:
        held = KNOWN[key] = Known(places, ranges)
    return held


def make_row(ip: str, here: Known) -> Row:
    """All columns of ``ip``, those of reverse DNS as not requested."""
    address = classify(ip)
    aws = here.ranges.find(address)
    services = aws.aws_services
    if services is not None:
        aws = aws._replace(aws_services=array_literal(services))  # type: ignore[arg-type]
    head = (ip, address.address, address.version, address.address_class)
    return (*head, *here.places.find(address), *aws, *with_names((), NOT_REQUESTED))


def with_names(row: Row, answer: Answer) -> Row:
    """The row with what the name servers said."""
    names = array_literal(answer.names) if answer.names else None
    confirmed = answer.name if answer.status == "confirmed" else None
    return (*row[: len(COLUMNS) - len(REVERSE_DNS)], answer.name, answer.status, names, confirmed)


@lru_cache(maxsize=64)
def projection(layout: tuple[str, ...]) -> Callable[[Row], Sequence[object]]:
    """From a row with all columns to one in the order of ``layout``, NULL for an empty name."""
    if "" not in layout and len(layout) > 1:
        return itemgetter(*(PLACES[name] for name in layout))
    nothing = len(PLACES)
    # two places more: of one alone itemgetter would give a value, not a row
    places = itemgetter(*(PLACES.get(name, nothing) for name in layout), nothing, nothing)
    return lambda row: places((*row, None))[:-2]


@lru_cache(maxsize=1024)
def array_literal(texts: tuple[str, ...]) -> str:
    """A text[] as PostgreSQL reads it (manual, section 8.15.6), quoted where need be."""
    return "{" + ",".join(map(array_element, texts)) + "}"


def array_element(text: str) -> str:
    """One element, bare when that cannot be misread."""
    if re.fullmatch(r"[A-Za-z0-9_.-]+", text) and text.lower() != "null":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


TABLE = Table(
    name="ip_enrichment",
    help="Geolocation, autonomous system, AWS range and reverse DNS of a source address.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    rows=rows,
    width=300,
    key="ip",
)
