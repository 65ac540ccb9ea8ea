"""The probe's tables as Multicorn has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multicorn import ForeignDataWrapper
from probe_data import ProbeTable


class ProbeFdw(ProbeTable, ForeignDataWrapper):  # type: ignore[misc]
    """Multicorn's class."""

    def __init__(self, options: Mapping[str, str], columns: Mapping[str, Any]) -> None:
        ForeignDataWrapper.__init__(self, options, columns)
        ProbeTable.__init__(self, options, columns)
