"""DescribeLogGroups: the log groups of an account and Region.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html:
50 a page, chosen by the beginning of their names.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any, Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources import aws
from cloudtrail_fdw.sources.cloudtrail_api import with_member

BEGINNING = re.compile(r"[.\-_/#A-Za-z0-9]{0,512}", re.ASCII)  # what a name may hold


def beginning(text: str) -> str:
    """What the API takes as a prefix of all names that begin with ``text``."""
    found = BEGINNING.match(text)
    return found.group() if found else ""


def group_pages(
    settings: Settings, prefix: str, stop: threading.Event
) -> Iterator[list[dict[str, Any]]]:
    """The pages of groups whose names begin with ``prefix``, as boto3 shapes them."""
    asked: dict[str, Any] = {"logGroupNamePrefix": prefix} if prefix else {}
    read = with_member("logGroups")
    token: Optional[str] = None
    while not stop.is_set():
        page = aws.invoke(settings, "logs", "describe_log_groups", stop, read=read, **asked)
        if page is None:
            return
        yield page["logGroups"]
        if "nextToken" not in page:
            return
        if page["nextToken"] == token:
            raise FdwError("CloudWatch Logs gave the same nextToken twice",
                           hint="Run the query again.")  # fmt: skip
        token = asked["nextToken"] = page["nextToken"]
