"""What a role with nothing but LOGIN, or CREATE on the database, puts where a superuser looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner

from check_cases import check, write_check
from cloudtrail_fdw.cli import main
from databases import execute, installed, rows, run

# Runs as whoever calls it; here it only says that it was called, and as whom.
TRAP = "BEGIN RAISE EXCEPTION 'trapped %', current_user; END"
# What a stranger has made in a schema of a superuser's while he could, by the object's kind.
OBJECTS = {
    "function {0}.try_inet(text)": "CREATE FUNCTION {0}.try_inet(value text) RETURNS inet "
    "LANGUAGE plpgsql IMMUTABLE STRICT AS $$" + TRAP + "$$",
    "function {0}.concat(text,text)": "CREATE FUNCTION {0}.concat(text, text) RETURNS text "
    "LANGUAGE plpgsql AS $$" + TRAP + "$$",
    "table {0}.cloudtrail_check_run": "CREATE TABLE {0}.cloudtrail_check_run (name text)",
    "view {0}.cloudtrail_sign_in": "CREATE VIEW {0}.cloudtrail_sign_in AS SELECT 1 AS x",
    "type {0}.timestamptz": "CREATE DOMAIN {0}.timestamptz AS text",
    "operator {0}.=(text,text)": "CREATE OPERATOR {0}.= (FUNCTION = texteq, "
    "LEFTARG = text, RIGHTARG = text)",
    "sequence {0}.s": "CREATE SEQUENCE {0}.s",
    "collation {0}.c": 'CREATE COLLATION {0}.c FROM "C"',
}


@pytest.fixture
def dsn(new_database: Any) -> Iterator[str]:
    """An empty database with a role ``mallory`` that may only log in."""
    dsn = new_database()
    execute(dsn, "DROP ROLE IF EXISTS mallory", "CREATE ROLE mallory LOGIN PASSWORD 'x'",
            "GRANT CREATE ON SCHEMA public TO PUBLIC")  # fmt: skip
    yield dsn
    execute(dsn, "REASSIGN OWNED BY mallory TO postgres", "DROP OWNED BY mallory",
            "DROP ROLE mallory")  # fmt: skip


def as_mallory(dsn: str, *statements: str) -> None:
    place = urlsplit(dsn)
    login = place._replace(netloc=f"mallory:x@{place.hostname}:{place.port}").geturl()
    with psycopg.connect(login, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def make(dsn: str, schema: str, statement: str) -> None:
    """Let mallory run the statement, and take the right to do so away again."""
    execute(dsn, f"CREATE SCHEMA IF NOT EXISTS {schema}",
            f"GRANT CREATE, USAGE ON SCHEMA {schema} TO mallory")  # fmt: skip
    as_mallory(dsn, statement.format(schema))
    execute(dsn, f"REVOKE CREATE ON SCHEMA {schema} FROM mallory")


def refused(dsn: str, what: str, *arguments: str) -> None:
    """Install says what is in the way, whose it is and what to do, and changes nothing."""
    count = "SELECT count(*) FROM pg_depend"
    before = rows(dsn, count)
    result = run("install", dsn, *arguments)
    assert result.exit_code == 1
    assert f'Error: {what} belongs to role "mallory"' in result.output
    assert "Hint: Look at what it is" in result.output
    assert rows(dsn, count) == before


@pytest.mark.multicorn
@pytest.mark.parametrize("handler", [(), ("--no-handler",)], ids=["handler", "no-handler"])
@pytest.mark.parametrize("schema", ["cloudtrail", "steampipe"])
def test_install_refuses_a_strangers_schema(dsn: str, schema: str, handler: tuple[str]) -> None:
    execute(dsn, f"CREATE SCHEMA {schema} AUTHORIZATION mallory")
    refused(dsn, f"schema {schema}", *handler)
    refused(dsn, f"schema {schema}", *handler, "--dry-run")
    execute(dsn, f"ALTER SCHEMA {schema} OWNER TO postgres")
    installed(dsn, *handler)


def test_a_schema_steampipe_of_strangers_is_left_alone_where_none_is_wanted(dsn: str) -> None:
    execute(dsn, "CREATE SCHEMA steampipe AUTHORIZATION mallory")
    installed(dsn, "--no-steampipe")


@pytest.mark.parametrize("schema", ["cloudtrail", "steampipe"])
def test_install_refuses_a_schema_in_which_a_stranger_may_create(dsn: str, schema: str) -> None:
    execute(dsn, f"CREATE SCHEMA {schema}")
    for role, said in (("mallory", 'role "mallory"'), ("PUBLIC", "every role")):
        execute(dsn, f"GRANT CREATE ON SCHEMA {schema} TO {role}")
        result = run("install", dsn)
        assert result.exit_code == 1
        assert f'Error: {said} may create objects in schema "{schema}"' in result.output
        execute(dsn, f"REVOKE CREATE ON SCHEMA {schema} FROM {role}")
    installed(dsn)


@pytest.mark.multicorn
@pytest.mark.parametrize("schema", ["cloudtrail", "steampipe"])
@pytest.mark.parametrize("what", OBJECTS)
def test_install_refuses_a_strangers_object(dsn: str, what: str, schema: str) -> None:
    make(dsn, schema, OBJECTS[what])
    result = run("install", dsn, "--no-handler")
    assert result.exit_code == 1
    assert (
        f'Error: {what.format(schema)} belongs to role "mallory"' in result.output
        # which was refused before, whoever's it is
        or (schema == "steampipe" and "which is not ours" in result.output)
    )
    assert rows(dsn, "SELECT 1 FROM pg_foreign_data_wrapper WHERE fdwname = 'cloudtrail_fdw'") == []


# What a stranger may come to own once the product is there, and who then refuses.
LATER = {
    "schema cloudtrail": "ALTER SCHEMA cloudtrail OWNER TO mallory",
    "function cloudtrail.check_since()": "ALTER FUNCTION cloudtrail.check_since() OWNER TO mallory",
    "view cloudtrail.cloudtrail_sign_in": "ALTER VIEW cloudtrail.cloudtrail_sign_in "
    "OWNER TO mallory",
    "function public.multicorn_validator(text[],oid)": "ALTER FUNCTION "
    "public.multicorn_validator(text[], oid) OWNER TO mallory",
    "server cloudtrail": "ALTER SERVER cloudtrail OWNER TO mallory",
    "foreign table public.mine": "CREATE FOREIGN TABLE public.mine (pieces bigint) "
    "SERVER cloudtrail OPTIONS (table_name 'cloudtrail_fdw_cache_removal'); "
    "ALTER FOREIGN TABLE public.mine OWNER TO mallory",
}


@pytest.mark.parametrize("what", LATER)
def test_an_upgrade_a_check_and_the_doctor_refuse_it_too(
    sample: Any, dsn: str, what: str, tmp_path: Path
) -> None:
    if "multicorn" in what and not sample.multicorn:
        what = "function cloudtrail.check_since()"
    installed(dsn)
    execute(dsn, "GRANT USAGE ON FOREIGN DATA WRAPPER cloudtrail_fdw TO mallory",
            "GRANT CREATE ON SCHEMA cloudtrail TO mallory", LATER[what],
            "REVOKE CREATE ON SCHEMA cloudtrail FROM mallory")  # fmt: skip
    refused(dsn, what)
    write_check(tmp_path, "since", SINCE)
    found = check(tmp_path, "--dsn", dsn, "--format", "json")
    assert found.returncode == 2
    assert f'{what} belongs to role "mallory"' in json.loads(found.stdout)["checks"][0]["error"]
    result = CliRunner().invoke(main, ["doctor", dsn])
    assert result.exit_code == 1
    assert f'fail  {what} belongs to role "mallory"' in result.output


# Each is better than PostgreSQL's own for its operands: a name, a concat of two texts.
IN_PUBLIC = (
    "CREATE FUNCTION public.check_since() RETURNS timestamptz LANGUAGE plpgsql AS $$%s$$",
    "CREATE FUNCTION public.concat(text, text) RETURNS text LANGUAGE plpgsql AS $$%s$$",
    "CREATE FUNCTION public.masklen(text) RETURNS int LANGUAGE plpgsql AS $$%s$$",
    "CREATE FUNCTION public.trap(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$%s$$",
    "CREATE OPERATOR public.= (FUNCTION = public.trap, LEFTARG = varchar, RIGHTARG = varchar)",
    "CREATE OPERATOR public.~ (FUNCTION = public.trap, LEFTARG = varchar, RIGHTARG = varchar)",
)
SINCE = """SELECT concat('a'::text, 'b'::text) AS resource, 'alarm' AS status,
    ('x'::varchar = 'x'::varchar AND 'x'::varchar ~ 'x'::varchar)::text AS reason
