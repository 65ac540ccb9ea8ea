"""cloudtrail_event: one row for every log event of the groups that trails deliver to."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import merge
from itertools import chain, groupby
from typing import Any, Optional

import msgspec

from cloudtrail_fdw import times
from cloudtrail_fdw.bounds import Bounds
from cloudtrail_fdw.declare import Column, Order, Push, Table
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.interrupts import stream
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources import cloudtrail_api
from cloudtrail_fdw.sources.address import classify
from cloudtrail_fdw.sources.budget import Budget, record
from cloudtrail_fdw.sources.cloudtrail_record import (
    Level,
    first_filled,
    make_level,
    read_record,
    storable,
)
from cloudtrail_fdw.sources.cloudwatch_logs import LogEvent
from cloudtrail_fdw.sources.filter_pattern import build_clauses, join_clauses
from cloudtrail_fdw.sources.log_groups import LogGroup, choose_groups
from cloudtrail_fdw.sources.newest_first import Dated, newest_first
from cloudtrail_fdw.sources.plain_rows import Derived, Row, make_reader, plain_record
from cloudtrail_fdw.sources.time_slices import DeliveryWindow, delivery_window
from cloudtrail_fdw.sources.window_scan import FOREVER, Ask, WindowScan, foresee

Page = tuple[dict[str, object], list[LogEvent]]  # of one group, and the columns that tell which
LAZY_PAGES = 2  # are read only when they are asked for: a LIMIT may want no more
MOST_MERGED = 500  # events at a time, of several groups in one order
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
MEMBERS = [column for column in COLUMNS if column.path]
RECORD = make_level(MEMBERS)


@lru_cache(maxsize=4096)
def source(text: Optional[str]) -> tuple[Optional[str], Optional[str]]:
    """The address that a sourceIPAddress is, and its class."""
    if text is None:
        return None, None
    found = classify(text)
    return found.address, found.address_class


# What the columns that no member of the record holds are made of.
IDENTIFIERS = ("user_arn", "session_issuer_arn", "principal_id")
DERIVED = {
    "source_ip": Derived(("source_ip_address",), lambda text: source(text)[0]),
    "source_address_class": Derived(("source_ip_address",), lambda text: source(text)[1]),
    "role_session_name": Derived(("user_arn",), lambda arn: role_session_name({"user_arn": arn})),
    "user_identifier": Derived(IDENTIFIERS, lambda *texts: next(filter(None, texts), None)),
}
OF_EVENT: dict[str, Callable[[LogEvent], object]] = {
    "log_stream_name": lambda event: event.log_stream_name,
    "log_event_id": lambda event: event.event_id,
    "timestamp": lambda event: times.milliseconds_to_text(event.timestamp),
    "ingestion_time": lambda event: times.milliseconds_to_text(event.ingestion_time),
    "message": lambda event: storable(event.message),
    "cloudtrail_event": plain_record,
    "parse_error": lambda event: None,
}


@dataclass(frozen=True)
class Request:
    """What a scan will ask of CloudWatch Logs; printed, it is what EXPLAIN shows.

    ``groups`` pairs a value of log_group_name with the group it stands for; None means those
    that the account's trails deliver to. ``deliveries`` is the window, ``sweep`` the later one in
    which late events are looked for by the times in ``sweep_clauses``. ``empty`` says that the
    quals contradict each other.
    """

    groups: Optional[tuple[tuple[str, LogGroup], ...]]
    deliveries: DeliveryWindow
    streams: tuple[str, ...]
    own_filter: Optional[str]
    clauses: tuple[str, ...]
    order: Optional[Order]
    empty: bool
    runtime: tuple[str, ...]
    settings: Settings = field(repr=False, compare=False)

    def __str__(self) -> str:
        """One label a line, in the order of the flow."""
        if self.empty:
            return "Nothing to read: the conditions contradict each other"
        groups = "those of the account's trails"
        if self.groups is not None:
            groups = ", ".join(label for label, _ in self.groups)
        window, pattern = self.deliveries, join_clauses(self.own_filter or "", self.clauses)
        lines = [
            f"Log Group: {groups}",
            f"Window: {edge(window.start)} to {edge(window.end)} of delivery"
            + (f" ({window.margins})" if window.margins else ""),
            f"Filter Pattern: {' '.join(pattern.splitlines()) or 'none'}",
            f"Direction: {direction(self.order)}",
            *self.outlook(),
        ]
        if self.streams:
            lines.insert(1, f"Log Streams: {', '.join(self.streams)}")
        if self.runtime:
            lines.append(f"Runtime Bounds: {', '.join(self.runtime)}")
        return "\n".join(lines)

    def outlook(self) -> Iterator[str]:
        """What the cache has, and how many calls are left to make."""
        if self.settings.cache == "off":
            yield "Cache: off"
            return
        groups = [group for _, group in self.groups or ()]
        groups = groups or cloudtrail_api.known_trail_groups(self.settings) or []
        found = [foresee(self.settings, self.ask(group)) for group in groups]
        known = [pair for pair in found if pair is not None]
        if not known or len(known) < len(found):
            yield "Cache: empty"
            return
        share = sum(held for held, _ in known) / len(known)
        yield f"Cache: {math.floor(share * 100)} % of the window"
        about = "at least" if self.clauses or self.own_filter else "about"
        yield f"Estimated Calls: {about} {math.ceil(sum(calls for _, calls in known))}"

    def ask(self, group: LogGroup) -> Ask:
        """The window as the scan of one group wants it."""
        low, high = self.deliveries.start or 0, self.deliveries.end
        return Ask(
            group, max(0, low), FOREVER if high is None else high + 1, self.streams,
            self.own_filter or "", self.clauses,
            newest_first=self.order is None or self.order.descending,
            ordered=self.order is not None,
        )  # fmt: skip


def edge(milliseconds: Optional[int]) -> str:
    """One end of a window, for people."""
    return "unbounded" if milliseconds is None else times.milliseconds_to_text(milliseconds)


def direction(order: Optional[Order]) -> str:
    """The order of reading, and whether it is the query's."""
    if order is None:
        return "newest first"
    way = "newest first" if order.descending else "oldest first"
    return f"{way}, in the order of {order.column}"


