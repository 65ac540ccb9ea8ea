"""DNS questions, asked by c-ares on the calling thread.

c-ares' own event thread is not used: its signal mask would be ours to mend, and a loop of our
own sees a cancel. pycares 5.0 changed ``query`` and its results; older ones do not fit.
"""

from __future__ import annotations

import selectors
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, Optional

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import FdwError

RECEIVE_BUFFER = 4 << 20  # bytes; with the usual 208 KiB up to 7 % of the answers get lost
TRIES = 3  # it waits twice as long each time
NO_SOCKET = -1  # ARES_SOCKET_BAD


class Question(NamedTuple):
    """A domain name and the record type asked for: PTR, A or AAAA."""

    name: str
    type: str


class Reply(NamedTuple):
    """``found``, ``none``, ``timeout``, ``error`` or ``unasked``; the records' data; least TTL."""

    status: str
    data: tuple[str, ...] = ()
    ttl: int = 0


class Channel:
    """A c-ares channel of this process, for one list of servers and one patience of them."""

    def __init__(self, servers: str, timeout: float) -> None:
        self.pycares = load_pycares()
        self.selector = selectors.DefaultSelector()
        self.closed = False
        self.cancels = 0
        listed = [server.strip() for server in servers.split(",") if server.strip()]
        errno = self.pycares.errno
        self.none = {errno.ARES_ENOTFOUND, errno.ARES_ENODATA}
        self.late = {errno.ARES_ETIMEOUT}
        try:
            with interrupts.signals_masked():  # pycares starts a thread that would inherit ours
                self.cares = self.pycares.Channel(
                    servers=listed or None, tries=TRIES, sock_state_cb=self.watch,
                    timeout=max(timeout, 0.05),  # until it has a measure of its own
                    socket_receive_buffer_size=RECEIVE_BUFFER,
                )  # fmt: skip
        except (self.pycares.AresError, ValueError, TypeError) as error:
            raise FdwError(
                "cannot use the name servers of option dns_servers",
                detail=f"{servers or '/etc/resolv.conf'}: {error}",
                hint="List IP addresses, such as 192.0.2.53 or [2001:db8::53]:5353.",
            ) from None

    def watch(self, fd: int, readable: bool, writable: bool) -> None:
        """What c-ares wants to be told about one of its sockets."""
        if self.closed:  # c-ares lets go of its sockets later, on a thread of pycares
            return
        wanted = selectors.EVENT_READ * readable | selectors.EVENT_WRITE * writable
        known = fd in self.selector.get_map()
        if known and wanted:
            self.selector.modify(fd, wanted)
        elif known:
            self.selector.unregister(fd)
        elif wanted:
            self.selector.register(fd, wanted)

    def ask(self, question: Question, landed: Callable[[Reply], None]) -> None:
        """Send one question; ``landed`` is called with its reply by a turn, or at once."""
        kind = getattr(self.pycares, f"QUERY_TYPE_{question.type}")

        number = self.cancels

        def answered(result: Any, error: Optional[int]) -> None:
            if number == self.cancels:
                landed(self.read(kind, result, error))

        try:
            self.cares.query(question.name, kind, callback=answered)
        except (self.pycares.AresError, ValueError):  # a refused connection is raised at once
            landed(Reply("error"))

    def close(self) -> None:
        """Let go of its sockets and thread; it must not be asked any more."""
        self.closed = True
        self.cares.close()
        self.selector.close()

    def cancel(self) -> None:
        """Let nothing stay on its way; nobody is called for what was."""
        self.cancels += 1
        self.cares.cancel()

    def turn(self, seconds: float) -> None:
        """Wait so long for answers, and let c-ares see them and its own timeouts."""
        due = self.cares.timeout()
        ready = self.selector.select(max(0.0, min(seconds, due if due > 0 else seconds)))
        for key, events in ready:
            self.cares.process_fd(
                key.fd if events & selectors.EVENT_READ else NO_SOCKET,
                key.fd if events & selectors.EVENT_WRITE else NO_SOCKET,
            )
        if not ready:
            self.cares.process_fd(NO_SOCKET, NO_SOCKET)

    def read(self, kind: int, result: Any, error: Optional[int]) -> Reply:
        """c-ares' answer as a reply."""
        if error is not None:
            late = "timeout" if error in self.late else "error"
            return Reply("none" if error in self.none else late)
        records = [record for record in result.answer if record.type == kind]
        attribute = "dname" if kind == self.pycares.QUERY_TYPE_PTR else "addr"
        texts = [getattr(record.data, attribute) for record in records]
        plain = [t.decode("latin-1") if isinstance(t, bytes) else t for t in texts]
        if not plain:
            return Reply("none")
        # an alias on the way to the records (RFC 2317) may be good for a shorter time
        return Reply("found", tuple(plain), min(record.ttl for record in result.answer))


def load_pycares() -> Any:
    """The library; FdwError each time that it is missing or too old."""
    try:
        import pycares
    except ImportError as error:
        problem = str(error)
    else:
        if hasattr(pycares, "PTRRecordData"):
            return pycares
        problem = f"version {pycares.__version__} is too old"
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    raise FdwError(
        "reverse DNS needs the Python package pycares 5.0 or newer",
        detail=problem,
        hint=f"Install it for the server's Python: {python} -m pip install 'pycares>=5'; or leave "
        "out the columns reverse_dns, reverse_dns_status and reverse_dns_names.",
    )
