"""What the doctor says: one line a finding."""

from __future__ import annotations

from typing import NamedTuple

from cloudtrail_fdw.errors import FdwError


class Finding(NamedTuple):
    """One line: ``mark`` is ok, warn or fail."""

    mark: str
    text: str


def failed(error: FdwError) -> Finding:
    """An error with all it says as one finding."""
    parts = (error.message, error.detail, error.hint)
    return Finding("fail", ". ".join(" ".join(part.split()).rstrip(".") for part in parts if part))
