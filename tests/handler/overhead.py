"""100,000 look-ups by key and a scan of 100,000 rows, with the handler and without, in turns.

    python tests/handler/overhead.py

prints the least processor seconds of each and their ratio; exit status 1 when one is above 1.05.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests/servers.py

from probe_servers import WITH, WITHOUT, Probe, probe, servers

ROUNDS = 15
MOST = 1.05
QUERIES = {
    "100,000 look-ups": "SELECT count(k.label) FROM "
    "(SELECT g::text AS t FROM generate_series(1, 100000) AS g OFFSET 0) AS g "
    "JOIN keyed_text k ON k.k = g.t",
    "100,000 rows": "SELECT count(a), count(f) FROM wide",
    "100,000 rows, one condition": "SELECT count(a) FROM wide WHERE b = '1'",
}


def cpu_seconds(pid: int) -> float:
    """What a backend has spent on a processor, whatever else the machine does."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def measure(server: Probe, sql: str) -> dict[str, float]:
    """Least seconds per database."""
    least: dict[str, float] = {}
    sessions = {name: server.connect(name) for name in (WITH, WITHOUT)}
    for session in sessions.values():
        session.execute("SET jit = off")
        if server.server.postgres_version >= "14":
            session.execute("SET enable_memoize = off")
        session.execute(sql)
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            begun = cpu_seconds(session.info.backend_pid)
            session.execute(sql)
            spent = cpu_seconds(session.info.backend_pid) - begun
            least[name] = min(spent, least.get(name, spent))
    return least


def main() -> int:
    """Print the table; tell whether the handler is cheap."""
    dear = False
    for server in servers():
        with probe(server) as running:
            for what, sql in QUERIES.items():
                least = measure(running, sql)
                ratio = least[WITH] / least[WITHOUT]
                dear = dear or ratio > MOST
                sys.stdout.write(
                    f"PostgreSQL {server.postgres_version}, Multicorn {server.multicorn_version}, "
                    f"{what}: {least[WITH]:.3f} s with, {least[WITHOUT]:.3f} s without, "
                    f"ratio {ratio:.3f}\n"
                )
    return 1 if dear else 0


if __name__ == "__main__":
    sys.exit(main())
