"""Whose user mapping a query uses: the one of the current user, behind views too."""

from __future__ import annotations

import json
from urllib.request import urlopen

from servers import Sandbox

# Roles and mappings of a database that other tests use; theirs are other roles.
SET_UP = """
    CREATE ROLE mapped_owner; CREATE ROLE mapped_asker; CREATE ROLE without_mapping;
    GRANT cloudtrail_reader TO mapped_owner;
    CREATE SCHEMA mapped AUTHORIZATION mapped_owner;
    GRANT USAGE ON SCHEMA mapped TO mapped_asker, without_mapping;
    CREATE USER MAPPING FOR mapped_owner SERVER cloudtrail
        OPTIONS (aws_access_key_id 'AKIDOWNER', aws_secret_access_key 'x');
    CREATE USER MAPPING FOR mapped_asker SERVER cloudtrail
        OPTIONS (aws_access_key_id 'AKIDASKER', aws_secret_access_key 'x');
    SET ROLE mapped_owner;
    CREATE VIEW mapped.events AS SELECT event_id FROM cloudtrail.cloudtrail_event;
    CREATE FUNCTION mapped.count() RETURNS bigint LANGUAGE sql SECURITY DEFINER
        AS 'SELECT count(*) FROM cloudtrail.cloudtrail_event';
    GRANT SELECT ON mapped.events TO mapped_asker, without_mapping;
    RESET ROLE
"""
CLEAN_UP = """
    RESET ROLE;
    DROP SCHEMA mapped CASCADE;
    DROP USER MAPPING FOR mapped_owner SERVER cloudtrail;
    DROP USER MAPPING FOR mapped_asker SERVER cloudtrail;
    DROP ROLE mapped_owner, mapped_asker, without_mapping
"""


def keys_used(sample: Sandbox, role: str, query: str) -> set[str]:
    """The access keys that AWS sees when the role asks, in a session of its own."""
    sample.reset()
    with sample.connect() as db:
        db.execute(f"SET cloudtrail_fdw.cache = off; SET ROLE {role}".encode())
        assert db.execute(query.encode()).fetchall()
    with urlopen(f"{sample.state['aws_endpoint']}/_sandbox/requests") as answer:
        return {call["access_key_id"] for call in json.load(answer)}


def test_a_view_uses_the_askers_mapping_and_a_definers_function_its_owners(
    sample: Sandbox,
) -> None:
    view, function = "SELECT count(*) FROM mapped.events", "SELECT mapped.count()"
    with sample.connect() as db:
        db.execute(SET_UP)
        try:
            assert keys_used(sample, "mapped_asker", view) == {"AKIDASKER"}
            assert keys_used(sample, "mapped_owner", view) == {"AKIDOWNER"}
            assert keys_used(sample, "without_mapping", view) == {"AKIDSANDBOX"}
            assert keys_used(sample, "mapped_asker", function) == {"AKIDOWNER"}
            assert keys_used(sample, "without_mapping", function) == {"AKIDOWNER"}
        finally:
            db.execute(CLEAN_UP)
