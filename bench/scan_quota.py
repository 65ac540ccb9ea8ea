"""Issue 6: the time of a scan under a quota."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rig import SIX, WEEK, Bench, Line, Options, bench, event_file, select

TIMES = ((150, 25, 3.0), (500, 10, 3.3), (150, 5, 1.0))  # ms, calls/s, how much faster than a chain
BURST = 2.0  # seconds in which the local AWS's bucket fills
ROUNDS = 3
EARLIER = "WHERE event_time < now() - interval '30 days'"


def lines(options: Options) -> Iterator[Line]:
    """Every measurement of this file."""
    for latency, tps, faster in TIMES:
        name = f"scan-quota-{latency}-{tps}"
        arguments = ("--latency-ms", str(latency), "--tps", str(tps), "--shift-to-now")
        with bench(options, name, event_file(options.count(WEEK)), *arguments) as box:
            yield from full(box, latency, tps, faster)
            if (latency, tps) == (150, 25):
                yield from again(box)


def full(box: Bench, latency: int, tps: int, faster: float) -> Iterator[Line]:
    """All events, cache off: wall time, best of three, and the throttled calls of all runs."""
    walls, throttles = [], 0
    with box.connect(cache="off") as db:
        db.execute(select(SIX, EARLIER))
        for _ in range(ROUNDS):
            time.sleep(BURST)
            found = box.calls(lambda: walls.append(timed(db, select(SIX))))
            throttles += found["throttles"]
    time.sleep(BURST)
    chain = box.script("boto3_json", str(tps))
    ours, ideal = min(walls), chain["calls"] / tps
    where = f"{latency} ms and {tps} calls a second"
    target = 1.3 if (latency, tps) == (150, 25) else None
    yield Line(
        f"{where}: time of {found['calls']} calls, against the quota's ideal for {chain['calls']}",
        f"{ours:.1f} s", f"{ideal:.1f} s", f"{ours / ideal:.2f}",
        f"≤ {target}" if target else "", ours / ideal <= target if target else None,
    )  # fmt: skip
    ratio = chain["wall"] / ours
    yield Line(f"{where}: against one chain under the same limiter", f"{ours:.1f} s",
               f"{chain['wall']:.1f} s", f"{ratio:.2f}", f"≥ {faster:g}",
               ratio >= faster - 0.005)  # fmt: skip
    yield Line(f"{where}: throttled calls in {ROUNDS} scans", str(throttles), "", "", "0",
               throttles == 0)  # fmt: skip


def again(box: Bench) -> Iterator[Line]:
    """The same 7 days again, from the cache but for the unsettled end."""
    window = select(SIX, "WHERE event_time >= now() - interval '8 days' AND event_time < now()")
    with box.connect(cache="on") as db:
        db.execute(select(SIX, EARLIER))
        box.clear_cache()
        time.sleep(BURST)
        first, later = timed(db, window), min(timed(db, window) for _ in range(ROUNDS))
    yield Line("150 ms and 25 calls a second: the same 7 days again, against the first time",
               f"{later:.2f} s", f"{first:.2f} s", f"{first / later:.1f}", "≥ 10",
               first / later >= 10)  # fmt: skip


def timed(db: object, query: str) -> float:
    """Seconds that a query takes."""
    began = time.perf_counter()
    db.execute(query).fetchall()  # type: ignore[attr-defined]
    return time.perf_counter() - began
