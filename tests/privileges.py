"""Who may do what: roles, attempts, and the table of docs/security.md that is made of them.

Every role here may also create objects in the schema public, as in each database that PostgreSQL 14
or older made.
"""

from __future__ import annotations

from typing import NamedTuple

WRAPPER = "wrapper 'cloudtrail_fdw.wrapper.CloudTrailFdw'"
# letter: (name, what it is, how it is made)
ROLES = {
    "S": ("test_admin", "a superuser", "SUPERUSER"),
    "D": ("test_owner", "the owner of the database", ""),
    "R": ("test_reader", "the role `cloudtrail_reader`", ""),
    "M": ("test_member", "a member of it", ""),
    "U": ("test_usage", "a role with USAGE on the server", ""),
    "C": ("test_create", "a role with CREATE on the database", ""),
    "L": ("test_login", "a role that may only log in", ""),
}
# Run by the installing superuser once the product is there; OWNER is the database.
GRANTS = """
    GRANT CREATE ON SCHEMA public TO PUBLIC;
    GRANT test_reader TO test_member;
    GRANT USAGE ON FOREIGN SERVER cloudtrail TO test_usage;
    CREATE USER MAPPING FOR test_member SERVER cloudtrail
        OPTIONS (aws_access_key_id 'AKIDMEMBER', aws_secret_access_key 'hunter2');
    INSERT INTO cloudtrail.cloudtrail_check_run
        (name, delivered_until, finished_by, checks, findings)
        VALUES ('of the reader', '2026-01-01Z', 'test_reader', 1, 0),
               ('of an admin', '2026-01-01Z', 'test_admin', 1, 0)
"""
MOVE = """
    INSERT INTO cloudtrail.cloudtrail_check_run (name, delivered_until, checks, findings)
    VALUES ('{}', {}, 1, 0)
    ON CONFLICT (name) DO UPDATE SET delivered_until = EXCLUDED.delivered_until,
        finished_by = EXCLUDED.finished_by
"""


class Attempt(NamedTuple):
    """What is tried, in words and as statements, and the letters of the roles that may.

    All others are refused with ``refusal``, an SQLSTATE, or as many of them as stand there.
    """

    what: str
    sql: str
    may: str
    refusal: str = "42501"


def read(relation: str, more: str = "") -> str:
    return f"SELECT 1 FROM {relation} {more} LIMIT 1"


def mapping(options: str, role: str = "CURRENT_USER") -> str:
    return f"CREATE USER MAPPING FOR {role} SERVER cloudtrail OPTIONS ({options})"


def table(options: str) -> str:
    return f"CREATE FOREIGN TABLE public.t (event_id text) SERVER cloudtrail OPTIONS ({options})"


