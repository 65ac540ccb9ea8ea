"""Debian packages without root: fetched with apt's own signature checks into a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cloudtrail_fdw.errors import FdwError

OTHER_WAYS = (
    "Install a PostgreSQL with Multicorn2, which is found through pg_config (PostgreSQL's yum "
    "repository has it as multicorn2_14 to multicorn2_18), or use Debian 12 with network access."
)
SUITE = "bullseye"  # the only Debian release that packages Multicorn
KEYRINGS = ("debian-archive-keyring.gpg", "debian-archive-keyring.pgp")
HOST_SUITES = {"stable", "oldstable", "oldoldstable", "testing", "unstable", "sid"}
# sources.list cannot hold these settings, and -o cannot clear a list: hooks of the machine's own
# configuration (docker-clean and its like) must not run on its caches.
CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{folder}/state";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::Retries "2";
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
"""


class Apt:
    """apt with lists, state and cache of its own in ``folder``, reading the given source lines."""

    def __init__(self, folder: Path, sources: Sequence[str]) -> None:
        for name in ("state", "lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text("")  # nothing is installed: closures are complete
        (folder / "sources.list").write_text("\n".join(sources) + "\n")
        self._configuration = folder / "apt.conf"
        self._configuration.write_text(CONFIGURATION.format(folder=folder))

    def update(self) -> None:
        """Fetch the package lists; FdwError when a signature or the network fails."""
        self._run("apt-get", "-q", "update")

    def closure(self, names: Sequence[str]) -> list[str]:
        """The packages that installing ``names`` on an empty system would bring."""
        output = self._run("apt-get", "-q", "--simulate", "install", *names)
        return re.findall(r"^Inst (\S+)", output, re.MULTILINE)

    def download(self, names: Sequence[str], into: Path) -> list[Path]:
        """Download the packages, checked against the signed lists."""
        into.mkdir(parents=True, exist_ok=True)
        self._run("apt-get", "-q", "download", *names, cwd=into)
        return sorted(into.glob("*.deb"))

    def _run(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        return run([program, "-c", str(self._configuration), *arguments], cwd)


def run(command: Sequence[str], cwd: Path | None = None) -> str:
    """The standard output of a program; FdwError with the end of its complaints."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, check=False,
            capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FdwError(f"{command[0]} could not be run: {error}", hint=OTHER_WAYS) from error
    if done.returncode:
        complaints = [line for line in done.stderr.splitlines() if line.startswith(("E:", "Err"))]
        raise FdwError(
            f"{command[0]} {command[-1]} failed",
            detail="\n".join(complaints[-5:] or done.stderr.splitlines()[-5:]),
            hint=OTHER_WAYS,
        )
    return done.stdout


def source_lines() -> list[list[str]]:
    """The sources to try, best first: SUITE with its security fixes, then SUITE alone.

    The mirrors are those that this machine's apt is configured with.
    """
    if not all(map(shutil.which, ("apt-get", "dpkg", "dpkg-deb", "ldd"))):
        raise FdwError("this machine has no apt to get a private PostgreSQL with", hint=OTHER_WAYS)
    form = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    targets = run(["apt-get", "indextargets", "--format", form]).splitlines()
    found = [line.split("|") for line in dict.fromkeys(targets) if line.count("|") == 2]
    suites = HOST_SUITES | {_codename()}
    mains = [uri for uri, suite, part in found if suite in suites and part == "main"]
    security = [uri for uri, suite, part in found if "security" in suite and part == "main"]
    if not mains:
        raise FdwError("this machine's apt has no Debian mirror configured", hint=OTHER_WAYS)
    options = f"[arch={run(['dpkg', '--print-architecture']).strip()}{_signed_by()}]"
    plain = f"deb {options} {mains[0]} {SUITE} main"
    fixes = [f"deb {options} {uri} {SUITE}-security main" for uri in security[:1]]
    return [[plain, *fixes], [plain]] if fixes else [[plain]]


def unpack(packages: Sequence[Path], root: Path, progress: Callable[[str], None]) -> None:
    """Unpack the packages into ``root``; no maintainer script runs."""
    progress(f"unpacking {len(packages)} packages")
    root.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda deb: run(["dpkg-deb", "--extract", str(deb), str(root)]), packages))


def _codename() -> str:
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        return "stable"
    if not re.search(r"^ID=\"?debian\"?$", text, re.MULTILINE):
        raise FdwError(
            "the private PostgreSQL is made of Debian's packages, and this machine is not Debian",
            hint=OTHER_WAYS,
        )
    match = re.search(r"^VERSION_CODENAME=(\w+)$", text, re.MULTILINE)
    return match[1] if match else "stable"


def _signed_by() -> str:
    for name in KEYRINGS:
        keyring = Path("/usr/share/keyrings", name)
        if keyring.exists():
            return f" signed-by={keyring}"
    return ""  # apt then checks against the keys it trusts itself