WHERE check_since() < now()"""


@pytest.mark.parametrize("reader", [False, True], ids=["superuser", "reader"])
def test_what_is_in_public_answers_for_nothing_in_a_check(
    dsn: str, tmp_path: Path, reader: bool
) -> None:
    """As a superuser it would run programs of mallory's choice, and as a reader leak and lie."""
    installed(dsn)
    as_mallory(dsn, *(text % TRAP if "%s" in text else text for text in IN_PUBLIC))
    execute(dsn, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, "
            "pg_catalog', current_database()); END $$",
            "DROP ROLE IF EXISTS checker", "CREATE ROLE checker LOGIN PASSWORD 'x'",
            "GRANT cloudtrail_reader TO checker")  # fmt: skip
    place = urlsplit(dsn)
    login = place._replace(netloc=f"checker:x@{place.hostname}:{place.port}").geturl()
    write_check(tmp_path, "since", SINCE)
    found = check(tmp_path, "--dsn", login if reader else dsn, "--format", "json")
    row = json.loads(found.stdout)["checks"][0]["findings"][0]
    assert (found.returncode, row["resource"], row["reason"]) == (1, "ab", "true")
    assert ("run as a superuser" in found.stderr) is not reader
    write_check(tmp_path, "since", SINCE.replace("concat(", "public.concat("))
    assert "trapped" in check(tmp_path, "--dsn", login, "--format", "json").stdout


