"""A slow AWS with two groups of events of the same hours, for the tests of scans through SQL."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from servers import Db, Sandbox, start

EVENTS = 240  # of group a
FROM = "FROM cloudtrail_event"


def record(number: int, second: int, month: str = "2025-10") -> str:
    """An event; three of a kind share a second."""
    when = f"{month}-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    return json.dumps({
        "eventVersion": "1.11", "eventID": f"e{number:04}", "eventTime": when,
        "eventName": f"Get{number % 7}", "eventSource": "s3.amazonaws.com", "awsRegion": "r",
        "sourceIPAddress": f"198.51.100.{number % 50}", "readOnly": number % 2 == 0,
        "userIdentity": {"type": "IAMUser", "userName": f"u{number % 5}"},
        "requestParameters": {"padding": "x" * 500},
    })  # fmt: skip


def serve(kind: str, name: str, folder: Path) -> Iterator[Sandbox]:
    """Some twenty pages in group a, and group b; a file of events is made in ``folder``."""
    events = folder / "events.jsonl"
    lines = [record(n, n // 3 * 240) for n in range(EVENTS)]
    events.write_text("\n".join(lines) + "\n")
    given = ("--events", str(events), "--latency-ms", "30", "--scan-mb", "0.01", "--log-group", "a")
    for sandbox in start(kind, name, *given):
        other = [record(5000 + n, n * 900 + 1) for n in range(80)]
        other += [record(7000 + n, n * 900 + 1, month="2023-12") for n in range(20)]
        append(sandbox, "b", other)
        yield sandbox


def append(sandbox: Sandbox, group: str, lines: list[str]) -> None:
    url = f"{sandbox.state['aws_endpoint']}/_sandbox/append?log-group={group}"
    urllib.request.urlopen(url, "\n".join(lines).encode() + b"\n").close()


def calls(sandbox: Sandbox) -> int:
    """FilterLogEvents calls since the last look."""
    url = f"{sandbox.state['aws_endpoint']}/_sandbox/"
    with urllib.request.urlopen(url + "stats") as answer:
        found = json.load(answer)["calls"].get("FilterLogEvents", 0)
    urllib.request.urlopen(url + "reset-stats", b"").close()
    return int(found)


def rows(db: Db, query: str) -> list[tuple[Any, ...]]:
    return db.execute(query.encode()).fetchall()


def in_group(group: str, query: str) -> str:
    return query.replace(FROM, f"{FROM} WHERE log_group_name = '{group}'")
