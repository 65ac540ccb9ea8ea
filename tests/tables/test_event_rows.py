"""The quick way from an event to its row gives what the slow one gives."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import msgspec
import pytest

from cloudtrail_fdw import times
from cloudtrail_fdw.sources.record.log_event import LogEvent
from cloudtrail_fdw.tables.event_columns import COLUMNS
from cloudtrail_fdw.tables.event_rows import page_rows, plain_reader, read_event, record_level
from servers import REAL, SHAPES, TESTS

NAMES = [column.name for column in COLUMNS]
TIMES = {column.name for column in COLUMNS if column.type.startswith("timestamp")}
ORIGIN: dict[str, object] = {"log_group_name": "g", "log_group_region": "r",
                             "log_group_account_id": "a", "filter": None}  # fmt: skip
REFUSED = (msgspec.MsgspecError, ValueError, KeyError, RecursionError)


def lines(path: Path) -> Iterator[str]:
    """The records of a file; none of one that is not ours to commit and not there."""
    if not path.exists():
        return
    data = path.read_bytes()
    yield from (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()


HARD = [
    "", "[]", "null", "{", '{"eventTime":null}', '{"eventTime":"2026-02-30T00:00:00Z"}',
    '{"eventTime":"2026-11-20T24:00:00Z"}', '{"eventTime":"2026-11-20T10:00:00.1234567Z"}',
    '{"eventTime":"0000-01-01T00:00:00Z"}', '{"eventTime":"0001-01-01T00:00:00+01:00"}',
    '{"eventTime":"9999-12-31T23:59:59-01:00"}',
    '{"eventTime":"2026-11-20T10:00:00Z\\n2026-11-20T10:00:00Z"}',
    '{"eventTime":"2026-11-20T10:00:00Z","readOnly":"\\u0074rue"}',
    '{"eventTime":"2026-11-20T10:00:00Z","userIdentity":null}',
    '{"eventTime":"2026-11-20T10:00:00Z","userIdentity":"x"}',
    '{"eventTime":"2026-11-20T10:00:00Z","eventName":"a\\u0000b"}',
    '{"eventTime":"2026-11-20T10:00:00Z","requestParameters":{"a":"\\ud800"}}',
    '{"eventTime":"2026-11-20T10:00:00Z","requestParameters":{"a":"\\uDC00"}}',
    '{"eventTime":"2026-11-20T10:00:00Z","requestParameters":{"\\ude00\\ud83d":1}}',
    '{"eventTime":"2026-11-20T10:00:00Z","requestParameters":{"a":"\\ud83d\\ude00"}}',
    '{"eventTime":"2026-11-20T10:00:00Z","unknown":{"a":"\\ud83dx"}}',
    '{"eventTime":"2026-11-20T10:00:00Z","requestParameters":{"a":1e99999}}',
    '{"eventTime":"2026-11-20T10:00:00Z", "requestParameters" : null , "resources": [ ] }',
    '{"eventTime":"2026-11-20T10:00:00Z","readOnly":"true","managementEvent":false}',
    '{"eventTime":"2026-11-20T10:00:00Z","readOnly":"maybe"}',
    '{"eventTime":"2026-11-20T10:00:00Z","sourceIPAddress":""}',
    '{"eventTime":"2026-11-20T10:00:00Z","userIdentity":{"arn":"","principalId":"p"}}',
    '{"eventTime":"2026-11-20T10:00:00Z","userAgent":["a"]}',
]  # fmt: skip
MESSAGES = [*HARD, *lines(SHAPES), *lines(TESTS / "data" / "who_and_where.jsonl"), *lines(REAL)]
EVENTS = [LogEvent("s", 1_700_000_000_000 + n, text, 1_700_000_000_500 + n, str(n))
          for n, text in enumerate(MESSAGES)]  # fmt: skip


def comparable(name: str, value: object) -> object:
    """A value; of a time the instant, which is written in two ways."""
    return times.read_event_time(value) if name in TIMES and isinstance(value, str) else value


def layouts() -> Iterator[tuple[str, ...]]:
    """All columns, one alone, parts of a member with and without it, and some by chance."""
    yield tuple(NAMES)
    yield from (("event_name",), ("cloudtrail_event",), ("resources",), ("username",))
    yield ("user_identity", "username")
    yield ("user_arn", "username", "parse_error")  # jsonb is read, and not wanted
    for seed in range(12):
        chance = random.Random(seed)  # noqa: S311 - a choice of columns
        wanted = set(chance.sample(NAMES, chance.randint(1, 25)))
        yield tuple(name if name in wanted else "" for name in NAMES)


@pytest.mark.parametrize("layout", list(layouts()))
def test_both_ways_give_the_same(layout: tuple[str, ...]) -> None:
    plain, level = plain_reader(layout, ORIGIN), record_level(frozenset(layout))
    assert plain is not None
    quick = 0
    for event in EVENTS:
        values = {**read_event(event, level), **ORIGIN}
        try:
            (row,) = plain([event])
        except REFUSED:
            continue
        quick += 1
        right = [comparable(name, values.get(name)) for name in layout]
        assert [comparable(name, value) for name, value in zip(layout, row)] == right
    assert quick > len(EVENTS) / 2  # the test compares something


@pytest.mark.parametrize(
    "message",
    [
        '{"requestParameters":[1e1234,"' + '\\"' * 40_000,  # cut in the middle of a string
        '{"requestParameters":[' + ",".join(["1" * 9998] * 25) + "]}",
    ],
)
def test_the_time_to_read_is_that_of_the_length(message: str) -> None:
    began = process_time()
    assert len(page_rows(NAMES, ORIGIN)([LogEvent("s", 0, message, 0, "e")])) == 1
    assert process_time() - began < 2  # it was a minute, and 5 s


def test_a_page_of_both_kinds_keeps_its_order() -> None:
    layout = ["message", "event_name", "parse_error", "", "event_time"]
    rows = page_rows(layout, ORIGIN)(EVENTS[: len(HARD) + 60])
    assert [row[0] for row in rows] == [event.message for event in EVENTS[: len(rows)]]
    assert len(rows) == len(HARD) + 60
