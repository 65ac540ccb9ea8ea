"""The law of FilterLogEvents: all pages together are the filtered, sorted list, whatever cuts."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtrail_fdw.sandbox.events import Delivered
from cloudtrail_fdw.sandbox.local_aws import filter_log_events as api
from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError
from cloudtrail_fdw.sandbox.local_aws.store import LogGroup
from cloudtrail_fdw.sandbox.local_aws.tokens import Tokens

NEWEST = api.NEWEST_FIRST_SINCE
STREAM = "123456789012_CloudTrail_us-east-1"


def group_of(sizes: list[tuple[int, int]]) -> LogGroup:
    """A group of events (offset in ms, bytes), every third of which is named Wanted."""
    group = LogGroup("trail", 0)
    group.add(
        Delivered(
            NEWEST + offset,
            json.dumps({"eventName": "Wanted" if number % 3 == 0 else "Other", "x": "é" * size}),
        )
        for number, (offset, size) in enumerate(sizes)
    )
    return group


def pages(
    group: LogGroup, scan_bytes: int = 0, faults: frozenset[str] = frozenset(), **parameters: Any
) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """The events and the body size of every page of a chain."""
    tokens = Tokens()
    asked: dict[str, Any] = {"logGroupName": "trail", **parameters}
    while True:
        page = api.filter_log_events(asked, {"trail": group}, tokens, faults, scan_bytes)
        body = json.loads(page.body)
        assert page.events == len(body["events"])
        assert body["searchedLogStreams"] == []
        yield body["events"], len(page.body)
        if "nextToken" not in body:
            return
        asked["nextToken"] = body["nextToken"]


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [event["eventId"] for event in found]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 400)), max_size=40),
    scan_bytes=st.sampled_from([0, 1, 500, 5000]),
    limit=st.sampled_from([None, 1, 3, 10_000]),
    newest_first=st.booleans(),
    filtered=st.booleans(),
    start=st.integers(0, 30),
    end=st.integers(0, 30),
    stream=st.sampled_from([None, STREAM, f"{STREAM}_2"]),
)
def test_all_pages_together_are_the_filtered_sorted_list(
    sizes: list[tuple[int, int]],
    scan_bytes: int,
    limit: int | None,
    newest_first: bool,
    filtered: bool,
    start: int,
    end: int,
    stream: str | None,
) -> None:
    group = group_of(sizes)
    parameters: dict[str, Any] = {"startTime": NEWEST + start, "endTime": NEWEST + end}
    if limit is not None:
        parameters["limit"] = limit
    if newest_first:
        parameters["startFromHead"] = False
    if filtered:
        parameters["filterPattern"] = "{ $.eventName = Wanted }"
    if stream is not None:
        parameters["logStreamNames"] = [stream]
    found = list(pages(group, scan_bytes, **parameters))
    expected = sorted(
        (event.key, json.loads(event.envelope()))
        for event in group.events
        if start <= event.key[0] - NEWEST <= end
        and (not filtered or "Wanted" in event.message)
        and stream in (None, event.stream)
    )
    if newest_first:
        expected.reverse()
    assert [event for events, _ in found for event in events] == [shape for _, shape in expected]
    assert all(len(events) <= (limit or 10_000) for events, _ in found)


def test_a_page_holds_one_megabyte_of_messages_and_overhead() -> None:
    group = group_of([(number, 5_000) for number in range(300)])
    first = next(pages(group))[0]
    size = sum(len(event["message"].encode()) + 26 for event in first)
    following = len(group.events[len(first)].message.encode()) + 26
    assert size <= 1_048_576 < size + following


def test_an_event_larger_than_a_page_still_comes() -> None:
    group = group_of([(0, 10), (1, 600_000), (2, 10)])
    found = list(pages(group))
    assert [len(events) for events, _ in found] == [1, 1, 1]


def test_a_page_holds_ten_thousand_events() -> None:
    group = group_of([(number, 0) for number in range(10_001)])
    assert [len(events) for events, _ in pages(group)] == [10_000, 1]


def test_a_scan_budget_gives_empty_and_partial_pages() -> None:
    group = group_of([(number, 100) for number in range(60)])
    found = [len(e) for e, _ in pages(group, 400, filterPattern="{ $.x = nothing }")]
    assert len(found) > 10
    assert set(found) == {0}
    found = [len(e) for e, _ in pages(group, 2000, filterPattern="{ $.eventName = Wanted }")]
    assert sum(found) == 20
    assert len(found) > 4


def test_both_time_bounds_are_inclusive() -> None:
    group = group_of([(1, 0), (2, 0), (3, 0), (4, 0)])
    ((found, _),) = pages(group, startTime=NEWEST + 2, endTime=NEWEST + 3)
    assert [event["timestamp"] - NEWEST for event in found] == [2, 3]


def test_event_ids_are_unique_and_of_56_digits() -> None:
    group = group_of([(0, 0)] * 50)
    ((found, _),) = pages(group)
    assert len(set(ids(found))) == 50
    assert {len(name) for name in ids(found)} == {56}
    assert all(1 <= e["ingestionTime"] - e["timestamp"] < 3000 for e in found)


def test_events_that_arrive_between_two_pages_repeat_nothing_and_lose_nothing() -> None:
    group = group_of([(number * 2, 0) for number in range(20)])
    before = [event.envelope() for event in group.events]
    for backwards in (False, True):
        extra: dict[str, Any] = {"startFromHead": False} if backwards else {}
        chain = pages(group, startTime=NEWEST, limit=7, **extra)
        found = next(chain)[0]
        group.add([Delivered(NEWEST + 1, "early"), Delivered(NEWEST + 39, "late")])
        found += [event for events, _ in chain for event in events]
        kept = [e for e in found if e["message"] not in ("early", "late")]
        expected = [json.loads(envelope) for envelope in before]
        assert kept == (expected[::-1] if backwards else expected)


BASE = {"logGroupName": "trail", "limit": 1, "startTime": NEWEST, "filterPattern": "Wanted"}


@pytest.mark.parametrize(
    "change",
    [
        {"limit": 2},
        {"startTime": NEWEST + 1},
        {"endTime": NEWEST + 9},
        {"filterPattern": "Other"},
        {"filterPattern": None},
        {"logStreamNamePrefix": "1"},
        {"logStreamNames": [STREAM]},
        {"nextToken": "unknown"},
        {"nextToken": base64.urlsafe_b64encode(b"x" * 60).decode()},
        {"nextToken": "é"},
    ],
)
def test_a_token_is_good_for_its_own_request_only(change: dict[str, Any]) -> None:
    group, tokens = group_of([(number, 0) for number in range(9)]), Tokens()

    def ask(parameters: dict[str, Any]) -> dict[str, Any]:
        page = api.filter_log_events(parameters, {"trail": group}, tokens, frozenset(), 0)
        return dict(json.loads(page.body))

    token = ask(BASE)["nextToken"]
    assert ask({**BASE, "nextToken": token})["events"]
    with pytest.raises(AwsError) as caught:
        ask({**BASE, "nextToken": token, **change})
    assert caught.value.code == "InvalidParameterException"


def test_the_direction_travels_in_the_token() -> None:
    group, tokens = group_of([(number, 0) for number in range(9)]), Tokens()
    asked: dict[str, Any] = {**BASE, "startFromHead": False, "filterPattern": None}

    def stamps() -> list[int]:
        page = api.filter_log_events(asked, {"trail": group}, tokens, frozenset(), 0)
        body = json.loads(page.body)
        asked["nextToken"] = body["nextToken"]
        return [event["timestamp"] - NEWEST for event in body["events"]]

    assert stamps() == [8]
    asked["startFromHead"] = True
    assert stamps() == [7]
    del asked["startFromHead"]
    assert stamps() == [6]


def test_a_token_expires_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudtrail_fdw.sandbox.local_aws import tokens as module

    group, tokens = group_of([(0, 0), (1, 0)]), Tokens()
    asked: dict[str, Any] = {"logGroupName": "trail", "limit": 1}
    page = api.filter_log_events(asked, {"trail": group}, tokens, frozenset(), 0)
    asked["nextToken"] = json.loads(page.body)["nextToken"]
    issued = module.now()
    monkeypatch.setattr(module, "now", lambda: issued + 86_400_000 - 1000)
    api.filter_log_events(asked, {"trail": group}, tokens, frozenset(), 0)
    monkeypatch.setattr(module, "now", lambda: issued + 86_400_000 + 1000)
    with pytest.raises(AwsError, match="expired"):
        api.filter_log_events(asked, {"trail": group}, tokens, frozenset(), 0)
