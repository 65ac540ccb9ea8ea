"""Real servers for the tests: every one that can be had, none skipped."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

import leftovers
from servers import BARE, KINDS, SHAPES, VERSIONS, WORKER, Db, Sandbox, start

SHARED = ("sandbox", "sample")  # the servers that several modules use
# In a test's id: what makes its server (one of SHARED, the module, or "probed"), and which it is.
SERVER = re.compile(rf"\w+@(pg[\d.]+-)?[a-z]+[\d.]*({WORKER}|{BARE})?")


def pytest_configure(config: pytest.Config) -> None:
    """Let nothing that is started outlive the run, and let all of it be interrupted.

    A shell's background jobs ignore SIGINT, and so does what they start.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # workers are what the run started
        leftovers.watch()


def pytest_unconfigure() -> None:
    """Let nothing that is started outlive a run that ends by itself, either."""
    leftovers.end()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run on every server; modules with WITHOUT_HANDLER_TOO also with Multicorn's own handler."""
    if "kind" in metafunc.fixturenames:
        kinds = list(KINDS)
        if metafunc.definition.get_closest_marker("multicorn"):
            kinds = [kind for kind in KINDS if not kind.endswith(WORKER)]
        if metafunc.definition.get_closest_marker("worker"):
            kinds = [kind for kind in KINDS if kind.endswith(WORKER)]
        if getattr(metafunc.module, "WITHOUT_HANDLER_TOO", False):
            kinds += [kind + BARE for kind in KINDS if not kind.endswith(WORKER)]
        used = [name for name in SHARED if name in metafunc.fixturenames]
        maker = used[0] if used else metafunc.definition.path.stem
        names = [f"{maker}@{kind}" for kind in kinds]
        metafunc.parametrize("kind", kinds, indirect=True, scope="session", ids=names)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests for which no server is there: of Multicorn, where a run has none."""
    lacking = [item for item in items if "[NOTSET" in item.name]
    config.hook.pytest_deselected(items=lacking)
    items[:] = [item for item in items if item not in lacking]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let one worker do all tests that share a server, so that each server starts once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByServer(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = SERVER.search(nodeid)
            return shared[0] if shared else nodeid.split("::")[0]

    return ByServer(config, log)


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
def db(sandbox: Sandbox) -> Iterator[Db]:
    """A superuser's session in the sandbox of shapes."""
    with sandbox.session() as session:
        yield session


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a worker of pytest-xdist which servers it met."""
    VERSIONS.update(getattr(node, "workeroutput", {}).get("versions", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the servers that the tests ran on."""
    if not any(kind for kind in KINDS if not kind.endswith(WORKER)):
        terminalreporter.write_line("without any Multicorn: its face was not tested")
    for kind, versions in sorted(VERSIONS.items()):
        terminalreporter.write_line(f"ran on {kind}: {versions}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A whole run that met no server proves nothing."""
    if hasattr(session.config, "workeroutput"):  # a worker, which did a part
        session.config.workeroutput["versions"] = VERSIONS
        return
    whole = not session.config.option.file_or_dir and not session.config.option.keyword
    if whole and not VERSIONS and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
