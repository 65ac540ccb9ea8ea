"""What reverse DNS knows ahead: of the same statement, once one of its addresses is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

import msgspec
import pytest

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.sources.names import addresses_ahead
from cloudtrail_fdw.sources.names.addresses_ahead import MOST, following, foreseen, publish, take
from played_host import PlayedHost

LAYOUT = ["event_id", "", "source_ip_address"]


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedHost]:
    """The host, whose running statement a test may change."""
    now = PlayedHost(7)
    monkeypatch.setattr(interrupts, "HOST", now)
    monkeypatch.setattr(addresses_ahead, "AHEAD", addresses_ahead.Ahead())
    addresses_ahead.COMING.clear()
    yield now
    addresses_ahead.COMING.clear()


def rows(*addresses: Optional[str]) -> bytes:
    return msgspec.msgpack.encode([("id", None, address) for address in addresses])


def test_rows_are_given_once_and_only_when_one_of_them_is_asked_for(host: PlayedHost):
    publish(LAYOUT, rows("9.9.9.1", None, "9.9.9.2", "9.9.9.1"))
    assert take(["9.9.9.3"]) == ()
    assert take(["9.9.9.3", "9.9.9.2"]) == ("9.9.9.1", "9.9.9.2")
    assert take(["9.9.9.2"]) == ()
    publish(LAYOUT, rows("9.9.9.2", "9.9.9.4"))
    assert take(["9.9.9.1"]) == ("9.9.9.4",)  # the statement has asked for one before
    publish(["event_id"], b"not looked at")
    publish(LAYOUT, rows("9.9.9.5"))
    host.moment = 8
    assert take(["9.9.9.5", "9.9.9.1"]) == ()
    publish(LAYOUT, rows("9.9.9.6"))
    assert take(["9.9.9.5", "9.9.9.1"]) == ()
    assert take(["9.9.9.6"]) == ("9.9.9.6",)


def test_pages_that_wait_are_given_too(host: PlayedHost):
    pages = [rows("9.9.9.1"), rows("9.9.9.2", None, "9.9.9.1"), rows("9.9.9.3")]
    reading = foreseen(LAYOUT, iter(pages))
    assert [next(reading), next(reading)] == pages[:2]
    assert take(["9.9.9.2"]) == ()  # no row has been given yet
    publish(LAYOUT, pages[0])
    assert take(["9.9.9.8"]) == ()
    assert take(["9.9.9.1"]) == ("9.9.9.1", "9.9.9.2")
    assert list(reading) == pages[2:]
    publish(LAYOUT, pages[1])
    assert take(["9.9.9.2"]) == ("9.9.9.3",)
    publish(LAYOUT, pages[2])
    assert take(["9.9.9.2"]) == ()


def test_pages_of_other_statements_and_of_other_columns_are_not(host: PlayedHost):
    list(foreseen(["event_id"], iter([rows("9.9.9.4")])))
    list(foreseen(LAYOUT, iter([rows("9.9.9.5"), rows("9.9.9.6")])))
    host.moment = 8
    publish(LAYOUT, rows("9.9.9.1"))
    assert take(["9.9.9.1"]) == ("9.9.9.1",)


def test_few_pages_are_held(monkeypatch: pytest.MonkeyPatch):
    list(foreseen(LAYOUT, (rows(f"9.9.9.{number}") for number in range(100))))
    assert len(addresses_ahead.COMING) == addresses_ahead.MOST_COMING
    addresses_ahead.COMING.clear()
    page = rows("9.9.9.0")
    monkeypatch.setattr(addresses_ahead, "MOST_BYTES", 3 * len(page))
    for number in range(9):
        publish(LAYOUT, rows(f"9.9.9.{number}"))
        assert addresses_ahead.AHEAD.size == len(page) * min(3, number + 1)
        assert len(addresses_ahead.AHEAD.pages) == min(3, number + 1)
    assert take(["9.9.9.8"]) == tuple(f"9.9.9.{number}" for number in range(9))


def test_not_more_than_so_many_addresses_are_held():
    for start in range(0, 3 * MOST, MOST // 2):
        publish(LAYOUT, rows(*(f"2001:db8::{number:x}" for number in range(start, start + MOST))))
    last = f"2001:db8::{3 * MOST + MOST // 2 - 1:x}"
    found = take([last])
    assert MOST // 2 <= len(found) <= MOST
    assert found[-1] == last
    assert len(addresses_ahead.AHEAD.places) == len(addresses_ahead.AHEAD.order) == len(found)
    assert following(found[5], 2) == list(found[6:8])


def test_however_many_were_given_the_next_ones_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(addresses_ahead, "MOST", 4)
    for page in range(9):
        addresses = [f"9.9.{page}.{number}" for number in range(3)]
        publish(LAYOUT, rows(*addresses))
        assert take(addresses[1:2]) == tuple(addresses)
        assert len(addresses_ahead.AHEAD.order) <= 4


def test_what_follows_an_address_is_in_the_order_of_events_however_often_it_is_asked():
    publish(LAYOUT, rows("9.9.9.1", None, "9.9.9.2", "9.9.9.1", "9.9.9.3"))
    for _ in range(2):
        assert following("9.9.9.1", 9) == ["9.9.9.2", "9.9.9.3"]
        assert following("9.9.9.1", 1) == ["9.9.9.2"]
        assert following("9.9.9.3", 9) == []
        assert following("9.9.9.4", 9) == ()
    publish(LAYOUT, rows("9.9.9.2", "9.9.9.4"))
    assert following("9.9.9.4", 9) == []
    assert following("9.9.9.2", 9) == ["9.9.9.3", "9.9.9.4"]
    assert take(["9.9.9.4"]) == ("9.9.9.1", "9.9.9.2", "9.9.9.3", "9.9.9.4")


def test_what_follows_takes_no_more_pages_than_it_must():
    pages = [rows(f"9.9.{page}.1", f"9.9.{page}.2") for page in range(4)]
    list(foreseen(LAYOUT, iter(pages)))
    publish(LAYOUT, pages[0])
    publish(LAYOUT, pages[1])
    assert following("9.9.0.1", 9) == ()  # the query is past it
    assert following("9.9.1.1", 2) == ["9.9.1.2", "9.9.2.1"]
    assert len(addresses_ahead.COMING) == 1
    publish(LAYOUT, pages[2])  # known already
    assert len(addresses_ahead.COMING) == 1
    publish(LAYOUT, pages[3])
    assert take(["9.9.3.1"]) == tuple(f"9.9.{page}.{number}" for page in (1, 2, 0, 3)
                                      for number in (1, 2))  # fmt: skip


def test_nothing_follows_in_another_statement(host: PlayedHost):
    publish(LAYOUT, rows("9.9.9.1", "9.9.9.2"))
    host.moment = 8
    assert following("9.9.9.1", 9) == ()


def test_without_a_server_nothing_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(interrupts, "HOST", interrupts.Host())
    publish(LAYOUT, rows("9.9.9.1"))
    assert not addresses_ahead.AHEAD.pages
    assert take(["9.9.9.1"]) == ()
    assert (addresses_ahead.AHEAD.stamp, addresses_ahead.AHEAD.size) == (0, 0)
