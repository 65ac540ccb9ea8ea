"""The faults, each met by boto3 as the product would meet it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    ReadTimeoutError,
)

from cloudtrail_fdw.sandbox.local_aws.faults import FAULTS

Start = Callable[..., Any]


def code(function: Callable[..., Any], **parameters: Any) -> str:
    """The error code of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        function(**parameters)
    return str(caught.value.response["Error"]["Code"])


FAILING = {
    "throttle": "ThrottlingException",
    "server-error": "InternalFailure",
    "service-unavailable": "ServiceUnavailableException",
    "access-denied": "AccessDeniedException",
    "kms-denied": "AccessDeniedException",
    "policy-denied": "AccessDeniedException",
    "expired-token": "ExpiredTokenException",
    "invalid-signature": "InvalidSignatureException",
    "invalid-pattern": "InvalidParameterException",
    "not-found": "ResourceNotFoundException",
}
BROKEN: dict[str, tuple[type[Exception], ...]] = {
    "hang": (ReadTimeoutError,),
    "reset": (HTTPClientError, ConnectionClosedError),
}
OTHERS = {"empty-pages", "repeated-token", "expired-next-token", "duplicate-events",
          "throttle-some", "slow-body", "short-body", "truncated-json", "html-body",
          "die-after-pages", "no-trail", "trail-without-group", "malformed-record",
          "oldest-first-only", "patient-token"}  # fmt: skip


def test_every_fault_is_tested() -> None:
    assert set(FAULTS) == {*FAILING, *BROKEN, *OTHERS}
    assert all(text.endswith(".") for text in FAULTS.values())


@pytest.mark.parametrize("name", FAILING)
def test_a_fault_fails_every_call_until_it_is_off(start: Start, name: str) -> None:
    sandbox = start(["x"])
    logs = sandbox.client("logs")
    asked = {"logGroupName": "trail", "filterPattern": "x"}
    sandbox.fault(name)
    assert sandbox.call("faults")[name]["on"] is True
    assert code(logs.filter_log_events, **asked) == FAILING[name]
    sandbox.fault(name, on=False)
    assert len(logs.filter_log_events(**asked)["events"]) == 1


def test_a_fault_can_be_kept_to_one_action(start: Start) -> None:
    sandbox = start(["x"])
    sandbox.fault("access-denied", action="DescribeTrails")
    assert code(sandbox.client("cloudtrail").describe_trails) == "AccessDeniedException"
    assert sandbox.client("logs").filter_log_events(logGroupName="trail")["events"]
    sandbox.fault("access-denied")
    assert code(sandbox.client("sts").get_caller_identity) == "AccessDenied"


@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_breaks_the_wire(start: Start, records: Callable[..., str], name: str) -> None:
    sandbox = start([records(number, pad="x" * 5000) for number in range(60)])
    logs = sandbox.client("logs", read_timeout=1)
    sandbox.fault(name)
    with pytest.raises(BROKEN[name]):
        logs.filter_log_events(logGroupName="trail")
    sandbox.fault(name, on=False)
    assert len(logs.filter_log_events(logGroupName="trail")["events"]) == 60


@pytest.mark.parametrize("name", ["short-body", "truncated-json", "html-body"])
def test_a_fault_spoils_the_body(start: Start, records: Callable[..., str], name: str) -> None:
    sandbox = start([records(1)])
    logs = sandbox.client("logs")
    bodies: list[bytes] = []

    def keep(response_dict: dict[str, Any], **_: object) -> None:
        bodies.append(response_dict["body"])

    logs.meta.events.register("before-parse.cloudwatch-logs.FilterLogEvents", keep)
    sandbox.fault(name)
    # botocore takes a body that is no JSON for an empty answer: the reader must look itself
    assert "events" not in logs.filter_log_events(logGroupName="trail")
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|Invalid"):
        json.loads(bodies[0])
    sandbox.fault(name, on=False)
    assert len(logs.filter_log_events(logGroupName="trail")["events"]) == 1


