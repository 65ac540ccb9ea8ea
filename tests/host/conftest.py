"""A cluster whose probe's tables a worker reads, on every server that can have one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest
from probe_servers import Probe
from processes import COUNT, Session, until, zombies
from worker_servers import by_name, worker_probe, worker_servers

# what cannot be compiled cannot be fuzzed
collect_ignore = [] if shutil.which("gcc") or shutil.which("clang") else ["test_frames.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what this machine could not run."""
    for name in collect_ignore:
        terminalreporter.write_line(f"not run without a compiler: tests/host/{name}")


@pytest.fixture(scope="session", params=worker_servers(), ids=by_name)
def probed(request: pytest.FixtureRequest) -> Iterator[Probe]:
    """The cluster."""
    with worker_probe(request.param) as running:
        yield running


@pytest.fixture
def session(probed: Probe) -> Iterator[Session]:
    """A superuser's session."""
    with probed.connect() as connection:
        yield connection


@pytest.fixture
def used(session: Session) -> Session:
    """A session that has a worker."""
    assert session.execute(COUNT).fetchone() == (48,)
    return session


@pytest.fixture
def nothing_is_left(probed: Probe) -> Iterator[None]:
    """No server restart, no zombie, no worker whose backend is gone."""
    with closing(probed.connect()) as session:
        # which a restart after a crash replaces, though the postmaster stays
        checkpointer = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        before = session.execute(checkpointer).fetchone()
        postmaster = int((probed.folder / "cluster/data/postmaster.pid").read_text().split()[0])
        yield
        assert session.execute(checkpointer).fetchone() == before
        until(lambda: zombies(postmaster) == [])
