"""The command line that runs a query in the container image, where there is no server for it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence

from cloudtrail_fdw.cli.query import own_credentials
from cloudtrail_fdw.cli.query.own_server import Wanted
from cloudtrail_fdw.errors import FdwError

IMAGE = "cloudtrail-fdw"  # as docs/own_account.md builds it; CLOUDTRAIL_FDW_IMAGE names another
HOME = "/var/lib/pgsql"  # of the image's user, who may write there
ENGINES = ("docker", "podman")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
PASSED = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")


def run_in_container(
    wanted: Wanted, arguments: Sequence[str], missing: FdwError, tell: Callable[[str], None],
    *, terminal: bool = False,
) -> int:  # fmt: skip
    """Run ``cloudtrail-fdw`` with command and arguments in the image; its exit status.

    The command is told first. ``missing``, why there is no server here, is raised where no
    container engine is either.
    """
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    command = container_command(engine or ENGINES[0], wanted, arguments, terminal=terminal)
    shown = shlex.join(command)
    if engine is None:
        raise FdwError(
            missing.message, detail=missing.detail,
            hint=f"{missing.hint} Or, where a container engine is: {shown}",
        )  # fmt: skip
    if wanted.endpoint_url:
        raise FdwError("--endpoint-url is of this machine, and not seen in a container")
    tell(f"{missing.message}; running in a container:\n  {shown}")
    key = own_credentials.resolve(wanted.region)
    environment = {**os.environ, **key.environment, "AWS_REGION": key.region}
    if "AWS_SESSION_TOKEN" not in key.environment:
        environment.pop("AWS_SESSION_TOKEN", None)
    return subprocess.run(command, env=environment, check=False).returncode


def container_command(
    engine: str, wanted: Wanted, arguments: Sequence[str], *, terminal: bool
) -> list[str]:
    """``docker run`` with names of variables, never their values; the volume keeps the cache."""
    names = [*KEYS, *(name for name in PASSED if name in os.environ)]
    command = [engine, "run", "--rm", "--interactive", *(["--tty"] if terminal else [])]
    command += [part for name in names for part in ("--env", name)]
    command += ["--volume", f"{IMAGE}-own:{HOME}"]
    data = wanted.directory / "data"
    if (data / "geolocation.mmdb").exists():
        command += ["--volume", f"{data.absolute()}:/data:ro",
                    "--env", "CLOUDTRAIL_FDW_DATA=/data"]  # fmt: skip
    image = os.environ.get("CLOUDTRAIL_FDW_IMAGE", IMAGE)
    own = ["--dir", f"{HOME}/own", *(["--log-group", wanted.log_group] if wanted.log_group else [])]
    return [*command, "--entrypoint", "cloudtrail-fdw", image, arguments[0], *own,
            *arguments[1:]]  # fmt: skip
