"""Every fault of the local AWS, by action, with every kind of query: the rows, or an error."""

from __future__ import annotations

import itertools
import random
import time

from ground import Ground, placed
from tally import Answer, Db, Tally, ask

from cloudtrail_fdw.sandbox.local_aws.faults import FAULTS

LEFT_OUT = {"die-after-pages"}  # ends the local AWS for all that follows
# change what is right: an account without trails or groups, records that cannot be read
CHANGING = {"no-trail", "trail-without-group", "malformed-record", "not-found"}
ACTIONS = ("", "FilterLogEvents", "DescribeTrails", "DescribeLogGroups", "LookupEvents",
           "GetTrailStatus")  # fmt: skip
QUERIES = (
    "SELECT count(*) AS events, count(DISTINCT event_id) AS ids FROM {event}",
    "SELECT event_id FROM {event} WHERE event_name = 'ConsoleLogin' ORDER BY 1",
    "SELECT event_id FROM {event} ORDER BY event_time DESC, event_id LIMIT 7",
    "SELECT log_event_id FROM {event} ORDER BY timestamp, log_event_id LIMIT 7",
    "SELECT e.event_id, i.country_name FROM {event} e JOIN {ip} i ON i.ip = e.source_ip_address ORDER BY 1, 2",
    "SELECT count(*) FROM {event} e WHERE EXISTS (SELECT FROM {ip} i WHERE i.ip = e.source_ip_address)",
    "SELECT event_id, event_name FROM {history} ORDER BY 1",
    "SELECT event_id FROM {history} WHERE event_name = 'RunInstances' ORDER BY 1",
    "SELECT name, log_group_name, is_multi_region_trail FROM {trail} ORDER BY 1",
    "SELECT name, arn FROM {log_group} ORDER BY 1",
    "SELECT count(*) FROM {origin}",
    "SELECT count(*) FROM {event} WHERE log_group_name = (SELECT max(name) FROM {log_group})",
)  # fmt: skip
FORMS = ("plain", "cursor", "prepared", "create as", "savepoint", "function")


def in_form(db: Db, query: str, form: str, tally: Tally) -> Answer:
    """The answer, by another way than a plain statement."""
    if form == "plain":
        return ask(db, query, tally)
    if form == "prepared":
        db.execute("DEALLOCATE ALL")
        done = ask(db, f"PREPARE q AS {query}", tally)
        return done if done.error else ask(db, "EXECUTE q", tally)
    with db.transaction(force_rollback=True):
        if form == "cursor":
            done = ask(db, f"DECLARE c CURSOR FOR {query}", tally)
            return done if done.error else ask(db, "FETCH ALL FROM c", tally)
        if form == "create as":
            done = ask(db, f"CREATE TEMP TABLE made AS {query}", tally)
            return done if done.error else ask(db, "SELECT * FROM made", tally)
        if form == "function":
            ask(db, f"CREATE FUNCTION pg_temp.f() RETURNS SETOF text LANGUAGE plpgsql AS $f$BEGIN"
                    f" RETURN QUERY SELECT (q.*)::text FROM ({query}) q; END$f$", tally)  # fmt: skip
            return ask(db, "SELECT * FROM pg_temp.f()", tally)
        db.execute("SAVEPOINT s")
        done = ask(db, query, tally)
        db.execute("ROLLBACK TO s")
        return done


def run(ground: Ground, seconds: float, chance: random.Random, most: int = 1 << 30) -> Tally:
    """Try combinations in a random order."""
    tally, until = Tally(), time.monotonic() + seconds
    names = sorted(set(FAULTS) - LEFT_OUT)
    combinations = list(itertools.product(names, ACTIONS, QUERIES, FORMS, ("on", "off")))
    chance.shuffle(combinations)
    with ground.session() as db:
        db.execute("SET cloudtrail_fdw.max_seconds = '3s'")
        right = {query: db.execute(placed(query, ours=False).encode()).fetchall()
                 for query in QUERIES}  # fmt: skip
        for fault, action, query, form, cache in combinations[:most]:
            if time.monotonic() > until or db.broken:
                break
            tally.tried += 1
            db.execute(f"SET cloudtrail_fdw.cache = {cache}".encode())
            db.execute("SELECT cloudtrail_fdw_cache_clear()")
            ground.fault(fault, True, action)
            try:
                found = in_form(db, placed(query, ours=True), form, tally)
            finally:
                ground.fault(fault, False)
            judge(tally, f"{fault} {action} {form} cache={cache}\n{query}", found, right[query],
                  fault in CHANGING, form)  # fmt: skip
    return tally


def judge(
    tally: Tally,
    what: str,
    found: Answer,
    right: list[tuple[object, ...]],
    changed: bool,
    form: str,
) -> None:
    """Count an answer; after a fault that changes what is right only its form is looked at."""
    rows, error = found.rows, found.error
    if rows is not None:
        wanted = right if form != "function" else None
        same = (
            len(rows) == len(right)
            if wanted is None
            else sorted(map(str, rows)) == sorted(map(str, wanted))
        )
        if same or changed:
            tally.exact += 1
        else:
            tally.note("wrong", f"{what}\n{rows[:5]} is not {right[:5]}")
    elif found.says_what_to_do:
        tally.right_error += 1
    else:
        tally.note("wrong", f"{what}\n{error and error.sqlstate}: {found.text}")
