"""A name server of one's own for reverse look-ups: A, AAAA and PTR over UDP and TCP.

Its zone gives names to the sample's addresses; all other names do not exist (NXDOMAIN).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Optional, cast

HOST = "127.0.0.1"
HEADER = struct.Struct("!6H")  # RFC 1035 section 4.1.1
QUESTION = struct.Struct("!HH")
RECORD = struct.Struct("!HHHIH")
KINDS = {1: "A", 12: "PTR", 28: "AAAA"}
ANSWER, CUT, RECURSION = 0x8480, 0x0200, 0x0100  # flags; ANSWER: an authoritative one
FORMERR, SERVFAIL, NXDOMAIN = 1, 2, 3
UDP_BYTES = 512
TCP_BYTES = 65_535
TTL = 60
RECEIVE_BUFFER = 4 << 20  # bytes; the system may allow less

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
        self.owners = owners(self.names)
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
        if "names" in shape:
            self.owners = owners(self.names)
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
        ident, flags, *_ = HEADER.unpack_from(data)
        try:
            name, number, end = read_question(data)
        except (IndexError, ValueError, struct.error):
            return HEADER.pack(ident, 0x8000 | FORMERR, 0, 0, 0, 0)
        kind = KINDS.get(number, str(number))
        self.queries[kind] += 1
        address = reverse_address(name)
        if address in self.silent:
            return None
        code, found = 0, []
        if address in self.servfail:
            code = SERVFAIL
        elif address is not None and self.names.get(address):
            found = [label(target) for target in self.names[address]] if kind == "PTR" else []
        else:
            code, found = self.forward(name, kind)
        flags = flags & RECURSION | ANSWER | code
        question = data[HEADER.size : end]
        # 0xc00c: the name is that of the question
        records = [RECORD.pack(0xC00C, number, 1, TTL, len(data)) + data for data in found]
        whole = HEADER.pack(ident, flags, 1, len(found), 0, 0) + question + b"".join(records)
        if len(whole) <= longest:
            return whole
        return HEADER.pack(ident, flags | CUT, 1, 0, 0, 0) + question

    def forward(self, name: bytes, kind: str) -> tuple[int, list[bytes]]:
        """The code and the addresses that carry the name, for A and AAAA."""
        if name not in self.owners:
            return NXDOMAIN, []
        packed = [ipaddress.ip_address(address).packed for address in self.owners[name]
                  if address not in self.unconfirmed]  # fmt: skip
        return 0, [data for data in packed if kind == {4: "A", 16: "AAAA"}[len(data)]]


def read_question(data: bytes) -> tuple[bytes, int, int]:
    """Name in lower case, type and end of a query's question; raises for one that is none."""
    place, parts = HEADER.size, []
    while data[place]:
        if data[place] > 63:
            raise ValueError("no label")
        parts.append(data[place + 1 : place + 1 + data[place]])
        place += 1 + data[place]
    kind, _ = QUESTION.unpack_from(data, place + 1)
    return b".".join(parts).lower(), kind, place + 1 + QUESTION.size


def owners(names: Mapping[str, tuple[str, ...]]) -> dict[bytes, dict[str, None]]:
    """The addresses that carry each name, which is in lower case; in the order of the zone."""
    found: dict[bytes, dict[str, None]] = {}
    for address, own in names.items():
        for name in own:
            found.setdefault(name.encode("latin-1").lower(), {})[address] = None
    return found


def canonical(address: str) -> str:
    """The usual text of an address; raises ValueError."""
    return str(ipaddress.ip_address(address))


def label(name: str) -> bytes:
    """A name as DNS carries it; raises ValueError when it cannot."""
    parts = [part.encode("latin-1") for part in name.rstrip(".").split(".")]
    if any(not 0 < len(part) < 64 for part in parts) or sum(map(len, parts)) + len(parts) > 254:
        raise ValueError(f"DNS cannot carry the name {name!r}")
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


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
        # hundreds of questions come at once: the usual size holds fewer than 300
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER
        )

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer one query."""
        answer = self.zone.answer(data, UDP_BYTES)
        if answer is not None and self.transport is not None:
            delay = self.zone.latency_ms / 1000
            asyncio.get_running_loop().call_later(delay, self.transport.sendto, answer, addr)
