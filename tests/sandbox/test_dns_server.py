"""The name server, asked over UDP and TCP."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
from dnslib import RCODE, DNSRecord

from cloudtrail_fdw.sandbox import dns_server

EC2 = "252.213.141.3.in-addr.arpa"
EC2_NAME = "ec2-3-141-213-252.us-east-2.compute.amazonaws.com"


class Server:
    """A zone served from a thread of its own."""

    def __init__(self) -> None:
        self.zone = dns_server.Zone()
        self.port = 0
        ready = Event()

        async def run() -> None:
            self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
            async with dns_server.serving(self.zone) as self.port:
                ready.set()
                await self.stop.wait()

        self.thread = Thread(target=lambda: asyncio.run(run()))
        self.thread.start()
        assert ready.wait(5)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(5)

    def udp(self, name: str, kind: str = "PTR", seconds: float = 2) -> Any:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(seconds)
            query = DNSRecord.question(name, kind)
            asker.sendto(bytes(query.pack()), ("127.0.0.1", self.port))
            answer = DNSRecord.parse(asker.recv(65_535))
        assert answer.header.id == query.header.id
        return answer

    def tcp(self, name: str, kind: str = "PTR") -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as asker:
            query = bytes(DNSRecord.question(name, kind).pack())
            asker.sendall(struct.pack("!H", len(query)) + query)
            data = b""
            while len(data) < 2 or len(data) < 2 + struct.unpack("!H", data[:2])[0]:
                data += asker.recv(65_535)
        return data[2:]


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def targets(answer: Any) -> list[bytes]:
    return [b".".join(record.rdata.label.label) for record in answer.rr]


def test_the_samples_addresses_have_names_that_lead_back(server: Server) -> None:
    answer = server.udp(EC2)
    assert targets(answer) == [EC2_NAME.encode()]
    assert [str(r.rdata) for r in server.udp(EC2_NAME, "A").rr] == ["3.141.213.252"]
    assert server.udp(EC2_NAME.upper(), "A").rr
    assert server.udp(EC2_NAME, "AAAA").header.rcode == RCODE.NOERROR
    assert not server.udp(EC2_NAME, "AAAA").rr
    assert server.zone.stats() == {"queries": {"A": 2, "AAAA": 2, "PTR": 1}}


def test_ipv6_addresses_have_names(server: Server) -> None:
    import ipaddress

    name = ipaddress.ip_address("2600:1f18:243:a800::1").reverse_pointer
    (target,) = targets(server.udp(name))
    assert [str(r.rdata) for r in server.udp(target.decode(), "AAAA").rr] == [
        "2600:1f18:243:a800::1"
    ]


def test_an_unconfirmed_name_does_not_lead_back(server: Server) -> None:
    (target,) = targets(server.udp("15.162.230.157.in-addr.arpa"))
    answer = server.udp(target.decode(), "A")
    assert (answer.header.rcode, answer.rr) == (RCODE.NOERROR, [])


@pytest.mark.parametrize("name", ["1.0.0.10.in-addr.arpa", "x.in-addr.arpa", "1.ip6.arpa",
                                  "example.com", "in-addr.arpa"])  # fmt: skip
def test_other_names_do_not_exist(server: Server, name: str) -> None:
    assert server.udp(name).header.rcode == RCODE.NXDOMAIN


def test_a_test_changes_the_zone(server: Server) -> None:
    server.zone.change(
        {
            "names": {"192.0.2.1": ["a.example", "b.example"], "3.141.213.252": []},
            "silent": ["192.0.2.2"],
            "servfail": ["192.0.2.3"],
            "latency_ms": 150,
        }
    )
    begun = time.monotonic()
    assert targets(server.udp("1.2.0.192.in-addr.arpa")) == [b"a.example", b"b.example"]
    assert 0.15 <= time.monotonic() - begun < 1
    assert server.udp(EC2).header.rcode == RCODE.NXDOMAIN
    assert server.udp("3.2.0.192.in-addr.arpa").header.rcode == RCODE.SERVFAIL
    with pytest.raises(OSError, match=r"timed out"):
        server.udp("2.2.0.192.in-addr.arpa", seconds=0.4)
    assert server.zone.queries["PTR"] == 4


def test_hostile_names_come_as_they_are(server: Server) -> None:
    longest = ".".join(["x" * 63] * 3 + ["y" * 61])
    hostile = ["a\x00\x1b[31m\n.example", "\xff\xfe.example", "'; DROP TABLE x;--.example", longest]
    server.zone.change({"names": {"192.0.2.1": hostile}})
    answer = server.tcp("1.2.0.192.in-addr.arpa")
    for name in hostile:
        parts = [part.encode("latin-1") for part in name.split(".")[:-1]]
        assert b"".join(bytes([len(part)]) + part for part in parts) in answer


def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(server: Server) -> None:
    names = [f"host-{number}.a-rather-long-domain-name.example" for number in range(40)]
    server.zone.change({"names": {"192.0.2.1": names}})
    short = server.udp("1.2.0.192.in-addr.arpa")
    assert (short.header.tc, short.rr) == (1, [])
    assert len(DNSRecord.parse(server.tcp("1.2.0.192.in-addr.arpa")).rr) == 40


@pytest.mark.parametrize(
    "change",
    [
        {"name": {}},
        {"names": {"not an address": []}},
        {"names": {"192.0.2.1": ["x" * 64]}},
        {"names": {"192.0.2.1": ["a..b"]}},
        {"names": {"192.0.2.1": [".".join(["x" * 63] * 4)]}},
        {"silent": ["x"]},
        {"latency_ms": "soon"},
    ],
)
def test_an_impossible_change_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        dns_server.Zone().change(json.loads(json.dumps(change)))


def test_noise_is_dropped_or_told_so(server: Server) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(2)
        for noise in (b"", b"x", b"\xff" * 40, b"\0\7\1\0\0\1" + b"\0" * 6 + b"\1\xff\0\0\1"):
            asker.sendto(noise, ("127.0.0.1", server.port))
        assert asker.recv(100) == b"\0\7\x80\1" + b"\0" * 8
    assert targets(server.udp(EC2)) == [EC2_NAME.encode()]
