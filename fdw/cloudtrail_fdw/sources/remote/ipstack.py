"""ipstack: where an address is, and who provides it (https://ipstack.com/documentation)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.remote.remote_http import Answer
from cloudtrail_fdw.sources.remote.remote_source import (
    Ask,
    NoBulkError,
    Records,
    Source,
    TroubleError,
    check_status,
    is_about,
    limited,
    outage,
    refused,
)

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

TITLE = "ipstack"
# "API Errors" of the documentation; they come with HTTP status 200 or one of their own.
KEY_TYPES = ("missing_access_key", "invalid_access_key", "inactive_user")
BULK_TYPES = ("batch_not_supported_on_plan", "too_many_ips", "function_access_restricted",
              "invalid_ip_address", "404_not_found")  # fmt: skip
UNKNOWN_TYPES = ("invalid_ip_address", "404_not_found")
TYPES = {101: "invalid_access_key", 102: "inactive_user", 104: "usage_limit_reached",
         105: "function_access_restricted", 106: "invalid_ip_address", 302: "too_many_ips",
         303: "batch_not_supported_on_plan", 404: "404_not_found"}  # fmt: skip
# What is null of an address that ipstack does not know.
PLACE = ("continent_code", "country_code", "region_code", "city", "latitude")


def ask(settings: Settings, key: str, addresses: tuple[str, ...], full: bool) -> Ask:
    """Standard or bulk look-up; modules that not every plan has only when asked."""
    parameters = {"access_key": key, "output": "json"}
    if full:
        parameters["hostname"] = "1"
    if settings.ipstack_security:
        parameters["security"] = "1"
    return Ask(f"/{','.join(addresses)}", parameters)


def read(settings: Settings, answer: Answer, addresses: tuple[str, ...]) -> Records:
    """The records; errors are told from them by success and error, whatever the HTTP status."""
    body = answer.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return read_error(body["error"], answer, addresses)
    check_status(TITLE, answer)
    records: Records = {}
    for record in body if isinstance(body, list) else [body]:
        for address in addresses:
            if isinstance(record, dict) and is_about(record.get("ip"), address):
                records[address] = record if any_place(record) else None
    if len(records) < len(addresses):
        raise outage(TITLE, "its answer is not about the addresses asked for")
    return records


def any_place(record: dict[str, Any]) -> bool:
    """Whether ipstack knows anything of the address."""
    return any(record.get(name) is not None for name in PLACE)


def read_error(error: dict[str, Any], answer: Answer, addresses: tuple[str, ...]) -> Records:
    """What an error means; None for an address that ipstack knows nothing of."""
    code = error.get("code")
    known = TYPES.get(code) if isinstance(code, int) else None
    kind = error.get("type") if isinstance(error.get("type"), str) else known
    if kind in KEY_TYPES or known in KEY_TYPES:
        raise refused(TITLE, "ipstack_key", f"{kind}")
    if len(addresses) > 1 and (kind in BULK_TYPES or known in BULK_TYPES):
        raise NoBulkError
    if kind in UNKNOWN_TYPES:
        return dict.fromkeys(addresses)
    if kind == "usage_limit_reached" or known == "usage_limit_reached":
        raise TroubleError(
            "quota", "ipstack: the monthly number of look-ups of the plan is used up "
            "(usage_limit_reached)", "Wait for the next month, or get a larger plan of ipstack.",
        )  # fmt: skip
    if answer.status == 429 or kind == "rate_limit_reached":
        raise limited(TITLE, answer.retry_after)
    if kind in ("function_access_restricted", "https_access_restricted"):
        raise FdwError(
            f"the plan of the API key does not allow this of ipstack ({kind})",
            hint="Drop option ipstack_security and the column hostname, or get a larger plan.",
            sqlstate="28000",
        )
    raise outage(TITLE, "an error that is none of the documented ones", passing=False)


SOURCE = Source(
    name="ipstack",
    table="ipstack_ip",
    title=TITLE,
    interval=0.0,
    bulk=50,  # "up to 50 IPs at the same time"
    full_columns=frozenset({"hostname"}),
    ask=ask,
    read=read,
    variant=lambda settings: "security" if settings.ipstack_security else "",
)
