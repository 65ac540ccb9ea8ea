"""STS: who calls, and roles assumed (query protocol, answers in XML)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from uuid import uuid4
from xml.sax.saxutils import escape

from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError
from cloudtrail_fdw.sandbox.local_aws.store import ACCOUNT

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
ROLE = re.compile(
    r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:[\w+=,.@-]+/)*([\w+=,.@-]{1,64})", re.ASCII
)
SESSION = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


class Identities:
    """The access keys that AssumeRole has given out, and for whom."""

    def __init__(self) -> None:
        self.sessions: dict[str, tuple[str, str, str]] = {}

    def get_caller_identity(self, access_key: str) -> str:
        """Account, ARN and user id of the caller; any other key is the user ``sandbox``."""
        user = (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/sandbox", "AIDASANDBOXUSER00000")
        account, arn, user_id = self.sessions.get(access_key, user)
        return answer(
            "GetCallerIdentity",
            f"<Arn>{escape(arn)}</Arn><UserId>{escape(user_id)}</UserId>"
            f"<Account>{account}</Account>",
        )

    def assume_role(self, parameters: Mapping[str, str]) -> str:
        """Fresh credentials for any well-formed role and session name."""
        role = ROLE.fullmatch(parameters.get("RoleArn", ""))
        session = parameters.get("RoleSessionName", "")
        if role is None or not SESSION.fullmatch(session):
            raise AwsError("ValidationError", "RoleArn or RoleSessionName is invalid")
        seconds = int(parameters.get("DurationSeconds", "3600"))
        account, name = role.groups()
        arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
        key = f"ASIA{secrets.token_hex(8).upper()}"
        user_id = f"AROASANDBOXROLE00000:{session}"
        self.sessions[key] = (account, arn, user_id)
        end = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        return answer(
            "AssumeRole",
            f"<Credentials><AccessKeyId>{key}</AccessKeyId>"
            f"<SecretAccessKey>{secrets.token_urlsafe(30)}</SecretAccessKey>"
            f"<SessionToken>{secrets.token_urlsafe(90)}</SessionToken>"
            f"<Expiration>{end:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>{escape(arn)}</Arn>"
            f"<AssumedRoleId>{escape(user_id)}</AssumedRoleId></AssumedRoleUser>",
        )


def answer(action: str, result: str) -> str:
    """The envelope of a good answer."""
    return (
        f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )


def error(failure: AwsError) -> str:
    """The envelope of an error."""
    side = "Sender" if failure.status < 500 else "Receiver"
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{side}</Type>'
        f"<Code>{failure.code}</Code><Message>{escape(failure.message)}</Message></Error>"
        f"<RequestId>{uuid4()}</RequestId></ErrorResponse>"
    )
