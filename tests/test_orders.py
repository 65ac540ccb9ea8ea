"""Orders and limits through SQL: the newest rows, exactly, by as few calls as they need."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import psycopg
import pytest

from scan_service import FROM, append, calls, in_group, record, rows, serve
from servers import Db, Sandbox

NEWEST = f"SELECT event_time {FROM} ORDER BY event_time DESC LIMIT 12"


@pytest.fixture(scope="module")
def aws(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    yield from serve(kind, "orders", tmp_path_factory.mktemp("orders"))


@pytest.fixture
def db(aws: Sandbox) -> Iterator[Db]:
    """A superuser's session, with an empty cache."""
    with aws.session() as session:
        session.execute("SELECT cloudtrail_fdw_cache_clear()")
        yield session


ORDERED = """
SELECT {} FROM {} ORDER BY event_time DESC LIMIT 10
SELECT {} FROM {} ORDER BY event_time DESC, log_event_id LIMIT 10
SELECT {} FROM {} ORDER BY event_time DESC FETCH FIRST 7 ROWS WITH TIES
SELECT {} FROM {} ORDER BY timestamp DESC LIMIT 10
SELECT {} FROM {} ORDER BY timestamp LIMIT 10
SELECT {} FROM {} ORDER BY timestamp, log_event_id OFFSET 5 LIMIT 10
SELECT {} FROM {} WHERE read_only ORDER BY event_time DESC OFFSET 3 LIMIT 5
SELECT {} FROM {} WHERE event_name = 'Get3' ORDER BY event_time DESC LIMIT 4
SELECT {} FROM {} WHERE username LIKE 'u1%' ORDER BY timestamp DESC LIMIT 4
SELECT {} FROM {} WHERE event_time < '2025-10-01 03:00+00' ORDER BY event_time DESC LIMIT 9
SELECT {} FROM {} WHERE event_time >= '2025-10-01 03:00+00' ORDER BY timestamp LIMIT 9
SELECT {} FROM {} WHERE log_group_name IN ('a', 'b') ORDER BY event_time DESC LIMIT 100
SELECT {} FROM {} WHERE log_group_name IN ('b', 'a') ORDER BY timestamp DESC LIMIT 100
SELECT {} FROM {} WHERE log_group_name IN ('b', 'a') ORDER BY timestamp LIMIT 30
SELECT {} FROM {} WHERE log_group_name = 'b' ORDER BY event_time DESC LIMIT 90
SELECT {} FROM {} WHERE log_group_name = 'b' ORDER BY timestamp DESC LIMIT 95
SELECT {} FROM {} WHERE log_group_name = 'b' AND event_time < '2024-01-01' ORDER BY event_time DESC LIMIT 3
SELECT {} FROM {} WHERE log_group_name = 'b' AND event_time < '2024-01-01' ORDER BY timestamp LIMIT 3
SELECT {} FROM {} WHERE log_group_name = 'b' AND event_time < '2023-12-01 02:00+00' ORDER BY 1 LIMIT 3
SELECT {} FROM {} JOIN ip_enrichment i ON i.ip = source_ip_address ORDER BY event_time DESC LIMIT 6
SELECT {} FROM (SELECT * FROM {} ORDER BY event_time DESC LIMIT 20) x WHERE read_only ORDER BY event_time DESC LIMIT 5
SELECT {} FROM {} WHERE event_time > (SELECT '2025-10-01 04:00+00'::timestamptz) ORDER BY event_time DESC LIMIT 4
SELECT {} FROM {} WHERE event_name IN ('Get1', 'Get2') OR username = 'u3' ORDER BY event_time DESC LIMIT 8
""".strip().splitlines()  # noqa: E501


@pytest.fixture(scope="module")
def copied(aws: Sandbox) -> Db:
    """The shared session's database with a copy of all events."""
    with aws.session() as db:
        db.execute(b"SET cloudtrail_fdw.cache = off")
        db.execute(b"DROP TABLE IF EXISTS public.copied")
        both = f"SELECT * {FROM} WHERE log_group_name IN ('a', 'b')"
        db.execute(f"CREATE TABLE public.copied AS {both}".encode())
        return db


