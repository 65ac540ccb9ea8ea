"""Grafana's dashboards and alerts, run as Grafana runs them."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus

from cloudtrail_fdw.sandbox import events
from grafana.dashboards import (
    DASHBOARDS,
    FOLDER,
    Query,
    everything,
    panels_of,
    variables_of,
)
from grafana.macros import Range, expanded
from servers import KINDS, Db, Sandbox, start

POOL = 5  # as many connections as the datasource has
COPIES = 12
DAY = timedelta(days=1)
WHOLE = "SELECT count(*) FROM cloudtrail_event WHERE $__timeFilter(event_time)"
WINDOW = re.compile(r"Window: (\S+) to (\S+) ")
NUMBERS = {20, 21, 23, 700, 701, 1700}  # pg_type.oid: what Grafana reads as numbers
TEXT, FLOAT8, TIMESTAMPTZ = 25, 701, 1184


@pytest.fixture(scope="module")
def server(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sample's day many times over, ending now, with the role of the datasource."""
    path = tmp_path_factory.mktemp("grafana") / "events.jsonl"
    path.write_text("".join(copies()), "utf-8")
    for sandbox in start(kind, "grafana", "--events", str(path), "--shift-to-now",
                         "--scan-mb", "0.025"):  # fmt: skip
        with sandbox.connect() as db:
            db.execute((FOLDER / "role.sql").read_bytes())
            db.execute((FOLDER / "role.sql").read_bytes())  # as often as wanted
            db.execute("ALTER ROLE grafana PASSWORD 'grafana'")
            # the quota of most Regions: with the sandbox's, a scan is split as if calls were free
            db.execute("ALTER SERVER cloudtrail OPTIONS (SET max_tps '10')")
        yield sandbox


