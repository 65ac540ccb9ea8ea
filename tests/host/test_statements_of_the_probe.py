"""The tests of the handler, with a worker as the host of Python in place of Multicorn."""

from __future__ import annotations

import importlib.util
from pathlib import Path

FILE = Path(__file__).parents[1] / "handler" / "test_handler.py"
MULTICORN_ONLY = {"test_class_that_cannot_be_imported"}

spec = importlib.util.spec_from_file_location("tests_of_the_handler", FILE)
assert spec is not None
assert spec.loader is not None
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
globals().update(
    {
        name: found
        for name, found in vars(module).items()
        if name.startswith("test_") and name not in MULTICORN_ONLY
    }
)
