"""docs/checks.md: the list of sql/checks, from the front-matter of each file."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from cloudtrail_fdw.cli.check.check_files import Check, read_checks

FOLDER = Path("sql/checks")
HEADINGS = {
    "cis": "CIS AWS Foundations, monitoring",
    "compute": "Compute",
    "data": "Data",
    "discovery": "Discovery",
    "iam": "Identities",
    "logging": "Logging",
    "network": "Network",
    "organization": "Organization",
    "secrets": "Secrets",
    "where": "Where from",
}
ATTACK = "https://attack.mitre.org/techniques/{}/"


def checks_list(top: Path) -> str:
    """One list for each first word of the ids; ValueError names a file that is no check."""
    checks = read_checks(sorted((top / FOLDER).glob("*.sql")), "info")
    for check in checks:
        if check.problem:
            raise ValueError(check.problem)
    return "".join(
        f"### {HEADINGS.get(word, word)}\n\n" + "".join(map(entry, group)) + "\n"
        for word, group in groupby(checks, lambda check: check.id.partition("_")[0])
    )


def entry(check: Check) -> str:
    """A check as an item: its file, severity, techniques, title and what to do."""
    about = [check.severity, *(technique(name) for name in check.technique)]
    file = f"[{check.id}](../{FOLDER}/{check.id}.sql)"
    return f"- **{check.title}** ({', '.join(about)}), {file}.\n  {check.do}\n"


def technique(name: str) -> str:
    """A technique of MITRE ATT&CK with its page."""
    return f"[{name}]({ATTACK.format(name.replace('.', '/'))})"
