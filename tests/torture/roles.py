"""What an analyst and a stranger try: nothing is written, shown or called that was not granted."""

from __future__ import annotations

import random
import time
from pathlib import Path

import psycopg
from ground import Ground
from tally import PLANTED, Db, Tally, ask

# None of these may succeed, for the reader or a role with nothing but LOGIN.
FORBIDDEN = """
INSERT INTO cloudtrail.cloudtrail_event (message) VALUES ('x')
DELETE FROM cloudtrail.cloudtrail_event
UPDATE cloudtrail.cloudtrail_event SET message = 'x'
TRUNCATE cloudtrail.cloudtrail_event
DROP FOREIGN TABLE cloudtrail.cloudtrail_event
DROP SERVER cloudtrail CASCADE
ALTER SERVER cloudtrail OPTIONS (ADD role_arn 'arn:aws:iam::123456789012:role/x')
ALTER SERVER cloudtrail OPTIONS (SET endpoint_url 'http://127.0.0.1:9')
CREATE SERVER mine FOREIGN DATA WRAPPER cloudtrail_fdw OPTIONS (wrapper 'cloudtrail_fdw.wrapper.CloudTrailFdw')
CREATE SERVER mine FOREIGN DATA WRAPPER multicorn OPTIONS (wrapper 'os.system')
CREATE FOREIGN TABLE mine (x text) SERVER cloudtrail OPTIONS (table_name 'cloudtrail_event')
CREATE FOREIGN TABLE pg_temp.mine (action text, pieces bigint) SERVER cloudtrail OPTIONS (table_name 'cloudtrail_fdw_cache_removal')
CREATE USER MAPPING FOR PUBLIC SERVER cloudtrail
CREATE USER MAPPING FOR CURRENT_USER SERVER cloudtrail OPTIONS (wrapper 'os.system')
CREATE USER MAPPING FOR planted SERVER cloudtrail
ALTER USER MAPPING FOR planted SERVER cloudtrail OPTIONS (SET ipstack_key 'x')
DROP USER MAPPING FOR planted SERVER cloudtrail
SELECT cloudtrail.cloudtrail_fdw_cache_clear()
SELECT * FROM cloudtrail.cloudtrail_fdw_cache_removal WHERE action = 'clear'
SELECT multicorn_validator(ARRAY['wrapper=os.system'], 'pg_foreign_server'::regclass)
SELECT cloudtrail.cloudtrail_fdw_validator(ARRAY['region=x'], 1417)
CREATE FUNCTION cloudtrail.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'
CREATE VIEW cloudtrail.mine AS SELECT 1
CREATE TABLE steampipe.mine (x int)
CREATE OPERATOR cloudtrail.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)
ALTER EXTENSION cloudtrail_fdw UPDATE
DROP EXTENSION cloudtrail_fdw CASCADE
ALTER FOREIGN DATA WRAPPER cloudtrail_fdw NO VALIDATOR
IMPORT FOREIGN SCHEMA cloudtrail FROM SERVER cloudtrail INTO public
ALTER ROLE planted PASSWORD 'x'
SET ROLE planted
SET ROLE postgres
SELECT pg_read_file('/etc/passwd')
COPY (SELECT 1) TO PROGRAM 'true'
LOAD 'multicorn'
CREATE FUNCTION public.load() RETURNS int LANGUAGE c AS 'multicorn', 'multicorn_handler'
""".strip().splitlines()
# These may answer, and must never show a secret.
ASKED = (
    "SELECT * FROM pg_catalog.pg_user_mappings",
    "SELECT srvoptions FROM pg_catalog.pg_foreign_server",
    "SELECT ftoptions FROM pg_catalog.pg_foreign_table",
    "SELECT fdwoptions FROM pg_catalog.pg_foreign_data_wrapper",
    "SELECT * FROM pg_catalog.pg_settings WHERE name LIKE 'cloudtrail%'",
    "SELECT * FROM cloudtrail.cloudtrail_fdw_stat",
    "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM cloudtrail.cloudtrail_event",
    "SELECT * FROM cloudtrail.ipstack_ip WHERE ip = '8.8.8.8'",
    "SELECT * FROM information_schema.user_mapping_options",
    "SELECT * FROM pg_catalog.pg_stat_activity",
    "SELECT rolpassword FROM pg_catalog.pg_roles",
    "SELECT prosrc FROM pg_catalog.pg_proc WHERE proname LIKE 'cloudtrail%'",
)
LONGER = ("SET cloudtrail_fdw.max_calls = 1", "SET search_path = pg_temp, public", "BEGIN", "ROLLBACK",
          "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "SET statement_timeout = '30s'",
          "SET default_transaction_read_only = off", "DISCARD ALL", "SET cloudtrail_fdw.cache = off")  # fmt: skip


def session(ground: Ground, role: str) -> Db:
    """A session of the reader, or of a stranger."""
    if role == "reader":
        return psycopg.connect(ground.sandbox.state["reader_dsn"], autocommit=True)
    dsn = ground.sandbox.state["dsn"]
    return psycopg.connect(dsn, user="stranger", password="stranger", autocommit=True)


def run(ground: Ground, seconds: float, chance: random.Random, most: int = 1 << 30) -> Tally:
    """Try statements in a random order, in sessions that are reopened now and then."""
    tally, until = Tally(), time.monotonic() + seconds
    with ground.session() as owner:
        owner.execute("DROP ROLE IF EXISTS stranger")
        owner.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
        owner.execute(
            "GRANT CREATE ON SCHEMA public TO PUBLIC"
        )  # as in a database of PostgreSQL 14
    while time.monotonic() < until and tally.tried < most:
        role = chance.choice(("reader", "stranger"))
        with session(ground, role) as db:
            for _ in range(30):
                if db.broken:
                    break
                statement = chance.choice(chance.choice((FORBIDDEN, FORBIDDEN, ASKED, LONGER)))
                found = ask(db, statement, tally)
                tally.tried += 1
                if statement in FORBIDDEN and found.error is None:
                    tally.note("wrong", f"{role} could: {statement}")
                elif found.error is None:
                    tally.exact += 1
                else:
                    tally.right_error += 1
    search_files(Path(ground.sandbox.state["dir"]), tally)
    return tally


def search_files(folder: Path, tally: Tally) -> None:
    """No planted secret lies in the cache or another file outside PostgreSQL's own data."""
    for path in folder.rglob("*"):
        inside = "data/base" in str(path) or "data/pg_wal" in str(path)
        if path.is_file() and not inside and PLANTED.encode() in path.read_bytes():
            tally.note("secrets", str(path))
