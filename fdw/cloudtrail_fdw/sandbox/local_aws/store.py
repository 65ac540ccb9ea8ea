"""The log groups of the account and their events, in the order FilterLogEvents returns them."""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Optional

from cloudtrail_fdw.sandbox.events import Delivered

ACCOUNT = "123456789012"
REGION = "us-east-1"
STREAMS = 3
EVENT_OVERHEAD = 26  # bytes AWS adds to each event's size (CloudWatch Logs quotas, PutLogEvents)
KEPT_DOCUMENTS = 20_000  # parsed records kept, some 8 kB each
NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}", re.ASCII)

Key = tuple[int, int, int]


class LogEvent:
    """One log event; ``key`` is its place: (timestamp, ingestion time, sequence), ms and ms."""

    __slots__ = ("_envelope", "key", "message", "size", "stream")

    def __init__(self, sequence: int, timestamp: int, message: str) -> None:
        encoded = message.encode()
        digest = hashlib.blake2b(encoded, digest_size=8, salt=sequence.to_bytes(8, "big")).digest()
        self.key: Key = (timestamp, timestamp + 200 + digest[0] * 7, sequence)
        self.message = message
        self.size = len(encoded) + EVENT_OVERHEAD
        self.stream = stream_name(digest[1] % STREAMS)
        self._envelope = b""

    def envelope(self) -> bytes:
        """The event's JSON in a page, built when it is first sent."""
        if not self._envelope:
            timestamp, ingestion, sequence = self.key
            shape = {
                "logStreamName": self.stream,
                "timestamp": timestamp,
                "message": self.message,
                "ingestionTime": ingestion,
                "eventId": f"3{timestamp:020d}{sequence:035d}",  # 56 digits, as AWS's are
            }
            self._envelope = json.dumps(shape, separators=(",", ":")).encode()
        return self._envelope


def stream_name(number: int) -> str:
    """CloudTrail's stream names: ACCOUNT_CloudTrail_HOMEREGION, then with _2, _3 under load."""
    name = f"{ACCOUNT}_CloudTrail_{REGION}"
    return name if number == 0 else f"{name}_{number + 1}"


@dataclass
class LogGroup:
    """A log group: its events sorted by key, ``keys`` beside them for bisection."""

    name: str
    creation_time: int
    log_class: str = "STANDARD"
    region: str = REGION
    retention_days: Optional[int] = None
    events: list[LogEvent] = field(default_factory=list, repr=False)
    keys: list[Key] = field(default_factory=list, repr=False)
    documents: dict[int, object] = field(default_factory=dict, repr=False)

    @property
    def arn(self) -> str:
        """The group's ARN as most actions take it, without ``:*``."""
        return f"arn:aws:logs:{self.region}:{ACCOUNT}:log-group:{self.name}"

    def add(self, delivered: Iterable[Delivered]) -> int:
        """Take events in at their places; returns how many."""
        first = len(self.events)
        fresh = [LogEvent(number, *event) for number, event in enumerate(delivered, first)]
        self.events += fresh
        self.events.sort(key=lambda event: event.key)
        self.keys = [event.key for event in self.events]
        if fresh:
            self.creation_time = min(self.creation_time, self.keys[0][0])
        return len(fresh)

    def span(self, start: Optional[int], end: Optional[int]) -> tuple[int, int]:
        """The half-open range of places whose timestamps lie in [start, end] (ms, inclusive)."""
        low = 0 if start is None else bisect_left(self.keys, (start, -1, -1))
        high = len(self.keys) if end is None else bisect_left(self.keys, (end + 1, -1, -1))
        return low, max(low, high)

    def document(self, event: LogEvent) -> object:
        """The message as JSON, None when it is not; parsed once for the first few thousands."""
        sequence = event.key[2]
        if sequence in self.documents:
            return self.documents[sequence]
        document = parse(event.message)
        if len(self.documents) < KEPT_DOCUMENTS:
            self.documents[sequence] = document
        return document

    @property
    def newest(self) -> int:
        """The last event's timestamp in ms; the creation of an empty group."""
        return self.keys[-1][0] if self.keys else self.creation_time


def parse(message: str) -> object:
    """The message as JSON, None when it is not."""
    try:
        document: object = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return document
