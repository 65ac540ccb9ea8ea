"""The matrix of roles and attempts, on a real server; docs/security.md shows its table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from cloudtrail_fdw.cli.install.install import Target, install
from cloudtrail_fdw.options import OPTIONS
from databases import execute, host_of
from privileges import ATTEMPTS, GRANTS, ROLES, WRAPPER, Attempt, page
from servers import Sandbox

DATABASE = "test_privileges"
PAGE = Path(__file__).parents[2] / "docs" / "security.md"
# By catalog, what an option of it is tried with.
VALUES = {"boolean": "on", "integer": "1", "interval": "1 s", "url": "https://x.example",
          "path": "/x", "choice": "", "text": "x", "secret": "x"}  # fmt: skip


@pytest.fixture(scope="module")
def sessions(sample: Sandbox) -> Iterator[dict[str, psycopg.Connection[Any]]]:
    """A session of each role, by its letter, in a database with the product."""
    admin = sample.state["dsn"]
    dsn = urlsplit(admin)._replace(path=f"/{DATABASE}").geturl()
    found = {}
    with psycopg.connect(admin, autocommit=True) as connection:
        for name, _, attributes in ROLES.values():
            connection.execute(f"CREATE ROLE {name} LOGIN {attributes} PASSWORD 'x'".encode())
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER test_owner ENCODING 'UTF8' "
                           "TEMPLATE template0".encode())  # fmt: skip
        connection.execute(f"GRANT CREATE ON DATABASE {DATABASE} TO test_create".encode())
        options = {"endpoint_url": sample.state["aws_endpoint"], "region": "us-east-1"}
        target = Target(
            reader="test_reader", options=tuple(options.items()), **host_of(dsn)
        )  # fmt: skip
        install(dsn, target, lambda _: None)
        execute(dsn, *GRANTS.split(";"))
        try:
            for letter, (name, _, _) in ROLES.items():
                place = urlsplit(dsn)
                login = place._replace(netloc=f"{name}:x@{place.hostname}:{place.port}").geturl()
                found[letter] = psycopg.connect(login, prepare_threshold=None)
                found[letter].read_only = False  # the reader's own to change
            yield found
        finally:
            for session in found.values():
                session.close()
            connection.execute(f"DROP DATABASE {DATABASE}".encode())
            for name, _, _ in ROLES.values():
                connection.execute(f"DROP ROLE {name}".encode())


def outcome(session: psycopg.Connection[Any], statements: str) -> str:
    """Empty when all statements are done, else the SQLSTATE of the refusal; nothing stays."""
    try:
        for statement in statements.split(";"):
            session.execute(statement.encode())
    except psycopg.Error as error:
        return error.sqlstate or "?"
    finally:
        session.rollback()
    return ""


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.what)
def test_who_may(sessions: dict[str, psycopg.Connection[Any]], attempt: Attempt) -> None:
    found = {letter: outcome(session, attempt.sql) for letter, session in sessions.items()}
    if "Multicorn's validator" in attempt.what and "42883" in found.values():
        assert set(found.values()) == {"42883"}  # there is none on the worker host
        return
    wanted = {letter: "" if letter in attempt.may else attempt.refusal for letter in ROLES}
    met = {
        letter: wanted[letter] if code and code in wanted[letter].split() else code
        for letter, code in found.items()
    }
    assert met == wanted, found


def test_the_page_shows_this_matrix() -> None:
    start, end = "<!-- who may do what: tests/privileges.py -->\n", "<!-- /who may -->"
    text = PAGE.read_text("utf-8")
    assert start in text
    assert text.split(start)[1].split(end)[0] == page()


# What readers may do with relations, beside SELECT; "" is not even that.
READERS_MAY = {
    "cloudtrail.cloudtrail_fdw_cache_removal": "",
    "cloudtrail.cloudtrail_check_run": "INSERT SELECT UPDATE",
}
RELATIONS = """
    SELECT c.oid::regclass::text, c.oid FROM pg_class c
    WHERE c.relkind IN ('r', 'v', 'f') AND c.relnamespace IN (
        'cloudtrail'::regnamespace, 'steampipe'::regnamespace)
"""
RIGHTS = f"""
    SELECT r.rolname, c.name, string_agg(p.name, ' ' ORDER BY p.name)
    FROM ({RELATIONS}) AS c (name, oid)
    CROSS JOIN unnest(ARRAY[
        'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'
    ]) AS p (name)
    CROSS JOIN pg_roles r
    WHERE r.rolname LIKE 'test\\_%' AND NOT r.rolsuper AND has_table_privilege(r.oid, c.oid, p.name)
    GROUP BY 1, 2
"""


def test_no_role_has_another_right_on_a_relation(
    sessions: dict[str, psycopg.Connection[Any]],
) -> None:
    """Views stand on the foreign tables <name>_by_address, which are nobody's to read."""
    found = set(sessions["S"].execute(RIGHTS.encode()).fetchall())
    names = [name for name, _ in sessions["S"].execute(RELATIONS.encode())]
    sessions["S"].rollback()
    assert len(names) > 30
    wanted = {
        (role, name, READERS_MAY.get(name, "SELECT"))
        for role in ("test_reader", "test_member")
        for name in names
        if READERS_MAY.get(name) != "" and not name.endswith("_by_address")
    }
    assert found == wanted


@pytest.mark.parametrize("catalog", ["server", "table", "mapping"])
def test_each_option_stands_where_it_is_declared(
    sessions: dict[str, psycopg.Connection[Any]], catalog: str
) -> None:
    """And nowhere else; on the server for a superuser only, on what is one's own for USAGE too."""
    statement = {
        "server": f"CREATE SERVER s FOREIGN DATA WRAPPER cloudtrail_fdw OPTIONS ({WRAPPER}, %s)",
        "table": "CREATE FOREIGN TABLE public.t () SERVER cloudtrail "
        "OPTIONS (table_name 'cloudtrail_event', %s)",
        "mapping": "CREATE USER MAPPING FOR CURRENT_USER SERVER cloudtrail OPTIONS (%s)",
    }[catalog]
    wrong = []
    for option in OPTIONS:
        given = option.choices[0] if option.choices else VALUES[option.kind]
        for letter, session in sessions.items():
            code = outcome(session, statement % f"{option.name} '{given}'")
            may = letter == "S" or (letter == "U" and catalog != "server")
            wanted = "42501"
            if may or (letter == "U" and code == "HV00D"):
                wanted = "" if catalog in option.catalogs and may else "HV00D"
            if code != wanted:
                wrong.append((option.name, letter, code, wanted))
    assert wrong == []


def test_settings_change_nothing_that_is_the_servers(
    sessions: dict[str, psycopg.Connection[Any]],
) -> None:
    """Every role may SET any name with a dot; only declared ones are read, by whoever it is."""
    session = sessions["R"]
    others = [option for option in OPTIONS if not option.guc]
    query = b"SELECT count(*) FROM cloudtrail.cloudtrail_event"
    before = session.execute(query).fetchall()
    for option in others:
        session.execute(f"SET cloudtrail_fdw.{option.name} = '/nonsense'".encode())
    assert session.execute(query).fetchall() == before
    assert before[0][0] > 0
    session.rollback()
