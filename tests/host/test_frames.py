"""frames.c, which reads what the worker sends, compiled alone under sanitizers and fuzzed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "fuzz_frames.c"
SANITIZED = ("-std=gnu99", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
             "-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # fmt: skip
FRAMES = 1_000_000


@pytest.mark.parametrize("seed", [1, 2])
def test_no_frame_is_read_beyond_its_end(tmp_path: Path, seed: int) -> None:
    compiler = shutil.which("gcc") or shutil.which("clang")
    assert compiler is not None  # else conftest.py leaves this file out
    program = tmp_path / "fuzz"
    subprocess.run([compiler, *SANITIZED, "-o", program, SOURCE], check=True, timeout=120)
    done = subprocess.run(
        [program, str(seed), str(FRAMES)], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
