"""Whose the objects are that install replaces or calls, and that checks find by their names.

Whoever owns a function, or may create one where names are looked up, has the rights of everybody
who calls it. Trusted are superusers and the session's own role, nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudtrail_fdw.cli.database import Connection
from cloudtrail_fdw.errors import FdwError

# Roles by oid. The owner of the schema public is pg_database_owner from PostgreSQL 15 on, whose
# only member is the owner of the database.
TRUSTED = """
    trusted AS (
        SELECT r.oid
        FROM pg_catalog.pg_roles r
        WHERE r.rolsuper OR r.rolname = CURRENT_USER
        UNION ALL
        SELECT o.oid
        FROM pg_catalog.pg_roles o
        JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
        JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
        WHERE o.rolname = 'pg_database_owner' AND (r.rolsuper OR r.rolname = CURRENT_USER)
    )
"""
# Whatever is found by its name: by class, oid, schema, owner and name.
NAMED = """
    SELECT 'pg_catalog.pg_proc'::regclass AS class, oid, pronamespace AS home, proowner AS owner,
        proname AS name
    FROM pg_catalog.pg_proc
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::regclass, oid, oprnamespace, oprowner, oprname
    FROM pg_catalog.pg_operator
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, oid, relnamespace, relowner, relname
    FROM pg_catalog.pg_class
    UNION ALL
    SELECT 'pg_catalog.pg_type'::regclass, oid, typnamespace, typowner, typname
    FROM pg_catalog.pg_type
    UNION ALL
    SELECT 'pg_catalog.pg_collation'::regclass, oid, collnamespace, collowner, collname
    FROM pg_catalog.pg_collation
"""
IN_SCHEMAS = f"""
    SELECT 'pg_catalog.pg_namespace'::regclass AS class, n.oid, n.nspowner AS owner
    FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY (%(schemas)s)
    UNION ALL
    SELECT o.class, o.oid, o.owner
    FROM ({NAMED}) o
    JOIN pg_catalog.pg_namespace n ON n.oid = o.home
    WHERE n.nspname = ANY (%(schemas)s)
"""  # noqa: S608 no text of others
# The names of PostgreSQL's or of ours, once more in another schema.
SHADOWS = f"""
    SELECT o.class, o.oid, o.owner
    FROM ({NAMED}) o
    JOIN pg_catalog.pg_namespace n ON n.oid = o.home
    WHERE n.nspname = ANY (%(schemas)s) AND (o.class, o.name) IN (
        SELECT o.class, o.name
        FROM ({NAMED}) o
        JOIN pg_catalog.pg_namespace n ON n.oid = o.home
        WHERE n.nspname IN ('pg_catalog', 'steampipe', %(ours)s)
    )
"""  # noqa: S608
# What stands in no schema of ours: the extensions and their functions, the wrapper, the server,
# and foreign tables that empty the cache, which only a superuser may make.
ELSEWHERE = """
    SELECT 'pg_catalog.pg_extension'::regclass AS class, oid, extowner AS owner
    FROM pg_catalog.pg_extension WHERE extname IN ('multicorn', 'cloudtrail_fdw')
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::regclass, p.oid, p.proowner
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
        AND d.classid = 'pg_catalog.pg_proc'::regclass
    JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE e.extname = 'multicorn'
    UNION ALL
    SELECT 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid, fdwowner
    FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwname = 'cloudtrail_fdw'
    UNION ALL
    SELECT 'pg_catalog.pg_foreign_server'::regclass, oid, srvowner
    FROM pg_catalog.pg_foreign_server WHERE srvname = 'cloudtrail'
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass, c.oid, c.relowner
    FROM pg_catalog.pg_foreign_table t
    JOIN pg_catalog.pg_foreign_server s ON s.oid = t.ftserver AND s.srvname = 'cloudtrail'
    JOIN pg_catalog.pg_class c ON c.oid = t.ftrelid
    WHERE 'table_name=cloudtrail_fdw_cache_removal' = ANY (t.ftoptions)
"""
OWNED = """
    WITH {trusted}
    SELECT named.type,
        CASE named.type
            WHEN 'function' THEN object.oid::regprocedure::text
            WHEN 'operator' THEN object.oid::regoperator::text
            ELSE named.identity
        END,
        pg_catalog.pg_get_userbyid(object.owner)
    FROM ({objects}) object
    CROSS JOIN LATERAL pg_catalog.pg_identify_object(object.class, object.oid, 0) named
    WHERE object.owner NOT IN (SELECT oid FROM trusted)
    ORDER BY named.type <> 'schema', object.class = 'pg_catalog.pg_type'::regclass, named.identity
    LIMIT 1
"""
CREATORS = """
    WITH {trusted}
    SELECT n.nspname, r.rolname
    FROM pg_catalog.pg_namespace n
    CROSS JOIN pg_catalog.aclexplode(
        coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
    ) AS granted
    LEFT JOIN pg_catalog.pg_roles r ON r.oid = granted.grantee
    WHERE n.nspname = ANY (%(schemas)s) AND granted.privilege_type = 'CREATE'
        AND granted.grantee NOT IN (SELECT oid FROM trusted)
    ORDER BY 1, 2
    LIMIT 1
"""


def strangers(connection: Connection, schemas: Sequence[str]) -> list[FdwError]:
    """One error of each kind, none where all is trusted; ``schemas`` exist or not.

    The session's search_path must be that of database.connect().
    """
    found = (
        *owned(connection, IN_SCHEMAS, schemas=list(schemas)),
        *owned(connection, ELSEWHERE),
        *creators(connection, schemas),
    )
    return list(found)


def shadows(connection: Connection, schema: str, ours: str) -> Iterator[FdwError]:
    """What a stranger made, or could make, in ``schema`` to be taken for PostgreSQL's or ours.

    ``ours`` is the schema of the tables.
    """
    yield from owned(connection, SHADOWS, schemas=[schema], ours=ours)
    yield from creators(connection, [schema])


def owned(connection: Connection, objects: str, **names: object) -> Iterator[FdwError]:
    """The first of the objects that is a stranger's."""
    query = OWNED.format(trusted=TRUSTED, objects=objects)
    for kind, name, role in connection.execute(query.encode(), names):
        yield FdwError(
            f'{kind} {name} belongs to role "{role}", which is no superuser',
            hint="Look at what it is, then drop it, rename it, or give it to a superuser "
            "(ALTER … OWNER TO …).",
            sqlstate="42501",
        )


def creators(connection: Connection, schemas: Sequence[str]) -> Iterator[FdwError]:
    """The first role that may create objects in one of the schemas and is a stranger."""
    query = CREATORS.format(trusted=TRUSTED)
    for schema, role in connection.execute(query.encode(), {"schemas": list(schemas)}):
        message = f'role "{role}"' if role else "every role"
        grantee = f'"{role}"' if role else "PUBLIC"
        yield FdwError(
            f'{message} may create objects in schema "{schema}"',
            hint=f'Look at what is in it, then: REVOKE CREATE ON SCHEMA "{schema}" FROM {grantee};',
            sqlstate="42501",
        )


def check_owners(connection: Connection, schemas: Sequence[str]) -> None:
    """Raise FdwError unless all that is in the schemas, or ours elsewhere, is a trusted role's."""
    for error in strangers(connection, schemas):
        raise error
