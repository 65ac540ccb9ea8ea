"""How long reverse DNS waits: for servers that are slow, silent or many, and not past a cancel."""

from __future__ import annotations

import selectors
import threading
import time
from dataclasses import replace
from typing import Any, Optional

import pytest

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sandbox.dns_server import Zone
from cloudtrail_fdw.sources.names import dns_channel, dns_questions, reverse_dns
from cloudtrail_fdw.sources.names.dns_patience import Patience
from cloudtrail_fdw.sources.names.reverse_dns import resolve
from played_host import PlayedHost


def test_a_silent_server_costs_no_more_than_the_deadline(zone: Zone, settings: Settings):
    texts = [f"8.8.{third}.{fourth}" for third in range(8) for fourth in range(100)]
    zone.change({"silent": texts})
    started = time.monotonic()
    answers = resolve(["54.240.200.68", *texts], settings)
    assert time.monotonic() - started < 10  # one after the other: 480 s
    assert answers["54.240.200.68"].status == "found"
    assert {"timeout"} == {answers[text].status for text in texts}


def test_many_addresses_are_asked_at_once(zone: Zone, settings: Settings):
    texts = [f"8.8.{third}.{fourth}" for third in range(2) for fourth in range(100)]
    zone.change({"names": {text: [f"h{text}.example"] for text in texts}, "latency_ms": 30})
    started = time.monotonic()
    answers = resolve(texts, settings)
    assert time.monotonic() - started < 4  # one after the other: 6 s
    assert {"found"} == {answer.status for answer in answers.values()}


def test_silent_addresses_take_no_place_from_others(
    zone: Zone, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dns_questions, "IN_FLIGHT", 10)
    silent = [f"8.8.8.{number}" for number in range(20)]
    others = [f"9.9.9.{number}" for number in range(40)]
    zone.change({"silent": silent})
    patient = replace(settings, dns_timeout=1.0)
    answers = resolve([*silent, *others], patient)
    assert {answers[text].status for text in silent} == {"timeout"}
    assert {answers[text].status for text in others} == {"none"}


def test_a_channel_that_closes_hears_no_more_of_its_sockets(zone: Zone, settings: Settings):
    late = []

    class Slow(selectors.DefaultSelector):
        closing = False

        def close(self) -> None:
            self.closing = True
            time.sleep(0.5)  # pycares' thread lets go of the sockets meanwhile
            super().close()

        def unregister(self, fileobj: Any) -> selectors.SelectorKey:
            if self.closing:
                late.append(fileobj)
            return super().unregister(fileobj)

    zone.change({"silent": ["8.8.8.8"]})
    channel = dns_channel.Channel(settings.dns_servers, settings.dns_timeout)
    channel.selector = Slow()
    channel.ask(dns_channel.Question("8.8.8.8.in-addr.arpa", "PTR"), lambda reply: None)
    assert channel.selector.get_map()
    channel.close()
    assert not late


def test_patience_is_one_for_many_calls(zone: Zone, settings: Settings):
    cares = dns_channel.Channel(settings.dns_servers, settings.dns_timeout)
    zone.change({"silent": ["8.8.8.8", "8.8.4.4"]})

    def ask(name: str, questions: dns_questions.Questions) -> tuple[str, float]:
        question = dns_channel.Question(f"{name}.in-addr.arpa", "PTR")
        started = time.monotonic()
        questions.want([question])
        questions.wait([question])
        return questions.take()[question].status, time.monotonic() - started

    one = dns_questions.Questions(cares, Patience(0.6))
    assert ask("8.8.8.8", one)[1] > 0.4
    assert ask("4.4.8.8", one)[1] < 0.5  # the rest, whatever c-ares' own timeouts left of it
    assert ask("4.4.8.8", one)[0] == "unasked"  # as nothing was ever heard

    other = dns_questions.Questions(cares, Patience(0.6))
    assert ask("9.9.9.9", other)[0] == "none"
    assert ask("8.8.8.8", other)[1] > 0.4
    zone.change({"latency_ms": 20})
    assert ask("9.9.9.9", other)[0] == "none"  # what answers is still waited for
    spent = [ask("8.8.8.8", other)[1] for _ in range(8)]
    assert sum(spent) < 3  # 0.6 s each: 4.8 s


def test_what_was_never_asked_is_a_timeout_for_this_query_alone(
    zone: Zone, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(interrupts, "HOST", PlayedHost(7))
    monkeypatch.setattr(reverse_dns, "PATIENCES", {})
    zone.change({"silent": ["8.8.8.8"]})
    assert resolve(["8.8.8.8"], settings)["8.8.8.8"].status == "timeout"
    zone_before = dict(zone.queries)
    first = [resolve([text], settings)[text].status for text in ("8.8.8.8", "9.9.9.9", "9.9.9.9")]
    monkeypatch.setattr(interrupts, "HOST", PlayedHost(8))
    later = [resolve([text], settings)[text].status for text in ("8.8.8.8", "9.9.9.9")]
    assert later == ["timeout", "none"]
    assert first[0] == "timeout"
    assert sum(zone.queries.values()) <= sum(zone_before.values()) + 2


def test_a_cancel_ends_the_wait_and_leaves_nothing_behind(
    zone: Zone, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    host = PlayedHost()
    monkeypatch.setattr(interrupts, "HOST", host)
    zone.change({"silent": ["8.8.8.8"]})
    patient = replace(settings, dns_timeout=20.0)
    timer = threading.Timer(0.2, setattr, (host, "stop", True))
    timer.start()
    started = time.monotonic()
    try:
        with pytest.raises(FdwError) as caught:
            resolve(["8.8.8.8"], patient)
    finally:
        timer.join()
        host.stop = False
    assert time.monotonic() - started < 5  # of 20 s
    assert caught.value.sqlstate == "57014"
    assert not reverse_dns.CACHE
    assert resolve(["54.240.200.68"], patient)["54.240.200.68"].status == "found"


def test_what_got_lost_is_asked_again_and_what_is_slow_is_waited_for(
    zone: Zone, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    lost: set[bytes] = set()
    answer = zone.answer

    def lose_first(data: bytes, longest: int) -> Optional[bytes]:
        if data[12:] in lost:
            return answer(data, longest)
        return lost.add(data[12:])

    patient = replace(settings, dns_timeout=2.0)
    reverse_dns.LOOKUPS.clear()
    started = time.monotonic()
    with monkeypatch.context() as losing:
        losing.setattr(zone, "answer", lose_first)
        assert resolve(["9.9.7.1"], patient)["9.9.7.1"].status == "none"
    assert len(lost) == 1
    assert time.monotonic() - started < 1.9
    reverse_dns.LOOKUPS.clear()
    zone.change({"latency_ms": 900})
    assert resolve(["9.9.7.2"], patient)["9.9.7.2"].status == "none"
