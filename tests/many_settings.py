"""One session under ever other settings: what it holds of memory, files and threads.

    python tests/many_settings.py [COUNT] [KIND OF SERVER]

prints a table for COUNT settings of each kind, 2,000 if not given.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from cloudtrail_fdw.sources.disk.data_files import ASN, GEOLOCATION, IP_RANGES, sample_path
from remote_server import KEY, Remote, serving
from scan_service import append
from servers import SHAPES, Db, Sandbox, start

WARM = 40  # settings after which whatever is bounded is full
NAMED = "SELECT count(*) FROM cloudtrail_event WHERE log_group_name = '{}'"
HELD = """
    SELECT substring(status from 'RssAnon:\\s+(\\d+)')::int, substring(status from
        'Threads:\\s+(\\d+)')::int, (SELECT count(*)::int FROM pg_ls_dir('/proc/self/fd'))
    FROM pg_read_file('/proc/self/status') AS status
"""
REPUTATION = "SELECT status FROM abuseipdb_check WHERE ip = '8.8.8.8'"
COLUMNS = ("event_name", "event_source", "aws_region", "username", "user_arn", "error_code",
           "event_id", "user_agent", "read_only", "request_parameters", "message")  # fmt: skip


@dataclass(frozen=True)
class Held:
    """Private memory in kB, threads and open files of a backend."""

    memory: int
    threads: int
    files: int


@dataclass(frozen=True)
class Session:
    """A superuser's session, whose user mapping may be changed, and what it can reach."""

    db: Db
    sandbox: Sandbox
    remote: Remote
    folder: Path

    def held(self) -> Held:
        row = self.db.execute(HELD.encode()).fetchone()
        assert row is not None
        return Held(*row)

    def ask(self, *statements: str) -> None:
        for statement in statements:
            self.db.execute(statement.encode())

    def server(self, **options: object) -> None:
        """Change options of the server, for the next statement of every session."""
        self.ask(*(f"SELECT pg_temp.set_option('{n}', '{value}')" for n, value in options.items()))

    def mapping(self, **options: object) -> None:
        changes = ", ".join(f"SET {name} '{value}'" for name, value in options.items())
        self.ask(f"ALTER USER MAPPING FOR CURRENT_USER SERVER cloudtrail OPTIONS ({changes})")


SET_OPTION = """
    CREATE FUNCTION pg_temp.set_option(name text, setting text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        EXECUTE format('ALTER SERVER cloudtrail OPTIONS (%s %I %L)', CASE WHEN EXISTS (
            SELECT FROM pg_foreign_server, pg_options_to_table(srvoptions)
            WHERE srvname = 'cloudtrail' AND option_name = name) THEN 'SET' ELSE 'ADD' END,
            name, setting);
    END $$
"""


def settings(session: Session, number: int) -> None:
    session.ask(f"SET cloudtrail_fdw.max_seconds = {number + 100}", NAMED.format("shapes"))


def groups(session: Session, number: int) -> None:
    append(session.sandbox, f"g{number}", ["{}"])
    session.ask(NAMED.format(f"g{number}"))


def regions(session: Session, number: int) -> None:
    arn = f"arn:aws:logs:r-{number}:111122223333:log-group:shapes"
    with suppress(psycopg.Error):  # the local AWS is in one Region
        session.ask(NAMED.format(arn))


def endpoints(session: Session, number: int) -> None:
    session.server(endpoint_url=f"{session.sandbox.state['aws_endpoint']}/{number}")
    session.ask(NAMED.format("shapes"), "SELECT count(*) FROM cloudtrail_trail")


def keys(session: Session, number: int) -> None:
    session.mapping(aws_access_key_id=f"AKIA{number}", aws_secret_access_key="x")
    session.ask("SELECT log_group_account_id FROM cloudtrail_event LIMIT 1")


def name_servers(session: Session, number: int) -> None:
    other = f"127.{number // 250 + 1}.0.{number % 250 + 1}"
    session.server(dns_servers=f"{session.sandbox.state['dns_server']},{other}")
    session.ask(f"SET cloudtrail_fdw.dns_timeout = '{number + 2000} ms'",
                "SELECT reverse_dns FROM ip_enrichment WHERE ip = '3.141.213.252'")  # fmt: skip


def data_files(session: Session, number: int) -> None:
    places = {"geo_database": GEOLOCATION, "asn_database": ASN, "ip_ranges": IP_RANGES}
    for name in places.values():
        (session.folder / f"{number}-{name}").symlink_to(session.folder / name)
    session.server(**{key: session.folder / f"{number}-{name}" for key, name in places.items()})
    session.ask("SELECT city, asn, aws_services FROM ip_enrichment WHERE ip = '8.8.8.8'")


