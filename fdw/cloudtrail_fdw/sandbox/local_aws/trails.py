"""CloudTrail's side of the account: one multi-Region trail that delivers to the log group."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError
from cloudtrail_fdw.sandbox.local_aws.store import ACCOUNT, REGION, LogGroup

TRAIL = "sandbox"
TRAIL_ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/{TRAIL}"
Shape = dict[str, Any]


def usual_selectors() -> Shape:
    """Selectors of all management events, and of S3 data events of all buckets."""
    return {
        "EventSelectors": [
            {
                "ReadWriteType": "All",
                "IncludeManagementEvents": True,
                "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}],
                "ExcludeManagementEventSources": [],
            }
        ]
    }


@dataclass
class Trail:
    """The trail: the group it delivers to, and what the control API may change of it.

    ``selectors`` are GetEventSelectors' ``EventSelectors`` or ``AdvancedEventSelectors``;
    ``further`` are the ARNs of groups that each have a trail of their own, like this one.
    """

    group: LogGroup
    selectors: Shape = field(default_factory=usual_selectors)
    insights: bool = True
    logging: bool = True
    further: list[str] = field(default_factory=list)

    def change(self, change: Mapping[str, Any]) -> None:
        """Take what may be changed; TypeError for anything else."""
        kinds = {"selectors": dict, "insights": bool, "logging": bool, "further": list}
        if not all(isinstance(value, kinds.get(name, ())) for name, value in change.items()):
            raise TypeError(f"only {', '.join(kinds)} can be changed")
        vars(self).update(change)


def trails(known: Trail, faults: AbstractSet[str]) -> list[Shape]:
    """The account's trails as the API shows them."""
    if "no-trail" in faults:
        return []
    trail: Shape = {
        "Name": TRAIL,
        "S3BucketName": f"sandbox-cloudtrail-{ACCOUNT}",
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
        "HomeRegion": REGION,
        "TrailARN": TRAIL_ARN,
        "LogFileValidationEnabled": True,
        "HasCustomEventSelectors": True,
        "HasInsightSelectors": known.insights,
        "IsOrganizationTrail": False,
    }
    if "trail-without-group" not in faults:
        trail["CloudWatchLogsLogGroupArn"] = f"{known.group.arn}:*"
        trail["CloudWatchLogsRoleArn"] = f"arn:aws:iam::{ACCOUNT}:role/CloudTrailToCloudWatchLogs"
    return [trail, *(like(trail, number, arn) for number, arn in enumerate(known.further, 2))]


def like(trail: Shape, number: int, group: str) -> Shape:
    """Another trail, which delivers to the group with this ARN, in its Region."""
    region = group.split(":")[3]
    return {
        **trail,
        "Name": f"{TRAIL}-{number}",
        "HomeRegion": region,
        "TrailARN": f"arn:aws:cloudtrail:{region}:{ACCOUNT}:trail/{TRAIL}-{number}",
        "CloudWatchLogsLogGroupArn": f"{group}:*",
    }


def describe_trails(parameters: Mapping[str, Any], known: Trail, faults: AbstractSet[str]) -> Shape:
    """DescribeTrails: all, or those named by name or ARN; an unknown name is left out."""
    names = parameters.get("trailNameList") or []
    return {
        "trailList": [
            trail
            for trail in trails(known, faults)
            if not names or trail["Name"] in names or trail["TrailARN"] in names
        ]
    }


def get_trail(parameters: Mapping[str, Any], known: Trail, faults: AbstractSet[str]) -> Shape:
    """GetTrail."""
    return {"Trail": named(parameters.get("Name"), known, faults)}


def get_trail_status(
    parameters: Mapping[str, Any], known: Trail, faults: AbstractSet[str]
) -> Shape:
    """GetTrailStatus; times are seconds since 1970, as JSON 1.1 writes them."""
    trail = named(parameters.get("Name"), known, faults)
    newest = known.group.newest / 1000
    status: Shape = {
        "IsLogging": known.logging,
        "LatestDeliveryTime": newest,
        "LatestDigestDeliveryTime": newest,
        "StartLoggingTime": known.group.creation_time / 1000,
    }
    if "CloudWatchLogsLogGroupArn" in trail:
        status["LatestCloudWatchLogsDeliveryTime"] = newest
    return status


def get_event_selectors(
    parameters: Mapping[str, Any], known: Trail, faults: AbstractSet[str]
) -> Shape:
    """GetEventSelectors."""
    trail = named(parameters.get("TrailName"), known, faults)
    return {"TrailARN": trail["TrailARN"], **known.selectors}


def named(name: object, known: Trail, faults: AbstractSet[str]) -> Shape:
    """The trail of this name or ARN; raises TrailNotFoundException."""
    for trail in trails(known, faults):
        if name in (trail["Name"], trail["TrailARN"]):
            return trail
    raise AwsError("TrailNotFoundException", f"Unknown trail: {name} for the user: {ACCOUNT}", 404)
