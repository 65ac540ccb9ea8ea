"""Who and where: the views and functions of sql/92, 95 and 96, on the articles' own events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw.sandbox import runtime
from cloudtrail_fdw.sources.disk.data_files import SAMPLES
from servers import TESTS, Sandbox, start

WITHOUT_HANDLER_TOO = True

Db = psycopg.Connection[tuple[Any, ...]]
EVENTS = TESTS / "data" / "who_and_where.jsonl"
FLOW_LOGS = "dc10a380-d2ee-4787-9093-0f89b0217a75"  # article 000's event
ECR = "bf8c830c-6d06-4f08-a249-396b0223ae15"  # article 002's, after the change
DAY = "'2026-11-20 00:00+00', '2026-11-21 00:00+00'"
EVER = "'2017-01-01 00:00+00', '2027-01-01 00:00+00'"
# one minute before the first bound, one hour after the second
WINDOW = "Window: 2026-11-19T23:59:00+00:00 to 2026-11-21T01:00:00+00:00"


@pytest.fixture(scope="session")
def who(kind: str) -> Iterator[Sandbox]:
    """A sandbox of the fixture, whose ip-ranges.json passes for the whole file."""
    ranges = json.loads((SAMPLES / "ip-ranges-sample.json").read_text("utf-8"))
    del ranges["sample"]
    ranges["prefixes"] += [
        {"ip_prefix": "52.43.76.88/29", "region": "us-west-2", "service": service,
         "network_border_group": "us-west-2"}
        for service in ("AMAZON", "CODEBUILD")
    ]  # fmt: skip
    folder = runtime.default_cache() / "tests" / "who-ranges"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ip-ranges.json").write_text(json.dumps(ranges), "utf-8")
    yield from start(
        kind, "who", "--events", str(EVENTS), "--log-group", "who", "--data-directory", str(folder)
    )


@pytest.fixture
def db(who: Sandbox) -> Iterator[Db]:
    """A reader's session: whoever may read the tables may read the views."""
    with who.connect("reader_dsn") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def plan(db: Db, query: str) -> str:
    return "\n".join(line for (line,) in db.execute("EXPLAIN (COSTS OFF) " + query).fetchall())


def test_the_articles_flow_log_event_is_aws_own_and_says_why(db: Db) -> None:
    found = db.execute(
        "SELECT origin, is_aws_automatic, automatic_service, documentation_url, decided_by,"
        " address_aws_region FROM cloudtrail_event_origin WHERE event_id = %s",
        [FLOW_LOGS],
    ).fetchall()
    assert found == [
        (
            "aws_infrastructure",
            True,
            "VPC Flow Logs",
            "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html",
            ["sourceIPAddress", "ip-ranges.json", "eventSource", "eventName", "userIdentity.type",
             "userIdentity.arn", "userAgent"],
            "ap-northeast-1",
        )
    ]  # fmt: skip


AUTOMATIC = {FLOW_LOGS, "flow-issued", "elb", "trail"}
ORIGINS = {
    FLOW_LOGS: "aws_infrastructure",
    "flow-issued": "aws_service",
    "forged-on-ec2": "aws_customer_ec2",
    "forged-in-codebuild": "aws_customer_ec2",
    "forged-on-s3": "aws_infrastructure",
    "forged-from-home": "internet",
    "other-event": "aws_infrastructure",
    "other-agent": "aws_infrastructure",
    "other-account": "aws_infrastructure",
    "a-user": "aws_infrastructure",
    "from-vpc": "private",
    "no-address": "unknown",
    "no-such-address": "unknown",
    "elb": "aws_service",
    "elb-other-event": "aws_service",
    "elb-own-role": "aws_service",
    "elb-forged-path": "aws_service",
    "elb-from-ec2": "aws_customer_ec2",
    "trail": "aws_service",
    "trail-for-a-user": "aws_service",
    "unlisted": "aws_service",
    ECR: "aws_console_proxy",
    "not-from-the-console": "aws_service",
    "chain-1": "internet",
}


def test_origin_of_every_kind_and_no_forger_is_ignored(db: Db) -> None:
    found = db.execute(
        "SELECT event_id, origin, is_aws_automatic FROM cloudtrail_event_origin"
    ).fetchall()
    assert len(found) == len(EVENTS.read_text("utf-8").splitlines())
    origins = {event_id: origin for event_id, origin, _ in found}
    assert {event_id: origins[event_id] for event_id in ORIGINS} == ORIGINS
    assert {event_id for event_id, _, automatic in found if automatic} == AUTOMATIC


def test_the_sample_of_ranges_makes_no_address_a_strangers(sample: Sandbox) -> None:
    with sample.connect("reader_dsn") as db:
        found = db.execute(
            "SELECT source_ip_address, origin, is_aws_automatic FROM cloudtrail_event_origin"
            " WHERE source_ip_address IN ('54.240.200.68', '3.141.213.252', '104.53.216.85')"
        ).fetchall()
    assert set(found) == {
        ("54.240.200.68", "aws_infrastructure", True),
        ("3.141.213.252", "aws_customer_ec2", False),
        ("104.53.216.85", "unknown", False),
    }


