"""A cluster whose probe's tables a worker reads, on every server that can have one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from probe_servers import Probe
from worker_servers import worker_probe, worker_servers

from cloudtrail_fdw.sandbox.runtime import Server


def by_name(server: Server) -> str:
    """How pytest names the server; see SERVER in tests/conftest.py."""
    return f"probed@pg{server.postgres_version}-multicorn{server.multicorn_version}"


@pytest.fixture(scope="session", params=worker_servers(), ids=by_name)
def probed(request: pytest.FixtureRequest) -> Iterator[Probe]:
    """The cluster."""
    with worker_probe(request.param) as running:
        yield running


@pytest.fixture
def session(probed: Probe) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A superuser's session."""
    with probed.connect() as connection:
        yield connection
