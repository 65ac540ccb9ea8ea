"""Ranges against a slow implementation that is right by looking at every prefix."""

from __future__ import annotations

import gzip
import ipaddress
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.address import aws_ranges
from cloudtrail_fdw.sources.address.address import classify
from cloudtrail_fdw.sources.address.prefixes import flatten, read_prefix
from cloudtrail_fdw.sources.disk.data_files import SAMPLES

REAL = Path(__file__).parents[4] / "shared" / "data" / "ip-ranges-2026-08-22.json.gz"
DATE = "2026-01-02T03:04:05Z"
ROWS = [
    ("15.193.0.0/19", "AMAZON", "GLOBAL"),
    ("15.193.0.0/24", "AMAZON", "ap-south-1"),
    ("3.0.0.0/8", "AMAZON", "us-east-1"),
    ("3.0.0.0/9", "EC2", "us-east-1"),
    ("3.0.0.0/16", "S3", "us-east-1"),
    ("3.0.0.0/16", "CLOUDFRONT", "us-east-1"),
    ("3.0.255.255/32", "EC2_INSTANCE_CONNECT", "us-west-2"),
    ("3.128.0.0/10", "EC2", "us-east-2"),
    ("3.192.0.0/10", "S3", "us-east-2"),
    ("255.255.255.0/24", "AMAZON", "GLOBAL"),
    ("2600:1f18::/33", "AMAZON", "us-east-1"),
    ("2600:1f18::/33", "EC2", "us-east-1"),
    ("2600:1f18:4000::/34", "S3", "us-east-1"),
    ("2600:1f18:4000::1/128", "AMAZON", "us-east-1"),
]


def content(rows: list[tuple[str, str, str]], **more: str) -> dict[str, Any]:
    """The file that lists ``rows``, its border groups named after the Regions."""
    entries: dict[str, list[dict[str, str]]] = {"ip_prefix": [], "ipv6_prefix": []}
    for prefix, service, region in rows:
        key = "ipv6_prefix" if ":" in prefix else "ip_prefix"
        group = f"{region}-group"
        entries[key].append(
            {key: prefix, "service": service, "region": region, "network_border_group": group}
        )
    return {
        "syncToken": "1", "createDate": "2026-01-02-03-04-05", **more,
        "prefixes": entries["ip_prefix"], "ipv6_prefixes": entries["ipv6_prefix"],
    }  # fmt: skip


Entry = dict[str, str]
Listed = dict[tuple[int, int], dict[int, list[Entry]]]  # by family and length, then by network


def listed(raw: dict[str, Any]) -> Listed:
    """The entries by the bits that all addresses of their network begin with."""
    found: Listed = {}
    for key, member in (("ip_prefix", "prefixes"), ("ipv6_prefix", "ipv6_prefixes")):
        for entry in raw[member]:
            network = ipaddress.ip_network(entry[key])
            same = found.setdefault((network.version, network.prefixlen), {})
            start = int(network[0]) >> (network.max_prefixlen - network.prefixlen)
            same.setdefault(start, []).append({**entry, "prefix": str(network)})
    return dict(sorted(found.items()))


def slowly(raw: Listed, text: str) -> tuple[object, ...]:
    """The columns for an address, by a look at the network of each length that it lies in."""
    address = ipaddress.ip_address(text)
    number, bits = int(address), address.max_prefixlen
    holding = [
        entry
        for (version, length), networks in raw.items()
        if version == address.version
        for entry in networks.get(number >> (bits - length), ())
    ]
    if not holding:
        return (False,)
    services = sorted({entry["service"] for entry in holding} - {"AMAZON"})
    kind = "ec2" if services == ["EC2"] else "service" if services else "infrastructure"
    most = holding[-1]
    return (True, kind, kind == "ec2", tuple(services), most["region"],
            most["network_border_group"], most["prefix"])  # fmt: skip


def boundaries(raw: dict[str, Any]) -> list[str]:
    """The first and last address of every prefix, the one before and the one after."""
    found = set()
    for key, member in (("ip_prefix", "prefixes"), ("ipv6_prefix", "ipv6_prefixes")):
        for entry in raw[member]:
            network = ipaddress.ip_network(entry[key])
            first, last = int(network[0]), int(network[-1])
            kind = type(network[0])
            top = (1 << network.max_prefixlen) - 1
            numbers = (first - 1, first, last, last + 1)
            found |= {str(kind(number)) for number in numbers if 0 <= number <= top}
    return sorted(found)


def quickly(ranges: aws_ranges.Ranges, text: str) -> tuple[object, ...]:
    found = ranges.find(classify(text))
    assert found.aws_ranges_date == ranges.date
    return tuple(found[:-1]) if found.is_aws else (found.is_aws,)


@pytest.mark.parametrize("source", ["by hand", "sample", *["AWS's own"] * REAL.exists()])
def test_every_boundary_of_every_prefix_against_a_look_at_each(source: str):
    raw = content(ROWS)
    if source == "sample":
        raw = json.loads((SAMPLES / "ip-ranges-sample.json").read_bytes())
        del raw["sample"]  # which would make all others unknown
    elif source == "AWS's own":
        raw = json.loads(gzip.decompress(REAL.read_bytes()))
    ranges, networks, texts = aws_ranges.read(raw), listed(raw), boundaries(raw)
    wrong = [text for text in texts if slowly(networks, text) != quickly(ranges, text)]
    assert wrong == []
    assert len(texts) > len(raw["prefixes"])