# What no filter pattern can test: the address's range, whose account, what a role's path holds.
PATTERN_FINDS_TOO = {
    "forged-on-ec2", "forged-in-codebuild", "forged-on-s3", "forged-from-home", "other-account",
    "from-vpc", "no-address", "no-such-address", "elb-forged-path",
}  # fmt: skip


def test_callers_as_filter_patterns(db: Db) -> None:
    patterns = db.execute(
        "SELECT filter_pattern, documentation_url FROM cloudtrail_automatic_caller"
    ).fetchall()
    found = set()
    for pattern, url in patterns:
        assert len(pattern) <= 1024
        assert url.startswith("https://docs.aws.amazon.com/")
        rows = db.execute(
            "SELECT event_id FROM cloudtrail_event WHERE filter = %s", [pattern]
        ).fetchall()
        found |= {event_id for (event_id,) in rows}
    assert found == AUTOMATIC | PATTERN_FINDS_TOO


def test_who_vpc_flow_logging_is(db: Db) -> None:
    key = "ASIAZZZZZZZZZZZZZZZZZ"
    found = db.execute(
        "SELECT step, issued_arn, event_name, invoked_by, ends_at"
        f" FROM cloudtrail_session_chain('{key}', {EVER})"
    ).fetchall()
    arn = "arn:aws:sts::8xxxxxxxxxxx:assumed-role/flowlogsRole/vpc-flow-logging+8xxxxxxxxxxx"
    assert found == [(1, arn, "AssumeRole", "vpc-flow-logs.amazonaws.com", "service")]


def chain(db: Db, key: str, window: str = DAY) -> list[tuple[Any, ...]]:
    return db.execute(
        "SELECT step, event_id, caller_access_key_id, ends_at"
        f" FROM cloudtrail_session_chain('{key}', {window})"
    ).fetchall()


def test_a_chain_of_roles_leads_to_a_person(db: Db) -> None:
    assert chain(db, "ASIACHAIN00000000003") == [
        (1, "chain-3", "ASIACHAIN00000000002", None),
        (2, "chain-2", "ASIACHAIN00000000001", None),  # delivered twice, one step
        (3, "chain-1", "AKIAIOSFODNN7EXAMPLE", "person"),
    ]
    assert chain(db, "ASIAPARTNER000000001") == [(1, "partner", None, "outside")]
    orphan = (1, "orphan", "ASIAISSUEDLONGAGO001", "not in window")
    assert chain(db, "ASIAORPHAN0000000001") == [orphan]
    half = "'2026-11-20 12:01+00', '2026-11-21 00:00+00'"
    assert chain(db, "ASIACHAIN00000000003", half)[-1][1:] == (
        "chain-2", "ASIACHAIN00000000001", "not in window",
    )  # fmt: skip
    assert chain(db, "ASIANOBODY0000000001") == []


def test_the_person_behind_aws_internal(db: Db) -> None:
    found = db.execute(
        "SELECT event_id, source_ip_address, user_agent LIKE 'Mozilla/%', match,"
        f" sign_in_event_name, sign_in_event_id FROM cloudtrail_console_source({EVER})"
    ).fetchall()
    assert sorted(found) == [
        # not the switches of the same role before and after
        (ECR, "203.0.113.1", True, "exact", "SwitchRole", "switch"),
        ("bf8c830c-no-sign-in", None, None, None, None, None),
        # not the failed sign-in between
        ("carol-hidden", "104.53.216.85", True, "nearest", "ConsoleLogin", "login"),
        ("dora-hidden", "104.53.216.85", False, "exact", "AssumeRole", "broker"),
        ("dora-other-session", None, None, None, None, None),
        ("frank-hidden", "82.102.17.180", True, "exact", "ConsoleLogin", "login-milliseconds"),
    ]


def test_a_sign_in_before_the_window_is_found(db: Db) -> None:
    found = db.execute(
        "SELECT event_id, match, candidates FROM cloudtrail_console_source("
        "'2022-03-17 01:32:27+00', '2022-03-17 01:32:28+00')"
    ).fetchall()
    assert found == [(ECR, "exact", 2)]


def test_console_source_asks_one_window_and_one_scan_of_sign_ins(who: Sandbox, db: Db) -> None:
    who.reset()
    db.execute("SET cloudtrail_fdw.cache = off")
    db.execute(f"SELECT * FROM cloudtrail_console_source({DAY})").fetchall()
    assert who.stats()["calls"]["FilterLogEvents"] == 2


def test_equal_messages_are_one_event_and_nothing_else_is(db: Db) -> None:
    query = (
        "SELECT event_id, count(*) FROM {}"
        " WHERE event_id IN ('chain-2', 'shared') GROUP BY event_id ORDER BY event_id"
    )
    raw = db.execute(query.format("cloudtrail_event")).fetchall()
    assert raw == [("chain-2", 2), ("shared", 2)]
    distinct = db.execute(query.format("cloudtrail_event_distinct")).fetchall()
    assert distinct == [("chain-2", 1), ("shared", 2)]
    messages = "SELECT message FROM {} ORDER BY 1"
    once = db.execute(messages.format("cloudtrail_event_distinct")).fetchall()
    assert once == sorted(set(db.execute(messages.format("cloudtrail_event")).fetchall()))


