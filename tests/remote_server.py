"""A real HTTP server on loopback that answers as ipstack, AbuseIPDB and Shodan document."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional
from urllib.parse import parse_qs, urlsplit

KEY = "k3ySECRETk3y"
HTML = b"<html><body>502 Bad Gateway</body></html>"


@dataclass
class Fault:
    """An answer in place of the documented good one; ``raw`` and ``hang`` are no answers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: Optional[bytes] = None
    hang: bool = False
    drip: bool = False


class Remote(ThreadingHTTPServer):
    """All three services at one port; ``calls`` are the paths with their queries."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.over = threading.Event()
        self.reset()

    def reset(self, *faults: Fault, bulk: bool = True) -> None:
        """Forget the calls; the next ones meet ``faults``, the last of them for ever."""
        self.calls: list[str] = []
        self.keys: list[Optional[str]] = []
        self.faults = list(faults)
        self.bulk = bulk

    def next_fault(self) -> Optional[Fault]:
        """What the present call meets; None is the good answer."""
        if not self.faults:
            return None
        return self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Remote

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer, or play the fault that is next."""
        self.server.calls.append(self.path)
        fault = self.server.next_fault()
        if fault is None or (fault.status == 200 and fault == Fault()):
            self.give(*self.good())
        elif fault.hang:
            self.server.over.wait(20)
            self.close_connection = True
        elif fault.drip:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not self.server.over.wait(0.05):
                try:
                    self.wfile.write(b" ")
                except OSError:
                    break
            self.close_connection = True
        elif fault.raw is not None:
            self.wfile.write(fault.raw)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_WR)
        else:
            self.give(fault.status, fault.body, fault.headers)

    def give(self, status: int, body: Any, headers: Any = ()) -> None:
        """Send an answer; bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, text in dict(headers).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def good(self) -> tuple[int, Any]:
        """What the service answers that the path belongs to."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/api/v2/check":
            self.server.keys.append(self.headers.get("Key"))
            return abuseipdb(self.headers.get("Key"), query)
        if url.path.startswith("/shodan/host/"):
            self.server.keys.append(query.get("key"))
            return shodan(url.path.rsplit("/", 1)[1], query)
        self.server.keys.append(query.get("access_key"))
        return ipstack(url.path[1:].split(","), query, bulk=self.server.bulk)


def abuseipdb(key: Optional[str], query: dict[str, str]) -> tuple[int, Any]:
    """The CHECK endpoint of docs.abuseipdb.com."""
    if key != KEY:
        text = "Authentication failed. Your API key is either missing, incorrect, or revoked."
        return 401, {"errors": [{"detail": text, "status": 401}]}
    data = {
        "ipAddress": query["ipAddress"], "isPublic": True, "ipVersion": 4, "isWhitelisted": None,
        "abuseConfidenceScore": 100, "countryCode": "CN", "usageType": "Data Center",
        "isp": "Tencent Cloud", "domain": "tencent.com", "hostnames": [], "isTor": False,
        "totalReports": 2, "numDistinctUsers": 1, "lastReportedAt": "2018-12-20T20:55:14+00:00",
    }  # fmt: skip
    if "verbose" in query:
        data.update(countryName="China", reports=[{"comment": "a\0b", "categories": [18, 22]}])
    return 200, {"data": data}


def shodan(ip: str, query: dict[str, str]) -> tuple[int, Any]:
    """Host information of developer.shodan.io/api."""
    if query.get("key") != KEY:
        return 401, b"<html>401 Authorization Required</html>"
    if ip.startswith("9."):
        return 404, {"error": "No information available for that IP."}
    record = {
        "ip": 134744072, "ip_str": ip, "asn": "AS15169", "isp": "Google", "org": "Google",
        "os": None, "ports": [53, 443], "hostnames": ["dns.google"], "domains": ["dns.google"],
        "tags": [], "vulns": ["CVE-2021-1"], "last_update": "2021-01-22T08:49:35.190817",
        "country_code": "US", "country_code3": None, "country_name": "United States",
        "city": None, "latitude": 37.751, "longitude": -97.822, "postal_code": None,
        "region_code": None, "area_code": None, "dma_code": 807,
    }  # fmt: skip
    return 200, record if "minify" in query else {**record, "data": [{"port": 53}]}


def ipstack(ips: list[str], query: dict[str, str], *, bulk: bool) -> tuple[int, Any]:
    """Standard and bulk look-up of ipstack.com/documentation."""
    if query.get("access_key") != KEY:
        return 200, ipstack_error(101, "invalid_access_key")
    if len(ips) > 1 and not bulk:
        return 200, ipstack_error(303, "batch_not_supported_on_plan")
    if len(ips) > 50:
        return 200, ipstack_error(302, "too_many_ips")
    records = [place(ip, query) for ip in ips]
    return 200, records[0] if len(ips) == 1 else records[::-1]


def ipstack_error(code: int, kind: str) -> dict[str, Any]:
    """An error as ipstack gives it, with HTTP status 200."""
    return {"success": False, "error": {"code": code, "type": kind, "info": f"{kind} {KEY}"}}


def place(ip: str, query: dict[str, str]) -> dict[str, Any]:
    """A record; of 9.0.0.0/8 ipstack knows nothing here."""
    none = ip.startswith("9.")
    return {
        "ip": ip, "hostname": ip if "hostname" in query else None, "type": "ipv4",
        "continent_code": None if none else "NA", "continent_name": "North America",
        "country_code": None if none else "US", "country_name": "United States",
        "region_code": None, "region_name": None, "city": None if none else "Los Angeles",
        "zip": "90013", "latitude": None if none else 34.0453, "longitude": -118.2413,
        "radius": "46.2", "location": {"geoname_id": 5368361, "is_eu": False,
        "languages": [{"code": "en", "name": "English", "native": "English"}]},
        "time_zone": {"id": "America/Los_Angeles", "gmt_offset": -25200,
                      "current_time": "2018-03-29T07:35:08-07:00"},
        "connection": {"asn": 25876, "isp": "Los Angeles Department of Water & Power"},
        **({"security": {"is_proxy": False, "threat_level": "low"}} if "security" in query else {}),
    }  # fmt: skip


@contextmanager
def serving() -> Iterator[Remote]:
    """The server, as long as the block lasts."""
    server = Remote()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
