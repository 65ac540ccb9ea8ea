"""What a test run started and did not stop is stopped when the run is gone, whatever ended it.

Servers are daemons of other users, in sessions and environments of their own. What they take over
from the run is PATH, so a folder in it that is not there marks them. A process of this file, in a
session of its own, waits at a pipe that only the run holds open.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS = 5  # to end by SIGQUIT, by which PostgreSQL ends at once, clients or not
WATCH: list[subprocess.Popen[bytes]] = []  # whose standard input ends with this process


def watch() -> None:
    """Mark what this process starts from now on, and have it stopped once this process is gone."""
    mark = f"/nowhere/test-run-{os.getpid()}-{secrets.token_hex(8)}"
    command = [sys.executable, __file__, mark]
    WATCH.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))
    os.environ["PATH"] += os.pathsep + mark


def end() -> None:
    """Have it stopped now."""
    for process in WATCH:
        process.communicate()


def marked(mark: bytes) -> Iterator[int]:
    """The processes that began with the mark in their environment, but for this one."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                yield int(folder.name)
        except OSError:
            continue  # it has ended, or is another user's


def stop(mark: bytes) -> None:
    """End them."""
    for number in (signal.SIGQUIT, signal.SIGKILL):
        deadline = time.monotonic() + SECONDS
        for process in marked(mark):
            os.kill(process, number)
        while any(marked(mark)) and time.monotonic() < deadline:
            time.sleep(0.1)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    stop(sys.argv[1].encode())
