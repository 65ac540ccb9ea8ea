"""aws_ip_range against AWS's file itself, and each pushed qual against all rows."""

from __future__ import annotations

import gzip
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_fdw.bounds import Bounds, Contains, In
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.disk.data_files import SAMPLES
from cloudtrail_fdw.tables.aws_ip_range import COLUMNS, Request, plan, rows, scan
from servers import REAL, Sandbox

SAMPLE = SAMPLES / "ip-ranges-sample.json"
AWS_OWN = REAL.parent / "ip-ranges-2026-08-22.json.gz"
ALL = [column.name for column in COLUMNS]
DATE = "2026-08-22T15:17:05Z"
# A value of >>= each: inside, wider than any, with host bits, outside, of the other family.
HELD = ["54.240.200.68", "3.136.0.0/13", "3.136.0.0/12", "3.141.213.252/30", "8.8.8.8",
        "0.0.0.0/0", "2600:1f18::1", "2600:1f18::/32", "::ffff:3.141.213.252"]  # fmt: skip


def entries(content: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The file's entries in the order of the table's columns."""
    return [
        (entry.get("ip_prefix", entry.get("ipv6_prefix")), entry["region"], entry["service"],
         entry["network_border_group"])
        for member in ("prefixes", "ipv6_prefixes")
        for entry in content[member]
    ]  # fmt: skip


def holding(content: dict[str, Any], text: str) -> list[tuple[str, str, str, str]]:
    """The entries whose range is not narrower than ``text`` and holds it, by a look at each."""
    wanted: Any = ipaddress.ip_network(text, strict=False)
    found = []
    for entry in entries(content):
        network: Any = ipaddress.ip_network(entry[0])
        if network.version == wanted.version and wanted.subnet_of(network):
            found.append(entry)
    return sorted(found)


@pytest.mark.parametrize("path", [SAMPLE, *[AWS_OWN] * AWS_OWN.exists()], ids=lambda p: p.name)
def test_every_entry_of_the_file_is_one_row(path: Path, tmp_path: Path) -> None:
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    (tmp_path / "ip-ranges.json").write_bytes(data)
    settings = read_settings({"ip_ranges": str(tmp_path / "ip-ranges.json")})
    found = list(scan(plan(settings, Bounds({}), frozenset()), settings, ALL))
    content = json.loads(data)
    assert [tuple(row[:4]) for row in found] == entries(content)
    assert {row[4] for row in found} == {DATE}
    for text in HELD:
        bounds = Bounds({"prefix": (Contains(str(ipaddress.ip_network(text, strict=False))),)})
        read = [tuple(row[:4]) for row in scan(plan(settings, bounds, frozenset()), settings, ALL)]
        assert set(holding(content, text)) <= set(read), text
        assert len(read) < 10


def test_rows_of_the_server_are_the_files(sample: Sandbox) -> None:
    query = "SELECT prefix::text, region, service, network_border_group FROM aws_ip_range"
    content = json.loads(SAMPLE.read_bytes())
    with sample.session("reader_dsn") as db:
        assert db.execute(query.encode()).fetchall() == entries(content)
        dates = db.execute("SELECT DISTINCT create_date = %s FROM aws_ip_range", [DATE])
        assert dates.fetchall() == [(True,)]
        for text in HELD:
            held = f"{query} WHERE prefix >>= '{text}'"
            assert sorted(db.execute(held.encode()).fetchall()) == holding(content, text), text
            turned = f"{query} WHERE '{text}'::inet <<= prefix"
            assert sorted(db.execute(turned.encode()).fetchall()) == holding(content, text), text


@pytest.mark.parametrize(
    ("where", "read"),
    [
        ("prefix >>= '3.141.213.252'", "Holding: 3.141.213.252/32"),
        ("prefix >> '3.136.0.0/13'", "Holding: 3.136.0.0/13"),
        ("prefix = '3.136.0.0/13'", "Holding: 3.136.0.0/13"),
        ("prefix >>= '3.141.213.252' AND service = 'EC2'", "Service: EC2"),
        ("service IN ('EC2', 'S3') AND region = 'us-east-1'", "Region: us-east-1"),
        ("prefix <<= '3.0.0.0/8'", "Ranges: all"),
        ("prefix >>= ANY ('{3.141.213.252,54.240.200.68}'::inet[])", "Ranges: all"),
        ("prefix > '54.0.0.0/8' AND region <> 'GLOBAL'", "Ranges: all"),
        ("family(prefix) = 6 OR service = 'S3'", "Ranges: all"),
    ],
)
def test_what_is_pushed_finds_what_a_look_at_every_row_finds(
    sample: Sandbox, where: str, read: str
) -> None:
    with sample.session("reader_dsn") as db:
        explained = db.execute(
            f"EXPLAIN (COSTS OFF) SELECT * FROM aws_ip_range WHERE {where}".encode()
        )
        assert read in "\n".join(line for (line,) in explained.fetchall())
        found = db.execute(f"SELECT * FROM aws_ip_range WHERE {where} ORDER BY 1, 3".encode())
        slowly = db.execute(
            "WITH every AS MATERIALIZED (SELECT * FROM aws_ip_range)"
            f"SELECT * FROM every AS aws_ip_range WHERE {where} ORDER BY 1, 3".encode()
        ).fetchall()
        assert found.fetchall() == slowly
    if "region <>" not in where and ">> '" not in where:
        assert slowly


def test_prepared_and_joined_it_is_the_same(sample: Sandbox) -> None:
    with sample.session("reader_dsn") as db:
        db.execute("SET plan_cache_mode = force_generic_plan")
        db.execute("PREPARE q(inet) AS SELECT count(*) FROM aws_ip_range WHERE prefix >>= $1")
        content = json.loads(SAMPLE.read_bytes())
        for text in HELD:
            count = db.execute(f"EXECUTE q('{text}')".encode()).fetchone()
            assert count == (len(holding(content, text)),), text
        joined = db.execute(
            "SELECT e.event_id, r.prefix::text, r.region, r.service, r.network_border_group"
            " FROM cloudtrail_event e JOIN aws_ip_range r ON e.source_ip <<= r.prefix"
        ).fetchall()
        sources = db.execute("SELECT event_id, host(source_ip) FROM cloudtrail_event").fetchall()
    expected = [(event, *entry) for event, ip in sources if ip for entry in holding(content, ip)]
    assert sorted(joined) == sorted(expected)
    assert joined


def test_the_request_says_what_is_read_and_what_it_costs() -> None:
    settings = read_settings({})
    everything = plan(settings, Bounds({}), frozenset())
    one = plan(settings, Bounds({"service": (In(("EC2",)),), "region": (In(()),)}), frozenset())
    joined = plan(settings, Bounds({}, ("prefix",)), frozenset())
    assert str(one) == "Region: none\nService: EC2"
    assert rows(everything) > rows(one) > rows(joined) > 0
    assert list(scan(one, settings, ALL)) == []
    assert str(Request((), None, None, ("prefix",))) == "Runtime Bounds: prefix"
