"""Issue 7: look-ups of distinct addresses, without SQL."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

from rig import HERE, Line, Options, data_directory, ranges_file, say


def lines(options: Options) -> Iterator[Line]:
    """Every measurement of this file; the loops are in others/lookup_loops.py."""
    say("looking addresses up")
    line = [sys.executable, str(HERE / "others" / "lookup_loops.py"), str(data_directory()),
            str(ranges_file(options)), str(options.count(50_000))]  # fmt: skip
    found = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
    for what, ours, other, target in (
        ("one field, against maxminddb.get", "ours_one", "maxminddb_one", None),
        ("one field, against geoip2", "ours_one", "geoip2_one", None),
        ("all fields, against maxminddb.get of city and ASN", "ours_all", "maxminddb_all", None),
        ("all fields, against geoip2", "ours_all", "geoip2_all", 2),
        ("AWS's ranges, against awsipranges", "ours_aws", "awsipranges", 100),
    ):
        ratio = found[ours] / found[other]
        yield Line(
            f"Look-ups a second of processor time: {what}",
            f"{found[ours]:,.0f}/s", f"{found[other]:,.0f}/s", f"{ratio:.2f}",
            f"≥ {target}" if target else "", None if target is None else ratio >= target,
        )  # fmt: skip
