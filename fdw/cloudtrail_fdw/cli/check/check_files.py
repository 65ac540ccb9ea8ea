"""Check files: which there are, and what their front-matter says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cloudtrail_fdw.errors import FdwError

PACKAGED = Path(__file__).parents[2] / "sql" / "checks"
SEVERITIES = ("critical", "high", "medium", "low", "info")
KEYS = ("id", "title", "severity", "technique", "do")
FIELD = re.compile(r"-- ([a-z]+):(?: +(.*))?")
CONTINUED = re.compile(r"-- {3,}(\S.*)")
TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?", re.ASCII)


@dataclass(frozen=True)
class Check:
    """One question: its front-matter and its SELECT; ``problem`` is why the file is no check."""

    id: str
    title: str
    severity: str
    technique: tuple[str, ...]
    do: str
    sql: str
    problem: str = ""


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files named, and the ``*.sql`` of the folders named; each once, sorted by name."""
    found: dict[Path, Path] = {}
    for path in paths or [PACKAGED]:
        for file in path.glob("*.sql") if path.is_dir() else [path]:
            found.setdefault(file.resolve(), file)
    return sorted(found.values(), key=lambda file: (file.name, str(file)))


def read_checks(files: Sequence[Path], severity: str) -> list[Check]:
    """The checks of at least ``severity``; files that are none come along, with their problem."""
    checks = [read_file(file) for file in files]
    times = Counter(check.id for check in checks)
    checks = [
        replace(check, problem=f"{times[check.id]} files have the id {check.id}")
        if times[check.id] > 1 and not check.problem
        else check
        for check in checks
    ]
    wanted = SEVERITIES[: SEVERITIES.index(severity) + 1]
    return [check for check in checks if check.problem or check.severity in wanted]


def read_file(path: Path) -> Check:
    """One file."""
    try:
        return read_text(path.read_text("utf-8"), path.stem)
    except (OSError, UnicodeDecodeError, FdwError) as error:
        return Check(path.stem, path.name, "", (), "", "", f"{path}: {error}")


def read_text(text: str, name: str) -> Check:
    """The check in a file's text; FdwError says what its front-matter lacks."""
    given = front_matter(text)
    lacking = [key for key in KEYS if key not in given]
    if lacking:
        raise FdwError(f"the front-matter lacks {', '.join(lacking)}")
    technique = tuple(part.strip() for part in given["technique"].split(",") if part.strip())
    if given["id"] != name:
        raise FdwError(f"the id is not the file's name, {name}")
    if given["severity"] not in SEVERITIES:
        raise FdwError(f"the severity is not one of {', '.join(SEVERITIES)}")
    if not all(TECHNIQUE.fullmatch(part) for part in technique):
        raise FdwError("technique is not a list of ATT&CK techniques such as T1078.004")
    if not (given["title"] and given["do"]):
        raise FdwError("title and do may not be empty")
    return Check(name, given["title"], given["severity"], technique, given["do"], text)


def front_matter(text: str) -> dict[str, str]:
    """The fields in the comment lines at the top; FdwError for a line that is none."""
    given: dict[str, str] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("--"):
            break
        field, continued = FIELD.fullmatch(line.rstrip()), CONTINUED.fullmatch(line.rstrip())
        if field and field[1] in KEYS and field[1] not in given:
            key = field[1]
            given[key] = field[2] or ""
        elif continued and key:
            given[key] = f"{given[key]} {continued[1]}".strip()
        else:
            raise FdwError(
                f"line {number} of the front-matter is neither one of "
                f"{', '.join(KEYS)}, each once, nor a continuation"
            )
    return given
