"""CloudWatch Logs filter patterns, evaluated: JSON patterns and plain-text ones.

After "Filter pattern syntax for metric filters, subscription filters, filter log events, and Live
Tail" of the CloudWatch Logs user guide. Where it is silent, ``Reading`` holds the choice.
Space-delimited patterns (``[ip, user, ...]``) are refused: CloudTrail's messages are JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from cloudtrail_fdw.sandbox.local_aws.json_pattern import compile_json
from cloudtrail_fdw.sandbox.local_aws.pattern_text import PatternError, Reading, compile_regex
from cloudtrail_fdw.sandbox.local_aws.store import parse

__all__ = ["DEFAULT", "Pattern", "PatternError", "Reading", "compile_pattern"]

DEFAULT = Reading()
LONGEST = 1024
MOST_REGEXES = 2

TERM = re.compile(
    r"""\s*(?P<sign>[-?]?)
    (?: "(?P<phrase>[^"]*)" | %(?P<regex>[^%]+)% | (?P<word>[A-Za-z0-9_]+) )
    (?=\s|$)""",
    re.VERBOSE | re.ASCII,
)

Test = Callable[[str], bool]


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern; call it with a message.

    ``on_document`` tells what ``test`` takes: the parsed message (None when it is not JSON), or
    the message itself.
    """

    text: str
    on_document: bool
    test: Callable[[object], bool]

    def __call__(self, message: str) -> bool:
        """Whether the pattern matches the message."""
        return self.test(parse(message) if self.on_document else message)


@lru_cache(maxsize=256)
def compile_pattern(text: str, reading: Reading = DEFAULT) -> Pattern:
    """Compile a filter pattern; raises PatternError when AWS would refuse it."""
    if len(text) > LONGEST:
        raise PatternError(f"longer than {LONGEST} characters")
    inner = text.strip()
    if inner.startswith("{"):
        return Pattern(text, on_document=True, test=compile_json(inner, reading))
    return Pattern(text, on_document=False, test=compile_text(inner))


def compile_text(text: str) -> Callable[[object], bool]:
    """Terms that must all occur (``a "b c"``), must not (``-a``), or of which one must (``?a``).

    As AWS documents, ``?`` terms are ignored beside others. Matching is case-sensitive.
    """
    needed: list[Test] = []
    barred: list[Test] = []
    options: list[Test] = []
    place = regexes = 0
    while place < len(text):
        match = TERM.match(text, place)
        if match is None:
            raise PatternError(f"unexpected text at character {place + 1}")
        kind = {"": needed, "-": barred, "?": options}[match["sign"]]
        regexes += match["regex"] is not None
        kind.append(text_test(match))
        place = match.end()
    if regexes > MOST_REGEXES:
        raise PatternError(f"more than {MOST_REGEXES} regular expressions")
    if options and not needed and not barred:
        return lambda message: any(test(str(message)) for test in options)
    return lambda message: (
        all(test(str(message)) for test in needed)
        and not any(test(str(message)) for test in barred)
    )


def text_test(match: re.Match[str]) -> Test:
    """One term's test of a message."""
    if match["regex"] is not None:
        search = compile_regex(match["regex"]).search
        return lambda message: search(message) is not None
    word = match["word"] if match["phrase"] is None else match["phrase"]
    return lambda message: word in message
