"""Names of addresses by reverse DNS, asked at once, cached in this process.

A name is whatever the owner of the address chose to write: it is made printable, and it is
proof of nothing unless it was confirmed.
"""

from __future__ import annotations

import re
import socket
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Optional

from cloudtrail_fdw.sources.address import Address, classify
from cloudtrail_fdw.sources.dns_channel import Channel, Question, Reply, channel

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

STATUSES = ("found", "confirmed", "none", "timeout", "error", "not_requested")
CACHED = 10_000  # answers
KEEP_NONE = 300.0  # seconds; RFC 2308 suggests 1 to 3 hours at most
KEEP_FAILURE = 30.0
LONGEST_KEPT = 86_400.0
MOST_NAMES = 100  # of one address


class Answer(NamedTuple):
    """Names in alphabetical order, ``name`` the first of them; ``status`` one of STATUSES."""

    name: Optional[str]
    names: tuple[str, ...]
    status: str


Key = tuple[str, Address, bool]
CACHE: OrderedDict[Key, tuple[float, Answer]] = OrderedDict()


def resolve(
    addresses: Iterable[str], settings: Settings, confirm: bool = False
) -> dict[str, Answer]:
    """An answer for each address; only public ones are asked about, all within dns_timeout.

    With ``confirm`` a name counts as ``confirmed`` when its own addresses contain the address.
    Raises FdwError for a cancel, a bad server list, or a missing pycares.
    """
    answers: dict[str, Answer] = {}
    asked: dict[Address, list[str]] = {}
    now = time.monotonic()
    for text in addresses:
        address = classify(text)
        known = recall((settings.dns_servers, address, confirm), now)
        if address.address_class != "public":
            answers[text] = NOT_REQUESTED
        elif known is not None:
            answers[text] = known
        else:
            asked.setdefault(address, []).append(text)
    if asked:
        cares = channel(settings.dns_servers, settings.dns_timeout)
        deadline = now + settings.dns_timeout
        for address, (answer, keep) in look_up(list(asked), cares, deadline, confirm).items():
            remember((settings.dns_servers, address, confirm), answer, keep)
            answers.update(dict.fromkeys(asked[address], answer))
    return answers


NOT_REQUESTED = Answer(None, (), "not_requested")


def look_up(
    addresses: list[Address], cares: Channel, deadline: float, confirm: bool
) -> dict[Address, tuple[Answer, float]]:
    """Answers from the network, each with the seconds it may be kept."""
    pointers = {address: Question(pointer_name(address), "PTR") for address in addresses}
    replies = cares.ask(list(dict.fromkeys(pointers.values())), deadline)
    found = {address: read_reply(replies[pointers[address]]) for address in addresses}
    if not confirm:
        return found
    forward = {
        Question(name, "A" if address.number_version == 4 else "AAAA"): None
        for address, (answer, _) in found.items()
        for name in answer.names
    }
    owners = cares.ask(list(forward), deadline)
    for address, (answer, keep) in found.items():
        kind = "A" if address.number_version == 4 else "AAAA"
        own = [
            name
            for name in answer.names
            if any(is_same(text, address) for text in owners[Question(name, kind)].data)
        ]
        if own:
            found[address] = Answer(own[0], answer.names, "confirmed"), keep
    return found


def read_reply(reply: Reply) -> tuple[Answer, float]:
    """A PTR reply as an answer, and how long it may be kept."""
    if reply.status == "found":
        names = tuple(sorted({safe_name(name) for name in reply.data} - {""}))[:MOST_NAMES]
        if names:
            return Answer(names[0], names, "found"), min(max(reply.ttl, 1.0), LONGEST_KEPT)
        return Answer(None, (), "none"), KEEP_NONE
    keep = KEEP_NONE if reply.status == "none" else KEEP_FAILURE
    return Answer(None, (), reply.status), keep


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
        octets = address.number.to_bytes(4, "big")
        return ".".join(str(octet) for octet in reversed(octets)) + ".in-addr.arpa"
    return ".".join(reversed(f"{address.number:032x}")) + ".ip6.arpa"


def is_same(text: str, address: Address) -> bool:
    """Whether the text of an A or AAAA record is the address."""
    family = socket.AF_INET if address.number_version == 4 else socket.AF_INET6
    try:
        return int.from_bytes(socket.inet_pton(family, text), "big") == address.number
    except (OSError, ValueError):
        return False


def recall(key: Key, now: float) -> Optional[Answer]:
    """The kept answer, unless it has expired."""
    kept = CACHE.get(key)
    if kept is None:
        return None
    if kept[0] <= now:
        del CACHE[key]
        return None
    CACHE.move_to_end(key)
    return kept[1]


def remember(key: Key, answer: Answer, keep: float) -> None:
    """Keep an answer for ``keep`` seconds, in place of the one unused for longest."""
    CACHE[key] = time.monotonic() + keep, answer
    while len(CACHE) > CACHED:
        CACHE.popitem(last=False)
