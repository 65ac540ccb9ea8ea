"""cloudwatch_log_group: one row for every log group of the account and Region."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Bounds, Prefix
from cloudtrail_fdw.declare import Column, Push, Table
from cloudtrail_fdw.interrupts import stream
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws.log_group_list import beginning, by_prefix, group_pages
from cloudtrail_fdw.sources.aws.log_groups import LogGroup

MOST_NAMES = 10  # of an IN list: each is a call of its own
# AWS's own names, as DescribeLogGroups gives them.
MEMBERS = (
    (Column("name", "text", "Name of the log group.", (), Push.VALUE), "logGroupName"),
    (Column("arn", "text", "ARN of the group and all its streams: it ends in :*."), "arn"),
    (Column("log_group_arn", "text", "ARN of the group itself, without :*."), "logGroupArn"),
    (Column("log_group_class", "text", "STANDARD, INFREQUENT_ACCESS or DELIVERY; only STANDARD can be read here."), "logGroupClass"),
    (Column("creation_time", "timestamp with time zone", "When it was created."), "creationTime"),
    (Column("retention_in_days", "integer", "Days for which events are kept; NULL is for ever."), "retentionInDays"),
    (Column("stored_bytes", "bigint", "Bytes stored."), "storedBytes"),
    (Column("metric_filter_count", "integer", "Number of metric filters."), "metricFilterCount"),
    (Column("kms_key_id", "text", "ARN of the key that encrypts it."), "kmsKeyId"),
    (Column("data_protection_status", "text", "ACTIVATED, DISABLED, ARCHIVED or DELETED; NULL where it never had a policy."), "dataProtectionStatus"),
    (Column("region", "text", "Region of the group."), ""),
    (Column("account_id", "text", "Account that owns the group."), ""),
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """The only names, or None, and the beginning that all names share."""

    names: Optional[tuple[str, ...]]
    prefix: str

    def __str__(self) -> str:
        """What EXPLAIN shows."""
        if self.names is not None:
            return f"Log Group: {', '.join(self.names)}"
        return f"Log Group Prefix: {self.prefix or 'none'}"


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
    """Choose the names or their beginning."""
    names = bounds.values("name")
    prefixes = [beginning(found.text) for found in bounds.of("name") if isinstance(found, Prefix)]
    return Request(
        names if names is not None and len(names) <= MOST_NAMES else None,
        max(prefixes, key=len, default=""),
    )


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row a group."""
    for group in stream(lambda stop: fetch(request, settings, stop)):
        values = read_group(group)
        yield [values.get(name) for name in layout]


def fetch(request: Request, settings: Settings, stop: threading.Event) -> Iterator[dict[str, Any]]:
    """The groups, each once; runs beside the backend."""
    if request.names is None:
        for page in group_pages(settings, by_prefix(request.prefix), stop):
            yield from page
        return
    for name in request.names:
        for page in group_pages(settings, by_prefix(beginning(name)), stop):
            yield from (group for group in page if group["logGroupName"] == name)


def read_group(group: Mapping[str, Any]) -> dict[str, object]:
    """The columns of one group."""
    values: dict[str, object] = {column.name: group.get(member) for column, member in MEMBERS}
    own = LogGroup(group["arn"])
    created = group.get("creationTime")
    values["creation_time"] = None if created is None else times.milliseconds_to_text(created)
    values["log_group_arn"] = group.get("logGroupArn", group["arn"].removesuffix(":*"))
    values["region"], values["account_id"] = own.region, own.account
    return values


def rows(request: Request) -> int:
    """A guess for the planner."""
    return 100 if request.names is None else len(request.names)


TABLE = Table(
    name="cloudwatch_log_group",
    help="One row for every CloudWatch Logs log group of the account and Region.",
    columns=tuple(column for column, _ in MEMBERS),
    plan=plan,
    scan=scan,
    rows=rows,
    width=150,
)