def test_the_overlap_rule_and_the_most_specific_prefix():
    ranges = aws_ranges.read(content(ROWS))
    rule = {
        "3.1.0.0": ("ec2", True, ("EC2",), "us-east-1", "3.0.0.0/9"),
        "3.0.0.0": ("service", False, ("CLOUDFRONT", "EC2", "S3"), "us-east-1", "3.0.0.0/16"),
        "3.192.0.0": ("service", False, ("S3",), "us-east-2", "3.192.0.0/10"),
        "15.193.0.1": ("infrastructure", False, (), "ap-south-1", "15.193.0.0/24"),
        "15.193.1.1": ("infrastructure", False, (), "GLOBAL", "15.193.0.0/19"),
    }
    for text, expected in rule.items():
        found = ranges.find(classify(text))
        assert expected == (*found[1:5], found.aws_prefix), text
        assert found.aws_network_border_group == f"{found.aws_region}-group"
    assert ranges.find(classify("::ffff:3.1.0.0")) == ranges.find(classify("3.1.0.0"))


def test_what_is_outside_and_what_is_no_address():
    ranges = aws_ranges.read(content(ROWS))
    for text in ("8.8.8.8", "10.0.0.1", "2001:4860::1"):
        assert aws_ranges.AwsRange(is_aws=False, aws_ranges_date=DATE) == ranges.find(
            classify(text)
        )
    for text in ("AWS Internal", "ec2.amazonaws.com", "", "rubbish"):
        assert ranges.find(classify(text)) == aws_ranges.UNKNOWN


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=12))
def test_flattened_prefixes_say_what_a_look_at_each_says(pairs: list[tuple[int, int]]):
    networks = [ipaddress.ip_network(f"10.0.0.{host}/{bits}", strict=False) for host, bits in pairs]
    starts, holders = flatten((read_prefix(str(network)), str(network)) for network in networks)
    assert starts == sorted(set(starts))
    for host in range(-1, 257):
        address = ipaddress.ip_address(0x0A000000 + host)
        found = holders[max(i for i, start in enumerate(starts) if start <= int(address))]
        assert sorted(str(n) for n in networks if address in n) == sorted(found)
        widths = [int(text.split("/")[1]) for text in found]
        assert widths == sorted(widths)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "{", '{"createDate": 3}', "[" * 100_000,
     json.dumps(content([])), json.dumps({**content(ROWS), "createDate": "yesterday"}),
     json.dumps(content([("3.0.0.1/8", "EC2", "r"), *ROWS])),
     json.dumps(content([("3.0.0.0/33", "EC2", "r"), *ROWS])),
     json.dumps(content([("3.0.0.0", "EC2", "r"), *ROWS])),
     json.dumps(content([("3.0.0.0/8", "EC2\0", "r"), *ROWS])),
     json.dumps({**content(ROWS), "prefixes": [{"ip_prefix": "3.0.0.0/8"}]})],
)  # fmt: skip
def test_a_broken_file_is_an_error_each_time_that_says_what_to_do(tmp_path: Path, text: str):
    path = tmp_path / "ip-ranges.json"
    path.write_text(text)
    settings = read_settings({"ip_ranges": str(path)})
    for _ in range(2):
        with pytest.raises(FdwError, match=r"cannot read ip-ranges\.json") as caught:
            aws_ranges.current(settings)
        assert "cloudtrail-fdw data update" in str(caught.value.hint)


def test_a_path_that_leads_nowhere_is_an_error(tmp_path: Path):
    with pytest.raises(FdwError, match='option "ip_ranges" names a file that cannot be opened'):
        aws_ranges.current(read_settings({"ip_ranges": str(tmp_path / "none.json")}))


def test_a_replaced_file_is_read_again(tmp_path: Path):
    path = tmp_path / "ip-ranges.json"
    settings = read_settings({"ip_ranges": str(path)})
    path.write_text(json.dumps(content(ROWS)))
    before = aws_ranges.current(settings)
    assert before.find(classify("9.9.9.9")).is_aws is False
    assert aws_ranges.current(settings) is before
    (tmp_path / "new").write_text(json.dumps(content([("9.0.0.0/8", "EC2", "r"), *ROWS])))
    os.replace(tmp_path / "new", path)  # noqa: PTH105 - as data update does it
    assert aws_ranges.current(settings, patience=60) is before
    assert aws_ranges.current(settings).find(classify("9.9.9.9")).is_aws is True


def test_the_data_directory_goes_before_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDTRAIL_FDW_DATA", str(tmp_path))
    aws_ranges.WATCHED.held.clear()
    assert aws_ranges.current(read_settings({})).sample
    (tmp_path / "ip-ranges.json").write_text(json.dumps(content(ROWS)))
    assert not aws_ranges.current(read_settings({})).sample


def test_the_bundled_sample_knows_the_demo_and_admits_to_know_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CLOUDTRAIL_FDW_DATA", str(tmp_path))
    ranges = aws_ranges.current(read_settings({}))
    known = {
        "54.240.200.68": (True, "infrastructure", False, (), "ap-northeast-1"),
        "3.141.213.252": (True, "ec2", True, ("EC2",), "us-east-2"),
        "2600:1f18::1": (True, "ec2", True, ("EC2",), "us-east-1"),
        "52.216.0.1": (True, "service", False, ("S3",), "us-east-1"),
        "205.251.192.1": (True, "service", False, ("ROUTE53",), "GLOBAL"),
        "52.94.76.10": (True, "infrastructure", False, (), "us-west-2"),
    }
    for text, expected in known.items():
        assert expected == tuple(ranges.find(classify(text))[:5])
    for text in ("104.53.216.85", "8.8.8.8", "10.0.0.1", "3.2.1.1"):
        assert ranges.find(classify(text)).is_aws is None
