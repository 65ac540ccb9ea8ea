"""Issue 6: memory of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from rig import SIX, WEEK, Bench, Line, Options, bench, event_file, select

MANY = 500_000


def lines(options: Options) -> Iterator[Line]:
    """Peak of a backend that reads 50,000 and 500,000 events."""
    peaks: dict[int, dict[str, float]] = {}
    counts = (options.count(WEEK), options.count(MANY))
    for count in counts:
        first, *more = chunks(event_file(count), options.count(WEEK))
        with bench(options, "scan-memory", first, "--scan-mb", "0") as box:
            for file in more:  # the local AWS must have begun to serve within a minute
                box.control("append", str(file))
            peaks[count] = {cache: peak(box, cache) for cache in ("off", "on")}
    few, many = counts
    for cache in ("off", "on"):
        ratio = peaks[many][cache] / peaks[few][cache]
        yield Line(
            f"Peak memory of a backend, cache {cache}: {many:,} events, against {few:,}",
            f"{peaks[many][cache]:.0f} MB", f"{peaks[few][cache]:.0f} MB", f"{ratio:.2f}",
            "0.8 to 1.2", 0.8 <= ratio <= 1.2,
        )  # fmt: skip


def chunks(path: Path, count: int) -> list[Path]:
    """The events in files of ``count`` each."""
    files: list[Path] = []
    with path.open("rb") as events:
        while chunk := list(islice(events, count)):
            files.append(path.with_suffix(f".{len(files)}"))
            files[-1].write_bytes(b"".join(chunk))
    return files


def peak(box: Bench, cache: str) -> float:
    """MB that a new backend had at most (VmHWM of /proc/PID/status)."""
    with box.connect(cache=cache) as db:
        db.execute(select(SIX)).fetchall()
        status = Path(f"/proc/{db.info.backend_pid}/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1000
