"""The local AWS as a process: start, ask, stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlencode

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox.local_aws.__main__ import STATE_FILE

LOG = "local_aws.log"
READY_SECONDS = 60
STARTED: dict[Path, subprocess.Popen[bytes]] = {}  # by this process, which has to wait for them


def launch(directory: Path, arguments: Sequence[str]) -> None:
    """Start the local AWS as a process that outlives this one."""
    command = [sys.executable, "-m", "cloudtrail_fdw.sandbox.local_aws", "--state", str(directory)]
    with (directory / LOG).open("wb") as log:
        STARTED[directory] = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


def await_ready(directory: Path) -> dict[str, Any]:
    """The launched one's addresses once it serves; FdwError with its words when it does not."""
    process = STARTED[directory]
    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        state = read_state(directory)
        if state:
            return state
        time.sleep(0.02)
    said = (directory / LOG).read_text("utf-8", "replace").strip().splitlines()
    raise FdwError("the local AWS did not start", detail=said[-1] if said else None)


def stop(directory: Path) -> bool:
    """Stop the local AWS of ``directory``; whether it ran."""
    started = STARTED.pop(directory, None)
    process = started.pid if started else read_state(directory).get("pid")
    if process is None or not is_local_aws(process):
        return False
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + 5
    while is_local_aws(process) and time.monotonic() < deadline:
        time.sleep(0.02)
    if started:
        started.wait(5)
    return True


def is_local_aws(process: int) -> bool:
    """Whether the process of that number is ours still, and no later one with the same."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"cloudtrail_fdw.sandbox.local_aws" in words


def read_state(directory: Path) -> dict[str, Any]:
    """What the process says of itself while it serves, empty when it does not."""
    try:
        state: dict[str, Any] = json.loads((directory / STATE_FILE).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return state


def control(directory: Path, command: str, body: Optional[bytes] = None, **query: str) -> Any:
    """Ask the local AWS that runs in ``directory``; a ``body`` makes it a POST.

    FdwError when none runs there, or with its own words when it refuses.
    """
    endpoint = read_state(directory).get("endpoint")
    if endpoint is None:
        raise FdwError(f"no sandbox runs in {directory}", hint="cloudtrail-fdw sandbox start")
    url = f"{endpoint}/_sandbox/{command}" + (f"?{urlencode(query)}" if query else "")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url, data=body), timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = json.load(error)
        names = ", ".join(said.get("faults", ()))
        raise FdwError(said["error"], hint=f"There are {names}." if names else None) from None
    except OSError as error:
        raise FdwError(f"the local AWS of {directory} does not answer", detail=str(error),
                       hint="cloudtrail-fdw sandbox start") from None  # fmt: skip
