"""A test run that is cut off leaves no server behind, and one in the background is complete."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from servers import TESTS

BEGUN = """
import json, time
from pathlib import Path
from servers import start


def test_that_never_ends():
    running = start("private", "cut-off")
    state = next(running).state
    Path({file!r}).write_text(json.dumps(state))
    time.sleep(600)
"""
INTERRUPTED = """
import signal, subprocess, sys


def test_a_child_can_be_interrupted():
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    assert subprocess.run([sys.executable, "-c", kill], stderr=-3).returncode == -signal.SIGINT
"""


def run(tests: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    """Pytest over a file that is none of ours, with our conftest."""
    settings = str(TESTS.parent / "pyproject.toml")
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-c", settings, "-p", "conftest", "--rootdir",
         str(tests.parent), *arguments, str(tests)],
        env={**os.environ, "PYTHONPATH": str(TESTS)}, cwd=tests.parent, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,  # type: ignore[call-overload]
    )  # fmt: skip


def reachable(url: str) -> bool:
    """Whether somebody listens there."""
    place = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((str(place.hostname), int(place.port or 0))) == 0


@pytest.mark.parametrize("arguments", [(), ("--numprocesses", "2")], ids=["alone", "workers"])
def test_servers_end_with_a_run_that_is_killed(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    file, tests = tmp_path / "state.json", tmp_path / "test_cut_off.py"
    tests.write_text(BEGUN.format(file=str(file)))
    process = run(tests, *arguments, start_new_session=True)
    deadline = time.monotonic() + 120
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    if not file.exists():
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(process.communicate()[0])
    state = json.loads(file.read_text())
    servers = [state["dsn"], state["aws_endpoint"]]
    assert list(map(reachable, servers)) == [True, True]
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 60
    while any(map(reachable, servers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(map(reachable, servers)) == [False, False]


def test_what_a_run_in_the_background_starts_can_be_interrupted(tmp_path: Path) -> None:
    """A shell without job control starts its background jobs with SIGINT ignored."""
    tests = tmp_path / "test_interrupted.py"
    tests.write_text(INTERRUPTED)
    process = run(tests, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0, output
