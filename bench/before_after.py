"""What joins to ip_enrichment cost before a commit and now, in one go: a Markdown table.

    python bench/before_after.py COMMIT [--server private|pg15|…] [--quick]

The files of COMMIT are checked out below .runtime/bench, and both run in sandboxes of their own,
from warm caches, in turn: a new session each time, which has read the events and one address.
Medians of 7 runs and their range, processor time of the backend.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import psycopg
from enrichment_join import EVENTS, JOINED
from rig import FOLDER, WEEK, cost, data_directory, event_file, say

from cloudtrail_fdw.sandbox import runtime

ROUNDS = 7
CHECKOUT = Path(__file__).parents[1]


def joined(events: str, where: str = "") -> str:
    """A join of something that has a source_ip_address."""
    join = f"{events} AS e JOIN ip_enrichment AS i ON i.ip = e.source_ip_address"
    return f"SELECT count(i.country_code), count(i.city) FROM {join} {where}"  # noqa: S608 - ours


DISTINCT = (  # with an address of its own for each event
    ("events without a join", EVENTS),
    ("join", JOINED),
    ("two joins", JOINED + " JOIN ip_enrichment AS j ON j.ip = i.ip WHERE j.asn > 0"),
    ("join of a tenth, chosen by PostgreSQL",
     joined("cloudtrail_event", "WHERE right(e.source_ip_address, 1) = '7'")),
    ("GROUP BY address, then join",
     joined("(SELECT source_ip_address FROM cloudtrail_event GROUP BY 1)")),
    ("join, LIMIT 10", joined("(SELECT source_ip_address FROM cloudtrail_event LIMIT 10)")),
    ("20,000 addresses that no event has",
     joined("(SELECT '9.' || g % 250 || '.' || g / 250 || '.4' AS source_ip_address "
            "FROM generate_series(1, 20000) AS g OFFSET 0)")),
)  # fmt: skip
FEW = (("700 addresses: join", JOINED),)


@contextmanager
def sandbox(tree: Path, events: Path, name: str, server: str) -> Iterator[str]:
    """The DSN of a sandbox that the files of ``tree`` start."""
    folder = FOLDER / f"{name}-{events.stem}"
    say(f"starting a sandbox: {folder.name}")
    env = {**os.environ, "PYTHONPATH": str(tree / "fdw")}
    line = [sys.executable, "-m", "cloudtrail_fdw.cli", "sandbox"]
    started = subprocess.run(
        [*line, "start", "--dir", str(folder), "--events", str(events), "--server", server,
         "--data-directory", str(data_directory()), "--scan-mb", "0"],
        check=True, stdout=subprocess.PIPE, env=env, cwd=tree,
    )  # fmt: skip
    try:
        yield str(json.loads(started.stdout)["dsn"])
    finally:
        subprocess.run([*line, "stop", "--dir", str(folder)], check=True, env=env, cwd=tree,
                       stdout=subprocess.DEVNULL)  # fmt: skip


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The files of a commit, with a private PostgreSQL of their own where this checkout has one."""
    tree = FOLDER / "before"
    git = ["git", "-C", str(CHECKOUT), "worktree"]
    subprocess.run([*git, "add", "--detach", "--force", str(tree), commit], check=True,
                   stdout=sys.stderr)  # fmt: skip
    try:
        for built in runtime.default_cache().iterdir():
            if built.name.startswith(("postgresql", "python")):  # the handler is installed into it
                shutil.copytree(built, tree / ".runtime" / built.name, symlinks=True)
        yield tree
    finally:
        subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def seconds(dsn: str, query: str) -> float:
    """Processor time of one run in a new session that has read the events and the data files."""
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(EVENTS.encode())
        db.execute("SELECT city FROM ip_enrichment WHERE ip = '9.9.9.9'")
        return cost(db, query).cpu


def shown(runs: list[float]) -> str:
    """Median and range in milliseconds."""
    low, middle, high = (1000 * value for value in (min(runs), median(runs), max(runs)))
    return f"{middle:,.1f} ms ({low:,.1f} to {high:,.1f})"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("--server", default="private")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    runtime.make_readable(FOLDER)
    count = WEEK // 10 if given.quick else WEEK
    print(f"| {count:,} events, server {given.server} | before | now | ratio |")
    print("| --- | --- | --- | --- |")
    with checkout(given.commit) as before:
        for more, queries in ((("--distinct",), DISTINCT), ((), FEW)):
            events = event_file(count, 7.0, *more)
            with ExitStack() as stack:
                dsns = [stack.enter_context(sandbox(tree, events, name, given.server))
                        for tree, name in ((before, "before"), (CHECKOUT, "now"))]  # fmt: skip
                for what, query in queries:
                    runs = [[seconds(dsn, query) for dsn in dsns] for _ in range(ROUNDS)]
                    old, new = map(list, zip(*runs))
                    ratio = median(new) / median(old)
                    print(f"| {what} | {shown(old)} | {shown(new)} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
