"""DescribeLogGroups and DescribeLogStreams (CloudWatch Logs API reference)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudtrail_fdw.sandbox.events import now
from cloudtrail_fdw.sandbox.local_aws.aws_error import invalid
from cloudtrail_fdw.sandbox.local_aws.parameters import choose_group, integer, string, strings
from cloudtrail_fdw.sandbox.local_aws.store import LogEvent, LogGroup
from cloudtrail_fdw.sandbox.local_aws.tokens import State, Tokens, digest

PAGE_ITEMS = 50
Shape = dict[str, Any]


def describe_log_groups(
    parameters: Mapping[str, Any], groups: Mapping[str, LogGroup], tokens: Tokens
) -> Shape:
    """Groups by name, prefix, substring, identifiers or class; 50 a page."""
    prefix = string(parameters, "logGroupNamePrefix", 1, 512)
    substring = string(parameters, "logGroupNamePattern", 0, 512)
    identifiers = strings(parameters, "logGroupIdentifiers", 1, 50)
    log_class = parameters.get("logGroupClass")
    if prefix is not None and substring is not None:
        raise invalid("logGroupNamePrefix and logGroupNamePattern are mutually exclusive.")
    found = [
        group
        for _, group in sorted(groups.items())
        if group.name.startswith(prefix or "")
        and (substring or "") in group.name
        and (identifiers is None or group.name in identifiers or group.arn in identifiers)
        and log_class in (None, group.log_class)
    ]
    shapes = [group_shape(group) for group in found]
    if substring is not None:
        kept = ("arn", "creationTime", "logGroupName")
        shapes = [{name: shape[name] for name in kept} for shape in shapes]
    return paged("logGroups", shapes, parameters, tokens)


def group_shape(group: LogGroup) -> Shape:
    """A LogGroup as the API shows it: ``arn`` ends in ``:*``, ``logGroupArn`` does not."""
    shape: Shape = {
        "logGroupName": group.name,
        "creationTime": group.creation_time,
        "metricFilterCount": 0,
        "arn": f"{group.arn}:*",
        "storedBytes": sum(event.size for event in group.events),
        "logGroupClass": group.log_class,
        "logGroupArn": group.arn,
    }
    if group.retention_days is not None:
        shape["retentionInDays"] = group.retention_days
    return shape


def describe_log_streams(
    parameters: Mapping[str, Any], groups: Mapping[str, LogGroup], tokens: Tokens
) -> Shape:
    """The group's streams by name or by last event; 50 a page."""
    group = choose_group(parameters, groups)
    prefix = string(parameters, "logStreamNamePrefix", 1, 512)
    by_time = parameters.get("orderBy") == "LastEventTime"
    if by_time and prefix is not None:
        raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
    streams: dict[str, list[LogEvent]] = {}
    for event in group.events:
        streams.setdefault(event.stream, []).append(event)
    shapes = [
        stream_shape(group, name, events)
        for name, events in sorted(streams.items())
        if name.startswith(prefix or "")
    ]
    if by_time:
        shapes.sort(key=lambda shape: int(shape["lastEventTimestamp"]))
    if parameters.get("descending"):
        shapes.reverse()
    return paged("logStreams", shapes, parameters, tokens)


def stream_shape(group: LogGroup, name: str, events: Sequence[LogEvent]) -> Shape:
    """A LogStream as the API shows it; storedBytes has been 0 since 2019."""
    return {
        "logStreamName": name,
        "creationTime": group.creation_time,
        "firstEventTimestamp": events[0].key[0],
        "lastEventTimestamp": events[-1].key[0],
        "lastIngestionTime": max(event.key[1] for event in events),
        "arn": f"{group.arn}:log-stream:{name}",
        "storedBytes": 0,
    }


def paged(
    name: str, shapes: Sequence[Shape], parameters: Mapping[str, Any], tokens: Tokens
) -> Shape:
    """One page of a listing, with a token when there is more."""
    limit = integer(parameters, "limit", 1, PAGE_ITEMS) or PAGE_ITEMS
    token = string(parameters, "nextToken", 1, 65_536)
    bound = digest([name, *sorted((key, str(value)) for key, value in parameters.items()
                                  if key != "nextToken")])  # fmt: skip
    first = 0 if token is None else tokens.read(token, bound).key[0]
    answer: Shape = {name: list(shapes[first : first + limit])}
    if first + limit < len(shapes):
        state = State((first + limit, 0, 0), False, bound, now(), first // limit + 2)
        answer["nextToken"] = tokens.issue(state)
    return answer