def copies() -> Iterator[str]:
    """The sample's lines, each copy ten minutes before the one that came before."""
    for line, copy in itertools.product(
        events.SAMPLE.read_text("utf-8").splitlines(), range(COPIES)
    ):
        try:
            record = json.loads(line)
            moment = datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%S%z")
        except (ValueError, KeyError):
            yield line + "\n"
            continue
        moment -= timedelta(minutes=10 * copy)
        record["eventTime"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        yield json.dumps({**record, "eventID": f"{record.get('eventID')}-{copy}"}) + "\n"


def connect(server: Sandbox) -> Db:
    """A session of the datasource."""
    return psycopg.connect(server.state["dsn"], user="grafana", password="grafana", autocommit=True)


def ask(db: Db, sql: str) -> Any:
    """A result of the simple protocol, in text, as Grafana asks for it."""
    result = db.pgconn.exec_(sql.encode())
    assert result.status == ExecStatus.TUPLES_OK, f"{result.error_message.decode()}\n{sql}"
    return result


def last_day() -> Range:
    now = datetime.now(timezone.utc).replace(microsecond=0)
    return Range(now - DAY, now, 600)


@pytest.mark.parametrize("board", everything())
def test_every_query_answers_in_the_form_its_panel_needs(server: Sandbox, board: str) -> None:
    with connect(server) as db:
        for query in everything()[board]:
            result = ask(db, query.text(last_day()))
            assert result.ntuples > 0, f"no rows: {query.name}"
            types = {result.fname(i).decode(): result.ftype(i) for i in range(result.nfields)}
            assert len(types) == result.nfields, f"columns of the same name: {query.name}"
            check_form(query.kind, query.format, types, query.name)
            if query.format == "time_series":
                check_series(result, types)


def check_form(kind: str, form: str, types: dict[str, int], name: str) -> None:
    """A panel's columns have the names and types that its kind needs."""
    numbers = [column for column, oid in types.items() if oid in NUMBERS and column != "time"]
    assert (form == "time_series") == (kind in ("timeseries", "alert")), name
    assert ("time" in types) == (form == "time_series"), name  # Grafana takes it for the time
    if form == "time_series":
        assert types["time"] in NUMBERS | {TIMESTAMPTZ}, name
        assert numbers == ["events"], name
        assert set(types.values()) - NUMBERS <= {TEXT}, name
    elif kind == "geomap":
        assert types["latitude"] == types["longitude"] == FLOAT8, name
    elif kind == "stat":
        assert len(numbers) == len(types), name
    elif kind == "piechart":
        assert [oid in NUMBERS for oid in types.values()] == [False, True], name
    elif kind == "variable":
        assert list(types.values()) == [TEXT], name


def check_series(result: Any, types: dict[str, int]) -> None:
    """Times ascend, and no series has two values for one of them."""
    place = list(types).index("time")
    times = [float(result.get_value(row, place)) for row in range(result.ntuples)]
    assert times == sorted(times)
    labels = [i for i, column in enumerate(types) if column != "events"]
    keys = [tuple(result.get_value(row, i) for i in labels) for row in range(result.ntuples)]
    assert len(set(keys)) == len(keys)
    assert all(None not in key for key in keys)  # a series needs a name


def test_time_filter_reaches_aws(server: Sandbox) -> None:
    within = last_day()
    with connect(server) as db:
        for board, queries in everything().items():
            for query in queries:
                plan = "\n".join(row[0] for row in db.execute(f"EXPLAIN {query.text(within)}"))
                windows = WINDOW.findall(plan)
                assert windows, f"{board}: {query.name}\n{plan}"
                for low, high in windows:
                    assert within.start - timedelta(minutes=1) <= datetime.fromisoformat(low)
                    assert datetime.fromisoformat(high) <= within.end + timedelta(hours=1)


def test_dashboard_costs_one_scan_and_a_refresh_next_to_nothing(server: Sandbox, kind: str) -> None:
    within = last_day()
    later = Range(within.start + timedelta(seconds=7), within.end + timedelta(seconds=7), 600)
    cache = Path(server.state["dir"]) / "postgres/data/cloudtrail_fdw_cache"
    with ExitStack() as stack:
        sessions = [stack.enter_context(connect(server)) for _ in range(POOL)]
        sessions[0].execute("SET cloudtrail_fdw.cache = off")
        one_scan = calls(server, lambda: ask(sessions[0], expanded(WHOLE, within)))
        sessions[0].execute("RESET cloudtrail_fdw.cache")
        assert one_scan >= 10
        # scans take time: each dashboard on one of the servers
        for name in list(DASHBOARDS)[KINDS.index(kind) :: len(KINDS)]:
            shutil.rmtree(cache, ignore_errors=True)
            cold = calls(server, lambda n=name: refresh(sessions, DASHBOARDS[n], within))
            warm = calls(server, lambda n=name: refresh(sessions, DASHBOARDS[n], later))
            assert cold <= 1.2 * one_scan, f"{name}: {cold} calls, one scan takes {one_scan}"
            assert warm <= 2, f"{name}: {warm} calls when refreshed"


def calls(server: Sandbox, action: Any) -> int:
    """How many FilterLogEvents calls it makes."""
    server.reset()
    action()
    return int(server.stats()["calls"].get("FilterLogEvents", 0))


def refresh(sessions: list[Db], board: dict[str, Any], within: Range) -> None:
    """All variables, then all panels, as many at once as there are connections."""

    def run(session: Db, queries: list[Query]) -> None:
        for query in queries:
            ask(session, query.text(within))

    with ThreadPoolExecutor(POOL) as pool:
        for queries in (variables_of(board), panels_of(board)):
            list(pool.map(run, sessions, [queries[number::POOL] for number in range(POOL)]))


def test_variables_choose_by_value(server: Sandbox) -> None:
    total = next(query for query in panels_of(DASHBOARDS["overview"]) if query.kind == "stat")
    within = last_day()
    with connect(server) as db:
        everything_, east, both, none = (
            int(ask(db, total.text(within, **chosen)).get_value(0, 0))
            for chosen in ({}, {"region": ["us-east-1"]},
                           {"region": ["us-east-1", "us-east-2"]}, {"account": ["o'neill"]})
        )  # fmt: skip
    assert none == 0 < east < both < everything_


def test_datasource_only_reads(server: Sandbox) -> None:
    with connect(server) as db, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        db.execute("CREATE TABLE public.mine ()")
    with connect(server) as db:
        db.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("CREATE TABLE cloudtrail.mine ()")
