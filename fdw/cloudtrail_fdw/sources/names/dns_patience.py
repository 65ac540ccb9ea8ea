"""How long one query waits for name servers that say nothing."""

from __future__ import annotations

import time
from typing import Optional

MARGIN = 0.1  # seconds; what a busy machine adds


class Patience:
    """What one query may still spend on silence.

    An answer is given somewhat longer than those before it took, as TCP does (RFC 6298). Waiting
    beyond that takes from ``rest``, seconds in all. Servers that then stay silent for half as
    long again are not waited for until they are heard. Times are those of the monotonic clock.
    """

    def __init__(self, whole: float) -> None:
        self.whole, self.rest = whole, whole
        self.answers = 0
        self.mean, self.spread = 0.0, 0.0  # of the seconds that answers took
        self.vain = 0.0  # seconds of waits since something was heard, the rest being spent
        self.heard_at = time.monotonic()

    def hear(self, seconds: Optional[float]) -> None:
        """An answer has come, so long after its question, None where that is not known."""
        self.answers += 1
        self.vain = 0.0
        self.heard_at = time.monotonic()
        if seconds is None:
            return
        if not self.mean:
            self.mean, self.spread = seconds, seconds / 2
        self.spread += (abs(seconds - self.mean) - self.spread) / 4
        self.mean += (seconds - self.mean) / 8

    def expected(self) -> float:
        """Seconds that an answer takes at most, going by those before it."""
        return self.mean + 4 * self.spread + MARGIN

    def usual(self) -> float:
        """Seconds in which an answer comes if it comes; none where servers have fallen silent."""
        if not self.answers or self.vain > self.whole / 2:
            return 0.0
        return min(self.expected(), self.whole / 4)

    def hopeless(self) -> bool:
        """Whether nobody has said anything for so long that nothing need be asked any more."""
        return not self.answers and self.rest <= 0

    def left(self, quiet: float) -> float:
        """Seconds to go on waiting for what has been quiet for ``quiet`` seconds."""
        return max(self.usual() - quiet, self.rest)

    def spend(self, seconds: float, quiet: float) -> None:
        """So much has just been waited; the part of it beyond the usual is taken from the rest."""
        self.rest -= max(0.0, min(seconds, quiet - self.usual()))

    def end(self, seconds: float, answers: int) -> None:
        """A wait is over that took so long and in which so many answers were heard."""
        if not answers and self.rest <= 0:
            self.vain += min(seconds, self.usual())
