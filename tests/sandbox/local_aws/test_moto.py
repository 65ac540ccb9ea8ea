"""Where moto plays AWS rightly, the sandbox answers the same; where it does not, facts decide."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
STREAM = "123456789012_CloudTrail_us-east-1"
Pair = tuple[Any, Any]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def both(moto: str, start: Callable[..., Any], records: Callable[..., str]) -> Iterator[Pair]:
    """The endpoints of the sandbox and of moto, with the same events of one stream."""
    lines = [
        records(n, marked=n % 4 == 0, word="alpha beta" if n % 3 else "beta") for n in range(40)
    ]
    sandbox = start(lines, "--shift-to-now")
    ours = sandbox.client("logs")
    theirs = boto3.client("logs", endpoint_url=moto, **KEYS)
    found = ours.filter_log_events(logGroupName="trail", logStreamNames=[STREAM])["events"]
    sent = [{"timestamp": e["timestamp"], "message": e["message"]} for e in found]
    theirs.create_log_group(logGroupName="trail")
    try:
        theirs.create_log_stream(logGroupName="trail", logStreamName=STREAM)
        theirs.put_log_events(logGroupName="trail", logStreamName=STREAM, logEvents=sent)
        yield ours, theirs
    finally:
        theirs.delete_log_group(logGroupName="trail")


def ask(client: Any, **parameters: Any) -> list[tuple[int, str, str]]:
    found = client.filter_log_events(logGroupName="trail", logStreamNames=[STREAM], **parameters)
    return [(e["timestamp"], e["message"], e["logStreamName"]) for e in found["events"]]


def test_the_order_within_a_stream_is_the_same(both: Pair) -> None:
    ours, theirs = map(ask, both)
    assert ours == theirs
    assert len(ours) > 3


def test_time_bounds_are_the_same(both: Pair) -> None:
    stamps = [stamp for stamp, _, _ in ask(both[0])]
    for low in (stamps[1], stamps[1] + 1):
        for high in (stamps[-2], stamps[-2] - 1, stamps[1]):
            ours, theirs = (ask(client, startTime=low, endTime=high) for client in both)
            assert ours == theirs
            assert [stamp for stamp, _, _ in ours] == [s for s in stamps if low <= s <= high]


@pytest.mark.parametrize("pattern", ["alpha", '"alpha beta"', "gamma"])
def test_terms_and_phrases_are_the_same(both: Pair, pattern: str) -> None:
    ours, theirs = (ask(client, filterPattern=pattern) for client in both)
    assert ours == theirs


def test_json_patterns_are_evaluated_though_moto_does_not(both: Pair) -> None:
    ours, theirs = (ask(client, filterPattern="{ $.marked IS TRUE }") for client in both)
    assert theirs == ask(both[1])
    assert ours == [event for event in theirs if '"marked": true' in event[1]]
    assert 0 < len(ours) < len(theirs)


def test_a_missing_group_is_the_same_error(both: Pair) -> None:
    answers = []
    for client in both:
        with pytest.raises(ClientError) as caught:
            client.filter_log_events(logGroupName="tail")
        error = caught.value.response
        answers.append((error["Error"], error["ResponseMetadata"]["HTTPStatusCode"]))
    ours, theirs = answers
    assert ours[0]["Message"] == theirs[0]["Message"]
    assert (ours[0]["Code"], ours[1]) == (theirs[0]["Code"], theirs[1])


def test_descriptions_have_the_same_fields(both: Pair) -> None:
    groups = [
        client.describe_log_groups(logGroupNamePrefix="trail")["logGroups"] for client in both
    ]
    assert groups[0][0]["arn"] == groups[1][0]["arn"]
    assert set(groups[0][0]) >= set(groups[1][0])
    streams = [client.describe_log_streams(logGroupName="trail")["logStreams"] for client in both]
    assert streams[0][0]["arn"] == streams[1][0]["arn"]
    assert set(streams[0][0]) >= set(streams[1][0]) - {"uploadSequenceToken"}


def test_trails_have_the_same_fields(moto: str, start: Callable[..., Any]) -> None:
    theirs = boto3.client("cloudtrail", endpoint_url=moto, **KEYS)
    boto3.client("s3", endpoint_url=moto, **KEYS).create_bucket(Bucket="logs")
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:trail:*"
    role = "arn:aws:iam::123456789012:role/r"
    theirs.create_trail(Name="sandbox", S3BucketName="logs", IsMultiRegionTrail=True,
                        CloudWatchLogsLogGroupArn=arn, CloudWatchLogsRoleArn=role)  # fmt: skip
    ours = start([]).client("cloudtrail")
    mine, yours = (client.describe_trails()["trailList"][0] for client in (ours, theirs))
    assert set(mine) == set(yours)
    for name in ("TrailARN", "HomeRegion", "IsMultiRegionTrail", "CloudWatchLogsLogGroupArn"):
        assert mine[name] == yours[name]
    for client in (ours, theirs):
        with pytest.raises(ClientError) as caught:
            client.get_trail(Name="other")
        assert caught.value.response["Error"]["Code"] == "TrailNotFoundException"
