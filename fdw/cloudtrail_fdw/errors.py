"""The one error type: everything a query can be told to do about a failure."""

from __future__ import annotations

import sys
from typing import Optional

INTERRUPTED = 130  # exit status, as a shell has it: 128 and the number of SIGINT


class FdwError(Exception):
    """A failure that ends the query with words for the person who asked.

    ``message`` says what failed, ``hint`` what to do, ``detail`` the circumstances (never a
    secret). ``sqlstate`` is one of PostgreSQL's codes (Appendix A of its manual): class HV for
    foreign data, 28000, 53400 or 57014.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: Optional[str] = None,
        detail: Optional[str] = None,
        sqlstate: str = "HV000",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail
        self.sqlstate = sqlstate

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling, as keyword-only arguments otherwise would not."""
        state = {"hint": self.hint, "detail": self.detail, "sqlstate": self.sqlstate}
        return (type(self), (self.message,), state)


def missing_package(name: str, error: ImportError) -> FdwError:
    """The error for a Python package that the server's interpreter cannot import."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return FdwError(
        f"the Python package {name} cannot be imported",
        detail=str(error),
        hint=f"Install it for the server's Python {version}: pip install {name}",
        sqlstate="HV00L",
    )
