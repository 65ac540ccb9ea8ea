"""One sandbox a server for all checks: every event of tests/data/checks, each delivered twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Callable

import psycopg
import pytest

from cloudtrail_fdw.sandbox import runtime
from cloudtrail_fdw.sources.disk.data_files import SAMPLES
from servers import TESTS, Sandbox, start

DATA = TESTS / "data" / "checks"
Rows = list[dict[str, Any]]


@pytest.fixture(scope="session")
def checked(kind: str) -> Iterator[Sandbox]:
    """All events twice, as CloudTrail sometimes delivers them; an ip-ranges.json that is no sample.

    The bundled ranges then pass for AWS's whole file: an address outside them is not AWS's.
    """
    folder = runtime.default_cache() / "tests" / f"checks-data-{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    events = "".join(path.read_text("utf-8") for path in sorted(DATA.glob("*.jsonl")))
    (folder / "events.jsonl").write_text(events * 2, "utf-8")
    ranges = json.loads((SAMPLES / "ip-ranges-sample.json").read_text("utf-8"))
    del ranges["sample"]
    (folder / "ip-ranges.json").write_text(json.dumps(ranges), "utf-8")
    yield from start(
        kind, "checks", "--events", str(folder / "events.jsonl"), "--data-directory", str(folder)
    )


@pytest.fixture(scope="session")
def run_check(checked: Sandbox) -> Callable[[str], Rows]:
    """A check's rows over 2026-11-20 as the reading role gets them, each check run once."""
    found: dict[str, Rows] = {}

    def run(text: str) -> Rows:
        if text not in found:
            with checked.connect("reader_dsn") as db:
                db.execute("SET cloudtrail_fdw.check_since = '2026-11-20 00:00+00'")
                db.execute("SET cloudtrail_fdw.check_until = '2026-11-21 00:00+00'")
                db.execute("SET TimeZone = 'UTC'")
                cursor = db.cursor(row_factory=psycopg.rows.dict_row)
                found[text] = cursor.execute(text.encode()).fetchall()
        return found[text]

    return run
