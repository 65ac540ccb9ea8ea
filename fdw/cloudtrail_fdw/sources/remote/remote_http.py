"""One GET of a remote source, bounded in time and size, whose URL nobody gets to see.

ipstack and Shodan take their key in the URL, and the exceptions and log lines of requests and
urllib3 print URLs: neither leaves this module.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, NamedTuple, Optional

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import missing_package
from cloudtrail_fdw.sources.aws.aws import remembering

CONNECT_SECONDS = 3.0
LARGEST = 16 << 20  # bytes of a body; AbuseIPDB's 10,000 reports are some 3 MB
SESSIONS: list[Any] = []  # one for the process, with its open connections


class UnavailableError(Exception):
    """No answer, or none that can be read; the text says why and holds no URL."""


class Answer(NamedTuple):
    """Status, parsed body (None when it is no JSON) and what the headers say of limits.

    ``retry_after`` is in seconds, ``limit`` the calls allowed (X-RateLimit-Limit).
    """

    status: int
    body: Any
    retry_after: Optional[float] = None
    limit: Optional[int] = None


def get(url: str, parameters: Mapping[str, str], headers: Mapping[str, str],
        seconds: float) -> Answer:  # fmt: skip
    """The answer within ``seconds``, waited for so that a cancel ends it; UnavailableError."""
    return interrupts.call(fetch, url, parameters, headers, seconds)


def fetch(url: str, parameters: Mapping[str, str], headers: Mapping[str, str],
          seconds: float) -> Answer:  # fmt: skip
    """The answer; UnavailableError. To be run on a thread of its own, which a timer may wake."""
    http = session()
    from requests.exceptions import RequestException, SSLError, Timeout
    from urllib3.exceptions import HTTPError

    late = threading.Event()
    timer = threading.Timer(seconds, hang_up, (threading.current_thread(), late))
    timer.daemon = True
    timer.start()
    reason = "it cannot be reached"
    try:
        with http.get(
            url, params=parameters, timeout=(min(CONNECT_SECONDS, seconds), seconds),
            headers={"Accept-Encoding": "identity", **headers},
            stream=True, allow_redirects=False,
        ) as response:  # fmt: skip
            reason = "its answer was cut off"
            return read(response)
    except SSLError:
        reason = "its certificate was not accepted"
    except Timeout:
        late.set()
    except (RequestException, HTTPError, HTTPException, OSError, ValueError):
        pass  # ValueError: what urllib3 cannot make a header or a host name of
    finally:
        timer.cancel()
        interrupts.WAKERS.pop(threading.current_thread(), None)
    raise UnavailableError("it did not answer in time" if late.is_set() else reason) from None


def hang_up(thread: threading.Thread, late: threading.Event) -> None:
    """End the wait of a thread whose answer comes too slowly."""
    late.set()
    wake = interrupts.WAKERS.get(thread)
    if wake is not None:
        wake()


def read(response: Any) -> Answer:
    """Status, body and limits of a response; UnavailableError for a body beyond LARGEST."""
    body = bytearray()
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > LARGEST:
            raise UnavailableError("its answer is too long")
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and len(body) < int(announced):
        raise UnavailableError("its answer was cut off")
    try:
        parsed = json.loads(bytes(body), parse_constant=int)  # NaN is no JSON
    except (ValueError, RecursionError):
        parsed = None
    limit = response.headers.get("X-RateLimit-Limit", "")
    return Answer(
        response.status_code,
        parsed,
        read_delay(response.headers.get("Retry-After", "")),
        int(limit) if limit.isdecimal() and len(limit) < 12 else None,
    )


def read_delay(text: str) -> Optional[float]:
    """Seconds of a Retry-After header: a number or a date (RFC 9110, section 10.2.3)."""
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    with contextlib.suppress(TypeError, ValueError, IndexError, OverflowError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return None


def session() -> Any:
    """The process's session; proxies and CA bundle as the environment says."""
    if SESSIONS:
        return SESSIONS[0]
    try:
        import requests
        from requests.adapters import HTTPAdapter
    except ImportError as error:
        raise missing_package("requests", error) from None
    made = requests.Session()
    for adapter in made.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            make_wakeable(adapter.poolmanager)
    # a warning of bad headers and all lines at DEBUG hold whole URLs
    for name in ("connection", "connectionpool", "util.retry"):
        logging.getLogger(f"urllib3.{name}").addFilter(keeps_secret)
    SESSIONS.append(made)
    return made


def make_wakeable(manager: Any) -> None:
    """Let a thread that waits for an answer be woken, by closing its connection."""
    pools = dict(manager.pool_classes_by_scheme)
    for scheme, pool in pools.items():
        members = {"request": remembering(pool.ConnectionCls.request)}
        connection = type("WakeableConnection", (pool.ConnectionCls,), members)
        pools[scheme] = type("WakeablePool", (pool,), {"ConnectionCls": connection})
    manager.pool_classes_by_scheme = pools


def keeps_secret(record: logging.LogRecord) -> bool:
    """Whether a log line names no key."""
    return not any(name in record.getMessage() for name in ("access_key=", "?key=", "&key="))
