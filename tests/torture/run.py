"""The long hunt: every part on every server, and a table of what came of it.

    python tests/torture/run.py [--seconds 3600] [--servers "private pg15 pg18"] [--seed N] [FILE]

writes the table between the markers of FILE (docs/torture.md). Exit status 1 where anything is
wrong, crashed, hung or leaked, or a part tried nothing.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import damage
import faults
import joins
import killed
import roles
import sessions
import smith
from ground import Ground, grounds
from tally import Tally, search_log

from servers import VERSIONS

BEGIN, END = "<!-- torture -->", "<!-- /torture -->"
WORKERS = "50 sessions whose workers are killed"
COLUMNS = ("tried", "exact", "right error", "wrong", "crashes", "hangs", "secrets")
# Each part, its share of a server's time, and what runs it.
PARTS = {
    "random joins of 3 to 6 tables": (0.2, joins.run),
    "faults of AWS by kinds of query": (0.1, faults.run),
    "50 sessions, faults, cancels": (0.4, lambda g, s, c: sessions.run(g, s, c, 50)),
    WORKERS: (0.1, lambda g, s, c: killed.run(g, s, c, 50)),
    "damaged files of cache and data": (0.06, damage.run),
    "forbidden statements": (0.02, roles.run),
    "sqlsmith as reader": (0.06, lambda g, s, c: smith.run(g, s, c, "reader")),
    "sqlsmith as superuser": (0.06, lambda g, s, c: smith.run(g, s, c, "superuser")),
}


def on_server(kind: str, seconds: float, chance: random.Random) -> dict[str, Tally]:
    """All parts on one server, each for its share of the time."""
    found = {}
    for ground in grounds(kind, "torture", "--scan-mb", "0.2"):
        for name, (share, part) in PARTS.items():
            if name == WORKERS and not ground.has_workers:
                continue
            found[name] = part(ground, seconds * share, chance)
            say(f"{kind}: {name}: {found[name]}")
            with_log(ground, found[name])
    return found


def with_log(ground: Ground, tally: Tally) -> None:
    """Search what the server logged meanwhile, and empty the log."""
    search_log(ground.log, tally)
    ground.log.write_text("")


def say(text: str) -> None:
    """Progress."""
    print(time.strftime("%H:%M:%S"), text, flush=True)


def document(found: dict[str, dict[str, Tally]], seconds: float, seed: int) -> str:
    """The table as Markdown."""
    lines = [
        f"One run of {seconds / 60:.0f} minutes, seed {seed}, on "
        + ", ".join(f"{kind} ({VERSIONS[kind]})" for kind in found) + ".",
        "",
        "| part | server | " + " | ".join(COLUMNS) + " |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]  # fmt: skip
    for kind, parts in found.items():
        for name, tally in parts.items():
            figures = [getattr(tally, column.replace(" ", "_")) for column in COLUMNS]
            lines.append(f"| {name} | {kind} | " + " | ".join(map(str, figures)) + " |")
    return "\n".join([*lines, "", *(f"{told}." for told in sessions.TOLD)])


def main() -> int:
    """Run all; tell whether all held."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--servers", default="private pg15 pg18")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("file", nargs="?", type=Path)
    given = parser.parse_args()
    kinds, begun = given.servers.split(), time.monotonic()
    found = {kind: on_server(kind, given.seconds / len(kinds), random.Random(f"{given.seed}{kind}"))
             for kind in kinds}  # fmt: skip
    text = document(found, time.monotonic() - begun, given.seed)
    print(text)
    for kind, parts in found.items():
        for name, tally in parts.items():
            for note in tally.notes:
                print(f"\n--- {kind}, {name}: {note}")
    if given.file:
        head, rest = given.file.read_text().split(BEGIN)
        given.file.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")
    return int(any(tally.bad for parts in found.values() for tally in parts.values()))


if __name__ == "__main__":
    sys.exit(main())
