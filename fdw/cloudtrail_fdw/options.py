"""OPTIONS and session settings, read once into frozen values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Optional
from urllib.parse import urlsplit

from cloudtrail_fdw.declare import Option
from cloudtrail_fdw.errors import FdwError

SERVER = frozenset({"server"})
SERVER_OR_TABLE = frozenset({"server", "table"})
MAPPING = frozenset({"mapping"})
UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0,
         "h": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0}  # fmt: skip
BOOLEANS = {"on": True, "true": True, "yes": True, "1": True,
            "off": False, "false": False, "no": False, "0": False}  # fmt: skip

OPTIONS = (
    Option("region", "text", SERVER, "AWS Region of the log group; else the environment's."),
    Option("profile", "text", SERVER, "Profile of the AWS configuration files."),
    Option("role_arn", "text", SERVER, "IAM role to assume for every call."),
    Option("external_id", "text", SERVER, "External id for assuming role_arn."),
    Option(
        "role_session_name", "text", SERVER,
        "Session name for assuming role_arn, as CloudTrail will record it.", "cloudtrail_fdw",
    ),
    Option(
        "endpoint_url", "url", SERVER,
        "Endpoint for all AWS calls instead of AWS's own; https, or http on loopback.",
    ),
    Option("use_fips", "boolean", SERVER, "Whether to use AWS's FIPS endpoints.", "off"),
    Option("use_dualstack", "boolean", SERVER, "Whether to use dual-stack endpoints.", "off"),
    Option(
        "log_group", "text", SERVER_OR_TABLE,
        "Name or ARN of the only log group to read; else log_group_name or the trails decide.",
    ),
    Option(
        "delivery_lag", "interval", SERVER_OR_TABLE,
        "How long after its event_time an event may be delivered and still be found by a "
        "query that bounds event_time from above.", "1 hour", guc=True,
    ),
    Option(
        "clock_skew", "interval", SERVER_OR_TABLE,
        "How far an event_time may lie after the delivery of its event.", "1 min", guc=True,
    ),
    Option(
        "max_calls", "integer", SERVER_OR_TABLE,
        "FilterLogEvents calls that one scan may make before it fails.", "10000", guc=True,
    ),
    Option(
        "max_bytes", "integer", SERVER_OR_TABLE,
        "Bytes of events that one scan may read before it fails.", "10000000000", guc=True,
    ),
    Option(
        "max_seconds", "interval", SERVER_OR_TABLE,
        "How long one scan may read from AWS before it fails.", "1 hour", guc=True,
    ),
    Option(
        "max_tps", "integer", SERVER,
        "FilterLogEvents calls a second, of all sessions together; else the Region's quota.",
    ),
    Option(
        "late_sweep", "boolean", SERVER_OR_TABLE,
        "Whether a query that bounds event_time from above also looks for events that were "
        "delivered later than delivery_lag.", "off", guc=True,
    ),
    Option(
        "cache", "choice", SERVER_OR_TABLE,
        "Whether pages of log events are kept on disk; wide reads whole windows, without the "
        "query's filter pattern, for others to use; off in an option is off.", "on", guc=True,
        choices=("on", "off", "wide"),
    ),
    Option(
        "cache_directory", "path", SERVER,
        "Where the cache is; else CLOUDTRAIL_FDW_CACHE or .cache/cloudtrail-fdw of the "
        "PostgreSQL server's user.",
    ),
    Option("cache_size", "integer", SERVER, "Bytes that the cache may have.", "1000000000"),
    Option(
        "cache_settle", "interval", SERVER_OR_TABLE,
        "How long after its timestamp an event may still arrive in CloudWatch Logs: what is "
        "younger is asked for again.", "5 min",
    ),
    Option(
        "cache_max_age", "interval", SERVER_OR_TABLE,
        "How old an answer for the part of a window that may still grow may be.", "0", guc=True,
    ),
    Option("geo_database", "path", SERVER, "City-level geolocation database (mmdb)."),
    Option("asn_database", "path", SERVER, "Autonomous system database (mmdb)."),
    Option("ip_ranges", "path", SERVER, "AWS's ip-ranges.json."),
    Option(
        "dns_servers", "text", SERVER,
        "Name servers to ask, host or host:port, separated by commas; else the system's.",
    ),
    Option(
        "dns_timeout", "interval", SERVER,
        "How long a query waits in all for silent name servers.", "2 s", guc=True,
    ),
    Option(
        "network_enrichment", "boolean", SERVER,
        "Whether name servers and remote sources may be asked at all; off in one place is off.",
        "on", guc=True,
    ),
    Option(
        "ipstack_url", "url", SERVER, "Where ipstack is.", "https://api.ipstack.com",
    ),
    Option(
        "abuseipdb_url", "url", SERVER, "Where AbuseIPDB is.", "https://api.abuseipdb.com",
    ),
    Option(
        "shodan_url", "url", SERVER, "Where Shodan is.", "https://api.shodan.io",
    ),
    Option(
        "ipstack_keep", "interval", SERVER,
        "How long an answer of ipstack is kept.", "30 days", guc=True,
    ),
    Option(
        "abuseipdb_keep", "interval", SERVER,
        "How long an answer of AbuseIPDB is kept.", "1 day", guc=True,
    ),
    Option(
        "shodan_keep", "interval", SERVER,
        "How long an answer of Shodan is kept.", "7 days", guc=True,
    ),
    Option(
        "ipstack_security", "boolean", SERVER,
        "Whether to ask ipstack's security module too, which only some plans have.", "off",
    ),
    Option(
        "abuseipdb_max_age_days", "integer", SERVER,
        "How many days of reports AbuseIPDB counts, 365 at most.", "90", guc=True,
    ),
    Option(
        "max_lookups", "integer", SERVER,
        "Addresses that one query may send to a remote source.", "100", guc=True,
    ),
    Option(
        "remote_timeout", "interval", SERVER,
        "How long one call to a remote source may take, retries included.", "10 s", guc=True,
    ),
    Option(
        "remote_errors", "choice", SERVER,
        "What becomes of a limit or an outage of a remote source: the error of the query, or the "
        "status of its rows.", "error", guc=True, choices=("error", "status"),
    ),
    Option("aws_access_key_id", "secret", MAPPING, "Static AWS access key id."),
    Option("aws_secret_access_key", "secret", MAPPING, "Static AWS secret access key."),
    Option("aws_session_token", "secret", MAPPING, "Session token of a temporary key."),
    Option("ipstack_key", "secret", MAPPING, "API key of ipstack."),
    Option("abuseipdb_key", "secret", MAPPING, "API key of AbuseIPDB."),
    Option("shodan_key", "secret", MAPPING, "API key of Shodan."),
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """The options in force for one scan; intervals in seconds, sizes in bytes."""

    region: str
    profile: str
    role_arn: str
    external_id: str
    role_session_name: str
    endpoint_url: str
    use_fips: bool
    use_dualstack: bool
    log_group: str
    delivery_lag: float
    clock_skew: float
    max_calls: int
    max_bytes: int
    max_seconds: float
    max_tps: int
    late_sweep: bool
    cache: str
    cache_directory: str
    cache_size: int
    cache_settle: float
    cache_max_age: float
    geo_database: str
    asn_database: str
    ip_ranges: str
    dns_servers: str
    dns_timeout: float
    network_enrichment: bool
    ipstack_url: str
    abuseipdb_url: str
    shodan_url: str
    ipstack_keep: float
    abuseipdb_keep: float
    shodan_keep: float
    ipstack_security: bool
    abuseipdb_max_age_days: int
    max_lookups: int
    remote_timeout: float
    remote_errors: str
    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str
    ipstack_key: str
    abuseipdb_key: str
    shodan_key: str

    def __repr__(self) -> str:
        """Nothing: the values may be secrets."""
        return "Settings(…)"


def read_settings(
    options: Mapping[str, str], session: Callable[[str], Optional[str]] = lambda name: None
) -> Settings:
    """Options over defaults, session settings over options; FdwError for an unreadable value."""
    values: dict[str, Any] = {}
    for option in OPTIONS:
        text = options.get(option.name, option.default)
        given = read_value(option, text) if text or option.kind != "integer" else 0
        own = session(f"cloudtrail_fdw.{option.name}") if option.guc else None
        if own is not None:
            chosen = read_value(option, own)
            # what the server's owner has switched off stays off
            off = option.name in ("network_enrichment", "cache") and given in (False, "off")
            given = given if off else chosen
        values[option.name] = given
    return Settings(**values)


def read_value(option: Option, text: str) -> object:
    """One option's value; FdwError says what is accepted."""
    if option.kind == "boolean":
        if text.lower() not in BOOLEANS:
            raise refused(option, "on or off")
        return BOOLEANS[text.lower()]
    if option.kind == "choice":
        if text.lower() not in option.choices:
            raise refused(option, " or ".join(option.choices))
        return text.lower()
    if option.kind == "integer":
        if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) == 0:
            raise refused(option, "a whole number above 0")
        return int(text)
    if option.kind == "interval":
        return read_interval(option, text)
    if option.kind == "url" and text and not acceptable_url(text):
        raise refused(option, "an https URL, or http on the loopback address")
    return text


