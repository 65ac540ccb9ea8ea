"""How long waits take to end, with the product's worker, which waits for an AWS that is silent.

    CLOUDTRAIL_FDW_SERVERS="pg14 pg15" python tests/host/measure_waits.py [TIMES]

prints milliseconds, median and highest: from pg_cancel_backend, or what statement_timeout says, to
the error; from pg_terminate_backend, a fast shutdown, or the end of the client's process to that of
the backend. client_connection_check_interval is 0.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "handler")]

import psycopg
from probe_servers import WITH, Probe
from processes import Session, alive, children, until
from worker_servers import install_product, worker_probe, worker_servers

from cloudtrail_fdw.sandbox import runtime

QUERY = "SELECT count(*) FROM ours.cloudtrail_event"
CLIENT = "import psycopg, sys; psycopg.connect(sys.argv[1]).execute(sys.argv[2])"


class Rig:
    """A cluster whose table waits for ever, and a session beside those that are ended."""

    def __init__(self, probed: Probe, admin: Session) -> None:
        self.probed, self.admin = probed, admin

    def waiting(self, pid: int) -> None:
        """Return when the backend waits for its worker, and that for AWS."""
        until(lambda: self.admin.execute("SELECT state = 'active' FROM pg_stat_activity "
              "WHERE pid = %s", [pid]).fetchone() == (True,))  # fmt: skip
        until(lambda: len(children(pid)) == 1, 60)
        time.sleep(1)

    def error_after(self, session: Session, act: Callable[[int], None]) -> float:
        """Seconds from the act to the error of a query that waits."""
        ended = [0.0]

        def run() -> None:
            with suppress(psycopg.Error):
                session.execute(QUERY)
            ended[0] = time.perf_counter()

        thread = threading.Thread(target=run)
        thread.start()
        self.waiting(session.info.backend_pid)
        begun = time.perf_counter()
        act(session.info.backend_pid)
        thread.join()
        return ended[0] - begun

    def cancel(self) -> float:
        with closing(self.probed.connect()) as session:
            return self.error_after(
                session, lambda pid: void(self.admin.execute("SELECT pg_cancel_backend(%s)", [pid]))
            )

    def timeout(self) -> float:
        with closing(self.probed.connect()) as session:
            session.execute("SET statement_timeout = '1s'")
            with suppress(psycopg.Error):  # starts the worker
                session.execute(QUERY)
            begun = time.perf_counter()
            with suppress(psycopg.Error):
                session.execute(QUERY)
            return time.perf_counter() - begun - 1

    def end_after(self, act: Callable[[int, subprocess.Popen[bytes]], None]) -> float:
        """Seconds from the act to the end of a backend that waits for a client's query."""
        command = [sys.executable, "-c", CLIENT, self.probed.started.dsn(WITH), QUERY]
        client = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        found: list[int] = []
        sql = "SELECT pid FROM pg_stat_activity WHERE query = %s AND state = 'active'"
        until(
            lambda: void(found.extend(p for (p,) in self.admin.execute(sql, [QUERY])))
            or bool(found)
        )
        self.waiting(found[0])
        begun = time.perf_counter()
        act(found[0], client)
        while alive(found[0]):
            time.sleep(0.001)
        took = time.perf_counter() - begun
        client.kill()
        client.wait()
        return took

    def terminate(self) -> float:
        return self.end_after(
            lambda pid, _: void(self.admin.execute("SELECT pg_terminate_backend(%s)", [pid]))
        )

    def gone(self) -> float:
        return self.end_after(lambda _, client: client.kill())

    def shutdown(self) -> float:
        """Once: the server is not started again."""
        file = self.probed.folder / "cluster" / "data" / "postmaster.pid"
        postmaster = int(file.read_text().split()[0])
        took = self.end_after(lambda *_: os.kill(postmaster, signal.SIGINT))
        until(lambda: not alive(postmaster) and not file.exists())
        return took


def void(_: object) -> bool:
    """False, of whatever."""
    return False


def measure(server: runtime.Server, times: int) -> None:
    """Print one server's figures."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as silent,
        worker_probe(server) as probed,
        closing(probed.connect()) as admin,
    ):
        install_product(probed, admin, silent.getsockname()[1])
        rig = Rig(probed, admin)
        for name in ("cancel", "timeout", "terminate", "gone", "shutdown"):
            tries = 1 if name == "shutdown" else times
            took = sorted(1000 * getattr(rig, name)() for _ in range(tries))
            print(f"| {server.postgres_version} | {name} | {statistics.median(took):.1f} | "
                  f"{took[-1]:.1f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    print("| PostgreSQL | what ends it | median ms | most ms |\n|---|---|---|---|")
    for one in worker_servers():
        measure(one, int(sys.argv[1]) if len(sys.argv) > 1 else 9)
