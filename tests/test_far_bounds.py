"""Time bounds where there are no events, as Grafana's epoch, read nothing; none loses a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from servers import Sandbox, start

WITHOUT_HANDLER_TOO = True
EARLY = """
BETWEEN '1970-01-01T00:00:00Z' AND '1970-01-01T00:00:00Z'
= '1970-01-01T00:00:00Z'
<= '1970-01-01'
<= '1969-12-31'
< '2000-01-01'::date
<= '2005-12-31'
<= '2006-01-02'
< '0044-03-15 BC'
<= '-infinity'
= '-infinity'
""".strip().splitlines()
LATE = """
> 'infinity'
>= '10000-01-01'
> '9999-12-31'
= '294276-12-31'
""".strip().splitlines()
WIDE = """
>= '1970-01-01'
> '-infinity'
> '0044-03-15 BC'
> '2000-01-01'::date
< 'infinity'
<= '10000-01-01'
BETWEEN '1970-01-01' AND '294276-12-31'
""".strip().splitlines()


@pytest.fixture(scope="module")
def far(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Some events, one of them dated before there were any."""
    file = tmp_path_factory.mktemp("far") / "events.jsonl"
    record = '{{"eventID":"{0}","eventName":"E","eventTime":"{0}T00:00:00Z"}}\n'
    days = ["2004-02-29", *(f"2026-11-{day}" for day in range(10, 20))]
    file.write_text("".join(map(record.format, days)))
    yield from start(kind, "far", "--events", str(file))


def calls(far: Sandbox) -> int:
    return sum(far.stats()["calls"].get(name, 0) for name in ("FilterLogEvents", "LookupEvents"))


def count(far: Sandbox, table: str, where: str) -> Any:
    with far.session("reader_dsn") as db:
        db.execute("SET cloudtrail_fdw.cache = off")
        return db.execute(f"SELECT count(*) FROM {table} WHERE {where}".encode()).fetchall()


@pytest.mark.parametrize("column", ["event_time", "timestamp"])
def test_no_bound_loses_a_row(far: Sandbox, column: str) -> None:
    with far.connect() as db:
        db.execute("CREATE TEMP TABLE copy AS SELECT * FROM cloudtrail_event")
        for bound in [*EARLY, *LATE, *WIDE]:
            query = f"SELECT event_id FROM {{}} WHERE {column} {bound} ORDER BY 1"
            expected = db.execute(query.format("copy").encode()).fetchall()
            found = db.execute(query.format("cloudtrail_event").encode()).fetchall()
            assert found == expected, bound


@pytest.mark.parametrize("bound", [*EARLY, *LATE])
def test_a_bound_is_a_bound(sample: Sandbox, bound: str) -> None:
    """One call finds that there is nothing; the whole sample takes more than the one event."""
    for table in ("cloudtrail_event", "cloudtrail_event_history"):
        sample.reset()
        assert count(sample, table, f"event_time {bound}") == [(0,)]
        if not sample.bare:
            assert sample.stats()["events"] == 0
            assert calls(sample) <= 1


@pytest.mark.parametrize(
    ("bound", "why"),
    [
        ("<= '1970-01-01'", "the window ends before the log group was made"),
        ("<= '2006-01-02'", "the window ends before the log group was made"),
        ("< '0044-03-15 BC'", "CloudWatch Logs has no events before 1970"),
        ("= '-infinity'", "CloudWatch Logs has no events before 1970"),
        (">= 'infinity'", "no event is so late"),
    ],
)
def test_explain_says_why_nothing_is_read(sample: Sandbox, bound: str, why: str) -> None:
    if sample.bare:
        return  # Multicorn may have misread such a bound
    with sample.session("reader_dsn") as db:
        db.execute("SELECT count(*) FROM cloudtrail_event")  # the group's creation is known then
        sample.reset()
        query = f"EXPLAIN SELECT * FROM cloudtrail_event WHERE event_time {bound}"
        shown = "\n".join(line for (line,) in db.execute(query.encode()).fetchall())
        assert f"Nothing to read: {why}" in shown
        assert db.execute(query.removeprefix("EXPLAIN ").encode()).fetchall() == []
    assert calls(sample) == 0
