"""Protocol, signature, quota and control, through real HTTP."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudtrail_fdw.sandbox.local_aws.account import Quota

Start = Callable[..., Any]
ARN = "arn:aws:logs:us-east-1:123456789012:log-group:trail"
TRAIL_ARN = "arn:aws:cloudtrail:us-east-1:123456789012:trail/sandbox"


def code(function: Callable[..., Any], **parameters: Any) -> str:
    """The error code of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        function(**parameters)
    return str(caught.value.response["Error"]["Code"])


def test_groups_and_streams_are_described(start: Start, records: Callable[..., str]) -> None:
    sandbox = start([records(number) for number in range(30)])
    logs = sandbox.client("logs")
    (group,) = logs.describe_log_groups(logGroupNamePrefix="tr")["logGroups"]
    assert group["arn"] == f"{ARN}:*"
    assert group["logGroupArn"] == ARN
    assert group["logGroupClass"] == "STANDARD"
    assert group["storedBytes"] == sum(len(records(n)) + 26 for n in range(30))
    (short,) = logs.describe_log_groups(logGroupNamePattern="rai")["logGroups"]
    assert set(short) == {"arn", "creationTime", "logGroupName"}
    assert logs.describe_log_groups(logGroupNamePrefix="x")["logGroups"] == []
    wrong = {"logGroupNamePrefix": "t", "logGroupNamePattern": "t"}
    assert code(logs.describe_log_groups, **wrong) == "InvalidParameterException"
    streams = logs.describe_log_streams(logGroupName="trail")["logStreams"]
    first = "123456789012_CloudTrail_us-east-1"
    assert [s["logStreamName"] for s in streams] == [first, f"{first}_2", f"{first}_3"]
    assert all(s["firstEventTimestamp"] <= s["lastEventTimestamp"] for s in streams)
    assert {s["storedBytes"] for s in streams} == {0}
    latest = logs.describe_log_streams(
        logGroupIdentifier=ARN, orderBy="LastEventTime", descending=True, limit=1
    )
    newest = max(s["lastEventTimestamp"] for s in streams)
    assert latest["logStreams"][0]["lastEventTimestamp"] == newest
    assert "nextToken" in latest


def test_more_than_fifty_groups_come_in_pages(start: Start) -> None:
    sandbox = start([])
    for number in range(60):
        assert sandbox.call(f"append?log-group=app/{number:02d}", b"x\n") == {"events": 1}
    logs = sandbox.client("logs")
    found = list(logs.get_paginator("describe_log_groups").paginate())
    assert [len(page["logGroups"]) for page in found] == [50, 11]
    names = [group["logGroupName"] for page in found for group in page["logGroups"]]
    assert names == sorted(names)
    assert code(logs.describe_log_groups, limit=51) == "InvalidParameterException"


def test_infrequent_access_groups_are_told_and_refused(start: Start) -> None:
    sandbox = start([])
    sandbox.call("append?log-group=cold&class=INFREQUENT_ACCESS", b"x\n")
    logs = sandbox.client("logs")
    (group,) = logs.describe_log_groups(logGroupNamePrefix="cold")["logGroups"]
    assert group["logGroupClass"] == "INFREQUENT_ACCESS"
    assert code(logs.filter_log_events, logGroupName="cold") == "InvalidOperationException"


def test_the_trail_is_described(start: Start, records: Callable[..., str]) -> None:
    sandbox = start([records(1)])
    trails = sandbox.client("cloudtrail")
    (trail,) = trails.describe_trails()["trailList"]
    assert trail["CloudWatchLogsLogGroupArn"] == f"{ARN}:*"
    assert (trail["Name"], trail["HomeRegion"]) == ("sandbox", "us-east-1")
    assert trail["IsMultiRegionTrail"] is True
    assert trails.describe_trails(trailNameList=["x"])["trailList"] == []
    assert trails.get_trail(Name="sandbox")["Trail"] == trail
    status = trails.get_trail_status(Name=TRAIL_ARN)
    assert status["IsLogging"] is True
    assert status["LatestCloudWatchLogsDeliveryTime"].isoformat().startswith("2026-11-20T00:")
    selectors = trails.get_event_selectors(TrailName="sandbox")
    assert selectors["EventSelectors"][0]["IncludeManagementEvents"] is True
    assert code(trails.get_trail, Name="x") == "TrailNotFoundException"
    sandbox.fault("trail-without-group")
    assert "CloudWatchLogsLogGroupArn" not in trails.describe_trails()["trailList"][0]
    sandbox.fault("no-trail")
    assert trails.describe_trails()["trailList"] == []


def test_roles_are_assumed(start: Start) -> None:
    sandbox = start([])
    sts = sandbox.client("sts")
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/sandbox"
    role = "arn:aws:iam::111122223333:role/team/reader"
    keys = sts.assume_role(RoleArn=role, RoleSessionName="me", ExternalId="partner")["Credentials"]
    assert keys["Expiration"].timestamp() > time.time() + 3000
    other = sandbox.client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    found = other.get_caller_identity()
    assert found["Arn"] == "arn:aws:sts::111122223333:assumed-role/reader/me"
    assert found["Account"] == "111122223333"
    bad = {"RoleArn": "arn:aws:iam::1:role/too-short", "RoleSessionName": "me"}
    assert code(sts.assume_role, **bad) == "ValidationError"
    (asked,) = (r for r in sandbox.call("requests") if r["parameters"].get("ExternalId"))
    assert asked["action"] == "AssumeRole"
    assert asked["access_key_id"] == "AKIAEXAMPLE"


