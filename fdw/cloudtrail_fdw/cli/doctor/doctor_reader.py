"""The doctor's look at the roles that read: whether they find the tables by their names."""

from __future__ import annotations

from collections.abc import Iterator

from cloudtrail_fdw.cli.database import Connection
from cloudtrail_fdw.cli.doctor.doctor_strangers import check_path
from cloudtrail_fdw.cli.doctor.finding import Finding

# The setting that counts stands on the role in the database, the role, or the database.
READERS = """
    SELECT r.rolname, pg_catalog.current_database(), coalesce(
        (SELECT pg_catalog.substr(entry, pg_catalog.strpos(entry, '=') + 1)
         FROM pg_catalog.pg_db_role_setting s
         CROSS JOIN pg_catalog.unnest(s.setconfig) AS config (entry)
         WHERE s.setrole IN (r.oid, 0)
             AND s.setdatabase IN (
                 0, (SELECT oid FROM pg_catalog.pg_database
                     WHERE datname = pg_catalog.current_database()))
             AND entry LIKE 'search\\_path=%%'
         ORDER BY s.setrole = 0, s.setdatabase = 0 LIMIT 1),
        (SELECT boot_val FROM pg_catalog.pg_settings WHERE name = 'search_path'))
    FROM pg_catalog.pg_class c
    CROSS JOIN pg_catalog.aclexplode(c.relacl) AS granted
    JOIN pg_catalog.pg_roles r ON r.oid = granted.grantee
    WHERE c.relnamespace = pg_catalog.quote_ident(%s)::regnamespace
        AND c.relname = 'cloudtrail_event' AND granted.privilege_type = 'SELECT'
        AND r.oid <> c.relowner AND r.rolcanlogin
    ORDER BY r.rolname
"""


def check_readers(connection: Connection, schema: str) -> Iterator[Finding]:
    """One finding for each role that may read and log in; a warning where there is none."""
    found = connection.execute(READERS.encode(), (schema,)).fetchall()
    if not found:
        yield Finding("warn", "no role but the owner may read the tables; GRANT SELECT to one")
    for role, database, path in found:
        names = [part.strip().strip('"').replace('""', '"') for part in path.split(",")]
        if schema in names:
            yield Finding("ok", f"role {role} finds the tables by its search_path")
        else:
            yield Finding(
                "warn",
                f'role {role} must write "{schema}". before the names of tables; or: ALTER ROLE '
                f'"{role}" IN DATABASE "{database}" SET search_path = "{schema}", public',
            )
        yield from check_path(connection, role, names, schema)
