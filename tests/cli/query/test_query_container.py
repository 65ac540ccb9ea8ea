"""Where no server can be had, a container: the command line, which is run where an engine is."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from cloudtrail_fdw.cli import main
from cloudtrail_fdw.cli.query import own_container, query
from cloudtrail_fdw.cli.query.own_container import container_command, run_in_container
from cloudtrail_fdw.cli.query.own_server import Wanted
from cloudtrail_fdw.errors import FdwError

MISSING = FdwError("no server", hint="Install one.")
SECRET = "s3cr3t-key"
ENGINE = """\
#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
echo "$AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY ${AWS_SESSION_TOKEN-none} $AWS_REGION" > "$0.key"
exit 7
"""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key of the environment, and no program on PATH."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "CLOUDTRAIL_FDW_IMAGE", *own_container.PASSED):
        monkeypatch.delenv(name, raising=False)


def test_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/geolocation.mmdb").touch()
    wanted = Wanted(tmp_path, log_group="g")
    command = container_command("podman", wanted, ["query", "SELECT 1"], terminal=True)
    assert command == [
        "podman", "run", "--rm", "--interactive", "--tty",
        "--env", "AWS_ACCESS_KEY_ID", "--env", "AWS_SECRET_ACCESS_KEY",
        "--env", "AWS_SESSION_TOKEN", "--env", "AWS_REGION",
        "--volume", "cloudtrail-fdw-own:/var/lib/pgsql",
        "--volume", f"{tmp_path}/data:/data:ro", "--env", "CLOUDTRAIL_FDW_DATA=/data",
        "--entrypoint", "cloudtrail-fdw", "cloudtrail-fdw", "query",
        "--dir", "/var/lib/pgsql/own", "--log-group", "g", "SELECT 1",
    ]  # fmt: skip


def test_an_engine_gets_the_key_in_its_environment_only(tmp_path: Path) -> None:
    """A script stands for the engine, as there is none here: what it was given is what counts."""
    engine = tmp_path / "docker"
    engine.write_text(ENGINE.replace("#!/bin/sh", "#!/bin/sh\nPATH=/usr/bin:/bin"))
    engine.chmod(0o755)
    told: list[str] = []
    wanted = Wanted(tmp_path, region="eu-west-1")
    assert run_in_container(wanted, ["query", "SELECT 1"], MISSING, told.append) == 7
    assert (tmp_path / "docker.key").read_text() == f"AKIDTEST {SECRET} none eu-west-1\n"
    given = (tmp_path / "docker.arguments").read_text()
    assert SECRET not in given + "".join(told)
    assert "SELECT 1" in given
    assert "docker run" in told[0]


def test_without_an_engine_the_command_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "find_server", lambda wanted: MISSING)
    done = CliRunner().invoke(main, ["query", "SELECT 'x y'", "--dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "Error: no server" in done.output
    assert "Install one. Or, where a container engine is: docker run" in done.output


def test_an_endpoint_for_signed_requests_is_https_or_loopback() -> None:
    done = CliRunner().invoke(main, ["query", "SELECT 1", "--endpoint-url", "http://example.com"])
    assert done.exit_code == 2
    assert "https URL" in done.output
