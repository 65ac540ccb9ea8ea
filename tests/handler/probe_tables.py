"""SQL that sets up the probe's tables: behind the handler, or behind Multicorn's own."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

TIME = "timestamp with time zone"
FACTS = 48
COLUMNS = {
    "id": "integer", "t": "text", "v": "character varying", "b": "boolean", "i": "inet",
    "c": "cidr", "ts": TIME, "d": "date", "u": "uuid", "j": "jsonb", "a": "text[]",
    "n": "numeric", "bp": "character(5)", "big": "bigint", "fl": "double precision",
    "ci": "citext", "nd": "text", "nm": "name", "seen": "text", "asked": "text",
}  # fmt: skip
KEY_TYPES = ("text", "inet", "uuid", "jsonb", "text[]", "timestamptz")
CLAUSES = {"nd": " COLLATE nondeterministic"}


def names(key_type: str) -> str:
    """keyed_text, keyed_textarray, ..."""
    return "keyed_" + key_type.replace("[]", "array")


def facts_columns() -> str:
    """The columns of facts as DDL."""
    return ", ".join(f"{name} {kind}{CLAUSES.get(name, '')}" for name, kind in COLUMNS.items())


def wrapper_sql(library: Optional[Path]) -> list[str]:
    """The foreign data wrapper; with no library, Multicorn's handler bare."""
    made = ["CREATE EXTENSION IF NOT EXISTS multicorn"]
    handler = "multicorn_handler"
    if library is not None:
        handler = "cloudtrail_fdw_handler"
        made.append(
            "CREATE FUNCTION cloudtrail_fdw_handler() RETURNS fdw_handler "
            f"LANGUAGE c STRICT AS '{library.with_suffix('')}', 'cloudtrail_fdw_handler'"
        )
    return [*made, f"CREATE FOREIGN DATA WRAPPER probe HANDLER {handler}"]


def table_sql() -> list[str]:
    """Server, foreign tables, and local copies to compare with."""
    made = [
        "CREATE EXTENSION citext",
        # a server that was built without ICU has no such collation
        "DO $$BEGIN CREATE COLLATION nondeterministic (provider = icu, locale = 'und-u-ks-level2',"
        " deterministic = false); EXCEPTION WHEN feature_not_supported THEN"
        " CREATE COLLATION nondeterministic (locale = 'C'); END$$",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine.same(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT "
        "AS 'BEGIN RETURN lower($1) = lower($2); END'",
        "CREATE OPERATOR mine.= (LEFTARG = text, RIGHTARG = text, FUNCTION = mine.same)",
        "CREATE SERVER probe FOREIGN DATA WRAPPER probe OPTIONS (wrapper 'probe_fdw.ProbeFdw')",
        f"CREATE FOREIGN TABLE facts ({facts_columns()}) SERVER probe OPTIONS (table_name 'facts')",
        f"CREATE TABLE facts_local ({facts_columns()})",
        "INSERT INTO facts_local SELECT * FROM facts",
        f"DO $$BEGIN ASSERT (SELECT count(*) = {FACTS} FROM facts_local); END$$",
        "CREATE FOREIGN TABLE slow (x int, threads text) SERVER probe OPTIONS (table_name 'slow')",
        "CREATE FOREIGN TABLE broken (x int) SERVER probe OPTIONS (table_name 'broken')",
        "CREATE FOREIGN TABLE failing (x int, y text) SERVER probe OPTIONS (table_name 'failing')",
        "CREATE FOREIGN TABLE wide (a text, b text, c text, d text, e text, f text) "
        "SERVER probe OPTIONS (table_name 'wide')",
        "CREATE TABLE cases (id int, txt text, vc varchar, nm name, bp char(12), ci citext, "
        "addr inet, net cidr, uid uuid, js jsonb, arr text[], at timestamptz, ats timestamp, "
        "day date, flag boolean, num int)",
        """INSERT INTO cases SELECT n,
            CASE WHEN n % 7 <> 0
                THEN (ARRAY['alpha', 'beta', '10.0.0.1', '10.0.1.1'])[n % 4 + 1] END,
            'alpha', 'alpha', (ARRAY['alpha', 'beta'])[n % 2 + 1], 'ALPHA',
            ('10.0.' || n % 4 || '.' || n % 7)::inet, ('10.' || n % 4 || '.0.0/16')::cidr,
            ('00000000-0000-0000-0000-' || lpad((n % 6)::text, 12, '0'))::uuid,
            jsonb_build_object('n', n % 5), ARRAY['a', (n % 3)::text],
            timestamptz '2024-01-03 00:00:00.12+00' + n * interval '6 hours',
            timestamp '2024-01-03' + n * interval '6 hours', date '2024-01-02' + n % 9,
            n % 2 = 0, n
        FROM generate_series(0, 19) AS n""",
        "ANALYZE cases",
    ]
    sources = {
        "text": "txt vc nm::text bp::text ci::text host(addr)", "inet": "addr net::inet",
        "uuid": "uid", "jsonb": "js", "text[]": "arr",
        "timestamptz": "at ats::timestamptz day::timestamptz",
    }  # fmt: skip
    for kind, columns in sources.items():
        name = names(kind)
        made += [
            f"CREATE FOREIGN TABLE {name} (k {kind}, label text) SERVER probe "
            "OPTIONS (table_name 'keyed')",
            f"CREATE TABLE {name}_local AS SELECT DISTINCT k, NULL::text AS label FROM cases, "
            f"LATERAL (VALUES {', '.join(f'({c})' for c in columns.split())}) AS v (k) "
            "WHERE k IS NOT NULL",
        ]
    made.append(
        "INSERT INTO keyed_inet_local SELECT DISTINCT i FROM facts_local "
        "WHERE i NOT IN (SELECT k FROM keyed_inet_local)"
    )
    return made
