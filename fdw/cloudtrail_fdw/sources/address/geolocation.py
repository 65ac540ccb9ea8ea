"""Where an address is, from mmdb files of any of the usual schemas.

Known by the record's own keys: nested (MaxMind GeoIP2 and GeoLite2, DB-IP), flat
(ip-location-db) and IPinfo's; files for cities, countries and autonomous systems.
"""

from __future__ import annotations

import csv
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

from cloudtrail_fdw.sources.address.address import Address, classify
from cloudtrail_fdw.sources.address.mmdb import Database, Record, SearchTree, open_mmdb
from cloudtrail_fdw.sources.disk.data_files import ASN, GEOLOCATION, SAMPLES, Watched, both_hold

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

SAMPLE_TYPE = "bundled sample"  # how the database type of our own fixtures begins
KNOWN_PLACES = 20_000  # of about half a kB
CONTINENTS = {"AF": "Africa", "AN": "Antarctica", "AS": "Asia", "EU": "Europe",
              "NA": "North America", "OC": "Oceania", "SA": "South America"}  # fmt: skip


class Place(NamedTuple):
    """Columns of ip_enrichment, in its order; None is unknown. Degrees are WGS 84."""

    continent_code: Optional[str] = None
    continent_name: Optional[str] = None
    country_code: Optional[str] = None
    country_name: Optional[str] = None
    region_code: Optional[str] = None
    region_name: Optional[str] = None
    city: Optional[str] = None
    postal_code: Optional[str] = None
    latitude: Optional[float] = None
    longitude: Optional[float] = None
    time_zone: Optional[str] = None
    accuracy_radius_km: Optional[int] = None
    asn: Optional[int] = None
    as_organization: Optional[str] = None
    geo_database: Optional[str] = None


NOWHERE = Place()
# How IPv6 addresses begin that lead to an IPv4 address's place in an mmdb file ("IPv4 addresses in
# an IPv6 tree" of its format): ``::a.b.c.d``, and Teredo, where that address is the server's.
NOT_OF_THEIR_OWN = (0, 0x20010000)
Columns = tuple[object, ...]
UNASKED: tuple[Columns, Columns] = (NOWHERE[:-3], NOWHERE[-3:-1])


class Places:
    """The places of a file, each read once for all addresses that have their record in common."""

    def __init__(self, database: Database) -> None:
        """FdwError for a damaged file."""
        self.database = database
        self.tree = SearchTree(database)
        self.known: dict[int, tuple[Columns, Columns]] = {}

    def find(self, address: Address) -> tuple[Columns, Columns]:
        """Columns of location and of autonomous system for an address; FdwError when damaged."""
        leaf = self.tree.leaf(address.number, address.number_version)
        found = self.known.get(leaf)
        if found is None:
            place = read_place(self.database.record(address))
            found = (place[:-3], place[-3:-1])
            if len(self.known) >= KNOWN_PLACES:
                self.known.clear()
            self.known[leaf] = found
        return found


class Geolocation(NamedTuple):
    """The two files that answer together."""

    cities: Database
    systems: Database
    places: Places
    label: str

    def intact(self) -> bool:
        """Whether both files can be read without harm."""
        return both_hold(self.cities.guard, self.systems.guard)

    def find(self, address: Address) -> Place:
        """What is known of an address; of none, nothing."""
        return Place._make(self.columns(address, location=True, system=True))

    def columns(self, address: Address, location: bool, system: bool) -> Columns:
        """The columns of Place. Only the parts asked for are filled."""
        if not address.number_version:
            return NOWHERE
        if address.number_version == 6 and address.number >> 96 in NOT_OF_THEIR_OWN:
            return (*NOWHERE[:-1], self.label)
        record = self.systems.record(address) if system else {}
        where, holder = UNASKED
        if location or (system and not record):
            where, holder = self.places.find(address)
        if record:
            holder = read_system(record)
        return (*where, *holder, self.label)


def open_database(path: Path) -> Database:
    """Open and try an mmdb file; FdwError when it is none, or damaged, or cut short."""
    database = open_mmdb(path)
    for probe in ("1.1.1.1", "223.255.255.255"):
        database.record(classify(probe))
    return database


CITIES = Watched("geo_database", GEOLOCATION, open_database)
SYSTEMS = Watched("asn_database", ASN, open_database)


def current(settings: Settings, patience: float = 0.0) -> Geolocation:
    """The files in force, opened again when they were replaced; FdwError for a broken one."""
    return pair(CITIES.current(settings.geo_database, patience),
                SYSTEMS.current(settings.asn_database, patience))  # fmt: skip