def test_unsigned_and_wrongly_scoped_calls_are_refused(start: Start) -> None:
    sandbox = start([])
    logs = sandbox.client("logs", region_name="eu-west-1")
    assert code(logs.describe_log_groups) == "InvalidSignatureException"
    target = {"X-Amz-Target": "Logs_20140328.FilterLogEvents"}
    request = urllib.request.Request(sandbox.endpoint, b"{}", target)
    with pytest.raises(urllib.error.HTTPError) as caught, urllib.request.urlopen(request):
        pass
    with caught.value as answer:
        assert answer.code == 400
        assert json.load(answer)["__type"] == "MissingAuthenticationTokenException"
    assert code(sandbox.client("logs").list_tags_log_group, logGroupName="trail") == (
        "UnknownOperationException"
    )


def test_the_quota_holds_one_second_of_calls_of_each_action(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    quota = Quota(5)
    assert [quota.take("a") for _ in range(7)] == [True] * 5 + [False] * 2
    assert quota.take("b")
    clock[0] += 0.4
    assert [quota.take("a") for _ in range(3)] == [True, True, False]
    clock[0] += 60
    assert [quota.take("a") for _ in range(6)] == [True] * 5 + [False]
    slow = Quota(0.5)
    assert [slow.take("a") for _ in range(2)] == [True, False]
    clock[0] += 2
    assert slow.take("a")
    assert all(Quota(0).take("a") for _ in range(1000))


def test_calls_over_the_quota_are_throttled(start: Start) -> None:
    sandbox = start([], "--tps", "0.01")
    logs = sandbox.client("logs")
    logs.filter_log_events(logGroupName="trail")
    with pytest.raises(ClientError, match="Rate exceeded") as caught:
        logs.filter_log_events(logGroupName="trail")
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    logs.describe_log_groups()
    stats = sandbox.call("stats")
    assert stats["throttles"] == 1
    assert stats["calls"] == {"DescribeLogGroups": 1, "FilterLogEvents": 2}


def test_latency_is_added_to_every_call(start: Start) -> None:
    logs = start([], "--latency-ms", "120").client("logs")
    begun = time.monotonic()
    logs.filter_log_events(logGroupName="trail")
    assert 0.12 <= time.monotonic() - begun < 2


def test_stats_have_their_exact_form_and_can_be_reset(
    start: Start, records: Callable[..., str]
) -> None:
    sandbox = start([records(1)])
    nothing = {"calls": {}, "events": 0, "bytes": 0, "throttles": 0, "empty_pages": 0}
    assert sandbox.call("stats") == nothing
    logs = sandbox.client("logs")
    logs.filter_log_events(logGroupName="trail")
    logs.filter_log_events(logGroupName="trail", filterPattern="nothing")
    stats = sandbox.call("stats")
    assert (stats["events"], stats["empty_pages"]) == (1, 1)
    (_, second) = sandbox.call("requests")
    assert second["parameters"] == {"logGroupName": "trail", "filterPattern": "nothing"}
    assert sandbox.call("reset-stats", b"") == {}
    assert sandbox.call("stats") == nothing
    assert sandbox.call("requests") == []


def test_appended_events_are_there_at_once(start: Start, records: Callable[..., str]) -> None:
    sandbox = start([records(1)])
    logs = sandbox.client("logs")
    at_once = time.strftime('{"eventTime":"%Y-%m-%dT%H:%M:%SZ"}', time.gmtime())
    assert sandbox.call("append", f"{at_once}\nplain".encode()) == {"events": 2}
    until = int(time.time() * 1000)
    found = logs.filter_log_events(logGroupName="trail", endTime=until)["events"]
    assert {event["message"] for event in found} >= {at_once, "plain"}


def test_control_refuses_the_unknown_and_web_pages(start: Start) -> None:
    sandbox = start([])
    assert sandbox.call("fault?name=x", b"")["status"] == 404
    assert sandbox.call("fault?name=reset&on=maybe", b"")["status"] == 404
    assert sandbox.call("nothing")["status"] == 404
    assert sandbox.call("nothing", b"")["status"] == 404
    assert sandbox.call("append?log-group=a*b", b"x")["status"] == 400
    assert sandbox.call("dns", b"{")["status"] == 400
    assert sandbox.call("stats", Origin="https://example.com")["status"] == 403


def test_shutdown_ends_the_process_and_its_state_file(start: Start) -> None:
    sandbox = start([])
    assert sandbox.call("shutdown", b"") == {}
    assert sandbox.process.wait(timeout=5) == 0
    assert not (sandbox.state / "local_aws.json").exists()


def test_a_missing_file_is_a_plain_message(start: Start) -> None:
    with pytest.raises(AssertionError, match=r"local_aws: .*No such file"):
        start(None, "--events", "/nonexistent/events.jsonl")
