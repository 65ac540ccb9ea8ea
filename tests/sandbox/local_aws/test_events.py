"""Lines of a file become log events: bytes, times, places."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from cloudtrail_fdw.sandbox import events

REAL = Path(__file__).parents[4] / "shared" / "data" / "cloudtrail-2900.jsonl.gz"
FILES = [path for path in (events.SAMPLE, REAL) if path.exists()]


def at(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\n", ["a", ""]),
        (b"\n", [""]),
        (b"\na", ["", "a"]),
        (b"a\r\nb \n", ["a\r", "b "]),
        ("a\u2028b\x0b\x1c\x85c\n".encode(), ["a\u2028b\x0b\x1c\x85c"]),
        (b"\xff\xfe{}\x00\n", ["\ufffd\ufffd{}\x00"]),
        (b"\xed\xa0\x80", ["\ufffd\ufffd\ufffd"]),
    ],
)
def test_only_a_line_feed_ends_a_message(data: bytes, messages: list[str]) -> None:
    assert events.split(data) == messages


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_come_byte_for_byte_and_in_order(path: Path) -> None:
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    loaded = events.load(path)
    assert [event.message.encode() for event in loaded] == raw.rstrip(b"\n").split(b"\n")
    for event in loaded:
        happened = events.event_time(event.message)
        assert happened is None or 60_000 <= event.timestamp - happened <= 900_000
    assert loaded == events.load(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T01:02:03Z", "2026-11-20T01:02:03"),
        ("2026-11-20T01:02:03.456Z", "2026-11-20T01:02:03.456"),
        ("2026-11-20T01:02:03.4567891Z", "2026-11-20T01:02:03.456"),
        ("2022-09-15 13:45:24", "2022-09-15T13:45:24"),
        ("2022-09-15 13:45:24Z", "2022-09-15T13:45:24"),
        ("20131102T010628Z", "2013-11-02T01:06:28"),
        ("2026-11-20T01:02:03+01:00", "2026-11-20T00:02:03"),
        ("2026-02-30T01:02:03Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1700000000, None),
    ],
)
def test_event_times_are_read_in_the_forms_that_occur(text: object, expected: str | None) -> None:
    found = events.event_time(json.dumps({"x": {"eventTime": "2000-01-01T00:00:00Z"},
                                          "eventTime": text}))  # fmt: skip
    assert found == (None if expected is None else at(expected))


@pytest.mark.parametrize(
    "message", ["", "x", "[]", "{}", '{"a":{"eventTime":"2026-11-20T01:02:03Z"}}']
)
def test_what_has_no_time_of_its_own_keeps_its_place(message: str) -> None:
    timed = [json.dumps({"eventTime": f"2026-11-20T0{hour}:00:00Z"}) for hour in (1, 5, 3)]
    lines = [message, timed[0], message, timed[1], message, timed[2], message]
    stamps = [event.timestamp for event in events.deliver(lines)]
    assert stamps[0] == stamps[1] == stamps[2]
    assert stamps[3] == stamps[4] > stamps[5] == stamps[6]


def test_without_any_time_it_is_now() -> None:
    before = events.now()
    (event,) = events.deliver(["x"])
    assert before <= event.timestamp <= events.now()
    assert events.deliver(["x"], before=5) == [(5, "x")]


def test_delays_differ_between_equal_messages_and_are_kept_when_events_are_added() -> None:
    line = json.dumps({"eventTime": "2026-11-20T01:00:00Z"})
    stamps = [event.timestamp for event in events.deliver([line] * 50)]
    assert len(set(stamps)) > 40
    rest = events.deliver([line] * 20, first_index=30)
    assert [event.timestamp for event in rest] == stamps[30:]


@pytest.mark.parametrize(("percent", "low", "high"), [(0, 0, 0), (10, 150, 260), (100, 2000, 2000)])
def test_some_events_are_late(percent: float, low: int, high: int) -> None:
    line = json.dumps({"eventTime": "2026-11-20T01:00:00Z"})
    happened = at("2026-11-20T01:00:00")
    lags = [e.timestamp - happened for e in events.deliver([line] * 2000, late_percent=percent)]
    late = [lag for lag in lags if lag > 900_000]
    assert low <= len(late) <= high
    assert all(5_400_000 <= lag <= 93_600_000 for lag in late)


def test_shifting_moves_all_quoted_times_alike_and_nothing_else() -> None:
    line = (
        '{"eventTime":"2026-11-20T23:59:59Z","a":"2026-11-20 00:00:00.123","n":20261120, '
        '"none":"0001-01-01T00:00:00Z",'
        '"text":"at 2026-11-20T00:00:00Z","odd":"2026-13-01T00:00:00Z","날":"20131102T010628Z",'
        '"zone":"2026-11-20T00:00:00.5+01:00","quoted":"\\"2026-11-20T00:00:00Z\\""}'
    )
    (plain,) = events.deliver([line])
    (moved,) = events.shift([plain], plain.timestamp + 86_401_999)
    assert moved.timestamp == plain.timestamp + 86_401_000
    assert moved.message == (
        '{"eventTime":"2026-11-22T00:00:00Z","a":"2026-11-21 00:00:01.123","n":20261120, '
        '"none":"0001-01-01T00:00:00Z",'
        '"text":"at 2026-11-20T00:00:00Z","odd":"2026-13-01T00:00:00Z","날":"20131103T010629Z",'
        '"zone":"2026-11-21T00:00:01.5+01:00","quoted":"\\"2026-11-20T00:00:00Z\\""}'
    )


def test_shifting_puts_the_last_delivery_at_the_present() -> None:
    now = events.now()
    plain = events.load(events.SAMPLE, late_percent=10)
    moved = events.load(events.SAMPLE, late_percent=10, newest=now)
    assert now - 1000 < max(event.timestamp for event in moved) <= now
    assert len({b.timestamp - a.timestamp for a, b in zip(plain, moved)}) == 1
    lags = [[e.timestamp - (events.event_time(e.message) or e.timestamp) for e in found]
            for found in (plain, moved)]  # fmt: skip
    assert lags[0] == lags[1]
    assert events.shift([], now) == []


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(EOFError):
        events.load(path)


def test_shift_and_late_are_options_of_the_process(
    start: Callable[..., object], records: Callable[..., str]
) -> None:
    lines = [records(number) for number in range(50)]
    sandbox = start(lines, "--shift-to-now", "--late-percent", "50")
    logs = sandbox.client("logs")  # type: ignore[attr-defined]
    found = logs.filter_log_events(logGroupName="trail")["events"]
    lags = [e["timestamp"] - (events.event_time(e["message"]) or 0) for e in found]
    assert 10 < sum(lag > 900_000 for lag in lags) < 40
    assert 0 <= events.now() - max(e["timestamp"] for e in found) < 60_000
