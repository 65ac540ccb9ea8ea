"""Names on disk: each until its time has come, never for ever, and not at the cost of a query."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sources.names import name_cache
from cloudtrail_fdw.sources.names.name_cache import Answer, NameCache

HERE = Answer("a.example", ("a.example", "b.example"), "found")
NONE = Answer(None, (), "none")
LATE = Answer(None, (), "timeout")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dns" / "names.sqlite"


def kept(
    path: Path, *pointers: str, servers: str = "s", patience: float = 2.0
) -> dict[str, Answer]:
    """What another process finds."""
    found = NameCache(path).find(servers, False, pointers, patience)
    return {pointer: answer for pointer, (answer, _) in found.items()}


def write_for_ever(path: Path) -> None:
    """Until killed."""
    own = NameCache(path)
    for count in range(1_000_000):
        own.keep("s", False, {f"{count % 5000}": (HERE, 60.0)}, 2.0)
        own.write()


def test_what_is_kept_is_found_by_others_with_what_is_left_of_its_time(path: Path):
    own = NameCache(path)
    own.keep("s", False, {"p": (HERE, 60.0), "q": (NONE, 300.0), "gone": (HERE, 0.0)}, 2.0)
    assert kept(path, "p") == {}  # not written yet
    own.write()
    assert kept(path, "p", "q", "r", "gone") == {"p": HERE, "q": NONE}
    assert kept(path, "p", servers="t") == {}
    assert NameCache(path).find("s", True, ["p"], 2.0) == {}
    seconds = NameCache(path).find("s", False, ["p"], 2.0)["p"][1]
    assert 50 < seconds <= 60
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_answers_expire_and_none_is_good_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch):
    own = NameCache(path)
    own.keep("s", False, {"p": (HERE, 60.0), "q": (HERE, 1e9)}, 2.0)
    own.write()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert kept(path, "p", "q") == {"q": HERE}
    monkeypatch.setattr(time, "time", lambda: now + name_cache.LONGEST_KEPT + 1)
    assert kept(path, "q") == {}
    monkeypatch.setattr(time, "time", lambda: now - 3600)  # a clock went wrong
    assert kept(path, "q") == {}


def test_who_is_more_patient_asks_again(path: Path):
    own = NameCache(path)
    own.keep("s", False, {"p": (LATE, 30.0), "q": (NONE, 30.0)}, 0.5)
    own.write()
    assert kept(path, "p", "q", patience=0.5) == {"p": LATE, "q": NONE}
    assert kept(path, "p", "q", patience=2.0) == {"q": NONE}


def test_many_answers_are_one_transaction(path: Path):
    own = NameCache(path)
    own.find("s", False, ["p"], 2.0)
    statements: list[str] = []
    assert own.connection is not None
    own.connection.set_trace_callback(statements.append)
    own.keep("s", False, {f"{number}": (HERE, 60.0) for number in range(10_000)}, 2.0)
    own.write()
    own.write()
    assert len([text for text in statements if text.startswith(("BEGIN", "COMMIT"))]) == 2
    assert len(kept(path, *map(str, range(10_000)))) == 10_000


def test_a_killed_writer_leaves_a_whole_file(path: Path):
    writer = multiprocessing.get_context("spawn").Process(target=write_for_ever, args=(path,))
    writer.start()
    while not kept(path, "100"):
        time.sleep(0.01)
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    assert kept(path, "100")
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "body", ["{", "[1]", "[1, 2, 3]", '["a", ["a"], "public"]', '["a", [1], "found"]']
)
def test_rows_that_nobody_can_read_are_as_if_they_were_not_there(path: Path, body: str):
    own = NameCache(path)
    own.keep("s", False, {"p": (HERE, 60.0)}, 2.0)
    own.write()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE name SET body = ?", (body,))
    other.close()
    assert own.find("s", False, ["p"], 2.0) == {}
    own.keep("s", False, {"p": (HERE, 60.0)}, 2.0)
    own.write()
    assert kept(path, "p") == {"p": HERE}


def test_it_does_not_grow_beyond_its_size(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(name_cache, "LARGEST", 1 << 20)
    own = NameCache(path)
    long = Answer("x" * 200, tuple(f"{n}" + "x" * 200 for n in range(50)), "found")
    for number in range(150):
        own.keep("s", False, {f"{number}": (long, 100.0 + number)}, 2.0)
        own.write()
    assert path.stat().st_size <= 1 << 20
    assert set(kept(path, "0", "149")) == {"149"}


def test_a_busy_file_costs_a_moment_and_is_written_later(path: Path):
    own = NameCache(path)
    own.keep("s", False, {"p": (HERE, 60.0)}, 2.0)
    own.write()
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        for number in range(20):
            own.keep("s", False, {f"{number}": (NONE, 60.0)}, 2.0)
            own.write()
        assert set(own.find("s", False, ["p", "0"], 2.0)) == {"p"}
        assert time.monotonic() - started < 1.5  # 20 waits: 2 s
    other.close()
    own.next_attempt = 0.0
    own.write()
    assert len(kept(path, *map(str, range(20)))) == 20


def test_there_is_none_where_the_cache_is_off_or_others_may_look(tmp_path: Path):
    tmp_path.chmod(0o700)
    here = {"cache_directory": str(tmp_path)}
    assert name_cache.name_cache(read_settings(here)) is not None
    assert name_cache.name_cache(read_settings({**here, "cache": "off"})) is None
    tmp_path.chmod(0o755)
    assert name_cache.name_cache(read_settings(here)) is None
