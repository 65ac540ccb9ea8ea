"""Many sessions whose Python workers are killed, stopped and starved: only queries fail, by name."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import psycopg
import sessions
from ground import Ground
from tally import Db, Tally

QUERY = "SELECT count(*) FROM cloudtrail_event"
ACTS = ("kill", "crash", "stop", "starve", "cancel", "terminate")
GROWTH_KB = 4000  # of a backend whose worker was replaced again and again
SPARE = 2 << 20  # bytes that a starved worker may still take
ONE = "SELECT {}(pid) FROM pg_stat_activity WHERE usename = 'cloudtrail_reader' ORDER BY random() LIMIT 1"


def workers(data: Path) -> list[int]:
    """The Python processes of a cluster: what runs in its folder and is not PostgreSQL."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            inside = entry.name.isdecimal() and (entry / "cwd").readlink() == data
            if inside and (entry / "exe").readlink().name != "postgres":
                found.append(int(entry.name))
    return found


def harm(pid: int, act: str, chance: random.Random) -> None:
    """Do one thing to a worker; a stopped one goes on later, or is killed."""
    if act == "kill":
        os.kill(pid, signal.SIGKILL)
    elif act == "crash":
        os.kill(pid, signal.SIGSEGV)
    elif act == "starve":
        size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        owner = Path(f"/proc/{pid}").stat()  # who alone may do it, where root lacks a capability
        subprocess.run(["prlimit", f"--pid={pid}", f"--as={size + SPARE}"], check=True, stderr=subprocess.DEVNULL,
                       user=owner.st_uid, group=owner.st_gid, extra_groups=[])  # fmt: skip
    else:
        os.kill(pid, signal.SIGSTOP)
        after = chance.choice((signal.SIGCONT, signal.SIGKILL))
        threading.Timer(chance.random() * 3, kill, (pid, after)).start()


def kill(pid: int, number: int) -> None:
    """Send a signal to what may be gone."""
    with contextlib.suppress(OSError):
        os.kill(pid, number)


class Killer(threading.Thread):
    """It harms somebody's worker, or a session, several times a second."""

    def __init__(self, ground: Ground, seed: int, until: float) -> None:
        super().__init__(daemon=True)
        self.ground, self.chance, self.until = ground, random.Random(seed), until
        self.data = Path(ground.sandbox.state["dir"]) / "postgres" / "data"
        self.done = dict.fromkeys(ACTS, 0)
        self.first = self.last = (0, 0, 0)

    def run(self) -> None:
        begun = time.monotonic()
        with self.ground.session() as db, self.ground.session() as admin:
            while time.monotonic() < self.until:
                time.sleep(self.chance.random() / 3)
                with contextlib.suppress(OSError, psycopg.Error, subprocess.CalledProcessError):
                    self.act(admin)
                if self.chance.random() < 0.2:
                    self.use(db)
                if not self.first[0] and time.monotonic() - begun > 0.2 * (self.until - begun):
                    self.first = sessions.figures(db.info.backend_pid)
            self.use(db)
            self.last = sessions.figures(db.info.backend_pid)

    def act(self, admin: Db) -> None:
        act = self.chance.choice(ACTS)
        if act in ("cancel", "terminate"):
            admin.execute(ONE.format(f"pg_{act}_backend").encode())
        else:
            harm(self.chance.choice(workers(self.data) or [0]), act, self.chance)
        self.done[act] += 1

    def use(self, db: Db) -> None:
        """A session that lasts has its worker harmed as well, and goes on."""
        with contextlib.suppress(psycopg.Error):
            db.execute(QUERY)


def checkpointer(db: Db) -> object:
    """A process that a restart after a crash replaces, though the postmaster stays."""
    return db.execute(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
    ).fetchone()


def run(ground: Ground, seconds: float, chance: random.Random, clients: int = 50) -> Tally:
    """So many clients for so long, under the faults of sessions.run and these."""
    with ground.session() as db:
        before = checkpointer(db)
        killer = Killer(ground, chance.randrange(1 << 30), time.monotonic() + seconds)
        killer.start()
        tally = sessions.run(ground, seconds, chance, clients)
        killer.join(120)
        if checkpointer(db) != before:
            tally.note("crashes", "the server has restarted")
    end = time.monotonic() + 20
    while workers(killer.data) and time.monotonic() < end:
        time.sleep(0.1)
    if left := workers(killer.data):
        tally.note("wrong", f"workers without a session: {left}")
    done = ", ".join(f"{act} {number} times" for act, number in killer.done.items())
    sessions.TOLD.append(f"workers and sessions harmed: {done}; a session that lasted had {killer.first[0]}"
                         f" kB and {killer.first[1]} files, at the end {killer.last[0]} and {killer.last[1]}")  # fmt: skip
    if killer.last[0] - killer.first[0] > GROWTH_KB or killer.last[1] - killer.first[1] > 2:
        tally.note("wrong", sessions.TOLD[-1])
    return tally
