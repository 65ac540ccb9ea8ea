"""What the parts stand on: a sandbox with the sample's events, planted secrets, and copies of all."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from tally import PATIENCE, PLANTED, Db

from servers import Sandbox, start

COPIED = {  # in this order; {} is read from the tables, and from the copies before it
    "event": "SELECT * FROM cloudtrail_event",
    "history": "SELECT * FROM cloudtrail_event_history",
    "trail": "SELECT * FROM cloudtrail_trail",
    "log_group": "SELECT * FROM cloudwatch_log_group",
    "origin": "SELECT * FROM cloudtrail_event_origin",
    "sign_in": "SELECT * FROM cloudtrail_sign_in",
    "vpc_change": "SELECT * FROM cloudtrail_vpc_change",
    "rule": "SELECT * FROM cloudtrail_security_group_rule",
    "single": "SELECT * FROM cloudtrail_event_distinct",
    "ip": "SELECT i.* FROM addresses a JOIN ip_enrichment i ON i.ip = a.ip",
    "abuse": "SELECT i.* FROM addresses a JOIN abuseipdb_check i ON i.ip = a.ip",
    "shodan": "SELECT i.* FROM addresses a JOIN cloudtrail.shodan_host i ON i.ip = a.ip",
}
OURS = {
    "event": "cloudtrail_event", "history": "cloudtrail_event_history",
    "trail": "cloudtrail_trail", "log_group": "cloudwatch_log_group",
    "origin": "cloudtrail_event_origin", "sign_in": "cloudtrail_sign_in",
    "vpc_change": "cloudtrail_vpc_change", "rule": "cloudtrail_security_group_rule",
    "single": "cloudtrail_event_distinct", "ip": "ip_enrichment", "abuse": "abuseipdb_check",
    "shodan": "cloudtrail.shodan_host",
}  # fmt: skip
WATCHED = ("203.0.113.9", "198.51.100.7", "AWS Internal", "no address", "2001:db8::1")


@dataclass(frozen=True)
class Ground:
    """A sandbox whose tables have copies named ``copy_…`` in schema public."""

    sandbox: Sandbox

    @contextmanager
    def session(self, dsn: str = "dsn") -> Iterator[Db]:
        """A new session whose statements end after PATIENCE."""
        with psycopg.connect(self.sandbox.state[dsn], autocommit=True) as db:
            db.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'")
            db.execute("SET cloudtrail_fdw.network_enrichment = off")
            yield db

    @property
    def log(self) -> Path:
        """The server's log."""
        return Path(self.sandbox.state["dir"]) / "postgres" / "postgresql.log"

    @property
    def has_workers(self) -> bool:
        """Whether Python runs in processes beside the backends."""
        with self.session() as db:
            return db.execute("SELECT fdwhandler::regproc::text LIKE '%worker%'"
                              " FROM pg_foreign_data_wrapper WHERE fdwname = 'cloudtrail_fdw'"
                              ).fetchone() == (True,)  # fmt: skip

    def fault(self, name: str, on: bool, action: str = "") -> None:
        """Switch a fault of the local AWS."""
        only = f"&action={action}" if action else ""
        post(self.sandbox, f"fault?name={name}&on={int(on)}{only}")


def post(sandbox: Sandbox, call: str, body: bytes = b"") -> Any:
    """One call of the local AWS's control."""
    url = f"{sandbox.state['aws_endpoint']}/_sandbox/{call}"
    with urllib.request.urlopen(url, body) as answered:
        return json.load(answered)


def grounds(kind: str, name: str, *arguments: str) -> Iterator[Ground]:
    """A sandbox with copies, stopped afterwards."""
    for sandbox in start(kind, name, *arguments):
        ground = Ground(sandbox)
        with ground.session() as db:
            plant(db)
            copy_all(db)
        yield ground


def plant(db: Db) -> None:
    """Secrets in a user mapping that none of the queries needs."""
    db.execute("CREATE ROLE planted LOGIN PASSWORD 'planted'")
    db.execute(
        "CREATE USER MAPPING FOR planted SERVER cloudtrail OPTIONS (ipstack_key "
        f"'{PLANTED}1', abuseipdb_key '{PLANTED}2', shodan_key '{PLANTED}3')".encode()
    )


def copy_all(db: Db) -> None:
    """Copies of everything; the keyed tables for all addresses that there are."""
    for name, query in COPIED.items():
        if name == "ip":
            values = ", ".join(f"('{ip}')" for ip in WATCHED)
            db.execute(
                "CREATE TABLE public.addresses AS SELECT DISTINCT source_ip_address AS ip"
                " FROM public.copy_event WHERE source_ip_address IS NOT NULL"
                f" UNION SELECT * FROM (VALUES {values}) v".encode()
            )
        db.execute(f"CREATE TABLE public.copy_{name} AS {query}".encode())
    db.execute(
        "CREATE TABLE public.people AS SELECT DISTINCT username, user_arn, access_key_id,"
        " source_ip_address AS ip, event_name FROM public.copy_event ORDER BY 1, 2, 3, 4, 5 LIMIT 40"
    )
    db.execute("ANALYZE")


def placed(query: str, ours: bool) -> str:
    """The query on our tables or on their copies; ``{event}`` and the like stand for either."""
    for name, table in OURS.items():
        query = query.replace(f"{{{name}}}", table if ours else f"public.copy_{name}")
    return query
