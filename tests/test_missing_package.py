"""A package that the server's Python lacks is an error, twice in a row, and no crash."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cloudtrail_fdw.sandbox import cluster, lifecycle, runtime, site

# The package, and a query that needs it.
NEEDED = [
    ("msgspec", "SELECT count(*) FROM cloudtrail.cloudtrail_event"),
    ("maxminddb", "SELECT * FROM cloudtrail.ip_enrichment WHERE ip = '192.0.2.1'"),
    ("boto3", "SELECT count(*) FROM cloudtrail.cloudtrail_event"),
    ("pycares", "SELECT reverse_dns FROM cloudtrail.ip_enrichment WHERE ip = '3.141.213.252'"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can enter."""
    base = runtime.default_cache() / "tests"
    base.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=base))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.multicorn  # for a worker install refuses the interpreter
@pytest.mark.parametrize(("package", "query"), NEEDED, ids=[name for name, _ in NEEDED])
def test_it_is_named_twice_and_the_server_lives(
    kind: str, folder: Path, package: str, query: str
) -> None:
    server = lifecycle.choose_server(kind, print)
    whole = site.install_site(server, runtime.default_cache() / "site", print)
    lacking = folder / "site"
    lacking.mkdir()
    for entry in whole.iterdir():
        if not entry.name.startswith(package):
            (lacking / entry.name).symlink_to(entry.resolve())
    running = cluster.start(folder / "postgres", server, lacking, {})
    try:
        install = [sys.executable, "-m", "cloudtrail_fdw.cli", "install", running.dsn()]
        subprocess.run(install, capture_output=True, check=False, timeout=60)
        with psycopg.connect(running.dsn(), autocommit=True) as db:
            for _ in range(2):
                with pytest.raises(psycopg.Error) as raised:
                    db.execute(query)
                assert f"the Python package {package}" in str(raised.value)
                assert "pip install" in str(raised.value)
            assert db.execute("SELECT 1").fetchone() == (1,)
    finally:
        cluster.stop(folder / "postgres")
