"""Answers on disk: shared by processes, whole after a kill, thrown away when damaged, bounded."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.remote import answer_cache
from cloudtrail_fdw.sources.remote.answer_cache import Cache, Kept, cache


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "remote" / "answers.sqlite"


def write_for_ever(path: Path, number: int) -> None:
    """Until killed."""
    own = Cache(path)
    for count in range(1_000_000):
        own.keep(f"s{number}", {"a": Kept({"n": count, "text": "x" * 2000}, time.time())})


def write_some(path: Path, number: int) -> None:
    own = Cache(path)
    for count in range(25):
        own.keep("s", {f"{number}-{count}": Kept({"n": count}, time.time())})


def test_what_is_kept_is_found_by_another_connection(path: Path):
    now = time.time()
    Cache(path).keep("s", {"a": Kept({"x": [1, None, "ü"]}, now), "b": Kept(None, now - 100)})
    other = Cache(path)
    assert other.find("s", ["a", "b", "c"], now - 200) == {
        "a": Kept({"x": [1, None, "ü"]}, now),
        "b": Kept(None, now - 100),
    }
    assert set(other.find("s", ["a", "b"], now - 50)) == {"a"}
    assert other.find("t", ["a"], 0) == {}
    other.keep("s", {"a": Kept({"x": 2}, now + 1000)})
    assert other.find("s", ["a"], 0) == {}  # from the future: a clock went wrong


def test_many_writers_lose_nothing(path: Path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_some, args=(path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    names = [f"{number}-{count}" for number in range(3) for count in range(25)]
    assert len(Cache(path).find("s", names, 0)) == 75


def test_a_killed_writer_leaves_a_whole_file(path: Path):
    context = multiprocessing.get_context("spawn")
    own = Cache(path)
    for number in range(2):
        writer = context.Process(target=write_for_ever, args=(path, number))
        writer.start()
        while not own.find(f"s{number}", ["a"], 0):
            time.sleep(0.01)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        assert own.find(f"s{number}", ["a"], 0)
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


DAMAGE = {
    "no database": lambda data: b"not a database, but long enough to be one" * 200,
    "cut off": lambda data: data[: len(data) // 2],
    "overwritten": lambda data: data[:100] + b"\xff" * (len(data) - 100),
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_replaced(path: Path, name: str):
    first, second = Cache(path), Cache(path)
    rows = {f"{number}": Kept({"text": "x" * 500}, time.time()) for number in range(100)}
    first.keep("s", rows)
    second.find("s", ["1"], 0)
    first.close()
    second.close()
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    for _ in range(3):
        first.find("s", list(rows), 0)
        first.keep("s", rows)
        second.keep("s", {"other": Kept(None, time.time())})
    assert set(first.find("s", [*rows, "other"], 0)) == {*rows, "other"}
    assert set(second.find("s", [*rows, "other"], 0)) == {*rows, "other"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_rows_that_nobody_can_read_and_foreign_tables_are_replaced_too(path: Path):
    own = Cache(path)
    own.keep("s", {"a": Kept({}, time.time())})
    with sqlite3.connect(path) as other:
        other.execute("UPDATE answer SET body = '{'")
    other.close()
    assert own.find("s", ["a"], 0) == {}
    own.keep("s", {"a": Kept({"x": 1}, time.time())})
    assert set(own.find("s", ["a"], 0)) == {"a"}
    own.close()
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE answer (something)")
    other.close()
    own.keep("s", {"a": Kept({"x": 1}, time.time())})
    assert set(own.find("s", ["a"], 0)) == {"a"}


def test_it_does_not_grow_beyond_its_size(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(answer_cache, "LARGEST", 1 << 20)
    own = Cache(path)
    for number in range(150):
        own.keep("s", {f"{number}": Kept({"text": "x" * 20_000}, time.time())})
    assert path.stat().st_size <= 1 << 20
    assert set(own.find("s", ["149"], 0)) == {"149"}
    assert own.find("s", ["0"], 0) == {}


def test_turns_are_apart_for_all_who_share_the_file(path: Path):
    first, second = Cache(path), Cache(path)
    assert first.reserve("s", 1.0, 10) == 0.0
    assert 0.9 < second.reserve("s", 1.0, 10) <= 1.0
    assert 1.8 < first.reserve("s", 1.0, 10) <= 2.0
    assert second.reserve("t", 1.0, 10) == 0.0
    before = second.reserve("s", 1.0, 1.5)
    assert before > 2.5  # too long for it, so that nothing was reserved
    assert second.reserve("s", 1.0, 10) <= before
    first.block("t", 100_000)
    assert 800 < second.reserve("t", 1.0, 10) <= 900


def test_a_busy_file_costs_the_cache_and_not_the_query(path: Path):
    own = Cache(path)
    own.keep("s", {"a": Kept({}, time.time())})
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        own.keep("s", {"b": Kept({}, time.time())})
        assert own.reserve("s", 1.0, 1.0) == 0.0
        assert set(own.find("s", ["a", "b"], 0)) == {"a"}
        assert time.monotonic() - started < 3
    other.close()
    own.keep("s", {"b": Kept({}, time.time())})
    assert set(own.find("s", ["a", "b"], 0)) == {"a", "b"}


def test_a_busy_file_is_not_taken_for_a_full_one(path: Path):
    own = Cache(path)
    own.keep("s", {f"{number}": Kept({}, time.time()) for number in range(10)})
    other = sqlite3.connect(path, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(0.6, other.rollback).start()
    own.keep("s", {"late": Kept({}, time.time())})
    other.close()
    assert len(own.find("s", [*map(str, range(10)), "late"], 0)) == 11


def test_a_folder_that_others_may_look_into_is_refused(tmp_path: Path):
    tmp_path.chmod(0o755)
    with pytest.raises(FdwError, match="cannot be kept") as caught:
        cache(read_settings({"cache_directory": str(tmp_path)}))
    assert "cache_directory" in str(caught.value.hint)
