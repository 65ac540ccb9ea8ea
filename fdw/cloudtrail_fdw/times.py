"""Instants: as a session writes them, as CloudTrail writes them, as AWS's APIs want them.

Inside, an instant is a whole number of microseconds since 1970 in UTC.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Optional

SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# No zone is further than this from UTC (PostgreSQL accepts offsets up to 15:59:59).
WIDEST_OFFSET = 16 * 3600 * SECOND
# CloudTrail began in 2013; an earlier operand is one that Multicorn misread, or no real bound.
EARLIEST_BOUND = 1_136_073_600 * SECOND  # 2006-01-01
# of year 1 and year 9999, which datetime ends at
EARLIEST, LATEST = -62_135_596_800_000, 253_402_300_799_999  # milliseconds
# Before and after all instants, as what PostgreSQL calls -infinity and infinity.
PAST, FUTURE = -(1 << 62), 1 << 62
SECONDS = tuple(f":{second:02}" for second in range(60))
FRACTIONS = ("+00:00", *(f".{thousandth:03}000+00:00" for thousandth in range(1, 1000)))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?"
ISO = re.compile(
    rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d) {CLOCK}"
    r"(?P<sign>[+-])(?P<oh>\d\d)(?::(?P<om>\d\d))?(?::(?P<os>\d\d))?"
)
LOCAL_STYLES = {
    "German": re.compile(rf"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{{4}}) {CLOCK} .*"),
    "SQL, MDY": re.compile(rf"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{{4}}) {CLOCK} .*"),
    "SQL, DMY": re.compile(rf"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{{4}}) {CLOCK} .*"),
    "Postgres, MDY": re.compile(rf"\w+ (?P<month>\w+) (?P<day>\d\d) {CLOCK} (?P<year>\d{{4}}) .*"),
    "Postgres, DMY": re.compile(rf"\w+ (?P<day>\d\d) (?P<month>\w+) {CLOCK} (?P<year>\d{{4}}) .*"),
}
EVENT_TIME = re.compile(
    r"(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)[T ](?P<hour>\d\d):?(?P<minute>\d\d):?"
    r"(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?(?:Z|(?P<sign>[+-])(?P<oh>\d\d):?(?P<om>\d\d))?",
    re.ASCII,
)


def read_instant(value: object, date_style: str, proven: bool = False) -> Optional[tuple[int, int]]:
    """The span in which a qual's operand surely lies, or None when that is not known.

    A timestamptz arrives as text in the session's DateStyle and TimeZone; a date or timestamp
    as a naive object whose zone is the session's, so the span covers every zone. ``proven`` says
    that it has the type it is read as, however early it is.
    """
    span: Optional[tuple[int, int]] = None
    if proven and isinstance(value, str):
        return read_session_text(value, date_style) or read_beyond(value)
    if isinstance(value, datetime):
        instant = from_datetime(value)
        span = (instant, instant + SECOND) if value.tzinfo else spread(instant)
    elif isinstance(value, date):
        span = spread(
            from_datetime(datetime(value.year, value.month, value.day, tzinfo=timezone.utc))
        )
    elif isinstance(value, str):
        span = read_session_text(value, date_style)
    return span if span is not None and span[0] >= EARLIEST_BOUND else None


def read_session_text(text: str, date_style: str) -> Optional[tuple[int, int]]:
    """The span of a timestamptz printed in ``date_style`` (manual, section 8.5.2)."""
    if date_style.startswith("ISO"):
        instant = assemble(ISO.fullmatch(text))
        return None if instant is None else (instant, instant)
    style = "German" if date_style.startswith("German") else date_style.replace("YMD", "MDY")
    pattern = LOCAL_STYLES.get(style)
    instant = assemble(pattern.fullmatch(text)) if pattern else None
    return None if instant is None else spread(instant)


def read_beyond(text: str) -> Optional[tuple[int, int]]:
    """The span of a timestamptz in ISO that is infinite, or in no year that datetime knows."""
    if text in ("infinity", "-infinity"):
        return (FUTURE, FUTURE) if text == "infinity" else (PAST, PAST)
    if re.match(r"\d{5,6}-", text):
        return LATEST * 1000, FUTURE
    return (PAST, EARLIEST * 1000) if text.endswith(" BC") else None


def spread(local: int) -> tuple[int, int]:
    """Where an instant of an unknown zone may lie; also covers a fraction that was cut off."""
    return local - WIDEST_OFFSET, local + WIDEST_OFFSET + SECOND


def read_event_time(text: str) -> Optional[int]:
    """A time as CloudTrail records write it: ISO 8601, extended or basic, UTC unless it says."""
    instant = assemble(EVENT_TIME.fullmatch(text))
    if instant is None or not EARLIEST <= instant // 1000 <= LATEST:
        return None  # its zone takes it out of the years that datetime knows
    return instant


def assemble(found: Optional[re.Match[str]]) -> Optional[int]:
    """The matched fields as an instant; None for no match or a date that does not exist."""
    if found is None:
        return None
    part = found.groupdict()
    month = part["month"]
    if month in MONTHS:
        month = str(MONTHS.index(month) + 1)
    try:
        moment = datetime(
            int(part["year"]), int(month), int(part["day"]),
            int(part["hour"]), int(part["minute"]), int(part["second"]),
            tzinfo=timezone.utc,
        )  # fmt: skip
    except ValueError:
        return None
    offset = 60 * (60 * int(part.get("oh") or 0) + int(part.get("om") or 0))
    offset += int(part.get("os") or 0)
    if part.get("sign") == "-":
        offset = -offset
    micros = int((part["fraction"] or "0").ljust(6, "0")[:6])
    return from_datetime(moment) + micros - offset * SECOND


def from_datetime(moment: datetime) -> int:
    """An instant; a naive moment is read as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_text(instant: int) -> str:
    """An instant as ISO 8601 that PostgreSQL reads the same in every session."""
    return (EPOCH + timedelta(microseconds=instant)).isoformat()


def milliseconds_to_text(milliseconds: int) -> str:
    """An AWS time in milliseconds as ISO 8601; out of range times become the nearest bound."""
    if not EARLIEST <= milliseconds <= LATEST:
        milliseconds = EARLIEST if milliseconds < 0 else LATEST
    minute, rest = divmod(milliseconds, 60_000)
    return minute_to_text(minute) + SECONDS[rest // 1000] + FRACTIONS[rest % 1000]


@lru_cache(maxsize=1024)
def minute_to_text(minute: int) -> str:
    """A minute since 1970, without its seconds: the dear part of the text."""
    return (EPOCH + timedelta(minutes=minute)).isoformat()[:16]
