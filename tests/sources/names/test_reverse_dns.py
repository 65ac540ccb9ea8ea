"""Names by reverse DNS, from a real name server on the loopback address."""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings, read_settings
from cloudtrail_fdw.sandbox.dns_server import Zone
from cloudtrail_fdw.sources.address.address import classify
from cloudtrail_fdw.sources.names import dns_names, name_cache, reverse_dns
from cloudtrail_fdw.sources.names.reverse_dns import Answer, resolve
from played_host import PlayedHost

HOSTILE = 'a\nb\x00"<script>. ${x}\x1b[31m\xff.example'


def with_servers(servers: str, timeout: str = "2 s") -> Settings:
    """Settings without a cache on disk."""
    return read_settings({"dns_servers": servers, "dns_timeout": timeout, "cache": "off"})


def test_one_name_several_names_and_none(zone: Zone, settings: Settings):
    answers = resolve(["54.240.200.68", "82.102.17.180", "2600:1f18:243:a800::1", "9.9.9.9",
                       "::ffff:54.240.200.68"], settings)  # fmt: skip
    tokyo = "server-54-240-200-68.nrt12.r.cloudfront.net"
    several = ("no-rdns.example.org", "vpn-180.example.org")
    assert answers == {
        "54.240.200.68": Answer(tokyo, (tokyo,), "found"),
        "82.102.17.180": Answer(several[0], several, "found"),
        "2600:1f18:243:a800::1": Answer(
            "ec2-ipv6.us-east-1.example.com", ("ec2-ipv6.us-east-1.example.com",), "found"
        ),
        "9.9.9.9": Answer(None, (), "none"),
        "::ffff:54.240.200.68": Answer(tokyo, (tokyo,), "found"),
    }
    assert zone.queries == {"PTR": 4}


def test_what_is_no_public_address_is_never_sent_out(zone: Zone, settings: Settings):
    texts = ["10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254", "fd00::1", "::1",
             "100.64.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1", "::ffff:10.0.0.1",
             "2002:a00:1::", "AWS Internal", "ec2.amazonaws.com", "a.example", "", "x"]  # fmt: skip
    answers = resolve(texts, settings)
    assert {"not_requested"} == {answer.status for answer in answers.values()}
    assert list(answers) == texts
    assert not zone.queries


def test_a_name_is_confirmed_only_when_it_leads_back(zone: Zone, settings: Settings):
    zone.change({"names": {"2600:1f18::7": ["v6.example.com"]}})
    answers = resolve(["3.141.213.252", "157.230.162.15", "2600:1f18::7", "9.9.9.9"],
                      settings, confirm=True)  # fmt: skip
    assert [answer.status for answer in answers.values()] == [
        "confirmed", "found", "confirmed", "none",
    ]  # fmt: skip
    assert zone.queries == {"PTR": 4, "A": 2, "AAAA": 1}


def test_answers_are_remembered_good_ones_bad_ones_and_none(zone: Zone, settings: Settings):
    zone.change({"silent": ["8.8.8.8"], "servfail": ["8.8.4.4"]})
    texts = ["54.240.200.68", "9.9.9.9", "8.8.8.8", "8.8.4.4"]
    first = resolve(texts, settings)
    assert [answer.status for answer in first.values()] == ["found", "none", "timeout", "error"]
    asked = zone.queries.total() if sys.version_info >= (3, 10) else sum(zone.queries.values())
    assert resolve(texts, settings) == first
    assert asked == sum(zone.queries.values())
    keeps = {kept.answer.status: kept.expiry - time.monotonic()
             for kept in reverse_dns.CACHE.values()}  # fmt: skip
    assert 50 < keeps["found"] <= 60  # the TTL
    assert 290 < keeps["none"] <= 300
    assert 20 < keeps["timeout"] <= 30
    assert 20 < keeps["error"] <= 30


def test_what_is_remembered_expires_and_is_bounded(
    zone: Zone, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reverse_dns, "CACHED", 2)
    monkeypatch.setattr(dns_names, "KEEP_NONE", 0.0)
    resolve(["9.9.9.9"], settings)
    resolve(["9.9.9.9"], settings)
    assert zone.queries["PTR"] >= 2  # a busy machine's answer may be late, and asked for again
    resolve(["54.240.200.68", "82.102.17.180", "3.141.213.252"], settings)
    assert len(reverse_dns.CACHE) == 2


