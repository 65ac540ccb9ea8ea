"""Real servers for the tests: every one that can be had, none skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from servers import BARE, KINDS, SHAPES, VERSIONS, Sandbox, start


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run on every server; modules with WITHOUT_HANDLER_TOO also with Multicorn's own handler."""
    if "kind" in metafunc.fixturenames:
        kinds = list(KINDS)
        if getattr(metafunc.module, "WITHOUT_HANDLER_TOO", False):
            kinds += [kind + BARE for kind in KINDS]
        metafunc.parametrize("kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> str:
    """Which server."""
    return str(request.param)


@pytest.fixture(scope="session")
def sandbox(kind: str) -> Iterator[Sandbox]:
    """A sandbox that serves tests/data/shapes.jsonl."""
    yield from start(kind, "shapes", "--events", str(SHAPES), "--log-group", "shapes")


@pytest.fixture(scope="session")
def sample(kind: str) -> Iterator[Sandbox]:
    """A sandbox that serves the demo's sample."""
    yield from start(kind, "sample")


@pytest.fixture
def db(sandbox: Sandbox) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A superuser's session in the sandbox of shapes."""
    with sandbox.connect() as connection:
        yield connection


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the servers that the tests ran on."""
    for kind, versions in sorted(VERSIONS.items()):
        terminalreporter.write_line(f"ran on {kind}: {versions}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A whole run that met no server proves nothing."""
    whole = not session.config.option.file_or_dir and not session.config.option.keyword
    if whole and not VERSIONS and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
