"""The sample holds what the documentation and the demo promise of it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from cloudtrail_fdw.sandbox import events

RECORDS: list[dict[str, Any]] = [json.loads(e.message) for e in events.load(events.SAMPLE)]
ARTICLE = ["104.53.216.85", "82.102.17.180", "89.248.165.99", "107.170.20.63", "157.230.162.15",
           "212.102.58.164"]  # fmt: skip


def chosen(**fields: Any) -> list[dict[str, Any]]:
    return [r for r in RECORDS if all(r.get(name) == value for name, value in fields.items())]


@pytest.mark.parametrize("address", [*ARTICLE, "54.240.200.68", "3.141.213.252"])
def test_the_articles_addresses_are_there(address: str) -> None:
    assert chosen(sourceIPAddress=address)


def test_the_articles_events_are_there() -> None:
    (flow,) = chosen(sourceIPAddress="54.240.200.68")
    assert (flow["eventName"], flow["awsRegion"]) == ("CreateLogStream", "ap-northeast-1")
    assert flow["userIdentity"]["principalId"].endswith(":vpc-flow-logging+123456789012")
    hidden = chosen(eventName="DescribeImages", sourceIPAddress="AWS Internal")[0]
    assert hidden["sessionCredentialFromConsole"] == "true"
    (switch,) = chosen(eventName="SwitchRole")
    session = hidden["userIdentity"]["sessionContext"]["attributes"]["creationDate"]
    assert switch["eventTime"] == session
    assert switch["userIdentity"]["arn"] == hidden["userIdentity"]["arn"]


def test_the_shapes_are_there() -> None:
    logins = chosen(eventName="ConsoleLogin")
    assert {r["responseElements"]["ConsoleLogin"] for r in logins} == {"Success", "Failure"}
    assert not any("errorCode" in r for r in logins)
    flat = [bool(r["requestParameters"]["ipPermissions"])
            for r in chosen(eventName="AuthorizeSecurityGroupIngress")]  # fmt: skip
    assert sorted(flat) == [False, True]
    categories = Counter(r["eventCategory"] for r in RECORDS)
    assert set(categories) == {"Management", "Data", "Insight", "Aggregated"}
    assert len(chosen(errorCode="AccessDenied")) > 3
    assert any(":" in str(r.get("sourceIPAddress")) for r in RECORDS)
    assert 40 <= len(RECORDS) <= 60
    assert len({r.get("eventID", "") for r in RECORDS}) == len(RECORDS) - 1


def test_only_documentation_accounts_appear() -> None:
    text = events.SAMPLE.read_text()
    accounts = {r.get("recipientAccountId", r.get("accountId")) for r in RECORDS}
    assert accounts == {"123456789012"}
    assert "111122223333" in text
    assert {r["eventTime"][:10] for r in RECORDS if "eventTime" in r} == {"2026-11-20"}
