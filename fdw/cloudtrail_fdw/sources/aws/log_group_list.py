"""DescribeLogGroups: the log groups of an account and Region.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html:
50 a page, chosen by the beginning of their names.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from typing import Any, Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws import aws
from cloudtrail_fdw.sources.aws.cloudtrail_api import with_member
from cloudtrail_fdw.sources.aws.log_groups import GroupFacts, LogGroup, answer_name, known_facts
from cloudtrail_fdw.sources.aws.page_tokens import PageTokens
from cloudtrail_fdw.sources.disk.cache_directory import write_json

ARN = itemgetter("arn")
BEGINNING = re.compile(r"[.\-_/#A-Za-z0-9]{0,512}", re.ASCII)  # what a name may hold


def beginning(text: str) -> str:
    """What the API takes as a prefix of all names that begin with ``text``."""
    found = BEGINNING.match(text)
    return found.group() if found else ""


def by_prefix(prefix: str) -> dict[str, str]:
    """The parameter that selects groups by the beginning of their names; none for all."""
    return {"logGroupNamePrefix": prefix} if prefix else {}


def group_pages(
    settings: Settings, asked: Mapping[str, Any], stop: threading.Event, region: str = ""
) -> Iterator[list[dict[str, Any]]]:
    """The pages of groups that ``asked`` selects, as boto3 shapes them."""
    asked = dict(asked)
    read = with_member("logGroups")
    tokens = PageTokens[dict[str, Any]]("CloudWatch Logs", "nextToken", ARN, stop)
    while not stop.is_set():
        page = aws.invoke(settings, "logs", "describe_log_groups", stop, region, read, **asked)
        if page is None:
            return
        groups = tokens.fresh(page["logGroups"])
        yield groups
        if "nextToken" not in page:
            return
        asked["nextToken"] = tokens.follow(page["nextToken"], groups)


def find_facts(
    settings: Settings, group: LogGroup, root: Path, stop: threading.Event
) -> Optional[GroupFacts]:
    """What a cache has to know of a group, asked of STS and CloudWatch Logs when it is not known.

    None where they do not say: the cache is then not used, and FilterLogEvents tells why.
    """
    known = known_facts(settings, group, root)
    if known is not None:
        return known
    asked: dict[str, Any] = {**by_prefix(group.short_name)}
    if group.account:
        asked.update(includeLinkedAccounts=True, accountIdentifiers=[group.account])
    try:
        who = aws.invoke(settings, "sts", "get_caller_identity", stop, read=with_member("Arn"))
        pages = group_pages(settings, asked, stop, group.region)
        listed = [g for page in pages for g in page if g.get("logGroupName") == group.short_name]
    except FdwError:
        return None
    if not who or len(listed) != 1 or "creationTime" not in listed[0]:
        return None
    shape = listed[0]
    arn = re.sub(r":\*$", "", str(shape["arn"]))
    place = LogGroup(arn)
    facts = GroupFacts(
        who["Arn"], arn, place.region, place.account, int(shape["creationTime"]),
        int(shape.get("retentionInDays") or 0), int(shape.get("storedBytes") or 0),
        str(shape.get("logGroupClass") or "STANDARD"),
    )  # fmt: skip
    write_json(root / answer_name(settings, "group", group.name), asdict(facts))
    return facts
