"""abuseipdb_check: who has reported an address, as AbuseIPDB says."""

from __future__ import annotations

from cloudtrail_fdw.declare import Column, Push
from cloudtrail_fdw.sources.remote.abuseipdb import SOURCE
from cloudtrail_fdw.tables.remote_lookup import TIME, Choice, remote_table

COLUMNS = (
    Column("abuse_confidence_score", "bigint", "How sure AbuseIPDB is that the address abuses, 0 to 100.", ("abuseConfidenceScore",)),
    Column("total_reports", "bigint", "Reports of the last max_age_in_days days.", ("totalReports",)),
    Column("num_distinct_users", "bigint", "How many users reported it.", ("numDistinctUsers",)),
    Column("last_reported_at", TIME, "The last report.", ("lastReportedAt",)),
    Column("max_age_in_days", "bigint", "Days of reports that are counted: what the query gives, else abuseipdb_max_age_days.", push=Push.CHOICE),
    Column("ip_version", "bigint", "4 or 6.", ("ipVersion",)),
    Column("is_public", "boolean", "Whether the address is public.", ("isPublic",)),
    Column("is_whitelisted", "boolean", "Whether it is on one of AbuseIPDB's lists of the trusted.", ("isWhitelisted",)),
    Column("is_tor", "boolean", "Whether it is an exit of Tor.", ("isTor",)),
    Column("country_code", "text", "Country, two letters.", ("countryCode",)),
    Column("country_name", "text", "Country; asked for when wanted.", ("countryName",)),
    Column("usage_type", "text", "What the address is used for, as Data Center/Web Hosting/Transit.", ("usageType",)),
    Column("isp", "text", "Internet provider.", ("isp",)),
    Column("domain", "text", "Domain of the provider.", ("domain",)),
    Column("hostnames", "jsonb", "Host names, an array.", ("hostnames",)),
    Column("reports", "jsonb", "The single reports, 10,000 at most; asked for when wanted.", ("reports",)),
)  # fmt: skip

TABLE = remote_table(
    SOURCE,
    "Reports of abuse of an address, by the AbuseIPDB API.",
    COLUMNS,
    Choice("max_age_in_days", "abuseipdb_max_age_days"),
)
