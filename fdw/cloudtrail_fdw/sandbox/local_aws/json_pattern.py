"""The parser of JSON filter patterns: ``{ $.a.b = "x*" && ($.c NOT EXISTS || $.d[*] > 1e3) }``.

pattern     { either }
either      both { "||" both }
both        condition { "&&" condition }
condition   "(" either ")" | SELECTOR IS NULL|TRUE|FALSE | SELECTOR NOT EXISTS
            | SELECTOR = != STRING | SELECTOR = REGEX | SELECTOR = != > < >= <= NUMBER
"""

from __future__ import annotations

import re
from typing import Union

from cloudtrail_fdw.sandbox.local_aws import json_match as match
from cloudtrail_fdw.sandbox.local_aws.json_match import Step, Test
from cloudtrail_fdw.sandbox.local_aws.pattern_text import PatternError, Reading

MOST_REGEXES = 2
MOST_WILDCARDS = 3
DEEPEST = 100  # parentheses; 1,024 characters could hold more than Python's stack

TOKEN = re.compile(
    r"""\s*(?:
      (?P<selector>\$\.(?:[A-Za-z0-9_-]+|\*|\['[^']+'\])
                   (?:\.(?:[A-Za-z0-9_-]+|\*|\['[^']+'\])|\[(?:\d+|\*)\])*)
    | (?P<string>"[^"]*")
    | (?P<regex>%[^%]+%)
    | (?P<operator>&&|\|\||!=|>=|<=|=|>|<|\(|\))
    | (?P<word>[A-Za-z0-9_*.+-]+)
    | (?P<end>\}\Z)
    )""",
    re.VERBOSE | re.ASCII,
)
STEP = re.compile(r"\.\['([^']+)'\]|\.([A-Za-z0-9_-]+)|\[(\d+)\]|(\.\*|\[\*\])", re.ASCII)
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
WORD = re.compile(r"[A-Za-z0-9_*]+", re.ASCII)
NUMBER_WILDCARD = re.compile(r"[+-]?[0-9.*]*\*[0-9.*]*", re.ASCII)
UNARY = ("IS NULL", "IS TRUE", "IS FALSE", "NOT EXISTS")


def compile_json(text: str, reading: Reading) -> Test:
    """Compile a pattern that starts with ``{``; raises PatternError."""
    return Parser(tokens(text), reading).pattern()


def tokens(text: str) -> list[tuple[str, str]]:
    """Pairs of (kind, text), the closing brace last."""
    found = []
    place = 1
    while place < len(text):
        token = TOKEN.match(text, place)
        if token is None:
            raise PatternError(f"unexpected text at character {place + 1}")
        kind = str(token.lastgroup)
        found.append((kind, token[kind]))
        place = token.end()
    if not found or found[-1][0] != "end":
        raise PatternError("missing closing brace")
    return found


class Parser:
    """Recursive descent over the tokens; every method returns the test of what it has read."""

    def __init__(self, found: list[tuple[str, str]], reading: Reading) -> None:
        self.tokens = found
        self.reading = reading
        self.place = 0
        self.depth = 0
        self.regexes = 0
        self.wildcards = 0

    def take(self, kind: str, *texts: str) -> str:
        """The next token's text if it is of this kind (and one of these texts), else ''."""
        found, text = self.tokens[self.place]
        if found != kind or (texts and text not in texts):
            return ""
        self.place += 1
        return text

    def pattern(self) -> Test:
        """The whole pattern, with nothing behind it."""
        test = self.either()
        if not self.take("end"):
            raise self.unexpected("&&, || or }")
        return test

    def either(self) -> Test:
        """Conditions joined by ``||``."""
        tests = [self.both()]
        while self.take("operator", "||"):
            tests.append(self.both())
        return match.any_of(tests)

    def both(self) -> Test:
        """Conditions joined by ``&&``, which binds closer."""
        tests = [self.condition()]
        while self.take("operator", "&&"):
            tests.append(self.condition())
        return match.all_of(tests)

    def condition(self) -> Test:
        """A comparison, or conditions in parentheses."""
        if self.take("operator", "("):
            self.depth += 1
            if self.depth > DEEPEST:
                raise PatternError("too many nested parentheses")
            test = self.either()
            if not self.take("operator", ")"):
                raise self.unexpected(")")
            self.depth -= 1
            return test
        selector = self.take("selector")
        if not selector:
            raise self.unexpected("a selector such as $.eventName")
        return match.at(self.steps(selector), self.comparison())

    def steps(self, selector: str) -> tuple[Step, ...]:
        """The members, indexes and wildcards that a selector goes through."""
        steps: list[Step] = []
        for quoted, name, index, wildcard in STEP.findall(selector):
            step = int(index) if index else quoted or name
            steps.append(match.WILDCARDS[wildcard] if wildcard else step)
        wildcards = sum(isinstance(step, match.Special) for step in steps)
        self.wildcards += wildcards
        if wildcards > 1 or self.wildcards > MOST_WILDCARDS:
            raise PatternError(f"more than one wildcard a selector or {MOST_WILDCARDS} a pattern")
        return tuple(steps)

    def comparison(self) -> Test:
        """What is asked of the selected value."""
        first = self.take("word", "IS", "NOT")
        if first:
            unary = f"{first} {self.take('word')}"
            if unary not in UNARY:
                raise PatternError(f"{unary.strip()} is not one of {', '.join(UNARY)}")
            return match.unary(unary, self.reading)
        operator = self.take("operator", "=", "!=", ">", "<", ">=", "<=")
        if not operator:
            raise self.unexpected("an operator")
        value = self.value()
        if isinstance(value, (int, float)):
            return match.number(operator, value, self.reading)
        if isinstance(value, str) and operator in ("=", "!="):
            return match.text(operator, value, self.reading)
        if isinstance(value, re.Pattern) and operator == "=":
            return match.regex(value, self.reading)
        raise PatternError(f"{operator} cannot be used with this value")

    def value(self) -> Union[str, int, float, re.Pattern[str]]:
        """A string, a number or a regular expression."""
        string = self.take("string")
        if string:
            return string[1:-1]
        expression = self.take("regex")
        if expression:
            self.regexes += 1
            if self.regexes > MOST_REGEXES:
                raise PatternError(f"more than {MOST_REGEXES} regular expressions")
            return match.compile_regex(expression[1:-1])
        word = self.take("word")
        if NUMBER.fullmatch(word):
            return int(word) if re.fullmatch(r"[+-]?\d+", word) else float(word)
        if WORD.fullmatch(word) or NUMBER_WILDCARD.fullmatch(word):
            return word
        if word:
            raise PatternError(f"{word} must stand in double quotes")
        raise self.unexpected("a value")

    def unexpected(self, wanted: str) -> PatternError:
        """The error for the token at hand."""
        return PatternError(f"expected {wanted} instead of {self.tokens[self.place][1]}")
