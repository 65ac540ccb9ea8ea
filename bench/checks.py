"""Issue 4: the whole set of checks over one day of 50,000 events."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from rig import HERE, SIX, WEEK, Bench, Line, Options, bench, event_file, select

SINCE = "25h"  # the events of a day, with their delivery
ARGUMENTS = ("--since", SINCE, "--format", "json")


def lines(options: Options) -> Iterator[Line]:
    """Calls and seconds of ``cloudtrail-fdw check``, against one scan of the window."""
    count = options.count(WEEK)
    with bench(
        options, "checks", event_file(count, 1.0), "--shift-to-now", "--tps", "25"
    ) as box:  # fmt: skip
        yield from every_check(box, count)


def every_check(box: Bench, count: int) -> Iterator[Line]:
    """All checks in one run, nothing cached before."""
    query = select(SIX, f"WHERE timestamp >= now() - interval '{SINCE}'")
    with box.connect(cache="off") as db:
        scan = box.calls(lambda: db.execute(query).fetchall())
    box.clear_cache()
    time.sleep(2.0)
    line = [sys.executable, "-m", "cloudtrail_fdw.cli", "check", "--dsn", box.state["dsn"],
            *ARGUMENTS]  # fmt: skip
    done: list[subprocess.CompletedProcess[bytes]] = []
    began = time.perf_counter()
    found = box.calls(lambda: done.append(subprocess.run(line, check=False, capture_output=True)))
    seconds = time.perf_counter() - began
    if done[0].returncode not in (0, 1):
        raise RuntimeError(done[0].stderr.decode("utf-8", "replace")[-1000:])
    checks = len(list((HERE.parent / "sql" / "checks").glob("*.sql")))
    share = found["calls"] / scan["calls"]
    yield Line(
        f"{checks} checks over a day of {count:,} events: calls, against one scan of the window",
        f"{found['calls']} ({found['events']:,} events)",
        f"{scan['calls']} ({scan['events']:,} events)", f"{share:.2f}", "≤ 2", share <= 2,
    )  # fmt: skip
    yield Line(
        "The same: seconds, and checks times events a second", f"{seconds:.1f} s", "",
        f"{checks * count / seconds:,.0f}/s", "", None,
    )  # fmt: skip
