"""The program's exit status, whatever goes wrong; real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def program(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloudtrail_fdw.program", *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(("command", "status"), [("check", 2), ("doctor", 1), ("--help", 1)])
@pytest.mark.parametrize("error", ["ImportError('no\\nlibpq')", "OSError(5, 'broken library')"])
def test_what_cannot_be_imported_is_no_finding(
    tmp_path: Path, command: str, status: int, error: str
) -> None:
    (tmp_path / "psycopg.py").write_text(f"raise {error}\n")
    done = program(command, PYTHONPATH=str(tmp_path))
    assert done.returncode == status
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Error: cloudtrail-fdw cannot start: ")


@pytest.mark.parametrize(("command", "status"), [("check", 2), ("doctor", 130)])
def test_an_interrupted_start(tmp_path: Path, command: str, status: int) -> None:
    """The interrupt comes while psycopg is imported."""
    (tmp_path / "psycopg.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    assert program(command, PYTHONPATH=str(tmp_path)).returncode == status


def test_it_is_the_program_that_is_installed() -> None:
    assert program("--version").stdout.startswith("cloudtrail-fdw, version ")
    scripts = Path(sys.executable).with_name("cloudtrail-fdw")
    assert "cloudtrail_fdw." in scripts.read_text()
