"""What queries cost on our own host and on Multicorn2, on one PostgreSQL: a Markdown table.

    python bench/hosts.py [--version 15] [--quick]

Two sandboxes with the same events run the same queries in turn. Medians of 7 runs and their range:
processor time of the backend, and of the worker beside it where there is one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import psycopg
from before_after import CHECKOUT, ROUNDS, sandbox, shown
from enrichment_join import EVENTS, JOINED
from rig import FOLDER, SIX, WEEK, Db, cpu_seconds, event_file, select

from cloudtrail_fdw.sandbox import runtime

KEYS = 2000
EDGE = "WHERE event_time >= '2026-11-19 23:30+00' AND event_time < '2026-11-20 00:00+00'"


def processes(backend: int) -> list[int]:
    """A backend and what it has started."""
    found = [backend]
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"\nPPid:\t{backend}\n" in status.read_text("ascii", "replace"):
                found.append(int(status.parent.name))
        except OSError:
            continue
    return found


def spent(backend: int) -> float:
    """Seconds of the processor that these have had."""
    return sum(map(cpu_seconds, processes(backend)))


def cost(db: Db, work: Callable[[], object]) -> float:
    """What some work in a session costs."""
    before = spent(db.info.backend_pid)
    work()
    return spent(db.info.backend_pid) - before


def session(dsn: str, cache: str) -> Db:
    """A new session."""
    db = psycopg.connect(dsn, autocommit=True)
    db.prepare_threshold = None
    db.execute(f"SET cloudtrail_fdw.cache = '{cache}'")
    return db


def warm(query: str, cache: str) -> Callable[[str], float]:
    """A query that its session has run once."""

    def measure(dsn: str) -> float:
        with session(dsn, cache) as db:
            db.execute(query).fetchall()
            return cost(db, lambda: db.execute(query).fetchall())

    return measure


def first(dsn: str) -> float:
    """The first query of a session, from the cache."""
    with session(dsn, "on") as db:
        return cost(db, lambda: db.execute(select(SIX, EDGE)).fetchall())


def keyed(dsn: str) -> float:
    """One of many look-ups, each a statement with an address of its own."""
    with session(dsn, "on") as db:
        query = "SELECT city FROM ip_enrichment WHERE ip = '9.{}.{}.4'"
        db.execute(query.format(255, 1))

        def work() -> None:
            for number in range(KEYS):
                db.execute(query.format(number % 250, number // 250)).fetchall()

        return cost(db, work) / KEYS


def joined(dsn: str) -> float:
    """A join of events with an address each, which the session has read."""
    with session(dsn, "on") as db:
        db.execute(EVENTS)
        db.execute("SELECT city FROM ip_enrichment WHERE ip = '9.9.9.9'")
        return cost(db, lambda: db.execute(JOINED).fetchall())


USUAL = (
    ("six columns, cache off", warm(select(SIX), "off"), 1.10),
    ("six columns, warm cache", warm(select(SIX), "on"), 1.05),
    ("first query of a session, warm cache", first, 0.3),
    ("one keyed SELECT", keyed, 1.7),
)
DISTINCT = (("join of as many distinct addresses", joined, 1.1),)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", type=int, default=15)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    runtime.make_readable(FOLDER)
    count = WEEK // 10 if given.quick else WEEK
    print(
        f"| {count:,} events, PostgreSQL {given.version} | Multicorn2 | own host | ratio | target |"
    )
    print("| --- | --- | --- | --- | --- |")
    for more, works in (((), USUAL), (("--distinct",), DISTINCT)):
        events = event_file(count, 7.0, *more)
        with ExitStack() as stack:
            dsns = [
                stack.enter_context(sandbox(CHECKOUT, events, server, server))
                for server in (f"pg{given.version}", f"pg{given.version}-worker")
            ]
            for dsn in dsns:
                warm(select(SIX), "on")(dsn)
            for what, measure, target in works:
                runs = [[measure(dsn) for dsn in dsns] for _ in range(ROUNDS)]
                theirs, ours = map(list, zip(*runs))
                ratio = median(ours) / median(theirs)
                print(f"| {what} | {shown(theirs)} | {shown(ours)} | {ratio:.2f} | ≤ {target} |",
                      flush=True)  # fmt: skip
                time.sleep(1)


if __name__ == "__main__":
    main()