def test_a_slow_body_drips(start: Start, records: Callable[..., str]) -> None:
    sandbox = start([records(1, pad="x" * 600)])
    logs = sandbox.client("logs")
    sandbox.fault("slow-body")
    begun = time.monotonic()
    assert len(logs.filter_log_events(logGroupName="trail")["events"]) == 1
    assert time.monotonic() - begun > 1


def chain(logs: Any, most: int = 40) -> list[dict[str, Any]]:
    """The pages of a chain of 10 events a page."""
    found = [logs.filter_log_events(logGroupName="trail", limit=10)]
    while "nextToken" in found[-1] and len(found) < most:
        token = found[-1]["nextToken"]
        found.append(logs.filter_log_events(logGroupName="trail", limit=10, nextToken=token))
    return found


def test_faults_of_chains(start: Start, records: Callable[..., str]) -> None:
    sandbox = start([records(number) for number in range(30)])
    logs = sandbox.client("logs")
    plain = [[e["eventId"] for e in page["events"]] for page in chain(logs)]
    assert [len(page) for page in plain] == [10, 10, 10]

    sandbox.fault("empty-pages")
    empty = [len(page["events"]) for page in chain(logs)]
    assert empty == [0] * 20 + [10, 10, 10]
    sandbox.fault("empty-pages", on=False)

    sandbox.fault("repeated-token")
    repeated = chain(logs, most=5)
    assert len({page["nextToken"] for page in repeated}) == 1
    sandbox.fault("repeated-token", on=False)

    sandbox.fault("duplicate-events")
    doubled = [[e["eventId"] for e in page["events"]] for page in chain(logs)]
    assert doubled == [plain[0], [plain[0][-1], *plain[1]], [plain[1][-1], *plain[2]]]
    sandbox.fault("duplicate-events", on=False)

    sandbox.fault("expired-next-token")
    with pytest.raises(ClientError, match="expired"):
        chain(logs)
    sandbox.fault("expired-next-token", on=False)

    sandbox.fault("throttle-some")
    outcomes = []
    for _ in range(4):
        try:
            logs.filter_log_events(logGroupName="trail")
            outcomes.append("good")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    assert sorted(outcomes) == ["ThrottlingException"] * 2 + ["good"] * 2
    assert outcomes[0] != outcomes[1]


def test_the_process_dies_after_a_page(start: Start, records: Callable[..., str]) -> None:
    sandbox = start([records(number, pad="x" * 3000) for number in range(1000)])
    logs = sandbox.client("logs")
    sandbox.fault("die-after-pages")
    sandbox.client("cloudtrail").describe_trails()
    page = logs.filter_log_events(logGroupName="trail")
    assert len(page["events"]) > 100
    assert sandbox.process.wait(timeout=5) == 70
    with pytest.raises(BotoCoreError):
        logs.filter_log_events(logGroupName="trail", nextToken=page["nextToken"])


def test_newest_first_can_be_refused(start: Start) -> None:
    sandbox = start(["x"])
    sandbox.fault("oldest-first-only")
    logs = sandbox.client("logs")
    asked = {"logGroupName": "trail", "startTime": 1_704_067_200_000}
    assert len(logs.filter_log_events(**asked)["events"]) == 1
    assert code(logs.filter_log_events, **asked, startFromHead=False) == (
        "InvalidParameterException"
    )
    sandbox.fault("oldest-first-only", on=False)
    assert len(logs.filter_log_events(**asked, startFromHead=False)["events"]) == 1


def test_a_token_is_given_back_twice_and_then_leads_on(start: Start) -> None:
    sandbox = start([str(number) for number in range(25)])
    sandbox.fault("patient-token")
    pages = chain(sandbox.client("logs"))
    assert [len(page["events"]) for page in pages] == [10, 0, 10, 10, 0, 5, 5]
    tokens = [page.get("nextToken") for page in pages]
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3] == tokens[4] == tokens[5]
    assert tokens[6] is None
