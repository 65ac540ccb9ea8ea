"""Random joins of three to six of our tables and views, against the same on copies of them."""

from __future__ import annotations

import random
import time

from ground import WATCHED, Ground, placed
from tally import PATIENCE, Tally, ask

EVENTS = ("event", "event", "event", "history", "single", "origin", "sign_in", "vpc_change", "rule")
KEYED = ("ip", "ip", "ip", "abuse", "shodan")
SWITCHES = (
    "enable_nestloop", "enable_hashjoin", "enable_mergejoin", "enable_material", "enable_sort",
    "enable_hashagg", "enable_seqscan", "enable_incremental_sort", "geqo",
    "enable_partitionwise_join", "parallel_leader_participation",
)  # fmt: skip
NUMBERS = {
    "join_collapse_limit": (1, 2, 8, 20), "from_collapse_limit": (1, 2, 8, 20),
    "geqo_threshold": (2, 12), "work_mem": ("'64kB'", "'4MB'", "'64MB'"),
    "max_parallel_workers_per_gather": (0, 2), "parallel_setup_cost": (0, 1000),
    "cursor_tuple_fraction": (0.01, 1), "plan_cache_mode": ("auto", "force_generic_plan"),
}  # fmt: skip
NAMES = ("ConsoleLogin", "AssumeRole", "DescribeInstances", "RunInstances", "no such call")
# Columns that all of EVENTS have, and that are equal for few rows.
SHARED = ("event_id", "event_time")
FIND_ADDRESS = {"event": "source_ip_address", "history": "source_ip_address",
                "single": "source_ip_address", "people": "ip"}  # fmt: skip
REFUSALS = ("answers for given addresses only",)


