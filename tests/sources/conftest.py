"""What the tests of sources share: a clock and a group for scans, a name server for reverse DNS."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from cloudtrail_fdw.options import Settings, read_settings
from cloudtrail_fdw.sandbox.dns_server import Zone, serving
from cloudtrail_fdw.sources.cache.page_cache import PAGES, Shelf
from cloudtrail_fdw.sources.cache.shelves import Shelves
from cloudtrail_fdw.sources.names import reverse_dns
from scan_model import SETTLE, Clock, Group, install


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def group(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    """A group without events, and a cache of its own."""
    found = Group(clock, tmp_path / "cache")
    install(monkeypatch, clock, found)
    return found


@pytest.fixture
def shelf(group: Group) -> Shelf:
    """An empty shelf in its cache."""
    return Shelves(group.folder / PAGES / "x", "g", SETTLE).shelf((), "")


@pytest.fixture(scope="module")
def name_server() -> Iterator[tuple[Zone, int]]:
    """A zone and its port; the server lives on a thread, as long as the tests of this file."""
    zone = Zone()
    started: Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Queue()

    async def run() -> None:
        over = asyncio.Event()
        async with serving(zone) as port:
            started.put((asyncio.get_running_loop(), over, port))
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    loop, over, port = started.get(timeout=10)
    yield zone, port
    loop.call_soon_threadsafe(over.set)
    thread.join()


@pytest.fixture
def zone(name_server: tuple[Zone, int]) -> Zone:
    """The zone as it was at first, and nothing remembered of it."""
    fresh = Zone()
    vars(name_server[0]).update(vars(fresh))
    reverse_dns.CACHE.clear()
    return name_server[0]


@pytest.fixture
def settings(name_server: tuple[Zone, int]) -> Settings:
    """Those that ask it, without a cache on disk."""
    servers = f"127.0.0.1:{name_server[1]}"
    return read_settings({"dns_servers": servers, "dns_timeout": "600 ms", "cache": "off"})
