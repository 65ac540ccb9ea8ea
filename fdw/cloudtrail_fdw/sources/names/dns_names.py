"""What a name server says of an address, as an answer: made printable, confirmed, and for how long.

A name is whatever the owner of the address chose to write: it is proof of nothing unless it was
confirmed.
"""

from __future__ import annotations

import re
import socket

from cloudtrail_fdw.sources.address.address import Address
from cloudtrail_fdw.sources.names.dns_channel import Question, Reply
from cloudtrail_fdw.sources.names.name_cache import LONGEST_KEPT, Answer

SHORTEST_KEPT = 1.0  # seconds
KEEP_NONE = 300.0  # RFC 2308 suggests 1 to 3 hours at most; pycares does not tell the SOA's
KEEP_FAILURE = 30.0
MOST_NAMES = 100  # of one address


class Confirmation:
    """An address whose names are asked for their own addresses."""

    def __init__(self, address: Address, answer: Answer, keep: float) -> None:
        """``answer`` is the one without confirmation, good for ``keep`` seconds."""
        self.address, self.answer, self.keep = address, answer, keep
        kind = "A" if address.number_version == 4 else "AAAA"
        self.missing = {Question(name, kind) for name in answer.names}
        self.own: list[str] = []  # names that lead back

    def hear(self, question: Question, reply: Reply) -> None:
        """Take the addresses of one name."""
        self.missing.discard(question)
        if any(is_same(text, self.address) for text in reply.data):
            self.own.append(question.name)
        self.keep = min(self.keep, seconds(reply))

    def result(self) -> tuple[Answer, float]:
        """What is known once nothing is missing."""
        if not self.own:
            return self.answer, self.keep
        return Answer(min(self.own), self.answer.names, "confirmed"), self.keep


def read_reply(reply: Reply) -> tuple[Answer, float]:
    """A PTR reply as an answer, and how long it may be kept."""
    status = "timeout" if reply.status == "unasked" else reply.status
    names: tuple[str, ...] = ()
    if status == "found":
        names = tuple(sorted({safe_name(name) for name in reply.data} - {""}))[:MOST_NAMES]
    if names:
        return Answer(names[0], names, status), seconds(reply)
    if status == "found":  # the root of all names
        return Answer(None, (), "none"), KEEP_NONE
    return Answer(None, (), status), seconds(reply)


def seconds(reply: Reply) -> float:
    """How long a reply is good for."""
    if reply.status == "found":
        return min(max(reply.ttl, SHORTEST_KEPT), LONGEST_KEPT)
    if reply.status == "unasked":  # another query may have better luck
        return 0.0
    return KEEP_NONE if reply.status == "none" else KEEP_FAILURE


def safe_name(name: str) -> str:
    r"""A name in printable ASCII, other characters as ``\xNN``, 255 characters at most."""
    plain = name.removesuffix(".")
    return re.sub(r"[^!-~]", escape, plain[:255], flags=re.ASCII)[:255]


def escape(character: re.Match[str]) -> str:
    """One character as Python writes it."""
    return character.group().encode("unicode_escape").decode("ascii").replace(" ", "\\x20")


def pointer_name(address: Address) -> str:
    """The name that holds the PTR records (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    if address.number_version == 4:
        return socket.inet_ntoa(address.number.to_bytes(4, "little")) + ".in-addr.arpa"
    return ".".join(reversed(f"{address.number:032x}")) + ".ip6.arpa"


def is_same(text: str, address: Address) -> bool:
    """Whether the text of an A or AAAA record is the address."""
    family = socket.AF_INET if address.number_version == 4 else socket.AF_INET6
    try:
        return int.from_bytes(socket.inet_pton(family, text), "big") == address.number
    except (OSError, ValueError):
        return False
