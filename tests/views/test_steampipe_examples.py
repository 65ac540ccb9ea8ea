"""Queries with the constructs of Steampipe's examples; and those, from a copy, as they are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from servers import Sandbox, start
from steampipe_columns import COLUMNS

Db = psycopg.Connection[tuple[Any, ...]]
GROUP = "aws-cloudtrail-logs-sandbox"
# A folder with a copy of the docs/tables/*.md of Steampipe's plugins, which are not ours to commit.
DOCS = os.environ.get("CLOUDTRAIL_FDW_STEAMPIPE_DOCS", "")
LEFT_OUT = {"data_protection_policy"}  # docs/steampipe.md says why
EXAMPLE = re.compile(r"^```sql\+postgres\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def db(sample: Sandbox) -> Iterator[Db]:
    """A reader's session."""
    with sample.connect("reader_dsn") as connection:
        yield connection


ONE_ROW = f"FROM aws_cloudtrail_trail_event WHERE log_group_name = '{GROUP}' AND "
# Queries of ours with the constructs of Steampipe's examples; each finds rows.
QUERIES = [
    f"SELECT event_name, jsonb_pretty(request_parameters) {ONE_ROW} not read_only"
    " AND timestamp >= timestamptz '2026-11-20 12:00+00' - interval '2 hours'"
    " ORDER BY event_time ASC",
    f"SELECT user_identity ->> 'type', count(*) {ONE_ROW} user_type IN ('IAMUser', 'AssumedRole')"
    " GROUP BY 1 HAVING count(*) > 1 ORDER BY count(*) DESC",
    f"SELECT error_code, error_message, username {ONE_ROW} error_code IS NOT NULL",
    f"SELECT cloudtrail_event -> 'userIdentity' ->> 'arn' {ONE_ROW} filter ="
    " '{ $.sourceIPAddress = 82.102.* }'",
    f"SELECT event_id {ONE_ROW} cloudtrail_event @> '{{\"eventSource\": \"ec2.amazonaws.com\"}}'"
    " AND cloudtrail_event ? 'userIdentity'",
    f"SELECT timestamp_ms {ONE_ROW} abs(extract(epoch FROM timestamp) * 1000 - timestamp_ms) < 1",
    f"SELECT partition, region, account_id, sp_connection_name {ONE_ROW} region = 'us-east-1'"
    " AND partition = 'aws' AND account_id = '123456789012'"
    " AND _ctx ->> 'connection_name' = sp_connection_name",
    "SELECT e.source_ip_address, n.domains ->> 0 FROM aws_cloudtrail_trail_event e"
    " JOIN net_dns_reverse n ON n.ip_address = e.source_ip_address::inet"
    f" WHERE e.log_group_name = '{GROUP}' AND e.source_ip_address = '3.141.213.252'"
    " AND n.domains @> '[\"ec2-3-141-213-252.us-east-2.compute.amazonaws.com.\"]'",
    "SELECT * FROM net_dns_reverse WHERE ip_address = '3.141.213.252'",
    "SELECT s ->> 'ReadWriteType' FROM aws_cloudtrail_trail,"
    " jsonb_array_elements(event_selectors) s",
    "SELECT akas ->> 0, title, tags FROM aws_cloudtrail_trail WHERE akas ? arn AND title = name"
    " AND account_id = '123456789012' AND partition = 'aws' AND region = home_region",
    "SELECT g.name, g.retention_in_days, count(*) FROM aws_cloudtrail_trail t"
    " JOIN aws_cloudwatch_log_group g ON g.arn = t.log_group_arn"
    " JOIN aws_cloudtrail_trail_event e ON e.log_group_name = g.name"
    " WHERE g.kms_key_id IS NULL AND g.akas ? g.arn AND g.account_id = t.account_id GROUP BY 1, 2",
    "SELECT event_name, jsonb_pretty(cloud_trail_event) FROM aws_cloudtrail_lookup_event"
    " WHERE event_time >= timestamptz '2026-11-20 12:00+00' - interval '2 hours'"
    " AND read_only = 'false' AND title = event_name ORDER BY event_time",
    "SELECT event_name, event_time FROM aws_cloudtrail_lookup_event"
    " WHERE start_time = timestamptz '2026-11-20 12:00+00' - interval '2 hours'"
    " AND end_time = timestamptz '2026-11-20 12:00+00' AND read_only = 'false'",
    "SELECT * FROM ipstack_ip WHERE ip = '82.102.17.180' AND location_is_eu AND type = 'ipv4'"
    " AND location_country_flag_emoji_unicode = 'U+1F1EA U+1F1F8'"
    " AND location_country_flag_emoji = U&'\\+01F1EA\\+01F1F8'",
    "SELECT * FROM ipstack_ip WHERE ip = '2001:4860:4860::8888' AND type = 'ipv6'",
    "SELECT i.city FROM (VALUES (inet '82.102.17.180'), ('10.0.0.1')) eip (public_ip), ipstack_ip i"
    " WHERE eip.public_ip = i.ip AND i.asn IS NOT NULL",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_our_own_queries_with_the_same_constructs_find_rows(db: Db, query: str) -> None:
    assert db.execute(query.encode()).fetchall()


def examples(page: str) -> list[str]:
    """The queries for PostgreSQL on a page of Steampipe's documentation."""
    return EXAMPLE.findall(page)


def test_the_parser_of_published_examples() -> None:
    page = (
        "# Table: t\n\n```sql+postgres\nselect 1;\n```\n\n```sql+sqlite\nselect 2;\n```\n"
        "```sql\nselect 3;\n```\n```sql+postgres\nselect\n  '```'\n```\n"
    )
    assert examples(page) == ["select 1;\n", "select\n  '```'\n"]


def outcome(db: Db, query: str) -> str:
    """What becomes of a published example."""
    try:
        db.execute(query.encode()).fetchall()
    except psycopg.errors.UndefinedTable as error:
        missing = re.findall(r'relation "(\w+)"', str(error))
        return str(error) if missing[0] in COLUMNS else "another table"
    except psycopg.errors.UndefinedColumn as error:
        named = set(re.findall(r'column "(\w+)"', str(error)))
        return "left out" if named & LEFT_OUT else str(error)
    except psycopg.Error as error:
        return "needs a key" if "no API key of" in str(error) else str(error)
    return "ran"


if DOCS:
    PUBLISHED = [
        pytest.param(query, id=f"{view}-{number}")
        for view in COLUMNS
        for number, query in enumerate(examples((Path(DOCS) / f"{view}.md").read_text("utf-8")), 1)
    ]

    @pytest.fixture(scope="session")
    def published(kind: str) -> Iterator[Sandbox]:
        """A sandbox whose log group and times are those of the examples."""
        yield from start(kind, "published", "--log-group", "aws-cloudtrail-log-group-name",
                         "--shift-to-now")  # fmt: skip

    @pytest.mark.parametrize("query", PUBLISHED)
    def test_a_published_example_runs(published: Sandbox, query: str) -> None:
        """It runs as it is; or asks for what docs/steampipe.md says is not there, or for a key."""
        with published.connect("reader_dsn") as db:
            assert outcome(db, query) in {"ran", "another table", "left out", "needs a key"}
