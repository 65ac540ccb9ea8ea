"""How wheels with a compiled handler are made; tests/cli/install/test_library.py has one loaded."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cloudtrail_fdw.cli.install.library import DIGESTS
from wheel_archive import digest, plain_wheel, platform_wheel
from wheel_pins import HEADERS, PLATFORMS, requirement


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plain_wheel(tmp_path_factory.mktemp("plain"))


def test_the_same_bytes_twice(plain: Path, tmp_path: Path) -> None:
    contents = {"pg14.so": b"fourteen", "pg15.so": b"fifteen"}
    (tmp_path / "again").mkdir()
    again = plain_wheel(tmp_path / "again")
    turned = dict(reversed(contents.items()))
    one = platform_wheel(plain, contents, "manylinux_2_28_x86_64", 1_700_000_000, tmp_path)
    two = platform_wheel(again, turned, "manylinux_2_28_x86_64", 1_700_000_000, again.parent)
    assert one.read_bytes() == two.read_bytes()
    assert one.name.endswith("-py3-none-manylinux_2_28_x86_64.whl")
    with zipfile.ZipFile(one) as archive, zipfile.ZipFile(plain) as without:
        names = archive.namelist()
        added = {f"cloudtrail_fdw/libraries/{name}" for name in (*contents, DIGESTS)}
        assert set(names) - set(without.namelist()) == added
        assert {member.date_time for member in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}
        (about,) = [name for name in names if name.endswith("/WHEEL")]
        assert b"Tag: py3-none-manylinux_2_28_x86_64\n" in archive.read(about)
        lines = archive.read(names[-1]).decode().splitlines()
        recorded = {line.split(",")[0]: line.split(",")[1] for line in lines}
        assert recorded.pop(names[-1]) == ""
        assert recorded == {name: digest(archive.read(name)) for name in names[:-1]}


def test_what_is_downloaded_is_pinned_for_each_platform() -> None:
    for pinned in HEADERS.values():
        assert requirement(pinned).count("--hash=sha256:") == len(PLATFORMS)
    assert list(HEADERS) == [14, 15, 16, 17, 18]
