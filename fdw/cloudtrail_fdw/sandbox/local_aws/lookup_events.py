"""LookupEvents: CloudTrail's Event History of the Region (CloudTrail API reference).

The events are those of the trail's log group, each once. The API says nothing of how resources
are found in a record; here they are its ``resources`` and some well-known request parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from cloudtrail_fdw import times
from cloudtrail_fdw.sandbox.events import now
from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError
from cloudtrail_fdw.sandbox.local_aws.parameters import integer, string
from cloudtrail_fdw.sandbox.local_aws.store import REGION, LogGroup
from cloudtrail_fdw.sandbox.local_aws.tokens import State, Tokens, digest

PAGE_EVENTS = 50
KEPT_SECONDS = 90 * 86_400
ATTRIBUTES = ("EventId", "EventName", "ReadOnly", "Username", "EventSource", "AccessKeyId")
RESOURCES = ("ResourceType", "ResourceName")
LONGEST = 2000  # characters of an attribute's value, where those of DOUBLE count twice
DOUBLE = "_ ,\n"
PARAMETERS = {
    "bucketName": "AWS::S3::Bucket",
    "groupId": "AWS::EC2::SecurityGroup",
    "roleArn": "AWS::IAM::Role",
    "roleName": "AWS::IAM::Role",
    "userName": "AWS::IAM::User",
    "vpcId": "AWS::EC2::VPC",
}
Shape = dict[str, Any]


class Entry(NamedTuple):
    """One event: seconds since 1970, its id, its category, and how the API shows it."""

    second: int
    event_id: str
    category: str
    event: Shape


@dataclass
class History:
    """The events of ``group`` that Event History has, newest first; ``read`` is its size then."""

    group: LogGroup
    read: int = 0
    entries: list[Entry] = field(default_factory=list, repr=False)

    def refresh(self) -> None:
        """Take in what was delivered since; of deliveries of one event the first counts."""
        if self.read == len(self.group.events):
            return
        found: dict[str, Entry] = {}
        for event in self.group.events:
            record = self.group.document(event)
            if isinstance(record, dict) and in_history(record):
                made = entry(record, event.message)
                found.setdefault(made.event_id, made)
        self.entries = sorted(found.values(), key=lambda e: e[:2], reverse=True)
        self.read = len(self.group.events)

    def between(self, start: Optional[float], end: Optional[float]) -> list[Entry]:
        """The events of the last 90 days in [start, end], seconds since 1970."""
        self.refresh()
        # from the newest event, not from today, so that the sample does not grow too old
        oldest = (self.entries[0].second if self.entries else 0) - KEPT_SECONDS
        low = oldest if start is None else max(oldest, start)
        return [e for e in self.entries if e.second >= low and (end is None or e.second <= end)]


def in_history(record: Mapping[str, Any]) -> bool:
    """Whether it is an event of this Region, of management or Insights."""
    texts = all(isinstance(record.get(name), str) for name in ("eventID", "eventTime"))
    here = record.get("awsRegion", REGION) == REGION
    return texts and here and category(record) in ("Management", "Insight")


def category(record: Mapping[str, Any]) -> object:
    """``eventCategory``, or what older records say instead."""
    if "eventCategory" in record:
        return record["eventCategory"]
    return "Data" if record.get("managementEvent") is False else "Management"


def entry(record: Mapping[str, Any], message: str) -> Entry:
    """A record's Event as the API shows it; ``EventTime`` is seconds since 1970."""
    identity = record.get("userIdentity")
    identity = identity if isinstance(identity, dict) else {}
    second = (times.read_event_time(record["eventTime"]) or 0) // times.SECOND
    members = {
        "EventId": record["eventID"],
        "EventName": record.get("eventName"),
        "ReadOnly": str(record.get("readOnly", False)).lower(),
        "AccessKeyId": identity.get("accessKeyId"),
        "EventTime": second,
        "EventSource": record.get("eventSource"),
        "Username": username(identity),
        "Resources": resources(record),
        "CloudTrailEvent": message,
    }
    event = {name: value for name, value in members.items() if value is not None}
    return Entry(second, record["eventID"], str(category(record)), event)


def username(identity: Mapping[str, Any]) -> Optional[str]:
    """The user's or service's name, or the name of the role's session."""
    if identity.get("type") == "Root":
        return "root"
    arn = identity.get("arn")
    if identity.get("type") in ("AssumedRole", "FederatedUser") and isinstance(arn, str):
        return arn.rpartition("/")[2]
    name = identity.get("userName", identity.get("invokedBy"))
    return name if isinstance(name, str) else None