class Query:
    """One random query, as text with ``{event}`` and the like for tables."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.tables: list[tuple[str, str]] = []  # (alias, table)
        self.parts: list[str] = []
        self.first()
        for _ in range(chance.randint(2, 5)):
            self.join()

    def alias(self, table: str) -> str:
        alias = f"t{len(self.tables)}"
        self.tables.append((alias, table))
        return alias

    def first(self) -> None:
        table = self.chance.choice(EVENTS)
        self.parts.append(f"{{{table}}} {self.alias(table)}")

    def an_address(self) -> str:
        """A text column that has addresses, of a table that is joined already."""
        found = [f"{a}.{FIND_ADDRESS[t]}" for a, t in self.tables if t in FIND_ADDRESS]
        found += [f"{a}.ip" for a, t in self.tables if t in KEYED]
        return self.chance.choice(found) if found else f"'{self.chance.choice(WATCHED)}'"

    def an_event(self) -> str:
        """The alias of a table of events."""
        return self.chance.choice([a for a, t in self.tables if t in EVENTS])

    def join(self) -> None:
        kind = self.chance.choice(("JOIN", "JOIN", "LEFT JOIN"))
        what = self.chance.random()
        if what < 0.5:
            address = self.an_address()
            table = self.chance.choice(KEYED)
            alias = self.alias(table)
            extra = self.chance.choice(("", "", f" AND {alias}.ip <> 'AWS Internal'", " AND false"))
            self.parts.append(f"{kind} {{{table}}} {alias} ON {alias}.ip = {address}{extra}")
        elif what < 0.7:
            other, table = self.an_event(), self.chance.choice(EVENTS)
            alias = self.alias(table)
            column = self.chance.choice(SHARED)
            self.parts.append(
                f"{kind} {{{table}}} {alias} ON {alias}.{column} = {other}.{column}"
                f" AND {alias}.event_name = {other}.event_name"
            )
        elif what < 0.85:
            address = self.an_address()
            alias = self.alias("watched")
            values = ", ".join(f"('{ip}')" for ip in self.chance.sample(WATCHED, 3))
            self.parts.append(f"{kind} (VALUES {values}) {alias} (ip) ON {alias}.ip = {address}")
        else:
            other = self.an_event()
            alias = self.alias("people")
            self.parts.append(
                f"{kind} public.people {alias} ON {alias}.event_name = {other}.event_name"
            )

    def condition(self) -> str:
        alias = self.an_event()
        keyed = [a for a, t in self.tables if t in ("ip",)]
        return self.chance.choice((
            f"{alias}.event_name = '{self.chance.choice(NAMES)}'",
            f"{alias}.event_name IN ('ConsoleLogin', 'AssumeRole', 'RunInstances')",
            f"{alias}.event_name = 'ConsoleLogin' OR {alias}.event_name = 'RunInstances'",
            f"{alias}.event_name LIKE '{self.chance.choice('ACDR')}%'",
            f"{alias}.event_name <> 'DescribeInstances'",
            f"{alias}.event_time > '2026-11-20 09:00+00'",
            f"{alias}.event_time BETWEEN '2026-11-20 00:00+00' AND '2026-11-20 12:00+00'",
            f"{alias}.event_id IS NOT NULL",
            f"EXISTS (SELECT FROM {{event}} s WHERE s.event_id = {alias}.event_id AND s.read_only)",
            f"NOT EXISTS (SELECT FROM {{event}} s WHERE s.event_id = {alias}.event_id AND s.error_code IS NOT NULL)",
            f"{alias}.event_name IN (SELECT event_name FROM public.people)",
            f"{alias}.event_name NOT IN (SELECT event_name FROM public.people WHERE event_name IS NOT NULL)",
            f"{self.an_address()} IN (SELECT k.ip FROM {{ip}} k WHERE k.ip IN ('203.0.113.9', 'AWS Internal'))",
            f"{keyed[0]}.address_class IN ('public', 'documentation')" if keyed else "true",
            f"({alias}.event_name, {alias}.event_source) IN (('RunInstances', 'ec2.amazonaws.com'), ('AssumeRole', 'sts.amazonaws.com'))",
        ))  # fmt: skip

    def text(self) -> str:
        """What to ask: counts, and a digest of the rows."""
        shown = [f"{a}.{'event_id' if t in EVENTS else 'ip' if t != 'people' else 'username'}::text"
                 for a, t in self.tables]  # fmt: skip
        where = " AND ".join(f"({self.condition()})" for _ in range(self.chance.randint(0, 2)))
        rows = f"SELECT concat_ws('|', {', '.join(shown)}) AS r FROM {' '.join(self.parts)}"
        rows += f" WHERE {where}" if where else ""
        form = self.chance.random()
        if form < 0.15:
            rows = f"WITH x AS MATERIALIZED ({rows}) SELECT a.r FROM x a JOIN x b USING (r)"
        elif form < 0.25:
            rows = f"SELECT DISTINCT r FROM ({rows}) y"
        elif form < 0.35:
            rows = f"{rows} UNION {rows}"
        elif form < 0.45:
            rows = f"SELECT r FROM ({rows}) y ORDER BY r LIMIT 7"
        return f"SELECT count(*), md5(string_agg(r, ',' ORDER BY r)) FROM ({rows}) z"


def settings(chance: random.Random) -> list[str]:
    """Random settings of the planner, for one transaction."""
    chosen = [f"{name} = off" for name in chance.sample(SWITCHES, chance.randint(0, 4))]
    names = chance.sample(sorted(NUMBERS), chance.randint(0, 3))
    return chosen + [f"{name} = {chance.choice(NUMBERS[name])}" for name in names]


def run(ground: Ground, seconds: float, chance: random.Random, most: int = 1 << 30) -> Tally:
    """Ask random queries for so long, or so many of them."""
    tally, until = Tally(), time.monotonic() + seconds
    with ground.session() as db:
        db.execute("SET cloudtrail_fdw.max_lookups = 100000")
        while time.monotonic() < until and tally.tried < most and not db.broken:
            query, chosen = Query(chance).text(), settings(chance)
            db.execute("SET statement_timeout = '5s'")
            right = ask(db, placed(query, ours=False), Tally())
            db.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'".encode())
            if right.rows is None:  # too many rows for the copies, too
                continue
            tally.tried += 1
            for setting in chosen:
                db.execute(f"SET {setting}".encode())
            found = ask(db, placed(query, ours=True), tally)
            for setting in chosen:
                db.execute(f"RESET {setting.split()[0]}".encode())
            if found.rows is not None and found.rows == right.rows:
                tally.exact += 1
            elif found.says_what_to_do and (
                found.text.startswith("canceling") or any(word in found.text for word in REFUSALS)
            ):
                tally.right_error += 1
            else:
                told = found.text or f"{found.rows} is not {right.rows}"
                tally.note("wrong", f"{chosen}\n{query}\n{told}")
    return tally
