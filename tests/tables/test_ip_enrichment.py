"""ip_enrichment: exactly one row for each value, all columns filled, DNS only when asked."""

from __future__ import annotations

import random
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw.bounds import Bounds, In
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings, read_settings
from cloudtrail_fdw.sources.disk.data_files import SAMPLES
from cloudtrail_fdw.sources.names import dns_channel
from cloudtrail_fdw.tables import ip_enrichment
from cloudtrail_fdw.tables.ip_enrichment import COLUMNS, TABLE, Request, plan, rows, scan

ALL = [column.name for column in COLUMNS]
SAMPLE = "bundled sample of DBIP-City-Lite 2026-09-01"
DATE = "2026-08-22T15:17:05Z"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The bundled samples, whatever this machine has."""
    return read_settings(
        {
            "geo_database": str(shutil.copy(SAMPLES / "geolocation-sample.mmdb", tmp_path)),
            "asn_database": str(SAMPLES / "asn-sample.mmdb"),
            "ip_ranges": str(SAMPLES / "ip-ranges-sample.json"),
        }
    )


def ask(settings: Settings, *values: str, layout: Any = ALL) -> list[Any]:
    return list(scan(Request(values, False, False), settings, layout))


def test_columns_are_the_designs_in_its_order():
    assert TABLE.key == "ip"
    assert ALL == [
        "ip", "address", "ip_version", "address_class", "continent_code", "continent_name",
        "country_code", "country_name", "region_code", "region_name", "city", "postal_code",
        "latitude", "longitude", "time_zone", "accuracy_radius_km", "asn", "as_organization",
        "geo_database", "is_aws", "aws_range_class", "aws_customer_usable", "aws_services",
        "aws_region", "aws_network_border_group", "aws_prefix", "aws_ranges_date", "reverse_dns",
        "reverse_dns_status", "reverse_dns_names", "reverse_dns_confirmed",
    ]  # fmt: skip


def test_rows_of_an_address_of_each_kind(settings: Settings):
    found = ask(settings, "3.141.213.252", "54.240.200.68", "104.53.216.85", "AWS Internal")
    unasked = (None, "not_requested", None, None)
    assert found == [
        ("3.141.213.252", "3.141.213.252", 4, "public", "NA", "North America", "US",
         "United States", None, "Ohio", "Dublin", None, 40.0992, -83.1141, None, None, 16509,
         "Amazon.com, Inc.", SAMPLE, True, "ec2", True, "{EC2}", "us-east-2", "us-east-2",
         "3.136.0.0/13", DATE, *unasked),
        ("54.240.200.68", "54.240.200.68", 4, "public", "AS", "Asia", "JP", "Japan", None,
         "Tokyo", "Shibuya City", None, 35.6764, 139.65, None, None, 16509, "Amazon.com, Inc.",
         SAMPLE, True, "infrastructure", False, "{}", "ap-northeast-1", "ap-northeast-1",
         "54.240.200.0/24", DATE, *unasked),
        ("104.53.216.85", "104.53.216.85", 4, "public", "NA", "North America", "US",
         "United States", None, "California", "Berkeley", None, 37.8637, -122.268, None, None,
         7018, "AT&T Enterprises, LLC", SAMPLE, *(None,) * 8, *unasked),
        ("AWS Internal", None, None, "aws_internal", *(None,) * 23, *unasked),
    ]  # fmt: skip


@given(st.lists(st.text(), unique=True, max_size=20))
def test_any_text_gives_one_row_that_echoes_it(texts: list[str]):
    samples = read_settings({"geo_database": str(SAMPLES / "geolocation-sample.mmdb"),
                             "asn_database": str(SAMPLES / "asn-sample.mmdb"),
                             "ip_ranges": str(SAMPLES / "ip-ranges-sample.json")})  # fmt: skip
    found = ask(samples, *texts)
    assert texts == [row[0] for row in found]
    assert all(len(row) == len(ALL) for row in found)
    assert all(isinstance(value, (str, int, float, type(None))) for row in found for value in row)


def test_rows_have_the_order_of_the_layout(settings: Settings):
    layout = ["city", "ip"]
    assert ask(settings, "82.102.17.180", layout=layout) == [("Madrid", "82.102.17.180")]
    assert ask(settings, "82.102.17.180", layout=["city"]) == [("Madrid",)]
    assert ask(settings, "82.102.17.180", layout=[]) == [()]


def test_each_column_alone_is_what_it_is_in_the_whole_row(settings: Settings):
    """No file is read that no column needs, and none is left out that one needs."""
    for value in ("3.141.213.252", "104.53.216.85", "::ffff:82.102.17.180", "AWS Internal"):
        (whole,) = ask(settings, value)
        alone = [ask(settings, value, layout=[name])[0] for name in ALL]
        assert [row[0] for row in alone] == list(whole)


def look_up(ip: str, more: int, settings: Settings, *layout: str) -> Any:
    packed = ip_enrichment.look_up(ip, more, settings, layout)
    return packed and msgspec.msgpack.decode(packed)


def test_the_short_way_gives_the_row_of_a_scan_unless_name_servers_are_asked(settings: Settings):
    for value in ("82.102.17.180", "3.141.213.252", "AWS Internal", "\u00e9", ""):
        (row,) = ask(settings, value)
        assert look_up(value, 0, settings, *ALL[:-4]) == [[value, list(row[:-4])]]
    assert look_up("82.102.17.180", 9, settings, "ip", "reverse_dns") is None
    offline = replace(settings, network_enrichment=False)
    assert look_up("10.0.0.1", 0, offline, "ip", "reverse_dns_status") == [
        ["10.0.0.1", ["10.0.0.1", "not_requested"]]
    ]


FORESEEN = ["2001:DB8::1", "\u00e9", "x" * 301, "82.102.17.180/32", "AWS Internal", "10.0.0.1"]


@pytest.fixture
def foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for, events have these next."""
    monkeypatch.setattr(ip_enrichment, "following", lambda text, most: FORESEEN[:most])


