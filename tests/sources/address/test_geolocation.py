"""Every schema of mmdb file gives the same columns; a broken file gives an error."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.address import geolocation
from cloudtrail_fdw.sources.address.address import classify
from cloudtrail_fdw.sources.disk.data_files import SAMPLES

MAXMIND = {
    "city": {"geoname_id": 1, "names": {"de": "Mailand", "en": "Milan"}},
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"iso_code": "IT", "names": {"de": "Italien", "en": "Italy"}},
    "location": {"latitude": 45.4707, "longitude": 9.1889, "time_zone": "Europe/Rome",
                 "accuracy_radius": 20},
    "postal": {"code": "20121"},
    "subdivisions": [{"iso_code": "25", "names": {"en": "Lombardy"}},
                     {"iso_code": "MI", "names": {"en": "Milan"}}],
}  # fmt: skip
FLAT = {"country_code": "IT", "state1": "Lombardy", "state2": "", "city": "Milan",
        "latitude": 45.4707, "longitude": 9.1889, "postcode": "20121",
        "timezone": "Europe/Rome"}  # fmt: skip
IPINFO = {"city": "Milan", "region": "Lombardy", "region_code": "25", "country": "IT",
          "country_name": "Italy", "continent": "EU", "continent_name": "Europe",
          "postal_code": "20121", "lat": "45.4707", "lng": "9.1889", "timezone": "Europe/Rome",
          "radius": "20"}  # fmt: skip
IPINFO_LITE = {"asn": "AS15169", "as_name": "Google LLC", "as_domain": "google.com",
               "country": "Italy", "country_code": "IT", "continent": "Europe",
               "continent_code": "EU"}  # fmt: skip
SYSTEM = {"autonomous_system_number": 4200000001, "autonomous_system_organization": "Big"}
MILAN = ("EU", "Europe", "IT", "Italy", "25", "Lombardy", "Milan", "20121", 45.4707, 9.1889,
         "Europe/Rome", 20)  # fmt: skip


def write(path: Path, networks: Mapping[str, Any], version: int = 6, kind: str = "Test") -> Path:
    """An mmdb file that holds these networks."""
    writer = MMDBWriter(
        version, kind, ["en"], "of a test", ipv4_compatible=version == 6, int_type="u32"
    )
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


def find(text: str, cities: Path, systems: Path | None = None) -> geolocation.Place:
    options = {"geo_database": str(cities), "asn_database": str(systems or cities)}
    return geolocation.current(read_settings(options)).find(classify(text))


def without(*places: int) -> tuple[object, ...]:
    """Milan, but for columns that a schema does not have."""
    return tuple(None if place in places else value for place, value in enumerate(MILAN))


@pytest.mark.parametrize(
    ("record", "expected"),
    [(MAXMIND, MILAN), (FLAT, without(4, 11)), (IPINFO, MILAN),
     (IPINFO_LITE, MILAN[:4] + (None,) * 8),
     ({"country_code": "IT"}, MILAN[:4] + (None,) * 8),
     ({"country": {"iso_code": "IT"}}, MILAN[:4] + (None,) * 8),
     ({"country": {"iso_code": "ZZ", "names": {"en": "Undefined"}}}, (None,) * 12),
     ({"location": {"latitude": 1.5}, "country": 3, "subdivisions": []},
      (None,) * 8 + (1.5,) + (None,) * 3),
     ({"country": {}, "city": {"names": {"de": "Mailand"}}}, (None,) * 12),
     ({"country_code": "", "latitude": "nan", "longitude": "x", "city": ["Milan"]}, (None,) * 12),
     ("no map at all", (None,) * 12)],
)  # fmt: skip
def test_every_schema_gives_the_same_columns(
    tmp_path: Path, record: Any, expected: tuple[object, ...]
):
    path = write(tmp_path / "cities.mmdb", {"8.8.8.0/24": record})
    assert expected == tuple(find("8.8.8.8", path)[:12])


def test_systems_come_from_their_own_file_or_from_the_other(tmp_path: Path):
    cities = write(tmp_path / "cities.mmdb", {"8.8.8.0/24": IPINFO_LITE})
    systems = write(tmp_path / "systems.mmdb", {"8.8.8.0/25": SYSTEM})
    assert tuple(find("8.8.8.8", cities, systems)[12:14]) == (4200000001, "Big")
    assert tuple(find("8.8.8.200", cities, systems)[12:14]) == (15169, "Google LLC")
    assert tuple(find("9.9.9.9", cities, systems)[12:14]) == (None, None)


def test_addresses_inside_addresses_are_unwrapped_and_families_kept_apart(tmp_path: Path):
    small = write(tmp_path / "small.mmdb", {"8.8.8.0/24": FLAT}, version=4)
    for text in ("8.8.8.8", "::ffff:8.8.8.8", "2002:808:808::1"):
        assert find(text, small).city == "Milan"
    assert find("2001:4860::8888", small).city is None
    both = write(tmp_path / "both.mmdb", {"2a00::/16": FLAT})
    assert find("2a00::1", both).city == "Milan"
    assert find("8.8.8.8", both).city is None


def test_an_address_that_only_looks_like_an_ipv4_address_has_no_place_of_one(tmp_path: Path):
    """An mmdb file has its IPv4 addresses at ``::a.b.c.d``, and aliases of them at others."""
    cities = write(tmp_path / "cities.mmdb", {"8.8.8.0/24": FLAT, "2001:0:808:808::/64": FLAT})
    systems = write(tmp_path / "asn.mmdb", {"8.8.8.0/24": SYSTEM, "2001:0:808:808::/64": SYSTEM})
    assert find("8.8.8.8", cities, systems).asn == SYSTEM["autonomous_system_number"]
    for text in ("::8.8.8.8", "2001:0:808:808::1"):
        assert find(text, cities, systems)[:-1] == geolocation.NOWHERE[:-1]
        assert find(text, cities, systems).geo_database


def test_the_label_says_type_and_date_and_what_is_only_the_sample(tmp_path: Path):
    cities = write(tmp_path / "cities.mmdb", {"8.8.8.0/24": FLAT}, kind="DBIP-City-Lite (compat)")
    built = geolocation.open_database(cities).label
    assert built.startswith("DBIP-City-Lite 20")
    assert built == find("9.9.9.9", cities).geo_database
    mixed = find("8.8.8.8", cities, SAMPLES / "asn-sample.mmdb").geo_database
    assert f"{built} (ASN: bundled sample)" == mixed
    assert find("AWS Internal", cities) == geolocation.NOWHERE


def test_the_sample_holds_the_articles_addresses_and_admits_to_know_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CLOUDTRAIL_FDW_DATA", str(tmp_path))
    places = geolocation.current(read_settings({}))
    expected = {
        "104.53.216.85": ("US", "California", "Berkeley", 7018),
        "82.102.17.180": ("ES", "Madrid", "Madrid", 9009),
        "89.248.165.99": ("NL", "North Holland", "Amsterdam", 202425),
        "107.170.20.63": ("US", "New Jersey", "Secaucus", 14061),
        "157.230.162.15": ("US", "California", "Santa Clara", 14061),
        "212.102.58.164": ("US", "Illinois", "Chicago", 60068),
        "54.240.200.68": ("JP", "Tokyo", "Shibuya City", 16509),
        "3.141.213.252": ("US", "Ohio", "Dublin", 16509),
        "2600:1f18::1": ("US", "Virginia", "Ashburn", 14618),
    }
    for text, wanted in expected.items():
        place = places.find(classify(text))
        assert wanted == (place.country_code, place.region_name, place.city, place.asn), text
        assert place.geo_database == "bundled sample of DBIP-City-Lite 2026-09-01"
    outside = places.find(classify("8.8.8.8"))
    assert set(outside[:14]) == {None}
    assert str(outside.geo_database).startswith("bundled sample")


def test_a_replaced_file_is_opened_again(tmp_path: Path):
    path = write(tmp_path / "cities.mmdb", {"8.8.8.0/24": FLAT})
    assert find("8.8.8.8", path).city == "Milan"
    write(tmp_path / "new.mmdb", {"8.8.8.0/24": {**FLAT, "city": "Turin"}}).replace(path)
    assert find("8.8.8.8", path).city == "Turin"


def broken_files() -> dict[str, bytes]:
    """Ways in which a database may have been spoilt."""
    good = (SAMPLES / "geolocation-sample.mmdb").read_bytes()
    marker = good.rindex(b"\xab\xcd\xefMaxMind.com")
    return {
        "empty": b"",
        "text": b"<html>404 Not Found</html>" * 50,
        "cut short": good[: len(good) // 2],
        "only metadata": good[marker:],
        "metadata cut": good[: marker + 20],
        "no tree": bytes(marker) + good[marker:],
    }


@pytest.mark.parametrize("fault", list(broken_files()))
def test_a_broken_file_is_an_error_each_time_that_says_what_to_do(tmp_path: Path, fault: str):
    path = tmp_path / "geolocation.mmdb"
    path.write_bytes(broken_files()[fault])
    for _ in range(2):
        with pytest.raises(FdwError, match=r"cannot read geolocation\.mmdb") as caught:
            find("8.8.8.8", path)
        assert "cloudtrail-fdw data update" in str(caught.value.hint)


@pytest.mark.parametrize("place", range(0, 3400, 61))
def test_a_damaged_byte_is_an_error_or_another_answer_and_no_crash(tmp_path: Path, place: int):
    data = bytearray((SAMPLES / "geolocation-sample.mmdb").read_bytes())
    data[place] ^= 0xFF
    path = tmp_path / "geolocation.mmdb"
    path.write_bytes(data)
    for text in ("104.53.216.85", "82.102.17.180", "2600:1f18::1", "8.8.8.8"):
        with contextlib.suppress(FdwError):
            assert isinstance(find(text, path), geolocation.Place)


def test_a_file_that_shrinks_in_place_is_not_touched(tmp_path: Path):
    path = tmp_path / "geolocation.mmdb"
    shutil.copy(SAMPLES / "geolocation-sample.mmdb", path)
    assert find("82.102.17.180", path).city == "Madrid"
    path.write_bytes(b"")
    with pytest.raises(FdwError):
        find("82.102.17.180", path)
