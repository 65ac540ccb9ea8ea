"""What runs Python: install chooses, switches and refuses; the doctor looks again."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from cloudtrail_fdw.cli import main
from cloudtrail_fdw.sandbox import runtime
from databases import execute, installed, rows, run
from servers import INSTALL

pytestmark = pytest.mark.worker
ASK = "SELECT aws_range_class FROM cloudtrail.ip_enrichment WHERE ip = '54.240.200.68'"
OPTIONS = "SELECT fdwoptions FROM pg_foreign_data_wrapper WHERE fdwname = 'cloudtrail_fdw'"
MULTICORN = "SELECT 1 FROM pg_available_extensions WHERE name = 'multicorn'"


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that the server's user can enter."""
    path = runtime.default_cache() / "tests" / f"interpreters-{os.getpid()}"
    runtime.make_readable(path)
    yield path
    shutil.rmtree(path)


def interpreter(sample: Any) -> Path:
    """That of the sandbox's workers."""
    *_, python = next(found for found in INSTALL.values() if found)
    return Path(python)


def refused(dsn: str, python: Path, *said: str) -> None:
    """Install names what is wrong, and leaves the database alone."""
    result = CliRunner().invoke(main, ["install", dsn, "--host", "worker", "--python", str(python)])
    assert result.exit_code == 1
    for text in said:
        assert text in result.output
    assert rows(dsn, OPTIONS) == []


def test_an_interpreter_that_others_may_change_is_refused(
    sample: Any, new_database: Any, folder: Path
) -> None:
    dsn = new_database()
    python = folder / "python"
    python.symlink_to(interpreter(sample))
    folder.chmod(0o777)
    refused(dsn, python, f"{folder} may be written by others", "chmod go-w")
    folder.chmod(0o755)
    python.unlink()
    python.write_text(f'#!/bin/sh\nexec {interpreter(sample)} "$@"\n')
    python.chmod(0o757)
    refused(dsn, python, f"{python} may be written by others")
    python.chmod(0o755)
    output = installed(dsn, "--host", "worker", "--python", str(python))
    assert f"with {python}" in output
    assert rows(dsn, ASK) == [("infrastructure",)]


def test_packages_that_others_may_change_are_refused(
    sample: Any, new_database: Any, folder: Path
) -> None:
    dsn = new_database()
    (folder / "packages").mkdir()
    python = folder / "python"
    python.write_text(
        f"#!/bin/sh\nshift\nexec {interpreter(sample)} -I -c "
        f'\'import sys; sys.path.append("{folder}/packages"); '
        f'sys.argv = sys.argv[1:]; exec(sys.argv[-1])\' "$@"\n'
    )
    python.chmod(0o755)
    anything = folder / "packages" / "anything.py"
    anything.touch()
    anything.chmod(0o666)
    refused(dsn, python, "anything.py may be written by others")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    anything.replace(elsewhere / "else.py")
    (folder / "packages" / "link").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder / "packages")
    refused(dsn, python, "else.py may be written by others")
    (elsewhere / "else.py").chmod(0o644)
    elsewhere.chmod(0o777)
    refused(dsn, python, "elsewhere may be written by others")


def test_a_way_that_others_may_change_is_refused(
    sample: Any, new_database: Any, folder: Path
) -> None:
    """A link in a folder of theirs leads to good files, for now."""
    dsn = new_database()
    theirs = folder / "theirs"
    theirs.mkdir()
    (theirs / "link").symlink_to(interpreter(sample).parents[1])
    (folder / "own").symlink_to(theirs / "link")
    theirs.chmod(0o777)
    for way in (theirs / "link", folder / "own"):
        refused(dsn, way / "bin" / "python", f"{theirs} may be written by others")


def test_it_is_tried_as_the_servers_user_and_told_nothing(
    sample: Any, new_database: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = new_database()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    python = folder / "python"
    python.write_text(
        '#!/bin/sh\necho "as $(id -u) $(id -G), $AWS_SECRET_ACCESS_KEY." >&2\nexit 1\n'
    )
    python.chmod(0o755)
    user = pwd.getpwuid(Path(rows(dsn, "SHOW data_directory")[0][0]).stat().st_uid)
    own = subprocess.run(["id", "-G"], capture_output=True, text=True, check=True).stdout.strip()
    groups = str(user.pw_gid) if os.geteuid() == 0 else own
    refused(dsn, python, f"as {user.pw_uid} {groups}, .")


def test_an_interpreter_that_the_servers_user_cannot_run_is_refused(
    new_database: Any, folder: Path
) -> None:
    dsn = new_database()
    refused(dsn, folder / "none", "there is no interpreter", "--python")
    without = folder / "without"
    without.write_text("#!/bin/sh\necho there is no such module >&2; exit 1\n")
    without.chmod(0o755)
    refused(dsn, without, "the server's user cannot run", "there is no such module")


def test_it_goes_from_one_host_to_the_other_and_back(new_database: Any) -> None:
    dsn = new_database()
    if not rows(dsn, MULTICORN):
        result = CliRunner().invoke(main, ["install", dsn, "--host", "multicorn"])
        assert "the extension multicorn is not available" in result.output
        return
    installed(dsn, "--option", "max_calls=77")
    before = rows(dsn, OPTIONS)
    CliRunner().invoke(main, ["install", dsn, "--host", "multicorn"], catch_exceptions=False)
    handler = (
        "SELECT fdwhandler::regproc::text LIKE '%worker%' FROM pg_foreign_data_wrapper "
        "WHERE fdwname = 'cloudtrail_fdw'"
    )
    assert rows(dsn, handler) == [(False,)]
    assert rows(dsn, ASK) == [("infrastructure",)]
    installed(dsn)
    assert rows(dsn, handler) == [(True,)]
    assert rows(dsn, ASK) == [("infrastructure",)]
    assert rows(dsn, OPTIONS) == before
    assert "max_calls=77" in rows(dsn, "SELECT srvoptions FROM pg_foreign_server")[0][0]


def test_the_wrappers_options_are_a_superusers_and_checked(new_database: Any) -> None:
    dsn = new_database()
    installed(dsn)
    for option in ("python 'bin/python'", "max_workers '0'", "idle_seconds 'x'", "wrapper 'x.Y'"):
        verb = "SET" if option.startswith("python") else "ADD"
        with pytest.raises(psycopg.Error):
            execute(dsn, f"ALTER FOREIGN DATA WRAPPER cloudtrail_fdw OPTIONS ({verb} {option})")
    execute(dsn, "CREATE SERVER without FOREIGN DATA WRAPPER cloudtrail_fdw")
    result = run("install", dsn, "--no-handler")
    assert "--no-handler is for Multicorn" in result.output


def test_the_doctor_looks_again(sample: Any, new_database: Any, folder: Path) -> None:
    dsn = new_database()
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {interpreter(sample)} "$@"\n')
    python.chmod(0o755)
    installed(dsn, "--host", "worker", "--python", str(python))
    good = CliRunner().invoke(main, ["doctor", dsn]).output
    assert f"nobody but root and the server's user can change {python}" in good
    assert "is the one that was installed" in good
    folder.chmod(0o777)
    assert f"fail  {folder} may be written" in CliRunner().invoke(main, ["doctor", dsn]).output
