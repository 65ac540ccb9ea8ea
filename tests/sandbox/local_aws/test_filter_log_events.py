"""FilterLogEvents as boto3 sees it, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudtrail_fdw.sandbox.events import Delivered
from cloudtrail_fdw.sandbox.local_aws import filter_log_events as api
from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError
from cloudtrail_fdw.sandbox.local_aws.store import LogGroup
from cloudtrail_fdw.sandbox.local_aws.tokens import Tokens

NEWEST = api.NEWEST_FIRST_SINCE


REFUSED = [
    ({}, "InvalidParameterException"),
    ({"logGroupName": "trail", "logGroupIdentifier": "trail"}, "InvalidParameterException"),
    ({"logGroupName": "tail"}, "ResourceNotFoundException"),
    ({"logGroupName": "arn:aws:logs:us-east-1:123456789012:log-group:trail"},
     "InvalidParameterException"),
    ({"logGroupIdentifier": "arn:aws:logs:us-east-1:123456789012:log-group:trail:*"},
     "InvalidParameterException"),
    ({"logGroupIdentifier": "arn:aws:logs:us-east-1:111122223333:log-group:trail"},
     "ResourceNotFoundException"),
    ({"logGroupName": "trail", "startFromHead": False}, "InvalidParameterException"),
    ({"logGroupName": "trail", "startFromHead": False, "startTime": NEWEST - 1},
     "InvalidParameterException"),
    ({"logGroupName": "trail", "logStreamNames": ["a"], "logStreamNamePrefix": "a"},
     "InvalidParameterException"),
    ({"logGroupName": "trail", "logStreamNames": ["a"] * 101}, "InvalidParameterException"),
    ({"logGroupName": "trail", "logStreamNames": []}, "InvalidParameterException"),
    ({"logGroupName": "trail", "limit": 0}, "InvalidParameterException"),
    ({"logGroupName": "trail", "limit": 10_001}, "InvalidParameterException"),
    ({"logGroupName": "trail", "startTime": -1}, "InvalidParameterException"),
    ({"logGroupName": "trail", "startTime": 1.5}, "SerializationException"),
    ({"logGroupName": "trail", "filterPattern": "x" * 1025}, "InvalidParameterException"),
    ({"logGroupName": "trail", "filterPattern": "{ $.x = "}, "InvalidParameterException"),
    ({"logGroupName": "trail", "nextToken": ""}, "InvalidParameterException"),
]  # fmt: skip


@pytest.mark.parametrize(("parameters", "code"), REFUSED)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], code: str) -> None:
    group = LogGroup("trail", 0)
    group.add([Delivered(NEWEST, "x")])
    with pytest.raises(AwsError) as caught:
        api.filter_log_events(parameters, {"trail": group}, Tokens(), frozenset(), 0)
    assert (caught.value.code, caught.value.status) == (code, 400)


@pytest.mark.parametrize(
    "address",
    [
        {"logGroupName": "trail"},
        {"logGroupIdentifier": "trail"},
        {"logGroupIdentifier": "arn:aws:logs:us-east-1:123456789012:log-group:trail"},
    ],
)
def test_boto3_reads_a_group_by_name_or_arn(
    start: Callable[..., Any], records: Callable[..., str], address: dict[str, str]
) -> None:
    lines = [records(number, x="é\u2028\\u0000") for number in range(5)]
    sandbox = start([*lines, "not json", "", '"\\ud800"'])
    found = sandbox.client("logs").filter_log_events(**address)
    messages = [event["message"] for event in found["events"]]
    assert sorted(messages) == sorted([*lines, "not json", "", '"\\ud800"'])
    assert found["searchedLogStreams"] == []
    assert "nextToken" not in found


def test_boto3_paginator_reads_a_chain(
    start: Callable[..., Any], records: Callable[..., str]
) -> None:
    sandbox = start([records(number, pad="x" * 3000) for number in range(1000)], "--scan-mb", "0.5")
    client = sandbox.client("logs")
    found = list(client.get_paginator("filter_log_events").paginate(logGroupName="trail"))
    stamps = [event["timestamp"] for page in found for event in page["events"]]
    assert len(stamps) == 1000
    assert stamps == sorted(stamps)
    assert len(found) >= 6
    stats = sandbox.call("stats")
    assert stats["calls"] == {"FilterLogEvents": len(found)}
    assert stats["events"] == 1000
    assert 3_000_000 < stats["bytes"] < 4_000_000
    with pytest.raises(ClientError, match="The specified log group does not exist"):
        client.filter_log_events(logGroupName="tail")