def resources(record: Mapping[str, Any]) -> list[Shape]:
    """The resources that the record refers to."""
    listed = record.get("resources")
    asked = record.get("requestParameters")
    found = [
        {"ResourceType": item.get("type"), "ResourceName": item.get("ARN")}
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
    ]
    named = [
        {"ResourceType": kind, "ResourceName": asked[name]}
        for name, kind in PARAMETERS.items()
        if isinstance(asked, dict) and isinstance(asked.get(name), str)
    ]
    return found + [item for item in named if item not in found]


def lookup_events(
    parameters: Mapping[str, Any], history: History, tokens: Tokens, faults: AbstractSet[str]
) -> Shape:
    """One page of the events that the time range and the one attribute select."""
    attribute = read_attribute(parameters)
    start, end = parameters.get("StartTime"), parameters.get("EndTime")
    if start is not None and end is not None and start > end:
        raise AwsError("InvalidTimeRangeException", "The start time occurs after the end time.")
    wanted = {None: "Management", "insight": "Insight"}.get(parameters.get("EventCategory"))
    if wanted is None:
        raise AwsError("InvalidEventCategoryException", "The event category is not valid.")
    limit = page_size(parameters)
    bound = digest(
        sorted((key, str(value)) for key, value in parameters.items() if key != "NextToken")
    )
    token = string(parameters, "NextToken", 1, 65_536)
    first = 0 if token is None else read_token(tokens, token, bound)
    if "repeated-token" in faults and token is not None:
        return {"Events": [], "NextToken": token}
    found = [
        kept.event
        for kept in history.between(start, end)
        if kept.category == wanted and matches(kept.event, attribute)
    ]
    page = [spoiled(event, faults) for event in found[first : first + limit]]
    answer: Shape = {"Events": page}
    if first + limit < len(found):
        state = State((first + limit, 0, 0), True, bound, now(), first // limit + 2)
        answer["NextToken"] = tokens.issue(state)
    return answer


def spoiled(event: Shape, faults: AbstractSet[str]) -> Shape:
    """The event, cut off where the fault is on."""
    if "malformed-record" not in faults:
        return event
    record = event["CloudTrailEvent"]
    return {**event, "CloudTrailEvent": record[: len(record) // 2]}


def read_attribute(parameters: Mapping[str, Any]) -> Optional[tuple[str, str]]:
    """The one attribute to look up; raises InvalidLookupAttributesException."""
    asked = parameters.get("LookupAttributes") or []
    if len(asked) > 1:
        raise invalid_attribute("You can specify only one attribute to look up.")
    if not asked:
        return None
    key, value = asked[0].get("AttributeKey"), asked[0].get("AttributeValue")
    if key not in (*ATTRIBUTES, *RESOURCES):
        raise invalid_attribute(f"{key} is no attribute to look up.")
    if not isinstance(value, str) or not value:
        raise invalid_attribute(f"{key} has no value.")
    if len(value) + sum(value.count(character) for character in DOUBLE) > LONGEST:
        raise invalid_attribute(f"The value of {key} is too long.")
    return key, value


def invalid_attribute(message: str) -> AwsError:
    """CloudTrail's answer to a wrong lookup attribute."""
    return AwsError("InvalidLookupAttributesException", message)


def matches(event: Mapping[str, Any], attribute: Optional[tuple[str, str]]) -> bool:
    """Whether the event has the attribute's value, or one of its resources has."""
    if attribute is None:
        return True
    key, value = attribute
    if key in RESOURCES:
        return any(item[key] == value for item in event["Resources"])
    return bool(event.get(key) == value)


def page_size(parameters: Mapping[str, Any]) -> int:
    """MaxResults; raises InvalidMaxResultsException."""
    try:
        return integer(parameters, "MaxResults", 1, PAGE_EVENTS) or PAGE_EVENTS
    except AwsError as error:
        raise AwsError("InvalidMaxResultsException", error.message) from None


def read_token(tokens: Tokens, token: str, bound: str) -> int:
    """The place where the token's page starts; raises InvalidNextTokenException."""
    try:
        return tokens.read(token, bound).key[0]
    except AwsError as error:
        raise AwsError("InvalidNextTokenException", error.message) from None
