"""An error about a table names the table of the query, whatever it is called, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw.tables import TABLES
from servers import Sandbox

WITHOUT_HANDLER_TOO = True
KEYED = [name for name, table in TABLES.items() if table.key]
NOT_GIVEN = "{} answers for given addresses only"


@pytest.fixture
def named(sample: Sandbox) -> Iterator[psycopg.Connection[Any]]:
    """Foreign tables with names of their own; none of it stays."""
    with sample.connect() as db, db.transaction(force_rollback=True):
        db.execute("CREATE SCHEMA named")
        for number, name in enumerate(KEYED):
            db.execute(
                f'CREATE FOREIGN TABLE named."Käse {number}" (ip text) SERVER cloudtrail'
                f" OPTIONS (table_name '{name}')".encode()
            )
        db.execute(
            "CREATE FOREIGN TABLE named.events (event_id text, log_group_name text)"
            " SERVER cloudtrail OPTIONS (table_name 'cloudtrail_event', log_group 'a')"
        )
        db.execute(
            "CREATE FOREIGN TABLE named.old (event_id text, gone text)"
            " SERVER cloudtrail OPTIONS (table_name 'cloudtrail_event')"
        )
        yield db


def error(db: psycopg.Connection[Any], query: str) -> str:
    with pytest.raises(psycopg.Error) as raised, db.transaction():
        db.execute(query.encode())
    return str(raised.value.diag.message_primary).replace("Error in python: ", "")


def test_a_key_that_is_not_given(sample: Sandbox, named: psycopg.Connection[Any]) -> None:
    for number in range(len(KEYED)):
        table = f"Käse {number}"
        found = error(named, f'SELECT * FROM named."{table}"')
        assert found == NOT_GIVEN.format("this table" if sample.bare else table)


def test_a_view_that_lists_a_table_with_a_key(sample: Sandbox) -> None:
    views = {"net_dns_reverse": "ip_enrichment", "ipstack_ip": "ip_enrichment",
             "abuseipdb_check_ip": "abuseipdb_check", "shodan_host": "shodan_host"}  # fmt: skip
    with sample.connect() as db:
        for view, table in views.items():
            found = error(db, f"SELECT * FROM steampipe.{view}")
            name = "this table" if sample.bare else f"{table}_by_address"
            assert found == NOT_GIVEN.format(name)


def test_errors_of_the_plan(sample: Sandbox, named: psycopg.Connection[Any]) -> None:
    for query in ("SELECT * FROM named.events WHERE log_group_name = 'b'",
                  "EXPLAIN SELECT * FROM named.events WHERE log_group_name = 'b'"):  # fmt: skip
        name = "this table" if sample.bare else "events"
        assert error(named, query) == f'{name} reads log group "a" only, not "b"'
    name = "this table" if sample.bare else "old"
    wanted = f'{name} has a column "gone", which "cloudtrail_event" has not'
    assert error(named, "SELECT event_id FROM named.old") == wanted


def test_the_name_is_that_of_the_table_that_failed(
    sample: Sandbox, named: psycopg.Connection[Any]
) -> None:
    """Not of one that was read or planned before, in this query or another."""
    named.execute("SELECT count(*) FROM cloudtrail_event")
    query = 'SELECT * FROM cloudtrail_event e CROSS JOIN named."Käse 1" k'
    assert error(named, query) == NOT_GIVEN.format("this table" if sample.bare else "Käse 1")
