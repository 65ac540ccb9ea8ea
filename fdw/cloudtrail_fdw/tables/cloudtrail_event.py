"""cloudtrail_event: one row for every log event of the groups that trails deliver to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Column, Push, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.interrupts import stream
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources import cloudtrail_api
from cloudtrail_fdw.sources.address import classify
from cloudtrail_fdw.sources.cloudtrail_record import (
    Level,
    first_filled,
    make_level,
    read_record,
    storable,
)
from cloudtrail_fdw.sources.cloudwatch_logs import (
    Budget,
    LogEvent,
    LogGroup,
    Window,
    choose_groups,
    read_pages,
)
from cloudtrail_fdw.sources.filter_pattern import build_pattern
from cloudtrail_fdw.sources.time_slices import delivery_window

MOST_STREAMS = 100  # names in one call
TIME = "timestamp with time zone"
IDENTITY = "userIdentity"
SESSION = (IDENTITY, "sessionContext")
ISSUER = (*SESSION, "sessionIssuer")
PATTERN, EQUAL, FLAG = Push.PATTERN, Push.EQUAL, Push.FLAG

COLUMNS = (
    Column("log_group_name", "text", "Log group, as the query or option names it, else its name.", (), Push.VALUE),
    Column("log_group_region", "text", "Region of the log group."),
    Column("log_group_account_id", "text", "Account that owns the log group."),
    Column("log_stream_name", "text", "Log stream within the group.", (), Push.VALUE),
    Column("log_event_id", "text", "CloudWatch Logs' id of the log event, unique where event_id is not."),
    Column("timestamp", TIME, "When the event was delivered, minutes after event_time.", (), Push.TIME),
    Column("ingestion_time", TIME, "When CloudWatch Logs stored the event."),
    Column("event_time", TIME, "When the request was made; timestamp where the record has no readable eventTime.", ("eventTime",), Push.TIME),
    Column("event_id", "text", "CloudTrail's id of the event; two deliveries of one event share it.", ("eventID",), PATTERN),
    Column("event_name", "text", "API action, such as RunInstances.", ("eventName",), PATTERN),
    Column("event_source", "text", "Service that was asked, such as ec2.amazonaws.com.", ("eventSource",), PATTERN),
    Column("event_type", "text", "AwsApiCall, AwsServiceEvent, AwsConsoleSignIn and their kin.", ("eventType",), PATTERN),
    Column("event_category", "text", "Management, Data, NetworkActivity or Insight.", ("eventCategory",), PATTERN),
    Column("event_version", "text", "Version of the record's format.", ("eventVersion",), PATTERN),
    Column("api_version", "text", "Version of the service's API.", ("apiVersion",), PATTERN),
    Column("aws_region", "text", "Region the request was made to.", ("awsRegion",), PATTERN),
    Column("recipient_account_id", "text", "Account that received the event.", ("recipientAccountId",), PATTERN),
    Column("request_id", "text", "Id of the request, given by the service.", ("requestID",), PATTERN),
    Column("shared_event_id", "text", "Id shared by the copies of one event in several accounts.", ("sharedEventID",), PATTERN),
    Column("read_only", "boolean", "Whether the action only reads.", ("readOnly",), FLAG),
    Column("management_event", "boolean", "Whether it is a management event.", ("managementEvent",), FLAG),
    Column("error_code", "text", "AWS's error code when the request failed.", ("errorCode",), PATTERN),
    Column("error_message", "text", "Description of the error.", ("errorMessage",), PATTERN),
    Column("user_agent", "text", "Agent through which the request was made.", ("userAgent",), EQUAL),
    Column("vpc_endpoint_id", "text", "VPC endpoint the request came through.", ("vpcEndpointId",), PATTERN),
    Column("vpc_endpoint_account_id", "text", "Account that owns the VPC endpoint.", ("vpcEndpointAccountId",), PATTERN),
    Column("session_credential_from_console", "boolean", "Whether the credentials came from a console session.", ("sessionCredentialFromConsole",), FLAG),
    Column("user_type", "text", "Kind of identity, such as IAMUser or AssumedRole.", (IDENTITY, "type"), PATTERN),
    Column("username", "text", "Friendly name of the identity.", (IDENTITY, "userName"), PATTERN),
    Column("user_arn", "text", "ARN of the principal.", (IDENTITY, "arn"), PATTERN),
    Column("principal_id", "text", "Unique id of the principal.", (IDENTITY, "principalId"), PATTERN),
    Column("user_account_id", "text", "Account of the principal.", (IDENTITY, "accountId"), PATTERN),
    Column("access_key_id", "text", "Access key that signed the request.", (IDENTITY, "accessKeyId"), PATTERN),
    Column("invoked_by", "text", "AWS service that made the request.", (IDENTITY, "invokedBy"), PATTERN),
    Column("invoked_by_delegate", "text", "Account that invoked the request on behalf of the caller.", (IDENTITY, "invokedByDelegate", "accountId"), PATTERN),
    Column("identity_provider", "text", "External identity provider.", (IDENTITY, "identityProvider"), PATTERN),
    Column("federated_provider", "text", "Provider of a web identity session.", (*SESSION, "webIdFederationData", "federatedProvider"), PATTERN),
    Column("on_behalf_of_user_id", "text", "IAM Identity Center user the call was made for.", (IDENTITY, "onBehalfOf", "userId"), PATTERN),
    Column("credential_id", "text", "Credential of an IAM Identity Center user.", (IDENTITY, "credentialId"), PATTERN),
    Column("source_identity", "text", "Source identity set when the role was assumed.", (*SESSION, "sourceIdentity"), PATTERN),
    Column("in_scope_of", "jsonb", "Source account and ARN a service's credentials were issued for.", (IDENTITY, "inScopeOf")),
    Column("role_session_name", "text", "Session name given when the role was assumed."),
    Column("session_issuer_type", "text", "Kind of what issued the session.", (*ISSUER, "type"), PATTERN),
    Column("session_issuer_arn", "text", "ARN of the role or user that issued the session.", (*ISSUER, "arn"), PATTERN),
    Column("session_issuer_name", "text", "Name of the role or user that issued the session.", (*ISSUER, "userName"), PATTERN),
    Column("session_creation_date", TIME, "When the session's credentials were issued.", (*SESSION, "attributes", "creationDate")),
    Column("mfa_authenticated", "boolean", "Whether the session was authenticated with MFA.", (*SESSION, "attributes", "mfaAuthenticated"), FLAG),
    Column("ec2_role_delivery", "text", "Version of the instance metadata service that gave the credentials.", (*SESSION, "ec2RoleDelivery"), PATTERN),
    Column("assumed_root", "boolean", "Whether the session came from AssumeRoot.", (*SESSION, "assumedRoot"), FLAG),
    Column("user_identifier", "text", "First of user_arn, session_issuer_arn and principal_id that is there."),
    Column("source_ip_address", "text", "Where the request came from, as written: an address, a service name or AWS Internal.", ("sourceIPAddress",), PATTERN),
    Column("source_ip", "inet", "source_ip_address when it is one address."),
    Column("source_address_class", "text", "Class of source_ip_address, as in ip_enrichment.address_class."),
    Column("user_identity", "jsonb", "userIdentity as recorded.", (IDENTITY,)),
    Column("request_parameters", "jsonb", "Parameters of the request.", ("requestParameters",)),
    Column("response_elements", "jsonb", "Elements of the response, for actions that change something.", ("responseElements",)),
    Column("additional_event_data", "jsonb", "Data that is part of neither request nor response.", ("additionalEventData",)),
    Column("service_event_details", "jsonb", "What set off a service event, and its result.", ("serviceEventDetails",)),
    Column("resources", "jsonb", "Resources accessed.", ("resources",)),
    Column("insight_details", "jsonb", "What an Insights event is about.", ("insightDetails",)),
    Column("tls_details", "jsonb", "TLS version, cipher suite and host of the request.", ("tlsDetails",)),
    Column("edge_device_details", "jsonb", "Edge device the request was made to.", ("edgeDeviceDetails",)),
    Column("addendum", "jsonb", "Why an event was delivered late or replaced.", ("addendum",)),
    Column("event_context", "jsonb", "Tags and condition keys added to the event.", ("eventContext",)),
    Column("cloudtrail_event", "jsonb", "The whole record."),
    Column("message", "text", "The log event's text, byte for byte."),
    Column("parse_error", "text", "What in the message could not be read; NULL when all could."),
    Column("filter", "text", "CloudWatch Logs filter pattern of your own: filter = '{ … }'.", (), Push.VALUE),
)  # fmt: skip
RECORD = make_level(column for column in COLUMNS if column.path)
# What the columns that no member of the record holds are made of.
IDENTIFIERS = ("user_arn", "session_issuer_arn", "principal_id")
DERIVED = {
    "source_ip": ("source_ip_address",),
    "source_address_class": ("source_ip_address",),
    "role_session_name": ("user_arn",),
    "user_identifier": IDENTIFIERS,
}


@dataclass(frozen=True)
class Request:
    """What a scan will ask of CloudWatch Logs; printed, it is what EXPLAIN shows.

    ``groups`` pairs a value of log_group_name with the group it stands for; None means those
    that the account's trails deliver to. ``empty`` says that the quals contradict each other.
    """

    groups: Optional[tuple[tuple[str, LogGroup], ...]]
    window: Window
    own_filter: Optional[str]
    account_wanted: bool
    empty: bool
    runtime: tuple[str, ...]
    margins: str

    def __str__(self) -> str:
        """One label a line, in the order of the flow."""
        groups = "those of the account's trails"
        if self.groups is not None:
            groups = ", ".join(label for label, _ in self.groups)
        lines = [
            f"Log Group: {groups}",
            f"Window: {edge(self.window.start)} to {edge(self.window.end)} of delivery"
            + (f" ({self.margins})" if self.margins else ""),
            f"Filter Pattern: {' '.join(self.window.pattern.splitlines()) or 'none'}",
            "Direction: oldest first",
        ]
        if self.window.streams:
            lines.insert(1, f"Log Streams: {', '.join(self.window.streams)}")
        if self.runtime:
            lines.append(f"Runtime Bounds: {', '.join(self.runtime)}")
        if self.empty:
            return "Nothing to read: the conditions contradict each other"
        return "\n".join(lines)


def edge(milliseconds: Optional[int]) -> str:
    """One end of a window, for people."""
    return "unbounded" if milliseconds is None else times.milliseconds_to_text(milliseconds)


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
    """Choose groups, window and pattern; FdwError for a group that cannot be meant."""
    own_filter, clash = choose_filter(bounds)
    deliveries = delivery_window(
        settings, bounds.between("event_time"), bounds.between("timestamp")
    )
    empty = clash or any(bounds.values(name) == () for name in bounds.predicates)
    empty = empty or deliveries.empty
    streams = bounds.values("log_stream_name") or ()
    window = Window(
        deliveries.start,
        deliveries.end,
        "" if empty else build_pattern(TABLE.column, bounds, own_filter or ""),
        own_filter is None,
        streams if len(streams) <= MOST_STREAMS else (),
    )
    return Request(
        groups=None
        if empty
        else choose_groups(bounds.values("log_group_name"), settings.log_group),
        window=window,
        own_filter=own_filter,
        account_wanted="log_group_account_id" in wanted,
        empty=empty,
        runtime=bounds.runtime,
        margins=deliveries.margins,
    )


def choose_filter(bounds: Bounds) -> tuple[Optional[str], bool]:
    """The user's own pattern, and whether two of them contradict each other."""
    values = bounds.values("filter")
    if values is None:
        return None, False
    if len(values) > 1:
        raise FdwError("filter takes one pattern", hint="Join the patterns with ||.",
                       sqlstate="HV024")  # fmt: skip
    return (values[0], False) if values else (None, True)


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[list[object]]:
    """One row a log event, in the order in which pages come."""
    if request.empty:
        return
    level = record_level(frozenset(layout))
    for origin, page in stream(lambda stop: fetch(request, settings, stop)):
        for event in page:
            values = read_event(event, level)
            values.update(origin)
            yield [values.get(name) for name in layout]


