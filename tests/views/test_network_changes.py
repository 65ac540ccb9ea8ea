"""The views of network changes, on article 001's own JSON and on records written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import TESTS, Sandbox, start

ARTICLE = TESTS / "data" / "vpc_article.jsonl"
HANDMADE = TESTS / "data" / "vpc_handmade.jsonl"
HOUR = "event_time BETWEEN '2026-11-20 10:00+00' AND '2026-11-20 11:00+00'"
# What is shown of a change, where it is not NULL.
COLUMNS = """
    event_name service change success vpc_id peer_vpc_id subnet_id route_table_id gateway_id
    allocation_id association_id peering_connection_id network_acl_id group_id
    network_interface_id instance_id public_ip cidrs to_world protocol from_port to_port
"""
NAMES = COLUMNS.split()


@pytest.fixture(scope="module")
def article(kind: str) -> Iterator[Sandbox]:
    """The article's 32 events."""
    yield from start(kind, "vpc-article", "--events", str(ARTICLE))


@pytest.fixture(scope="module")
def handmade(kind: str) -> Iterator[Sandbox]:
    """What the article lacks: other services and forms, near misses, malformed requests."""
    yield from start(kind, "vpc-handmade", "--events", str(HANDMADE))


def ask(sandbox: Sandbox, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query of the reading role."""
    with sandbox.connect("reader_dsn") as db:
        return db.execute(query.encode()).fetchall()


def shown(row: tuple[Any, ...]) -> dict[str, Any]:
    """The columns of a change that are not NULL."""
    return {name: value for name, value in zip(NAMES, row) if value is not None}


def expected(name: str) -> list[dict[str, Any]]:
    """The changes that a file of tests/data lists, in the order of their time."""
    return [json.loads(line) for line in (TESTS / "data" / name).read_text("utf-8").splitlines()]


def test_every_scenario_of_the_article_is_one_row(article: Sandbox) -> None:
    rows = ask(article, f"SELECT {', '.join(NAMES)} FROM cloudtrail_vpc_change ORDER BY event_time")
    assert len(rows) == 32
    assert [shown(row) for row in rows] == expected("vpc_article_rows.jsonl")


def test_a_change_says_who_from_where_and_in_which_account(article: Sandbox) -> None:
    assert ask(
        article,
        "SELECT DISTINCT success, error_code, user_arn, source_ip_address, aws_region,"
        " recipient_account_id FROM cloudtrail_vpc_change",
    ) == [
        (
            True,
            None,
            "arn:aws:iam::123456789012:user/test_user",
            "203.0.113.9",
            "us-east-2",
            "123456789012",
        )
    ]


def test_other_services_and_both_wrappings(handmade: Sandbox) -> None:
    # the tag of the endpoint holds an instance's id, and the ACL entry has the error code 200
    rows = ask(
        handmade,
        f"SELECT {', '.join(NAMES)} FROM cloudtrail_vpc_change"
        " WHERE service <> 'security group' ORDER BY event_time",
    )
    assert [shown(row) for row in rows] == expected("vpc_handmade_rows.jsonl")


def test_resource_ids_are_all_that_are_named(handmade: Sandbox) -> None:
    rows = ask(
        handmade,
        "SELECT event_name, resource_ids FROM cloudtrail_vpc_change"
        " WHERE event_name IN ('DeleteFlowLogs', 'CreateFlowLogs', 'CreateVpcEndpoint')"
        " ORDER BY event_time",
    )
    assert rows == [
        ("DeleteFlowLogs", ["fl-0aaaaaaaaaaaaaaa1"]),
        ("CreateFlowLogs", ["vpc-0aaaaaaaaaaaaaaa1", "vpc-0aaaaaaaaaaaaaaa2"]),
        (
            "CreateVpcEndpoint",
            ["rtb-0aaaaaaaaaaaaaaa1", "vpc-0aaaaaaaaaaaaaaa1", "vpce-0aaaaaaaaaaaaaaa1"],
        ),
    ]


def test_each_rule_is_a_row_and_the_world_is_a_length(handmade: Sandbox) -> None:
    rows = ask(
        handmade,
        "SELECT right(event_id, 2)::int, change, egress, protocol, from_port, to_port,"
        " coalesce(cidr, prefix_list_id, referenced_group), open_to_world, success"
        " FROM cloudtrail_security_group_rule"
        " WHERE event_id < '10000000-0000-4000-8000-000000000026'",
    )
    ssh, web = ("tcp", 22, 22), ("tcp", 443, None)
    assert sorted(rows, key=lambda row: (row[0], row[6] or "~")) == [
        (17, "authorize", False, *ssh, "0.0.0.0/0", True, True),
        (17, "authorize", False, *ssh, "10.0.0.0/8", False, True),
        (17, "authorize", False, *ssh, "::/0", True, True),
        (17, "authorize", False, "-1", None, None, "pl-0aaaaaaaaaaaaaaa1", False, True),
        (17, "authorize", False, "-1", None, None, "sg-0aaaaaaaaaaaaaaa9", False, True),
        (18, "authorize", False, "tcp", 3389, 3389, "192.0.2.1/0", True, True),
        (19, "authorize", False, None, None, None, "web", False, True),
        (20, "authorize", False, *web, "0.0.0.0/99", None, True),
        (20, "authorize", False, *web, "10.0.0.0/0", True, True),
        (20, "authorize", False, *web, "not 0.0.0.0/0", None, True),
        (20, "authorize", False, *web, None, None, True),
        (21, "revoke", True, "-1", 0, 0, "::/0", True, False),
        (22, "revoke", False, *ssh, "0.0.0.0/0", True, True),
        (22, "revoke", False, None, None, None, None, None, True),
        (23, "modify", None, "-1", -1, -1, "0.0.0.0/0", True, True),
        (24, "modify", None, "tcp", 80, 80, "::/0", True, True),
        (24, "modify", None, "tcp", 81, 81, "pl-0aaaaaaaaaaaaaaa2", False, True),
        (25, "authorize", True, "udp", 53, 53, "0.0.0.0/0", True, True),
        (25, "authorize", True, "udp", 53, 53, "198.51.100.0/24", False, True),
    ]


def test_rules_keep_their_group_id_and_account(handmade: Sandbox) -> None:
    rows = ask(
        handmade,
        "SELECT security_group_rule_id, group_id, group_name, referenced_account_id"
        " FROM cloudtrail_security_group_rule"
        " WHERE security_group_rule_id IS NOT NULL OR referenced_account_id IS NOT NULL",
    )
    group = "sg-0123456789abcdef0"
    assert sorted(rows, key=lambda row: (row[0] or "", row[1] or "~")) == [
        (None, group, None, "210987654321"),
        (None, None, "default", "210987654321"),
        *((f"sgr-0aaaaaaaaaaaaaaa{number}", group, None, None) for number in range(1, 6)),
    ]


def test_malformed_requests_are_rows_of_both_views(handmade: Sandbox) -> None:
    malformed = [
        json.loads(line)["eventID"] for line in HANDMADE.read_text("utf-8").splitlines()[25:35]
    ]
    assert len(malformed) == 10
    for view in ("cloudtrail_vpc_change", "cloudtrail_security_group_rule"):
        with handmade.connect("reader_dsn") as db:
            found = db.execute(
                f"SELECT v::text, event_id FROM {view} v WHERE event_id = ANY (%s)".encode(),
                (malformed,),
            ).fetchall()
        assert sorted(event_id for _, event_id in found) == malformed


@pytest.mark.parametrize(
    ("view", "clause", "pattern"),
    [
        ("cloudtrail_vpc_change", "true", '{ $.eventSource = "ec2.amazonaws.com" }'),
        (
            "cloudtrail_vpc_change",
            "event_name IN ('CreateRoute', 'ReplaceRoute')",
            '($.eventName = "CreateRoute" || $.eventName = "ReplaceRoute") && ',
        ),
        (
            "cloudtrail_security_group_rule",
            "true",
            '$.eventName = "ModifySecurityGroupRules" || ',
        ),
    ],
)
def test_time_and_names_reach_aws(handmade: Sandbox, view: str, clause: str, pattern: str) -> None:
    plan = ask(handmade, f"EXPLAIN (COSTS OFF) SELECT * FROM {view} WHERE {HOUR} AND {clause}")
    lines = [line.strip() for (line,) in plan]
    windows = [line for line in lines if line.startswith("Window: ")]
    patterns = [line for line in lines if line.startswith("Filter Pattern: ")]
    assert len(windows) == len(patterns) == 1
    assert windows[0].startswith("Window: 2026-11-20T09:59:00+00:00 to 2026-11-20T12:00:00+00:00")
    assert '$.eventSource = "ec2.amazonaws.com"' in patterns[0]
    assert pattern in patterns[0]
    assert len(patterns[0]) - len("Filter Pattern: ") <= 1024


def test_what_is_no_rule_crosses_the_wire_no_more(handmade: Sandbox) -> None:
    for view, sent in (("cloudtrail_vpc_change", 46), ("cloudtrail_security_group_rule", 19)):
        handmade.reset()
        with handmade.connect() as db:
            db.execute("SET cloudtrail_fdw.cache = off")
            db.execute(f"SELECT count(*) FROM {view}")
        assert handmade.stats()["events"] == sent


def test_objects_are_described_and_read_only(handmade: Sandbox) -> None:
    with handmade.connect() as db:
        undescribed = db.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relname IN"
            " ('cloudtrail_vpc_change', 'cloudtrail_security_group_rule')"
            " AND obj_description(oid, 'pg_class') IS NULL"
            " UNION ALL SELECT oid::regprocedure::text FROM pg_proc"
            " WHERE proname LIKE 'cloudtrail_ec2_%' AND obj_description(oid, 'pg_proc') IS NULL"
        ).fetchall()
        with pytest.raises(psycopg.errors.Error):
            db.execute("SET ROLE cloudtrail_reader; DELETE FROM cloudtrail_vpc_change")
    assert undescribed == []
