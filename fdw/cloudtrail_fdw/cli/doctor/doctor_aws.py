"""The doctor's look at AWS from this machine, with a server's options."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from cloudtrail_fdw.cli.doctor.finding import Finding, failed
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import OPTIONS, Settings, read_settings
from cloudtrail_fdw.sources.aws import aws
from cloudtrail_fdw.sources.aws.aws_errors import service_action

GO = threading.Event()  # never set: nobody cancels the doctor's calls but Ctrl-C


def check_aws(
    options: Mapping[str, str], here: str = "", missing: str = "fail"
) -> Iterator[Finding]:
    """Credentials, trails, and each log group's class, retention and readability.

    ``missing`` is the mark for credentials that are not there.
    """
    known = {option.name for option in OPTIONS}
    try:
        settings = read_settings({k: v for k, v in options.items() if k in known})
        caller = aws.invoke(settings, "sts", "get_caller_identity", GO)
    except FdwError as error:
        yield Finding(missing, here + failed(error).text)
        return
    yield Finding("ok", f"{here}account {caller['Account']}, {caller['Arn']}")
    groups = [settings.log_group] if settings.log_group else []
    try:
        trails = aws.invoke(settings, "cloudtrail", "describe_trails", GO)["trailList"]
        yield Finding("ok" if trails else "warn", f"{here}{len(trails)} trail(s)")
        arns = {trail.get("CloudWatchLogsLogGroupArn") for trail in trails}
        groups = groups or sorted(arn for arn in arns if arn)
        yield from check_trail_calls(settings, trails, here)
    except FdwError as error:
        yield failed(error)
    if not groups:
        yield Finding(
            "warn", f"{here}no trail delivers to CloudWatch Logs, and no log_group is set"
        )
    for group in groups:
        yield from check_group(settings, group, here)


def check_trail_calls(
    settings: Settings, trails: list[dict[str, Any]], here: str
) -> Iterator[Finding]:
    """What only cloudtrail_trail and cloudtrail_event_history need, so no failure."""
    yield probe(settings, here, "cloudtrail_event_history", "lookup_events", MaxResults=1)
    for trail in trails[:1]:
        for operation, name in (("get_trail_status", "Name"), ("get_event_selectors", "TrailName")):
            named = {name: trail["TrailARN"]}
            home = trail.get("HomeRegion", "")
            yield probe(settings, here, "cloudtrail_trail", operation, home, **named)


def probe(
    settings: Settings, here: str, table: str, operation: str, region: str = "", **parameters: Any
) -> Finding:
    """Whether a call that ``table`` makes is allowed."""
    action = service_action("cloudtrail", operation)
    try:
        aws.invoke(settings, "cloudtrail", operation, GO, region, **parameters)
    except FdwError as error:
        return Finding("warn", f"{here}{table} cannot be read: {failed(error).text}")
    return Finding("ok", f"{here}{action} is allowed ({table})")


def check_group(settings: Settings, group: str, here: str) -> Iterator[Finding]:
    """One log group, by name or ARN."""
    from cloudtrail_fdw.sources.aws.cloudwatch_logs import Window, read_page
    from cloudtrail_fdw.sources.aws.log_groups import LogGroup

    named = LogGroup(group)
    name = named.arn["name"] if named.arn else group
    try:
        answer = aws.invoke(
            settings, "logs", "describe_log_groups", GO, named.region, logGroupNamePrefix=name
        )
        yield judge_group([g for g in answer["logGroups"] if g["logGroupName"] == name], name, here)
        parameters = {**named.parameter(), **Window().parameters(), "limit": 1}
        aws.invoke(settings, "logs", "filter_log_events", GO, named.region, read_page, **parameters)
        yield Finding("ok", f"{here}may read log group {name}")
    except FdwError as error:
        yield failed(error)


def judge_group(found: list[dict[str, Any]], name: str, here: str) -> Finding:
    """What the listing says of the group."""
    if not found:
        return Finding("fail", f"{here}log group {name} does not exist in this account and Region")
    days = found[0].get("retentionInDays")
    kind = found[0].get("logGroupClass", "STANDARD")
    text = f"{here}log group {name}: class {kind}, kept " + (f"{days} days" if days else "for ever")
    if kind != "STANDARD":
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html
        return Finding("fail", f"{text}; FilterLogEvents reads the class STANDARD only")
    return Finding("ok", text)
