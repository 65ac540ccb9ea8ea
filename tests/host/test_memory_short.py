"""The product's worker when the system gives it no more memory: one error, then another worker."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from probe_servers import Probe
from processes import Session, worker_of
from worker_servers import install_product

pytestmark = pytest.mark.usefixtures("nothing_is_left")
STAT = "SELECT count(*) FROM ours.cloudtrail_fdw_stat"
DISCARD = 9  # a port that nothing listens on


@pytest.fixture
def ours(probed: Probe, session: Session) -> Iterator[Session]:
    """A session whose worker is the product's."""
    install_product(probed, session, DISCARD)
    assert session.execute(STAT).fetchone() == (0,)
    yield session
    session.execute("DROP FOREIGN DATA WRAPPER ours CASCADE")
    session.execute("DROP SCHEMA ours")


def starve(pid: int, spare: int) -> None:
    """Let a process have so many bytes more, which its own user may in any case."""
    size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize() + spare
    owner = Path(f"/proc/{pid}").stat()
    subprocess.run(["prlimit", f"--pid={pid}", f"--as={size}"], check=True,
                   user=owner.st_uid, group=owner.st_gid, extra_groups=[])  # fmt: skip


@pytest.mark.parametrize("spare", [0, 1 << 20, 4 << 20])
def test_no_memory_is_one_error_and_the_next_query_has_another_worker(
    ours: Session, spare: int
) -> None:
    before = worker_of(ours)
    starve(before, spare)
    with pytest.raises(psycopg.Error) as caught:
        ours.execute("SELECT count(*) FROM ours.cloudtrail_event")
    assert caught.value.sqlstate in {"53200", "HV00L"}
    assert caught.value.diag.message_hint
    assert "cannot be imported" not in str(caught.value)
    assert ours.execute(STAT).fetchone() == (0,)
    assert worker_of(ours) != before


def test_a_request_that_does_not_fit_is_one_error(ours: Session) -> None:
    before = worker_of(ours)
    starve(before, 1 << 20)
    with pytest.raises(psycopg.Error) as caught:
        ours.execute(f"SELECT * FROM ours.cloudtrail_event WHERE event_name = '{'x' * 5_000_000}'")
    assert caught.value.sqlstate == "HV00L"
    assert ours.execute(STAT).fetchone() == (0,)
