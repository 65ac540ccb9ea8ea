"""A session holds no more for having seen many settings: memory, files and threads stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from many_settings import KINDS, Session, walk
from remote_server import Remote, serving
from servers import SHAPES, Sandbox, start

COUNT = 60  # of each kind; tests/many_settings.py takes 2,000
MOST_KB = 250 * COUNT  # where a client for each setting was 10,600 kB


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def box(kind: str) -> Iterator[Sandbox]:
    yield from start(kind, "memory", "--events", str(SHAPES), "--log-group", "shapes")


@pytest.mark.parametrize("change", KINDS, ids=lambda change: change.__name__)
def test_other_settings_leave_nothing_behind(
    box: Sandbox, remote: Remote, change: Callable[[Session, int], None]
) -> None:
    before, after = walk(box, remote, change, COUNT)
    assert after.memory - before.memory < MOST_KB
    assert after.files - before.files < 10
    assert after.threads - before.threads <= 2
