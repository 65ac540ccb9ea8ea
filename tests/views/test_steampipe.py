"""The schema steampipe: its names and types, the article's queries, Steampipe's own examples."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from remote_server import KEY, Remote, serving
from servers import Sandbox, start

Db = psycopg.Connection[tuple[Any, ...]]
GROUP = "aws-cloudtrail-logs-sandbox"
# A folder with a copy of the docs/tables/*.md of Steampipe's plugins, which are not ours to commit.
DOCS = os.environ.get("CLOUDTRAIL_FDW_STEAMPIPE_DOCS", "")
LEFT_OUT = {"data_protection_policy"}  # docs/steampipe.md says why
EXAMPLE = re.compile(r"^```sql\+postgres\n(.*?)^```", re.MULTILINE | re.DOTALL)

TIME = "timestamp with time zone"
EVERY = {"sp_connection_name": "text", "sp_ctx": "jsonb", "_ctx": "jsonb"}
STATUS = {"status": "text"}  # ours: why there is no answer
AWS = {"partition": "text", "region": "text", "account_id": "text", **EVERY}


def typed(names: str, sql_type: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), sql_type)


COLUMNS = {
    "aws_cloudtrail_trail_event": {
        **typed("filter log_group_name log_stream_name access_key_id aws_region error_code"
                " error_message event_category event_id event_name event_source event_type"
                " event_version recipient_account_id request_id shared_event_id source_ip_address"
                " user_agent user_type username user_identifier vpc_endpoint_id", "text"),
        **typed("timestamp event_time", TIME),
        "timestamp_ms": "bigint",
        "read_only": "boolean",
        **typed("additional_event_data cloudtrail_event request_parameters response_elements"
                " resources tls_details user_identity", "jsonb"),
        **AWS,
    },
    "aws_cloudtrail_trail": {
        **typed("name arn home_region log_group_arn cloudwatch_logs_role_arn kms_key_id"
                " s3_bucket_name s3_key_prefix sns_topic_arn latest_cloudwatch_logs_delivery_error"
                " latest_delivery_error latest_digest_delivery_error latest_notification_error"
                " title", "text"),
        **typed("is_multi_region_trail log_file_validation_enabled is_logging"
                " has_custom_event_selectors has_insight_selectors include_global_service_events"
                " is_organization_trail", "boolean"),
        **typed("latest_cloudwatch_logs_delivery_time latest_delivery_time"
                " latest_digest_delivery_time latest_notification_time start_logging_time"
                " stop_logging_time", TIME),
        **typed("advanced_event_selectors event_selectors tags_src tags akas", "jsonb"),
        **AWS,
    },
    "ipstack_ip": {
        "ip": "inet",
        **typed("hostname type continent_code continent_name country_code country_name"
                " region_code region_name city zip location_capital location_country_flag_link"
                " location_country_flag_emoji location_country_flag_emoji_unicode"
                " location_calling_code timezone_id timezone_code currency_code currency_name"
                " currency_plural currency_symbol currency_symbol_native isp proxy_type"
                " crawler_name crawler_type threat_level", "text"),
        **typed("latitude longitude", "double precision"),
        **typed("location_geoname_id timezone_gmt_offset asn", "bigint"),
        **typed("location_is_eu timezone_is_daylight_saving is_proxy is_crawler is_tor", "boolean"),
        **typed("location_languages threat_types", "jsonb"),
        "timezone_current_time": TIME,
        **EVERY,
        **STATUS,
    },
    "aws_cloudwatch_log_group": {
        **typed("name arn log_group_arn log_group_class kms_key_id data_protection_status title",
                "text"),
        **typed("metric_filter_count retention_in_days stored_bytes", "bigint"),
        "creation_time": TIME,
        **typed("tags akas", "jsonb"),
        **AWS,
    },
    "aws_cloudtrail_lookup_event": {
        **typed("event_id event_name event_source read_only access_key_id resource_name"
                " resource_type username title", "text"),
        **typed("event_time", TIME),
        **typed("resources cloud_trail_event", "jsonb"),
        **AWS,
    },
    "net_dns_reverse": {"ip_address": "inet", "domains": "jsonb", **EVERY, **STATUS},
    "abuseipdb_check_ip": {
        "ip_address": "inet",
        **typed("abuse_confidence_score ip_version max_age_in_days num_distinct_users"
                " total_reports", "bigint"),
        **typed("country_code domain isp usage_type", "text"),
        **typed("is_public is_whitelisted", "boolean"),
        "last_reported_at": TIME,
        "reports": "jsonb",
        **EVERY,
        **STATUS,
    },
    "shodan_host": {
        "ip": "inet",
        **typed("asn isp org os city country_code country_code_3 country_name postal_code"
                " region_code", "text"),
        **typed("hostnames ports tags vulns", "jsonb"),
        **typed("area_code dma_code", "bigint"),
        **typed("latitude longitude", "double precision"),
        "last_update": TIME,
        **EVERY,
        **STATUS,
    },
}  # fmt: skip

TRAILS = """
select
    name,
    region,
    log_group_arn,
    latest_delivery_time
 from
    aws_cloudtrail_trail
