"""What reverse DNS knows ahead: of the same statement, once one of its addresses is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cloudtrail_fdw.sources import addresses_ahead
from cloudtrail_fdw.sources.addresses_ahead import foreseen, publish, take
from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent

LAYOUT = ["event_id", "source_ip_address"]


@pytest.fixture(autouse=True)
def stamp(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The start of the running statement, which a test may change."""
    now = [7]
    monkeypatch.setattr(addresses_ahead, "STAMP", lambda: now[0])
    monkeypatch.setattr(addresses_ahead, "AHEAD", addresses_ahead.Ahead())
    addresses_ahead.PAGES.clear()
    yield now
    addresses_ahead.PAGES.clear()


def page(*addresses: object) -> tuple[str, list[LogEvent]]:
    return "group", [
        LogEvent("stream", 1, json.dumps({"eventName": "x", "sourceIPAddress": address}), 2, "id")
        for address in addresses
    ]


def rows(*addresses: str) -> list[tuple[str, str]]:
    return [("id", address) for address in addresses]


def test_rows_are_given_once_and_only_when_one_of_them_is_asked_for(stamp: list[int]):
    publish(LAYOUT, rows("9.9.9.1", "9.9.9.2", "9.9.9.1"))
    assert take(["9.9.9.3"]) == ()
    assert take(["9.9.9.3", "9.9.9.2"]) == ("9.9.9.1", "9.9.9.2")
    assert take(["9.9.9.2"]) == ()
    publish(LAYOUT, rows("9.9.9.2", "9.9.9.4"))
    assert take(["9.9.9.1"]) == ("9.9.9.4",)  # the statement has asked for one before
    publish(["event_id"], [("id",)])
    publish(LAYOUT, rows("9.9.9.5"))
    stamp[0] = 8
    assert take(["9.9.9.5", "9.9.9.1"]) == ()


def test_pages_that_wait_for_their_rows_are_given_too(stamp: list[int]):
    pages = [page("9.9.9.1"), page("9.9.9.2", None, 5, "9.9.9.1"), page("9.9.9.3")]
    pages[1][1].append(LogEvent("stream", 1, "no record", 2, "id"))
    reading = foreseen(LAYOUT, iter(pages))
    assert [next(reading), next(reading)] == pages[:2]
    assert take(["9.9.9.2"]) == ()  # no row has been given yet
    publish(LAYOUT, rows("9.9.9.1"))
    assert take(["9.9.9.8"]) == ()
    assert take(["9.9.9.1"]) == ("9.9.9.1", "9.9.9.2")
    assert list(reading) == pages[2:]
    publish(LAYOUT, rows("9.9.9.2", "9.9.9.1"))
    assert take(["9.9.9.2"]) == ()


def test_pages_of_other_statements_and_of_other_columns_are_not(stamp: list[int]):
    list(foreseen(["event_id"], iter([page("9.9.9.4")])))
    list(foreseen(LAYOUT, iter([page("9.9.9.5"), page("9.9.9.6")])))
    stamp[0] = 8
    publish(LAYOUT, rows("9.9.9.1"))
    assert take(["9.9.9.1"]) == ("9.9.9.1",)


def test_few_pages_are_held():
    list(foreseen(LAYOUT, (page(f"9.9.9.{number}") for number in range(100))))
    assert len(addresses_ahead.PAGES) == addresses_ahead.MOST_PAGES
