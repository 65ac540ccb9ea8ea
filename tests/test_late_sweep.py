"""Events that are delivered later than delivery_lag: missed as documented, found by late_sweep."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from servers import SHAPES, Sandbox, start

EXTRA = ["event_name LIKE '%'", "event_name <> 'RunInstances'",
         "filter = '{ $.eventVersion = \"1*\" }'"]  # fmt: skip


@pytest.fixture(scope="module")
def late(kind: str) -> Iterator[Sandbox]:
    """A sandbox that delivers a third of its events hours late."""
    yield from start(kind, "late", "--events", str(SHAPES), "--log-group", "shapes",
                     "--late-percent", "30")  # fmt: skip


def test_late_sweep_completes_a_window(late: Sandbox) -> None:
    with late.connect() as db:
        db.execute("SET timezone = 'UTC'")
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM cloudtrail_event")
        bounds = db.execute(
            "SELECT DISTINCT event_time FROM copy WHERE timestamp - event_time > '2 hours'"
        ).fetchall()
        assert len(bounds) > 5
        missed = 0
        for (bound,) in bounds:
            since = f"event_time BETWEEN '{bound}'::timestamptz - interval '90 min' AND '{bound}'"
            right = db.execute(f"SELECT count(*) FROM copy WHERE {since}").fetchone()
            db.execute("SET cloudtrail_fdw.late_sweep = off")
            query = f"SELECT count(*) FROM cloudtrail_event WHERE {since}"
            missed += db.execute(query).fetchone() != right
            db.execute("SET cloudtrail_fdw.late_sweep = on")
            assert db.execute(query).fetchone() == right, since
        assert missed == len(bounds)  # each window lacks at least the late event at its end


@pytest.mark.parametrize("clause", EXTRA)
def test_late_sweep_joins_other_conditions(late: Sandbox, clause: str) -> None:
    with late.connect() as db:
        db.execute("SET cloudtrail_fdw.late_sweep = on")
        edge = "(SELECT percentile_disc(0.7) WITHIN GROUP (ORDER BY event_time) FROM copy)"
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM cloudtrail_event")
        answer = db.execute(f"SELECT {edge}").fetchone()
        assert answer is not None
        where = f"event_time <= '{answer[0]}' AND {clause}"
        names = "SELECT event_name, log_event_id FROM"
        found = db.execute(f"{names} cloudtrail_event WHERE {where} ORDER BY 2").fetchall()
        if "filter" in clause:
            where = f"event_time <= '{answer[0]}' AND event_version LIKE '1%'"
        assert found == db.execute(f"{names} copy WHERE {where} ORDER BY 2").fetchall()


def test_explain_tells_of_the_sweep(late: Sandbox) -> None:
    with late.connect() as db:
        query = (
            "EXPLAIN SELECT 1 FROM cloudtrail_event WHERE event_time"
            " BETWEEN '2026-11-20 10:00Z' AND '2026-11-20 10:59:59Z'"
        )
        assert "Late Sweep" not in str(db.execute(query).fetchall())
        db.execute("SET cloudtrail_fdw.late_sweep = on")
        plan = str(db.execute(query).fetchall())
        assert 'Late Sweep: after the window, $.eventTime = "2026-11-20*10:*"' in plan
