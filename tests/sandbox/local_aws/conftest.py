"""A local AWS as its own process, and boto3 clients for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

GROUP = "trail"
ONCE = {"total_max_attempts": 1}


@dataclass
class Sandbox:
    """A running local AWS."""

    endpoint: str
    dns_server: str
    process: subprocess.Popen[bytes]
    state: Path

    def client(self, service: str, **options: Any) -> Any:
        """An unmodified boto3 client, without retries."""
        config = Config(retries=ONCE, read_timeout=options.pop("read_timeout", 10))
        keys = {"region_name": "us-east-1", "aws_access_key_id": "AKIAEXAMPLE",
                "aws_secret_access_key": "secret", "aws_session_token": None}  # fmt: skip
        keys.update(options)
        return boto3.client(service, endpoint_url=self.endpoint, config=config, **keys)

    def call(self, path: str, body: bytes | None = None, **headers: str) -> Any:
        """GET a control call, or POST it with a body."""
        url = f"{self.endpoint}/_sandbox/{path}"
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return {"status": error.code, **json.load(error)}

    def fault(self, name: str, on: bool = True, action: str = "") -> None:
        """Switch a fault."""
        only = f"&action={action}" if action else ""
        answer = self.call(f"fault?name={name}&on={int(on)}{only}", b"")
        assert (name in answer["on"]) == on


Start = Callable[..., Sandbox]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start sandboxes: ``start(lines, "--option", "value", ...)``."""
    running: list[Sandbox] = []

    def start_one(lines: list[str] | None = None, *options: str) -> Sandbox:
        state = tmp_path / f"state{len(running)}"
        arguments = ["--state", str(state), "--log-group", GROUP, *options]
        if lines is not None:
            events = tmp_path / f"events{len(running)}.jsonl"
            events.write_text("".join(f"{line}\n" for line in lines))
            arguments += ["--events", str(events)]
        command = [sys.executable, "-m", "cloudtrail_fdw.sandbox.local_aws", *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        file = state / "local_aws.json"
        deadline = time.monotonic() + 30
        while not file.exists():
            assert process.poll() is None, process.communicate()[1].decode()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        shape = json.loads(file.read_text())
        assert shape["log_group"] == GROUP
        assert shape["pid"] == process.pid
        sandbox = Sandbox(shape["endpoint"], shape["dns_server"], process, state)
        running.append(sandbox)
        return sandbox

    yield start_one
    for sandbox in running:
        if sandbox.process.poll() is None:
            sandbox.process.terminate()
        errors = sandbox.process.communicate(timeout=10)[1]
        assert errors == b""


def record(number: int, **fields: Any) -> str:
    """A small record; its eventTime is ``number`` minutes after 2026-11-20T00:00:00Z."""
    hours, minutes = divmod(number, 60)
    days, hours = divmod(hours, 24)
    time_ = f"2026-11-{20 + days:02d}T{hours:02d}:{minutes:02d}:00Z"
    return json.dumps({"eventTime": time_, "eventName": f"Event{number}", **fields})


@pytest.fixture
def records() -> Callable[..., str]:
    """The maker of small records."""
    return record
