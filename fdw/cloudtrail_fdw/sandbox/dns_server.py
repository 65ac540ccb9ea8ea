"""A name server of one's own for reverse look-ups: A, AAAA and PTR over UDP and TCP.

Its zone gives names to the sample's addresses; all other names do not exist (NXDOMAIN).
"""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Optional, cast

from dnslib import AAAA, PTR, QTYPE, RCODE, RR, A, DNSError, DNSLabel, DNSRecord

HOST = "127.0.0.1"
HEADER = struct.Struct("!6H")
UDP_BYTES = 512
TCP_BYTES = 65_535
TTL = 60

NAMES = {
    "54.240.200.68": ("server-54-240-200-68.nrt12.r.cloudfront.net",),
    "3.141.213.252": ("ec2-3-141-213-252.us-east-2.compute.amazonaws.com",),
    "104.53.216.85": ("104-53-216-85.lightspeed.example.net",),
    "82.102.17.180": ("no-rdns.example.org", "vpn-180.example.org"),
    "157.230.162.15": ("droplet-157-230-162-15.example.com",),
    "2600:1f18:243:a800::1": ("ec2-ipv6.us-east-1.example.com",),
}
# their names do not lead back to them
UNCONFIRMED = ("157.230.162.15",)
LISTS = ("silent", "servfail", "unconfirmed")


class Zone:
    """What the server knows and how it behaves; ``queries`` counts questions by type."""

    def __init__(self) -> None:
        self.names: dict[str, tuple[str, ...]] = dict(NAMES)
        self.latency_ms = 0.0
        self.silent: frozenset[str] = frozenset()
        self.servfail: frozenset[str] = frozenset()
        self.unconfirmed = frozenset(UNCONFIRMED)
        self.queries: Counter[str] = Counter()

    def stats(self) -> dict[str, dict[str, int]]:
        """The JSON of GET /_sandbox/dns."""
        return {"queries": dict(sorted(self.queries.items()))}

    def change(self, shape: Mapping[str, Any]) -> None:
        """Change the zone; keys that are not given stay as they are.

        ``{"names": {address: [name, ...]}, "latency_ms": 100, "silent": [address, ...],
        "servfail": [address, ...], "unconfirmed": [address, ...]}``. Names are added, an empty
        list removes the address. Characters of a name are bytes (Latin-1), dots separate labels.
        The three lists are replaced: addresses that are never answered, that are answered with
        SERVFAIL, whose names do not lead back. Raises ValueError for unknown keys, wrong
        addresses and names that DNS cannot carry.
        """
        unknown = set(shape) - {"names", "latency_ms", *LISTS}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        for address, names in shape.get("names", {}).items():
            self.names[canonical(address)] = tuple(names)
            for name in names:
                label(name)
        for key in LISTS:
            if key in shape:
                setattr(self, key, frozenset(map(canonical, shape[key])))
        self.latency_ms = float(shape.get("latency_ms", self.latency_ms))

    def answer(self, data: bytes, longest: int = TCP_BYTES) -> Optional[bytes]:
        """The answer to a query, cut with a flag if longer than ``longest``; None for silence.

        What starts like a query and is none is told so (FORMERR); the rest is met with silence.
        """
        if len(data) < HEADER.size or data[2] & 0x80:
            return None
        try:
            query = DNSRecord.parse(data)
        except (DNSError, ValueError):
            return HEADER.pack(int.from_bytes(data[:2], "big"), 0x8000 | RCODE.FORMERR, 0, 0, 0, 0)
        kind = str(QTYPE.get(query.q.qtype, str(query.q.qtype)))
        self.queries[kind] += 1
        name = b".".join(query.q.qname.label).lower()
        reply = query.reply()
        address = reverse_address(name)
        if address in self.silent:
            return None
        if address in self.servfail:
            reply.header.rcode = RCODE.SERVFAIL
        elif address is not None and self.names.get(address):
            if kind == "PTR":
                for target in self.names[address]:
                    reply.add_answer(
                        RR(query.q.qname, QTYPE.PTR, ttl=TTL, rdata=PTR(label(target)))
                    )
        else:
            self.forward(reply, name, kind)
        packed = bytes(reply.pack())
        return packed if len(packed) <= longest else bytes(reply.truncate().pack())

    def forward(self, reply: Any, name: bytes, kind: str) -> None:
        """Answer A and AAAA with the addresses that carry the name."""
        owners = [
            address
            for address, names in self.names.items()
            if any(target.encode("latin-1").lower() == name for target in names)
        ]
        if not owners:
            reply.header.rcode = RCODE.NXDOMAIN
        for address in owners:
            version = ipaddress.ip_address(address).version
            if address not in self.unconfirmed and kind == {4: "A", 6: "AAAA"}[version]:
                data = A(address) if version == 4 else AAAA(address)
                reply.add_answer(RR(reply.q.qname, getattr(QTYPE, kind), ttl=TTL, rdata=data))


def canonical(address: str) -> str:
    """The usual text of an address; raises ValueError."""
    return str(ipaddress.ip_address(address))


def label(name: str) -> Any:
    """A name as DNS carries it; raises ValueError when it cannot."""
    parts = [part.encode("latin-1") for part in name.rstrip(".").split(".")]
    if any(not 0 < len(part) < 64 for part in parts) or sum(map(len, parts)) + len(parts) > 254:
        raise ValueError(f"DNS cannot carry the name {name!r}")
    return DNSLabel(tuple(parts))


def reverse_address(name: bytes) -> Optional[str]:
    """The address that a name under in-addr.arpa or ip6.arpa stands for."""
    text = name.decode("latin-1")
    try:
        if text.endswith(".in-addr.arpa"):
            return canonical(".".join(reversed(text[: -len(".in-addr.arpa")].split("."))))
        if text.endswith(".ip6.arpa"):
            digits = "".join(reversed(text[: -len(".ip6.arpa")].split(".")))
            return str(ipaddress.IPv6Address(bytes.fromhex(digits)))
    except ValueError:
        pass
    return None


@asynccontextmanager
async def serving(zone: Zone) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 within the context; its value is the port, of UDP and TCP alike."""
    loop = asyncio.get_running_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            answer = zone.answer(await reader.readexactly(length))
            await asyncio.sleep(zone.latency_ms / 1000)
            if answer is None:
                await reader.read()  # until the client gives up
            else:
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # nothing to answer, or nobody, or the server ends
        finally:
            writer.close()

    server = await asyncio.start_server(connected, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Datagrams(zone), local_addr=(HOST, port)
    )
    try:
        yield port
    finally:
        transport.close()
        server.close()


class Datagrams(asyncio.DatagramProtocol):
    """Answers queries over UDP, after the zone's latency."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.transport: Optional[asyncio.DatagramTransport] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to answer."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer one query."""
        answer = self.zone.answer(data, UDP_BYTES)
        if answer is not None and self.transport is not None:
            delay = self.zone.latency_ms / 1000
            asyncio.get_running_loop().call_later(delay, self.transport.sendto, answer, addr)
