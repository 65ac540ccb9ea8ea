"""Remote sources against a real HTTP server: limits, failures, what is kept, what is never told."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings, read_settings
from cloudtrail_fdw.sources.remote import abuseipdb, answer_cache, ipstack, remote_http, shodan
from cloudtrail_fdw.sources.remote.remote_addresses import look_up
from cloudtrail_fdw.sources.remote.remote_source import Source
from played_host import PlayedHost
from remote_server import HTML, KEY, Fault, Remote, ipstack_error, serving

SOURCES = {"ipstack": ipstack.SOURCE, "abuseipdb": abuseipdb.SOURCE, "shodan": shodan.SOURCE}


@pytest.fixture(scope="module")
def server() -> Iterator[Remote]:
    with serving() as running:
        yield running


@pytest.fixture
def remote(server: Remote, tmp_path: Path) -> Iterator[Remote]:
    """The server as it was at first, and nothing kept of it."""
    server.reset()
    tmp_path.chmod(0o700)
    yield server
    answer_cache.CACHES.clear()


def settings(remote: Remote, path: Path, **options: str) -> Settings:
    urls = {f"{name}_url": remote.url for name in SOURCES}
    keys = {f"{name}_key": KEY for name in SOURCES}
    return read_settings({"cache_directory": str(path), "remote_timeout": "3 s", **urls, **keys,
                          **options})  # fmt: skip


def statuses(source: Source, chosen: Settings, *texts: str) -> list[str]:
    return [answer.status for answer in look_up(source, chosen, texts, full=False).values()]


def failure(source: Source, chosen: Settings, *texts: str) -> FdwError:
    with pytest.raises(FdwError) as caught:
        look_up(source, chosen, texts or ("8.8.8.8",), full=False)
    error = caught.value
    assert KEY not in f"{error} {error.hint} {error.detail}"
    assert error.__context__ is None or KEY not in repr(error.__context__)
    assert error.hint or error.sqlstate == "57014"
    return error


def test_only_public_addresses_are_sent_and_each_once(remote: Remote, tmp_path: Path):
    texts = ["8.8.8.8", " 8.8.8.8", "::ffff:8.8.8.8", "10.0.0.1", "fd00::1", "AWS Internal",
             "ec2.amazonaws.com", "", "x y", "1.2.3.4, 5.6.7.8", "9.9.9.9"]  # fmt: skip
    for name, source in SOURCES.items():
        remote.reset()
        found = look_up(source, settings(remote, tmp_path), texts, full=False)
        assert set(found) == set(texts)
        assert [found[text].status for text in texts[:3]] == ["found"] * 3
        assert {found[text].status for text in texts[3:-1]} == {"not_sent"}
        assert found["9.9.9.9"].status == ("found" if name == "abuseipdb" else "none")
        sent = " ".join(remote.calls)
        assert (sent.count("8.8.8.8"), sent.count("9.9.9.9")) == (1, 1)
        assert set(remote.keys) == {KEY}


def test_answers_are_kept_with_their_age_and_apart_by_key(remote: Remote, tmp_path: Path):
    chosen = settings(remote, tmp_path)
    first = look_up(shodan.SOURCE, chosen, ["8.8.8.8"], full=True)
    assert look_up(shodan.SOURCE, chosen, ["8.8.8.8"], full=True) == first
    assert look_up(shodan.SOURCE, chosen, ["8.8.8.8"], full=False) == first  # full serves both
    assert len(remote.calls) == 1
    stale = settings(remote, tmp_path, shodan_keep="0 s")
    assert look_up(shodan.SOURCE, stale, ["8.8.8.8"], full=False)["8.8.8.8"].status == "found"
    assert len(remote.calls) == 2
    other = settings(remote, tmp_path, shodan_key="another")
    assert failure(shodan.SOURCE, other).sqlstate == "28000"
    path = tmp_path / answer_cache.FOLDER / answer_cache.FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert KEY.encode() not in path.read_bytes()


def test_the_less_is_not_served_as_the_full(remote: Remote, tmp_path: Path):
    chosen = settings(remote, tmp_path)
    for full, members in ((False, False), (True, True)):
        found = look_up(abuseipdb.SOURCE, chosen, ["8.8.8.8"], full=full)["8.8.8.8"]
        assert found.record
        assert ("reports" in found.record) is members
    longer = settings(remote, tmp_path, abuseipdb_max_age_days="30")
    found = look_up(abuseipdb.SOURCE, longer, ["8.8.8.8"], full=False)["8.8.8.8"]
    assert found.record
    assert "maxAgeInDays=30" in remote.calls[-1]
    assert len(remote.calls) == 3
    too_long = settings(remote, tmp_path, abuseipdb_max_age_days="366")
    assert "365" in failure(abuseipdb.SOURCE, too_long).message


def test_ipstack_is_asked_in_bulk_where_the_plan_allows(remote: Remote, tmp_path: Path):
    texts = [f"8.8.8.{number}" for number in range(60)]
    assert set(statuses(ipstack.SOURCE, settings(remote, tmp_path), *texts)) == {"found"}
    assert [call.count(",") for call in remote.calls] == [49, 9]
    remote.reset(bulk=False)
    texts = [f"8.8.4.{number}" for number in range(60)]
    assert set(statuses(ipstack.SOURCE, settings(remote, tmp_path), *texts)) == {"found"}
    assert [call.count(",") for call in remote.calls] == [49, *[0] * 60]
    remote.reset(bulk=False)
    again = statuses(ipstack.SOURCE, settings(remote, tmp_path), "8.1.1.1", "8.1.1.2")
    assert again == ["found", "found"]
    assert [call.count(",") for call in remote.calls] == [0, 0]


FAULTS: dict[str, tuple[str, Fault, str, str]] = {
    # source, answer, status, what the error says
    "ipstack usage": ("ipstack", Fault(200, ipstack_error(104, "usage_limit_reached")), "quota",
                      "monthly number of look-ups"),
    "ipstack rate": ("ipstack", Fault(429, ipstack_error(429, "rate_limit_reached"),
                                      {"Retry-After": "60"}), "throttled", "again in 60 s"),
    "ipstack other": ("ipstack", Fault(200, ipstack_error(301, "invalid_fields")), "unavailable",
                      "none of the documented"),
    "abuseipdb day": ("abuseipdb", Fault(
        429, {"errors": [{"detail": f"Daily rate limit of 1000 requests exceeded {KEY}",
                          "status": 429}]},
        {"Retry-After": "29241", "X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0"}),
        "quota", "daily limit of 1000 checks"),
    "abuseipdb 422": ("abuseipdb", Fault(422, {"errors": [{"detail": KEY, "status": 422}]}),
                      "unavailable", "HTTP status 422"),
    "shodan rate": ("shodan", Fault(429, {"error": f"Request rate limit reached {KEY}"},
                                    {"Retry-After": "30"}), "throttled", "again in 30 s"),
    "shodan 404 page": ("shodan", Fault(404, HTML), "unavailable", "HTTP status 404"),
    "html": ("shodan", Fault(200, HTML), "unavailable", "no JSON"),
    "malformed": ("ipstack", Fault(200, b'{"ip": "8.8.8.8", "city": '), "unavailable", "no JSON"),
    "not a number": ("ipstack", Fault(200, b'{"ip": NaN}'), "unavailable", "no JSON"),
    "deep": ("ipstack", Fault(200, b"[" * 100_000), "unavailable", "no JSON"),
    "other address": ("ipstack", Fault(200, {"ip": "8.8.4.4"}), "unavailable", "not about"),
    "array": ("abuseipdb", Fault(200, [1]), "unavailable", "not about"),
    "number": ("shodan", Fault(200, 7), "unavailable", "no JSON"),
    "5xx": ("abuseipdb", Fault(503, HTML), "unavailable", "HTTP status 503"),
    "redirect": ("shodan", Fault(302, b"", {"Location": "http://127.0.0.1:1/"}), "unavailable",
                 "HTTP status 302"),
    "cut off": ("shodan", Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{ "),
                "unavailable", "cut off"),
    "closed": ("ipstack", Fault(raw=b""), "unavailable", "cannot be reached"),
    "no HTTP": ("ipstack", Fault(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "unavailable", "reached"),
    "silent": ("ipstack", Fault(hang=True), "unavailable", "in time"),
    "dripping": ("shodan", Fault(drip=True), "unavailable", "in time"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_failure_is_an_error_or_a_status_and_tells_no_key(
    remote: Remote, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
):
    source, fault, status, text = FAULTS[name]
    caplog.set_level(logging.DEBUG)
    remote.reset(fault)
    started = time.monotonic()
    error = failure(SOURCES[source], settings(remote, tmp_path, remote_timeout="400 ms"))
    assert text in error.message
    assert error.sqlstate == ("HV00N" if status == "unavailable" else "53400")
    elsewhere = tmp_path / "elsewhere"  # where nobody has yet been told to wait
    tolerant = settings(remote, elsewhere, remote_timeout="400 ms", remote_errors="status")
    found = look_up(SOURCES[source], tolerant, ["8.8.8.8", "10.0.0.1"], full=False)
    assert [found["8.8.8.8"].status, found["10.0.0.1"].status] == [status, "not_sent"]
    assert KEY not in f"{found} {caplog.text}"
    assert time.monotonic() - started < 4


def test_keys_that_are_missing_or_wrong_are_errors_in_every_mode(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, source in SOURCES.items():
        chosen = settings(remote, tmp_path, remote_errors="status", **{f"{name}_key": ""})
        error = failure(source, chosen)
        assert error.message.startswith("no API key")
        assert f"{name}_key" in str(error.hint)
        variable = f"CLOUDTRAIL_FDW_{name.upper()}_KEY"
        assert variable in str(error.hint)
        assert statuses(source, chosen, "10.0.0.1", "x") == ["not_sent", "not_sent"]
        monkeypatch.setenv(variable, "wrong")
        assert "refused the API key" in failure(source, chosen).message
        monkeypatch.setenv(variable, f"{KEY} with\nblanks")
        assert "characters" in failure(source, chosen).message
        monkeypatch.setenv(variable, f" {KEY}\n")
        assert statuses(source, chosen, "8.8.8.8") == ["found"]


def test_a_failure_that_passes_is_not_noticed(remote: Remote, tmp_path: Path):
    remote.reset(Fault(503, HTML), Fault(raw=b""), Fault())
    assert statuses(ipstack.SOURCE, settings(remote, tmp_path), "8.8.8.8") == ["found"]
    remote.reset(Fault(429, {"error": "slow down"}, {"Retry-After": "0"}), Fault())
    assert statuses(shodan.SOURCE, settings(remote, tmp_path), "8.8.8.8") == ["found"]


def test_a_query_sends_no_more_than_max_lookups(remote: Remote, tmp_path: Path):
    texts = [f"8.8.8.{number}" for number in range(5)]
    error = failure(abuseipdb.SOURCE, settings(remote, tmp_path, max_lookups="3"), *texts)
    assert "max_lookups" in error.message
    assert remote.calls == []  # nothing was spent on a query that cannot be answered
    tolerant = settings(remote, tmp_path, max_lookups="3", remote_errors="status")
    assert statuses(abuseipdb.SOURCE, tolerant, *texts) == [*["found"] * 3, "quota", "quota"]
    assert len(remote.calls) == 3
    assert statuses(abuseipdb.SOURCE, tolerant, *texts) == ["found"] * 5  # kept ones are free


def test_a_source_that_wants_to_be_left_alone_is(remote: Remote, tmp_path: Path):
    remote.reset(Fault(429, {"errors": []}, {"Retry-After": "600"}), Fault())
    tolerant = settings(remote, tmp_path, remote_errors="status")
    texts = ["8.8.8.8", "8.8.4.4", "8.8.1.1"]
    assert set(statuses(abuseipdb.SOURCE, tolerant, *texts)) == {"quota"}
    assert set(statuses(abuseipdb.SOURCE, tolerant, *texts)) == {"throttled"}
    assert len(remote.calls) == 1


def test_an_outage_is_not_waited_for_once_for_each_address(remote: Remote, tmp_path: Path):
    remote.reset(Fault(503, HTML))
    tolerant = settings(remote, tmp_path, remote_errors="status", remote_timeout="100 ms")
    texts = [f"8.8.8.{number}" for number in range(50)]
    assert set(statuses(abuseipdb.SOURCE, tolerant, *texts)) == {"unavailable"}
    assert len(remote.calls) == 3


def test_with_network_enrichment_off_nothing_is_sent(remote: Remote, tmp_path: Path):
    off = settings(remote, tmp_path, network_enrichment="off", ipstack_key="")
    found = look_up(ipstack.SOURCE, off, ["8.8.8.8", "10.0.0.1"], full=False)
    assert (found["8.8.8.8"].status, found["10.0.0.1"].status) == ("network_off", "not_sent")
    assert remote.calls == []


def test_shodan_is_asked_once_a_second(remote: Remote, tmp_path: Path):
    started = time.monotonic()
    statuses(shodan.SOURCE, settings(remote, tmp_path), "8.8.8.8", "8.8.4.4")
    assert 1.0 <= time.monotonic() - started < 2.5


def test_a_cancel_ends_the_wait(remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    host = PlayedHost()
    monkeypatch.setattr(interrupts, "HOST", host)
    remote.reset(Fault(hang=True))
    timer = threading.Timer(0.2, setattr, (host, "stop", True))
    timer.start()
    started = time.monotonic()
    error = failure(ipstack.SOURCE, settings(remote, tmp_path, remote_timeout="20 s"))
    timer.join()
    assert error.sqlstate == "57014"
    assert time.monotonic() - started < 0.7


def test_bodies_beyond_the_limit_are_not_read(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(remote_http, "LARGEST", 10)
    assert "too long" in failure(ipstack.SOURCE, settings(remote, tmp_path)).message


def test_logs_of_the_library_name_no_key(remote: Remote, tmp_path: Path):
    """It warns of headers it cannot read, with the whole URL."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    logger = logging.getLogger("urllib3")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        remote.reset(Fault(raw=b"HTTP/1.1 200 OK\r\nbad header\r\nContent-Length: 2\r\n\r\n{}"))
        failure(ipstack.SOURCE, settings(remote, tmp_path))
        failure(shodan.SOURCE, settings(remote, tmp_path))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert KEY not in text.getvalue()
    assert "127.0.0.1" in text.getvalue()  # it did tell of something


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), (" 5 ", 5.0), ("", None), ("soon", None), ("-1", None), ("1e9", None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date(text: str, seconds: Optional[float]):
    assert remote_http.read_delay(text) == seconds
