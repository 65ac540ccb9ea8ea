"""The rate of calls: kept by all processes together, lowered by throttling, never stuck."""

from __future__ import annotations

import multiprocessing
import stat
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_fdw.sources.aws import call_rate
from cloudtrail_fdw.sources.aws.call_rate import LEAST, STATE, CallRate
from cloudtrail_fdw.sources.disk.sealed_file import CHECKSUM, seal

NOW = 1000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rate"


def turns(bucket: CallRate, count: int, now: float = NOW) -> list[float]:
    return [bucket.change(now, throttled=False) for _ in range(count)]


def rate_in_force(bucket: CallRate) -> float:
    assert bucket.path is not None
    return float(STATE.unpack(bucket.path.read_bytes()[CHECKSUM:])[1])


def take(path: Path, count: int, times: multiprocessing.Queue[float]) -> None:
    bucket = CallRate(50.0, path)
    for _ in range(count):
        bucket.wait(threading.Event())
        times.put(time.monotonic())


def test_processes_share_the_rate(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    times: multiprocessing.Queue[float] = context.Queue()
    takers = [context.Process(target=take, args=(path, 20, times)) for _ in range(2)]
    for taker in takers:
        taker.start()
    found = sorted(times.get(timeout=20) for _ in range(40))
    for taker in takers:
        taker.join()
    # 10 may go at once (BURST), 30 have to wait for 20 ms each
    assert 0.55 < found[-1] - found[0] < 3.0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_turn_is_due_every_so_often_after_a_burst() -> None:
    found = turns(CallRate(10.0), 4)
    assert found == pytest.approx([NOW - 0.2, NOW - 0.1, NOW, NOW + 0.1])


def test_throttling_lowers_the_rate_for_all_and_it_recovers(path: Path) -> None:
    one, other = CallRate(10.0, path), CallRate(10.0, path)
    turns(one, 1)
    one.change(NOW, throttled=True)
    assert rate_in_force(other) == pytest.approx(7.0)
    first, second = turns(other, 2, NOW + 10)
    assert second - first == pytest.approx(1 / 7)
    for _ in range(20):
        one.change(NOW, throttled=True)
    assert rate_in_force(other) == LEAST
    rates = []
    for number in range(60):
        turns(other, 1, NOW + 10 + number * 3)
        rates.append(rate_in_force(other))
    assert rates == sorted(rates)
    assert rates[10] < 5
    assert rates[-1] == 10


def test_after_a_pause_the_full_rate_is_tried_again(path: Path) -> None:
    bucket = CallRate(10.0, path)
    turns(bucket, 1)
    for _ in range(5):
        bucket.change(NOW, throttled=True)
    turns(bucket, 1, NOW + 100)
    assert rate_in_force(bucket) == 10.0


@given(st.binary(max_size=20) | st.builds(STATE.pack, st.floats(), st.floats()), st.booleans())
def test_a_damaged_file_delays_nobody_for_long(content: bytes, sealed: bool) -> None:
    with tempfile.NamedTemporaryFile() as file:
        checksum = seal(Path(file.name).name, content) if sealed else b""
        Path(file.name).write_bytes(checksum + content)
        found = turns(CallRate(10.0, Path(file.name)), 3)
    assert all(NOW - 1 < turn <= NOW + 64 for turn in found)
    assert all(0.0999 < b - a <= 1 / LEAST for a, b in zip(found, found[1:]))


def test_a_clock_that_is_set_back_delays_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = CallRate(10.0, path)
    bucket.wait(threading.Event())
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    began = time.monotonic()
    bucket.wait(threading.Event())
    assert time.monotonic() - began < 0.5


def test_without_a_usable_file_the_process_keeps_the_rate(tmp_path: Path) -> None:
    bucket = CallRate(10.0, tmp_path / "no such folder" / "rate")
    assert turns(bucket, 4) == pytest.approx([NOW - 0.2, NOW - 0.1, NOW, NOW + 0.1])


def test_a_stop_ends_the_wait() -> None:
    bucket, stop = CallRate(1.0), threading.Event()
    bucket.wait(stop)
    bucket.wait(stop)
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    bucket.wait(stop)
    assert time.monotonic() - began < 0.8


@pytest.mark.parametrize(
    ("quota", "latency", "chains"),
    [(25, 0.15, 5), (5, 0.189, 1), (5, 0.191, 2), (10, 0.5, 6), (25, 9.0, 32)],
)
def test_as_many_chains_as_rate_times_latency(quota: float, latency: float, chains: int) -> None:
    bucket = CallRate(quota)
    assert bucket.chains(latency) == 1
    bucket.answered(latency)
    assert bucket.chains(bucket.latest) == chains
    bucket.answered(0.0)
    assert bucket.latest == 0.0
    assert bucket.latency == pytest.approx(latency * 0.7)


def test_chains_that_wait_for_each_other_get_no_company() -> None:
    """A service, or a processor, that is busy answers later the more it is asked."""
    bucket = CallRate(100.0)
    bucket.answered(0.02)
    alone = bucket.latest
    for _ in range(50):
        bucket.answered(0.01 * bucket.chains(alone))
    assert bucket.latency == pytest.approx(0.05)
    assert bucket.chains(alone) == 5  # not 32
    assert bucket.chains(0.03) == 6  # the average, where that is less than twice as much


def test_the_quota_is_the_regions_unless_told(tmp_path: Path) -> None:
    bucket = call_rate.call_rate
    assert bucket("1", "us-east-1", 0, tmp_path).quota == 25
    assert bucket("1", "eu-central-1", 0, None).quota == 5
    assert bucket("1", "eu-west-1", 0, None).quota == 10
    assert bucket("1", "us-east-1", 3, tmp_path).quota == 3
    assert bucket("1", "us-east-1", 3, tmp_path) is bucket("1", "us-east-1", 3, tmp_path)
    assert bucket("1", "us-east-1", 3, tmp_path) is not bucket("2", "us-east-1", 3, tmp_path)
