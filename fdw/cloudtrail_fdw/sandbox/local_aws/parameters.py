"""Checks of request parameters, refused as CloudWatch Logs refuses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from cloudtrail_fdw.sandbox.local_aws.aws_error import AwsError, invalid, not_found
from cloudtrail_fdw.sandbox.local_aws.store import LogGroup

GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]+", re.ASCII)
# the API's own pattern: it has no "*", so an ARN that ends in ":*" is refused
GROUP_IDENTIFIER = re.compile(r"[\w#+=/:,.@-]*", re.ASCII)


def refused(name: str, value: object, rule: str) -> AwsError:
    """The wording of AWS's parameter validation."""
    shown = str(value)[:200]
    return invalid(
        f"1 validation error detected: Value '{shown}' at '{name}' failed to satisfy constraint: "
        f"Member must {rule}"
    )


def integer(
    parameters: Mapping[str, Any], name: str, low: int, high: int = 2**63 - 1
) -> Optional[int]:
    """An integer within [low, high], or None when it is not given."""
    value = parameters.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise AwsError("SerializationException", f"{name} is not an integer")
    if value < low:
        raise refused(name, value, f"have value greater than or equal to {low}")
    if value > high:
        raise refused(name, value, f"have value less than or equal to {high}")
    return value


def string(parameters: Mapping[str, Any], name: str, low: int, high: int) -> Optional[str]:
    """A string of ``low`` to ``high`` characters, or None when it is not given."""
    value = parameters.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise AwsError("SerializationException", f"{name} is not a string")
    if len(value) < low:
        raise refused(name, value, f"have length greater than or equal to {low}")
    if len(value) > high:
        raise refused(name, value, f"have length less than or equal to {high}")
    return value


def strings(parameters: Mapping[str, Any], name: str, low: int, high: int) -> Optional[list[str]]:
    """A list of ``low`` to ``high`` strings, or None when it is not given."""
    value = parameters.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise AwsError("SerializationException", f"{name} is not a list of strings")
    if not low <= len(value) <= high:
        raise refused(name, value, f"have length between {low} and {high}")
    return value


def choose_group(parameters: Mapping[str, Any], groups: Mapping[str, LogGroup]) -> LogGroup:
    """The group that logGroupName or logGroupIdentifier (a name or an ARN) gives."""
    name = string(parameters, "logGroupName", 1, 512)
    identifier = string(parameters, "logGroupIdentifier", 1, 2048)
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier must be given")
    if name is not None and not GROUP_NAME.fullmatch(name):
        raise refused(
            "logGroupName", name, "satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )
    if identifier is not None and not GROUP_IDENTIFIER.fullmatch(identifier):
        raise refused(
            "logGroupIdentifier",
            identifier,
            "satisfy regular expression pattern: [\\w#+=/:,.@-]*",
        )
    for group in groups.values():
        if group.name in (name, identifier) or group.arn == identifier:
            return group
    raise not_found("log group")
