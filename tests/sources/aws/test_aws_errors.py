"""Hints for what AWS refuses: what they name is what has to be allowed."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.aws.aws_errors import failure

WHO = "User: arn:aws:sts::1:assumed-role/fdw/s is not authorized to perform"
GROUP = "arn:aws:logs:us-east-1:1:log-group:/kms/KMS:log-stream:"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234"
# AWS's texts are those of IAM's page on access denied errors, and of KMS.
REFUSALS = [
    (f"{WHO}: logs:FilterLogEvents on resource: {GROUP} because no identity-based policy allows "
     "the logs:FilterLogEvents action", "Allow logs:FilterLogEvents to the credentials in use"),
    ("Not authorized.", "Allow logs:FilterLogEvents to the credentials in use"),
    (f"{WHO}: kms:Decrypt on resource: {KEY} because no identity-based policy allows the "
     "kms:Decrypt action", "allow kms:Decrypt on its KMS key"),
    ("The ciphertext refers to a customer master key that does not exist, does not exist in this "
     "region, or you are not allowed to access.", "allow kms:Decrypt on its KMS key"),
    (f"{WHO}: kms:Decrypt on resource: {KEY} with an explicit deny in a resource-based policy",
     "an explicit deny in a resource-based policy: change it"),
    (f"{WHO}: logs:FilterLogEvents on resource: {GROUP} with an explicit deny in a service control "
     "policy", "an explicit deny in a service control policy: change it"),
    (f"{WHO}: logs:FilterLogEvents on resource: {GROUP} with an explicit deny in an identity-based "
     "policy: arn:aws:iam::1:policy/p", "an explicit deny in an identity-based policy: change it"),
    (f"{WHO}: logs:FilterLogEvents on resource: {GROUP} because no VPC endpoint policy allows the "
     "logs:FilterLogEvents action", "Allow logs:FilterLogEvents in the VPC endpoint policy, too"),
    (f"{WHO}: logs:FilterLogEvents because no service control policy allows the "
     "logs:FilterLogEvents action", "in the service control policy, too"),
    (f"{WHO}: logs:FilterLogEvents because no permissions boundary allows the "
     "logs:FilterLogEvents action", "in the permissions boundary, too"),
    (f"{WHO}: sts:AssumeRole on resource: arn:aws:iam::1:role/r", "let the role trust them"),
]  # fmt: skip


def refused(code: str, text: str, operation: str = "FilterLogEvents") -> FdwError:
    error = ClientError({"Error": {"Code": code, "Message": text}}, operation)
    return failure(error, code, "logs", "filter_log_events")


@pytest.mark.parametrize(("text", "hint"), REFUSALS)
@pytest.mark.parametrize("code", ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation"])
def test_a_refusal_names_what_to_allow_and_where(code: str, text: str, hint: str) -> None:
    error = refused(code, text)
    assert hint in str(error.hint)
    assert error.sqlstate == "28000"


def test_a_role_that_may_not_be_assumed_is_no_refusal_of_the_call() -> None:
    error = refused("AccessDenied", "Access denied", "AssumeRole")
    assert error.message == "AWS refused sts:AssumeRole"
    assert "let the role trust them" in str(error.hint)


@pytest.mark.parametrize("code", ["KMSAccessDeniedException", "InvalidOperationException",
                                  "InvalidParameterException"])  # fmt: skip
def test_a_key_that_cannot_be_used_is_named(code: str) -> None:
    text = f"The specified KMS key does not exist or is not allowed to be used: {KEY}"
    assert "kms:Decrypt" in str(refused(code, text).hint)


def test_a_group_named_after_kms_is_no_key() -> None:
    error = refused("ResourceNotFoundException", "The log group /aws/KMS does not exist.")
    assert error.sqlstate == "HV00R"
    assert "kms:Decrypt" not in str(error.hint)
