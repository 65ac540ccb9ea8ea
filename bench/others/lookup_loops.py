"""Look-ups of distinct addresses in loops, ours beside what anybody would write.

    lookup_loops.py DATA_DIRECTORY IP_RANGES COUNT

Needs geoip2 and awsipranges (the extra "dev"). Every loop runs three times in turn, the best
counts; it prints the look-ups a second of processor time.
"""

import hashlib
import json
import os
import random
import socket
import sys
import time
from pathlib import Path

import geoip2.database
import geoip2.errors
import maxminddb
from awsipranges.data_loading import aws_ip_prefix
from awsipranges.models.awsipprefixes import AWSIPPrefixes

from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources import aws_ranges
from cloudtrail_fdw.sources.address import classify
from cloudtrail_fdw.sources.geolocation import Place
from cloudtrail_fdw.tables import ip_enrichment

folder, ranges, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
os.environ["CLOUDTRAIL_FDW_DATA"] = str(folder)
chance = random.Random(7)
content = json.loads(ranges.read_bytes())
parents = [row["ip_prefix"].split("/")[0] for row in content["prefixes"]]


def address() -> str:
    """Any public address, one in two of AWS, one in six IPv6."""
    if chance.random() < 1 / 6:
        return socket.inet_ntop(
            socket.AF_INET6, (0x2600 << 112 | chance.getrandbits(100)).to_bytes(16, "big")
        )
    if chance.random() < 0.5:
        head = chance.choice(parents).split(".")[:2]
        return ".".join([*head, str(chance.randrange(256)), str(chance.randrange(1, 255))])
    return ".".join(
        map(
            str,
            (
                chance.choice((8, 31, 62, 81, 99, 151, 185)),
                *(chance.randrange(1, 255) for _ in range(3)),
            ),
        )
    )


addresses = [address() for _ in range(count)]
settings = read_settings({"ip_ranges": str(ranges)})
GEO = Place._fields


def ours(columns):
    """As a nested loop asks: one address at a time; nothing remembered."""

    def work(sample):
        ip_enrichment.KNOWN.clear()
        for text in sample:
            ip_enrichment.look_up(text, settings, columns)

    return work


cities = maxminddb.open_database(str(folder / "geolocation.mmdb"))
systems = maxminddb.open_database(str(folder / "asn.mmdb"))


def maxminddb_one(sample):
    """One field."""
    for text in sample:
        record = cities.get(text)
        (record or {}).get("country", {}).get("iso_code")


def maxminddb_all(sample):
    """Both records."""
    for text in sample:
        cities.get(text), systems.get(text)


city_reader = geoip2.database.Reader(str(folder / "geolocation.mmdb"))
system_reader = geoip2.database.Reader(str(folder / "asn.mmdb"))


def geoip2_one(sample):
    """One field."""
    for text in sample:
        try:
            city_reader.city(text).country.iso_code
        except geoip2.errors.AddressNotFoundError:
            pass


def geoip2_all(sample):
    """The fields that ip_enrichment has."""
    for text in sample:
        try:
            city = city_reader.city(text)
            (
                city.continent.code, city.continent.name, city.country.iso_code, city.country.name,
                city.subdivisions.most_specific.iso_code, city.subdivisions.most_specific.name,
                city.city.name, city.postal.code, city.location.latitude, city.location.longitude,
                city.location.time_zone, city.location.accuracy_radius,
            )  # fmt: skip
            system = system_reader.asn(text)
            system.autonomous_system_number, system.autonomous_system_organization
        except geoip2.errors.AddressNotFoundError:
            pass


held = aws_ranges.load(ranges)
listed = AWSIPPrefixes(
    sync_token=content["syncToken"],
    ipv4_prefixes=(aws_ip_prefix(row) for row in content["prefixes"]),
    ipv6_prefixes=(aws_ip_prefix(row) for row in content["ipv6_prefixes"]),
    md5=hashlib.md5(ranges.read_bytes()).hexdigest(),
)


def ours_aws(sample):
    """All that is known of an address of AWS."""
    for text in sample:
        held.find(classify(text))


def awsipranges(sample):
    """Whether AWS lists it."""
    for text in sample:
        text in listed  # noqa: B015


LOOPS = {
    "ours_one": (ours(("ip", "country_code")), count),
    "ours_all": (ours(("ip", *GEO)), count),
    "maxminddb_one": (maxminddb_one, count),
    "maxminddb_all": (maxminddb_all, count),
    "geoip2_one": (geoip2_one, count),
    "geoip2_all": (geoip2_all, count),
    "ours_aws": (ours_aws, count),
    "awsipranges": (awsipranges, max(200, count // 50)),
}
best = dict.fromkeys(LOOPS, 0.0)
for _ in range(3):
    for name, (work, number) in LOOPS.items():
        began = time.process_time()
        work(addresses[:number])
        best[name] = max(best[name], number / (time.process_time() - began))
print(json.dumps(best))