def test_answers_are_good_for_the_whole_query(
    zone: Zone, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dns_names, "KEEP_NONE", 0.0)
    for stamp, queries in ((7, 1), (7, 1), (8, 2)):
        monkeypatch.setattr(interrupts, "HOST", PlayedHost(stamp))
        assert resolve(["9.9.9.9"], settings)["9.9.9.9"].status == "none"
        assert zone.queries == {"PTR": queries}


def test_hostile_names_are_made_printable_and_short(zone: Zone, settings: Settings):
    zone.change({"names": {"8.8.8.8": [HOSTILE, ".".join(["x" * 63] * 3 + ["y" * 57])]}})
    answer = resolve(["8.8.8.8"], settings)["8.8.8.8"]
    assert answer.status == "found"
    assert len(answer.names) == 2
    for name in answer.names:
        assert name.isascii()
        assert name.isprintable()
        assert " " not in name
        assert 0 < len(name) <= 255
        assert not name.endswith(".")
    assert dns_names.safe_name("a\u202e\x00b c.") == r"a\u202e\x00b\x20c"
    assert len(dns_names.safe_name("\x00" * 400)) == 255


def test_threads_of_the_library_receive_no_signal(zone: Zone, settings: Settings):
    resolve(["54.240.200.68"], settings)
    helper = [thread for thread in threading.enumerate() if thread.daemon]
    masks = {
        line.split()[1]
        for thread in helper
        for line in Path(f"/proc/self/task/{thread.native_id}/status").read_text().splitlines()
        if line.startswith("SigBlk")
    }
    assert masks
    # all but SIGKILL, SIGSTOP and the two that the C library keeps for itself
    assert {"fffffffe7ffbfeff"} == masks


@pytest.mark.parametrize("servers", ["ns.example.com", "127.0.0.1:port", "127.0.0.1;x"])
def test_a_bad_server_list_is_an_error(servers: str):
    with pytest.raises(FdwError, match="option dns_servers") as caught:
        resolve(["8.8.8.8"], with_servers(servers))
    assert "192.0.2.53" in str(caught.value.hint)


def test_a_port_where_nobody_listens_is_an_answer(settings: Settings):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    closed = with_servers(f"127.0.0.1:{port}", "500 ms")
    assert resolve(["8.8.8.8"], closed)["8.8.8.8"].status in ("error", "timeout")


def test_without_pycares_each_call_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pycares", None)
    settings = with_servers("127.0.0.1:1")
    for _ in range(2):
        with pytest.raises(FdwError, match="needs the Python package pycares") as caught:
            resolve(["8.8.8.8"], settings)
        assert "-m pip install 'pycares>=5'" in str(caught.value.hint)


def test_pointer_names_are_those_of_the_standard_library(zone: Zone, settings: Settings):
    for text in ("54.240.200.68", "2600:1f18:243:a800::1"):
        address: Any = ipaddress.ip_address(text)
        found = dns_names.pointer_name(classify(text))
        assert address.reverse_pointer == found


def test_answers_on_disk_are_good_for_their_time_and_for_others(
    zone: Zone, settings: Settings, tmp_path: Path
):
    tmp_path.chmod(0o700)
    shared = replace(settings, cache="on", cache_directory=str(tmp_path))
    zone.change({"silent": ["8.7.8.8"], "servfail": ["8.7.4.4"]})
    texts = ["54.240.200.68", "157.230.162.15", "9.9.9.9", "8.7.8.8", "8.7.4.4"]
    first = {confirm: resolve(texts, shared, confirm) for confirm in (False, True)}
    asked = sum(zone.queries.values())
    reverse_dns.CACHE.clear()
    assert {confirm: resolve(texts, shared, confirm) for confirm in (False, True)} == first
    assert sum(zone.queries.values()) == asked
    disk = name_cache.name_cache(shared)
    assert disk is not None
    pointers = [dns_names.pointer_name(classify(text)) for text in texts]
    found = disk.find(settings.dns_servers, False, pointers, settings.dns_timeout)
    for pointer, most in zip(pointers, (60, 60, 300, 30, 30)):
        assert most - 10 < found[pointer][1] <= most
    # and no longer here than there
    assert max(kept.expiry for kept in reverse_dns.CACHE.values()) < time.monotonic() + 300


def test_a_name_that_could_not_be_asked_is_not_unconfirmed_for_long(
    zone: Zone, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    zone.change({"names": {"8.8.6.6": ["not-asked-before.example"]}})
    monkeypatch.setattr(zone, "forward", lambda name, kind: (2, []))  # SERVFAIL
    assert resolve(["8.8.6.6"], settings, confirm=True)["8.8.6.6"].status == "found"
    (kept,) = reverse_dns.CACHE.values()
    assert kept.expiry - time.monotonic() < 31
