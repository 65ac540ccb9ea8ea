"""LookupEvents, as boto3 meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError

Start = Callable[..., Any]
MIDNIGHT = datetime(2026, 11, 20, tzinfo=timezone.utc)
ROLE = "arn:aws:sts::123456789012:assumed-role/admin/alice"


def event(number: int, **fields: Any) -> dict[str, Any]:
    """A management record, ``number`` minutes after midnight."""
    when = MIDNIGHT + timedelta(minutes=number)
    return {
        "eventTime": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventID": f"id-{number}",
        "eventName": f"Event{number % 3}",
        "eventSource": "ec2.amazonaws.com",
        "awsRegion": "us-east-1",
        "readOnly": number % 2 == 0,
        "eventCategory": "Management",
        **fields,
    }


def ids(answer: dict[str, Any]) -> list[str]:
    return [found["EventId"] for found in answer["Events"]]


def looked_up(client: Any, key: str, value: str) -> list[str]:
    return ids(
        client.lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])
    )


def code(client: Any, **parameters: Any) -> str:
    """The error code of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        client.lookup_events(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_pages_of_fifty_newest_first_bound_to_their_request(start: Start) -> None:
    client = start([json.dumps(event(n)) for n in range(120)]).client("cloudtrail")
    pages = list(client.get_paginator("lookup_events").paginate())
    assert [len(page["Events"]) for page in pages] == [50, 50, 20]
    assert [i for page in pages for i in ids(page)] == [f"id-{n}" for n in reversed(range(120))]
    token = pages[0]["NextToken"]
    assert ids(client.lookup_events(NextToken=token)) == ids(pages[1])
    wrong = {"NextToken": token, "MaxResults": 5}
    assert code(client, **wrong) == "InvalidNextTokenException"
    assert code(client, NextToken="x") == "InvalidNextTokenException"


def test_time_bounds_are_inclusive_seconds(start: Start) -> None:
    client = start([json.dumps(event(n)) for n in range(9)]).client("cloudtrail")
    two, four = MIDNIGHT + timedelta(minutes=2), MIDNIGHT + timedelta(minutes=4)
    assert ids(client.lookup_events(StartTime=two, EndTime=four)) == ["id-4", "id-3", "id-2"]
    assert ids(client.lookup_events(StartTime=two, EndTime=two)) == ["id-2"]
    assert code(client, StartTime=four, EndTime=two) == "InvalidTimeRangeException"


def test_one_attribute_selects(start: Start) -> None:
    identity = {"type": "IAMUser", "userName": "bob", "accessKeyId": "AKIA1"}
    records = [
        event(1, userIdentity=identity, requestParameters={"groupId": "sg-1"}),
        event(2, userIdentity={"type": "AssumedRole", "arn": ROLE, "accessKeyId": "ASIA2"}),
        event(3, userIdentity={"type": "Root"}, resources=[{"type": "T", "ARN": "arn:x"}]),
    ]
    client = start([json.dumps(record) for record in records]).client("cloudtrail")
    for key, value, expected in (
        ("EventId", "id-2", ["id-2"]),
        ("EventName", "Event0", ["id-3"]),
        ("EventName", "event0", []),
        ("EventSource", "ec2.amazonaws.com", ["id-3", "id-2", "id-1"]),
        ("ReadOnly", "true", ["id-2"]),
        ("Username", "bob", ["id-1"]),
        ("Username", "alice", ["id-2"]),
        ("Username", "root", ["id-3"]),
        ("AccessKeyId", "AKIA1", ["id-1"]),
        ("ResourceName", "sg-1", ["id-1"]),
        ("ResourceType", "AWS::EC2::SecurityGroup", ["id-1"]),
        ("ResourceName", "arn:x", ["id-3"]),
    ):
        assert looked_up(client, key, value) == expected, (key, value)
    two = [{"AttributeKey": "Username", "AttributeValue": name} for name in ("bob", "root")]
    assert code(client, LookupAttributes=two) == "InvalidLookupAttributesException"
    # a space counts twice towards the 2,000 characters
    long = [{"AttributeKey": "Username", "AttributeValue": "x" * 1998 + " "}]
    assert client.lookup_events(LookupAttributes=long)["Events"] == []
    long[0]["AttributeValue"] += "x"
    assert code(client, LookupAttributes=long) == "InvalidLookupAttributesException"


def test_history_has_this_regions_management_events_once(start: Start) -> None:
    records = [
        event(1),
        event(1),
        event(2, eventCategory="Data", managementEvent=False),
        event(3, awsRegion="eu-west-1"),
        event(4, eventCategory="Insight"),
        event(-90 * 24 * 60, eventID="just-kept"),
        event(-91 * 24 * 60, eventID="gone"),
    ]
    lines = [*(json.dumps(record) for record in records), "no JSON", "[]", "{}"]
    sandbox = start(lines)
    client = sandbox.client("cloudtrail")
    assert ids(client.lookup_events(EventCategory="insight")) == ["id-4"]
    assert ids(client.lookup_events()) == ["id-1"]  # 90 days end with the newest, id-4
    late = json.dumps(event(3)).encode()
    assert sandbox.call("append", late + b"\n") == {"events": 1}
    assert ids(client.lookup_events()) == ["id-3", "id-1"]


def test_faults_of_lookups(start: Start) -> None:
    sandbox = start([json.dumps(event(n)) for n in range(60)])
    client = sandbox.client("cloudtrail")
    sandbox.fault("throttle", action="LookupEvents")
    assert code(client) == "ThrottlingException"
    assert client.describe_trails()["trailList"]
    sandbox.fault("throttle", on=False)
    sandbox.fault("malformed-record")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(client.lookup_events()["Events"][0]["CloudTrailEvent"])
    sandbox.fault("malformed-record", on=False)
    token = client.lookup_events()["NextToken"]
    sandbox.fault("repeated-token")
    assert client.lookup_events(NextToken=token)["NextToken"] == token


def test_the_trail_can_be_given_other_selectors(start: Start) -> None:
    sandbox = start(["x"])
    client = sandbox.client("cloudtrail")
    fields = [{"Field": "eventCategory", "Equals": ["Management"]}]
    selectors = {"AdvancedEventSelectors": [{"Name": "all", "FieldSelectors": fields}]}
    change = {"selectors": selectors, "insights": False, "logging": False}
    assert sandbox.call("trail", json.dumps(change).encode()) == {}
    answer = client.get_event_selectors(TrailName="sandbox")
    assert answer["AdvancedEventSelectors"] == selectors["AdvancedEventSelectors"]
    assert "EventSelectors" not in answer
    assert client.get_trail_status(Name="sandbox")["IsLogging"] is False
    assert client.get_trail(Name="sandbox")["Trail"]["HasInsightSelectors"] is False
    for wrong in (b"[]", b'{"group": {}}', b'{"logging": 1}'):
        assert sandbox.call("trail", wrong)["status"] == 400
