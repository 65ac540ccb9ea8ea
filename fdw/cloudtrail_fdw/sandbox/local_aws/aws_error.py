"""An error as AWS answers it."""

from __future__ import annotations


class AwsError(Exception):
    """``code`` is the exception's name in AWS's API, ``status`` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> AwsError:
    """CloudWatch Logs' answer to a wrong parameter."""
    return AwsError("InvalidParameterException", message)


def not_found(what: str) -> AwsError:
    """CloudWatch Logs' answer for a log group or stream that does not exist."""
    return AwsError("ResourceNotFoundException", f"The specified {what} does not exist.")