def caches(session: Session, number: int) -> None:
    session.server(cache_directory=session.folder / f"cache-{number}")
    session.ask("SET cloudtrail_fdw.cache = on", NAMED.format("shapes"),
                "SELECT reverse_dns FROM ip_enrichment WHERE ip = '3.141.213.252'")  # fmt: skip
    session.mapping(abuseipdb_key=KEY)
    session.ask(REPUTATION)


def remote_keys(session: Session, number: int) -> None:
    session.mapping(abuseipdb_key=f"k{number}")
    with suppress(psycopg.Error):  # it knows one key
        session.ask(REPUTATION)


def columns(session: Session, number: int) -> None:
    chosen = [name for place, name in enumerate(COLUMNS) if number + 1 >> place & 1]
    session.ask(f"SELECT {', '.join(chosen)} FROM cloudtrail_event LIMIT 1")


def patterns(session: Session, number: int) -> None:
    named = f"SELECT count(*) FROM cloudtrail_event WHERE event_name = 'n{number}'"
    session.ask("SET cloudtrail_fdw.cache = on", named)


def tables(session: Session, number: int) -> None:
    session.ask("CREATE FOREIGN TABLE one (ip text, city text) SERVER cloudtrail"
                " OPTIONS (table_name 'ip_enrichment')",
                "SELECT city FROM one WHERE ip = '8.8.8.8'", "DROP FOREIGN TABLE one")  # fmt: skip


KINDS: tuple[Callable[[Session, int], None], ...] = (
    settings, groups, regions, endpoints, keys, name_servers, data_files, caches, remote_keys,
    columns, patterns, tables,
)  # fmt: skip


@contextmanager
def session(sandbox: Sandbox, remote: Remote, name: str) -> Iterator[Session]:
    """A new session, whose changes of the server end with it."""
    folder = Path(sandbox.state["dir"]) / "postgres" / "data" / f"many-{name}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    for file in (GEOLOCATION, ASN, IP_RANGES):
        shutil.copy(sample_path(file), folder / file)
    with sandbox.connect() as db:
        db.prepare_threshold = None
        found = Session(db, sandbox, remote, folder)
        before = db.execute("SELECT srvoptions FROM pg_foreign_server").fetchone()
        found.ask(SET_OPTION, "SET search_path = cloudtrail, public, pg_temp",
                  "SET cloudtrail_fdw.cache = off",
                  "CREATE USER MAPPING FOR CURRENT_USER SERVER cloudtrail OPTIONS ("
                  "aws_access_key_id 'a', aws_secret_access_key 'x',"
                  " abuseipdb_key 'k')")  # fmt: skip
        try:
            found.server(abuseipdb_url=remote.url)
            yield found
        finally:
            assert before is not None
            kept = dict(option.split("=", 1) for option in before[0])
            now = db.execute("SELECT srvoptions FROM pg_foreign_server").fetchone()
            assert now is not None
            for option in now[0]:
                name, _ = option.split("=", 1)
                change = f"SET {name} '{kept[name]}'" if name in kept else f"DROP {name}"
                found.ask(f"ALTER SERVER cloudtrail OPTIONS ({change})")
            found.ask("DROP USER MAPPING FOR CURRENT_USER SERVER cloudtrail")


def walk(
    sandbox: Sandbox, remote: Remote, change: Callable[[Session, int], None], count: int
) -> tuple[Held, Held]:
    """What a session holds after WARM settings of a kind, and after ``count`` more."""
    with session(sandbox, remote, change.__name__) as here:
        for number in range(WARM):
            change(here, number)
        before = here.held()
        for number in range(WARM, WARM + count):
            change(here, number)
        return before, here.held()


def say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def main(count: int = 2000, kind: str = "private") -> None:
    """Print what each kind of settings leaves behind."""
    say(f"| {count:,} settings | MB before | MB after | files | threads |", "| --- " * 5 + "|")
    with serving() as remote:
        started = start(kind, "many", "--events", str(SHAPES), "--log-group", "shapes")
        with closing(started):
            sandbox = next(started)
            for change in KINDS:
                before, after = walk(sandbox, remote, change, count)
                say(f"| {change.__name__.replace('_', ' ')} | {before.memory / 1000:.1f}"
                    f" | {after.memory / 1000:.1f} | {before.files} → {after.files}"
                    f" | {before.threads} → {after.threads} |")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:3])