"""
ADDRESSES = r"""
select
    source_ip_address
  from
    aws_cloudtrail_trail_event
  where
    log_group_name = 'cloudtrail-cwg-devto'
    and source_ip_address ~ '^\d+\.\d+' -- filter ipv4 addresses
"""
PLACES = r"""
with addrs as (
  select
    a.source_ip_address::inet
  from
    aws_cloudtrail_trail_event a
  where
    a.log_group_name = 'cloudtrail-cwg-devto'
    and a.source_ip_address ~ '^\d+\.\d+' -- filter ipv4 addresses
)
select
  a.source_ip_address as ip,
  i.continent_name,
  i.country_name,
  i.region_name,
  i.city
from
  addrs a
join
  ipstack_ip i
on
  a.source_ip_address = i.ip
"""
SIX = {
    "104.53.216.85": ("North America", "United States", "California"),
    "82.102.17.180": ("Europe", "Spain", "Madrid"),
    "89.248.165.99": ("Europe", "The Netherlands", "North Holland"),
    "107.170.20.63": ("North America", "United States", "New Jersey"),
    "157.230.162.15": ("North America", "United States", "California"),
    "212.102.58.164": ("North America", "United States", "Illinois"),
}


@pytest.fixture
def db(sample: Sandbox) -> Iterator[Db]:
    """A reader's session, with the search_path that docs/steampipe.md gives."""
    with sample.connect("reader_dsn") as connection:
        connection.execute("SET search_path = steampipe, cloudtrail, public")
        yield connection


def here(article: str) -> bytes:
    """The article's query for the sandbox's log group."""
    return article.replace("cloudtrail-cwg-devto", GROUP).encode()


def as_printed(article: str) -> bytes:
    """The query with the regex as the page shows it: its backslashes are lost."""
    return here(article.replace("\\", ""))


def plan(db: Db, query: str) -> str:
    found = db.execute(f"EXPLAIN (COSTS OFF) {query}".encode()).fetchall()
    return "\n".join(line for (line,) in found)


@pytest.mark.parametrize("view", COLUMNS)
def test_names_and_types_are_steampipes(db: Db, view: str) -> None:
    found = db.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0",
        [f"steampipe.{view}"],
    ).fetchall()
    assert dict(found) == COLUMNS[view]
    assert db.execute("SELECT obj_description(%s::regclass)", [f"steampipe.{view}"]).fetchone()


def test_unqualified_names_are_found_by_everybody(sample: Sandbox) -> None:
    for dsn in ("dsn", "reader_dsn"):
        with sample.connect(dsn) as db:
            assert db.execute("SELECT 1 FROM aws_cloudtrail_trail").fetchall() == [(1,)]
            own = db.execute(
                "SELECT 'ip_enrichment'::regclass = 'cloudtrail.ip_enrichment'::regclass"
            )
            assert own.fetchone() == (True,)


def test_the_articles_trail(db: Db) -> None:
    ((name, region, arn, delivered),) = db.execute(TRAILS.encode()).fetchall()
    assert (name, region) == ("sandbox", "us-east-1")
    assert arn == f"arn:aws:logs:us-east-1:123456789012:log-group:{GROUP}:*"
    assert delivered is not None


def test_the_articles_addresses(db: Db) -> None:
    found = {address for (address,) in db.execute(here(ADDRESSES)).fetchall()}
    assert found >= SIX.keys()
    assert "AWS Internal" not in found
    assert db.execute(as_printed(ADDRESSES)).fetchall() == []


