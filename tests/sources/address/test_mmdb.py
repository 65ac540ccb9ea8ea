"""The search tree against the reader itself: who shares a leaf has the same record."""

from __future__ import annotations

import ipaddress
import random
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.address import mmdb
from cloudtrail_fdw.sources.address.address import Address, classify

V4 = ["1.0.0.0/8", "8.8.8.0/24", "8.8.9.0/25", "8.8.9.128/32", "10.1.0.0/16", "10.2.0.0/17",
      "223.255.255.255/32", "255.0.0.0/9"]  # fmt: skip
V6 = ["2001:4860::/32", "2001:4861::/33", "2600:1f18:4000::1/128", "2a00::/12", "fe80::/10"]


def write(path: Path, networks: list[str], version: int, size: int) -> Path:
    """An mmdb file, its nodes of two records of ``size`` bits each."""

    class Sized(MMDBWriter):
        def to_db_file(self, filename: str) -> None:
            import mmdb_writer

            adjust = mmdb_writer.TreeWriter._adjust_record_size

            def fixed(writer: Any) -> None:
                adjust(writer)
                writer.record_size = size
                writer.data_offset = size * 2 // 8 * writer._node_counter

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(mmdb_writer.TreeWriter, "_adjust_record_size", fixed)
                super().to_db_file(filename)

    writer = Sized(version, "Test", ["en"], "of a test", ipv4_compatible=version == 6)
    for network in networks:
        writer.insert_network(IPSet([network]), {"network": network})
    writer.to_db_file(str(path))
    return path


def around(networks: list[str]) -> list[str]:
    """The first and last address of each network, the one before and the one after."""
    found = set()
    for network in map(ipaddress.ip_network, networks):
        kind, first, last = type(network[0]), int(network[0]), int(network[-1])
        numbers = (first - 1, first, last, last + 1)
        found |= {str(kind(n)) for n in numbers if 0 <= n < 1 << network.max_prefixlen}
    return sorted(found)


def asked(text: str) -> tuple[int, int]:
    """The number and family under which the file is asked for an address."""
    address = classify(text)
    return address.number, address.number_version


@pytest.mark.parametrize("size", [24, 28, 32])
@pytest.mark.parametrize(("version", "networks"), [(4, V4), (6, V4), (6, V4 + V6)])
def test_a_leaf_is_a_record(tmp_path: Path, size: int, version: int, networks: list[str]) -> None:
    path = write(tmp_path / "test.mmdb", networks, version, size)
    database = mmdb.open_mmdb(path)
    reader = maxminddb.open_database(str(path))
    assert reader.metadata().record_size == size
    tree = mmdb.SearchTree(database)
    chance = random.Random(5)  # noqa: S311 - the same ones each time
    texts = around(networks if version == 6 else V4)
    texts += [str(ipaddress.IPv4Address(chance.getrandbits(32))) for _ in range(300)]
    if version == 6:
        texts += [str(ipaddress.IPv6Address(chance.getrandbits(128))) for _ in range(300)]
    records: dict[int, object] = {tree.nodes: None}
    for text in texts * 2:  # the second time from the memory
        record = reader.get(ipaddress.ip_address(text))
        assert record == records.setdefault(tree.leaf(*asked(text)), record), text
    assert len(records) == len(networks) + 1


def test_the_two_records_of_a_node_share_a_byte(tmp_path: Path) -> None:
    tree = mmdb.SearchTree(mmdb.open_mmdb(write(tmp_path / "test.mmdb", V4, 4, 28)))
    tree.shape = (bytes.fromhex("123456ab654321"), 1, *tree.shape[2:])
    assert [tree.walk(0, number, 8) for number in (0x7F, 0x80)] == [0xA123456, 0xB654321]


def test_slots_that_several_beginnings_share_are_told_apart(tmp_path: Path) -> None:
    networks = [f"2001:db8:{number:x}::/48" for number in range(4)]
    networks += [f"{first:x}:1234::/32" for first in (0x2002, 0x2400, 0x2600, 0x2A00)]
    tree = mmdb.SearchTree(mmdb.open_mmdb(write(tmp_path / "test.mmdb", networks, 6, 24)))
    leaves = [tree.leaf(int(ipaddress.IPv6Address(text.split("/")[0])), 6) for text in networks]
    assert len(set(leaves)) == len(networks)
    numbers = [int(ipaddress.IPv6Address(text.split("/")[0])) for text in networks]
    assert [tree.leaf(number, 6) for number in numbers] == leaves


def test_ipv6_is_not_looked_for_in_a_file_of_ipv4(tmp_path: Path) -> None:
    database = mmdb.open_mmdb(write(tmp_path / "test.mmdb", V4, 4, 24))
    tree = mmdb.SearchTree(database)
    assert tree.leaf(*asked("2001:4860::1")) == tree.nodes
    assert database.record(classify("2001:4860::1")) == {}
    assert database.record(classify("::ffff:8.8.8.8")) == {"network": "8.8.8.0/24"}


def test_a_node_that_leads_out_of_the_file_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "test.mmdb", V4, 4, 24)
    tree = mmdb.SearchTree(mmdb.open_mmdb(path))
    tree.shape = (tree.shape[0], 1 << 24, *tree.shape[2:])  # as if all records were nodes
    with pytest.raises(FdwError, match=r"cannot read test\.mmdb"):
        tree.leaf(*asked("8.8.8.8"))


def test_a_file_that_was_replaced_while_it_was_opened_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "test.mmdb", ["8.8.8.0/24"], 4, 24)
    other = write(tmp_path / "new", ["9.9.9.0/24"], 4, 24)
    opened = maxminddb.open_database

    def late(name: str) -> Any:
        if other.exists():
            other.replace(path)
        return opened(name)

    monkeypatch.setattr(maxminddb, "open_database", late)
    database = mmdb.open_mmdb(path)
    address: Address = classify("9.9.9.9")
    assert database.record(address) == {"network": "9.9.9.0/24"}
    assert mmdb.SearchTree(database).leaf(*asked("8.8.8.8")) == mmdb.SearchTree(database).nodes