@lru_cache(maxsize=4)
def pair(cities: Database, systems: Database) -> Geolocation:
    """Both files under one label, which says what is only the sample."""
    label = cities.label
    if systems.label.startswith(SAMPLE_TYPE) and not label.startswith(SAMPLE_TYPE):
        label += " (ASN: bundled sample)"
    return Geolocation(cities, systems, Places(cities), label)


def read_place(record: Record) -> Place:
    """A record of any schema; names of countries and continents are filled in from codes."""
    if not record:
        return NOWHERE
    nested = isinstance(record.get("country"), dict) or isinstance(record.get("location"), dict)
    place = read_nested(record) if nested else read_flat(record)
    code = place.country_code
    if code == "ZZ":  # DB-IP's "Undefined"
        return NOWHERE
    if code and not (place.country_name and place.continent_code):
        name, continent = countries().get(code, (None, None))
        place = place._replace(
            country_name=place.country_name or name,
            continent_code=place.continent_code or continent,
        )
    if place.continent_code and not place.continent_name:
        place = place._replace(continent_name=CONTINENTS.get(place.continent_code))
    return place


def read_nested(record: Record) -> Place:
    """MaxMind's and DB-IP's schema (MaxMind's "GeoIP2 City" documentation)."""
    continent, country = part(record, "continent"), part(record, "country")
    location, postal = part(record, "location"), part(record, "postal")
    subdivisions = record.get("subdivisions")
    first = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else {}
    region = first if isinstance(first, dict) else {}
    return Place(
        text(continent.get("code")), english(continent),
        text(country.get("iso_code")), english(country),
        text(region.get("iso_code")), english(region),
        english(part(record, "city")), text(postal.get("code")),
        degrees(location.get("latitude")), degrees(location.get("longitude")),
        text(location.get("time_zone")), whole(location.get("accuracy_radius")),
        *read_system(record),
    )  # fmt: skip


def read_flat(record: Record) -> Place:
    """ip-location-db's and IPinfo's schemas; either key may hold a code or a name."""
    country, continent = text(record.get("country")), text(record.get("continent"))
    code = text(record.get("country_code")) or (country if is_code(country) else None)
    region = text(record.get("continent_code")) or (continent if is_code(continent) else None)
    return Place(
        region, text(record.get("continent_name")) or (None if is_code(continent) else continent),
        code, text(record.get("country_name")) or (None if is_code(country) else country),
        text(record.get("region_code")), text(record.get("state1") or record.get("region")),
        text(record.get("city")), text(record.get("postcode") or record.get("postal_code")),
        degrees(record.get("latitude", record.get("lat"))),
        degrees(record.get("longitude", record.get("lng"))),
        text(record.get("timezone")), whole(record.get("radius")), *read_system(record),
    )  # fmt: skip


def read_system(record: Record) -> tuple[Optional[int], Optional[str]]:
    """Number and holder of the autonomous system: MaxMind's and DB-IP's keys, or IPinfo's."""
    asn = record.get("autonomous_system_number")
    holder = record.get("autonomous_system_organization")
    asn = record.get("asn") if asn is None else asn
    holder = record.get("as_name") if holder is None else holder
    digits = asn[2:] if isinstance(asn, str) and asn[:2].upper() == "AS" else asn
    return whole(digits), text(holder)


def part(record: Record, key: str) -> Record:
    """A member that is a map, else {}."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def english(record: Record) -> Optional[str]:
    """The English name of a city, country or region."""
    names = record.get("names")
    return text(names.get("en")) if isinstance(names, dict) else None


def is_code(value: Optional[str]) -> bool:
    """Whether this is an ISO 3166 or continent code and no name."""
    return value is not None and len(value) == 2 and value.isupper()


def text(value: object) -> Optional[str]:
    """A text that PostgreSQL can store; '' is unknown."""
    if not isinstance(value, str):
        return None
    return value.replace("\0", "\ufffd") if "\0" in value else value or None


def number(value: Union[float, str, None]) -> Optional[float]:
    """A finite number, also when it is written as text (IPinfo)."""
    if value is None:  # as most are: an exception takes long
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def degrees(value: Union[float, str, None]) -> Optional[float]:
    """A coordinate to a tenth of a metre, which hides the tail of ip-location-db's float32."""
    found = number(value)
    return None if found is None else round(found, 6)


def whole(value: Any) -> Optional[int]:
    """A whole number of at most 32 bits."""
    found = value if isinstance(value, int) else number(value)
    return int(found) if found is not None and 0 < found < 1 << 32 else None


@lru_cache(maxsize=1)
def countries() -> dict[str, tuple[str, str]]:
    """ISO 3166 code -> (name, continent code), as DB-IP Lite has them."""
    with (SAMPLES / "countries.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: (row["name"], row["continent"]) for row in csv.DictReader(file)}
