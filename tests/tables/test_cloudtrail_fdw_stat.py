"""cloudtrail_fdw_stat tells of the session's worker, where there is one."""

from __future__ import annotations

from pathlib import Path

from servers import Db


def test_the_worker_is_the_child_of_the_backend_or_null(db: Db) -> None:
    db.execute("SELECT count(*) FROM cloudtrail_event")
    (backed,) = db.execute(
        "SELECT fdwhandler::regproc::text LIKE '%worker%' FROM pg_foreign_data_wrapper"
        " WHERE fdwname = 'cloudtrail_fdw'"
    ).fetchone() or (None,)
    found = db.execute(
        "SELECT DISTINCT worker_pid, worker_seconds, worker_bytes FROM cloudtrail_fdw_stat"
    ).fetchall()
    if not backed:
        assert found == [(None, None, None)]
        return
    [(pid, seconds, size)] = found
    status = Path("/proc", str(pid), "status").read_text()
    assert f"PPid:\t{db.info.backend_pid}\n" in status
    assert 0 < seconds < 600
    assert 1 << 20 < size < 1 << 30
