"""Damaged files of the cache, through SQL: the right rows all the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scan_service import EVENTS, rows, serve
from servers import Db, Sandbox

OWN_CACHE = "cloudtrail_fdw_cache"  # in the data directory, which sandboxes use
WINDOW = "event_time >= '2025-10-01 00:00+00' AND event_time < '2025-10-02 00:00+00'"
QUERIES = (
    "SELECT log_group_name, count(*), sum(hashtext(event_id)) FROM cloudtrail_event"
    f" WHERE log_group_name IN ('a', 'b') AND {WINDOW} GROUP BY 1 ORDER BY 1",
    f"SELECT count(*) FROM cloudtrail_event WHERE event_name = 'Get3' AND {WINDOW}",
    f"SELECT event_id FROM cloudtrail_event WHERE {WINDOW} ORDER BY timestamp DESC LIMIT 5",
    "SELECT ip, reverse_dns FROM ip_enrichment WHERE ip IN ('3.141.213.252', '8.8.8.8') ORDER BY 1",
)
SAMPLE = 2  # bytes of each file
MOST_OF_A_KIND = 2  # files


@pytest.fixture(scope="module")
def aws(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    yield from serve(kind, "damage", tmp_path_factory.mktemp("damage"))


def ask(db: Db) -> list[list[tuple[Any, ...]]]:
    return [rows(db, query) for query in QUERIES]


def kind_of(path: Path) -> str:
    """What the file's name begins or ends with."""
    return path.suffix or path.name.split("-")[0]


def some_files(root: Path) -> list[Path]:
    """Some files of each kind."""
    kinds: dict[str, list[Path]] = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        kinds.setdefault(kind_of(path), []).append(path)
    assert {"group", "trails", "label", "rate", "fetching", ".events", ".rows",
            ".sqlite"} <= kinds.keys()  # fmt: skip
    return [path for paths in kinds.values() for path in paths[:MOST_OF_A_KIND]]


def test_a_damaged_byte_costs_no_row(aws: Sandbox) -> None:
    chance = random.Random(11)  # noqa: S311
    with aws.connect() as db:
        root = Path(rows(db, "SELECT current_setting('data_directory')")[0][0]) / OWN_CACHE
        right = ask(db)
        assert [row[1] for row in right[0]] == [EVENTS, 80]
        assert ask(db) == right
        for path in some_files(root):
            whole = path.read_bytes() if path.exists() else b""
            spoilt = [b"", whole[: len(whole) // 2], b"\xff" * len(whole)]
            for _ in range(SAMPLE if whole else 0):
                place = chance.randrange(len(whole))
                changed = whole[place] ^ 1 << chance.randrange(8)
                spoilt.append(whole[:place] + bytes([changed]) + whole[place + 1 :])
            for content in spoilt:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
                assert ask(db) == right, (path.name, content)
                if kind_of(path) == ".sqlite":  # a session remembers names
                    with aws.connect() as fresh:
                        assert ask(fresh) == right, (path.name, content)


def test_what_is_kept_of_another_group_is_not_taken(aws: Sandbox) -> None:
    with aws.connect() as db:
        root = Path(rows(db, "SELECT current_setting('data_directory')")[0][0]) / OWN_CACHE
        right = ask(db)
        for kind in ("group", "label", ".events", ".rows"):
            ask(db)
            paths = [path for path in some_files(root) if kind_of(path) == kind]
            contents = [path.read_bytes() for path in paths]
            for path, content in zip(paths, contents[1:] + contents[:1]):
                path.write_bytes(content)
            with aws.connect() as fresh:
                assert ask(fresh) == right, kind
