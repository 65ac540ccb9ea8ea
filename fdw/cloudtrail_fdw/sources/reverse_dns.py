"""Names of addresses by reverse DNS, asked at once and ahead, cached in this process.

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

from cloudtrail_fdw.sources import addresses_ahead
from cloudtrail_fdw.sources.address import Address, classify
from cloudtrail_fdw.sources.dns_channel import Channel, Patience, Question, Reply, channel

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

STATUSES = ("found", "confirmed", "none", "timeout", "error", "not_requested")
CACHED = 30_000  # answers
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


class Kept(NamedTuple):
    """An answer, good until a monotonic time, and for the statement that asked in any case."""

    expiry: float
    stamp: int
    answer: Answer


CACHE: OrderedDict[Key, Kept] = OrderedDict()
PATIENCES: dict[str, tuple[int, Patience]] = {}  # with their statements, by servers


def resolve(
    addresses: Iterable[str], settings: Settings, confirm: bool = False
) -> dict[str, Answer]:
    """An answer for each address; only public ones are asked about, with dns_timeout's patience.

    With them those go out that events have told of, if one of them is asked for. With ``confirm``
    a name counts as ``confirmed`` when its own addresses contain the address.
    Raises FdwError for a cancel, a bad server list, or a missing pycares.
    """
    stamp = addresses_ahead.statement_stamp()
    answers: dict[str, Answer] = {}
    asked: dict[Address, list[str]] = {}

    def sort(text: str, wanted: bool) -> None:
        address = classify(text)
        found = NOT_REQUESTED
        if address.address_class == "public":
            known = recall((settings.dns_servers, address, confirm), stamp)
            if known is None:
                asked.setdefault(address, []).extend([text] * wanted)
                return
            found = known
        if wanted:
            answers[text] = found

    for text in addresses:
        sort(text, True)
    if asked:
        for text in addresses_ahead.take(text for texts in asked.values() for text in texts):
            sort(text, False)
        cares = channel(settings.dns_servers, settings.dns_timeout)
        patience = patience_of(settings, stamp)
        for address, (answer, keep) in look_up(list(asked), cares, patience, confirm).items():
            remember((settings.dns_servers, address, confirm), stamp, answer, keep)
            answers.update(dict.fromkeys(asked[address], answer))
    return answers


NOT_REQUESTED = Answer(None, (), "not_requested")


def patience_of(settings: Settings, stamp: int) -> Patience:
    """What the running statement has left; outside PostgreSQL a call is a statement."""
    held = PATIENCES.get(settings.dns_servers)
    if held is None or not stamp or held[0] != stamp:
        held = PATIENCES[settings.dns_servers] = stamp, Patience(settings.dns_timeout)
    return held[1]


def look_up(
    addresses: list[Address], cares: Channel, patience: Patience, confirm: bool
) -> dict[Address, tuple[Answer, float]]:
    """Answers from the network, each with the seconds it may be kept."""
    pointers = {address: Question(pointer_name(address), "PTR") for address in addresses}
    replies = cares.ask(list(dict.fromkeys(pointers.values())), patience)
    found = {address: read_reply(replies[pointers[address]]) for address in addresses}
    if not confirm:
        return found
    forward = {
        Question(name, "A" if address.number_version == 4 else "AAAA"): None
        for address, (answer, _) in found.items()
        for name in answer.names
    }
    owners = cares.ask(list(forward), patience)
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
    if reply.status == "unasked":  # another query may have better luck
        return Answer(None, (), "timeout"), 0.0
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


def recall(key: Key, stamp: int) -> Optional[Answer]:
    """The kept answer, unless it has expired; the statement that asked for it may keep it."""
    kept = CACHE.get(key)
    if kept is None:
        return None
    if kept.expiry <= time.monotonic() and not 0 < stamp == kept.stamp:
        del CACHE[key]
        return None
    CACHE.move_to_end(key)
    return kept.answer


def remember(key: Key, stamp: int, answer: Answer, keep: float) -> None:
    """Keep an answer for ``keep`` seconds, in place of the one unused for longest."""
    CACHE[key] = Kept(time.monotonic() + keep, stamp, answer)
    while len(CACHE) > CACHED:
        CACHE.popitem(last=False)
