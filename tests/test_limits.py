"""What a scan may cost: too much is refused by what is known, and the rate is everybody's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from servers import Sandbox, start

EVENTS = 4000  # 3.5 MB, of which a call scans 0.1
TPS = 20
COUNT = "SELECT count(*) FROM cloudtrail_event"
COUNT_OF = "SELECT count(*) FROM (SELECT * FROM cloudtrail_event"


@pytest.fixture(scope="module")
def aws(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A service with a quota, and a group that takes some forty calls."""
    events = tmp_path_factory.mktemp("limits") / "events.jsonl"
    padding = "x" * 700
    lines = [
        json.dumps({"eventTime": f"2025-10-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z",
                    "eventID": f"e{n}", "eventName": "Get", "requestID": padding})
        for n in range(EVENTS)
    ]  # fmt: skip
    events.write_text("\n".join(lines) + "\n")
    given = ("--events", str(events), "--scan-mb", "0.1", "--tps", str(TPS), "--shift-to-now")
    yield from start(kind, "limits", *given)


def calls(aws: Sandbox) -> int:
    return int(aws.stats()["calls"].get("FilterLogEvents", 0))


@pytest.mark.parametrize("cache", ["on", "off"])
@pytest.mark.parametrize("limit", ["max_calls = 1", "max_bytes = 1000000"])
def test_what_is_foreseen_to_be_too_much_costs_no_call(
    aws: Sandbox, limit: str, cache: str
) -> None:
    with aws.session() as db:
        db.execute("SELECT cloudtrail_fdw_cache_clear()")
        db.execute(f"SET cloudtrail_fdw.cache = {cache}".encode())
        db.execute(f"SET cloudtrail_fdw.{limit}".encode())
        aws.reset()
        for query, needed, made in ((COUNT, 3, 0), (f"{COUNT_OF} LIMIT 9999) e", 2, 1)):
            with pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as raised:
                db.execute(query.encode())
            foreseen = f"needs about {needed} more calls, 0 seconds at 20 a second, and "
            assert foreseen + limit.split()[0] in str(raised.value)
            assert calls(aws) == made
        # a LIMIT wants no more than that, of how many events soever
        assert len(db.execute("SELECT * FROM cloudtrail_event LIMIT 10").fetchall()) == 10
        assert calls(aws) <= 2


def test_what_may_be_enough_gets_its_first_call(aws: Sandbox) -> None:
    with aws.session() as db:
        db.execute("SET cloudtrail_fdw.cache = off")
        db.execute("SET cloudtrail_fdw.max_calls = 2")
        db.execute("CREATE TEMP TABLE nobody AS SELECT 'u' || n AS u FROM generate_series(1, 9) n")
        db.execute("SET enable_nestloop = off; SET enable_mergejoin = off")
        aws.reset()
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="about 2 more calls"):
            db.execute(COUNT)
        assert calls(aws) == 1
        joined = f"{COUNT} e JOIN nobody n ON n.u = e.username WHERE n.u LIKE '%z'"
        assert db.execute(joined.encode()).fetchone() == (0,)
        assert calls(aws) <= 2


def test_what_the_first_page_leaves_is_refused_before_a_call(aws: Sandbox) -> None:
    with aws.session() as db:
        db.execute("SELECT cloudtrail_fdw_cache_clear()")
        db.execute("SELECT * FROM cloudtrail_event LIMIT 10").fetchall()
        db.execute("SET cloudtrail_fdw.max_calls = 2")
        db.execute("SET cloudtrail_fdw.cache_max_age = '1 hour'")
        aws.reset()
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="needs about"):
            db.execute(COUNT)
        assert calls(aws) == 0


def test_sessions_without_a_cache_share_the_rate(aws: Sandbox) -> None:
    sessions = [aws.connect() for _ in range(2)]
    for session in sessions:
        session.execute("SET cloudtrail_fdw.cache = off")
        session.execute(f"{COUNT} WHERE event_time < '2020-01-01'")  # Python is there
    time.sleep(1)  # the service's bucket is full
    aws.reset()
    began = time.monotonic()
    with ThreadPoolExecutor(len(sessions)) as pool:
        found = list(pool.map(lambda session: session.execute(COUNT).fetchone(), sessions))
    took = time.monotonic() - began
    for session in sessions:
        session.close()
    assert found == [(EVENTS,), (EVENTS,)]
    stats = aws.stats()
    assert stats["throttles"] == 0
    assert stats["calls"]["FilterLogEvents"] > 3 * TPS
    assert stats["calls"]["FilterLogEvents"] <= TPS * took + 5  # BURST, and the one on its way