# For each operator of PostgreSQL on these types one of the same name and operands that is a trap,
# and a domain for each type: who has the schema before pg_catalog in the search_path meets them.
SHADOWS = """
    CREATE SCHEMA evil;
    DO $make$
    DECLARE o record; t text;
    BEGIN
        FOR o IN
            SELECT oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS v,
                oid
            FROM pg_operator
            WHERE oprkind = 'b' AND oprnamespace = 'pg_catalog'::regnamespace
                AND oprleft::regtype::text = ANY (types) AND oprright::regtype::text = ANY (types)
        LOOP
            EXECUTE format('CREATE FUNCTION evil.trap_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS '
                '$$BEGIN RAISE EXCEPTION ''trapped''; END$$', o.oid, o.l, o.r, o.v);
            EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.trap_%s, LEFTARG = %s, '
                'RIGHTARG = %s)', o.oprname, o.oid, o.l, o.r);
        END LOOP;
        FOREACH t IN ARRAY ARRAY['timestamptz', 'inet', 'jsonb', 'text', 'int4'] LOOP
            EXECUTE format('CREATE DOMAIN evil.%I AS pg_catalog.bool CHECK (false)', t);
        END LOOP;
        FOREACH t IN ARRAY ARRAY['now()', 'current_setting(text, boolean)', 'count(text)',
            'date_trunc(text, timestamptz)', 'isfinite(timestamptz)', 'lower(text)'] LOOP
            EXECUTE 'CREATE FUNCTION evil.' || t
                || ' RETURNS text LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION $$trapped$$; END''';
        END LOOP;
    END $make$;
"""
TYPES = (
    "ARRAY['text', 'timestamp with time zone', 'interval', 'jsonb', 'inet', 'integer', 'bigint', "
    "'boolean', 'name', 'oid', 'text[]', 'numeric']"
)
CALLS = (
    "check_since()",
    "check_until()",
    "try_inet('10.0.0.1')",
    "try_jsonb('{}')",
    "cloudtrail_is_hosting('OVH')",
    "cloudtrail_ec2_port('22')",
    """cloudtrail_ec2_parameters('{"XRequest": {"A": [{"tag": 1, "content": 2}]}}')""",
    "cloudtrail_session_chain('ASIAX', '2026-11-20', '2026-11-21')",
    "cloudtrail_console_source('2026-11-20', '2026-11-21')",
    "cloudtrail_coverage('2026-11-20', '2026-11-21')",
    "cloudtrail_fdw_cache_clear()",
)