@pytest.mark.usefixtures("foreseen")
def test_rows_of_the_addresses_that_follow_come_with_it(settings: Settings):
    layout = ("ip", "address", "city", "asn")
    found = look_up("10.9.9.9", 9, settings, *layout)
    keys = ["10.9.9.9", "2001:DB8::1", "82.102.17.180/32", "AWS Internal", "10.0.0.1"]
    assert [key for key, _ in found] == keys  # any database can store them
    assert [row for _, row in found] == [
        list(row) for key in keys for row in ask(settings, key, layout=layout)
    ]
    assert [key for key, _ in look_up("10.9.9.9", 1, settings, *layout)] == keys[:2]


@pytest.mark.usefixtures("foreseen")
def test_an_error_about_another_address_is_not_raised(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    offline = ip_enrichment.offline

    def damaged(ip: str, *rest: Any) -> Any:
        if ip == "AWS Internal":
            raise FdwError("damaged")
        return offline(ip, *rest)

    monkeypatch.setattr(ip_enrichment, "offline", damaged)
    found = look_up("10.9.9.9", 9, settings, "ip")
    assert [key for key, _ in found] == ["10.9.9.9", "2001:DB8::1", "82.102.17.180/32"]
    with pytest.raises(FdwError, match="damaged"):
        look_up("AWS Internal", 9, settings, "ip")


def test_a_cancel_ends_a_look_up_of_many(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    looks = []

    def check() -> None:
        looks.append(1)
        if len(looks) == 3:
            raise FdwError("canceled", sqlstate="57014")

    monkeypatch.setattr(ip_enrichment.interrupts, "check", check)
    many = [f"10.0.{number // 256}.{number % 256}" for number in range(1000)]
    monkeypatch.setattr(ip_enrichment, "following", lambda text, most: many[:most])
    with pytest.raises(FdwError, match="canceled"):
        look_up("10.9.9.9", 1000, settings, "ip")


def test_the_request_says_what_explain_prints_and_what_it_costs(settings: Settings):
    keyed = plan(settings, Bounds({"ip": (In(("1.1.1.1", "9.9.9.9")),)}), frozenset({"ip", "city"}))
    assert (str(keyed), rows(keyed)) == ("Addresses: 2\nReverse DNS: not asked", 2)
    joined = plan(settings, Bounds({}, ("ip",)), frozenset({"reverse_dns"}))
    assert str(joined) == "Addresses: from the join or parameter\nReverse DNS: asked"
    assert rows(joined) == 1
    unkeyed = plan(settings, Bounds({}), frozenset())
    assert str(unkeyed) == "Addresses: not given\nReverse DNS: not asked"
    assert rows(unkeyed) > 1_000_000
    nothing = plan(settings, Bounds({"ip": (In(("a",)), In(("b",)))}), frozenset())
    assert list(scan(nothing, settings, ALL)) == []


def test_without_addresses_it_is_an_error_that_says_what_to_write(settings: Settings):
    with pytest.raises(FdwError, match="answers for given addresses only") as caught:
        scan(plan(settings, Bounds({}), frozenset()), settings, ALL)
    assert "ON i.ip = e.source_ip_address" in str(caught.value.hint)


def test_names_are_asked_for_only_with_their_columns_and_only_when_allowed(tmp_path: Path):
    allowed = read_settings({})
    refused = read_settings({"network_enrichment": "off"})
    for column in ALL[-4:]:
        wanted = frozenset({"ip", column})
        assert plan(allowed, Bounds({}), wanted).reverse_dns
        assert not plan(refused, Bounds({}), wanted).reverse_dns
    assert not plan(allowed, Bounds({}), frozenset(ALL[:-4])).reverse_dns


def test_names_are_confirmed_only_when_that_is_asked_for():
    allowed = plan(read_settings({}), Bounds({}), frozenset({"reverse_dns_confirmed"}))
    refused = read_settings({"network_enrichment": "off"})
    assert allowed.confirm
    assert "asked, and whether names lead back" in str(allowed)
    assert not plan(read_settings({}), Bounds({}), frozenset(ALL[:-1])).confirm
    assert not plan(refused, Bounds({}), frozenset(ALL)).confirm


def test_names_fill_their_columns(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    odd = ('a"b', "c\\d", "NULL", "e,f")
    answers = {"3.141.213.252": ip_enrichment.Answer("a", odd, "found"),
               "3.141.213.253": ip_enrichment.Answer("e,f", odd, "confirmed"),
               "10.0.0.1": ip_enrichment.Answer(None, (), "not_requested")}  # fmt: skip
    monkeypatch.setattr(ip_enrichment, "resolve", lambda addresses, settings, confirm: answers)
    found = list(scan(Request(tuple(answers), False, True), settings, ["ip", *ALL[-4:]]))
    assert found == [
        ("3.141.213.252", "a", "found", r'{"a\"b","c\\d","NULL","e,f"}', None),
        ("3.141.213.253", "e,f", "confirmed", r'{"a\"b","c\\d","NULL","e,f"}', "e,f"),
        ("10.0.0.1", None, "not_requested", None, None),
    ]
    assert ask(settings, "3.141.213.252")[0][-4:] == (None, "not_requested", None, None)


def test_no_name_server_is_touched_without_their_columns(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    def never(*_: object) -> None:
        raise AssertionError("a channel was opened")

    monkeypatch.setattr(dns_channel, "Channel", never)
    assert ask(settings, "8.8.8.8")[0][-3] == "not_requested"


def test_a_replaced_file_changes_rows_that_were_cached(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ip_enrichment, "PATIENCE", 0.0)
    layout = ["as_organization", "city"]
    assert ask(settings, "82.102.17.180", layout=layout) == [("M247 Europe SRL", "Madrid")]
    shutil.copy(SAMPLES / "asn-sample.mmdb", tmp_path / "new")
    (tmp_path / "new").replace(settings.geo_database)
    assert ask(settings, "82.102.17.180", layout=layout) == [("M247 Europe SRL", None)]


def test_a_file_that_shrank_in_place_is_noticed_before_it_is_touched(settings: Settings):
    ask(settings, "82.102.17.180")
    Path(settings.geo_database).write_bytes(b"")
    with pytest.raises(FdwError, match="cannot read"):
        ask(settings, "104.53.216.85")


def test_cached_rows_are_bounded(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ip_enrichment, "CACHED", 3)
    for number in range(10):
        assert ask(settings, f"9.9.9.{number}", layout=["ip"]) == [(f"9.9.9.{number}",)]
    known = ip_enrichment.known(settings, 0.0)
    assert (len(known.rows), len(known.older)) == (1, 3)
    monkeypatch.setattr(ip_enrichment, "make_row", None)  # the last ones are not made again
    assert ask(settings, "9.9.9.9", "9.9.9.8", layout=["ip"]) == [("9.9.9.9",), ("9.9.9.8",)]


def test_a_broken_file_is_an_error_twice(settings: Settings):
    Path(settings.geo_database).write_bytes(b"no database")
    for _ in range(2):
        with pytest.raises(FdwError, match="cannot read"):
            ask(settings, "8.8.8.8")


def random_text(source: random.Random) -> str:
    """Something like an address, a network, a name, or nothing of the kind, of 10 kB at most."""
    octets = ".".join(str(source.randrange(280)) for _ in range(4))
    words = ":".join(f"{source.randrange(1 << 16):x}" for _ in range(source.choice([8, 8, 3])))
    noise = "".join(source.choices("0123456789abcdef:.%/ \x00\u0663\U0001f600", k=30))
    return source.choice([
        octets, words, noise, f"::ffff:{octets}", f"2002:{words}", f"{octets}/{len(noise) % 40}",
        f"{words}%eth0", f"{noise}.amazonaws.com", noise * 333,
    ])  # fmt: skip


def test_random_values_give_one_row_each_and_leave_nothing_behind(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ip_enrichment, "CACHED", 200)
    source = random.Random(11)  # noqa: S311 - the same ones each time
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(3):
            for _ in range(1500):
                text = random_text(source)
                found = ask(settings, text)
                assert [row[0] for row in found] == [text]
                assert len(found[0]) == len(ALL)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[2] - sizes[1] < 100_000  # a row takes a few hundred bytes