def read_interval(option: Option, text: str) -> float:
    """Seconds of an interval such as ``90``, ``90 s``, ``5 min``, ``1 hour 30 min``."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?) *([a-z]*) *", text.lower())
    whole = "".join(f"{number}{unit}" for number, unit in parts)
    scales = [UNITS.get(unit) or UNITS.get(unit.rstrip("s") or "s") for _, unit in parts]
    if not parts or whole != re.sub(" ", "", text.lower()) or None in scales:
        raise refused(option, "an interval such as '90 s' or '1 hour'")
    return sum(float(number) * (scale or 0) for (number, _), scale in zip(parts, scales))


def acceptable_url(text: str) -> bool:
    """Signed requests leave in clear only to this machine, and a URL carries no password."""
    try:
        url = urlsplit(text)
        local = url.hostname in ("127.0.0.1", "localhost", "::1")
        return (
            bool(url.hostname)
            and url.username is None
            and (url.scheme == "https" or (url.scheme == "http" and local))
        )
    except ValueError:
        return False


def refused(option: Option, wanted: str) -> FdwError:
    """The error for a value that is not accepted; the value itself stays out of it."""
    return FdwError(f'invalid value for option "{option.name}"', hint=f"Give {wanted}.",
                    sqlstate="HV024")  # fmt: skip


assert {option.name for option in OPTIONS} == {field.name for field in fields(Settings)}  # noqa: S101
