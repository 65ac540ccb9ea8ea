"""What is recorded and what is not: sql/97_coverage.sql and sql/97_recording.sql."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import Sandbox

Db = psycopg.Connection[tuple[Any, ...]]
DAY = "'2026-11-20 00:00+00', '2026-11-21 00:00+00'"
WINDOW = "Window: 2026-11-19T23:59:00+00:00 to 2026-11-21T01:00:00+00:00"
USUAL = {
    "EventSelectors": [
        {
            "ReadWriteType": "All",
            "IncludeManagementEvents": True,
            "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}],
            "ExcludeManagementEventSources": [],
        }
    ]
}


@pytest.fixture(scope="module")
def db(sample: Sandbox) -> Iterator[Db]:
    """A reader's session, one for all tests: each new one imports boto3 anew."""
    with sample.connect("reader_dsn") as connection:
        yield connection


@pytest.fixture
def trail(sample: Sandbox) -> Iterator[Any]:
    """A function that changes the trail, which is as before after the test."""

    def change(**what: Any) -> None:
        url = f"{sample.state['aws_endpoint']}/_sandbox/trail"
        urllib.request.urlopen(url, json.dumps(what).encode(), timeout=10).close()

    yield change
    change(selectors=USUAL, insights=True, logging=True)


def test_coverage_is_what_postgresql_counts(db: Db) -> None:
    found = db.execute(
        "SELECT event_category, event_source, aws_region, events, first_event_time,"
        f" last_event_time, lag_p50, lag_p95, lag_max FROM cloudtrail_coverage({DAY})"
        " ORDER BY 1, 2, 3"
    ).fetchall()
    expected = db.execute(
        "SELECT event_category, event_source, aws_region, count(*), min(event_time),"
        " max(event_time),"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY timestamp - event_time),"
        " percentile_cont(0.95) WITHIN GROUP (ORDER BY timestamp - event_time),"
        " max(timestamp - event_time) FROM cloudtrail_event"
        " WHERE event_time >= '2026-11-20 00:00+00' AND event_time < '2026-11-21 00:00+00'"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()
    assert found == expected
    assert sum(row[3] for row in found) > 40


def test_coverage_asks_for_the_window_only(db: Db) -> None:
    query = f"EXPLAIN (COSTS OFF) SELECT * FROM cloudtrail_coverage({DAY})"
    assert WINDOW in "\n".join(line for (line,) in db.execute(query).fetchall())


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (DAY, [("aws-cloudtrail-logs-sandbox", "us-east-1", 6, True)]),
        # events, none of them a sign-in
        ("'2026-11-20 04:00+00', '2026-11-20 05:00+00'",
         [("aws-cloudtrail-logs-sandbox", None, 0, True)]),
        ("'2026-11-10 00:00+00', '2026-11-11 00:00+00'", [(None, None, 0, None)]),
    ],
)  # fmt: skip
def test_sign_ins_have_a_row_even_where_none_arrived(db: Db, window: str, expected: Any) -> None:
    found = db.execute(
        "SELECT log_group_name, aws_region, events, recorded_since < '2026-11-21'"
        f" FROM cloudtrail_coverage({window}) WHERE event_source = 'signin.amazonaws.com'"
    ).fetchall()
    assert found == expected


def recording(db: Db, where: str = "true") -> list[Any]:
    """Rows about everything but the well-known types that no selector names."""
    return db.execute(
        "SELECT category, resource_type, event_source, read_write_type, recorded, partial"
        f" FROM cloudtrail_recording WHERE {where} AND (category <> 'Data' OR recorded"
        " OR resource_type IN ('AWS::S3::Object', 'AWS::Lambda::Function'))"
        ' ORDER BY category, resource_type COLLATE "C", event_source, read_write_type'
    ).fetchall()


NETWORK = ("NetworkActivity", None, None, "All", False, False)


def test_the_usual_selectors(db: Db) -> None:
    assert recording(db) == [
        ("Data", "AWS::Lambda::Function", None, "All", False, False),
        ("Data", "AWS::S3::Object", None, "All", True, False),
        ("Insight", None, None, "All", True, False),
        ("Management", None, None, "All", True, False),
        NETWORK,
    ]
    types = db.execute("SELECT count(*) FROM cloudtrail_data_event_type").fetchone()
    missing = "SELECT count(*) FROM cloudtrail_recording WHERE NOT recorded AND category = 'Data'"
    assert types is not None
    assert db.execute(missing).fetchone() == (types[0] - 1,)


