"""The account that the sandbox plays: its groups, limits, faults and counts."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from cloudtrail_fdw.sandbox import events
from cloudtrail_fdw.sandbox.local_aws.faults import Faults
from cloudtrail_fdw.sandbox.local_aws.identity import Identities
from cloudtrail_fdw.sandbox.local_aws.lookup_events import History
from cloudtrail_fdw.sandbox.local_aws.store import NAME, REGION, LogGroup
from cloudtrail_fdw.sandbox.local_aws.tokens import Tokens
from cloudtrail_fdw.sandbox.local_aws.trails import Trail


@dataclass
class Stats:
    """What has been asked and sent; events, bytes and empty pages are FilterLogEvents'."""

    calls: Counter[str] = field(default_factory=Counter)
    events: int = 0
    bytes: int = 0
    throttles: int = 0
    empty_pages: int = 0

    def shape(self) -> dict[str, Any]:
        """The JSON that ``sandbox stats`` prints."""
        return {
            "calls": dict(sorted(self.calls.items())),
            "events": self.events,
            "bytes": self.bytes,
            "throttles": self.throttles,
            "empty_pages": self.empty_pages,
        }


@dataclass(frozen=True)
class Limits:
    """Latency of a call in ms, calls a second of each action, MB scanned a call; 0 is none."""

    latency_ms: float = 0.0
    tps: float = 0.0
    scan_mb: float = 0.0


class Quota:
    """A token bucket for each action that holds one second of calls."""

    def __init__(self, tps: float) -> None:
        self.tps = tps
        self.left: dict[str, tuple[float, float]] = {}

    def take(self, action: str) -> bool:
        """Whether a call is within the quota now."""
        if not self.tps:
            return True
        moment = time.monotonic()
        most = max(1.0, self.tps)
        left, since = self.left.get(action, (most, moment))
        left = min(most, left + (moment - since) * self.tps)
        granted = left >= 1
        self.left[action] = (left - granted, moment)
        return granted


class Account:
    """All state of the sandbox. ``group`` is the one that the trail delivers to."""

    def __init__(self, log_group: str, limits: Limits) -> None:
        self.groups: dict[str, LogGroup] = {}
        self.group = self.create(log_group)
        self.trail = Trail(self.group)
        self.history = History(self.group)
        self.limits = limits
        self.quota = Quota(limits.tps)
        self.faults = Faults()
        self.identities = Identities()
        self.tokens = Tokens()
        self.stats = Stats()
        self.given_back: Counter[str] = Counter()  # tokens, by the fault patient-token
        self.requests: deque[dict[str, Any]] = deque(maxlen=1000)

    @property
    def scan_bytes(self) -> int:
        """The scan budget of a call in bytes, 0 for none."""
        return int(self.limits.scan_mb * 1_048_576)

    def create(self, name: str, log_class: str = "STANDARD", region: str = REGION) -> LogGroup:
        """The group of this name, made if need be; raises ValueError for no possible name."""
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no possible name of a log group")
        made = LogGroup(name, events.now(), log_class, region)
        return self.groups.setdefault(made.arn, made)

    def groups_of(self, region: str) -> dict[str, LogGroup]:
        """The groups of one Region by their ARNs."""
        return {arn: group for arn, group in self.groups.items() if group.region == region}