def test_functions_of_ours_call_nothing_of_the_callers_search_path(sample: Any, dsn: str) -> None:
    installed(dsn, "--option", f"endpoint_url={sample.state['aws_endpoint']}",
              "--option", "region=us-east-1")  # fmt: skip
    execute(dsn, SHADOWS.replace("ANY (types)", f"ANY ({TYPES})"))
    query = "SELECT proname::text FROM pg_proc WHERE pronamespace = 'cloudtrail'::regnamespace"
    of_ours = {name for (name,) in rows(dsn, query)}
    called = {call.split("(")[0] for call in CALLS}
    # which PostgreSQL calls, or one of these
    assert of_ours - called == {
        "cloudtrail_fdw_handler", "cloudtrail_fdw_worker_handler", "cloudtrail_fdw_validator",
        "cloudtrail_ec2_camel_case",
    }  # fmt: skip
    with psycopg.connect(dsn, autocommit=True) as connection:
        for call in CALLS:
            connection.execute(b"RESET search_path")
            connection.execute(b"SET cloudtrail_fdw.check_until = '2026-11-20'")
            query = f"SELECT count(*) FROM cloudtrail.{call} AS f".encode()
            expected = connection.execute(query).fetchall()
            connection.execute(b"SET search_path = evil, pg_catalog")
            query = f"SELECT pg_catalog.count(*) FROM cloudtrail.{call} AS f".encode()
            assert connection.execute(query).fetchall() == expected
        with pytest.raises(psycopg.errors.RaiseException, match="trapped"):
            connection.execute(b"SELECT 'a'::pg_catalog.text = 'a'::pg_catalog.text")


def test_all_commands_work_in_a_database_whose_owner_sets_a_hostile_path(dsn: str) -> None:
    """Its owner may set search_path and strings for everybody, superusers too."""
    execute(dsn, SHADOWS.replace("ANY (types)", f"ANY ({TYPES})"),
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = evil, pg_catalog', "
            "current_database()); EXECUTE format('ALTER DATABASE %I SET "
            "standard_conforming_strings = off', current_database()); END $$")  # fmt: skip
    installed(dsn)
    installed(dsn)
    result = CliRunner().invoke(main, ["doctor", dsn])
    assert "trapped" not in result.output
    assert "options are valid" in result.output
    found = check("--dsn", dsn, "--format", "json")
    assert "trapped" not in found.stdout
    assert run("uninstall", dsn).exit_code == 0


@pytest.mark.multicorn
def test_multicorns_functions_are_closed_also_where_it_was_there_before(dsn: str) -> None:
    execute(dsn, "CREATE EXTENSION multicorn")
    call = "SELECT public.multicorn_validator('{wrapper=no.such.Module}'::text[], 1417::oid)"
    with pytest.raises(psycopg.Error, match=r"(?i)module"):
        as_mallory(dsn, call)  # it imports, for anybody
    for arguments in (("--no-handler",), ()):
        installed(dsn, *arguments)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_mallory(dsn, call)
    execute(dsn, "GRANT EXECUTE ON FUNCTION public.multicorn_validator(text[], oid) TO PUBLIC")
    result = CliRunner().invoke(main, ["doctor", dsn])
    assert "fail  every role may call multicorn_validator(text[],oid)" in result.output.replace(
        "public.", ""
    )
    installed(dsn)
    assert "nobody needs" in run("uninstall", dsn).output
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_mallory(dsn, call)


def test_the_doctor_warns_of_what_readers_may_find(dsn: str) -> None:
    installed(dsn)
    execute(dsn, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    role = "role cloudtrail_reader looks names up in schema "
    assert role not in CliRunner().invoke(main, ["doctor", dsn]).output
    execute(dsn, "GRANT CREATE ON SCHEMA public TO PUBLIC",
            "GRANT SELECT ON cloudtrail.cloudtrail_event TO PUBLIC")  # fmt: skip
    lower = "CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT $1'"
    as_mallory(dsn, "CREATE TABLE public.orders ()", lower)
    output = CliRunner().invoke(main, ["doctor", dsn]).output
    assert f"warn  {role}public: every role may create objects in schema" in output
    assert f"warn  {role}public: function public.lower(character varying) belongs to" in output
    assert "every role has a right on cloudtrail.cloudtrail_event" in output
    installed(dsn, "--no-steampipe")
    execute(dsn, "DROP SCHEMA steampipe")
    output = CliRunner().invoke(main, ["doctor", dsn]).output
    assert f"warn  {role}steampipe, which is not there" in output


def test_members_of_a_readers_role_that_was_there_are_named(dsn: str) -> None:
    execute(dsn, "DROP ROLE IF EXISTS test_reader", "CREATE ROLE test_reader",
            "GRANT test_reader TO mallory")  # fmt: skip
    assert 'members of role "test_reader" may read as well: mallory' in installed(
        dsn, "--reader", "test_reader"
    )