def test_basic_selectors_that_leave_something_out(db: Db, trail: Any) -> None:
    function = "arn:aws:lambda:us-east-1:123456789012:function:x"
    selectors = [
        {
            "ReadWriteType": "WriteOnly",
            "IncludeManagementEvents": True,
            "DataResources": [
                {"Type": "AWS::Lambda::Function", "Values": [function]},
                {"Type": "AWS::S3::Object", "Values": []},
            ],
            "ExcludeManagementEventSources": ["kms.amazonaws.com"],
        },
        {
            "ReadWriteType": "ReadOnly",
            "IncludeManagementEvents": False,
            "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::b/"]}],
        },
    ]
    trail(selectors={"EventSelectors": selectors}, insights=False)
    assert recording(db) == [
        ("Data", "AWS::Lambda::Function", None, "ReadOnly", False, False),
        ("Data", "AWS::Lambda::Function", None, "WriteOnly", True, True),
        ("Data", "AWS::S3::Object", None, "ReadOnly", True, True),
        ("Data", "AWS::S3::Object", None, "WriteOnly", False, False),
        ("Insight", None, None, "All", False, False),
        ("Management", None, "kms.amazonaws.com", "All", False, False),
        ("Management", None, None, "ReadOnly", False, False),
        ("Management", None, None, "WriteOnly", True, False),
        NETWORK,
    ]
    narrowed = db.execute(
        "SELECT excluded_event_sources, field_selectors FROM cloudtrail_recording"
        " WHERE recorded AND category <> 'Data' OR resource_type = 'AWS::S3::Object' AND recorded"
        " ORDER BY category"
    ).fetchall()
    beginning = [{"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::b/"]}]
    assert narrowed == [([], beginning), (["kms.amazonaws.com"], None)]


def advanced(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"Name": name, "FieldSelectors": list(fields)}


def field(name: str, operator: str, *values: str) -> dict[str, Any]:
    return {"Field": name, operator: list(values)}


def test_advanced_selectors(db: Db, trail: Any) -> None:
    management = field("eventCategory", "Equals", "Management")
    data = field("eventCategory", "Equals", "Data")
    network = field("eventCategory", "Equals", "NetworkActivity")
    selectors = [
        advanced("no kms", management, field("eventSource", "NotEquals", "kms.amazonaws.com")),
        advanced("kms writes", management, field("readOnly", "Equals", "false"),
                 field("eventSource", "NotEquals", "rdsdata.amazonaws.com")),
        advanced("objects", data, field("resources.type", "Equals", "AWS::S3::Object"),
                 field("readOnly", "Equals", "true", "false")),
        advanced("deletes", data, field("resources.type", "Equals", "AWS::New::Thing"),
                 field("eventName", "StartsWith", "Delete"), field("readOnly", "Equals", "false")),
        advanced("endpoints", network, field("eventSource", "Equals", "s3.amazonaws.com", "x.y")),
    ]  # fmt: skip
    trail(selectors={"AdvancedEventSelectors": selectors})
    assert recording(db) == [
        ("Data", "AWS::Lambda::Function", None, "All", False, False),
        ("Data", "AWS::New::Thing", None, "WriteOnly", True, True),
        ("Data", "AWS::S3::Object", None, "All", True, False),
        ("Insight", None, None, "All", True, False),
        ("Management", None, None, "All", True, False),
        ("Management", None, None, "WriteOnly", True, False),
        ("NetworkActivity", None, "s3.amazonaws.com", "All", True, False),
        ("NetworkActivity", None, "x.y", "All", True, False),
    ]
    named = db.execute(
        "SELECT selector_name, excluded_event_sources, field_selectors FROM cloudtrail_recording"
        " WHERE category = 'Management' AND read_write_type = 'All'"
    ).fetchall()
    assert named == [("no kms", ["kms.amazonaws.com"], selectors[0]["FieldSelectors"])]


def test_a_stopped_trail_records_nothing(db: Db, trail: Any) -> None:
    trail(logging=False)
    assert recording(db, "recorded IS NOT FALSE") == []
    stopped = "SELECT DISTINCT is_logging FROM cloudtrail_recording"
    assert db.execute(stopped).fetchall() == [(False,)]


@pytest.mark.parametrize("action", ["GetEventSelectors", "GetTrailStatus"])
def test_what_could_not_be_read_is_unknown(sample: Sandbox, db: Db, action: str) -> None:
    def fault(on: int) -> None:
        query = f"fault?name=access-denied&on={on}&action={action}"
        url = f"{sample.state['aws_endpoint']}/_sandbox/{query}"
        urllib.request.urlopen(url, b"", timeout=10).close()

    fault(1)
    try:
        rows = recording(db, "category = 'Management' AND status_error LIKE 'AccessDenied%'")
    finally:
        fault(0)
    assert [row[4] for row in rows] == [None]
