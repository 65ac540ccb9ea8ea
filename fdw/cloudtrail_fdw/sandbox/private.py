"""The private PostgreSQL: which packages it is made of, and how they become one folder.

PostgreSQL 13 and Multicorn 1.4 of Debian bullseye. PostgreSQL finds its files relative to its
programs, so the folder can be anywhere and be moved. Time zones are the machine's own
(/usr/share/zoneinfo, compiled into Debian's PostgreSQL), and so is libc.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox.packages import OTHER_WAYS, Apt, source_lines, unpack

NAME = "postgresql-13-multicorn-1.4-cc"
ROOTS = ("postgresql-13", "postgresql-13-python3-multicorn", "python3-multicorn")
HEADERS = "postgresql-server-dev-13"  # to compile the handler against; its dependencies are not
# A small C compiler with libc's headers, for machines that have none: their dependencies are not
COMPILER = ("tcc", "libc6-dev", "linux-libc-dev")
# In the closure, but only libc, or only for maintainer scripts, or for what the sandbox does not
# use (LLVM for jit, PAM's modules, perl, message catalogs of libc). ldd proves the rest complete.
LEFT_OUT = frozenset({
    "libc6", "libc-bin", "libgcc-s1", "gcc-10-base", "coreutils", "libattr1", "libacl1", "tar",
    "dpkg", "perl-base", "perl", "libperl5.32", "perl-modules-5.32", "libgdbm6",
    "libgdbm-compat4", "debconf", "libpam-modules", "libpam-modules-bin", "passwd", "adduser",
    "libsemanage1", "libsemanage-common", "libsepol1", "libaudit-common", "netbase",
    "sensible-utils", "ucf", "locales", "libc-l10n", "tzdata", "lsb-base", "openssl",
    "media-types", "readline-common", "python3", "python3-minimal", "python3.9",
    "libpython3-stdlib", "postgresql-common", "postgresql-client-common", "ssl-cert", "libllvm11",
    "libz3-4", "libsasl2-modules-db", "libtirpc-common",
})  # fmt: skip
UNUSED = (
    "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian",
    "usr/lib/postgresql/13/lib/bitcode", "usr/lib/postgresql/13/lib/llvmjit.so",
    "usr/lib/postgresql/13/lib/llvmjit_types.bc",
)  # fmt: skip
CC = """\
#!/bin/sh
# tcc, with what PostgreSQL's headers expect of another compiler: its spinlocks are not ours to use
root=$(dirname "$(readlink -f "$0")")/../../../../..
exec "$root/usr/bin/tcc" -B"$root/usr/{libraries}/tcc" -nostdinc -nostdlib \\
    -isystem "$root/usr/{libraries}/tcc/include" -isystem "$root/usr/include" \\
    -isystem "$root/usr/include/{triplet}" \\
    -DS_LOCK_H -Dslock_t=char -D__builtin_unreachable=abort "$@"
"""
# glibc's own libraries, and libgcc_s, which is part of every Debian
LIBC = re.compile(
    r"(linux-vdso|ld-linux[-\w]*|lib(c|m|dl|pthread|rt|util|resolv|gcc_s|nss_\w+))\.so[.\d]*"
)
PSQL = """\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec env LD_LIBRARY_PATH="$here/{libraries}" "$here/usr/lib/postgresql/13/bin/psql" "$@"
"""


def bindir(root: Path) -> Path:
    """The folder of the private server's programs."""
    return root / "usr/lib/postgresql/13/bin"


def environment(root: Path) -> dict[str, str]:
    """What the programs in ``root`` need in their environment."""
    return {
        "LD_LIBRARY_PATH": str(root / _libraries(root)),
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": str(root / "usr/lib/python3/dist-packages"),
    }


