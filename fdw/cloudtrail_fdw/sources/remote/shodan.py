"""Shodan: what a host offers to the Internet (https://developer.shodan.io/api)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudtrail_fdw.sources.remote.remote_http import Answer
from cloudtrail_fdw.sources.remote.remote_source import (
    Ask,
    Records,
    Source,
    check_status,
    is_about,
    outage,
    refused,
)

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

TITLE = "Shodan"


def ask(settings: Settings, key: str, addresses: tuple[str, ...], full: bool) -> Ask:
    """One host; without its banners, which are long, unless they are wanted."""
    parameters = {"key": key} if full else {"key": key, "minify": "true"}
    return Ask(f"/shodan/host/{addresses[0]}", parameters)


def read(settings: Settings, answer: Answer, addresses: tuple[str, ...]) -> Records:
    """The record; None where Shodan has none, which is its 404 with an error in JSON."""
    if answer.status in (401, 403):
        need = "it needs a membership" if answer.status == 403 else "it is not valid"
        raise refused(TITLE, "shodan_key", f"{need} (HTTP status {answer.status})")
    if answer.status == 404 and isinstance(answer.body, dict) and "error" in answer.body:
        return {addresses[0]: None}
    check_status(TITLE, answer)
    record = answer.body
    if not isinstance(record, dict) or not is_about(record.get("ip_str"), addresses[0]):
        raise outage(TITLE, "its answer is not about the address asked for")
    return {addresses[0]: record}


SOURCE = Source(
    name="shodan",
    table="shodan_host",
    title=TITLE,
    interval=1.0,  # "All API plans are subject to a rate limit of 1 request per second"
    bulk=1,
    full_columns=frozenset({"data"}),
    ask=ask,
    read=read,
)
