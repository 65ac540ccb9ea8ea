"""Page tokens: bound to the request that got them, good for 24 hours, unknown elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from cloudtrail_fdw.sandbox.events import now
from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError, invalid

LIFE = 24 * 3600 * 1000  # ms, FilterLogEvents' nextToken
SIGNATURE = 16  # bytes


class State(NamedTuple):
    """What a token carries: where the next page starts, and of which request.

    ``key`` is (timestamp, ingestion time, sequence) of the next event, ``bound`` a digest of the
    request, ``issued`` ms since 1970, ``page`` the number of the page it leads to, from 2.
    """

    key: tuple[int, int, int]
    newest_first: bool
    bound: str
    issued: int
    page: int


class Tokens:
    """Issues and reads tokens, signed with a key of this process."""

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(16)

    def issue(self, state: State) -> str:
        """The token that carries this state."""
        content = json.dumps(state, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self.sign(content) + content).decode()

    def read(self, token: str, bound: str) -> State:
        """The state of a token; raises InvalidParameterException as AWS does."""
        try:
            raw = base64.urlsafe_b64decode(token.encode("ascii"))
        except ValueError:
            raise invalid("The specified nextToken is invalid.") from None
        content = raw[SIGNATURE:]
        if not hmac.compare_digest(raw[:SIGNATURE], self.sign(content)):
            raise invalid("The specified nextToken is invalid.")
        key, *rest = json.loads(content)
        state = State(tuple(key), *rest)
        if state.bound != bound:
            raise invalid("The specified nextToken was issued for a request with other parameters.")
        if now() - state.issued > LIFE:
            raise expired()
        return state

    def sign(self, content: bytes) -> bytes:
        """What only this process can make."""
        return hmac.new(self.secret, content, hashlib.sha256).digest()[:SIGNATURE]


def expired() -> AwsError:
    """The answer to a token older than a day."""
    return invalid("The specified nextToken has expired.")


def digest(bound: Sequence[object]) -> str:
    """What identifies a request."""
    return hashlib.sha256(json.dumps(bound).encode()).hexdigest()[:32]