def build(work: Path, progress: Callable[[str], None]) -> Path:
    """Build the runtime in the empty folder ``work``: the path of what is to be kept."""
    problem: Optional[FdwError] = None
    for number, sources in enumerate(source_lines()):
        try:
            packages = _fetch(work / f"apt{number}", sources, progress)
            break
        except FdwError as error:
            problem = problem or error
    else:
        raise FdwError(
            "Debian's packages of PostgreSQL 13 with Multicorn cannot be had from this machine's "
            "mirror",
            detail=f"{problem.message}: {problem.detail}" if problem else None,
            hint=OTHER_WAYS,
        ) from problem
    if problem:
        progress("Debian's security suite cannot be had: this lacks its last fixes")
    root = work / "root"
    unpack(packages, root, progress)
    _trim(root)
    progress("checking that it needs no library of this machine but libc")
    outside = libraries_from_outside(root)
    if outside:
        raise FdwError(
            "the private PostgreSQL would load libraries from outside its folder",
            detail=", ".join(outside),
            hint=OTHER_WAYS,
        )
    _compile(root)
    return root


def libraries_from_outside(root: Path) -> list[str]:
    """What ldd finds outside ``root`` or not at all, libc's own libraries excepted."""
    programs = [path for path in bindir(root).iterdir() if path.is_file()]
    libraries = [path for path in (root / "usr").rglob("*.so*") if path.is_file()]
    output = subprocess.run(
        ["ldd", *map(str, programs + libraries)], env={**os.environ, **environment(root)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    outside = set(re.findall(r"version `\w+_[\d.]+' not found", output.stdout + output.stderr))
    for name, target in re.findall(r"^\s+(\S+) => (.+?)(?: \(0x|$)", output.stdout, re.MULTILINE):
        inside = Path(target).resolve().is_relative_to(root.resolve())
        if not inside and (not LIBC.fullmatch(name) or target == "not found"):
            outside.add(f"{name} => {target}")
    return sorted(outside)


def _fetch(work: Path, sources: Sequence[str], progress: Callable[[str], None]) -> list[Path]:
    progress("reading Debian's package lists")
    apt = Apt(work, sources)
    apt.update()
    names = [name for name in apt.closure(ROOTS) if name not in LEFT_OUT]
    progress(f"downloading PostgreSQL 13 with Multicorn ({len(names)} packages, 50 MB)")
    packages = apt.download(names, work / "debs")
    packages += apt.download(COMPILER, work / "compiler")
    for headers in (HEADERS, f"{HEADERS}/bullseye"):
        try:
            return packages + apt.download([headers], work / "headers")
        except FdwError:
            continue  # the security suite's is sometimes late
    progress(f"{HEADERS} cannot be had: the handler will not be compiled")
    return packages


def _libraries(root: Path) -> Path:
    python = next((root / "usr/lib").glob("*/libpython3.9.so.1.0"), None)
    if python is None:
        raise FdwError(f"the private PostgreSQL in {root} is damaged", hint=f"Remove {root}.")
    return python.parent.relative_to(root)


def _trim(root: Path) -> None:
    """Leave one folder of libraries, no documentation, and a psql that runs from anywhere."""
    libraries = _libraries(root)
    for path in (root / "lib" / libraries.name).iterdir():
        path.replace(root / libraries / path.name)
    for name in UNUSED:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for pattern in ("*.a", "*.o", "libc.so", "libm.so"):  # for linking programs
        for path in (root / libraries).glob(pattern):
            path.unlink()
    compiler = bindir(root) / "cc"
    compiler.write_text(CC.format(libraries=Path("lib") / libraries.name, triplet=libraries.name))
    compiler.chmod(0o755)
    psql = root / "psql"
    psql.write_text(PSQL.format(libraries=libraries))
    psql.chmod(0o755)


def _compile(root: Path) -> None:
    """Compile the standard library: PostgreSQL's user may not, and would at each connection."""
    python, folder = root / "usr/bin/python3.9", root / "usr/lib"
    command = [str(python), "-m", "compileall", "-q", "-j2", "--invalidation-mode",
               "unchecked-hash", "-x", "/(idlelib|lib2to3|test|turtledemo|tkinter)/",
               str(folder / "python3.9"), str(folder / "python3")]  # fmt: skip
    settings: Mapping[str, str] = {**environment(root), "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(command, env={**os.environ, **settings}, check=False, capture_output=True)