# The schemas and what is in them
OBJECTS = (
    Attempt("create anything in the schema `cloudtrail`", "CREATE TABLE cloudtrail.x ()", "S"),
    Attempt("create anything in the schema `steampipe`", "CREATE TABLE steampipe.x ()", "S"),
    Attempt("read events", read("cloudtrail.cloudtrail_event"), "SRM"),
    Attempt("read a view of them", read("cloudtrail.cloudtrail_sign_in"), "SRM"),
    Attempt("read Steampipe's names", read("steampipe.aws_cloudtrail_trail_event"), "SRM"),
    Attempt("ask for an address", read("cloudtrail.ip_enrichment", "WHERE ip = '10.0.0.1'"), "SRM"),
    Attempt("see what the cache holds", read("cloudtrail.cloudtrail_fdw_cache"), "SRM"),
    Attempt("empty the cache", "SELECT cloudtrail.cloudtrail_fdw_cache_clear()", "S"),
    Attempt(
        "empty it without the function",
        read("cloudtrail.cloudtrail_fdw_cache_removal", "WHERE action = 'clear'"),
        "S",
    ),
    Attempt("call functions such as `try_inet()`", "SELECT cloudtrail.try_inet('x')", "SRM"),
    Attempt(
        "replace one",
        "CREATE OR REPLACE FUNCTION cloudtrail.try_inet(value text) RETURNS inet "
        "LANGUAGE sql AS 'SELECT NULL::inet'",
        "S",
    ),
    Attempt("change a function", "ALTER FUNCTION cloudtrail.check_since() STRICT", "S"),
    Attempt("drop a view", "DROP VIEW cloudtrail.cloudtrail_event_geo", "S"),
    Attempt("drop a schema", "DROP SCHEMA steampipe CASCADE", "S"),
    Attempt(
        "change a table",
        "ALTER FOREIGN TABLE cloudtrail.cloudtrail_event OPTIONS (ADD log_group 'other')",
        "S",
    ),
    Attempt("drop the extension", "DROP EXTENSION cloudtrail_fdw CASCADE", "S"),
    Attempt("call our validator", "SELECT cloudtrail.cloudtrail_fdw_validator('{}', 3000)", "S"),
    Attempt(
        "call Multicorn's validator, which imports a module",
        "SELECT public.multicorn_validator("
        "ARRAY['wrapper=cloudtrail_fdw.wrapper.CloudTrailFdw'], 1417)",
        "S",
    ),
)
# The server: wrapper, server, mappings, tables of one's own
SERVER = (
    Attempt("make a wrapper", "CREATE FOREIGN DATA WRAPPER w", "S"),
    Attempt(
        "make a server of the wrapper",
        f"CREATE SERVER s FOREIGN DATA WRAPPER cloudtrail_fdw OPTIONS ({WRAPPER})",
        "S",
    ),
    Attempt("change the server", "ALTER SERVER cloudtrail OPTIONS (ADD profile 'x')", "S"),
    Attempt("take the server away", "DROP SERVER cloudtrail CASCADE", "S"),
    Attempt(
        "give USAGE on it",
        "GRANT USAGE ON FOREIGN SERVER cloudtrail TO test_login; "
        "SELECT 1 / pg_catalog.has_server_privilege('test_login', 'cloudtrail', 'USAGE')::int",
        "S",
        "42501 22012",
    ),
    Attempt(
        "see the server's options",
        "SELECT 1 / count(srvoptions) FROM pg_catalog.pg_foreign_server",
        "SDRMUCL",
    ),
    Attempt(
        "make a foreign table of one's own, over any log group",
        table("table_name 'cloudtrail_event', log_group 'other'"),
        "SU",
    ),
    Attempt(
        "make one that empties the cache", table("table_name 'cloudtrail_fdw_cache_removal'"), "S"
    ),
    Attempt(
        "make one so out of another",
        table("table_name 'cloudtrail_event'")
        + "; ALTER FOREIGN TABLE public.t OPTIONS (SET table_name 'cloudtrail_fdw_cache_removal')",
        "S",
    ),
    Attempt(
        "import the tables",
        "IMPORT FOREIGN SCHEMA cloudtrail FROM SERVER cloudtrail INTO public",
        "SU",
    ),
    Attempt(
        "import the one that empties the cache",
        "IMPORT FOREIGN SCHEMA cloudtrail LIMIT TO (cloudtrail_fdw_cache_removal) "
        "FROM SERVER cloudtrail INTO public",
        "S",
    ),
    Attempt(
        "use keys of one's own",
        mapping("aws_access_key_id 'AKID', aws_secret_access_key 'x'"),
        "SU",
    ),
    Attempt("put keys in for others", mapping("aws_access_key_id 'AKID'", "test_reader"), "S"),
    Attempt("put keys in for everybody", mapping("aws_access_key_id 'AKID'", "PUBLIC"), "S"),
    Attempt(
        "see the keys of another role",
        "SELECT 1 / count(umoptions) FROM pg_user_mappings WHERE usename = 'test_member'",
        "S",
        "22012",
    ),
    Attempt(
        "load another Python class by a mapping", mapping("wrapper 'os.system'"), "", "42501 HV00D"
    ),
    Attempt(
        "load another Python class by a table",
        table("table_name 'cloudtrail_event', wrapper 'os.system'"),
        "",
        "42501 HV00D",
    ),
    Attempt(
        "load another Python class by the server",
        "ALTER SERVER cloudtrail OPTIONS (SET wrapper 'os.system')",
        "",
        "42501 HV024",
    ),
    Attempt(
        "put a secret where all can read it",
        "ALTER SERVER cloudtrail OPTIONS (ADD aws_secret_access_key 'x')",
        "",
        "42501 HV00D",
    ),
)
# What checks keep
CHECKS = (
    Attempt("call `check_since()`", "SELECT cloudtrail.check_since()", "SRM"),
    Attempt("read watermarks", read("cloudtrail.cloudtrail_check_run"), "SRM"),
    Attempt("make a watermark", MOVE.format("new", "now()"), "SRM"),
    Attempt("make one that lies in the future", MOVE.format("new", "now() + '1 hour'"), "S"),
    Attempt(
        "move one's own", MOVE.format("new", "now()") + ";" + MOVE.format("new", "now()"), "SRM"
    ),
    Attempt("move the reader's", MOVE.format("of the reader", "now()"), "SR"),
    Attempt("move an admin's", MOVE.format("of an admin", "now()"), "S"),
    Attempt(
        "make one in the name of another role",
        "INSERT INTO cloudtrail.cloudtrail_check_run "
        "VALUES ('x', now(), now(), 'test_login', 1, 0)",
        "S",
    ),
    Attempt("delete one", "DELETE FROM cloudtrail.cloudtrail_check_run", "S"),
    Attempt("read suppressions", read("cloudtrail.cloudtrail_check_suppression"), "SRM"),
    Attempt(
        "suppress findings",
        "INSERT INTO cloudtrail.cloudtrail_check_suppression (check_id, reason, expires) "
        "VALUES ('x', 'x', '2027-01-01')",
        "S",
    ),
    Attempt("act as the reader", "SET ROLE test_reader", "SRM"),
)
ATTEMPTS = (*OBJECTS, *SERVER, *CHECKS)


def page() -> str:
    """The table of docs/security.md."""
    heads = [*ROLES]
    legend = "; ".join(f"{letter}: {what}" for letter, (_, what, _) in ROLES.items())
    lines = [
        f"{legend}. Each may also create in `public`.\n",
        "| attempt | " + " | ".join(heads) + " |",
        "| --- |" + " --- |" * len(heads),
    ]
    for attempt in ATTEMPTS:
        cells = ["yes" if letter in attempt.may else "no" for letter in heads]
        lines.append(f"| {attempt.what} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
