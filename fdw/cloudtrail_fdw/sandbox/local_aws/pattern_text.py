"""What JSON and plain-text patterns share: the reading, the error, wildcards and regexes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass


class PatternError(ValueError):
    """The pattern is malformed or over a limit; AWS answers InvalidParameterException."""


@dataclass(frozen=True)
class Reading:
    """The points of the pattern language that AWS does not document, each with a default.

    A pushed-down pattern must keep every wanted event under all readings; the defaults are what
    field reports say, else the narrower choice.
    """

    not_equal_matches_missing: bool = False  # azul#5884, tested in the console: no match
    not_equal_matches_null: bool = False
    not_equal_matches_object: bool = False  # an object or array "won't match the log format"
    not_exists_matches_null: bool = False
    is_null_matches_missing: bool = False
    is_true_matches_text: bool = False  # IS TRUE, IS FALSE on the strings "true", "false"
    text_matches_boolean: bool = True  # boto3#4258 uses $.readOnly = false
    text_matches_number: bool = True  # $.x = "400", $.x = "*" on a number
    number_matches_text: bool = True  # $.x = 400 on the string "400"


REGEX_TOKEN = re.compile(
    r"""(?P<escape>\\[dDsSwW] | \\x[0-9a-fA-F]{2} | \\[:_\#=@/;,\-^$?\[\]{}|\\*+.])
    | (?P<end>\$)
    | (?P<plain>[A-Za-z0-9:_\#=@/;,\-^?\[\]{}|*+.])""",
    re.VERBOSE | re.ASCII,
)


def compile_regex(text: str) -> re.Pattern[str]:
    """A ``%regex%`` of AWS's dialect: no parentheses, ASCII only, a restricted alphabet."""
    pieces = []
    place = 0
    bracket = False
    while place < len(text):
        match = REGEX_TOKEN.match(text, place)
        if match is None:
            raise PatternError(f"character {text[place]!r} is not allowed in a regular expression")
        piece = match.group()
        bracket = piece == "[" or (bracket and piece != "]")
        # Python's $ also matches before a last line feed
        pieces.append(r"\Z" if piece == "$" and not bracket else piece)
        place = match.end()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "[[" is a literal bracket
            return re.compile("".join(pieces), re.ASCII)
    except (re.error, OverflowError) as error:
        raise PatternError(f"malformed regular expression: {error}") from None


def compile_glob(text: str) -> Callable[[str], bool]:
    """``*`` stands for any text, the empty one included; there is no escape for it."""
    if "*" not in text:
        return text.__eq__
    pieces = re.split(r"\*+", text)
    match = re.compile(".*?".join(re.escape(piece) for piece in pieces), re.DOTALL).fullmatch
    return lambda value: match(value) is not None
