"""AbuseIPDB: who has reported an address (https://docs.abuseipdb.com, CHECK endpoint)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.remote.remote_http import Answer
from cloudtrail_fdw.sources.remote.remote_source import (
    Ask,
    Records,
    Source,
    TroubleError,
    check_status,
    is_about,
    outage,
    refused,
)

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings

TITLE = "AbuseIPDB"
OLDEST = 365  # days that maxAgeInDays may go back
A_WHILE = 300.0  # seconds; a limit that lasts longer is the day's


def ask(settings: Settings, key: str, addresses: tuple[str, ...], full: bool) -> Ask:
    """One address; the single reports and the country's name come with verbose only."""
    if not 1 <= settings.abuseipdb_max_age_days <= OLDEST:
        raise FdwError(
            f"AbuseIPDB looks back 1 to 365 days, not {settings.abuseipdb_max_age_days}",
            hint="Correct max_age_in_days of the query, or the setting "
            "cloudtrail_fdw.abuseipdb_max_age_days.",
            sqlstate="HV024",
        )
    parameters = {
        "ipAddress": addresses[0],
        "maxAgeInDays": str(settings.abuseipdb_max_age_days),
        **({"verbose": "true"} if full else {}),
    }
    return Ask("/api/v2/check", parameters, {"Key": key, "Accept": "application/json"})


def read(settings: Settings, answer: Answer, addresses: tuple[str, ...]) -> Records:
    """The record."""
    if answer.status in (401, 403):
        raise refused(TITLE, "abuseipdb_key", f"HTTP status {answer.status}")
    if answer.status == 402:
        raise refused(TITLE, "abuseipdb_key", "its plan does not include this (HTTP status 402)")
    if answer.status == 429 and (answer.retry_after or 0) > A_WHILE:
        raise used_up(answer)
    check_status(TITLE, answer)
    data = answer.body.get("data") if isinstance(answer.body, dict) else None
    if not isinstance(data, dict) or not is_about(data.get("ipAddress"), addresses[0]):
        raise outage(TITLE, "its answer is not about the address asked for")
    return {addresses[0]: data}


def used_up(answer: Answer) -> TroubleError:
    """The trouble of a key whose checks of the day are used up."""
    limit = "" if answer.limit is None else f" of {answer.limit}"
    wait = answer.retry_after or 0.0
    return TroubleError(
        "quota", f"AbuseIPDB: the daily limit{limit} checks is reached; "
        f"it may be asked again in {round(wait)} s",
        "Ask again then, or get a larger plan of AbuseIPDB.", wait=wait,
    )  # fmt: skip


SOURCE = Source(
    name="abuseipdb",
    table="abuseipdb_check",
    title=TITLE,
    interval=0.0,
    bulk=1,
    full_columns=frozenset({"reports", "country_name"}),
    ask=ask,
    read=read,
    variant=lambda settings: str(settings.abuseipdb_max_age_days),
)
