"""Who waits for whom when several want to fetch: for those at work on the same, not for long."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudtrail_fdw.sources.cache.fetch_lock import STALE, SUFFIX, beat, fetching

HOLD = """
import sys, time
from pathlib import Path
from cloudtrail_fdw.sources.cache.fetch_lock import fetching
with fetching(Path(sys.argv[1]), 100, 200, 100) as held:
    print(held is not None, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that fetches [100, 200)."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.communicate()


def may_fetch(folder: Path, low: int, high: int, window: int) -> bool:
    with fetching(folder, low, high, window) as descriptor:
        return descriptor is not None


def locks(folder: Path) -> list[Path]:
    return list(folder.glob(f"*{SUFFIX}"))


@pytest.mark.usefixtures("holder")
def test_what_another_fetches_is_waited_for(tmp_path: Path) -> None:
    for low, high, window, free in (
        (100, 200, 100, False), (150, 160, 100, False), (50, 101, 100, False),
        (199, 300, 100, False), (199, 300, 10, False),
        (50, 100, 100, True), (200, 300, 100, True), (150, 160, 9, True),
    ):  # fmt: skip
        assert may_fetch(tmp_path, low, high, window) is free, (low, high, window)
    assert len(locks(tmp_path)) == 1


@pytest.mark.usefixtures("holder")
def test_who_does_not_beat_is_passed_by(tmp_path: Path) -> None:
    (lock,) = locks(tmp_path)
    long_ago = time.time() - STALE - 1
    os.utime(lock, (long_ago, long_ago))
    assert may_fetch(tmp_path, 100, 200, 100)
    descriptor = os.open(lock, os.O_RDWR)
    beat(descriptor)
    os.close(descriptor)
    assert not may_fetch(tmp_path, 100, 200, 100)


def test_who_was_killed_is_in_nobodys_way(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert len(locks(tmp_path)) == 1
    assert may_fetch(tmp_path, 100, 200, 100)
    assert locks(tmp_path) == []


def test_a_process_does_not_wait_for_itself(tmp_path: Path) -> None:
    with fetching(tmp_path, 100, 200, 100) as first:
        assert first is not None
        assert may_fetch(tmp_path, 100, 200, 100)
        assert len(locks(tmp_path)) == 1


def test_a_strange_file_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"strange{SUFFIX}").write_text("")
    assert may_fetch(tmp_path, 100, 200, 100)
