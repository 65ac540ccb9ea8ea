"""What a remote source of addresses is, and the words for what goes wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.address.address import Address, classify
from cloudtrail_fdw.sources.remote.remote_http import Answer

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

Records = dict[str, Optional[dict[str, Any]]]


class Ask(NamedTuple):
    """One call: what follows the base URL, parameters and headers, the key among them."""

    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str] = {}


class TroubleError(Exception):
    """Why there is no answer: a status of quota, throttled or unavailable, and words for it.

    ``wait`` is how many seconds the source wants to be left alone, ``passing`` whether another
    try may help.
    """

    def __init__(self, status: str, text: str, hint: str, *, wait: float = 0.0,
                 passing: bool = False) -> None:  # fmt: skip
        super().__init__(text)
        self.status, self.text, self.hint = status, text, hint
        self.wait, self.passing = wait, passing


class NoBulkError(Exception):
    """The plan of the key allows single addresses only."""


@dataclass(frozen=True)
class Source:
    """One remote source.

    Its options are ``<name>_key``, ``<name>_url`` and ``<name>_keep``. Calls are ``interval``
    seconds apart, whatever backend makes them, for at most ``bulk`` addresses each.
    ``ask(settings, key, addresses, full)`` makes a call; ``full`` is meant when one of the
    columns ``full_columns`` is wanted. ``read(settings, answer, addresses)`` gives each address
    its record, None where the source knows nothing, or raises TroubleError, NoBulkError or
    FdwError. ``variant(settings)`` tells answers apart that were asked for differently.
    """

    name: str
    table: str
    title: str
    interval: float
    bulk: int
    full_columns: frozenset[str]
    ask: Callable[[Settings, str, tuple[str, ...], bool], Ask]
    read: Callable[[Settings, Answer, tuple[str, ...]], Records]
    variant: Callable[[Settings], str] = lambda settings: ""


def plain(address: Address) -> str:
    """The address that a source is asked about, as ``classify`` found it."""
    kind = IPv4Address if address.number_version == 4 else IPv6Address
    return str(kind(address.number))


def limited(title: str, wait: Optional[float], what: str = "limit") -> TroubleError:
    """The trouble of a source that answers no more for now (HTTP 429)."""
    again = "" if wait is None else f"; it may be asked again in {max(1, round(wait))} s"
    return TroubleError(
        "throttled", f"{title}: its {what} is reached{again}",
        f"Ask later, or get a larger plan of {title}.", wait=wait or 1.0, passing=True,
    )  # fmt: skip


def outage(title: str, reason: str, *, passing: bool = True) -> TroubleError:
    """The trouble of a source that gives no answer one can use."""
    return TroubleError(
        "unavailable", f"{title} did not help: {reason}",
        f"Try again later; check the network, the proxy and the URL of {title}.", passing=passing,
    )  # fmt: skip


def refused(title: str, option: str, reason: str) -> FdwError:
    """The error for a key that the source does not accept."""
    return FdwError(
        f"{title} refused the API key: {reason}",
        hint=f"Correct {option} of the user mapping, or the server's environment.",
        sqlstate="28000",
    )


def check_status(title: str, answer: Answer) -> None:
    """Nothing for a good status; TroubleError for a limit or an outage."""
    if answer.status == 429:
        raise limited(title, answer.retry_after)
    if answer.status != 200:
        raise outage(title, f"HTTP status {answer.status}", passing=answer.status >= 500)
    if not isinstance(answer.body, (dict, list)):
        raise outage(title, "its answer is no JSON")


def is_about(text: object, address: str) -> bool:
    """Whether an answer's address is the one asked for, however it is spelt."""
    return isinstance(text, str) and plain(classify(text)) == address
