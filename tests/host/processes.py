"""The processes of a server under test, as /proc has them, and what a test makes a worker send."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

Session = psycopg.Connection[tuple[Any, ...]]
COUNT = "SELECT count(*) FROM facts"


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are not zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(entry.name))
    return found


def zombies(pid: int) -> list[str]:
    """The children of a process that nobody has waited for."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state == "Z":
                found.append(entry.name)
    return found


def worker_of(session: Session) -> int:
    """The worker of a session, which has to have one."""
    (pid,) = children(session.info.backend_pid)
    return pid


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that is bound to happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def frame(kind: str, number: int, body: bytes, length: int = -1) -> str:
    """A setting that makes the worker send these bytes."""
    head = struct.pack("=IBI", len(body) if length < 0 else length, ord(kind), number)
    return f"send:{(head + body).hex()}"
