"""An address in each way that PostgreSQL writes one is that address to the tables with a key."""

from __future__ import annotations

import pytest

from servers import Sandbox

WITHOUT_HANDLER_TOO = True
ADDRESSES = "(VALUES (inet '54.240.200.68'), ('2600:1f18::1'), ('::ffff:82.102.17.180')) AS v (a)"
JOIN = """
    SELECT host(v.a), i.ip = {written}, i.address_class, i.country_code
    FROM {addresses} LEFT JOIN ip_enrichment i ON i.ip = {written} ORDER BY 1
"""
WRITTEN = ("v.a::text", "text(v.a)", "abbrev(v.a)", "host(v.a)", "network(v.a)::text")


@pytest.mark.parametrize("written", WRITTEN)
def test_each_text_finds_the_same(sample: Sandbox, written: str) -> None:
    with sample.session("reader_dsn") as db:
        found = db.execute(JOIN.format(addresses=ADDRESSES, written=written).encode()).fetchall()
    assert found == [
        ("2600:1f18::1", True, "public", "US"),
        ("54.240.200.68", True, "public", "JP"),
        ("::ffff:82.102.17.180", True, "public", "ES"),
    ]


def test_the_addresses_of_events_may_be_joined_either_way(sample: Sandbox) -> None:
    query = (
        "SELECT e.event_id, i.country_code, i.aws_range_class FROM cloudtrail_event e"
        " JOIN ip_enrichment i ON i.ip = {} WHERE e.source_ip IS NOT NULL ORDER BY 1, 2"
    )
    with sample.session("reader_dsn") as db:
        by_text = db.execute(query.format("e.source_ip_address").encode()).fetchall()
        by_inet = db.execute(query.format("e.source_ip::text").encode()).fetchall()
    assert by_inet == by_text
    assert {country for _, country, _ in by_text} > {None, "JP"}
