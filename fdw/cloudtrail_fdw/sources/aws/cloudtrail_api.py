"""CloudTrail's and STS's answers about trails, groups and the caller's account."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.recent import Recent
from cloudtrail_fdw.sources.aws import aws
from cloudtrail_fdw.sources.aws.aws_errors import BadAnswerError
from cloudtrail_fdw.sources.aws.log_groups import LogGroup, answer_name
from cloudtrail_fdw.sources.disk.cache_directory import cache_root, read_json, write_json

TRAILS_LAST = 60.0  # seconds
NO_TRAIL, REFUSED = "HV00R", "28000"  # SQLSTATEs
MOST_ACCOUNTS = 1_000
ACCOUNTS: Recent[str, str] = Recent(MOST_ACCOUNTS)


def with_member(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The answer, if it has ``name``: botocore makes an empty one of a body that was cut off."""

    def read(answer: dict[str, Any]) -> dict[str, Any]:
        if name not in answer:
            raise BadAnswerError
        return answer

    return read


def describe_trails(settings: Settings, stop: threading.Event) -> list[dict[str, Any]]:
    """All trails seen from this account and Region, each once, in the order of their ARNs."""
    read = with_member("trailList")
    answer = aws.invoke(settings, "cloudtrail", "describe_trails", stop, read=read) or {}
    trails = {trail["TrailARN"]: trail for trail in answer.get("trailList", [])}
    return [trails[arn] for arn in sorted(trails)]


def trail_groups(settings: Settings, stop: threading.Event) -> list[LogGroup]:
    """The log groups that the trails deliver to; FdwError when there is none.

    The answer is kept for a minute, or for as long as ``cache_max_age`` says.
    """
    known = known_trail_groups(settings)
    if known is not None:
        return known
    arns = {
        trail["CloudWatchLogsLogGroupArn"]
        for trail in describe_trails(settings, stop)
        if trail.get("CloudWatchLogsLogGroupArn")
    }
    if not arns and not stop.is_set():
        raise FdwError(
            "no trail of this account delivers to CloudWatch Logs",
            hint="Name the group: WHERE log_group_name = '…', or ALTER SERVER cloudtrail "
            "OPTIONS (ADD log_group '…'); or let a trail deliver to one.",
            sqlstate=NO_TRAIL,
        )
    root = cache_root(settings)
    if root is not None and arns:
        write_json(root / answer_name(settings, "trails"), {"groups": sorted(arns)})
    return [LogGroup(arn) for arn in sorted(arns)]


def named_groups(
    settings: Settings, group: LogGroup, stop: Optional[threading.Event]
) -> list[LogGroup]:
    """The groups that a query's log_group_name means: those of trails that have this name.

    Trails of several Regions may deliver to groups of one name. Without such a trail, or the right
    to see trails, it is the group of the server's Region. No call is made without ``stop``.
    """
    if group.arn or settings.log_group:
        return [group]
    known = known_trail_groups(settings)
    if known is None and stop is not None:
        try:
            known = trail_groups(settings, stop)
        except FdwError as error:
            if error.sqlstate not in (NO_TRAIL, REFUSED):
                raise
    return [each for each in known or () if each.short_name == group.name] or [group]


def known_trail_groups(settings: Settings) -> Optional[list[LogGroup]]:
    """What trail_groups() found lately; no call."""
    root = cache_root(settings)
    if root is None:
        return None
    oldest = time.time() - max(TRAILS_LAST, settings.cache_max_age)
    found = read_json(root / answer_name(settings, "trails"), oldest)
    return (
        [LogGroup(str(arn)) for arn in found["groups"]] if found and found.get("groups") else None
    )


def trail_status(
    settings: Settings, trail: dict[str, Any], stop: threading.Event
) -> dict[str, Any]:
    """GetTrailStatus, asked in the trail's home Region."""
    answer = aws.invoke(settings, "cloudtrail", "get_trail_status", stop,
                        trail.get("HomeRegion", ""), with_member("IsLogging"),
                        Name=trail["TrailARN"])  # fmt: skip
    return dict(answer or {})


def event_selectors(
    settings: Settings, trail: dict[str, Any], stop: threading.Event
) -> dict[str, Any]:
    """GetEventSelectors, asked in the trail's home Region."""
    answer = aws.invoke(settings, "cloudtrail", "get_event_selectors", stop,
                        trail.get("HomeRegion", ""), with_member("TrailARN"),
                        TrailName=trail["TrailARN"])  # fmt: skip
    return dict(answer or {})


def region(settings: Settings) -> str:
    """The Region that calls go to when nothing else names one."""
    if settings.region:
        return settings.region
    with aws.client(settings, "logs") as client:
        return str(client.meta.region_name)


def account(settings: Settings, stop: threading.Event, required: bool) -> Optional[str]:
    """The caller's account, asked of STS once; unless ``required`` a refusal is no error."""
    whose = answer_name(settings, "account")
    known = ACCOUNTS.get(whose)
    if known is not None:
        return known
    try:
        read = with_member("Account")
        answer = aws.invoke(settings, "sts", "get_caller_identity", stop, read=read)
    except FdwError:
        if required:
            raise
        return None
    return None if answer is None else ACCOUNTS.put(whose, str(answer["Account"]))
