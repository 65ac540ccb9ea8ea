"""From an HTTP request to AWS's answer: protocol, signature, quota, faults, action."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Callable
from urllib.parse import parse_qsl
from uuid import uuid4

from cloudtrail_fdw.sandbox.local_aws import describe_logs, identity, trails
from cloudtrail_fdw.sandbox.local_aws.account import Account
from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError
from cloudtrail_fdw.sandbox.local_aws.filter_log_events import filter_log_events
from cloudtrail_fdw.sandbox.local_aws.http_server import Request, Response, Wire
from cloudtrail_fdw.sandbox.local_aws.lookup_events import lookup_events
from cloudtrail_fdw.sandbox.local_aws.store import REGION

LOGS = "Logs_20140328"
CLOUDTRAIL = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"
JSON = "application/x-amz-json-1.1"
HTML = b"<html><body>Please sign in to the network.</body></html>"
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)"
    r"/aws4_request, ?SignedHeaders=[^,\s]+, ?Signature=[0-9a-f]{64}"
)

Shape = Mapping[str, Any]
LISTINGS: dict[str, Callable[..., Shape]] = {
    "DescribeLogGroups": describe_logs.describe_log_groups,
    "DescribeLogStreams": describe_logs.describe_log_streams,
}
TRAIL_ACTIONS: dict[str, Callable[..., Shape]] = {
    "DescribeTrails": trails.describe_trails,
    "GetTrail": trails.get_trail,
    "GetTrailStatus": trails.get_trail_status,
    "GetEventSelectors": trails.get_event_selectors,
}
ACTIONS = {
    "logs": ("FilterLogEvents", *LISTINGS),
    "cloudtrail": ("LookupEvents", *TRAIL_ACTIONS),
    "sts": ("GetCallerIdentity", "AssumeRole"),
}
REFUSALS = {
    "access-denied": AwsError("AccessDeniedException", "User is not authorized to perform this."),
    "kms-denied": AwsError(
        "AccessDeniedException",
        "User: arn:aws:iam::111122223333:user/sandbox is not authorized to perform: kms:Decrypt on "
        "resource: arn:aws:kms:us-east-1:111122223333:key/sandbox because no identity-based policy "
        "allows the kms:Decrypt action",
    ),
    "policy-denied": AwsError(
        "AccessDeniedException",
        "User: arn:aws:iam::111122223333:user/sandbox is not authorized to perform this action "
        "with an explicit deny in a service control policy",
    ),
    "expired-token": AwsError("ExpiredTokenException", "The security token is expired"),
    "invalid-signature": AwsError("InvalidSignatureException", "The signature does not match."),
    "service-unavailable": AwsError("ServiceUnavailableException", "Service unavailable", 503),
    "server-error": AwsError("InternalFailure", "Internal failure", 500),
}
# STS has other names for the same, and the status 403 for all of them
STS_CODES = {
    "AccessDeniedException": "AccessDenied",
    "ExpiredTokenException": "ExpiredToken",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "ServiceUnavailableException": "ServiceUnavailable",
    "ThrottlingException": "Throttling",
}
# the members with the items and the token of each listing that has pages
PAGED = {
    "FilterLogEvents": ("events", "nextToken"),
    "DescribeLogGroups": ("logGroups", "nextToken"),
    "LookupEvents": ("Events", "NextToken"),
}
GIVEN_BACK = 2  # times, by the fault patient-token
WIRES = {
    "slow-body": Wire.SLOW,
    "reset": Wire.RESET,
    "short-body": Wire.SHORT,
}


async def answer(request: Request, account: Account) -> Response:
    """Answer one AWS call."""
    service, action, parameters = read_call(request)
    if service not in ACTIONS or action not in ACTIONS[service]:
        unknown = AwsError("UnknownOperationException", f"The sandbox does not play {action!r}.")
        return refuse(service, unknown)
    account.stats.calls[action] += 1
    faults = account.faults.of(action)
    await asyncio.sleep(account.limits.latency_ms / 1000)
    if "hang" in faults:
        return Response(wire=Wire.HANG)
    try:
        key, region = check_signature(request, service, account)
        account.requests.append(
            {
                "action": action,
                "access_key_id": key,
                "region": region,
                "parameters": dict(parameters),
            }
        )
        check_quota(account, action, faults)
        body = perform(account, service, action, parameters, faults, key, region)
        if "patient-token" in faults and action in PAGED:
            body = give_back(account, action, parameters, body)
    except AwsError as error:
        return refuse(service, error)
    return disturb(respond(service, body), action, faults)


def read_call(request: Request) -> tuple[str, str, Mapping[str, Any]]:
    """Service, action and parameters, from the JSON or the query protocol."""
    prefix, _, action = request.headers.get("x-amz-target", "").rpartition(".")
    service = {LOGS: "logs", CLOUDTRAIL: "cloudtrail"}.get(prefix, "sts")
    if service == "sts":
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        return service, form.get("Action", ""), form
    try:
        parameters = json.loads(request.body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        return service, "", {}
    return service, action, parameters


def check_signature(request: Request, service: str, account: Account) -> tuple[str, str]:
    """Access key and Region of a signed request; any key will do, the scope must be right.

    The Regions are the account's own and those of its groups.
    """
    regions = {REGION, *(group.region for group in account.groups.values())}
    match = SIGNED.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")
    if match["service"] != service or match["region"] not in regions:
        raise AwsError(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid Region and service: {REGION}, {service}.",
        )
    return match["key"], match["region"]


def check_quota(account: Account, action: str, faults: AbstractSet[str]) -> None:
    """Refuse the call where a fault or the quota says so."""
    for name, refusal in REFUSALS.items():
        if name in faults:
            raise AwsError(refusal.code, refusal.message, refusal.status)
    if "throttle" in faults or not account.quota.take(action):
        account.stats.throttles += 1
        raise AwsError("ThrottlingException", "Rate exceeded")


def perform(
    account: Account,
    service: str,
    action: str,
    parameters: Mapping[str, Any],
    faults: AbstractSet[str],
    key: str,
    region: str,
) -> bytes:
    """Run an action; its answer's body."""
    groups = {} if "not-found" in faults else account.groups_of(region)
    if action == "FilterLogEvents":
        page = filter_log_events(parameters, groups, account.tokens, faults, account.scan_bytes)
        account.stats.events += page.events
        account.stats.bytes += len(page.body)
        account.stats.empty_pages += not page.events
        return page.body
    if service == "logs":
        return json.dumps(LISTINGS[action](parameters, groups, account.tokens)).encode()
    if action == "LookupEvents":
        looked_up = lookup_events(parameters, account.history, account.tokens, faults)
        return json.dumps(looked_up).encode()
    if service == "cloudtrail":
        return json.dumps(TRAIL_ACTIONS[action](parameters, account.trail, faults)).encode()
    if action == "AssumeRole":
        return account.identities.assume_role(parameters).encode()
    return account.identities.get_caller_identity(key).encode()


