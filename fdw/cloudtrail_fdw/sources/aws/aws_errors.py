"""AWS's errors, and those on the way to AWS, in words for whoever asked."""

from __future__ import annotations

import re

from cloudtrail_fdw.errors import FdwError

THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException",
                       "RequestLimitExceeded"})  # fmt: skip
PASSING = frozenset({"ServiceUnavailableException", "ServiceUnavailable", "InternalFailure",
                     "InternalServerError", "RequestTimeout",
                     "RequestTimeoutException"})  # fmt: skip
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException",
                     "InvalidClientTokenId"})  # fmt: skip
CLOCK = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired"})
# Codes whose message names resources and parameters; others may echo signed headers.
QUOTABLE = frozenset({"InvalidParameterException", "ResourceNotFoundException",
                      "InvalidOperationException",
                      "AccessDeniedException", "AccessDenied",
                      "TrailNotFoundException"})  # fmt: skip


OF_STS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
NAMED_ACTION = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")
DENYING_POLICY = re.compile(r"explicit deny in an? [A-Za-z -]*(?:policy|boundary)")
SILENT_POLICY = re.compile(r"because no ([A-Za-z -]+(?:policy|boundary)) allows")
OWN_POLICIES = frozenset({"identity-based policy", "resource-based policy"})
KEY = re.compile(r"(?i:KMS key|customer master key)|\bkms:[A-Z]|arn:aws[a-z-]*:kms:")
KEY_HINT = (
    "The log group is encrypted: allow kms:Decrypt on its KMS key to the credentials in use, by "
    "IAM or by the key's policy, and see that the key is enabled."
)


class BadAnswerError(Exception):
    """An answer that was cut off or is no JSON."""


def error_code(error: Exception) -> str:
    """AWS's error code, or an empty text for a failure on the way there."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def may_pass(error: Exception, code: str) -> bool:
    """Whether trying again makes sense: the service is down, slow or unreachable."""
    if code in THROTTLED or code in PASSING:
        return True
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return bool(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500)
    from botocore.exceptions import HTTPClientError
    from botocore.parsers import ResponseParserError

    return isinstance(error, (HTTPClientError, ResponseParserError, BadAnswerError))


def failure(error: Exception, code: str, service: str, operation: str) -> FdwError:
    """The error of an AWS call for the person who asked; never a secret."""
    # renewed credentials are another call's
    asked = getattr(error, "operation_name", "")
    action = f"sts:{asked}" if asked in OF_STS else service_action(service, operation)
    if not code:
        return local_failure(error)
    text = str(getattr(error, "response", {}).get("Error", {}).get("Message", ""))
    detail = f"{code}: {text}" if code in QUOTABLE else code
    hint = f"See AWS's documentation of {action} for {code}."
    sqlstate = "HV000"
    if code in EXPIRED:
        hint, sqlstate = "Renew the AWS credentials of the PostgreSQL server's user.", "28000"
    elif code.startswith(("AccessDenied", "KMS")) or code == "UnauthorizedOperation":
        hint, sqlstate = permission_hint(action, text), "28000"
    elif code in CLOCK:
        hint, sqlstate = "Check the server's clock and the secret access key.", "28000"
    elif code in THROTTLED:
        hint = "The quota is used up by others too; ask less, or raise max_seconds."
        sqlstate = "53400"
    elif code in PASSING:
        hint, sqlstate = "The service failed several times in a row; try again later.", "HV00N"
    elif is_about_key(text):
        hint = KEY_HINT
    elif code == "ResourceNotFoundException":
        hint, sqlstate = "Check the name, the account and the Region.", "HV00R"
    return FdwError(f"AWS refused {action}", detail=detail, hint=hint, sqlstate=sqlstate)


def permission_hint(action: str, text: str) -> str:
    """What to allow, and where, by AWS's own words for who refused.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    named = NAMED_ACTION.search(text)
    refused = named[1] if named else action
    denying, silent = DENYING_POLICY.search(text), SILENT_POLICY.search(text)
    if denying:
        return f"There is an {denying[0]}: change it, whatever others allow ({refused})."
    if is_about_key(text):
        return KEY_HINT
    if silent and silent[1] not in OWN_POLICIES:
        return f"Allow {refused} in the {silent[1]}, too."
    if refused == "sts:AssumeRole":
        return (
            "Allow sts:AssumeRole on role_arn to the credentials in use, and let the role trust "
            "them, by external_id if it asks for one."
        )
    return f"Allow {refused} to the credentials in use (docs/iam-policy.json)."


def is_about_key(text: str) -> bool:
    """Whether the reason is the KMS key that a log group is encrypted with."""
    return KEY.search(text) is not None


def local_failure(error: Exception) -> FdwError:
    """The error of a call that got no answer from AWS."""
    kind = type(error).__name__
    if "Credential" in kind or kind in ("ProfileNotFound", "SSOTokenLoadError"):
        return FdwError(
            "no usable AWS credentials",
            detail=kind,
            hint="Give the PostgreSQL server's user a role, a profile or environment variables; "
            "cloudtrail-fdw doctor shows what it finds.",
            sqlstate="28000",
        )
    if kind == "NoRegionError":
        return FdwError(
            "no AWS Region",
            hint="ALTER SERVER cloudtrail OPTIONS (ADD region 'us-east-1');",
            sqlstate="HV00D",
        )
    return FdwError(
        "cannot reach AWS",
        detail=kind,
        hint="Check the network, the proxy and the endpoint_url of the server, then run the "
        "query again; no rows of it were lost in silence.",
        sqlstate="HV00N",
    )


def service_action(service: str, operation: str) -> str:
    """An operation as IAM writes it: ``logs:FilterLogEvents``."""
    return service + ":" + "".join(word.capitalize() for word in operation.split("_"))
