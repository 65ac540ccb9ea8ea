"""Names of addresses by reverse DNS: asked at once and ahead, remembered here and on disk."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Optional

from cloudtrail_fdw.recent import Recent
from cloudtrail_fdw.sources.address.address import Address, classify
from cloudtrail_fdw.sources.names import addresses_ahead
from cloudtrail_fdw.sources.names.dns_channel import Channel, Question, Reply
from cloudtrail_fdw.sources.names.dns_names import Confirmation, pointer_name, read_reply
from cloudtrail_fdw.sources.names.dns_patience import Patience
from cloudtrail_fdw.sources.names.dns_questions import Questions
from cloudtrail_fdw.sources.names.name_cache import Answer, Found, name_cache

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

STATUSES = ("found", "confirmed", "none", "timeout", "error", "not_requested")
NOT_REQUESTED = Answer(None, (), "not_requested")
CACHED = 30_000  # answers
MOST_CHANNELS = 4  # with their sockets
WRITE_AT = 1_000  # answers, or
WRITE_EVERY = 0.5  # seconds, while more is on its way

Key = tuple[str, str, bool]  # name servers, name of the PTR records, whether names are confirmed


class Kept(NamedTuple):
    """An answer, good until a monotonic time, and for the statement that asked in any case."""

    expiry: float
    stamp: int
    answer: Answer


CACHE: OrderedDict[Key, Kept] = OrderedDict()
PATIENCES: dict[str, tuple[int, Patience]] = {}  # of the running statement, by servers


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
    asked: dict[str, list[str]] = {}
    unknown: dict[str, Address] = {}
    for text in addresses:
        address = classify(text)
        answers[text] = NOT_REQUESTED
        if address.address_class == "public":
            pointer = pointer_name(address)
            known = recall((settings.dns_servers, pointer, confirm), stamp)
            if known is not None:
                answers[text] = known
                continue
            asked.setdefault(pointer, []).append(text)
            unknown[pointer] = address
    lookups = statement_lookups(settings, stamp, confirm, bool(asked))
    if asked and lookups is not None:
        found = lookups.find(unknown, (text for texts in asked.values() for text in texts))
        for pointer, texts in asked.items():
            answers.update(dict.fromkeys(texts, found[pointer]))
    elif lookups is not None:
        lookups.questions.pump()
    return answers


class Lookups:
    """What one statement asks of some name servers, and what is kept of their answers."""

    def __init__(self, settings: Settings, stamp: int, confirm: bool, cares: Channel) -> None:
        """Take over the channel to the servers."""
        self.servers, self.timeout = settings.dns_servers, settings.dns_timeout
        self.stamp, self.confirm = stamp, confirm
        self.questions = Questions(cares, patience_of(settings, stamp))
        self.disk = name_cache(settings)
        self.open: dict[str, Address] = {}  # by the names of their PTR records
        self.confirmations: dict[str, Confirmation] = {}
        self.checks: dict[Question, list[str]] = {}  # which of them a name is for
        self.written = time.monotonic()

    def close(self) -> None:
        """Let go of the channel."""
        self.questions.cares.close()

    def find(self, unknown: Mapping[str, Address], texts: Iterable[str]) -> dict[str, Answer]:
        """Answers for the unknown ones, which are written as ``texts``; more become known."""
        ahead = self.ahead(texts)
        found = self.from_disk({**unknown, **ahead})
        more = [pointer for pointer in ahead if pointer not in found]
        asked = [pointer for pointer in unknown if pointer not in found]
        self.open.update({pointer: unknown[pointer] for pointer in asked})
        self.open.update({pointer: ahead[pointer] for pointer in more})
        pointers = [Question(p, "PTR") for p in asked if p not in self.confirmations]
        self.questions.want(pointers, first=True)
        self.questions.want(Question(pointer, "PTR") for pointer in more)
        self.questions.wait(pointers)
        found.update(self.harvest())
        forward = [question for pointer in asked if pointer in self.confirmations
                   for question in self.confirmations[pointer].missing]  # fmt: skip
        if forward:
            self.questions.want(forward, first=True)
            self.questions.wait(forward)
            found.update(self.harvest())
        self.write()
        return {pointer: found[pointer][0] for pointer in unknown}

    def ahead(self, texts: Iterable[str]) -> dict[str, Address]:
        """What events have told of and nobody has asked for yet."""
        found = {}
        for text in addresses_ahead.take(texts):
            address = classify(text)
            if address.address_class == "public":
                pointer = pointer_name(address)
                if recall((self.servers, pointer, self.confirm), self.stamp) is None:
                    found[pointer] = address
        return found

    def from_disk(self, pointers: Iterable[str]) -> Found:
        """What other backends, or this one, were told before."""
        if self.disk is None:
            return {}
        found = self.disk.find(self.servers, self.confirm, pointers, self.timeout)
        self.remember(found)
        return found

    def harvest(self) -> Found:
        """What is known by the replies that have come; names to confirm are asked about."""
        found: Found = {}
        for question, reply in self.questions.take().items():
            if question.type == "PTR":
                self.take_names(question.name, reply, found)
                continue
            for pointer in self.checks.pop(question, ()):
                self.confirmations[pointer].hear(question, reply)
                if not self.confirmations[pointer].missing:
                    found[pointer] = self.confirmations.pop(pointer).result()
        self.remember(found)
        if self.disk is not None:
            self.disk.keep(self.servers, self.confirm, found, self.timeout)
        return found

    def take_names(self, pointer: str, reply: Reply, found: Found) -> None:
        """Take a reply of PTR records: an answer, unless its names are to be confirmed."""
        address = self.open.pop(pointer, None)
        if address is None:
            return
        answer, keep = read_reply(reply)
        if not (self.confirm and answer.names):
            found[pointer] = answer, keep
            return
        self.confirmations[pointer] = Confirmation(address, answer, keep)
        for question in self.confirmations[pointer].missing:
            self.checks.setdefault(question, []).append(pointer)
        self.questions.want(self.confirmations[pointer].missing)

    def remember(self, found: Found) -> None:
        """Keep answers in this process."""
        now = time.monotonic()
        for pointer, (answer, keep) in found.items():
            CACHE[self.servers, pointer, self.confirm] = Kept(now + keep, self.stamp, answer)
        while len(CACHE) > CACHED:
            CACHE.popitem(last=False)

    def write(self) -> None:
        """Let other backends know, now and then while more is to come."""
        if self.disk is None:
            return
        idle = not self.questions.sent and not self.questions.line
        late = time.monotonic() > self.written + WRITE_EVERY
        if idle or late or len(self.disk.waiting) >= WRITE_AT:
            self.disk.write()
            self.written = time.monotonic()


LOOKUPS: Recent[tuple[str, float, bool], Lookups] = Recent(MOST_CHANNELS, Lookups.close)


def statement_lookups(
    settings: Settings, stamp: int, confirm: bool, needed: bool
) -> Optional[Lookups]:
    """Those of the running statement; outside PostgreSQL a call is a statement."""
    key = (settings.dns_servers, settings.dns_timeout, confirm)
    held = LOOKUPS.get(key)
    if held is not None and 0 < held.stamp == stamp:
        return held
    if not needed:
        return None
    cares = held.questions.cares if held else Channel(settings.dns_servers, settings.dns_timeout)
    return LOOKUPS.put(key, Lookups(settings, stamp, confirm, cares))


def patience_of(settings: Settings, stamp: int) -> Patience:
    """What the running statement has left; outside PostgreSQL a call is a statement."""
    held = PATIENCES.get(settings.dns_servers)
    if held is None or not stamp or held[0] != stamp:
        for other in [servers for servers, each in PATIENCES.items() if each[0] != stamp]:
            del PATIENCES[other]
        held = PATIENCES[settings.dns_servers] = stamp, Patience(settings.dns_timeout)
    return held[1]


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
