"""What an attacker writes into an event stays text wherever a report is read."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import datetime, timezone
from xml.etree import ElementTree as ET

import pytest

from cloudtrail_fdw.cli.check.check_files import Check
from cloudtrail_fdw.cli.check.check_junit import to_junit
from cloudtrail_fdw.cli.check.check_outcome import Outcome, Report, Row, Suppression, Window
from cloudtrail_fdw.cli.check.check_output import table, to_csv, to_json, visible

# a window title, C1's CSI, DEL, right-to-left override, a new line, a NUL's picture, XML's end
HOSTILE = "\x1b]0;owned\x07\x9b31m\x7f\u202eevil\u2066\r\nhigh  fake\u2028\ufffe]]></failure>&<"
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", " =1")
AT = datetime(2026, 11, 20, tzinfo=timezone.utc)
CHECK = Check("a_check", "Title", "high", ("T1078",), "Do it.", "SELECT")


def report(*outcomes: Outcome) -> Report:
    return Report(outcomes, Window(AT, AT), 1.5)


def hostile(text: str = HOSTILE) -> Report:
    row = Row(text, "alarm", text, {"user_agent": text, text: text})
    suppressed = replace(row, suppression=Suppression(text, AT, "me"))
    found = Outcome(
        replace(CHECK, title=text, do=text), (row, suppressed, replace(row, status="info"))
    )
    return report(found, Outcome(replace(CHECK, id="b", do=text), (row,), error=text))


def controls(text: str) -> list[str]:
    return [c for c in text if c != "\n" and not c.isprintable()]


def test_tables_and_csv_hold_no_character_that_a_terminal_acts_on() -> None:
    shown = table(hostile(), verbose=True)
    shown = shown.replace("\x1b[31m", "").replace("\x1b[1m", "").replace("\x1b[0m", "")  # ours
    assert controls(shown) == []
    assert not any(line.startswith("high  fake") for line in shown.splitlines())
    assert "\\x1b]0;owned\\x07\\x9b31m\\x7f\\u202eevil\\u2066\\x0d\\x0ahigh" in shown
    assert controls(to_csv(hostile())) == []


def test_junit_is_xml_and_says_what_failed() -> None:
    text = to_junit(hostile())
    assert controls(text) == []
    suite = ET.fromstring(text)[0]  # noqa: S314
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "1")
    failure, error = suite.find("testcase/failure"), suite.find("testcase/error")
    assert failure is not None
    assert error is not None
    assert failure.get("message") == f"1 found: {visible(HOSTILE)}"
    assert visible(HOSTILE) in str(failure.text)
    assert error.get("message") == visible(HOSTILE)
    assert [case.get("name") for case in suite] == ["a_check", "b"]
    assert visible(HOSTILE) in str(suite[1].findtext("system-out"))


def test_json_is_ascii_and_exact() -> None:
    text = to_json(hostile())
    assert text.isascii()
    assert "\x7f" not in text
    document = json.loads(text)
    first, second = document["checks"]
    finding = first["findings"][0]
    assert (finding["resource"], finding["dimensions"]["user_agent"]) == (HOSTILE, HOSTILE)
    assert first["suppressed"][0]["suppression"]["reason"] == HOSTILE
    assert (second["status"], second["error"], len(second["findings"])) == ("error", HOSTILE, 1)
    assert document["exit_code"] == 2
    assert document["summary"] == {"checks": 2, "findings": 2, "suppressed": 1, "could_not_run": 1}


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_csv_is_a_formula(formula: str) -> None:
    lines = list(csv.reader(io.StringIO(to_csv(hostile(formula)))))
    assert [line[4] for line in lines] == ["status", "alarm", "alarm", "info", "alarm", "error"]
    for line in lines:
        assert len(line) == 10
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d")) for cell in line)
    assert json.loads(lines[1][7])["user_agent"] == formula


def test_words_of_an_attacker_are_not_a_dimension() -> None:
    row = Row("r", "alarm", "x", {"user_agent": 'curl event_id="1"', "n": 5, "none": None})
    shown = table(report(Outcome(CHECK, (row,))), verbose=False)
    assert r'user_agent="curl event_id=\"1\"" n=5 none=-' in shown


def test_a_clean_table_is_empty_and_the_other_forms_are_whole() -> None:
    clean = report(
        Outcome(CHECK, (Row("r", "ok", ""),)),
        Outcome(replace(CHECK, id="b"), (Row("r", "skip", ""),)),
    )
    assert clean.exit_code == 0
    assert table(clean, verbose=True) == ""
    assert [line[:9] for line in to_csv(clean).splitlines()] == ['"check_id']
    assert [check["status"] for check in json.loads(to_json(clean))["checks"]] == ["ok", "skip"]
    suite = ET.fromstring(to_junit(clean))[0]  # noqa: S314
    assert [[child.tag for child in case] for case in suite] == [[], ["skipped"]]


def test_checks_that_fail_alike_are_told_together() -> None:
    failed = [Outcome(replace(CHECK, id=name), error="AWS is away") for name in "abc"]
    assert "a, b, c\n  AWS is away\n" in table(report(*failed), verbose=False)
