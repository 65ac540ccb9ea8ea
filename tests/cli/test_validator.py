"""The validator: what nobody may set where, and that it accepts what Python reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from cloudtrail_fdw.cli.install.install import Target, install
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import OPTIONS, read_value
from databases import host_of

SECRET = "wJalrXUtnFEMI/K7MDENG"
WRAPPER = "wrapper 'cloudtrail_fdw.wrapper.CloudTrailFdw'"


@pytest.fixture
def database(new_database: Any) -> Iterator[psycopg.Connection[Any]]:
    """Installed, with a role that was trusted with USAGE on everything there is."""
    dsn = new_database()
    install(dsn, Target(reader="test_reader", **host_of(dsn)), lambda line: None)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            b"CREATE ROLE analyst; CREATE SCHEMA lab AUTHORIZATION analyst;"
            b"GRANT USAGE ON FOREIGN DATA WRAPPER cloudtrail_fdw TO analyst;"
            b"GRANT USAGE ON FOREIGN SERVER cloudtrail TO analyst;"
            b"GRANT SELECT ON ALL TABLES IN SCHEMA cloudtrail TO analyst;"
            b"GRANT USAGE ON SCHEMA cloudtrail TO analyst"
        )
        connection.execute(b"SET client_min_messages = error")
        yield connection
        connection.execute(b"RESET ROLE")
        connection.execute(b"DROP SCHEMA lab CASCADE; DROP OWNED BY analyst")


def refusal(connection: psycopg.Connection[Any], statement: str) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement.encode())
    return caught.value


ATTACKS = {
    "mapping names a class": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    "OPTIONS (wrapper 'os.system')",
    "mapping names our class": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    f"OPTIONS ({WRAPPER})",
    "mapping names an endpoint": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    "OPTIONS (endpoint_url 'https://evil.example')",
    "mapping names a file": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    "OPTIONS (geo_database '/etc/passwd')",
    "mapping names a role": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    "OPTIONS (role_arn 'arn:aws:iam::123456789012:role/admin')",
    "mapping names a table": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    "OPTIONS (table_name 'cloudtrail_event')",
    "table names a class": "CREATE FOREIGN TABLE lab.t (x text) SERVER cloudtrail "
    "OPTIONS (table_name 'cloudtrail_event', wrapper 'os.system')",
    "table names an endpoint": "CREATE FOREIGN TABLE lab.t (x text) SERVER cloudtrail "
    "OPTIONS (table_name 'cloudtrail_event', endpoint_url 'https://evil.example')",
    "table names a file": "CREATE FOREIGN TABLE lab.t (x text) SERVER cloudtrail "
    "OPTIONS (table_name 'cloudtrail_event', ip_ranges '/etc/passwd')",
    "column has options": "CREATE FOREIGN TABLE lab.t (x text OPTIONS (wrapper 'os.system')) "
    "SERVER cloudtrail OPTIONS (table_name 'cloudtrail_event')",
    "option that does not exist": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    "OPTIONS (no_such_option 'x')",
    "name in other case": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    "OPTIONS (\"WRAPPER\" 'os.system')",
    "name with a blank": "CREATE USER MAPPING FOR analyst SERVER cloudtrail "
    "OPTIONS (\"wrapper \" 'os.system')",
}


@pytest.mark.parametrize("statement", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_trusted_role_cannot_go_further(
    database: psycopg.Connection[Any], statement: str
) -> None:
    database.execute(b"SET ROLE analyst")
    error = refusal(database, statement)
    assert error.sqlstate == "HV00D"
    assert error.diag.message_hint


def test_an_equals_sign_in_a_name_smuggles_nothing(database: psycopg.Connection[Any]) -> None:
    """Multicorn reads "name=value" up to the first sign, and so does the validator."""
    database.execute(b"SET ROLE analyst")
    error = refusal(
        database,
        "CREATE USER MAPPING FOR analyst SERVER cloudtrail OPTIONS (\"wrapper=os.system\" 'x')",
    )
    assert error.sqlstate in ("HV00D", "22023")  # later versions of PostgreSQL refuse it alone


def test_a_server_of_ones_own_takes_a_superuser(database: psycopg.Connection[Any]) -> None:
    database.execute(b"SET ROLE analyst")
    for options in (
        f"{WRAPPER}",
        f"{WRAPPER}, endpoint_url 'https://evil.example'",
        f"{WRAPPER}, geo_database '/etc/passwd'",
    ):
        error = refusal(
            database, f"CREATE SERVER s FOREIGN DATA WRAPPER cloudtrail_fdw OPTIONS ({options})"
        )
        assert error.sqlstate == "42501"
    error = refusal(
        database,
        "CREATE SERVER s FOREIGN DATA WRAPPER cloudtrail_fdw OPTIONS (wrapper 'os.system')",
    )
    assert error.sqlstate == "HV024"


def test_not_even_a_superuser_names_another_class(database: psycopg.Connection[Any]) -> None:
    for statement in (
        "ALTER SERVER cloudtrail OPTIONS (SET wrapper 'os.system')",
        "CREATE SERVER s FOREIGN DATA WRAPPER cloudtrail_fdw OPTIONS (wrapper 'os.system')",
    ):
        assert refusal(database, statement).sqlstate == "HV024"
    error = refusal(database, "CREATE FOREIGN TABLE lab.t (x text) SERVER cloudtrail")
    assert error.sqlstate == "HV00J"
    assert error.diag.message_hint


@pytest.mark.multicorn
def test_multicorn_needs_the_class(database: psycopg.Connection[Any]) -> None:
    for statement in (
        "ALTER SERVER cloudtrail OPTIONS (DROP wrapper)",
        "CREATE SERVER s FOREIGN DATA WRAPPER cloudtrail_fdw",
    ):
        error = refusal(database, statement)
        assert error.sqlstate == "HV00J"
        assert error.diag.message_hint


def test_import_foreign_schema_takes_no_options(database: psycopg.Connection[Any]) -> None:
    database.execute(b"SET ROLE analyst")
    for options in ("wrapper 'os.system'", "endpoint_url 'https://evil.example'",
                    "geo_database '/etc/passwd'"):  # fmt: skip
        with pytest.raises(psycopg.Error, match="takes no options"):
            database.execute(
                "IMPORT FOREIGN SCHEMA cloudtrail FROM SERVER cloudtrail INTO lab "
                f"OPTIONS ({options})".encode()
            )
        found = database.execute(
            b"SELECT relname, ftoptions FROM pg_foreign_table JOIN pg_class c ON c.oid = ftrelid "
            b"WHERE relnamespace = 'lab'::regnamespace"
        ).fetchall()
        assert all(given == [f"table_name={name}"] for name, given in found)
        database.execute(b"DROP OWNED BY analyst")
        database.execute(b"RESET ROLE; CREATE SCHEMA lab AUTHORIZATION analyst")
        database.execute(b"GRANT USAGE ON FOREIGN SERVER cloudtrail TO analyst")
        database.execute(b"SET ROLE analyst")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SERVER cloudtrail OPTIONS (ADD aws_secret_access_key '{}')",
        "CREATE FOREIGN TABLE lab.t (x text) SERVER cloudtrail "
        "OPTIONS (table_name 'cloudtrail_event', aws_secret_access_key '{}')",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER cloudtrail OPTIONS (secret '{}')",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER cloudtrail "
        "OPTIONS (aws_secret_access_key '{} with blanks')",
        "ALTER SERVER cloudtrail OPTIONS (ADD delivery_lag '{}')",
        "ALTER SERVER cloudtrail OPTIONS (ADD max_calls '{}')",
        "ALTER SERVER cloudtrail OPTIONS (ADD use_fips '{}')",
        "ALTER SERVER cloudtrail OPTIONS (ADD geo_database '{}')",
        "ALTER SERVER cloudtrail OPTIONS (ADD endpoint_url 'https://user:{}@logs.example')",
        "ALTER FOREIGN TABLE cloudtrail.cloudtrail_event OPTIONS (SET table_name '{}')",
    ],
)
def test_a_refused_value_is_never_shown(database: psycopg.Connection[Any], statement: str) -> None:
    error = refusal(database, statement.format(SECRET))
    assert error.sqlstate in ("HV00D", "HV024")
    diag = error.diag
    said = (diag.message_primary, diag.message_detail, diag.message_hint, diag.context)
    assert SECRET not in " ".join(filter(None, said))


def test_a_misplaced_secret_is_sent_to_a_user_mapping(database: psycopg.Connection[Any]) -> None:
    error = refusal(database, "ALTER SERVER cloudtrail OPTIONS (ADD aws_session_token 'x')")
    assert "user mapping" in (error.diag.message_hint or "")


VALUES = {
    "boolean": ["on", "OFF", "true", "no", "1", "0", "yes ", "t", "", "2", "on\n"],
    "integer": ["1", "007", "0", "-1", "1.5", "", " 1", "9" * 18, "9" * 19, "000", "1\n", "\u0661"],
    "interval": ["90", "90 s", "1.5 h", "1 hour 30 min", "2 days", "5 MINUTES", "10ms", "1h30min",
                 "", "s", "1 week", "-1 s", "1,5 h", "90 s\n", "1 mss", "1 hour ago"],
    "url": ["", "https://logs.eu-west-1.amazonaws.com", "https://h:8443/path", "http://127.0.0.1:1",
            "http://localhost", "http://[::1]:80/", "https://[2001:db8::1]/", "http://10.0.0.1",
            "http://example.com", "https://u:p@h", "https://u@h", "ftp://h", "https://", "h",
            "http://localhost.evil.example", "http://127.0.0.1@evil.example", "https:///p",
            "HTTPS://LOGS.EXAMPLE"],
    "path": ["", "/var/lib/x.mmdb", "/a b"],
    "choice": ["on", "OFF", "Wide", "", "no", "on\n", "on|off"],
    "text": ["", "anything at all ='\"\\"],
    "secret": ["AKIAIOSFODNN7EXAMPLE", "a/b+c="],
}  # fmt: skip


def test_validator_and_python_accept_the_same_values(database: psycopg.Connection[Any]) -> None:
    """Else a value is accepted and every query fails, or a good one cannot be set."""
    call = sql.SQL("SELECT cloudtrail.cloudtrail_fdw_validator(%s::text[], %s)")
    differing = []
    for option in OPTIONS:
        mapping = option.kind == "secret"
        base = [] if mapping else ["wrapper=cloudtrail_fdw.wrapper.CloudTrailFdw"]
        for value in VALUES[option.kind]:
            options = [*base, f"{option.name}={value}"]
            by_validator = by_python = True
            try:
                database.execute(call, (options, 1418 if mapping else 1417))
            except psycopg.errors.FdwInvalidAttributeValue:
                by_validator = False
            try:
                read_value(option, value)
            except FdwError:
                by_python = False
            if by_validator != by_python:
                differing.append((option.name, value, by_validator, by_python))
    assert differing == []


def test_good_options_are_accepted_where_they_belong(database: psycopg.Connection[Any]) -> None:
    database.execute(
        b"ALTER SERVER cloudtrail OPTIONS (ADD region 'eu-west-1', ADD max_calls '10', "
        b"ADD endpoint_url 'http://127.0.0.1:4566', ADD geo_database '/srv/geo.mmdb')"
    )
    database.execute(b"SET ROLE analyst")
    database.execute(
        b"CREATE FOREIGN TABLE lab.t (event_name text) SERVER cloudtrail "
        b"OPTIONS (table_name 'cloudtrail_event', log_group 'other', max_calls '5')"
    )
    database.execute(
        b"CREATE USER MAPPING FOR analyst SERVER cloudtrail "
        b"OPTIONS (aws_access_key_id 'AKIAIOSFODNN7EXAMPLE', aws_secret_access_key 'x')"
    )


def test_the_validator_survives_dump_and_restore_without_a_search_path(
    database: psycopg.Connection[Any],
) -> None:
    """pg_restore runs with an empty search_path, in which nothing of ours is visible."""
    database.execute(b"SELECT pg_catalog.set_config('search_path', '', false)")
    database.execute(b"ALTER SERVER cloudtrail OPTIONS (ADD region 'eu-west-1')")
    assert refusal(
        database, "ALTER SERVER cloudtrail OPTIONS (ADD nonsense 'x')"
    ).sqlstate == "HV00D"  # fmt: skip
