"""Issue 7: reverse DNS through the SQL join."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
from rig import Bench, Line, Options, bench, event_file

from cloudtrail_fdw.sandbox import aws_process

LATENCY = 30  # ms
SILENT, MISSING = 5, 30  # per cent
PATIENCE = 60  # seconds, after which the join is given up
SYSTEM_TIMEOUT = 10.0  # seconds that resolv.conf's defaults wait: 5 s, 2 attempts (resolv.conf(5))
JOIN = (
    "SELECT i.reverse_dns_status, count(*) FROM cloudtrail_event e "
    "JOIN ip_enrichment i ON i.ip = e.source_ip_address GROUP BY 1"
)


def lines(options: Options) -> Iterator[Line]:
    """10,000 distinct addresses; the name server is the sandbox's, in one Python process."""
    count = options.count(10_000)
    file = event_file(count, 1.0, "--distinct")
    with bench(options, "reverse-dns", file, "--scan-mb", "0") as box:
        addresses = [json.loads(line)["sourceIPAddress"] for line in file.open("rb")]
        zone(box, addresses)
        found: dict[str, int] = {}
        with box.connect(cache="on") as db:
            db.execute("SELECT count(source_ip_address) FROM cloudtrail_event")
            db.execute(f"SET statement_timeout = {PATIENCE * 1000}")
            began = time.perf_counter()
            with suppress(psycopg.errors.QueryCanceled):
                found = dict(db.execute(JOIN).fetchall())
            seconds = time.perf_counter() - began
        asked = aws_process.control(Path(box.state["dir"]), "dns")["queries"].get("PTR", 0)
        estimate = count * (LATENCY / 1000 + SILENT / 100 * SYSTEM_TIMEOUT)
        told = ", ".join(f"{number:,} {status}" for status, number in sorted(found.items()))
        told, more = (told, "") if found else ("not done in time", "> ")
        yield Line(
            f"Reverse DNS of {count:,} addresses in the join ({LATENCY} ms, {SILENT} % silent, "
            f"{MISSING} % NXDOMAIN), against a loop over socket.gethostbyaddr (estimate): {told}",
            f"{more}{seconds:.1f} s ({asked / seconds:,.0f}/s)", f"{estimate:,.0f} s",
            f"{estimate / seconds:,.0f}" if found else "", "< 6 s", bool(found) and seconds < 6,
        )  # fmt: skip


def zone(box: Bench, addresses: list[str]) -> None:
    """Give the name server of the sandbox its names and its faults."""
    names, silent = {}, []
    for number, address in enumerate(addresses):
        lot = number * 37 % 100
        if lot < SILENT:
            silent.append(address)
        elif lot >= SILENT + MISSING:
            names[address] = [f"host-{number}.example.net"]
    change = {"names": names, "silent": silent, "latency_ms": LATENCY}
    aws_process.control(Path(box.state["dir"]), "dns", json.dumps(change).encode())
