"""What came of what was tried, and how an answer of the server is told apart."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import psycopg

Db = psycopg.Connection[tuple[Any, ...]]
PLANTED = "PLANTEDsecret"  # in every secret that a part plants
PATIENCE = 60.0  # seconds of statement_timeout
KILLED = re.compile(r"\(PID \d+\) was terminated by signal")  # a worker's end has no PID there
CANCELLED, ENDED = "57014", "57P01"


@dataclass
class Tally:
    """Counts of one part on one server; ``notes`` have the first of what must not be."""

    tried: int = 0
    exact: int = 0
    right_error: int = 0
    wrong: int = 0
    crashes: int = 0
    hangs: int = 0
    secrets: int = 0
    notes: list[str] = field(default_factory=list)
    terminates: bool = False  # whether the part itself ends sessions, which then may lose the words

    def note(self, kind: str, text: str) -> None:
        """Count something bad, and keep its text if it is one of the first."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.notes) < 20:
            self.notes.append(f"{kind}: {text[:2000]}")

    @property
    def bad(self) -> bool:
        """Whether the part shows a defect, or proves nothing."""
        return bool(self.wrong or self.crashes or self.hangs or self.secrets or not self.tried)


@dataclass
class Answer:
    """Rows, or the error; ``seconds`` is how long it took."""

    rows: Optional[list[tuple[Any, ...]]]
    error: Optional[psycopg.Error]
    seconds: float

    @property
    def text(self) -> str:
        """All that a client may read of the error."""
        if self.error is None:
            return ""
        diag = self.error.diag
        parts = (diag.message_primary, diag.message_detail, diag.message_hint, diag.context)
        return "\n".join(filter(None, parts)) or str(self.error)

    @property
    def says_what_to_do(self) -> bool:
        """Whether the error has a code of its own and a hint."""
        if self.error is None or self.error.sqlstate in (None, "XX000"):
            return False
        return bool(self.error.diag.message_hint) or self.error.sqlstate in (CANCELLED, ENDED)


def ask(db: Db, query: str, tally: Tally) -> Answer:
    """The server's answer; crashes, hangs and planted secrets are counted."""
    begun = time.monotonic()
    rows, failed = None, None
    try:
        cursor = db.execute(query.encode())
        rows = cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        failed = error
    answer = Answer(rows, failed, time.monotonic() - begun)
    if failed is not None and db.broken and failed.sqlstate != ENDED and not tally.terminates:
        tally.note("crashes", f"{query}\n{failed}")
    if answer.seconds > PATIENCE + 10:
        tally.note("hangs", f"{answer.seconds:.0f} s: {query}")
    if PLANTED in answer.text or (rows and PLANTED in str(rows)):
        tally.note("secrets", f"{query}\n{answer.text}")
    return answer


def search_log(path: Path, tally: Tally) -> None:
    """Count what the server's log shows of crashes and secrets."""
    log = path.read_text(errors="replace")
    for line in log.splitlines():
        if KILLED.search(line) or "PANIC" in line:
            tally.note("crashes", line)
        if PLANTED in line:
            tally.note("secrets", line)
