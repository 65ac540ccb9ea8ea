"""A run's report as JUnit's XML, as CI servers read it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from cloudtrail_fdw.cli.check.check_outcome import Outcome, Report
from cloudtrail_fdw.cli.check.check_output import row_lines, visible


def to_junit(report: Report) -> str:
    """One test case for each check: failure for findings, error for one that could not run."""
    counts = {
        "tests": str(len(report.outcomes)),
        "failures": str(sum(outcome.status == "alarm" for outcome in report.outcomes)),
        "errors": str(len(report.not_run)),
        "skipped": str(sum(outcome.status == "skip" for outcome in report.outcomes)),
        "time": f"{report.seconds:.3f}",
    }
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", {"name": "cloudtrail-fdw check", **counts})
    for outcome in report.outcomes:
        suite.append(test_case(outcome))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def test_case(outcome: Outcome) -> ET.Element:
    """One check; the class is its severity."""
    check = outcome.check
    case = ET.Element(
        "testcase",
        {
            "classname": f"cloudtrail-fdw.{check.severity or 'unknown'}",
            "name": visible(check.id),
            "time": f"{outcome.seconds:.3f}",
        },
    )
    if outcome.error:
        ET.SubElement(case, "error", {"message": visible(outcome.error)})
    elif outcome.status == "skip":
        ET.SubElement(case, "skipped")
    if outcome.findings and not outcome.error:
        title = f"{len(outcome.findings)} found: {visible(check.title)}"
        failure = ET.SubElement(
            case, "failure", {"message": title, "type": ", ".join(check.technique) or "finding"}
        )
        failure.text = "\n".join([*row_lines(outcome.findings), f"  Do: {visible(check.do)}"])
    others = outcome.suppressed + outcome.infos + (outcome.findings if outcome.error else [])
    if others:
        ET.SubElement(case, "system-out").text = "\n".join(row_lines(others))
    return case
