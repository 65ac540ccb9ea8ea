"""Where an address is, from mmdb files of any of the usual schemas.

Known by the record's own keys: nested (MaxMind GeoIP2 and GeoLite2, DB-IP), flat
(ip-location-db) and IPinfo's; files for cities, countries and autonomous systems.
"""

from __future__ import annotations

import csv
import math
import socket
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union

import maxminddb

from cloudtrail_fdw.sources.address import Address
from cloudtrail_fdw.sources.data_files import ASN, GEOLOCATION, SAMPLES, Guard, Watched, damaged

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

SAMPLE_TYPE = "bundled sample"  # how the database type of our own fixtures begins
Record = Mapping[str, Any]
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


class Database(NamedTuple):
    """An open mmdb file: ``label`` is its type and build date, ``version`` 4 or 6."""

    path: Path
    reader: maxminddb.Reader
    label: str
    version: int
    sample: bool
    guard: Guard

    def get(self, text: str, version: int) -> Record:
        """The record of an address, {} when there is none; FdwError for a damaged file."""
        if version > self.version:
            return {}
        try:
            record = self.reader.get(text)
        except Exception as error:  # noqa: BLE001 - a damaged file fails in any way it likes
            raise damaged(self.path, error) from None
        return record if isinstance(record, dict) else {}


class Geolocation(NamedTuple):
    """The two files that answer together."""

    cities: Database
    systems: Database
    label: str

    def intact(self) -> bool:
        """Whether both files can be read without harm."""
        return self.cities.guard.holds() and self.systems.guard.holds()

    def find(self, address: Address, location: bool = True, system: bool = True) -> Place:
        """What is known of an address; of none, nothing. Only the parts asked for are filled."""
        text = address.address
        if text is None:
            return NOWHERE
        if address.version != address.number_version:
            text = socket.inet_ntoa(address.number.to_bytes(4, "big"))
        record = self.systems.get(text, address.number_version) if system else {}
        place = NOWHERE
        if location or (system and not record):
            place = read_place(self.cities.get(text, address.number_version))
        holder = read_system(record) if record else (place.asn, place.as_organization)
        return Place(*place[:-3], *holder, self.label)


NOWHERE = Place()


def open_database(path: Path) -> Database:
    """Open and try an mmdb file; FdwError when it is none, or damaged, or cut short."""
    try:
        guard = Guard(path)
        reader = maxminddb.open_database(str(path))
        metadata = reader.metadata()
        built = datetime.fromtimestamp(metadata.build_epoch, timezone.utc).date()
        label = f"{metadata.database_type.partition(' (')[0]} {built}".replace("\0", "\ufffd")
        version = int(metadata.ip_version)
    except Exception as error:  # noqa: BLE001 - as above
        raise damaged(path, error) from None
    database = Database(path, reader, label, version, label.startswith(SAMPLE_TYPE), guard)
    for probe in ("1.1.1.1", "223.255.255.255"):
        database.get(probe, 4)
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
    if systems.sample and not cities.sample:
        label += " (ASN: bundled sample)"
    return Geolocation(cities, systems, label)


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
    location, subdivisions = part(record, "location"), record.get("subdivisions")
    first = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else {}
    region = first if isinstance(first, dict) else {}
    return Place(
        text(continent.get("code")), english(continent),
        text(country.get("iso_code")), english(country),
        text(region.get("iso_code")), english(region),
        english(part(record, "city")), text(part(record, "postal").get("code")),
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
    asn = record.get("autonomous_system_number", record.get("asn"))
    holder = record.get("autonomous_system_organization", record.get("as_name"))
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
    return (value.replace("\0", "\ufffd") or None) if isinstance(value, str) else None


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


def whole(value: Union[float, str, None]) -> Optional[int]:
    """A whole number of at most 32 bits."""
    found = number(value)
    return int(found) if found is not None and 0 < found < 1 << 32 else None


@lru_cache(maxsize=1)
def countries() -> dict[str, tuple[str, str]]:
    """ISO 3166 code -> (name, continent code), as DB-IP Lite has them."""
    with (SAMPLES / "countries.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: (row["name"], row["continent"]) for row in csv.DictReader(file)}
