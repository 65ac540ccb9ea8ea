"""A run's report as a table, JSON or CSV; what attackers wrote stays text in each."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata

import click

from cloudtrail_fdw.cli.check.check_outcome import Outcome, Report, Row, Suppression

# controls, invisible and bidirectional marks, line ends, surrogates, noncharacters
UNSAFE = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Cn"})
# what makes a spreadsheet read a cell as a formula (OWASP, CSV Injection), full-width forms too
FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
PLAIN = re.compile(r"[\w./:@+-]+")
COLORS = {"critical": "magenta", "high": "red", "medium": "yellow"}
CSV_COLUMNS = (
    "check_id", "title", "severity", "technique", "status", "resource", "reason", "dimensions",
    "suppressed_until", "suppressed_because",
)  # fmt: skip


def visible(text: object) -> str:
    r"""The text with every character that a terminal may act on written as \x1b or \u202e."""
    return "".join(
        character if unicodedata.category(character) not in UNSAFE else escape(ord(character))
        for character in str(text)
    )


def escape(code: int) -> str:
    """A code point in ASCII, as Python and PostgreSQL write it."""
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 1 << 16 else (
        f"\\U{code:08x}"
    )  # fmt: skip


def cell(text: object) -> str:
    """A value that no spreadsheet reads as a formula."""
    shown = "" if text is None else visible(text)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA) else shown


def table(report: Report, *, verbose: bool) -> str:
    """Findings by check, and what did not run; empty when there is neither.

    ``verbose`` adds rows of status info and what is suppressed.
    """
    lines: list[str] = []
    for outcome in report.outcomes:
        rows = outcome.findings + (outcome.infos + outcome.suppressed if verbose else [])
        if rows:
            lines += [heading(outcome), *row_lines(rows), f"  Do: {visible(outcome.check.do)}", ""]
    reasons: dict[str, list[str]] = {}
    for outcome in report.not_run:
        reasons.setdefault(outcome.error, []).append(outcome.check.id)
    for reason, names in reasons.items():
        label = click.style("could not run", fg="red", bold=True)
        lines += [f"{label}: {visible(', '.join(names))}", f"  {visible(reason)}", ""]
    return "\n".join(lines)


def heading(outcome: Outcome) -> str:
    """Severity, id, title and techniques."""
    check = outcome.check
    label = click.style(check.severity, fg=COLORS.get(check.severity), bold=True)
    technique = f" ({', '.join(check.technique)})" if check.technique else ""
    return f"{label}  {check.id}: {visible(check.title)}{technique}"


def row_lines(rows: list[Row]) -> list[str]:
    """One line for each row, the resources in a column."""
    shown = ["-" if row.resource is None else visible(row.resource) for row in rows]
    width = min(max(map(len, shown)), 80)
    lines = []
    for resource, row in zip(shown, rows):
        pairs = [f"{visible(name)}={word(v)}" for name, v in row.dimensions.items()]
        status = "info: " if row.status == "info" else ""
        line = f"  {resource:<{width}}  {status}{visible(row.reason)}  {' '.join(pairs)}".rstrip()
        if row.suppression:
            line += f"  [suppressed {until(row.suppression)}]"
        if row.expired:
            line += f"  [no longer suppressed {until(row.expired)}]"
        lines.append(line)
    return lines


def word(value: object) -> str:
    """A dimension's value, in quotes where it could be taken for more than one."""
    shown = "-" if value is None else visible(value)
    if PLAIN.fullmatch(shown):
        return shown
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'


def until(suppression: Suppression) -> str:
    """When a suppression ends or ended, and its reason."""
    return f"until {suppression.expires.isoformat()}: {visible(suppression.reason)}"


def to_json(report: Report) -> str:
    """One document, in ASCII; values are exact."""
    window = report.window
    document = {
        "since": window.since.isoformat() if window else None,
        "until": window.until.isoformat() if window else None,
        "seconds": round(report.seconds, 3),
        "exit_code": report.exit_code,
        "summary": {
            "checks": len(report.outcomes),
            "findings": report.findings,
            "suppressed": report.suppressed,
            "could_not_run": len(report.not_run),
        },
        "checks": [check_document(outcome) for outcome in report.outcomes],
    }
    return json.dumps(document, indent=2) + "\n"


def check_document(outcome: Outcome) -> dict[str, object]:
    """One check with its rows."""
    check = outcome.check
    return {
        "id": check.id,
        "title": check.title,
        "severity": check.severity or None,
        "technique": list(check.technique),
        "do": check.do,
        "status": outcome.status,
        "error": outcome.error or None,
        "seconds": round(outcome.seconds, 3),
        "findings": [row_document(row) for row in outcome.findings],
        "suppressed": [row_document(row) for row in outcome.suppressed],
        "info": [row_document(row) for row in outcome.infos],
    }


def row_document(row: Row) -> dict[str, object]:
    """One row; ``expired`` is a suppression that no longer holds."""
    found: dict[str, object] = {
        "resource": row.resource,
        "reason": row.reason,
        "dimensions": row.dimensions,
    }
    for name, given in (("suppression", row.suppression), ("expired", row.expired)):
        if given:
            found[name] = {
                "reason": given.reason,
                "expires": given.expires.isoformat(),
                "created_by": given.created_by,
            }
    return found


def to_csv(report: Report) -> str:
    """One line for each finding, suppressed finding, info, and check that could not run."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for outcome in report.outcomes:
        rows = outcome.findings + outcome.suppressed + outcome.infos
        if outcome.error:
            rows.append(Row(None, "error", outcome.error))
        check = outcome.check
        for row in rows:
            given = row.suppression
            fields = (
                check.id, check.title, check.severity, ", ".join(check.technique),
                row.status, row.resource, row.reason, json.dumps(row.dimensions),
                given and given.expires.isoformat(), given and given.reason,
            )  # fmt: skip
            writer.writerow([cell(field) for field in fields])
    return text.getvalue()
