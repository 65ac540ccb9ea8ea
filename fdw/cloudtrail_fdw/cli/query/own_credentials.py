"""The caller's AWS credentials and Region, for a server that runs apart from the caller.

The server's process may be another user's, without this one's files, profile and login, so what
AWS's own chain finds here is handed over as a key, in the environment of that process only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Optional

from cloudtrail_fdw.errors import FdwError, missing_package

NOT_OURS = "AWS_ENDPOINT_URL"  # the tables never follow an endpoint of the environment


class Credentials(NamedTuple):
    """``environment`` has the key; ``until`` is when it expires, seconds since 1970."""

    environment: Mapping[str, str]
    region: str
    until: Optional[float]

    def __repr__(self) -> str:
        """Nothing: it holds a secret."""
        return "Credentials(…)"


def sources() -> Iterator[str]:
    """What decides which credentials are found: a change of these is another caller."""
    for name, text in sorted(os.environ.items()):
        if name.startswith("AWS_") and not name.startswith(NOT_OURS):
            yield f"{name}={text}"
    for variable, usual in (
        ("AWS_CONFIG_FILE", "~/.aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    ):
        path = Path(os.environ.get(variable) or usual).expanduser()
        yield f"{path} {path.stat().st_mtime_ns if path.exists() else ''}"


def resolve(region: Optional[str]) -> Credentials:
    """What botocore finds, as the aws program would; FdwError when that is nothing."""
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError as error:
        raise missing_package("boto3", error) from None
    try:
        session = Session()
        chosen = region or os.environ.get("AWS_REGION") or session.get_config_variable("region")
        found = session.get_credentials()
        key = found.get_frozen_credentials() if found else None
    except BotoCoreError as error:
        raise FdwError(
            "the AWS credentials cannot be had",
            detail=f"{type(error).__name__}: {error}",
            hint="Look at AWS_PROFILE, or log in again (aws sso login).",
        ) from None
    if key is None or not key.access_key:
        raise FdwError(
            "there are no AWS credentials",
            hint="Set AWS_PROFILE, or run aws configure or aws sso login.",
        )
    if not chosen:
        raise FdwError("there is no AWS Region", hint="Give --region, or set AWS_REGION.")
    environment = {"AWS_ACCESS_KEY_ID": key.access_key, "AWS_SECRET_ACCESS_KEY": key.secret_key}
    if key.token:
        environment["AWS_SESSION_TOKEN"] = key.token
    expiry = getattr(found, "_expiry_time", None)  # there is no getter
    until = expiry.timestamp() if isinstance(expiry, datetime) else None
    return Credentials(environment, str(chosen), until)
