"""Many sessions at once under faults, cancels and timeouts: every answer right, memory bounded."""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
from pathlib import Path

import psycopg
from faults import CHANGING, LEFT_OUT, QUERIES
from ground import Ground, placed
from tally import CANCELLED, ENDED, Answer, Db, Tally, ask

from cloudtrail_fdw.sandbox.local_aws.faults import FAULTS

MOST_KB = 300_000  # private memory of one backend
MOST_FILES, MOST_THREADS = 200, 40
TOLD: list[str] = []


def figures(pid: int) -> tuple[int, int, int]:
    """Private memory in kB, open files and threads of a process."""
    process = Path("/proc", str(pid))
    rollup = (process / "smaps_rollup").read_text()
    private = sum(map(int, re.findall(r"^Private_\w+: +(\d+)", rollup, re.MULTILINE)))
    threads = re.search(r"^Threads:\s+(\d+)", (process / "status").read_text(), re.MULTILINE)
    return private, len(list((process / "fd").iterdir())), int(threads[1] if threads else 0)


def highest(one: tuple[int, int, int], other: tuple[int, int, int]) -> tuple[int, int, int]:
    """The larger of each figure."""
    return max(one[0], other[0]), max(one[1], other[1]), max(one[2], other[2])


class Worker(threading.Thread):
    """One client: it asks, cancels some of its own queries, and connects anew at times."""

    def __init__(self, ground: Ground, seed: int, until: float,
                 right: dict[str, list[tuple[object, ...]]]) -> None:  # fmt: skip
        super().__init__(daemon=True)
        self.ground, self.chance, self.until, self.right = ground, random.Random(seed), until, right
        self.tally, self.peak = Tally(terminates=True), (0, 0, 0)

    def run(self) -> None:
        while time.monotonic() < self.until:
            try:
                with self.ground.session("reader_dsn") as db:
                    db.execute("SET cloudtrail_fdw.max_seconds = '5s'")
                    self.ask_some(db)
            except psycopg.OperationalError:
                time.sleep(0.2)  # its backend was terminated
            except Exception as error:  # noqa: BLE001 - a client that dies in silence proves nothing
                self.tally.note("wrong", f"a client ended: {error!r}")
                return

    def ask_some(self, db: Db) -> None:
        for _ in range(self.chance.randint(1, 40)):
            if time.monotonic() > self.until or db.broken:
                return
            query = self.chance.choice(QUERIES)
            db.execute(
                f"SET cloudtrail_fdw.cache = {self.chance.choice(('on', 'off', 'wide'))}".encode()
            )
            impatient = self.chance.random() < 0.1
            db.execute(
                f"SET statement_timeout = {self.chance.randint(1, 200) if impatient else 60000}".encode()
            )
            killer = None
            if self.chance.random() < 0.1:
                killer = threading.Timer(self.chance.random() / 5, db.cancel)
                killer.start()
            found = ask(db, placed(query, ours=True), self.tally)
            if db.broken:  # terminated by run(); the log tells of any other end
                return
            if killer is not None:
                killer.cancel()
                killer.join()
            self.judge(query, found)
            if not db.closed:
                with contextlib.suppress(OSError):  # terminated meanwhile
                    self.peak = highest(self.peak, figures(db.info.backend_pid))

    def judge(self, query: str, found: Answer) -> None:
        self.tally.tried += 1
        rows, error = found.rows, found.error
        if rows is not None and sorted(map(str, rows)) == sorted(map(str, self.right[query])):
            self.tally.exact += 1
        elif error is not None and (found.says_what_to_do or error.sqlstate in (CANCELLED, ENDED)):
            self.tally.right_error += 1
        else:
            self.tally.note("wrong", f"{query}\n{found.text or rows}")


def run(ground: Ground, seconds: float, chance: random.Random, clients: int = 50) -> Tally:
    """So many clients for so long, while faults come and go."""
    until = time.monotonic() + seconds
    with ground.session() as db:
        right = {query: db.execute(placed(query, ours=False).encode()).fetchall()
                 for query in QUERIES}  # fmt: skip
        workers = [Worker(ground, chance.randrange(1 << 30), until, right) for _ in range(clients)]
        for worker in workers:
            worker.start()
        names = sorted(set(FAULTS) - LEFT_OUT - CHANGING)
        while time.monotonic() < until:
            fault = chance.choice(names)
            ground.fault(fault, True)
            time.sleep(chance.random() * 2)
            ground.fault(fault, False)
            if chance.random() < 0.2:
                with contextlib.suppress(psycopg.Error):  # its worker may be harmed as well
                    db.execute("SELECT cloudtrail_fdw_cache_clear()")
            if chance.random() < 0.2:
                db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
                           " usename = 'cloudtrail_reader' ORDER BY random() LIMIT 1")  # fmt: skip
            time.sleep(chance.random())
    tally, peak = Tally(), (0, 0, 0)
    for worker in workers:
        worker.join(120)
        if worker.is_alive():
            tally.note("hangs", "a client did not end")
        for name in ("tried", "exact", "right_error", "wrong", "crashes", "hangs", "secrets"):
            setattr(tally, name, getattr(tally, name) + getattr(worker.tally, name))
        tally.notes += worker.tally.notes
        peak = highest(peak, worker.peak)
    TOLD.append(f"{clients} sessions: at most {peak[0] // 1024} MB private memory, {peak[1]} files "
                f"and {peak[2]} threads a backend")  # fmt: skip
    if peak[0] > MOST_KB or peak[1] > MOST_FILES or peak[2] > MOST_THREADS:
        tally.note("wrong", TOLD[-1])
    return tally
