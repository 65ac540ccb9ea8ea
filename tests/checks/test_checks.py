"""Every check of sql/checks: its front-matter, its columns, and exactly what it finds.

Events are in tests/data/checks/NAME.jsonl, expectations in NAME.json: for each check the eventIDs
that it finds among the events of that file, as "alarm" and as "info", and the near misses aimed
at it, each with the one thing that differs. All other events of the file are near misses as well.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Callable

import pytest

from servers import TESTS, Sandbox

DATA = TESTS / "data" / "checks"
CHECKS = sorted((TESTS.parent / "sql" / "checks").glob("*.sql"))
EXPECTED: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(DATA.glob("*.json"))
}
CASES = [
    pytest.param(name, check, id=f"{name}-{check}")
    for name, checks in EXPECTED.items()
    for check in checks
]
Run = Callable[[str], list[dict[str, Any]]]


def sql(check: str) -> str:
    return (TESTS.parent / "sql" / "checks" / f"{check}.sql").read_text("utf-8")


def finds(name: str, check: str) -> dict[str, set[str]]:
    return {status: set(EXPECTED[name][check].get(status, ())) for status in ("alarm", "info")}


def event_ids(name: str) -> set[str]:
    lines = (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()
    return {json.loads(line)["eventID"] for line in lines}


@pytest.mark.parametrize(("name", "check"), CASES)
def test_check_finds_these_events_and_no_others(name: str, check: str, run_check: Run) -> None:
    rows = run_check(sql(check))
    here = event_ids(name)
    found = {
        status: {row["event_id"] for row in rows if row["status"] == status} & here
        for status in ("alarm", "info")
    }
    assert found == finds(name, check)


@pytest.mark.parametrize(("name", "check"), CASES)
def test_every_finding_says_what_and_is_said_once(name: str, check: str, run_check: Run) -> None:
    rows = run_check(sql(check))
    assert rows
    for row in rows:
        assert list(row)[:3] == ["resource", "status", "reason"]
        assert {"event_time", "event_id"} <= set(row)
        assert row["status"] in {"alarm", "info"}
        assert row["resource"]
        assert len(row["reason"]) > 20
    findings = [(row["resource"], row["event_id"], row["reason"]) for row in rows]
    assert len(findings) == len(set(findings))


@pytest.mark.parametrize("path", CHECKS, ids=lambda path: path.stem)
def test_every_check_has_positives_and_two_near_misses(path: Path) -> None:
    check = path.stem
    positives, missed = set(), {}
    for name in (name for name in EXPECTED if check in EXPECTED[name]):
        found = set.union(*finds(name, check).values())
        near = EXPECTED[name][check]["near_misses"]
        assert found | set(near) <= event_ids(name)
        assert not found & set(near)
        positives |= found
        missed.update(near)
    assert positives
    assert len(missed) >= 2
    assert all(missed.values())


def test_no_expectation_is_of_a_check_that_is_gone() -> None:
    assert {check for checks in EXPECTED.values() for check in checks} <= {p.stem for p in CHECKS}


def test_the_window_of_every_check_reaches_aws(kind: str, checked: Sandbox) -> None:
    unbounded = []
    with checked.connect("reader_dsn") as db:
        db.execute("SET cloudtrail_fdw.check_since = '2026-11-20 00:00+00'")
        db.execute("SET cloudtrail_fdw.check_until = '2026-11-21 00:00+00'")
        for path in CHECKS:
            lines = db.execute(("EXPLAIN (COSTS OFF) " + path.read_text("utf-8")).encode())
            plan = "\n".join(line for (line,) in lines)
            # "… of delivery": both bounds are of the column timestamp
            windows = re.findall(r"Window: 2026-1[01]-\S+ to 2026-11-2[01]T\S+ of delivery", plan)
            if not windows or len(windows) != plan.count("Foreign Scan on cloudtrail_event"):
                unbounded.append(path.stem)
    assert unbounded == []


FRONT = re.compile(
    r"-- id: (?P<id>[a-z0-9_]+)\n"
    r"-- title: (?P<title>[^\n]+)\n"
    r"-- severity: (?:critical|high|medium|low|info)\n"
    r"-- technique:(?: T\d{4}(?:\.\d{3})?(?:, T\d{4}(?:\.\d{3})?)*)?\n"
    r"-- do: (?P<do>[^\n]+\n(?:--   [^\n]+\n)*)"
)


@pytest.mark.parametrize("path", CHECKS, ids=lambda path: path.stem)
def test_front_matter_and_one_statement(path: Path) -> None:
    text = path.read_text("utf-8")
    front = FRONT.match(text)
    assert front
    assert front["id"] == path.stem
    assert front["do"].endswith(".\n")
    statement = text[front.end() :]
    assert re.match(r"(SELECT|WITH)\b", statement)
    assert statement.endswith(";\n")
    assert ";" not in re.sub(r"--[^\n]*|'[^']*'", "", statement)[:-2]
    assert "check_since()" in statement
    assert "check_until()" in statement


def test_titles_are_unique() -> None:
    fronts = [FRONT.match(path.read_text("utf-8")) for path in CHECKS]
    titles = [front["title"] for front in fronts if front]
    assert len(titles) == len(set(titles))