def give_back(account: Account, action: str, parameters: Mapping[str, Any], body: bytes) -> bytes:
    """The answer of the fault patient-token, which gives back the token that it was asked by."""
    items, member = PAGED[action]
    token = parameters.get(member)
    if token is None:
        return body
    account.given_back[token] += 1
    if account.given_back[token] > GIVEN_BACK:
        return body
    answer = {**json.loads(body), member: token}
    if account.given_back[token] < GIVEN_BACK:
        answer[items] = []
    return json.dumps(answer).encode()


def respond(service: str, body: bytes, status: int = 200) -> Response:
    """A body with the headers of its protocol."""
    request_id = {"x-amzn-RequestId": str(uuid4())}
    return Response(body, status, "text/xml" if service == "sts" else JSON, request_id)


def refuse(service: str, error: AwsError) -> Response:
    """An error in the protocol of the service."""
    if service == "sts":
        code = STS_CODES.get(error.code, error.code)
        status = 403 if code != error.code and error.status == 400 else error.status
        failure = AwsError(code, error.message, status)
        return respond(service, identity.error(failure).encode(), status)
    body = json.dumps({"__type": error.code, "message": error.message}).encode()
    return respond(service, body, error.status)


def disturb(response: Response, action: str, faults: AbstractSet[str]) -> Response:
    """The answer as the faults of the wire leave it."""
    body = response.body
    if "html-body" in faults:
        return Response(HTML, 200, "text/html")
    if "truncated-json" in faults:
        body = body[: len(body) // 2]
    wire = next((way for name, way in WIRES.items() if name in faults), Wire.WHOLE)
    if "die-after-pages" in faults and action == "FilterLogEvents":
        wire = Wire.DIE
    return Response(body, response.status, response.content_type, response.headers, wire)