def fetch(
    request: Request, settings: Settings, stop: threading.Event
) -> Iterator[tuple[dict[str, object], list[LogEvent]]]:
    """Pages with the columns that tell where they came from; runs beside the backend."""
    groups = request.groups
    if groups is None:
        found = cloudtrail_api.trail_groups(settings, stop)
        groups = tuple((group.short_name, group) for group in found)
    budget = Budget(settings)
    for label, group in groups:
        origin: dict[str, object] = {
            "log_group_name": label,
            "log_group_region": group.region or cloudtrail_api.region(settings),
            "log_group_account_id": group.account
            or cloudtrail_api.account(settings, stop, request.account_wanted),
            "filter": request.own_filter,
        }
        for page in read_pages(settings, group, request.window, budget, stop):
            yield origin, page


@lru_cache(maxsize=64)
def record_level(wanted: frozenset[str]) -> Level:
    """The decoder for a record's wanted columns, and for those that others are made of."""
    needed = set(wanted).union(*(DERIVED[name] for name in wanted & DERIVED.keys()))
    if not wanted.isdisjoint(("parse_error", "cloudtrail_event")):
        return RECORD  # what these say depends on the whole record
    return make_level(column for column in COLUMNS if column.path and column.name in needed)


def read_event(event: LogEvent, level: Level = RECORD) -> dict[str, object]:
    """The columns of one log event that do not depend on its group."""
    message = storable(event.message)
    values, fault = read_record(message, level)
    delivered = times.milliseconds_to_text(event.timestamp)
    values.setdefault("event_time", delivered)
    address = values.get("source_ip_address")
    if isinstance(address, str):
        origin = classify(address)
        values["source_ip"], values["source_address_class"] = origin.address, origin.address_class
    values.update(
        log_stream_name=event.log_stream_name,
        log_event_id=event.event_id,
        timestamp=delivered,
        ingestion_time=times.milliseconds_to_text(event.ingestion_time),
        role_session_name=role_session_name(values),
        user_identifier=first_filled(values, IDENTIFIERS),
        message=message,
        parse_error=fault,
    )
    return values


def role_session_name(values: dict[str, object]) -> Optional[str]:
    """The session name in an assumed role's ARN, ``…:assumed-role/ROLE/SESSION``."""
    arn = values.get("user_arn")
    if not isinstance(arn, str) or ":assumed-role/" not in arn:
        return None
    parts = arn.split("/", 2)
    return parts[2] if len(parts) == 3 else None


def rows(request: Request) -> int:
    """A guess for the planner: a thousand events an hour, a tenth of them with a pattern."""
    start, end = request.window.start, request.window.end
    hours = 100.0 if start is None or end is None else max(1.0, (end - start) / 3_600_000)
    guess = min(100_000.0, 1000 * hours) * (0.1 if request.window.pattern else 1)
    return 1 if request.empty else int(guess)


TABLE = Table(
    name="cloudtrail_event",
    help="One row for every event that a trail delivered to CloudWatch Logs.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    rows=rows,
    width=40,
)