def plan(settings: Settings, bounds: Bounds, wanted: frozenset[str]) -> Request:
    """Choose groups, window and pattern; FdwError for a group that cannot be meant."""
    own_filter, clash = choose_filter(bounds)
    deliveries = delivery_window(
        settings, bounds.between("event_time"), bounds.between("timestamp")
    )
    empty = clash or any(bounds.values(name) == () for name in bounds.predicates)
    empty = empty or deliveries.empty
    streams = bounds.values("log_stream_name") or ()
    named = bounds.values("log_group_name")
    return Request(
        groups=None if empty else choose_groups(named, settings.log_group),
        deliveries=deliveries,
        streams=streams if len(streams) <= MOST_STREAMS else (),
        own_filter=own_filter,
        clauses=() if empty else build_clauses(TABLE.column, bounds, own_filter or ""),
        order=bounds.order,
        empty=empty,
        runtime=bounds.runtime,
        settings=settings,
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


def scan(request: Request, settings: Settings, layout: Sequence[str]) -> Iterator[Sequence[object]]:
    """One row a log event, in the order in which pages come, or in the order asked for."""
    if request.empty:
        return
    wanted = frozenset(layout)
    pages = stream(lambda stop: fetch(request, settings, stop, wanted), lazy=LAZY_PAGES)
    if request.order is not None and request.order.column == "event_time":
        yield from newest_first(dated_pages(pages, layout), settings.clock_skew)
        return
    level = record_level(wanted)
    readers: dict[int, Optional[Callable[[LogEvent], Row]]] = {}
    for origin, page in pages:
        if id(origin) not in readers:
            readers[id(origin)] = plain_reader(layout, origin)
        plain = readers[id(origin)]
        for event in page:
            try:
                if plain is not None:
                    yield plain(event)
                    continue
            except (msgspec.MsgspecError, ValueError, KeyError, RecursionError):
                pass
            values = read_event(event, level)
            values.update(origin)
            yield [values.get(name) for name in layout]


def plain_reader(
    layout: Sequence[str], origin: dict[str, object]
) -> Optional[Callable[[LogEvent], Row]]:
    """The quick way from an event to its row, if there is one for this layout."""
    whole = "parse_error" in layout  # what it says depends on the whole record
    extra = [column.name for column in COLUMNS if whole and column.path]
    read = make_reader(MEMBERS, DERIVED, OF_EVENT, [*layout, *extra, "event_time"], origin)
    if read is None:
        return None
    width = len(layout)

    def row(event: LogEvent) -> Row:
        found = read(event)
        if found[-1] is None:
            raise ValueError  # event_time falls back to another column
        return found[:width]

    return row


def dated_pages(pages: Iterable[Page], layout: Sequence[str]) -> Iterator[tuple[int, list[Dated]]]:
    """The rows of each page with their event_time, and when its last event was delivered."""
    level = record_level(frozenset(layout) | {"event_time"})
    for origin, page in pages:
        rows = []
        for event in page:
            values = read_event(event, level)
            values.update(origin)
            happened = times.read_event_time(str(values["event_time"])) or event.timestamp * 1000
            rows.append(Dated(happened, [values.get(name) for name in layout]))
        yield page[-1].timestamp, rows


def fetch(
    request: Request, settings: Settings, stop: threading.Event, wanted: frozenset[str]
) -> Iterator[Page]:
    """Pages with the columns that tell where they came from; runs beside the backend."""
    groups = request.groups
    if groups is None:
        found = cloudtrail_api.trail_groups(settings, stop)
        groups = tuple((group.short_name, group) for group in found)
    budget = Budget(settings, TABLE.name, ", ".join(label for label, _ in groups))
    ended = record(budget)
    parts = [
        of_group(request, settings, stop, wanted, label, group, budget) for label, group in groups
    ]
    try:
        if request.order is None or len(parts) < 2:
            yield from chain.from_iterable(parts)
        else:
            yield from merged(parts, request.order.descending)
    finally:
        ended()


def of_group(
    request: Request, settings: Settings, stop: threading.Event, wanted: frozenset[str],
    label: str, group: LogGroup, budget: Budget,
) -> Iterator[Page]:  # fmt: skip
    """The pages of one group."""
    scan = WindowScan(settings, request.ask(group), budget, stop)
    account = scan.account
    if not account:
        account = cloudtrail_api.account(settings, stop, "log_group_account_id" in wanted) or ""
    origin: dict[str, object] = {
        "log_group_name": label,
        "log_group_region": scan.region,
        "log_group_account_id": account or None,
        "filter": request.own_filter,
    }
    for page in scan.read():
        yield origin, page


def merged(parts: Sequence[Iterator[Page]], descending: bool) -> Iterator[Page]:
    """The pages of several groups, each in order, as pages in the order of all."""
    sign = -1 if descending else 1

    def keyed(part: Iterator[Page], number: int) -> Any:
        return ((sign * event.timestamp, number, origin, event)
                for origin, page in part for event in page)  # fmt: skip

    events = merge(*(keyed(part, number) for number, part in enumerate(parts)),
                   key=lambda item: item[0])  # fmt: skip
    for _, run in groupby(events, key=lambda item: item[1]):
        for _, items in groupby(enumerate(run), key=lambda item: item[0] // MOST_MERGED):
            origins, page = zip(*((item[2], item[3]) for _, item in items))
            yield origins[0], list(page)


@lru_cache(maxsize=64)
def record_level(wanted: frozenset[str]) -> Level:
    """The decoder for a record's wanted columns, and for those that others are made of."""
    needed = set(wanted).union(*(DERIVED[name].of for name in wanted & DERIVED.keys()))
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
        values["source_ip"], values["source_address_class"] = source(address)
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
    start, end, _ = request.deliveries
    hours = 100.0 if start is None or end is None else max(1.0, (end - start) / 3_600_000)
    narrow = request.own_filter or request.clauses
    guess = min(100_000.0, 1000 * hours) * (0.1 if narrow else 1)
    return 1 if request.empty else int(guess)


TABLE = Table(
    name="cloudtrail_event",
    help="One row for every event that a trail delivered to CloudWatch Logs.",
    columns=COLUMNS,
    plan=plan,
    scan=scan,
    rows=rows,
    width=40,
    orders=(Order("event_time", True), Order("timestamp", True), Order("timestamp", False)),
)
