"""What came of the checks of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional

from cloudtrail_fdw.cli.check.check_files import Check
from cloudtrail_fdw.errors import FdwError

STATUSES = ("alarm", "info", "ok", "error", "skip")  # Powerpipe's


@dataclass(frozen=True)
class Suppression:
    """Why a finding does not count, and until when."""

    reason: str
    expires: datetime
    created_by: str


@dataclass(frozen=True)
class Row:
    """One row of a check; ``dimensions`` are its further columns, str, int, bool or None."""

    resource: Optional[str]
    status: str
    reason: str
    dimensions: dict[str, object] = field(default_factory=dict)
    suppression: Optional[Suppression] = None
    expired: Optional[Suppression] = None


@dataclass(frozen=True)
class Outcome:
    """The rows of a check, or why it could not run, or both."""

    check: Check
    rows: tuple[Row, ...] = ()
    error: str = ""
    seconds: float = 0.0

    @property
    def findings(self) -> list[Row]:
        """What counts."""
        return [row for row in self.rows if row.status == "alarm" and not row.suppression]

    @property
    def suppressed(self) -> list[Row]:
        """What would count."""
        return [row for row in self.rows if row.status == "alarm" and row.suppression]

    @property
    def infos(self) -> list[Row]:
        """What is worth telling and no finding."""
        return [row for row in self.rows if row.status == "info"]

    @property
    def status(self) -> str:
        """Error, alarm, skip when there is nothing else, or ok."""
        if self.error:
            return "error"
        if self.findings:
            return "alarm"
        return "skip" if {row.status for row in self.rows} == {"skip"} else "ok"


@dataclass(frozen=True)
class Window:
    """The deliveries that a run looks at: from ``since``, before ``until``."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Report:
    """One run; no window when it came to an end before there was one."""

    outcomes: tuple[Outcome, ...]
    window: Optional[Window] = None
    seconds: float = 0.0

    @property
    def not_run(self) -> list[Outcome]:
        """Those that could not run, in whole or in part."""
        return [outcome for outcome in self.outcomes if outcome.error]

    @property
    def findings(self) -> int:
        """How many count."""
        return sum(len(outcome.findings) for outcome in self.outcomes)

    @property
    def suppressed(self) -> int:
        """How many are suppressed."""
        return sum(len(outcome.suppressed) for outcome in self.outcomes)

    @property
    def exit_code(self) -> int:
        """2 when a check could not run, else 1 when there are findings, else 0."""
        return 2 if self.not_run else int(self.findings > 0)


def words(error: FdwError) -> str:
    """Message, detail and hint in one line."""
    parts = (
        error.message,
        error.detail and f"Detail: {error.detail}",
        error.hint and f"Hint: {error.hint}",
    )
    return " ".join(" ".join(part.split()) for part in parts if part)
