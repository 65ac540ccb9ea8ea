"""A PostgreSQL cluster of our own in one folder: make, start, find again, stop."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox.own_files import own_program
from cloudtrail_fdw.sandbox.runtime import Server, make_readable, readable_by_all

STATE = "cluster.json"
SUPERUSER = "postgres"
SECONDS = 45  # to start, or to stop
# What the server's process may see of our environment: ways to the network, no credentials.
INHERITED = (
    "PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
# A sandbox is made anew after a crash, so it need not wait for the disk. LLVM, which jit would
# load, is not part of the private server. TCP with a password only: a socket's path has a limit
# of 107 bytes, which a deep checkout exceeds.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "64",
    "shared_buffers": "32MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "jit": "off",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "max_wal_size": "64MB",
}


@dataclass(frozen=True)
class Cluster:
    """A running cluster: ``directory`` holds its data, log and state."""

    directory: str
    bindir: str
    env: Mapping[str, str]
    port: int
    password: str
    superuser: str = SUPERUSER

    def dsn(self, dbname: str = "postgres", user: str = "", password: str = "") -> str:
        """A connection URL: the superuser's, or that of another role with its password."""
        name, word = (user, password) if user else (self.superuser, self.password)
        login = f"{quote(name, safe='')}:{quote(word, safe='')}"
        return f"postgresql://{login}@127.0.0.1:{self.port}/{quote(dbname, safe='')}"


def start(
    directory: Path, server: Server, site: Path, environment: Mapping[str, str],
    settings: Mapping[str, str] = SETTINGS,
) -> Cluster:  # fmt: skip
    """Start the cluster in ``directory``, made first when it is not there; returns when ready.

    ``site`` goes on the server's PYTHONPATH, ``environment`` (AWS_*, …) into its environment.
    FdwError with the end of the log when it does not start.
    """
    if is_running(directory):
        raise FdwError(f"a cluster is running in {directory}", hint="Stop it, or take another.")
    make_readable(directory)
    if os.geteuid() == 0 and not readable_by_all(directory):
        raise FdwError(
            f"PostgreSQL does not run as root, and its own user cannot enter {directory}",
            hint="Choose a directory whose every parent may be entered by all users.",
        )
    known = _load(directory)
    made = known is not None and (directory / "data/PG_VERSION").exists()
    password = known.password if known and made else secrets.token_urlsafe(24)
    env = _environment(directory, server, site, environment)
    if not made:
        _initdb(directory, server, env, password)
    (directory / "data/postmaster.pid").unlink(missing_ok=True)  # a stale one: not running
    own(directory / "postgresql.log")
    program = own_program(server, directory / "server")
    for _ in range(5):
        cluster = Cluster(str(directory), str(server.bindir), server.env, _free_port(), password)
        _save(directory, cluster)
        arguments = ["-p", str(program), "-o", _options(cluster.port, settings)]
        if _pg_ctl(cluster, "start", arguments, env):
            return cluster
        if "could not bind" not in _log_end(directory):
            break  # else another program took the port in between
    raise FdwError("PostgreSQL did not start", detail=_log_end(directory))


def load(directory: Path) -> Optional[Cluster]:
    """The cluster that runs in ``directory``, or None."""
    return _load(directory) if is_running(directory) else None


def stop(directory: Path) -> None:
    """Stop the cluster in ``directory``; nothing happens when none runs."""
    cluster = _load(directory)
    if cluster is None or not is_running(directory):
        return
    for mode in ("fast", "immediate"):
        if _pg_ctl(cluster, "stop", ["--mode", mode]):
            return
    raise FdwError(f"the PostgreSQL in {directory} does not stop", detail=_log_end(directory))


def is_running(directory: Path) -> bool:
    """Whether the postmaster of this very data directory is alive.

    After a reboot another process may have the number in its file; a postmaster's working
    directory is its data directory.
    """
    data = (directory / "data").resolve()
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        return Path(f"/proc/{pid}/cwd").readlink() == data
    except (OSError, ValueError):
        return False


def _initdb(directory: Path, server: Server, env: Mapping[str, str], password: str) -> None:
    """Make the data directory; the database is UTF8, in the locale C.UTF-8 where there is one."""
    data, word = directory / "data", directory / "password"
    for locale in ("C.UTF-8", "C"):
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(mode=0o700)
        word.touch(mode=0o600)
        word.write_text(password)
        command = [str(server.bindir / "initdb"), "--pgdata", str(own(data)), "--no-sync",
                   "--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8",
                   "--pwfile", str(own(word)), "--locale", locale]  # fmt: skip
        done = _run(command, env)
        word.unlink()
        if done.returncode == 0:
            return
    raise FdwError("a database cluster cannot be made", detail=done.stderr.strip()[-1000:])


def _pg_ctl(
    cluster: Cluster, action: str, options: list[str], env: Optional[Mapping[str, str]] = None
) -> bool:
    directory = Path(cluster.directory)
    command = [f"{cluster.bindir}/pg_ctl", action, "--pgdata", str(directory / "data"), "--wait",
               "--timeout", str(SECONDS), "--silent", *options]  # fmt: skip
    if action == "start":
        command += ["--log", str(directory / "postgresql.log")]
    return _run(command, env or {**_inherited(), **cluster.env}).returncode == 0


def _run(command: list[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program as the user who may run PostgreSQL, apart from our terminal's signals."""
    user: dict[str, Any] = {}
    if os.geteuid() == 0:
        entry = _server_user()
        user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    return subprocess.run(
        command, env=env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, start_new_session=True, umask=0o077, **user,
    )  # fmt: skip


def _server_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise FdwError(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody",
        hint="Run this as an ordinary user.",
    )


def own(path: Path) -> Path:
    """Hand a file, made if need be, or a folder to the user who runs PostgreSQL."""
    path.touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(path, _server_user().pw_uid, _server_user().pw_gid, follow_symlinks=False)
    return path


def _environment(
    directory: Path, server: Server, site: Path, environment: Mapping[str, str]
) -> dict[str, str]:
    python_path = [str(site), server.env.get("PYTHONPATH", "")]
    return {
        **_inherited(),
        **server.env,
        "PYTHONPATH": ":".join(filter(None, python_path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        **environment,
    }


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def _options(port: int, settings: Mapping[str, str]) -> str:
    given = {**settings, "port": str(port)}
    return " ".join(f"-c {name}='{value}'" for name, value in given.items())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log_end(directory: Path) -> str:
    try:
        return (directory / "postgresql.log").read_text(errors="replace")[-1500:].strip()
    except OSError:
        return ""


def _save(directory: Path, cluster: Cluster) -> None:
    """Atomically, and for our eyes only: the password is in it."""
    descriptor, name = tempfile.mkstemp(prefix=STATE, dir=directory)  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(cluster), file)
    Path(name).replace(directory / STATE)


def _load(directory: Path) -> Optional[Cluster]:
    try:
        return Cluster(**json.loads((directory / STATE).read_text()))
    except FileNotFoundError:
        return None
