"""Spans of a group: what AWS is asked for, newest first where it cannot, and who divides a span."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import pytest

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.aws.budget import Budget
from cloudtrail_fdw.sources.aws.call_rate import CallRate
from cloudtrail_fdw.sources.aws.log_groups import LogGroup
from cloudtrail_fdw.sources.cache.pieces import turned
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.sources.scan import group_pieces
from cloudtrail_fdw.sources.scan.group_pieces import NEWEST_FIRST_SINCE, GroupPieces
from cloudtrail_fdw.sources.scan.parallel_chains import Chain, run_chains
from cloudtrail_fdw.sources.scan.window_ask import FOREVER, Ask
from scan_model import START, Clock, Group, install, scan

OLD = 1_701_388_800_000  # 2023-12-01, ms


class Aws:
    """A local AWS as a process of its own, with sixty events in either of two years."""

    def __init__(self, folder: Path) -> None:
        events = folder / "events.jsonl"
        stamps = [f"{day}T{n:02}:{m:02}:00Z" for day in ("2023-12-31", "2024-12-01")
                  for n in range(20) for m in (0, 20, 40)]  # fmt: skip
        events.write_text("".join(json.dumps({"eventTime": s, "n": s[:4]}) + "\n" for s in stamps))
        program = [sys.executable, "-m", "cloudtrail_fdw.sandbox.local_aws"]
        options = ["--state", str(folder), "--events", str(events), "--scan-mb", "0.001"]
        command = [*program, *options, "--log-group", "trail"]
        self.process = subprocess.Popen(command)
        state, deadline = folder / "local_aws.json", time.monotonic() + 30
        while not state.exists():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.endpoint = str(json.loads(state.read_text())["endpoint"])

    def control(self, path: str, body: Optional[bytes] = None) -> Any:
        with urllib.request.urlopen(f"{self.endpoint}/_sandbox/{path}", body, 10) as answer:
            return json.load(answer)

    def asked(self, *names: str) -> list[tuple[Any, ...]]:
        """These parameters of each FilterLogEvents call since the last look."""
        found = self.control("requests")
        self.control("reset-stats", b"")
        return [tuple(call["parameters"].get(name) for name in names)
                for call in found if call["action"] == "FilterLogEvents"]  # fmt: skip

    def pieces(self, own: str = "", streams: tuple[str, ...] = ()) -> GroupPieces:
        settings = read_settings({
            "region": "us-east-1", "endpoint_url": self.endpoint, "cache": "off",
            "aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "secret",
        })  # fmt: skip
        ask = Ask(LogGroup("trail"), 0, FOREVER, streams, own, (), True, ordered=True)
        budget, rate = Budget(settings), CallRate(1000.0)
        return GroupPieces(settings, ask, budget, threading.Event(), None, rate)

    def read(self, low: int, high: int, newest_first: bool, **what: Any) -> list[LogEvent]:
        source = self.pieces(**what)
        found = source.chain_pages(low, high, "", newest_first, source.stop)
        return [event for page, _ in found for event in page]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    aws = Aws(tmp_path_factory.mktemp("aws"))
    yield aws
    aws.process.terminate()
    assert aws.process.wait(10) == 0


@pytest.fixture
def aws(started: Aws) -> Iterator[Aws]:
    """The same with all faults off and nothing asked yet."""
    started.control("reset-stats", b"")
    yield started
    for name in ("oldest-first-only", "access-denied", "invalid-pattern"):
        started.control(f"fault?name={name}&on=0", b"")


def test_a_chain_reads_its_span_and_no_more(aws: Aws) -> None:
    everything = aws.read(0, FOREVER, newest_first=False)
    assert len(everything) == 120
    asked = aws.asked("startTime", "endTime", "startFromHead", "filterPattern")
    assert len(asked) > 5
    assert set(asked) == {(None, None, None, None)}
    low, high = everything[70].timestamp, everything[90].timestamp
    for newest_first, head, order in ((False, None, 1), (True, False, -1)):
        assert aws.read(low, high, newest_first) == everything[70:90][::order]
        assert set(aws.asked("startTime", "endTime", "startFromHead")) == {(low, high - 1, head)}
    assert aws.read(1, FOREVER - 1, newest_first=False) == everything
    assert set(aws.asked("startTime", "endTime")) == {(1, FOREVER - 2)}


def test_a_pattern_may_be_left_out_unless_it_is_the_users_own(aws: Aws) -> None:
    aws.control("fault?name=invalid-pattern&on=1", b"")
    source = aws.pieces()
    found = source.chain_pages(0, FOREVER, "{ $.n = 2024 }", False, source.stop)
    assert sum(len(page) for page, _ in found) == 120
    own = aws.pieces(own="{ $.n = 2024 }")
    with pytest.raises(FdwError, match="AWS refused"):
        list(own.chain_pages(0, FOREVER, "{ $.n = 2024 }", False, own.stop))


def test_streams_are_asked_for_by_name(aws: Aws) -> None:
    everything = aws.read(0, FOREVER, newest_first=False)
    aws.asked()
    name = everything[0].log_stream_name
    found = aws.read(0, FOREVER, newest_first=False, streams=(name,))
    assert found == [event for event in everything if event.log_stream_name == name] != everything
    assert aws.asked("logStreamNames")[0] == ([name],)


def read(source: GroupPieces, low: int, high: int) -> list[LogEvent]:
    """The events of [low, high), newest first."""
    edge, end = turned(low, high, newest_first=True)
    return [e for piece in source.read(edge, end, "", True, 0.0) for e in piece.events]


def test_where_newest_first_is_unknown_it_is_read_in_steps(aws: Aws) -> None:
    everything = aws.read(0, FOREVER, newest_first=False)[::-1]
    aws.control("fault?name=oldest-first-only&on=1", b"")
    aws.asked()
    source = aws.pieces()
    low, high = NEWEST_FIRST_SINCE, everything[0].timestamp + 1
    for refused in (1, 0):  # tried once
        assert read(source, low, high) == everything[:60]
        assert [head for (head,) in aws.asked("startFromHead")].count(False) == refused


def test_what_is_refused_for_another_reason_is_an_error(aws: Aws) -> None:
    aws.control("fault?name=access-denied&on=1", b"")
    source = aws.pieces()
    with pytest.raises(FdwError, match="AWS refused"):
        read(source, NEWEST_FIRST_SINCE, FOREVER)
    assert not source.oldest_first_only
    assert len(aws.asked()) == 1


def test_before_2024_newest_first_is_not_asked_for(aws: Aws) -> None:
    everything = aws.read(0, FOREVER, newest_first=False)[::-1]
    aws.asked()
    high = everything[60].timestamp + 1
    assert read(aws.pieces(), OLD, high) == everything[60:]
    assert {head for (head,) in aws.asked("startFromHead")} == {None}
    assert read(aws.pieces(), NEWEST_FIRST_SINCE - 1, FOREVER)[:5] == everything[:5]
    assert {head for (head,) in aws.asked("startFromHead")} == {None}
    assert read(aws.pieces(), NEWEST_FIRST_SINCE, FOREVER) == everything[:60]
    assert {head for (head,) in aws.asked("startFromHead")} == {False}


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    """An event every ten milliseconds from START on."""
    found = Group(Clock(), tmp_path / "cache")
    install(monkeypatch, found.clock, found)
    for number in range(40):
        found.append(100 - 10 * number, "a")
    found.clock.now += 1000
    return found


@pytest.fixture
def divided(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, float]]:
    """What was given to several chains: from where, to where, and how much time a page took."""
    found = []

    def run(read: Any, first: Chain, *rest: Any) -> Any:
        found.append((first.edge, first.end, first.span))
        return run_chains(read, first, *rest)

    monkeypatch.setattr(group_pieces, "run_chains", run)
    return found


@pytest.mark.parametrize(
    ("end", "how", "parts"),
    [
        (230, {}, []),
        (231, {}, [(50, 231, 30.0)]),  # more pages than twice the three chains that 0.2 s take
        (400, {}, [(50, 400, 30.0)]),
        (400, {"ordered": True}, []),
        (400, {"latency": 0.05}, []),  # one chain keeps the quota busy
    ],
)
def test_a_span_is_divided_where_each_chain_gets_pages(
    group: Group, divided: list[tuple[int, int, float]], end: int, how: dict[str, Any],
    parts: list[tuple[int, int, float]],
) -> None:  # fmt: skip
    high = START + end
    source = scan(group, START, high, newest_first=False, **{"latency": 0.2, **how}).source
    pieces = source.read(START, high, "", False, 0.0)
    found = sorted(event.event_id for piece in pieces for event in piece.events)
    assert found == group.truth(START, high, ())
    assert divided == [(START + start, START + last, span) for start, last, span in parts]


def test_the_pages_of_a_span_are_counted_by_its_mean(
    group: Group, divided: list[tuple[int, int, float]]
) -> None:
    group.arrived.clear()
    for stamp in (0, 10, 20, 30, 40, 120, 120, 120, 121, 200, 300, 400):
        group.append(group.clock.now - START - stamp, "a")
    source = scan(group, START, FOREVER, newest_first=False, latency=0.2).source
    pieces = list(source.read(START, START + 500, "", False, 0.0))
    assert sum(len(piece.events) for piece in pieces) == 12
    assert divided == [(START + 121, START + 500, 50.5)]  # after a page of 100 ms and one of 1


def test_time_before_the_group_was_made_is_read_by_one_chain(
    group: Group, divided: list[tuple[int, int, float]]
) -> None:
    low, made, high = NEWEST_FIRST_SINCE, START + 100, START + 400
    for options, spans in (({}, [(low, made)]), ({"low": made}, [])):
        source = scan(group, low, high, latency=0.2).source
        assert source.facts is not None
        source.facts = replace(source.facts, creation=made)
        group.calls.clear()
        first = options.get("low", low)
        pieces = list(source.read(*turned(first, high, newest_first=True), "", True, 0.0))
        found = sorted(event.event_id for piece in pieces for event in piece.events)
        assert found == group.truth(first, high, ())
        assert divided.pop()[1] == 1 - made
        assert [call for call in group.calls if call[1] <= made] == spans
    assert divided == []


@pytest.mark.parametrize("newest_first", [True, False])
def test_the_inhabited_part(group: Group, newest_first: bool) -> None:
    source = scan(group, START, FOREVER, newest_first=newest_first).source
    assert source.inhabited(1 - START - 9, newest_first) == 1 - START - 9
    assert source.inhabited(9 - START, newest_first) == (1 if newest_first else 9) - START
    source.facts = None
    assert source.inhabited(9 - START, newest_first) == 9 - START
