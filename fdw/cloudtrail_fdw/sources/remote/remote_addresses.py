"""What remote sources say of addresses: asked once, kept on disk, within their limits."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.address.address import classify
from cloudtrail_fdw.sources.remote.answer_cache import Kept, cache
from cloudtrail_fdw.sources.remote.remote_http import UnavailableError, get
from cloudtrail_fdw.sources.remote.remote_query import find_key, pause, statement
from cloudtrail_fdw.sources.remote.remote_source import (
    NoBulkError,
    Records,
    Source,
    TroubleError,
    limited,
    outage,
    plain,
)

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

STATUSES = ("found", "none", "not_sent", "network_off", "quota", "throttled", "unavailable")
TRIES = 3
DAY = 86_400.0
QUEUE = 30.0  # seconds that a call may wait for its turn
FAILURES = 3  # calls in a row that a query may wait for in vain


class Found(NamedTuple):
    """What is known of an address: ``status`` is one of STATUSES, ``detail`` says why.

    ``address`` is what was asked about, ``asked`` when (Unix time).
    """

    status: str
    detail: Optional[str] = None
    address: Optional[str] = None
    record: Optional[dict[str, Any]] = None
    asked: Optional[float] = None


def look_up(
    source: Source, settings: Settings, texts: Iterable[str], full: bool
) -> dict[str, Found]:
    """What ``source`` says of each text; only public addresses are sent out, each of them once.

    Raises FdwError for a missing or refused key, a cancel, and, unless option remote_errors is
    status, for a limit or an outage.
    """
    found: dict[str, Found] = {}
    asked: dict[str, list[str]] = {}
    for text in texts:
        address = classify(text)
        if address.address_class == "public":
            asked.setdefault(plain(address), []).append(text)
        else:
            found[text] = Found("not_sent", f"no public address: {address.address_class}")
    if asked:
        for sent, answer in Lookup(source, settings, full).find(list(asked)):
            found.update(dict.fromkeys(asked[sent], answer))
    return found


class Lookup:
    """One scan's questions to a source."""

    def __init__(self, source: Source, settings: Settings, full: bool) -> None:
        """Find the key; FdwError when there is none and it is needed."""
        self.source, self.settings, self.full = source, settings, full
        self.url = str(getattr(settings, f"{source.name}_url")).rstrip("/")
        self.key = find_key(source, settings) if settings.network_enrichment else ""
        # answers depend on the key's plan, and belong to those who have it
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:32]
        self.caller = f"{source.name} {self.url} {digest}"
        self.statement = statement(self.caller, source, settings)

    def find(self, addresses: list[str]) -> Iterator[tuple[str, Found]]:
        """Each address with what is known of it, kept answers first."""
        if not self.settings.network_enrichment:
            for address in addresses:
                yield address, Found("network_off", "network_enrichment is off", address)
            return
        self.cache = cache(self.settings)
        kept = self.recall(addresses)
        self.statement.budget.cache_events += len(kept)
        for address, answer in kept.items():
            yield address, known(address, answer)
        missing = [address for address in addresses if address not in kept]
        left = max(0, self.settings.max_lookups - self.statement.sent)
        if len(missing) > left:
            self.give_up(spent(self.source, self.settings.max_lookups))
        yield from self.ask_all(missing[:left])
        for address in missing[left:]:
            yield address, troubled(address, spent(self.source, self.settings.max_lookups))

    def places(self) -> list[str]:
        """Where answers are kept: the full ones serve those who want less."""
        place = f"{self.caller} {self.source.variant(self.settings)}"
        return [f"{place} full"] if self.full else [place, f"{place} full"]

    def recall(self, addresses: list[str]) -> dict[str, Kept]:
        """Kept answers that are young enough."""
        oldest = time.time() - float(getattr(self.settings, f"{self.source.name}_keep"))
        kept: dict[str, Kept] = {}
        for place in self.places():
            missing = [address for address in addresses if address not in kept]
            kept.update(self.cache.find(place, missing, oldest))
        return kept

    def ask_all(self, addresses: list[str]) -> Iterator[tuple[str, Found]]:
        """Ask in as few calls as the key's plan allows."""
        plan = f"{self.caller} single"
        bulk = self.source.bulk
        if bulk > 1 and len(addresses) > 1 and self.cache.find(plan, [""], time.time() - DAY):
            bulk = 1
        start = 0
        while start < len(addresses):
            batch = tuple(addresses[start : start + bulk])
            try:
                yield from self.ask(batch)
            except NoBulkError:
                self.statement.sent -= len(batch)
                self.cache.keep(plan, {"": Kept(None, time.time())})
                bulk = 1
                continue
            start += len(batch)

    def ask(self, batch: tuple[str, ...]) -> Iterator[tuple[str, Found]]:
        """The answers for one batch, which are kept, or the trouble it has met."""
        here = self.statement
        if here.trouble is None:
            try:
                records = self.call(batch)
            except TroubleError as trouble:
                self.give_up(trouble)
                here.failures += 1
                if trouble.status != "unavailable" or here.failures >= FAILURES:
                    here.trouble = trouble
                return iter([(address, troubled(address, trouble)) for address in batch])
            here.failures = 0
            here.budget.events += len(batch)
            answers = {address: Kept(records[address], time.time()) for address in batch}
            self.cache.keep(self.places()[0], answers)
            return iter([(address, known(address, kept)) for address, kept in answers.items()])
        self.give_up(here.trouble)
        return iter([(address, troubled(address, here.trouble)) for address in batch])

    def call(self, batch: tuple[str, ...]) -> Records:
        """One call, in its turn, and tried again where that may help; TroubleError."""
        seconds, budget = self.settings.remote_timeout, self.statement.budget
        late = self.take_turn(max(seconds, QUEUE))
        if late is not None:
            raise limited(self.source.title, late)
        deadline = time.monotonic() + seconds
        ask = self.source.ask(self.settings, self.key, batch, self.full)
        self.statement.sent += len(batch)
        for attempt in range(1, TRIES + 1):
            budget.calls += 1
            budget.retries += attempt > 1
            try:
                left = max(0.1, deadline - time.monotonic())
                answer = get(self.url + ask.path, ask.parameters, ask.headers, left)
                return self.source.read(self.settings, answer, batch)
            except UnavailableError as error:
                trouble = outage(self.source.title, str(error))
            except TroubleError as error:
                trouble = error
            budget.throttles += trouble.status == "throttled"
            wait = max(trouble.wait, random.uniform(0.1, 0.3) * 2**attempt)  # noqa: S311
            left = deadline - time.monotonic() - wait
            if not trouble.passing or attempt == TRIES or left <= 0:
                break
            pause(wait)
            if self.take_turn(left) is not None:
                break
        if trouble.wait:
            self.cache.block(self.caller, trouble.wait)
        raise trouble

    def take_turn(self, patience: float) -> Optional[float]:
        """Wait until a call is due; how many seconds that is when it is beyond ``patience``."""
        wait = self.cache.reserve(self.caller, self.source.interval, patience)
        if wait > patience:
            return wait
        pause(wait)
        return None

    def give_up(self, trouble: TroubleError) -> None:
        """End the query, unless its rows are to tell of the trouble."""
        if self.settings.remote_errors == "status":
            return
        raise FdwError(
            trouble.text,
            hint=f"{trouble.hint} With remote_errors = status, rows say so instead.",
            sqlstate="HV00N" if trouble.status == "unavailable" else "53400",
        ) from None


def known(address: str, kept: Kept) -> Found:
    """An answer as rows have it."""
    return Found("none" if kept.record is None else "found", None, address, *kept)


def troubled(address: str, trouble: TroubleError) -> Found:
    """A row that says why it is empty."""
    return Found(trouble.status, trouble.text, address)


def spent(source: Source, most: int) -> TroubleError:
    """The trouble of a query that would ask for more addresses than it may."""
    return TroubleError(
        "quota", f"{source.title} may be asked about {most} addresses by one query (max_lookups)",
        "SET cloudtrail_fdw.max_lookups to more, or ask about fewer addresses.",
    )  # fmt: skip
