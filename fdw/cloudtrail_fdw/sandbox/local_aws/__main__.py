"""``python -m cloudtrail_fdw.sandbox.local_aws``: serve until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from cloudtrail_fdw.sandbox import dns_server, events
from cloudtrail_fdw.sandbox.local_aws.account import Account, Limits
from cloudtrail_fdw.sandbox.local_aws.control import PREFIX, control
from cloudtrail_fdw.sandbox.local_aws.http_server import HOST, Request, Response, serve
from cloudtrail_fdw.sandbox.local_aws.service import answer

STATE_FILE = "local_aws.json"


def parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="local_aws", description=__doc__)
    parser.add_argument("--state", type=Path, required=True,
                        help=f"folder for {STATE_FILE}, which appears when ready")  # fmt: skip
    parser.add_argument("--events", type=Path, default=events.SAMPLE,
                        help="events, one a line, gzipped or not; default: the sample")  # fmt: skip
    parser.add_argument("--log-group", default="aws-cloudtrail-logs-sandbox")
    parser.add_argument("--port", type=int, default=0, help="of HTTP (default: a free one)")
    parser.add_argument("--latency-ms", type=amount, default=0.0, help="of every call")
    parser.add_argument("--tps", type=amount, default=0.0,
                        help="calls a second of each action; 0 is no quota")  # fmt: skip
    parser.add_argument("--scan-mb", type=amount, default=10.0,
                        help="MB scanned by one call; 0 is no budget")  # fmt: skip
    parser.add_argument("--late-percent", type=amount, default=0.0,
                        help="share of events delivered 1.5 to 26 h late")  # fmt: skip
    parser.add_argument("--shift-to-now", action="store_true",
                        help="move all times so that the last delivery is now")  # fmt: skip
    return parser


def amount(text: str) -> float:
    """A number that is not negative."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def load(options: argparse.Namespace) -> Account:
    """The account with its events."""
    account = Account(options.log_group, Limits(options.latency_ms, options.tps, options.scan_mb))
    newest = events.now() if options.shift_to_now else None
    delivered = events.load(options.events, late_percent=options.late_percent, newest=newest)
    account.group.add(delivered)
    gc.freeze()  # the events live as long as the process; the collector need not visit them
    return account


async def run(account: Account, options: argparse.Namespace) -> None:
    """Serve HTTP and DNS; the state file exists while both do."""
    stop = asyncio.Event()
    zone = dns_server.Zone()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def handle(request: Request) -> Response:
        if request.path.startswith(PREFIX):
            return control(request, account, zone, stop)
        return await answer(request, account)

    server = await serve(handle, options.port)
    async with dns_server.serving(zone) as dns_port:
        state = {
            "tps": math.ceil(options.tps),
            "endpoint": f"http://{HOST}:{server.sockets[0].getsockname()[1]}",
            "log_group": account.group.name,
            "dns_server": f"{HOST}:{dns_port}",
            "pid": os.getpid(),
        }
        path = write_state(options.state, state)
        try:
            await stop.wait()
            await asyncio.sleep(0.05)  # for the answer to the shutdown call
        finally:
            path.unlink(missing_ok=True)
            server.close()


def write_state(folder: Path, state: Mapping[str, object]) -> Path:
    """Put the state file in its place, whole or not at all; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / STATE_FILE
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(state) + "\n")
    unfinished.replace(path)
    return path


def main() -> int:
    """Run until shutdown; 1 when the events or the port cannot be had."""
    options = parser().parse_args()
    try:
        account = load(options)
        asyncio.run(run(account, options))
    except (OSError, EOFError, ValueError) as error:
        sys.stderr.write(f"local_aws: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
