"""How fast FilterLogEvents may be called: one bucket per account and Region, for all backends.

The quotas are those of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: calls a second
per account and Region, not adjustable. Others use them up too, so a ThrottlingException lowers
the rate for everybody, and it recovers step by step.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.recent import Recent
from cloudtrail_fdw.sources.disk.sealed_file import CHECKSUM, seal, unsealed

QUOTAS = {"us-east-1": 25.0, "eu-central-1": 5.0, "ap-northeast-3": 5.0, "ap-southeast-3": 5.0,
          "ca-west-1": 5.0, "il-central-1": 5.0}  # fmt: skip
QUOTA = 10.0  # of every other Region
BURST = 0.2  # seconds of calls that may start at once
RECOVERY = 0.02  # of the quota, for each call that was not throttled
LEAST = 0.5  # calls a second
LONGEST_QUEUE = 60.0  # seconds; a turn further ahead was taken before the machine started anew
ONE_IS_ENOUGH = 0.95  # calls on their way at once, on average, that one chain still makes
STATE = struct.Struct("dd")  # when the next call is due (monotonic), and the rate in force


class CallRate:
    """Turns to call, spaced by the rate in force; shared through ``path``, else in the process."""

    def __init__(self, quota: float, path: Optional[Path] = None) -> None:
        """A bucket that starts full."""
        self.quota = quota
        self.path = path
        self.lock = threading.Lock()
        self.memory = STATE.pack(0.0, quota)
        self.latency = 0.0  # seconds an answer takes, lately
        self.latest = 0.0  # seconds the last one took

    def wait(self, stop: threading.Event) -> None:
        """Wait for the next turn, or until ``stop`` is set."""
        now = time.monotonic()
        stop.wait(max(0.0, self.change(now, throttled=False) - now))

    def answered(self, seconds: float) -> None:
        """Note how long the service took."""
        self.latency = seconds if not self.latency else 0.7 * self.latency + 0.3 * seconds
        self.latest = seconds

    def chains(self, alone: float) -> int:
        """How many chains of calls keep the quota busy (Little's law).

        ``alone`` is how many seconds an answer took one chain by itself. Where several get theirs
        much later they wait for each other, here or in the service: more of them would only
        lengthen that wait, and hold more pages in memory. To divide a chain costs calls.
        """
        busy = self.quota * min(self.latency, 2 * alone)
        return 1 if busy < ONE_IS_ENOUGH else min(32, math.ceil(busy) + 1)

    def throttled(self) -> None:
        """Slow down: the service had no room for a call."""
        self.change(time.monotonic(), throttled=True)

    def change(self, now: float, throttled: bool) -> float:
        """Take a turn and say when it is due; or lower the rate."""
        with self.lock, contextlib.ExitStack() as stack:
            descriptor, held = -1, self.memory
            with contextlib.suppress(OSError):  # a cache that cannot be used costs only its use
                if self.path:
                    descriptor = stack.enter_context(shared(self.path))
                    sealed = os.pread(descriptor, CHECKSUM + STATE.size, 0)
                    held = bytes(unsealed(self.path.name, sealed) or b"")
            due, rate = STATE.unpack(held) if len(held) == STATE.size else (0.0, self.quota)
            if not LEAST <= rate <= self.quota:  # NaN is not either
                rate = self.quota
            if not now - LONGEST_QUEUE < due < now + LONGEST_QUEUE:  # nobody called for long
                due, rate = now - BURST, self.quota
            turn: float = max(due, now - BURST)
            if throttled:
                rate = max(LEAST, rate * 0.7)
            else:
                due, rate = turn + 1 / rate, min(self.quota, rate + RECOVERY * self.quota)
            self.memory = STATE.pack(due, rate)
            if self.path and descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.pwrite(descriptor, seal(self.path.name, self.memory) + self.memory, 0)
            return turn


@contextlib.contextmanager
def shared(path: Path) -> Iterator[int]:
    """A descriptor of the bucket's file, locked against other backends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


MOST_RATES = 1_000  # of a kilobyte
RATES: Recent[tuple[str, str], CallRate] = Recent(MOST_RATES)


def call_rate(bucket: str, region: str, most: int, directory: Optional[Path]) -> CallRate:
    """The process's bucket for ``bucket`` (an account, an endpoint); ``most`` calls if not 0."""
    quota = float(most) or QUOTAS.get(region, QUOTA)
    path = directory / f"rate-{bucket}-{region}" if directory else None
    key = (f"{bucket} {quota}", str(path))
    return RATES.made(key, lambda: CallRate(quota, path))