def test_the_articles_places(db: Db) -> None:
    rows = db.execute(here(PLACES)).fetchall()
    found = {str(ip): (continent, country, region) for ip, continent, country, region, _ in rows}
    assert {ip: found[ip] for ip in SIX} == SIX
    assert db.execute(as_printed(PLACES)).fetchall() == []
    assert "Addresses: from the join or parameter" in plan(db, here(PLACES).decode())


def test_bounds_and_conditions_reach_aws(db: Db) -> None:
    shown = plan(
        db,
        "SELECT event_name, timestamp_ms, _ctx FROM aws_cloudtrail_trail_event"
        f" WHERE log_group_name = '{GROUP}' AND event_name = 'GetObject' AND NOT read_only"
        " AND timestamp BETWEEN '2026-11-20 10:00+00' AND '2026-11-20 11:00+00'"
        " AND filter = '{ $.errorCode = \"AccessDenied\" }'",
    )
    assert f"Log Group: {GROUP}\n" in shown
    assert "Window: 2026-11-20T10:00:00+00:00 to 2026-11-20T11:00:00+00:00 of delivery" in shown
    assert '$.eventName = "GetObject"' in shown
    assert "$.readOnly IS FALSE" in shown
    assert '$.errorCode = "AccessDenied"' in shown


def test_an_hour_is_asked_for_where_an_hour_is_meant(db: Db) -> None:
    shown = plan(
        db,
        "SELECT count(*) FROM aws_cloudtrail_trail_event"
        f" WHERE log_group_name = '{GROUP}' AND timestamp >= now() - interval '1 hour'",
    )
    ((since,),) = db.execute("SELECT to_char((now() - interval '1 h') AT TIME ZONE 'UTC',"
                             " '\"Window: \"YYYY-MM-DD\"T\"HH24')").fetchall()  # fmt: skip
    assert f"{since}:" in shown


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
    assert plan(db, query)


def test_a_name_server_is_asked_only_for_names(db: Db) -> None:
    query = "SELECT {} FROM net_dns_reverse WHERE ip_address = '3.141.213.252'"
    assert "Reverse DNS: not asked" in plan(db, query.format("ip_address"))
    assert "Reverse DNS: asked" in plan(db, query.format("domains"))
    db.execute("SET cloudtrail_fdw.network_enrichment = off")
    assert db.execute(query.format("domains, status").encode()).fetchall() == [
        (None, "not_requested")
    ]


@pytest.fixture
def ipstack() -> Iterator[Remote]:
    """ipstack, as a server on loopback."""
    with serving() as server:
        yield server


def test_ipstack_is_asked_for_whom_has_a_key_and_nobody_else(
    sample: Sandbox, ipstack: Remote
) -> None:
    query = b"SELECT city, status FROM steampipe.ipstack_ip WHERE ip = '104.53.216.85'"
    offline = [("Berkeley", None)]
    cache = Path(sample.state["dir"]) / "postgres" / "data" / f"cache-{secrets.token_hex(4)}"
    with sample.connect() as db, db.transaction(force_rollback=True):
        options = f"ADD ipstack_url '{ipstack.url}', ADD cache_directory '{cache}'"
        db.execute(f"ALTER SERVER cloudtrail OPTIONS ({options})".encode())
        assert db.execute(query).fetchall() == offline
        key = f"FOR CURRENT_USER SERVER cloudtrail OPTIONS (ipstack_key '{KEY}')"
        db.execute(f"CREATE USER MAPPING {key}".encode())
        db.execute(b"SET ROLE cloudtrail_reader")
        assert db.execute(query).fetchall() == offline
        assert ipstack.calls == []
        db.execute(b"RESET ROLE")
        assert db.execute(query).fetchall() == [("Los Angeles", "found")]
        assert len(ipstack.calls) == 1


def test_sources_of_their_own_need_a_key(db: Db) -> None:
    for query in (
        b"SELECT 1 FROM shodan_host WHERE ip = '8.8.8.8' AND hostnames ? 'dns.google'",
        b"SELECT 1 FROM abuseipdb_check_ip WHERE ip_address = '118.25.6.39'",
    ):
        with pytest.raises(psycopg.Error, match="no API key of"):
            db.execute(query)


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
            db.execute("SET search_path = steampipe, cloudtrail, public")
            assert outcome(db, query) in {"ran", "another table", "left out", "needs a key"}
