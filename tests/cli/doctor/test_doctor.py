"""The doctor finds what is wrong, and says fail only of what does not work."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from cloudtrail_fdw.cli import main
from cloudtrail_fdw.cli.doctor.doctor_aws import judge_group
from cloudtrail_fdw.cli.doctor.doctor_data import judge_age, judge_data
from cloudtrail_fdw.sandbox import aws_process
from databases import installed
from servers import Sandbox


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for the local AWS only."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments])


def marked(result: Result, mark: str) -> list[str]:
    return [line[6:] for line in result.output.splitlines() if line.startswith(mark)]


def execute(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_working_installation_has_no_failure(sample: Sandbox) -> None:
    result = doctor(sample.state["dsn"])
    assert result.exit_code == 0, result.output
    assert marked(result, "fail") == []
    good = "\n".join(marked(result, "ok"))
    for claim in ("are of this version", "options are valid", "loads the wrapper",
                  "reverse DNS answers", "1 trail(s)", "own handler is in use",
                  "role cloudtrail_reader finds the tables", "cloudtrail:LookupEvents is allowed",
                  "cloudtrail:GetTrailStatus is allowed", "the page cache holds",
                  f"may read log group {sample.state['log_group']}"):  # fmt: skip
        assert claim in good
    warned = "\n".join(marked(result, "warn"))
    assert "bundled sample" in warned


def test_without_an_installation(new_database: Any) -> None:
    dsn = new_database()
    result = doctor(dsn)
    assert result.exit_code == 1
    assert "not installed in this database" in "".join(marked(result, "fail"))


@pytest.mark.multicorn
def test_without_multicorn_that_is_needed(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    execute(dsn, "DROP EXTENSION multicorn")
    assert "without extension multicorn" in "".join(marked(doctor(dsn), "fail"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP FOREIGN TABLE cloudtrail.cloudtrail_trail CASCADE",
         "tables are missing: cloudtrail_trail"),
        ("ALTER FOREIGN TABLE cloudtrail.ip_enrichment DROP COLUMN city CASCADE",
         "of another version"),
        ("CREATE OR REPLACE FUNCTION cloudtrail.cloudtrail_fdw_validator(options text[], "
         "catalog oid) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'", "of another version"),
        ("ALTER SERVER cloudtrail OPTIONS (ADD geo_database '/no/such/file')", "/no/such/file"),
        ("ALTER SERVER cloudtrail OPTIONS (ADD region 'us-east-1', "
         "ADD endpoint_url 'http://127.0.0.1:9')", "cannot reach AWS"),
    ],
    ids=["table", "column", "validator", "file", "endpoint"],
)  # fmt: skip
def test_what_is_broken_fails(new_database: Any, change: str, said: str) -> None:
    dsn = new_database()
    installed(dsn)
    execute(dsn, change)
    result = doctor(dsn)
    assert result.exit_code == 1, result.output
    assert said in "".join(marked(result, "fail"))


def test_what_slows_or_hides_is_a_warning(sample: Sandbox, new_database: Any) -> None:
    dsn = new_database()
    options = [f"endpoint_url={sample.state['aws_endpoint']}", "region=us-east-1",
               "cache_directory=/proc/not-to-be-made"]  # fmt: skip
    arguments = [part for option in options for part in ("--option", option)]
    installed(dsn, "--reader", "test_reader", *arguments)
    database = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    execute(dsn, f"ALTER ROLE test_reader IN DATABASE {database} SET search_path = 'x', public")
    folder, denied = Path(sample.state["dir"]), {"name": "access-denied", "action": "LookupEvents"}
    aws_process.control(folder, "fault", b"", on="1", **denied)
    result = doctor(dsn)
    aws_process.control(folder, "fault", b"", on="0", **denied)
    assert marked(result, "fail") == []
    warned = "\n".join(marked(result, "warn"))
    assert "role test_reader must write" in warned
    assert "the page cache holds nothing" in warned
    assert "cloudtrail_event_history cannot be read: AWS refused cloudtrail:LookupEvents" in warned


def test_no_database_there() -> None:
    result = doctor("postgresql://u:hunter2@127.0.0.1:1/d")
    assert result.exit_code == 1
    assert "hunter2" not in result.output
    assert "connection" in "".join(marked(result, "fail"))


def test_ages_of_data_files() -> None:
    today = datetime.now(timezone.utc).date()
    old = today - timedelta(days=61)
    assert judge_age("x", f"City {today}", 60).mark == "ok"
    assert judge_age("x", f"City {old}", 60).mark == "warn"
    assert judge_age("x", "no date", 60).mark == "warn"
    fresh = list(judge_data(f"City {today}", str(today), ranges_sample=False))
    assert [finding.mark for finding in fresh] == ["ok", "ok"]
    samples = list(judge_data(f"bundled sample of City {today}", str(today), ranges_sample=True))
    assert [finding.mark for finding in samples] == ["warn", "warn"]


def test_a_log_group_of_a_class_that_cannot_be_filtered_fails() -> None:
    group = {"logGroupName": "g", "logGroupClass": "INFREQUENT_ACCESS", "retentionInDays": 30}
    assert judge_group([group], "g", "").mark == "fail"
    assert judge_group([{"logGroupName": "g"}], "g", "").mark == "ok"
    assert judge_group([], "g", "").mark == "fail"
