"""How old the data files may be: geolocation moves by the month, AWS's ranges by the week."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timezone
from typing import Optional

from cloudtrail_fdw.cli.doctor.finding import Finding

GEOLOCATION_DAYS = 60
RANGES_DAYS = 30
UPDATE = "run cloudtrail-fdw data update"


def judge_data(
    geo_database: Optional[str], ranges_date: Optional[str], ranges_sample: bool
) -> Iterator[Finding]:
    """Findings about the two files, from their labels in ``ip_enrichment``."""
    label = geo_database or "no geolocation database"
    if not geo_database or "sample" in label.lower():
        yield Finding("warn", f"geolocation: {label}, which knows a few addresses only; {UPDATE}")
    else:
        yield judge_age(f"geolocation: {label}", label, GEOLOCATION_DAYS)
    if ranges_sample:
        yield Finding("warn", f"ip-ranges.json: the bundled sample, no more; {UPDATE}")
    else:
        yield judge_age(f"ip-ranges.json of {ranges_date}", ranges_date or "", RANGES_DAYS)


def judge_age(text: str, dated: str, limit: int) -> Finding:
    """A warning when the date in ``dated`` is more than ``limit`` days ago, or missing."""
    found = re.search(r"\d{4}-\d\d-\d\d", dated)
    if not found:
        return Finding("warn", f"{text}: its date is unknown; {UPDATE}")
    days = (datetime.now(timezone.utc).date() - date.fromisoformat(found.group())).days
    if days > limit:
        return Finding("warn", f"{text} is {days} days old; {UPDATE}")
    return Finding("ok", text)
