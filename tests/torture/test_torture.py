"""A bounded part of the hunt, by a fixed seed: `make torture` is the long one."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import damage
import faults
import joins
import killed
import roles
import sessions
from ground import Ground, grounds
from tally import Tally, search_log


@pytest.fixture(scope="module")
def ground(kind: str) -> Iterator[Ground]:
    yield from grounds(kind, "hunt", "--scan-mb", "0.2")


def test_random_joins_give_the_rows_of_copies(ground: Ground) -> None:
    tally = joins.run(ground, 60, random.Random(1), 250)
    assert (tally.bad, tally.notes) == (False, [])
    assert tally.exact > tally.tried * 0.9


def test_faults_give_the_rows_or_a_right_error(ground: Ground) -> None:
    tally = faults.run(ground, 40, random.Random(2), 40)
    assert (tally.bad, tally.notes) == (False, [])
    assert tally.exact
    assert tally.right_error


def test_damaged_files_give_the_rows_or_a_right_error(ground: Ground) -> None:
    tally = damage.run(ground, 30, random.Random(3), 80)
    assert (tally.bad, tally.notes) == (False, [])


def test_nobody_can_what_was_not_granted(ground: Ground) -> None:
    tally = roles.run(ground, 20, random.Random(4), 300)
    assert (tally.bad, tally.notes) == (False, [])


def test_many_sessions_under_faults(ground: Ground) -> None:
    """And their workers killed, where they have some."""
    part = killed.run if ground.has_workers else sessions.run
    tally = part(ground, 8, random.Random(5), 12)
    assert (tally.bad, tally.notes) == (False, [])
    assert tally.exact


def test_the_log_tells_of_no_crash_and_no_secret(ground: Ground) -> None:
    """Last: whatever the others did is in the log."""
    tally = Tally(tried=1)
    search_log(ground.log, tally)
    assert (tally.bad, tally.notes) == (False, [])
