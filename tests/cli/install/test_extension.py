from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw.cli.install import extension
from cloudtrail_fdw.sandbox import lifecycle
from databases import execute, installed, rows, run
from servers import Sandbox

HANDLER = (
    "SELECT p.proname FROM pg_foreign_data_wrapper w JOIN pg_proc p ON p.oid = w.fdwhandler"
    " WHERE w.fdwname = 'cloudtrail_fdw'"
)
MEMBERS = (
    "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend"
    " WHERE deptype = 'e' AND refobjid ="
    " (SELECT oid FROM pg_extension WHERE extname = 'cloudtrail_fdw') ORDER BY 1"
)
ASK = "SELECT aws_range_class FROM cloudtrail.ip_enrichment WHERE ip = '54.240.200.68'"


def test_the_extension_holds_what_is_no_data_of_the_users(
    sample: Sandbox, new_database: Any
) -> None:
    dsn = new_database()
    installed(dsn)
    handler = "cloudtrail_fdw_handler" if sample.multicorn else "cloudtrail_fdw_worker_handler"
    assert rows(dsn, HANDLER) == [(handler,)]
    assert rows(dsn, "SELECT extversion FROM pg_extension WHERE extname = 'cloudtrail_fdw'") == [
        (extension.VERSION,)
    ]
    assert [name for (name,) in rows(dsn, MEMBERS)] == [
        "foreign-data wrapper cloudtrail_fdw",
        "function cloudtrail.cloudtrail_fdw_handler()",
        "function cloudtrail.cloudtrail_fdw_validator(text[],oid)",
        "function cloudtrail.cloudtrail_fdw_worker_handler()",
        "function cloudtrail.try_inet(text)",
        "function cloudtrail.try_jsonb(text)",
    ]


def test_dropping_the_extension_names_what_depends(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    with pytest.raises(psycopg.errors.DependentObjectsStillExist) as raised:
        execute(dsn, "DROP EXTENSION cloudtrail_fdw")
    assert "server cloudtrail" in (raised.value.diag.message_detail or "")
    execute(dsn, "SET client_min_messages = error", "DROP EXTENSION cloudtrail_fdw CASCADE")
    assert rows(dsn, "SELECT count(*) FROM pg_foreign_table") == [(0,)]
    installed(dsn)
    assert rows(dsn, ASK) == [("infrastructure",)]


@pytest.mark.multicorn
def test_an_installation_without_it_is_brought_in_whole(new_database: Any) -> None:
    dsn = new_database()
    output = installed(dsn, "--no-handler", "--option", "region=eu-west-1")
    assert "Multicorn's own handler is in use (--no-handler)" in output
    assert rows(dsn, HANDLER) == [("multicorn_handler",)]
    assert rows(dsn, ASK) == [("infrastructure",)]
    execute(dsn, "CREATE VIEW mine AS SELECT event_name FROM cloudtrail.cloudtrail_event")
    installed(dsn)
    assert rows(dsn, HANDLER) == [("cloudtrail_fdw_handler",)]
    assert len(rows(dsn, MEMBERS)) == 6
    assert rows(dsn, ASK) == [("infrastructure",)]
    options = rows(dsn, "SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'cloudtrail'")
    assert "region=eu-west-1" in options[0][0]
    assert rows(dsn, "SELECT count(*) FROM pg_views WHERE viewname = 'mine'") == [(1,)]


def test_it_survives_dump_and_restore(sample: Sandbox, new_database: Any) -> None:
    source, target = new_database(), new_database()
    installed(source, "--option", "max_calls=77")
    server = lifecycle.choose_server(sample.state["server"], print)
    env = {**os.environ, **server.env}
    dump = subprocess.run(
        [server.bindir / "pg_dump", source], env=env, capture_output=True, check=True, timeout=60
    )
    assert b"CREATE EXTENSION IF NOT EXISTS cloudtrail_fdw" in dump.stdout
    subprocess.run(
        [server.bindir / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", target],
        env=env,
        input=dump.stdout,
        capture_output=True,
        check=True,
        timeout=60,
    )
    if not sample.multicorn:  # options of an extension's own objects are in no dump
        installed(target)
    assert rows(target, ASK) == [("infrastructure",)]
    assert rows(target, HANDLER) == rows(source, HANDLER)
    options = rows(target, "SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'cloudtrail'")
    assert "max_calls=77" in options[0][0]


def test_changed_scripts_replace_those_of_the_same_version(
    sample: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a restored dump gets the validator of another day."""
    name = f"cloudtrail_fdw--{extension.VERSION}.sql"
    for script in extension.SCRIPTS.glob("*.sql"):
        (tmp_path / script.name).write_bytes(script.read_bytes())
    with sample.connect() as db:
        query = "SELECT setting FROM pg_config WHERE name = 'SHAREDIR'"
        placed = Path(rows(sample.state["dsn"], query)[0][0]) / "extension" / name
        try:
            with monkeypatch.context() as patch:
                patch.setattr(extension, "SCRIPTS", tmp_path)
                with (tmp_path / name).open("a") as file:
                    file.write("-- changed\n")
                extension.place_extension(db)
                assert placed.read_bytes() == (tmp_path / name).read_bytes()
        finally:
            extension.place_extension(db)
    assert placed.read_bytes() == (extension.SCRIPTS / name).read_bytes()


@pytest.mark.multicorn
def test_uninstall_takes_the_extension_along(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    assert run("uninstall", dsn).exit_code == 0
    assert rows(dsn, "SELECT extname FROM pg_extension ORDER BY 1") == [
        ("multicorn",),
        ("plpgsql",),
    ]


@pytest.mark.multicorn
def test_without_a_compiler_the_notice_says_so(
    new_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extension, "find_compiler", lambda bindir: None)
    monkeypatch.setattr(extension, "VERSION", "9.9")  # the server has no files of it
    dsn = new_database()
    output = installed(dsn)
    assert "Multicorn's own handler is in use (there is no C compiler on this machine)" in output
    assert rows(dsn, ASK) == [("infrastructure",)]
