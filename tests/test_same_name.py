"""Two trails deliver to groups of one name, in two Regions: no row has the other's columns."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from servers import Sandbox, start

NAME, OTHER = "shared", "eu-west-1"
RIGHT = [("eu-west-1", 3), ("us-east-1", 5)]
WITHOUT_HANDLER_TOO = True
QUERIES = [
    "cloudtrail_event",
    "(SELECT * FROM cloudtrail_event ORDER BY timestamp DESC LIMIT 100) e",
    "(SELECT * FROM cloudtrail_event ORDER BY timestamp LIMIT 100) e",
    "(SELECT * FROM cloudtrail_event ORDER BY event_time DESC LIMIT 100) e",
    f"cloudtrail_event WHERE log_group_name = '{NAME}'",
    f"(SELECT * FROM cloudtrail_event WHERE log_group_name = '{NAME}' ORDER BY timestamp DESC"
    " LIMIT 100) e",
]


def post(sandbox: Sandbox, call: str, body: bytes) -> None:
    urllib.request.urlopen(f"{sandbox.state['aws_endpoint']}/_sandbox/{call}", body).close()


def message(number: int, region: str) -> str:
    return json.dumps({
        "eventVersion": "1.11", "eventTime": f"2026-11-20T10:00:{number:02}Z",
        "eventName": f"Call{number}", "awsRegion": region, "eventID": f"{region}-{number}",
    }) + "\n"  # fmt: skip


@pytest.fixture(scope="module")
def regions(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    events = tmp_path_factory.mktemp("regions") / "events.jsonl"
    events.write_text("".join(message(number * 2, "us-east-1") for number in range(5)))
    for sandbox in start(kind, "regions", "--events", str(events), "--log-group", NAME):
        others = "".join(message(number * 2 + 1, OTHER) for number in range(3))
        post(sandbox, f"append?log-group={NAME}&region={OTHER}", others.encode())
        arn = f"arn:aws:logs:{OTHER}:123456789012:log-group:{NAME}"
        post(sandbox, "trail", json.dumps({"further": [arn]}).encode())
        yield sandbox


@pytest.mark.parametrize("cache", ["off", "on", "wide"])
@pytest.mark.parametrize("query", QUERIES)
def test_each_row_has_its_own_region(regions: Sandbox, query: str, cache: str) -> None:
    with regions.session() as db:
        db.execute(f"SET cloudtrail_fdw.cache = {cache}")
        found = db.execute(
            f"SELECT log_group_region, count(*) FROM {query} GROUP BY 1 ORDER BY 1".encode()
        ).fetchall()
        assert found == RIGHT
        wrong = (
            f"SELECT count(*) FROM (SELECT * FROM {query}) x WHERE log_group_region <> aws_region"
        )
        assert db.execute(wrong.encode()).fetchall() == [(0,)]


def test_without_the_right_to_see_trails_a_name_is_of_the_servers_region(regions: Sandbox) -> None:
    post(regions, "fault?name=access-denied&on=1&action=DescribeTrails", b"")
    try:
        with regions.session() as db:
            db.execute("SELECT cloudtrail_fdw_cache_clear()")
            found = db.execute(
                "SELECT log_group_region, count(*) FROM cloudtrail_event"
                f" WHERE log_group_name = '{NAME}' GROUP BY 1"
            ).fetchall()
        assert found == [("us-east-1", 5)]
    finally:
        post(regions, "fault?name=access-denied&on=0&action=DescribeTrails", b"")
