"""What works once it is installed, and what does not on a server without the package."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw.sandbox import cluster, lifecycle
from databases import CATALOG, declared, execute, installed, rows, run
from servers import Sandbox


def test_reader_reads_and_does_nothing_else(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn, "--reader", "test_reader")
    execute(dsn, "ALTER ROLE test_reader PASSWORD 'x'", "CREATE TABLE public.t (x int)")
    reader = dsn.replace(dsn.split("@")[0], "postgresql://test_reader:x")
    assert rows(reader, "SHOW statement_timeout") == [("5min",)]
    assert rows(reader, "SHOW search_path") == [("steampipe, cloudtrail, public",)]
    assert rows(reader, "SELECT address_class FROM ip_enrichment WHERE ip = '::1'") == [
        ("loopback",)
    ]
    assert rows(reader, "SELECT try_inet('x'), try_jsonb('{')") == [(None, None)]
    for statement in (
        "INSERT INTO public.t VALUES (1)",
        "ALTER SERVER cloudtrail OPTIONS (ADD endpoint_url 'https://example.com')",
        "CREATE SERVER s FOREIGN DATA WRAPPER cloudtrail_fdw",
        "CREATE USER MAPPING FOR CURRENT_USER SERVER cloudtrail",
    ):
        with psycopg.connect(reader, autocommit=True) as connection:
            connection.execute(b"SET default_transaction_read_only = off")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


def test_the_readers_search_path_works_without_steampipe(new_database: Any) -> None:
    """And does not name it: whoever made a schema of that name would come before ours."""
    dsn = new_database()
    installed(dsn, "--reader", "test_reader", "--no-steampipe")
    execute(dsn, "ALTER ROLE test_reader PASSWORD 'x'")
    reader = dsn.replace(dsn.split("@")[0], "postgresql://test_reader:x")
    assert rows(reader, "SHOW search_path") == [("cloudtrail, public",)]
    assert rows(reader, "SELECT status FROM ipstack_ip WHERE ip = 'AWS Internal'") == [
        ("not_sent",)
    ]


# (text, whether it is an address, whether it is jsonb)
TEXTS = [
    ("10.0.0.1", True, False),
    ("::1/128", True, False),
    ("AWS Internal", False, False),
    ("", False, False),
    ("1", False, True),
    ('{"a": 1}', False, True),
    ('{"a": "\\u0000"}', False, False),
    ('{"a": "\\ud800"}', False, False),
    ('{"a": 1e999999}', False, False),
    ("[" * 100_000, False, False),  # deeper than max_stack_depth
]


def test_try_functions_never_raise(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    query = "SELECT cloudtrail.try_inet(%s) IS NOT NULL, cloudtrail.try_jsonb(%s) IS NOT NULL"
    found = [(text, *rows(dsn, query, text, text)[0]) for text, _, _ in TEXTS]
    assert found == TEXTS


def test_dump_and_restore(sample: Sandbox, new_database: Any) -> None:
    """pg_restore runs with an empty search_path, and in an order of its own."""
    source, target = new_database(), new_database()
    installed(source, "--schema", "Odd % Näme", "--option", "region=eu-west-1")
    server = lifecycle.choose_server(sample.state["server"], print)
    environment = {**os.environ, **server.env}
    dump = subprocess.run(
        [str(server.bindir / "pg_dump"), source], env=environment, capture_output=True, check=True
    )
    psql = [str(server.bindir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", target]
    subprocess.run(psql, input=dump.stdout, env=environment, capture_output=True, check=True)
    assert declared() == set(rows(target, CATALOG, '"Odd % Näme"'))
    query = "SELECT address_class FROM \"Odd % Näme\".ip_enrichment WHERE ip = '::1'"
    if not sample.multicorn:  # options of an extension's own objects are in no dump
        installed(target, "--schema", "Odd % Näme")
    assert rows(target, query) == [("loopback",)]
    with psycopg.connect(target) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(b"CREATE USER MAPPING FOR PUBLIC SERVER cloudtrail OPTIONS (x 'y')")
    assert caught.value.sqlstate == "HV00D"


@pytest.mark.multicorn
def test_a_python_without_the_package_is_named(sample: Sandbox) -> None:
    """The server's interpreter is not ours, so pip has to be told which one it is."""
    server = lifecycle.choose_server(sample.state["server"], print)
    folder = Path(sample.state["dir"] + "-without")
    site = folder / "site"
    site.mkdir(parents=True, exist_ok=True)
    started = cluster.start(folder, server, site, {})
    try:
        result = run("install", started.dsn())
    finally:
        cluster.stop(folder)
        shutil.rmtree(folder)
    assert result.exit_code == 1
    assert "No module named 'cloudtrail_fdw'" in result.output
    assert f"python{server.python_version} -m pip install cloudtrail-fdw" in result.output
