"""What the benchmarks share: sandboxes, what a backend costs, and the lines of the result."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import psycopg

from cloudtrail_fdw.cli import data
from cloudtrail_fdw.sandbox import lifecycle, runtime
from cloudtrail_fdw.sources.disk.data_files import sample_path

HERE = Path(__file__).parent
FOLDER = runtime.default_cache() / "bench"
SIX = ("event_time", "event_name", "event_source", "username", "source_ip_address", "error_code")
WEEK = 50_000  # events over 7 days
PAGES = 71  # that these are
Db = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Line:
    """One line of the table. ``met`` is None where no target was set."""

    what: str
    ours: str
    other: str
    ratio: str
    target: str
    met: Optional[bool]


@dataclass(frozen=True)
class Cost:
    """Seconds of a backend's or a script's processor, and of the clock."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Options:
    """Which PostgreSQL, and whether to take the small sizes."""

    server: str = "private"
    quick: bool = False
    ip_ranges: Optional[Path] = None  # AWS's ip-ranges.json

    def count(self, events: int) -> int:
        """The number of events to take."""
        return events // 10 if self.quick else events


class Bench:
    """A running sandbox."""

    def __init__(self, state: dict[str, str], python: str, env: dict[str, str]) -> None:
        """``python`` runs a script in the server's own Python, in the environment ``env``."""
        self.state = state
        self.python = python
        self.env = env

    def connect(self, **settings: str) -> Db:
        """A new session with settings of cloudtrail_fdw."""
        db = psycopg.connect(self.state["dsn"], autocommit=True)
        db.prepare_threshold = None
        for name, setting in settings.items():
            db.execute(f"SET cloudtrail_fdw.{name} = '{setting}'")
        return db

    def control(self, *arguments: str) -> Any:
        """What ``cloudtrail-fdw sandbox …`` answers."""
        return json.loads(command(*arguments, "--dir", self.state["dir"]) or "null")

    def clear_cache(self) -> None:
        """Forget the pages on disk."""
        with self.connect() as db:
            db.execute("SELECT cloudtrail_fdw_cache_clear()")

    def calls(self, work: Callable[[], object]) -> dict[str, Any]:
        """What the local AWS was asked meanwhile: calls of FilterLogEvents, events, throttles."""
        self.control("reset-stats")
        work()
        found = dict(self.control("stats"))
        found["calls"] = found["calls"].get("FilterLogEvents", 0)
        return found

    def script(self, name: str, *arguments: str) -> dict[str, Any]:
        """What a script of bench/others printed, run in the server's Python."""
        path = HERE / "others" / f"{name}.py"
        line = [self.python, "-W", "ignore", str(path), self.state["aws_endpoint"],
                self.state["log_group"], *arguments]  # fmt: skip
        done = subprocess.run(line, check=True, stdout=subprocess.PIPE, env=self.env)
        return dict(json.loads(done.stdout))


def command(*arguments: str) -> str:
    """The output of ``cloudtrail-fdw sandbox``."""
    line = [sys.executable, "-m", "cloudtrail_fdw.cli", "sandbox", *arguments]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def bench(options: Options, name: str, events: Path, *arguments: str) -> Iterator[Bench]:
    """A sandbox that serves ``events``; ``arguments`` are those of ``sandbox start``."""
    folder = FOLDER / name
    say(f"starting a sandbox: {name}")
    state = json.loads(
        command("start", "--dir", str(folder), "--events", str(events), "--server", options.server,
                "--data-directory", str(data_directory()), *arguments)
    )  # fmt: skip
    with psycopg.connect(state["dsn"]) as db:
        env = environment(db.info.backend_pid)
    python = lifecycle.choose_server(options.server, say).interpreter or sys.executable
    try:
        yield Bench(state, str(python), {**env, "AWS_DEFAULT_REGION": "us-east-1"})
    finally:
        command("stop", "--dir", str(folder))


def environment(backend: int) -> dict[str, str]:
    """That of a backend's server: its Python, with the product and what it needs.

    The backend's own is overwritten by its title.
    """
    status = Path(f"/proc/{backend}/status").read_text("ascii")
    server = int(status.split("PPid:")[1].split()[0])
    entries = Path(f"/proc/{server}/environ").read_bytes().split(b"\0")
    return dict(os.fsdecode(entry).split("=", 1) for entry in entries if b"=" in entry)


def data_directory() -> Path:
    """DB-IP Lite in full where ``cloudtrail-fdw data update`` has put it, or can."""
    folder = runtime.default_cache() / "data"
    folder.mkdir(parents=True, exist_ok=True)
    data.fetch_demo_data(folder, say)
    return folder


def ranges_file(options: Options) -> Path:
    """AWS's ip-ranges.json: the one given, else that of ``data update``, else the sample."""
    held = data_directory() / "ip-ranges.json"
    if options.ip_ranges is None:
        return held if held.exists() else sample_path("ip-ranges.json")
    content = options.ip_ranges.read_bytes()
    path = FOLDER / "ip-ranges.json"
    path.write_bytes(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)
    return path


def event_file(count: int, days: float = 7.0, *more: str) -> Path:
    """A file of make_events.py, made once; ``more`` are its further options."""
    path = FOLDER / f"events-{count}-{days:g}{''.join(more)}.jsonl"
    newest = (HERE / "make_events.py").stat().st_mtime
    if not path.exists() or path.stat().st_mtime < newest:
        say(f"making {count:,} events")
        runtime.make_readable(FOLDER)
        line = [
            sys.executable,
            str(HERE / "make_events.py"),
            str(count),
            "--days",
            str(days),
            *more,
        ]
        with path.open("wb") as file:
            subprocess.run(line, check=True, stdout=file)
    return path


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and all its threads, those that ended included (Linux).

    Its clock's number is what clock_getcpuclockid gives: Linux's CPUCLOCK_SCHED of the process.
    """
    return time.clock_gettime((~pid << 3) | 2)


def cost(db: Db, query: str) -> Cost:
    """What a query costs its backend."""
    pid = db.info.backend_pid
    began, wall = cpu_seconds(pid), time.perf_counter()
    db.execute(query).fetchall()
    return Cost(cpu_seconds(pid) - began, time.perf_counter() - wall)


def script_cost(found: dict[str, Any]) -> Cost:
    """What a script says that it cost."""
    return Cost(found["cpu"], found["wall"])


def best(works: Sequence[Callable[[], Cost]], rounds: int = 3) -> list[Cost]:
    """The cheapest run of each by processor time, in turn, so that all meet the same weather."""
    runs = [[work() for work in works] for _ in range(rounds)]
    return [min(column, key=lambda run: run.cpu) for column in zip(*runs)]


def private_memory(pid: int) -> float:
    """MB of a process's own anonymous memory that are in RAM (RssAnon of /proc/PID/status)."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.split("RssAnon:")[1].split()[0]) / 1000


def select(columns: Sequence[str], where: str = "") -> str:
    """A query that reads columns of all events and gives one row, so that no client counts."""
    counts = ", ".join(f"count({column})" for column in columns)
    return f"SELECT {counts} FROM cloudtrail_event {where}"  # noqa: S608 - of our own making


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def rate(events: int, seconds: float) -> str:
    """Events a second, for people."""
    return f"{events / seconds:,.0f}/s"
