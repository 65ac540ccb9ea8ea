"""Files of the cache and of data, damaged at a random byte: the right rows, or a right error.

Data files come from others and have no checksum that could be tested: of those it is held that
whatever is in them ends in rows or a right error.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

from faults import QUERIES
from ground import Ground, placed
from tally import Tally, ask

import cloudtrail_fdw


def damage(path: Path, chance: random.Random) -> str:
    """Flip a bit, cut, or lengthen a file; what was done."""
    data = bytearray(path.read_bytes())
    how = chance.choice(("flip", "flip", "flip", "cut", "append", "zero"))
    place = chance.randrange(len(data) or 1)
    if how == "flip" and data:
        data[place] ^= 1 << chance.randrange(8)
    elif how == "cut":
        data = data[:place]
    elif how == "append":
        data += bytes(chance.randrange(256) for _ in range(9))
    elif data:
        data[place : place + 64] = bytes(len(data[place : place + 64]))
    path.write_bytes(data)
    return f"{how} at {place} of {path.name}"


SAMPLES = {"geolocation.mmdb": "geolocation-sample.mmdb", "asn.mmdb": "asn-sample.mmdb",
           "ip-ranges.json": "ip-ranges-sample.json"}  # fmt: skip
OF_ADDRESSES = (
    "SELECT i.* FROM public.addresses a JOIN ip_enrichment i ON i.ip = a.ip",
    "SELECT * FROM ip_enrichment WHERE ip IN ('82.102.17.180', '2001:db8::1', '54.240.200.68')",
    "SELECT * FROM aws_ip_range",
    "SELECT count(*) FROM aws_ip_range WHERE prefix >>= '54.240.200.68'",
)


def damage_data(ground: Ground, tally: Tally, chance: random.Random) -> None:
    """Damage a data file, ask in a new session, and take the file away."""
    name = chance.choice(sorted(SAMPLES))
    path = Path(ground.sandbox.state["dir"]) / "data" / name
    sample = Path(cloudtrail_fdw.__file__).parent / "data" / SAMPLES[name]
    path.write_bytes(sample.read_bytes())
    done = damage(path, chance)
    path.chmod(0o644)
    with ground.session() as db:
        for query in OF_ADDRESSES:
            tally.tried += 1
            found = ask(db, query, tally)
            if found.rows is not None:
                tally.exact += 1
            elif found.says_what_to_do:
                tally.right_error += 1
            else:
                tally.note("wrong", f"{done}\n{query}\n{found.text}")
    path.unlink()


def run(ground: Ground, seconds: float, chance: random.Random, most: int = 1 << 30) -> Tally:
    """Damage a file of the cache, then ask; fresh sessions now and then, which reread all."""
    tally, until = Tally(), time.monotonic() + seconds
    cache = Path(ground.sandbox.state["dir"]) / "postgres/data/cloudtrail_fdw_cache"
    with ground.session() as owner:
        right = {query: owner.execute(placed(query, ours=False).encode()).fetchall()
                 for query in QUERIES}  # fmt: skip
    while time.monotonic() < until and tally.tried < most:
        damage_data(ground, tally, chance)
        with ground.session() as db:
            for _ in range(20):
                files = [
                    p for p in cache.rglob("*") if p.is_file() and not p.name.endswith(".lock")
                ]
                done = [damage(chance.choice(files), chance)] if files else []
                query = chance.choice(QUERIES)
                tally.tried += 1
                found = ask(db, placed(query, ours=True), tally)
                if found.rows is not None and sorted(map(str, found.rows)) == sorted(
                    map(str, right[query])
                ):
                    tally.exact += 1
                elif found.error is not None and found.says_what_to_do:
                    tally.right_error += 1
                else:
                    tally.note("wrong", f"{done}\n{query}\n{found.text or found.rows}")
    return tally
