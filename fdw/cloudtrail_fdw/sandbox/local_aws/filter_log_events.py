"""FilterLogEvents: time range, streams, pattern, pages, tokens (CloudWatch Logs API reference)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Optional

from cloudtrail_fdw.sandbox.events import now
from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError, invalid
from cloudtrail_fdw.sandbox.local_aws.parameters import choose_group, integer, string, strings
from cloudtrail_fdw.sandbox.local_aws.pattern import PatternError, compile_pattern
from cloudtrail_fdw.sandbox.local_aws.store import Key, LogEvent, LogGroup
from cloudtrail_fdw.sandbox.local_aws.tokens import State, Tokens, digest, expired

PAGE_BYTES = 1_048_576
PAGE_EVENTS = 10_000
EMPTY_PAGES = 20  # of the fault empty-pages
NEWEST_FIRST_SINCE = 1_704_067_200_000  # 2024-01-01T00:00:00Z, for startFromHead = false
# what a token is bound to; it carries the direction itself, and interleaved is ignored
BOUND = ("logGroupName", "logGroupIdentifier", "logStreamNames", "logStreamNamePrefix",
         "startTime", "endTime", "filterPattern", "limit", "unmask")  # fmt: skip

Matcher = Callable[[LogEvent], bool]


@dataclass(frozen=True)
class Page:
    """One answer: its JSON body and how many events it holds."""

    body: bytes
    events: int


@dataclass
class Search:
    """One call: places [low, high) of the group's events, walked from ``place``."""

    group: LogGroup
    low: int
    high: int
    place: int
    newest_first: bool
    matches: Matcher
    in_stream: Matcher
    limit: int
    page: int

    @property
    def done(self) -> bool:
        """Whether every place has been scanned."""
        return not self.low <= self.place < self.high

    def turn_page(self, scan_bytes: int) -> list[LogEvent]:
        """Scan on until the page or the budget is full, or the range is done."""
        step = -1 if self.newest_first else 1
        found: list[LogEvent] = []
        size = scanned = 0
        while not self.done and len(found) < self.limit and not 0 < scan_bytes <= scanned:
            event = self.group.events[self.place]
            if self.in_stream(event):
                scanned += event.size
                if self.matches(event):
                    size += event.size
                    if found and size > PAGE_BYTES:
                        break
                    found.append(event)
            self.place += step
        return found

    def last_of_previous_page(self) -> list[LogEvent]:
        """The event just before ``place``, if it belongs to the answer."""
        place = self.place + (1 if self.newest_first else -1)
        events = self.group.events[place : place + 1] if self.low <= place < self.high else []
        return [event for event in events if self.in_stream(event) and self.matches(event)]


def filter_log_events(
    parameters: Mapping[str, Any],
    groups: Mapping[str, LogGroup],
    tokens: Tokens,
    faults: AbstractSet[str],
    scan_bytes: int,
) -> Page:
    """Answer one call, scanning ``scan_bytes`` at most (0: no budget). Raises AwsError."""
    token = string(parameters, "nextToken", 1, 65_536)
    bound = digest([parameters.get(name) for name in BOUND])
    state = None if token is None else tokens.read(token, bound)
    search = prepare(parameters, groups, state)
    if "oldest-first-only" in faults and search.newest_first:
        raise invalid("Unknown parameter in input: startFromHead")
    if "invalid-pattern" in faults and parameters.get("filterPattern"):
        raise invalid("Invalid filter pattern")
    if "expired-next-token" in faults and token is not None:
        raise expired()
    if "repeated-token" in faults and token is not None:
        return render([], token)
    found: list[LogEvent] = []
    if "duplicate-events" in faults and token is not None:
        found += search.last_of_previous_page()
    if "empty-pages" not in faults or search.page > EMPTY_PAGES:
        found += search.turn_page(scan_bytes)
    if search.done:
        return render(found, None)
    key = search.group.keys[search.place]
    following = State(key, search.newest_first, bound, now(), search.page + 1)
    return render(found, tokens.issue(following))


def prepare(
    parameters: Mapping[str, Any], groups: Mapping[str, LogGroup], state: Optional[State]
) -> Search:
    """Check every parameter and find where the page starts."""
    group = choose_group(parameters, groups)
    if group.log_class != "STANDARD":
        raise AwsError(
            "InvalidOperationException",
            f"FilterLogEvents is not supported for log groups of class {group.log_class}.",
        )
    limit = integer(parameters, "limit", 1, PAGE_EVENTS) or PAGE_EVENTS
    start = integer(parameters, "startTime", 0)
    low, high = group.span(start, integer(parameters, "endTime", 0))
    newest_first = parameters.get("startFromHead") is False
    place = high - 1 if newest_first else low
    if state is not None:
        newest_first = state.newest_first
        place = place_of(group, state.key, newest_first)
    if newest_first and (start is None or start < NEWEST_FIRST_SINCE):
        raise invalid("startFromHead=false needs a startTime of 2024-01-01T00:00:00Z or later.")
    matches = matcher(string(parameters, "filterPattern", 0, 1024), group)
    streams = stream_filter(parameters)
    page = 1 if state is None else state.page
    return Search(group, low, high, place, newest_first, matches, streams, limit, page)


def place_of(group: LogGroup, key: Key, newest_first: bool) -> int:
    """The place of ``key``, which stays right when events have been added meanwhile."""
    return bisect_right(group.keys, key) - 1 if newest_first else bisect_left(group.keys, key)


def matcher(text: Optional[str], group: LogGroup) -> Matcher:
    """The filter pattern as a test of events; raises InvalidParameterException."""
    if not text or not text.strip():
        return everything
    try:
        pattern = compile_pattern(text)
    except PatternError as error:
        raise invalid(f"Invalid filter pattern: {error}") from None
    if pattern.on_document:
        return lambda event: pattern.test(group.document(event))
    return lambda event: pattern.test(event.message)


def stream_filter(parameters: Mapping[str, Any]) -> Matcher:
    """The test of logStreamNames or logStreamNamePrefix."""
    names = strings(parameters, "logStreamNames", 1, 100)
    prefix = string(parameters, "logStreamNamePrefix", 1, 512)
    if names is not None and prefix is not None:
        raise invalid("logStreamNames and logStreamNamePrefix must not be used together.")
    if names is not None:
        wanted = frozenset(names)
        return lambda event: event.stream in wanted
    if prefix is not None:
        beginning = prefix
        return lambda event: event.stream.startswith(beginning)
    return everything


def everything(_event: LogEvent) -> bool:
    """The test that every event passes."""
    return True


def render(events: list[LogEvent], token: Optional[str]) -> Page:
    """The answer's JSON; the events' parts are stored ready-made."""
    parts = [b'{"events":[', b",".join([event.envelope() for event in events])]
    parts.append(b'],"searchedLogStreams":[]')
    if token is not None:
        parts.append(b',"nextToken":"%s"' % token.encode())
    return Page(b"".join([*parts, b"}"]), len(events))
