"""The least that one process can do without SQL: boto3 without its parser, msgspec, six columns.

msgspec_bare.py ENDPOINT LOG_GROUP
"""

import json
import sys
import time
from typing import Optional

import boto3
import msgspec


class LogEvent(msgspec.Struct, gc=False):
    """What is read of a log event."""

    message: str


class Page(msgspec.Struct):
    """An answer."""

    events: list[LogEvent]
    nextToken: Optional[str] = None


class Identity(msgspec.Struct, gc=False):
    """What is read of userIdentity."""

    userName: Optional[str] = None


class Record(msgspec.Struct, gc=False):
    """The six columns."""

    eventTime: str
    eventName: str
    eventSource: str
    userIdentity: Identity
    sourceIPAddress: str
    errorCode: Optional[str] = None


def raw(response_dict, customized_response_dict, **_):
    """Keep botocore's parser from the body."""
    customized_response_dict["body"] = response_dict["body"]
    response_dict["body"] = b"{}"


endpoint, group = sys.argv[1:3]
client = boto3.client("logs", endpoint_url=endpoint)
client.describe_log_groups(limit=1)
client.meta.events.register("before-parse.cloudwatch-logs.FilterLogEvents", raw)
read_page, read_record = msgspec.json.Decoder(Page).decode, msgspec.json.Decoder(Record).decode
cpu, wall = time.process_time(), time.perf_counter()
token, counts, events = {}, [0] * 6, 0
while token is not None:
    page = read_page(client.filter_log_events(logGroupName=group, **token)["body"])
    token = {"nextToken": page.nextToken} if page.nextToken else None
    for event in page.events:
        events += 1
        record = read_record(event.message)
        six = (
            record.eventTime, record.eventName, record.eventSource, record.userIdentity.userName,
            record.sourceIPAddress, record.errorCode,
        )  # fmt: skip
        for place, value in enumerate(six):
            counts[place] += value is not None
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps({"cpu": cpu, "wall": wall, "events": events, "counts": counts}))
