"""The image's entrypoint from an empty folder to answers, on this machine's own PostgreSQL."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from cloudtrail_fdw.sandbox import aws_process, cluster, lifecycle, runtime
from cloudtrail_fdw.sandbox.runtime import Server
from cloudtrail_fdw.sandbox.site import install_site
from servers import place

pytestmark = pytest.mark.multicorn  # as in the image
DOCKER = Path(__file__).parents[2] / "docker"
PROGRAMS = ("initdb", "pg_ctl", "postgres", "pg_isready", "psql")
HEALTH = ("pg_isready", "--quiet", "--host=127.0.0.1")  # test_files.py: the Dockerfile's
READY_SECONDS = 60


@dataclass(frozen=True)
class Container:
    """What stands for one: programs on PATH, an environment, a folder of its own."""

    folder: Path
    env: dict[str, str]

    @property
    def port(self) -> str:
        return self.env["PGPORT"]

    def entrypoint(self, *command: str, **changed: str) -> subprocess.Popen[str]:
        """Start it, with variables changed."""
        return subprocess.Popen(
            [str(DOCKER / "entrypoint.sh"), *command], env={**self.env, **changed}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    @contextmanager
    def running(self, **changed: str) -> Iterator[list[str]]:
        """Run until ready, stop as Docker does; the list then holds what was printed."""
        process = self.entrypoint("postgres", **changed)
        output: list[str] = []
        try:
            deadline = time.monotonic() + READY_SECONDS
            while process.poll() is None and time.monotonic() < deadline:
                if subprocess.run(HEALTH, env=self.env, check=False).returncode == 0:
                    break
                time.sleep(0.1)
            yield output
        finally:
            process.send_signal(signal.SIGINT)  # STOPSIGNAL
            output.append(process.communicate(timeout=READY_SECONDS)[0])
        assert process.returncode == 0, output

    def connect(self, user: str, password: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host="127.0.0.1", port=self.port, dbname="security", user=user,
                               password=password, autocommit=True)  # fmt: skip


@pytest.fixture(scope="module")
def container(kind: str) -> Iterator[Container]:
    """A fresh one, beside the local AWS that the demo has."""
    server = lifecycle.choose_server(kind, print)
    folder = place() / f"container-{kind}"
    shutil.rmtree(folder, ignore_errors=True)
    runtime.make_readable(folder)
    home = folder / "pgsql"
    home.mkdir()
    cluster.own(home)
    aws_process.launch(folder, ["--shift-to-now"])
    try:
        endpoint = aws_process.await_ready(folder)["endpoint"]
        for name in ("reader", "grafana"):
            (folder / name).write_text(f'{name}\'s \\ "password"\n')
        env = {
            **lifecycle.environment(folder / "data", home / "cache"),
            "PATH": f"{programs(server, folder)}:/usr/bin:/bin",
            "PGDATA": str(home / "data"),
            "PGPORT": str(free_port()),
            "CLOUDTRAIL_FDW_OPTIONS": f"endpoint_url={endpoint} region=us-east-1 max_tps=1000",
            "CLOUDTRAIL_FDW_ROLE_SQL": str(DOCKER / "grafana/role.sql"),
            "CLOUDTRAIL_FDW_READER_PASSWORD_FILE": str(folder / "reader"),
            "CLOUDTRAIL_FDW_GRAFANA_PASSWORD_FILE": str(folder / "grafana"),
        }
        yield Container(folder, env)
    finally:
        aws_process.stop(folder)


def programs(server: Server, folder: Path) -> Path:
    """A folder of what the image has on PATH, run as PostgreSQL's user where we are root.

    The server listens on 127.0.0.1 whatever it is told: this is no container.
    """
    site = install_site(server, runtime.default_cache() / "site", print)
    path = ":".join(filter(None, (str(site), server.env.get("PYTHONPATH"))))
    words = ["exec", "env", *(f"{k}={v}" for k, v in {**server.env, "PYTHONPATH": path}.items())]
    if os.geteuid() == 0:
        user = folder.joinpath("pgsql").stat()
        words += ["setpriv", f"--reuid={user.st_uid}", f"--regid={user.st_gid}", "--clear-groups"]
    bin_ = folder / "bin"
    bin_.mkdir()
    local = "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c jit=off"
    for name in PROGRAMS:
        more = local if name == "postgres" else ""
        write(bin_ / name, f'{shlex.join([*words, f"{server.bindir}/{name}"])} "$@" {more}')
    write(bin_ / "mktemp", f'{shlex.join([*words, "/usr/bin/mktemp"])} "$@"')
    write(bin_ / "cloudtrail-fdw", f'exec {sys.executable} -m cloudtrail_fdw.cli "$@"')
    return bin_


def write(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/bash\n{line}\n")
    path.chmod(0o755)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_from_nothing_to_answers_and_again(container: Container) -> None:
    passwords = {
        name: (container.folder / name).read_text().strip() for name in ("reader", "grafana")
    }
    with container.running() as output:
        with container.connect("cloudtrail_reader", passwords["reader"]) as db:
            query = (
                "SELECT count(*) FROM cloudtrail_event WHERE event_time > now() - interval '1 day'"
            )
            assert db.execute(query).fetchone()[0] > 40
        with container.connect("grafana", passwords["grafana"]) as db:
            assert db.execute("SHOW cloudtrail_fdw.cache").fetchone() == ("wide",)
            assert db.execute("SELECT count(*) FROM cloudtrail_event_geo").fetchone()[0] > 40
        with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects"):
            container.connect("postgres", "any")
    printed = output[0] + (container.folder / "pgsql/data/init.log").read_text()
    assert 'Installed in schema "cloudtrail" of database "security".' in printed
    assert "The extension's own handler is in use." in printed
    assert 'password"' not in printed

    (container.folder / "grafana").write_text("another")
    with container.running(CLOUDTRAIL_FDW_OPTIONS="delivery_lag=2h"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            container.connect("grafana", passwords["grafana"])
        with container.connect("grafana", "another") as db:
            query = "SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'cloudtrail'"
            options = db.execute(query).fetchone()[0]
    assert {"delivery_lag=2h", "region=us-east-1"} <= set(options)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"CLOUDTRAIL_FDW_READER_PASSWORD_FILE": "/nowhere"},
            "/nowhere cannot be read or is empty",
        ),
        ({"CLOUDTRAIL_FDW_OPTIONS": "nonsense=1"}, '"nonsense" is not an option of the server'),
    ],
)
def test_what_cannot_be_done_ends_it(
    container: Container, changed: dict[str, str], said: str
) -> None:
    process = container.entrypoint("postgres", **changed)
    output, _ = process.communicate(timeout=READY_SECONDS)
    assert process.returncode != 0
    assert said in output
    assert not (container.folder / "pgsql/data/postmaster.pid").exists()


def test_other_commands_run_as_they_are(container: Container) -> None:
    process = container.entrypoint("cloudtrail-fdw", "--version")
    output, _ = process.communicate(timeout=READY_SECONDS)
    assert (process.returncode, output.split(",")[0]) == (0, "cloudtrail-fdw")
