"""When AWS fails in a run, the checks that did not run are named, and nothing looks clean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from check_cases import COUNT, ROOT, SAMPLE, check, write_check
from databases import run
from servers import Sandbox, start

# the fault, how long a check may take, and what it then says
FAULTS = [
    ("throttle", "2s", "statement timeout"),  # waited for until then
    ("expired-token", "1m", "Renew the AWS credentials"),
]
# what is an error of a check, as each form has it
FORMS = {"table": "could not run: root", "csv": '"error"', "junit": "<error "}


@pytest.mark.parametrize(("fault", "timeout", "words"), FAULTS)
def test_faults_are_2_in_each_form(
    sample: Sandbox, tmp_path: Path, fault: str, timeout: str, words: str
) -> None:
    write_check(tmp_path, "root", ROOT)
    arguments = (str(tmp_path), "--dsn", sample.state["reader_dsn"], *SAMPLE, "--timeout", timeout)
    sample.command("fault", fault, "on")
    try:
        found = check(*arguments, "--format", "json")
        assert found.returncode == 2
        assert "1 of 1 checks could not run: root" in found.stderr
        assert words in json.loads(found.stdout)["checks"][0]["error"]
        for form, mark in FORMS.items():
            result = run("check", *arguments, "--format", form)
            assert result.exit_code == 2
            assert mark in result.output
            assert words in result.output
    finally:
        sample.command("fault", fault, "off")


def test_killing_aws_in_mid_run_names_the_checks_that_did_not_run(
    kind: str, tmp_path: Path
) -> None:
    plain = "SELECT 'x' AS resource, 'info' AS status, 'no event' AS reason"
    for name, sql in {"a": plain, "b": COUNT, "c": ROOT, "d": COUNT}.items():
        write_check(tmp_path, name, sql)
    for sandbox in start(kind, "killed-check", "--scan-mb", "0.01"):
        sandbox.command("fault", "die-after-pages", "on")
        dsn = sandbox.state["reader_dsn"]
        found = check(tmp_path, "--dsn", dsn, *SAMPLE, "--format", "json")
        assert found.returncode == 2
        assert "3 of 4 checks could not run: b, c, d" in found.stderr
        document = json.loads(found.stdout)["checks"]
        assert document[0]["info"][0]["reason"] == "no event"
        assert all("cannot reach AWS" in c["error"] for c in document[1:])