def compare(db: Db, query: str) -> None:
    """The rows' sort keys are the copy's; ties leave a choice of rows."""
    key = re.findall(r"ORDER BY ((?:event_time|timestamp)(?: DESC)?(?:, log_event_id)?)", query)
    columns = key[-1].replace(" DESC", "") if key else "event_time"
    copy = "public.copied"
    if "log_group_name" not in query:
        copy = f"(SELECT * FROM {copy} WHERE log_group_name = 'a') c"
    expected = rows(db, query.format(columns, copy))
    assert rows(db, query.format(columns, "cloudtrail_event")) == expected, query
    assert expected


@pytest.mark.parametrize("state", ["off", "cold", "warm"])
def test_the_newest_rows_are_those_of_a_copy(aws: Sandbox, copied: Db, db: Db, state: str) -> None:
    db.execute(f"SET cloudtrail_fdw.cache = {'off' if state == 'off' else 'on'}".encode())
    if state == "warm":
        rows(db, "SELECT event_id FROM cloudtrail_event WHERE log_group_name IN ('a', 'b')")
        calls(aws)
    for query in ORDERED:
        if state == "cold":
            db.execute("SELECT cloudtrail_fdw_cache_clear()")
        compare(db, query)


CALLS = [
    (NEWEST.replace("12", "3"), 6),
    (f"SELECT event_id {FROM} ORDER BY timestamp DESC LIMIT 3", 2),
    (f"SELECT event_id {FROM} ORDER BY timestamp LIMIT 3", 2),
    (f"SELECT event_id {FROM} LIMIT 1", 2),
    (f"SELECT 1 {FROM} WHERE event_time < '2025-10-01' AND event_time > '2025-10-02'", 0),
]


@pytest.mark.parametrize(("query", "most"), CALLS, ids=[str(n) for n in range(len(CALLS))])
def test_a_limit_reads_no_more_than_it_needs(aws: Sandbox, db: Db, query: str, most: int) -> None:
    time.sleep(0.3)  # what is asked ahead for the test before has come
    calls(aws)
    rows(db, query)
    assert calls(aws) <= most


def test_an_order_holds_in_views_cursors_and_prepared_statements(copied: Db, db: Db) -> None:
    copied.execute("SELECT 1")
    expected = rows(db, NEWEST.replace(FROM, "FROM public.copied WHERE log_group_name = 'a'"))
    db.execute(f"CREATE TEMP VIEW newest AS {NEWEST}".encode())
    assert rows(db, "SELECT * FROM newest") == expected
    db.execute(f"PREPARE newest_rows(int) AS {NEWEST.replace('12', '$1')}".encode())
    for _ in range(7):  # a generic plan from the sixth on
        assert rows(db, "EXECUTE newest_rows(12)") == expected
    with db.transaction():
        db.execute(f"DECLARE c SCROLL CURSOR FOR {NEWEST}".encode())
        found = rows(db, "FETCH 5 FROM c") + rows(db, "FETCH ALL FROM c")
        assert found == expected
        assert rows(db, "FETCH BACKWARD 2 FROM c") == expected[:-3:-1]


def ahead(hours: int, count: int) -> list[str]:
    """Events dated in the future."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + hours * 3600))
    return [record(n, 0).replace("2025-10-01T00:00:00Z", when) for n in range(count)]


def test_an_event_from_the_future_is_an_error_and_no_wrong_order(aws: Sandbox, db: Db) -> None:
    """It comes on a later page than others from the future, and is dated after them."""
    for hours, count in ((3, 1), (2, 15), (2, 15)):
        append(aws, "future", ahead(hours, count))
        time.sleep(0.01)
    query = in_group("future", NEWEST).replace("12", "31")
    with pytest.raises(psycopg.Error) as raised:
        rows(db, query)
    assert raised.value.sqlstate == "22000"
    assert "SET cloudtrail_fdw.clock_skew" in (raised.value.diag.message_hint or "")
    db.execute("SET cloudtrail_fdw.clock_skew = '1 day'")
    found = [row[0] for row in rows(db, query)]
    assert found == sorted(found, reverse=True)
    assert len(found) == 31
    assert found[0] > found[1]
