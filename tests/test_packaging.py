"""What is shipped: built once, offline, sdist first and the wheel from it as a packager does."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from cloudtrail_fdw.sandbox import site

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "fdw" / "cloudtrail_fdw"
BUILD = "import sys, setuptools.build_meta as b; getattr(b, 'build_' + sys.argv[1])(sys.argv[2])"


def build(what: str, source: Path, target: Path) -> Path:
    """The one archive that setuptools makes of ``source``; its warnings are failures."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(target)], cwd=source, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    warned = [line for line in said.splitlines() if "warning" in line.lower()]
    assert [line for line in warned if "byte-compiling is disabled" not in line] == []
    (archive,) = target.glob("*.tar.gz" if what == "sdist" else "*.whl")
    return archive


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("sdist")
    source = work / "source"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in (*site.SOURCES, "fdw/handler"):
        if (TOP / name).is_dir():
            shutil.copytree(TOP / name, source / name, symlinks=True, ignore=ignore)
        else:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TOP / name, source / name)
    return build("sdist", source, work)


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Path:
    """From the unpacked sdist, so that nothing is lost on the way."""
    subprocess.run(["tar", "-xzf", sdist], cwd=sdist.parent, check=True)
    return build("wheel", sdist.parent / sdist.name[: -len(".tar.gz")], sdist.parent)


def shipped() -> set[str]:
    """Every file of the package in this checkout, those behind its links included."""
    roots = [PACKAGE, PACKAGE / "sql", PACKAGE / "handler_source"]
    return {
        f"cloudtrail_fdw/{path.relative_to(PACKAGE)}"
        for root in roots
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        about = {name.split(".dist-info/")[1] for name in archive.namelist() if "dist-info" in name}
    assert names == shipped()
    assert {"cloudtrail_fdw/py.typed", "cloudtrail_fdw/data/geolocation-sample.mmdb",
            "cloudtrail_fdw/sql/40_tables.sql", "cloudtrail_fdw/handler_source/cloudtrail_fdw.c",
            "cloudtrail_fdw/handler_source/cloudtrail_fdw.h",
            "cloudtrail_fdw/sandbox/sample/cloudtrail.jsonl"} <= names  # fmt: skip
    assert "licenses/LICENSE" in about
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_sdist_can_be_built_and_read(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    top = sdist.name[: -len(".tar.gz")]
    names = {member.name[len(top) + 1 :] for member in members if member.isfile()}
    assert {"LICENSE", "README.md", "pyproject.toml", "setup.py"} <= names
    assert {f"fdw/{name}" for name in shipped()} <= names
    assert [member.name for member in members if member.issym() or member.islnk()] == []


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


def test_the_metadata(metadata: Message, wheel: Path) -> None:
    assert metadata["Name"] == "cloudtrail-fdw"
    assert metadata["Requires-Python"] == ">=3.9"
    assert metadata["License-Expression"] == "Apache-2.0"
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert [line for line in needed if line.startswith("multicorn")] == []
    assert [line for line in needed if line.startswith("boto3>=")] != []
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "cloudtrail-fdw = cloudtrail_fdw.program:run" in archive.read(name).decode()


def test_one_version(metadata: Message) -> None:
    """pyproject.toml has it; what PostgreSQL reads has to say the same."""
    version = metadata["Version"]
    control = (TOP / "fdw/handler/cloudtrail_fdw.control").read_text("utf-8")
    assert f"default_version = '{version}'" in control
    assert (TOP / f"sql/extension/cloudtrail_fdw--{version}.sql").exists()
    own = [path for path in PACKAGE.rglob("*.py") if f'"{version}"' in path.read_text("utf-8")]
    assert own == []
