"""install on a real server."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from databases import CATALOG, declared, execute, installed, rows, run


def test_install_makes_what_is_declared_and_answers(sample: Any, new_database: Any) -> None:
    dsn = new_database()
    output = installed(dsn)
    said = "The extension's own handler" if sample.multicorn else "Python runs in a process of its"
    assert said in output
    assert declared() == set(rows(dsn, CATALOG, "cloudtrail"))
    query = "SELECT address_class FROM cloudtrail.ip_enrichment WHERE ip = '10.0.0.1'"
    assert rows(dsn, query) == [("private",)]


def test_installing_twice_changes_nothing_and_keeps_settings(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn, "--option", "region=eu-west-1", "--option", "log_group=trail")
    execute(
        dsn,
        "DO $$ BEGIN EXECUTE format('ALTER ROLE cloudtrail_reader IN DATABASE %I "
        "SET statement_timeout = ''7s''', current_database()); END $$",
    )
    catalogs = (
        CATALOG.replace("%s", "'cloudtrail'"),
        "SELECT oid, fdwhandler, fdwvalidator, fdwacl FROM pg_foreign_data_wrapper",
        "SELECT oid, srvoptions FROM pg_foreign_server",
        "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "WHERE d.datname = current_database()",
        "SELECT oid, relacl FROM pg_class WHERE relkind = 'f'",
    )
    before = [sorted(rows(dsn, query)) for query in catalogs]
    installed(dsn, "--option", "log_group=")
    after = [sorted(rows(dsn, query)) for query in catalogs]
    options = before.pop(2)[0][1], after.pop(2)[0][1]
    assert before == after
    assert set(options[0]) - set(options[1]) == {"log_group=trail"}
    assert any("statement_timeout=7s" in str(row) for row in after[2])


def test_an_older_version_is_brought_up_to_date(new_database: Any) -> None:
    """Columns missing, surplus, of another type; a table missing, one that is no more."""
    dsn = new_database()
    installed(dsn)
    execute(
        dsn,
        "DROP VIEW IF EXISTS cloudtrail.cloudtrail_event_geo, cloudtrail.cloudtrail_recording",
        "ALTER FOREIGN TABLE cloudtrail.ip_enrichment DROP COLUMN city, ADD COLUMN town text, "
        "ALTER COLUMN asn TYPE text",
        "DROP VIEW steampipe.aws_cloudtrail_trail",
        "DROP FOREIGN TABLE cloudtrail.cloudtrail_trail",
        "CREATE OR REPLACE FUNCTION cloudtrail.cloudtrail_fdw_validator(options text[], "
        "catalog oid) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE FOREIGN TABLE cloudtrail.gone (x text) SERVER cloudtrail "
        "OPTIONS (table_name 'gone')",
        "CREATE FOREIGN TABLE cloudtrail.my_own (message text) SERVER cloudtrail "
        "OPTIONS (table_name 'cloudtrail_event')",
    )
    installed(dsn)
    found = set(rows(dsn, CATALOG, "cloudtrail"))
    assert declared() == {row for row in found if row[0] != "my_own"}
    assert any(row[0] == "my_own" for row in found)
    query = "SELECT city, asn FROM cloudtrail.ip_enrichment WHERE ip = '104.53.216.85'"
    assert len(rows(dsn, query)) == 1


def test_a_view_of_another_shape_is_made_anew(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    execute(
        dsn,
        "DROP VIEW cloudtrail.cloudtrail_event_geo",
        "CREATE VIEW cloudtrail.cloudtrail_event_geo AS SELECT 1 AS other",
    )
    installed(dsn)
    shape = "SELECT count(*) FROM information_schema.columns WHERE table_name = %s"
    assert rows(dsn, shape, "cloudtrail_event_geo")[0][0] > 5


def test_a_view_on_a_dropped_column_is_named_and_nothing_changes(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    execute(
        dsn,
        "DROP VIEW IF EXISTS cloudtrail.cloudtrail_event_geo",
        "ALTER FOREIGN TABLE cloudtrail.ip_enrichment DROP COLUMN city, ADD COLUMN town text",
        "CREATE VIEW towns AS SELECT town FROM cloudtrail.ip_enrichment",
    )
    result = run("install", dsn)
    assert result.exit_code == 1
    assert "Error: cannot drop column town" in result.output
    assert "view public.towns depends on" in result.output
    assert "Hint: " in result.output
    columns = {row[1] for row in rows(dsn, CATALOG, "cloudtrail") if row[0] == "ip_enrichment"}
    assert "town" in columns
    assert "city" not in columns


def test_odd_names_are_quoted(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn, "--schema", "Odd % Näme", "--reader", "Odd Reader")
    assert declared() == set(rows(dsn, CATALOG, '"Odd % Näme"'))
    execute(dsn, 'SET ROLE "Odd Reader"; SELECT FROM "Odd % Näme".ip_enrichment WHERE ip = \'::1\'')
    again = run("install", dsn)
    assert again.exit_code == 1
    assert 'in schema "Odd % Näme" already' in again.output
    assert run("uninstall", dsn, "--reader", "Odd Reader").exit_code == 0


@pytest.mark.parametrize("name", ["", "it's", 'a"b', "a$b", "a\\b"])
def test_names_that_cannot_stand_in_function_bodies_are_refused(
    new_database: Any, name: str
) -> None:
    result = run("install", new_database(), "--schema", name)
    assert result.exit_code == 1
    assert "cannot be used" in result.output


def test_a_database_that_is_not_utf8_is_refused(new_database: Any) -> None:
    dsn = new_database("LATIN1")
    result = run("install", dsn)
    assert result.exit_code == 1
    assert "LATIN1" in result.output
    assert rows(dsn, "SELECT 1 FROM pg_namespace WHERE nspname = 'cloudtrail'") == []


def test_only_a_superuser_installs(new_database: Any) -> None:
    dsn = new_database()
    execute(dsn, "CREATE ROLE analyst LOGIN PASSWORD 'x'")
    other = dsn.replace(dsn.split("@")[0], "postgresql://analyst:x")
    result = run("install", other)
    assert result.exit_code == 1
    assert "only a superuser" in result.output


def test_what_is_someone_elses_is_left_alone(new_database: Any) -> None:
    dsn = new_database()
    execute(dsn, "CREATE SCHEMA cloudtrail", "CREATE TABLE cloudtrail.ip_enrichment (mine text)")
    result = run("install", dsn)
    assert result.exit_code == 1
    assert "not ours" in result.output
    execute(dsn, "DROP TABLE cloudtrail.ip_enrichment", "CREATE FOREIGN DATA WRAPPER other",
            "CREATE SERVER cloudtrail FOREIGN DATA WRAPPER other")  # fmt: skip
    result = run("install", dsn)
    assert result.exit_code == 1
    assert 'wrapper "other"' in result.output
    result = run("install", dsn, "--reader", "postgres")
    assert result.exit_code == 1


def test_dry_run_prints_sql_that_installs(new_database: Any) -> None:
    dsn = new_database()
    script = run("install", dsn, "--dry-run", "--option", "region=eu-west-1")
    assert script.exit_code == 0
    assert rows(dsn, "SELECT 1 FROM pg_namespace WHERE nspname = 'cloudtrail'") == []
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(script.output.encode())
    assert declared() == set(rows(dsn, CATALOG, "cloudtrail"))
    options = rows(dsn, "SELECT srvoptions FROM pg_foreign_server")
    assert "region=eu-west-1" in options[0][0]


def test_a_secret_option_is_refused_and_not_shown(new_database: Any) -> None:
    dsn = new_database()
    for dry in ((), ("--dry-run",)):
        result = run("install", dsn, "--option", "aws_secret_access_key=hunter2", *dry)
        assert result.exit_code == 1
        assert "aws_secret_access_key" in result.output
        assert "hunter2" not in result.output


@pytest.mark.parametrize(
    "dsn",
    ["postgresql//u:hunter2@h/d", "host=127.0.0.1 port=1 password=hunter2", "hunter2",
     "postgresql://u:hunter2@127.0.0.1:1/d"],
)  # fmt: skip
def test_a_failed_connection_shows_no_password(dsn: str) -> None:
    result = run("install", dsn)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output


STEAMPIPE = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('steampipe')"


@pytest.mark.multicorn
def test_without_the_handler_steampipes_keys_are_text(new_database: Any) -> None:
    dsn = new_database()
    kinds = "SELECT atttypid::regtype::text FROM pg_attribute WHERE attname = 'ip' AND attrelid = "
    for arguments, wanted in (
        (("--no-handler",), "text"),
        ((), "inet"),
        (("--no-handler",), "inet"),
    ):
        installed(dsn, *arguments)
        assert rows(dsn, kinds + "'steampipe.ipstack_ip'::regclass") == [(wanted,)]
        query = "SELECT country_code FROM steampipe.ipstack_ip WHERE ip = '82.102.17.180'"
        assert rows(dsn, query) == [("ES",)]


def test_a_schema_steampipe_of_others_is_left_alone(new_database: Any) -> None:
    dsn = new_database()
    execute(dsn, "CREATE SCHEMA steampipe", "CREATE TABLE steampipe.notes (x text)")
    result = run("install", dsn)
    assert result.exit_code == 1
    assert "which is not ours" in result.output
    assert "--no-steampipe" in result.output
    installed(dsn, "--no-steampipe")
    assert rows(dsn, STEAMPIPE) == [("notes",)]
    assert run("uninstall", dsn).exit_code == 0
    assert rows(dsn, STEAMPIPE) == [("notes",)]


def test_no_steampipe_drops_ours_and_keeps_what_is_not(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    execute(dsn, "CREATE TABLE steampipe.notes (x text)")
    installed(dsn)
    installed(dsn, "--no-steampipe")
    assert rows(dsn, STEAMPIPE) == [("notes",)]
    execute(dsn, "CREATE VIEW steampipe.shodan_host AS SELECT 1 AS mine")
    assert 'relation "shodan_host", which is not ours' in run("install", dsn).output


def test_rows_of_people_survive_an_upgrade(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    execute(
        dsn,
        "INSERT INTO cloudtrail.cloudtrail_check_run VALUES ('a', now(), now(), 'b', 1, 0)",
        "DROP VIEW cloudtrail.cloudtrail_event_geo",
        "DROP VIEW steampipe.aws_cloudtrail_trail",
        "ALTER FOREIGN TABLE cloudtrail.cloudtrail_trail ADD COLUMN surplus text",
    )
    installed(dsn)
    assert rows(dsn, "SELECT name FROM cloudtrail.cloudtrail_check_run") == [("a",)]
    result = run("uninstall", dsn)
    assert result.exit_code == 0, result.output
    assert 'cloudtrail_check_run" has rows and stays' in result.output
