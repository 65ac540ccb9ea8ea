"""The product and its dependencies in a folder for a server's Python, whatever ours is."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox.runtime import (
    CHECKOUT,
    Progress,
    Server,
    building,
    locked,
    make_readable,
)

DISTRIBUTION = "cloudtrail-fdw"
PACKAGE = Path(__file__).resolve().parents[1]
NOT_IN_THE_SERVER = ("click", "psycopg", "zstandard")
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "fdw/cloudtrail_fdw", "sql")
# What a user's pip configuration says about reaching an index. Not find-links, constraints and
# the like: they are made for another Python than the server's.
PIP_SETTINGS = ("index-url", "cert", "client-cert", "proxy", "trusted-host", "default-timeout")


def install_site(server: Server, target_dir: Path, progress: Progress) -> Path:
    """A folder for PYTHONPATH with our product and what it needs in ``server``'s Python.

    Made once per content under ``target_dir``, which PostgreSQL's user must be able to read; a
    second call takes milliseconds. FdwError when pip cannot get a dependency.
    """
    make_readable(target_dir)
    requirements = _requirements()
    about = [server.python_version, platform.machine(), *requirements]
    needed = target_dir / f"dependencies-{_digest(about)}"
    site = target_dir / f"site-{_digest([needed.name, *_contents()])}"
    if site.is_dir():
        return site
    with locked(target_dir / ".lock", progress):
        if not needed.is_dir():
            progress(f"downloading {len(requirements)} Python packages for the server")
            with building(needed) as work:
                _download(server, requirements, work)
                _compile(server, work)
        if not site.is_dir():
            with building(site) as work:
                _install_product(work)
                _compile(server, work)
                for entry in needed.iterdir():
                    (work / entry.name).symlink_to(Path("..", needed.name, entry.name))
            _forget_old(target_dir)
    return site


def _forget_old(target_dir: Path) -> None:
    """Keep the last 20 copies of the product: an older one is hardly in a server's use."""
    sites = sorted(target_dir.glob("site-*"), key=lambda path: path.stat().st_mtime)
    for site in sites[:-20]:
        shutil.rmtree(site, ignore_errors=True)


def _requirements() -> list[str]:
    """What the product needs inside a server, as its own metadata says."""
    declared = metadata.requires(DISTRIBUTION) or []
    plain = [line for line in declared if "extra ==" not in line]
    return sorted(r for r in plain if re.split(r"[^\w.-]", r)[0] not in NOT_IN_THE_SERVER)


def _contents() -> Iterator[str]:
    """Names and digests of all files of the product."""
    for path in sorted(PACKAGE.rglob("*")) + sorted((PACKAGE / "sql").rglob("*")):
        if path.is_file() and path.suffix not in (".pyc", ".pyo"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield f"{path.relative_to(PACKAGE)} {digest}"
    if _from_checkout():
        yield (CHECKOUT / "pyproject.toml").read_text()


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _from_checkout() -> bool:
    return PACKAGE == CHECKOUT / "fdw/cloudtrail_fdw" and (CHECKOUT / "pyproject.toml").exists()


def _download(server: Server, requirements: list[str], target: Path) -> None:
    machine = platform.machine()
    _pip(
        "install", *_pip_settings(), "--target", str(target), "--no-compile",
        "--python-version", server.python_version, "--implementation", "cp",
        "--platform", f"manylinux2014_{machine}", "--platform", f"manylinux_2_28_{machine}",
        "--only-binary=:all:", *requirements,
        failure="pip cannot get the Python packages that the server needs",
    )  # fmt: skip


def _install_product(target: Path) -> None:
    """The wheel of the checkout; where there is none, a copy of what is installed."""
    if not _from_checkout():
        shutil.copytree(PACKAGE, target / PACKAGE.name, ignore=shutil.ignore_patterns("*.pyc"))
        return
    with tempfile.TemporaryDirectory(prefix="cloudtrail-fdw-") as folder:
        source = Path(folder, "source")
        source.mkdir()
        for name in SOURCES:  # a copy, as a build in place would find its own old files again
            _copy(CHECKOUT / name, source / name)
        isolation = ["--no-build-isolation"] if _can_build() else _pip_settings()
        wheels = ["--no-deps", "--wheel-dir", folder, str(source)]
        _pip("wheel", *isolation, *wheels, failure="the product's own wheel cannot be built")
        wheel = next(Path(folder).glob("*.whl"))
        shutil.unpack_archive(wheel, target, "zip")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignore = shutil.ignore_patterns("*.pyc", "__pycache__")
        shutil.copytree(source, target, symlinks=True, ignore=ignore)
    elif source.exists():
        shutil.copyfile(source, target)


def _can_build() -> bool:
    """Whether this Python's own setuptools can build the wheel, without fetching another."""
    try:
        return int(metadata.version("setuptools").split(".")[0]) >= 77
    except metadata.PackageNotFoundError:
        return False


def _pip_settings() -> list[str]:
    """The user's own way to a package index, which --isolated would forget."""
    listed = _pip("config", "list", failure="pip cannot be run", isolated=False)
    found = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed, re.MULTILINE))
    return [f"--{name}={found[name]}" for name in PIP_SETTINGS if name in found]


def _pip(*arguments: str, failure: str, isolated: bool = True) -> str:
    options = ["--disable-pip-version-check", "--no-input", *(["--isolated"] if isolated else [])]
    command = [sys.executable, "-m", "pip", arguments[0], *options, *arguments[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise FdwError(
            failure,
            detail="\n".join(lines or done.stderr.splitlines()[-5:]),
            hint="pip needs a package index: see its options index-url, proxy and cert.",
        )
    return done.stdout


def _compile(server: Server, folder: Path) -> None:
    """Byte code of the server's Python, as its user may not write here; a matter of speed only."""
    if server.interpreter is None:
        return
    command = [str(server.interpreter), "-m", "compileall", "-q", "-j2",
               "--invalidation-mode", "unchecked-hash", str(folder)]  # fmt: skip
    subprocess.run(command, env={**os.environ, **server.env}, check=False, capture_output=True)
