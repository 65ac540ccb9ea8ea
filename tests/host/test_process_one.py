"""A postmaster that inherits what its children leave over, as process 1 of a container does.

PostgreSQL takes the end by a signal of a child that it does not know for that of a backend, and
restarts every session.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from probe_servers import Probe
from processes import COUNT, Session, alive, until, worker_of
from worker_servers import by_name, worker_probe, worker_servers

from cloudtrail_fdw.sandbox import cluster, runtime

PR_SET_CHILD_SUBREAPER = 36
LIBC = ctypes.CDLL(None)
CHECKPOINTER = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"


def inherit() -> None:
    """Before the postmaster is there: it gets orphans as process 1 does."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@pytest.fixture(scope="module", params=worker_servers(), ids=by_name)
def heir(request: pytest.FixtureRequest) -> Iterator[Probe]:
    """The probe's cluster, started anew so."""
    server: runtime.Server = request.param
    with worker_probe(server) as probed:
        folder = probed.folder / "cluster"
        process = Path("/proc", (folder / "data/postmaster.pid").read_text().split()[0])
        command = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        pairs = (process / "environ").read_bytes().rstrip(b"\0").split(b"\0")
        environment = dict(pair.split(b"=", 1) for pair in pairs)
        owner = (folder / "data").stat()
        cluster.stop(folder)
        postmaster = subprocess.Popen(
            command, env=environment, cwd="/", user=owner.st_uid, group=owner.st_gid,
            extra_groups=[], stderr=subprocess.DEVNULL,
            preexec_fn=inherit,  # noqa: PLW1509 - no thread of ours runs yet
        )  # fmt: skip
        until(lambda: connects(probed), 60)
        yield probed
        postmaster.send_signal(signal.SIGINT)
        postmaster.wait(60)


def connects(probed: Probe) -> bool:
    with suppress(psycopg.OperationalError), closing(probed.connect()):
        return True
    return False


def terminate(session: Session) -> None:
    os.kill(session.info.backend_pid, signal.SIGTERM)


def kill_worker(session: Session) -> None:
    os.kill(worker_of(session), signal.SIGKILL)


@pytest.mark.parametrize("query", ["SELECT pg_sleep(5)", "SELECT * FROM slow"])
@pytest.mark.parametrize("end", [Session.close, terminate, kill_worker, Session.cancel])
def test_no_end_of_a_session_or_worker_restarts_the_server(
    heir: Probe, end: Callable[[Session], None], query: str
) -> None:
    with closing(heir.connect()) as admin, closing(heir.connect()) as session:
        before = admin.execute(CHECKPOINTER).fetchone()
        session.execute(COUNT)
        worker = worker_of(session)

        def ask() -> None:
            with suppress(psycopg.Error):
                session.execute(query)

        thread = Thread(target=ask)
        thread.start()
        time.sleep(0.5)
        end(session)
        if end is kill_worker:
            session.cancel()
        thread.join()
        session.close()
        until(lambda: not alive(worker))
        time.sleep(0.5)  # as long as a postmaster needs to take it for a crash
        assert admin.execute(CHECKPOINTER).fetchone() == before
