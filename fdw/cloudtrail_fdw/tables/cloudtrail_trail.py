"""cloudtrail_trail: one row for every trail seen from the account, with what it records."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Column, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.interrupts import stream
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws import cloudtrail_api
from cloudtrail_fdw.sources.aws.log_groups import LogGroup
from cloudtrail_fdw.sources.record.cloudtrail_record import storable

TIME = "timestamp with time zone"
# AWS's own names, as DescribeTrails, GetTrailStatus and GetEventSelectors give them.
MEMBERS = (
    (Column("name", "text", "Name of the trail."), "Name"),
    (Column("arn", "text", "ARN of the trail."), "TrailARN"),
    (Column("home_region", "text", "Region the trail was created in."), "HomeRegion"),
    (Column("is_multi_region_trail", "boolean", "Whether it records all Regions."), "IsMultiRegionTrail"),
    (Column("is_organization_trail", "boolean", "Whether it records all accounts of the organization."), "IsOrganizationTrail"),
    (Column("include_global_service_events", "boolean", "Whether events of global services such as IAM are recorded."), "IncludeGlobalServiceEvents"),
    (Column("log_group_arn", "text", "ARN of the log group it delivers to."), "CloudWatchLogsLogGroupArn"),
    (Column("log_group_name", "text", "Name of that group, as cloudtrail_event has it."), ""),
    (Column("cloudwatch_logs_role_arn", "text", "Role with which it delivers to the log group."), "CloudWatchLogsRoleArn"),
    (Column("s3_bucket_name", "text", "Bucket it delivers to."), "S3BucketName"),
    (Column("s3_key_prefix", "text", "Prefix of its keys in the bucket."), "S3KeyPrefix"),
    (Column("sns_topic_arn", "text", "Topic told of deliveries."), "SnsTopicARN"),
    (Column("kms_key_id", "text", "Key that encrypts its files."), "KmsKeyId"),
    (Column("log_file_validation_enabled", "boolean", "Whether digest files are written."), "LogFileValidationEnabled"),
    (Column("has_custom_event_selectors", "boolean", "Whether event selectors were changed."), "HasCustomEventSelectors"),
    (Column("has_insight_selectors", "boolean", "Whether Insights events are recorded."), "HasInsightSelectors"),
    (Column("is_logging", "boolean", "Whether it is recording now."), "IsLogging"),
    (Column("start_logging_time", TIME, "When recording was last started."), "StartLoggingTime"),
    (Column("stop_logging_time", TIME, "When recording was last stopped."), "StopLoggingTime"),
    (Column("latest_delivery_time", TIME, "Last delivery to the bucket."), "LatestDeliveryTime"),
    (Column("latest_delivery_error", "text", "Error of the last delivery to the bucket."), "LatestDeliveryError"),
    (Column("latest_cloudwatch_logs_delivery_time", TIME, "Last delivery to the log group."), "LatestCloudWatchLogsDeliveryTime"),
    (Column("latest_cloudwatch_logs_delivery_error", "text", "Error of the last delivery to the log group."), "LatestCloudWatchLogsDeliveryError"),
    (Column("latest_digest_delivery_time", TIME, "Last delivery of a digest file."), "LatestDigestDeliveryTime"),
    (Column("latest_digest_delivery_error", "text", "Error of the last delivery of a digest file."), "LatestDigestDeliveryError"),
    (Column("latest_notification_time", TIME, "Last notification of the topic."), "LatestNotificationTime"),
    (Column("latest_notification_error", "text", "Error of the last notification of the topic."), "LatestNotificationError"),
    (Column("event_selectors", "jsonb", "Which events are recorded, in the basic form."), "EventSelectors"),
    (Column("advanced_event_selectors", "jsonb", "Which events are recorded, in the advanced form."), "AdvancedEventSelectors"),
    (Column("status_error", "text", "Why status or selectors could not be read, as for another account's trail."), ""),
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """All trails; nothing narrows the API's answer."""

    def __str__(self) -> str:
        """What EXPLAIN shows."""
        return "Calls: DescribeTrails, then GetTrailStatus and GetEventSelectors for each trail"


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
    """There is nothing to choose."""
    return Request()


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row a trail, in the order of their ARNs."""
    for answers in stream(lambda stop: describe(settings, stop)):
        values = {column.name: readable(answers.get(member)) for column, member in MEMBERS}
        group = answers.get("CloudWatchLogsLogGroupArn")
        values["log_group_name"] = LogGroup(group).short_name if group else None
        values["status_error"] = answers["status_error"]
        yield [values.get(name) for name in layout]


def describe(settings: Settings, stop: threading.Event) -> Iterator[dict[str, Any]]:
    """Each trail with all that the three calls say of it."""
    for trail in cloudtrail_api.describe_trails(settings, stop):
        answers: dict[str, Any] = {**trail, "status_error": None}
        for call in (cloudtrail_api.trail_status, cloudtrail_api.event_selectors):
            try:
                answers.update(call(settings, trail, stop))
            except FdwError as error:
                if not (error.detail or "").startswith(("AccessDenied", "TrailNotFound")):
                    raise
                answers["status_error"] = error.detail
        yield answers


def readable(value: object) -> object:
    """An AWS value as PostgreSQL takes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, dict)):
        return json.dumps(value)
    return storable(value) if isinstance(value, str) else value


def rows(request: Request) -> int:
    """Accounts have few trails."""
    return 5


TABLE = Table(
    name="cloudtrail_trail",
    help="One row for every trail seen from the account, with its status and event selectors.",
    columns=tuple(column for column, _ in MEMBERS),
    plan=plan,
    scan=scan,
    rows=rows,
    width=100,
)
