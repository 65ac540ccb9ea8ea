"""The article's queries with the original names; also without our handler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import Sandbox

WITHOUT_HANDLER_TOO = True
Db = psycopg.Connection[tuple[Any, ...]]
GROUP = "aws-cloudtrail-logs-sandbox"

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
    """A reader's session."""
    with sample.connect("reader_dsn") as connection:
        yield connection


def here(article: str) -> bytes:
    """The article's query for the sandbox's log group."""
    return article.replace("cloudtrail-cwg-devto", GROUP).encode()


def as_printed(article: str) -> bytes:
    """The query with the regex as the page shows it: its backslashes are lost."""
    return here(article.replace("\\", ""))


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


def test_the_articles_places(sample: Sandbox, db: Db) -> None:
    query = here(PLACES)
    if sample.bare:  # the key is text there, as docs/steampipe.md says
        query = query.replace(b"a.source_ip_address = i.ip", b"host(a.source_ip_address) = i.ip")
    rows = db.execute(query).fetchall()
    found = {str(ip): (continent, country, region) for ip, continent, country, region, _ in rows}
    assert {ip: found[ip] for ip in SIX} == SIX
    if (
        not sample.bare
    ):  # with Multicorn's own handler an EXPLAIN of host(…) crashes: docs/limits.md
        plan = db.execute(b"EXPLAIN " + query).fetchall()
        assert "Addresses: from the join or parameter" in str(plan)
        assert db.execute(as_printed(PLACES)).fetchall() == []
