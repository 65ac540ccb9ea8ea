"""Which files are checks, and which are refused with what words."""

from __future__ import annotations

from pathlib import Path

import pytest

from check_cases import NOTHING, write_check
from cloudtrail_fdw.cli.check.check_files import PACKAGED, find_files, read_checks, read_text
from cloudtrail_fdw.errors import FdwError

GOOD = """-- id: a
-- title: Title: with a colon
-- severity: low
-- technique: T1078.004, T1098
-- do: First,
--   then second.
-- a remark is not
"""


def test_front_matter_is_read() -> None:
    text = GOOD.replace("-- a remark is not\n", "\n-- a remark\nSELECT 1")
    found = read_text(text, "a")
    assert found.title == "Title: with a colon"
    assert found.technique == ("T1078.004", "T1098")
    assert found.do == "First, then second."
    assert found.sql == text
    assert read_text(text.replace(" T1078.004, T1098", ""), "a").technique == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", "line 7"),
        ("-- a remark is not\n", "-- do: again\n", "line 7"),
        ("-- a remark is not\n", "-- owner: me\n", "line 7"),
        ("-- id: a\n", "", "lacks id"),
        ("-- id: a\n", "--   a\n-- id: a\n", "line 1"),
        ("-- id: a\n", "SELECT 1\n-- id: a\n", "lacks id, title, severity, technique, do"),
        ("id: a", "id: b", "not the file's name, a"),
        ("low", "urgent", "severity is not one of critical"),
        ("T1098", "TA0001", "not a list of ATT&CK techniques"),
        ("Title: with a colon", "", "may not be empty"),
    ],
)
def test_other_front_matter_is_refused(old: str, new: str, message: str) -> None:
    text = GOOD.replace(old, new)
    if "line 7" not in message:
        text = text.replace("-- a remark is not\n", "")
    with pytest.raises(FdwError, match=message):
        read_text(text, "a")


def test_folders_and_files_are_read_once(tmp_path: Path) -> None:
    first = write_check(tmp_path, "b", NOTHING)
    write_check(tmp_path, "a", NOTHING)
    (tmp_path / "notes.txt").write_text("no check")
    assert [file.name for file in find_files([first, tmp_path])] == ["a.sql", "b.sql"]


def test_severity_leaves_out_lesser_checks_but_no_broken_file(tmp_path: Path) -> None:
    for severity in ("critical", "high", "low"):
        write_check(tmp_path, severity, NOTHING, severity)
    (tmp_path / "broken.sql").write_bytes(b"-- id: \xff")
    found = read_checks(find_files([tmp_path]), "high")
    assert [check.id for check in found] == ["broken", "critical", "high"]
    assert "broken.sql: 'utf-8' codec" in found[0].problem


def test_two_files_with_one_id_are_no_checks(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for folder in (tmp_path, other):
        write_check(folder, "a", NOTHING)
    write_check(tmp_path, "b", NOTHING)
    found = read_checks(find_files([tmp_path, other]), "info")
    assert [check.problem for check in found] == ["2 files have the id a"] * 2 + [""]


def test_the_checks_that_come_along_are_checks() -> None:
    found = read_checks(find_files([PACKAGED]), "info")
    assert [check.problem for check in found if check.problem] == []
    assert find_files([]) == find_files([PACKAGED])
