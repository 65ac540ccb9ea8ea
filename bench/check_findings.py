"""What the checks find in the public records of an attack simulation, and what fires besides.

    python bench/check_findings.py cloudtrail-2900.jsonl.gz

The events are those of github.com/invictus-ir/aws_dataset (MIT), one a line: 2,900 of one account,
recorded on 2023-07-10 while somebody ran Stratus Red Team. They are not part of this repository.
The tool writes the id of a run into userAgent, which tells here whose event a finding is of; no
check looks at it.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg

from cloudtrail_fdw.sandbox import runtime

CHECKS = Path(__file__).parents[1] / "sql" / "checks"
RUN = re.compile(r"stratus-red-team_([0-9a-f]{8})")
# Technique of the tool, and the beginnings of the ids of the runs that carried it out.
TECHNIQUES = {
    "credential-access.ec2-get-password-data": ["39f95f43"],
    "credential-access.ec2-steal-instance-credentials": ["6a7ec681"],
    "credential-access.secretsmanager-retrieve-secrets": ["561fe49b"],
    "credential-access.ssm-retrieve-securestring-parameters": ["11a6ef34"],
    "defense-evasion.cloudtrail-delete": ["99607e74"],
    "defense-evasion.cloudtrail-event-selectors": ["1d949e3e"],
    "defense-evasion.cloudtrail-lifecycle-rule": ["4990da05"],
    "defense-evasion.cloudtrail-stop": ["1e5be608", "717d4d39", "e27c7b82"],
    "defense-evasion.organizations-leave": ["7d2a6913"],
    "defense-evasion.vpc-remove-flow-logs": ["20f9795b"],
    "discovery.ec2-download-user-data": ["9cbca289"],
    "discovery.ec2-enumerate-from-instance": ["3a63b39c"],
    "execution.ec2-launch-unusual-instances": ["bc31c885", "d0fe321d"],
    "execution.ec2-user-data": ["21f6594c"],
    "exfiltration.ec2-security-group-open-port-22-ingress": ["2142a106"],
    "exfiltration.ec2-share-ami": ["b47d6b97"],
    "exfiltration.ec2-share-ebs-snapshot": ["36659dd6"],
    "exfiltration.rds-share-snapshot": ["06a62bf9"],
    "exfiltration.s3-backdoor-bucket-policy": ["0362e208"],
    "initial-access.console-login-without-mfa": ["01190e38"],
    "persistence.iam-backdoor-role": ["8f96a106"],
    "persistence.iam-backdoor-user": ["61e3765a"],
    "persistence.iam-create-admin-user": ["e1bd4d05"],
    "persistence.iam-create-user-login-profile": ["9f92f988"],
    "persistence.lambda-backdoor-function": ["1222242e"],
    "persistence.lambda-overwrite-code": ["7e61c71f"],
    "persistence.rolesanywhere-create-trust-anchor": ["d42001c7"],
}
RUNS = {run: technique for technique, runs in TECHNIQUES.items() for run in runs}
# What the same records hold of techniques of ATT&CK besides: the names of the calls, and a time.
STEPS = {
    "set-up: a console password for a new user (T1136.003)": ("CreateLoginProfile", "12:23"),
    "set-up: an administrators' policy on a role (T1098.003)": ("AttachRolePolicy", "12:24"),
    "steal-instance-credentials: Run Command (T1651)": ("SendCommand", "11:57"),
    "three set-ups: roles assumed until one lets in (T1548)": ("AssumeRole", "11:54"),
    "clean-up: both trails deleted (T1562.008)": ("DeleteTrail", "12:08"),
}
# One finding for many calls may begin with a call of Terraform, or of the instance itself. The
# tool's own calls pass the threshold alone: 20 secrets, 42 parameters.
MANY = {
    "secrets_many_read": "credential-access.secretsmanager-retrieve-secrets",
    "secrets_many_parameters_read": "credential-access.ssm-retrieve-securestring-parameters",
    "iam_instance_credentials_moved": "credential-access.ec2-steal-instance-credentials",
}
Findings = list[tuple[str, str, str]]


def read(path: Path) -> dict[str, Any]:
    """Events by their id."""
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
    return {event["eventID"]: event for event in map(json.loads, lines)}


def command(*arguments: str) -> str:
    """The output of ``cloudtrail-fdw sandbox``."""
    line = [sys.executable, "-m", "cloudtrail_fdw.cli", "sandbox", *arguments]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


def find(dsn: str) -> Findings:
    """Check, status and event id of every finding of 2023-07-10, as the reading role gets them."""
    found = []
    with psycopg.connect(dsn, autocommit=True, row_factory=psycopg.rows.dict_row) as db:
        db.execute("SET cloudtrail_fdw.check_since = '2023-07-10 00:00+00'")
        db.execute("SET cloudtrail_fdw.check_until = '2023-07-11 00:00+00'")
        for path in sorted(CHECKS.glob("*.sql")):
            rows = db.execute(path.read_bytes()).fetchall()
            found += [(path.stem, row["status"], row["event_id"]) for row in rows]
    return found


def whose(event: dict[str, Any], check: str) -> str:
    """The technique or step that the event of a finding carries out, else what caused it."""
    agent = str(event["userAgent"])
    run = RUN.search(agent)
    if run and "Terraform" not in agent and run.group(1) in RUNS:
        return RUNS[run.group(1)]
    if check in MANY and event["eventTime"] < "2023-07-10T12:00":
        return MANY[check]
    if run and "Terraform" not in agent:
        return "benign: Stratus takes a technique back"
    if "Terraform" in agent:
        return "benign: Terraform sets up and cleans up"
    if "amazon-ssm-agent" in agent:
        return "benign: the agent on an instance"
    if event["userIdentity"].get("invokedBy") not in (None, "AWS Internal"):
        return "benign: a service of AWS"
    return "benign: people in console and SDK"


def steps(event: dict[str, Any]) -> list[str]:
    """The further steps that an event belongs to."""
    return [
        step
        for step, (name, minute) in STEPS.items()
        if event["eventName"] == name and event["eventTime"][11:16] == minute
    ]


def table(heads: tuple[str, str], counts: dict[str, Counter[str]]) -> None:
    """A Markdown table: one row a key, its checks with counts."""
    print(f"\n| {heads[0]} | {heads[1]} |\n| --- | --- |")
    for key, checks in counts.items():
        shown = ", ".join(f"`{check}` {number}" for check, number in sorted(checks.items()))
        print(f"| {key} | {shown or 'none'} |")


def main(path: Path) -> None:
    """Run all checks and print the two tables."""
    events = read(path)
    folder = runtime.default_cache() / "bench" / "check-findings"
    state = json.loads(command("start", "--dir", str(folder), "--events", str(path.resolve())))
    try:
        findings = find(state["reader_dsn"])
    finally:
        command("stop", "--dir", str(folder))
    attacks: dict[str, Counter[str]] = {name: Counter() for name in [*TECHNIQUES, *STEPS]}
    benign: dict[str, Counter[str]] = {}
    for check, status, event_id in findings:
        names = steps(events[event_id])
        cause = whose(events[event_id], check)
        if cause in attacks:
            names.append(cause)
        elif not names:
            benign.setdefault(cause, Counter())[f"{check} ({status})"] += 1
        for name in names:
            attacks[name][f"{check} ({status})"] += 1
    found = sum(1 for checks in attacks.values() if checks)
    print(f"{len(findings)} findings, {found} of {len(attacks)} techniques and steps found")
    table(("technique", "found by"), attacks)
    table(("cause", "fires"), dict(sorted(benign.items())))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
