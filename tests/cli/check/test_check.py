"""Exit statuses of check, each by a process of its own: only findings are 1."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from check_cases import ALARM, COUNT, NOTHING, ROOT, SAMPLE, check, command, write_check
from databases import execute, run
from servers import Sandbox

AWAY = "host=127.0.0.1 port=1 dbname=none"


def test_findings_are_1_and_reach_every_form(sample: Sandbox, tmp_path: Path) -> None:
    write_check(tmp_path, "root", ROOT)
    write_check(tmp_path, "count", COUNT, "info")
    dsn = ("--dsn", sample.state["reader_dsn"], *SAMPLE)
    found = check(tmp_path, *dsn, "--verbose")
    assert found.returncode == 1
    assert "info  count: Title of count (T1078.004)\n  all  info: 49 events" in found.stdout
    assert "high  root: Title of root (T1078.004)\n  arn:aws:iam::" in found.stdout
    assert 'event_time="2026-11-20 21:40:03+00"' in found.stdout
    assert "Do: Look into it." in found.stdout
    assert "2 checks, deliveries from 2026-11-19T00:00:00+00:00 to" in found.stderr
    assert "1 findings, 0 suppressed, 0 could not run" in found.stderr
    found = check(tmp_path, *dsn, "--format", "json", "--parallel", "2")
    assert (found.returncode, found.stderr) == (1, "")
    document = json.loads(found.stdout)
    assert document["exit_code"] == 1
    assert [c["status"] for c in document["checks"]] == ["ok", "alarm"]


def test_nothing_found_is_0_and_silent(sample: Sandbox, tmp_path: Path) -> None:
    write_check(tmp_path, "nothing", NOTHING)
    write_check(tmp_path, "count", COUNT, "info")
    write_check(tmp_path, "root", ROOT, "low")
    found = check(tmp_path, "--dsn", sample.state["reader_dsn"], *SAMPLE, "--severity", "medium")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


# what a check must not be: name, SQL, words of the refusal
WRONG = {
    "two_statements": ("SELECT 1; SELECT 2", "cannot insert multiple commands"),
    "not_a_select": ("DELETE FROM cloudtrail_check_run", "syntax error"),
    "writes": (
        "WITH x AS (INSERT INTO cloudtrail_check_run VALUES ('x', now(), now(), 'x', 1, 1) "
        f"RETURNING 1) {NOTHING}",
        "must not contain data-modifying statements",
    ),
    "no_reason": ("SELECT 'r' AS resource, 'ok' AS status WHERE false", "no column reason"),
    "twice": ("SELECT 'r' AS resource, 'ok' AS status, '' AS reason, 1 AS n, 2 AS n", "one name"),
    "status": ("SELECT 'r' AS resource, 'ALARM' AS status, '' AS reason", "status 'ALARM'"),
    "no_status": ("SELECT 'r' AS resource, NULL AS status, '' AS reason", "status None"),
    "error_row": ("SELECT 'r' AS resource, 'error' AS status, 'why' AS reason", "first: why"),
    "slow": (
        "SELECT 'r' AS resource, 'ok' AS status, pg_sleep(20)::text AS reason",
        "statement timeout",
    ),
    "division": ("SELECT 'r' AS resource, 'ok' AS status, (1 / 0)::text AS reason", "by zero"),
}


def test_what_could_not_run_is_2_and_the_rest_runs(sample: Sandbox, tmp_path: Path) -> None:
    for name, (sql, _) in WRONG.items():
        write_check(tmp_path, name, sql)
    write_check(tmp_path, "root", ALARM)
    (tmp_path / "broken.sql").write_text("SELECT 1")
    found = check(
        tmp_path, "--dsn", sample.state["dsn"], *SAMPLE, "--format", "json", "--timeout", "2s",
        "--severity", "critical",
    )  # fmt: skip
    assert (found.returncode, "1 of 1 checks could not run: broken" in found.stderr) == (2, True)
    found = check(
        tmp_path, "--dsn", sample.state["dsn"], *SAMPLE, "--format", "json", "--timeout", "2s"
    )
    assert found.returncode == 2
    assert "11 of 12 checks could not run: broken, division, error_row" in found.stderr
    errors = {c["id"]: c["error"] for c in json.loads(found.stdout)["checks"]}
    assert errors.pop("root") is None
    assert "front-matter lacks id" in errors.pop("broken")
    for name, error in errors.items():
        assert WRONG[name][1] in error


def test_values_are_exact_whatever_their_type(sample: Sandbox, tmp_path: Path) -> None:
    write_check(
        tmp_path,
        "types",
        "SELECT 5 AS resource, 'alarm' AS status, NULL AS reason, 'infinity'::timestamptz AS t, "
        "1.10::numeric AS n, 7 AS i, true AS b, NULL::text AS z, '{\"a\": 1.0}'::jsonb AS j, "
        "ARRAY['x', NULL] AS a, '10.0.0.1'::inet AS ip, E'\\x1b%s' AS e, 'é' LIKE '%é' AS u",
    )
    found = check(tmp_path, "--dsn", sample.state["dsn"], "--format", "json")
    row = json.loads(found.stdout)["checks"][0]["findings"][0]
    assert (row["resource"], row["reason"]) == ("5", "")
    assert row["dimensions"] == {
        "t": "infinity", "n": "1.10", "i": 7, "b": True, "z": None, "j": '{"a": 1.0}',
        "a": "{x,NULL}", "ip": "10.0.0.1", "e": "\x1b%s", "u": True,
    }  # fmt: skip
    plain = check(
        tmp_path, "--dsn", sample.state["dsn"], env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert plain.returncode == 1


# all but the first in this process: a start takes longer than the rest
WRONG_USE = [
    ("--since", "1h", "--since-last-run"),
    ("--bogus",),
    ("/no/such/folder",),
    ("--since", "yesterday"),
    ("--since", "2999-01-01"),
    ("--since", "999999w"),
    ("--watermark", "x"),
    ("--severity", "urgent"),
    ("--format", "xml"),
    ("--parallel", "0"),
    ("--timeout", "0s"),
    ("--dsn", "postgres//secret"),
    (".", "--severity", "critical"),
]


def test_wrong_use_is_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_check(tmp_path, "nothing", NOTHING)
    found = check(*WRONG_USE[0], cwd=tmp_path)
    assert (found.returncode, found.stdout) == (3, "")
    assert "give --since or --since-last-run" in found.stderr
    monkeypatch.chdir(tmp_path)
    for arguments in WRONG_USE[1:]:
        result = run("check", *arguments)
        assert (result.exit_code, arguments) == (3, arguments)
        assert "Error: " in result.output
        assert "secret" not in result.output


def test_no_database_is_2_and_names_the_checks(tmp_path: Path) -> None:
    write_check(tmp_path, "nothing", NOTHING)
    write_check(tmp_path, "root", ROOT)
    found = check(tmp_path, "--dsn", AWAY)
    assert found.returncode == 2
    assert "2 of 2 checks could not run: nothing, root" in found.stderr
    for form in ("table", "json", "csv", "junit"):
        result = run("check", str(tmp_path), "--dsn", AWAY, "--format", form)
        assert result.exit_code == 2
        for word in ("nothing", "root", "Connection refused"):
            assert word in result.output


def test_a_database_without_ours_is_2(sample: Sandbox, tmp_path: Path) -> None:
    write_check(tmp_path, "nothing", NOTHING)
    dsn = sample.state["dsn"].replace("/security", "/template1")
    found = check(tmp_path, "--dsn", dsn)
    assert found.returncode == 2
    assert "not installed here" in found.stdout


def test_our_own_crash_is_2(tmp_path: Path) -> None:
    write_check(tmp_path, "nothing", NOTHING)
    code = (
        "import cloudtrail_fdw.cli.check.check as c, sys\n"
        "def crash(*given): raise ZeroDivisionError('a \\x1b defect')\n"
        "c.begin = crash\n"
        f"sys.argv[1:] = ['check', {str(tmp_path)!r}]\n"
        "from cloudtrail_fdw.cli import main; main()\n"
    )
    found = subprocess.run(
        [command()[0], "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 2
    assert "a defect of cloudtrail-fdw" in found.stderr
    assert "ZeroDivisionError: a \\x1b defect" in found.stderr


def test_output_that_cannot_be_written_is_2(tmp_path: Path) -> None:
    write_check(tmp_path, "nothing", NOTHING)
    with Path("/dev/full").open("w") as full:
        assert check(tmp_path, "--dsn", AWAY, stdout=full).returncode == 2
    reader, writer = os.pipe()
    os.close(reader)
    assert check(tmp_path, "--dsn", AWAY, stdout=writer).returncode == 2
    os.close(writer)


def test_a_reader_may_check_and_not_suppress(sample: Sandbox, tmp_path: Path) -> None:
    write_check(tmp_path, "nothing", NOTHING)
    with pytest.raises(psycopg.Error, match="permission denied"):
        execute(
            sample.state["reader_dsn"],
            "SET TRANSACTION READ WRITE",
            "INSERT INTO cloudtrail_check_suppression (check_id, reason, expires) "
            "VALUES ('root', 'x', now())",
        )
