"""Look-ups of distinct addresses in loops, ours beside what anybody would write.

    lookup_loops.py DATA_DIRECTORY IP_RANGES COUNT

Needs geoip2 and awsipranges (the extra "dev"). Every loop runs three times and the best counts;
ours as a backend that has answered COUNT other addresses, and none of these. It prints the look-ups
a second of processor time.
"""

import hashlib
import ipaddress
import json
import os
import random
import sys
import time
from pathlib import Path

import geoip2.database
import geoip2.errors
import maxminddb
from awsipranges.data_loading import aws_ip_prefix
from awsipranges.models.awsipprefixes import AWSIPPrefixes

from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.address import aws_ranges, geolocation
from cloudtrail_fdw.sources.address.address import classify
from cloudtrail_fdw.tables import ip_enrichment

folder, ranges, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
os.environ["CLOUDTRAIL_FDW_DATA"] = str(folder)
chance = random.Random(7)
content = json.loads(ranges.read_bytes())
listed_4 = [ipaddress.ip_network(row["ip_prefix"]) for row in content["prefixes"]]
listed_6 = [ipaddress.ip_network(row["ipv6_prefix"]) for row in content["ipv6_prefixes"]]
# Of IPv6 what the registries give out: https://www.iana.org/assignments/ipv6-unicast-address-assignments
given_6 = [ipaddress.ip_network(text) for text in ("2001::/16", "2400::/12", "2600::/12",
                                                   "2800::/12", "2a00::/12")]  # fmt: skip


def address() -> str:
    """Any public address, one in two in a range of AWS, one in six IPv6."""
    version = chance.choice((4, 4, 4, 4, 4, 6))
    if chance.random() < 0.5:
        return str(inside(chance.choice(listed_4 if version == 4 else listed_6)))
    if version == 6:
        return str(inside(chance.choice(given_6)))
    while True:
        found = ipaddress.IPv4Address(chance.getrandbits(32))
        if found.is_global and not found.is_multicast:
            return str(found)


def inside(network):
    """An address of the network."""
    return network[chance.randrange(network.num_addresses)]


chosen = set()
while len(chosen) < 2 * count:
    chosen.add(address())
shuffled = sorted(chosen)
chance.shuffle(shuffled)
before, addresses = shuffled[:count], shuffled[count:]
settings = read_settings({"ip_ranges": str(ranges)})
GEO = geolocation.Place._fields


def ours(columns):
    """As a nested loop asks: one address at a time."""
    recipe = ip_enrichment.recipe(columns)

    def work(sample):
        for text in sample:
            ip_enrichment.offline(text, settings, recipe)

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
    """The fields that ip_enrichment has, from both files."""
    for text in sample:
        try:
            city = city_reader.city(text)
            (
                city.continent.code, city.continent.name, city.country.iso_code, city.country.name,
                city.subdivisions.most_specific.iso_code, city.subdivisions.most_specific.name,
                city.city.name, city.postal.code, city.location.latitude, city.location.longitude,
                city.location.time_zone, city.location.accuracy_radius,
            )  # fmt: skip
        except geoip2.errors.AddressNotFoundError:
            pass
        try:
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


# Those of a group take turns, a thousand addresses at a time, so that all meet the same weather.
GROUPS = (
    {
        "ours_one": ours(("ip", "country_code")),
        "maxminddb_one": maxminddb_one,
        "geoip2_one": geoip2_one,
    },
    {
        "ours_all": ours(("ip", *GEO)),
        "maxminddb_all": maxminddb_all,
        "geoip2_all": geoip2_all,
    },
    {"ours_aws": ours_aws, "awsipranges": awsipranges},
)
TURN = 1000


def measure(group):
    """Seconds that each loop takes for one address, one after the other beginning a turn."""
    ip_enrichment.KNOWN.clear()
    geolocation.pair.cache_clear()
    next(iter(group.values()))(before)
    spent, done = dict.fromkeys(group, 0.0), dict.fromkeys(group, 0)
    names = list(group)
    for place in range(0, count, TURN):
        for name in names:
            sample = addresses[place : place + (20 if name == "awsipranges" else TURN)]
            began = time.process_time()
            group[name](sample)
            spent[name] += time.process_time() - began
            done[name] += len(sample)
        names.append(names.pop(0))
    return {name: spent[name] / done[name] for name in group}


best = {}
for group in GROUPS:
    rounds = [measure(group) for _ in range(3)]
    best.update({name: 1 / min(found[name] for found in rounds) for name in group})
print(json.dumps(best))
