"""Run the benchmarks and put their table into docs/performance.md.

    python bench/run.py [--quick] [--server private|multicorn2] [--ip-ranges FILE] [PART…]

A part is one of the files beside this one; without any, all run. The table is only rewritten by a
full run of all parts. --quick takes a tenth of the events.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from dataclasses import astuple
from datetime import datetime, timezone
from pathlib import Path

from rig import FOLDER, Line, Options, say

from cloudtrail_fdw.sandbox import runtime

PARTS = ("scan_cpu", "scan_calls", "scan_quota", "scan_memory", "lookups", "enrichment_join",
         "reverse_dns", "checks")  # fmt: skip
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"
HEADS = ("what", "ours", "the other", "ratio", "target", "met")


def row(line: Line) -> str:
    """A line of a Markdown table."""
    *texts, met = astuple(line)
    return "| " + " | ".join([*texts, {True: "yes", False: "no", None: ""}[met]]) + " |"


def table(title: str, found: list[Line]) -> list[str]:
    """The lines of one part."""
    heads = [f"| {' | '.join(HEADS)} |", "| --- " * len(HEADS) + "|"]
    return ["", f"### {title}", "", *heads, *map(row, found)]


def processor() -> str:
    """The machine's processor, as Linux names it."""
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def rewrite(text: list[str]) -> None:
    """Put the table between its markers."""
    page = PAGE.read_text("utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text("\n".join([head + BEGIN, *text, "", END]) + tail, "utf-8")


def main() -> int:
    """Measure; 1 when a part failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--server", default="private", choices=("private", "multicorn2"))
    parser.add_argument("--ip-ranges", type=Path, help="AWS's ip-ranges.json, .gz too")
    given = parser.parse_args()
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    options = Options(given.server, given.quick, given.ip_ranges)
    runtime.make_readable(FOLDER)
    text = [
        "",
        f"Measured on {datetime.now(timezone.utc):%Y-%m-%d}: {os.cpu_count()} processors "
        f"({processor()}), PostgreSQL of the kind `{options.server}`.",
    ]
    failed = False
    for name in given.parts or PARTS:
        part = importlib.import_module(name)
        found = []
        try:
            for line in part.lines(options):
                print(row(line), flush=True)
                found.append(line)
        except Exception as error:  # noqa: BLE001 - the other parts are worth having
            say(f"{name}: {type(error).__name__}: {error}")
            failed = True
        text += table((part.__doc__ or name).splitlines()[0], found)
    if not (given.quick or given.parts or failed):
        rewrite(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