def test_the_first_delivery_is_the_one_kept(db: Db) -> None:
    found = db.execute(
        "SELECT d.log_event_id = (SELECT e.log_event_id FROM cloudtrail_event e"
        ' WHERE e.event_id = d.event_id ORDER BY e."timestamp" LIMIT 1)'
        " FROM cloudtrail_event_distinct d WHERE d.event_id = 'chain-2'"
    ).fetchall()
    assert found == [(True,)]


def test_sign_ins_by_what_the_record_really_says(db: Db) -> None:
    found = db.execute(
        "SELECT event_id, success, mfa_used, error_message, switch_from FROM cloudtrail_sign_in"
    ).fetchall()
    switched = "arn:aws:iam::123456789012:user/user01"
    assert sorted(found) == [
        ("identity-center", True, None, None, None),
        ("login", True, True, None, None),
        ("login-failed", False, False, "Failed authentication", None),
        ("login-milliseconds", True, True, None, None),
        ("login-no-mfa", True, False, None, None),
        ("login-saml", True, None, None, None),
        ("switch", True, None, None, switched),
        ("switch-earlier", True, None, None, None),
        ("switch-later", True, None, None, None),
    ]


def test_geo_places_events_and_keeps_those_without_a_place(db: Db) -> None:
    found = db.execute(
        "SELECT event_id, country_code, round(latitude::numeric, 1), round(longitude::numeric, 1)"
        " FROM cloudtrail_event_geo WHERE event_id = ANY (%s) ORDER BY event_time",
        [[FLOW_LOGS, ECR, "login-failed", "no-address"]],
    ).fetchall()
    assert [(row[0], row[1]) for row in sorted(found)] == sorted(
        [(FLOW_LOGS, "JP"), (ECR, None), ("login-failed", "NL"), ("no-address", None)]
    )
    assert all((row[2] is None) == (row[1] is None) for row in found)
    count = db.execute("SELECT count(*) FROM cloudtrail_event_geo").fetchall()
    assert count == db.execute("SELECT count(*) FROM cloudtrail_event").fetchall()


VIEWS = ["event_origin", "event_distinct", "sign_in", "event_geo"]


@pytest.mark.parametrize("view", VIEWS)
def test_bounds_on_a_view_reach_aws(db: Db, view: str) -> None:
    bounds = "event_time >= '2026-11-20 00:00+00' AND event_time < '2026-11-21 00:00+00'"
    shown = plan(db, f"SELECT event_id FROM cloudtrail_{view} WHERE {bounds}")
    assert WINDOW in shown
    shown = plan(
        db, f"SELECT event_id FROM cloudtrail_{view} WHERE {bounds} AND event_name = 'SwitchRole'"
    )
    assert '$.eventName = "SwitchRole"' in shown


def test_the_group_named_on_the_distinct_view_is_the_one_read(db: Db) -> None:
    query = "SELECT count(*) FROM cloudtrail_event_distinct WHERE log_group_name = 'who'"
    assert "Log Group: who" in plan(db, query)
    assert (
        db.execute(query).fetchall()
        == db.execute("SELECT count(DISTINCT message) FROM cloudtrail_event").fetchall()
    )


def test_bounds_of_a_function_reach_aws(who: Sandbox, db: Db) -> None:
    shown = plan(db, f"SELECT * FROM cloudtrail_session_chain('ASIA', {DAY})")
    assert shown.count(" of delivery") == shown.count(WINDOW) == 1
    shown = plan(db, f"SELECT * FROM cloudtrail_console_source({DAY})")
    assert shown.count(" of delivery") == 2
    assert WINDOW in shown
    # sign-ins of 12 hours before; Multicorn's own handler computes that bound at execution only
    assert who.bare or "Window: 2026-11-19T11:59:00+00:00 to 2026-11-21T01:00:00+00:00" in shown


def test_bounds_that_the_plan_does_not_know(db: Db) -> None:
    found = db.execute(
        "SELECT count(*) FROM cloudtrail_console_source("
        "(SELECT '2022-03-17 01:32+00'::timestamptz), now())"
    ).fetchall()
    assert found == [(6,)]


def test_all_of_it_has_comments(db: Db) -> None:
    lacking = db.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'cloudtrail'::regnamespace"
        " AND c.relkind = 'v' AND c.relname = ANY (%s)"
        " AND obj_description(c.oid, 'pg_class') IS NULL",
        [[f"cloudtrail_{view}" for view in [*VIEWS, "automatic_caller"]]],
    ).fetchall()
    lacking += db.execute(
        "SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'cloudtrail'::regnamespace"
        " AND p.proname IN ('cloudtrail_session_chain', 'cloudtrail_console_source')"
        " AND obj_description(p.oid, 'pg_proc') IS NULL"
    ).fetchall()
    assert lacking == []
