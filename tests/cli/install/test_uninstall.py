"""uninstall on a real server."""

from __future__ import annotations

from typing import Any

from databases import execute, installed, rows, run


def test_uninstall_names_dependents_and_drops_them_only_when_told(
    sample: Any, new_database: Any
) -> None:
    dsn = new_database()
    installed(dsn)
    execute(
        dsn,
        "CREATE VIEW public.logins AS SELECT * FROM cloudtrail.cloudtrail_event",
        "CREATE VIEW public.addresses AS SELECT cloudtrail.try_inet('::1')",
        "CREATE USER MAPPING FOR PUBLIC SERVER cloudtrail",
    )
    result = run("uninstall", dsn)
    assert result.exit_code == 1
    for name in ("view public.logins", "view public.addresses", "user mapping for public"):
        assert name in result.output
    assert rows(dsn, "SELECT count(*) FROM pg_views WHERE schemaname = 'public'") == [(2,)]

    result = run("uninstall", dsn, "--cascade")
    assert result.exit_code == 0, result.output
    assert "Dropped view public.logins" in result.output
    left = "SELECT nspname FROM pg_namespace WHERE nspname IN ('cloudtrail', 'steampipe')"
    assert rows(dsn, left) == []
    assert rows(dsn, "SELECT 1 FROM pg_foreign_data_wrapper WHERE fdwname = 'cloudtrail_fdw'") == []
    left = rows(dsn, "SELECT extname FROM pg_extension WHERE extname = 'multicorn'")
    assert bool(left) == sample.multicorn == ("the extension multicorn stay" in result.output)
    assert rows(dsn, "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d "
                "ON d.oid = s.setdatabase WHERE datname = current_database()") == []  # fmt: skip

    result = run("uninstall", dsn)
    assert result.exit_code == 1
    assert "not installed" in result.output
    installed(dsn)


def test_uninstall_keeps_a_schema_with_other_objects(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    execute(dsn, "CREATE TABLE cloudtrail.notes (x text)")
    result = run("uninstall", dsn)
    assert result.exit_code == 0
    assert "holds other objects and stays" in result.output
    assert rows(dsn, "SELECT relname FROM pg_class WHERE relnamespace = 'cloudtrail'::regnamespace "
                "AND relkind = 'r'") == [("notes",)]  # fmt: skip
