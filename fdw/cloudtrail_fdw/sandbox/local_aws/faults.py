"""The failures that can be switched on, one sentence each."""

from __future__ import annotations

from typing import Optional

FAULTS = {
    "throttle": "Every call is throttled (ThrottlingException, HTTP 400).",
    "throttle-some": "Every second call is throttled.",
    "server-error": "Every call fails with InternalFailure, HTTP 500.",
    "service-unavailable": "Every call fails with ServiceUnavailableException, HTTP 503.",
    "access-denied": "Every call fails with AccessDeniedException.",
    "kms-denied": "Every call fails as where the key of the log group may not be used.",
    "policy-denied": "Every call fails as where a service control policy denies it.",
    "expired-token": "The caller's credentials have expired (ExpiredTokenException).",
    "invalid-signature": "The signature is refused, as with a wrong key or clock.",
    "hang": "Requests are read and never answered.",
    "slow-body": "The body comes 64 bytes every 0.1 s.",
    "reset": "The connection is reset in the middle of the body.",
    "short-body": "The connection is closed in good order after half of the promised body.",
    "truncated-json": "The body is complete HTTP, but its JSON or XML ends in the middle.",
    "html-body": "Calls are answered by an HTML page with HTTP 200, as by a captive portal.",
    "empty-pages": "The first 20 pages of each FilterLogEvents chain are empty.",
    "repeated-token": "From the second page on, FilterLogEvents and LookupEvents return the token "
    "they were given.",
    "patient-token": "Each token of a page is given back twice before it leads on: first without "
    "the page's items, then with them.",
    "expired-next-token": "FilterLogEvents refuses every nextToken as expired.",
    "duplicate-events": "Each page repeats the last event of the page before it.",
    "invalid-pattern": "FilterLogEvents refuses every filter pattern.",
    "oldest-first-only": "FilterLogEvents refuses startFromHead = false, as where it is unknown.",
    "not-found": "The log groups are gone.",
    "die-after-pages": "The process ends after the next page of FilterLogEvents is sent.",
    "malformed-record": "LookupEvents cuts each CloudTrailEvent off in the middle.",
    "no-trail": "The account has no trail.",
    "trail-without-group": "The trail delivers to S3 only.",
}


class Faults:
    """The faults that are on, each for one action or for all of them."""

    def __init__(self) -> None:
        self.on: dict[str, Optional[str]] = {}
        self.calls = 0

    def switch(self, name: str, on: bool, action: Optional[str] = None) -> None:
        """Switch a fault; raises KeyError for an unknown name."""
        if name not in FAULTS:
            raise KeyError(name)
        self.on.pop(name, None)
        if on:
            self.on[name] = action

    def of(self, action: str) -> frozenset[str]:
        """The faults that hold for this call."""
        self.calls += 1
        names = {name for name, only in self.on.items() if only in (None, action)}
        if "throttle-some" in names and self.calls % 2 == 0:
            names.add("throttle")
        return frozenset(names)
