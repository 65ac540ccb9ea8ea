"""Many DNS questions at once, asked by c-ares on the calling thread.

c-ares' own event thread is not used: its signal mask would be ours to mend, and a loop of our
own sees a cancel. pycares 5.0 changed ``query`` and its results; older ones do not fit.
"""

from __future__ import annotations

import os
import selectors
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from cloudtrail_fdw import interrupts
from cloudtrail_fdw.errors import FdwError

IN_FLIGHT = 300  # questions; answers to more overrun even a large socket buffer
RECEIVE_BUFFER = 4 << 20  # bytes; with the usual 208 KiB up to 7 % of the answers get lost
TRIES = 2
OVERDUE = 0.3  # seconds after which a question takes no place from others
MOST_MISSES = 3
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


class Patience:
    """How long one query goes on waiting where nothing is heard of the name servers.

    Silence of up to ``whole`` seconds in all. After that, where something has been heard before,
    a quarter of it each time, but not many times in a row.
    """

    def __init__(self, whole: float) -> None:
        self.whole, self.rest, self.lull = whole, whole, whole / 4
        self.heard = False  # anything in this query
        self.misses = 0  # times in a row that nothing was
        self.last = time.monotonic()

    def begin(self) -> None:
        """Questions are about to be sent."""
        self.last = time.monotonic()
        self.misses += 1

    def hear(self) -> None:
        """An answer has come; silence before it that was no more than a lull is free."""
        now = time.monotonic()
        self.rest -= now - self.last if now - self.last > self.lull else 0
        self.heard, self.misses, self.last = True, 0, now

    def left(self) -> float:
        """Seconds to go on waiting now; none is too long already."""
        lull = self.lull if self.heard and self.misses <= MOST_MISSES else 0.0
        return max(self.rest, lull) - (time.monotonic() - self.last)

    def end(self, late: bool) -> None:
        """No more is waited for; ``late`` says that there would have been something."""
        self.rest -= time.monotonic() - self.last if late else 0


class Channel:
    """A c-ares channel of this process, for one list of servers and one patience."""

    def __init__(self, servers: str, timeout: float) -> None:
        self.pid = os.getpid()
        self.pycares = load_pycares()
        self.selector = selectors.DefaultSelector()
        listed = [server.strip() for server in servers.split(",") if server.strip()]
        errno = self.pycares.errno
        self.none = {errno.ARES_ENOTFOUND, errno.ARES_ENODATA}
        self.late = {errno.ARES_ETIMEOUT, errno.ARES_ECANCELLED}
        try:
            with interrupts.signals_masked():  # pycares starts a thread that would inherit ours
                self.cares = self.pycares.Channel(
                    servers=listed or None, tries=TRIES, sock_state_cb=self.watch,
                    timeout=max(timeout / (2**TRIES - 1), 0.05),  # c-ares doubles it each try
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
        wanted = selectors.EVENT_READ * readable | selectors.EVENT_WRITE * writable
        known = fd in self.selector.get_map()
        if known and wanted:
            self.selector.modify(fd, wanted)
        elif known:
            self.selector.unregister(fd)
        elif wanted:
            self.selector.register(fd, wanted)

    def ask(self, questions: Sequence[Question], patience: Patience) -> dict[Question, Reply]:
        """A reply for each question; when ``patience`` is over the rest are late or unasked.

        Raises FdwError when the query has to stop; nothing stays on its way.
        """
        replies: dict[Question, Reply] = {}
        sent: dict[Question, float] = {}  # those that may be answered any moment, oldest first
        started = 0
        patience.begin()
        try:
            while len(replies) < len(questions) and (left := patience.left()) > 0:
                interrupts.check()
                while started < len(questions) and len(sent) < IN_FLIGHT:
                    self.start(questions[started], replies, sent, patience)
                    started += 1
                if len(replies) < started:
                    self.turn(left)
                drop_overdue(sent)
        finally:
            self.cares.cancel()
        patience.end(any(reply.status == "timeout" for reply in replies.values())
                     or len(replies) < len(questions))  # fmt: skip
        late = dict.fromkeys(questions[:started], Reply("timeout"))
        unasked = dict.fromkeys(questions[started:], Reply("unasked"))
        return {**late, **unasked, **replies}

    def start(
        self, question: Question, replies: dict[Question, Reply], sent: dict[Question, float],
        patience: Patience,
    ) -> None:  # fmt: skip
        """Send one question; its reply is put into ``replies`` later, or at once."""
        kind = getattr(self.pycares, f"QUERY_TYPE_{question.type}")

        def landed(result: Any, error: Optional[int]) -> None:
            replies[question] = self.read(kind, result, error)
            sent.pop(question, None)
            if replies[question].status != "timeout":
                patience.hear()

        sent[question] = time.monotonic()
        try:
            self.cares.query(question.name, kind, callback=landed)
        except (self.pycares.AresError, ValueError):  # a refused connection is raised at once
            replies[question] = Reply("error")
            sent.pop(question, None)

    def turn(self, left: float) -> None:
        """Wait a moment for answers, and let c-ares see them and its own timeouts."""
        due = self.cares.timeout()
        wait = max(0.0, min(interrupts.STEP, left, due if due > 0 else interrupts.STEP))
        ready = self.selector.select(wait)
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
        return Reply("found", tuple(plain), min(record.ttl for record in records))


def drop_overdue(sent: dict[Question, float]) -> None:
    """Forget the questions whose answers would have come by now: they need no buffer."""
    limit = time.monotonic() - OVERDUE
    while sent and next(iter(sent.values())) < limit:
        del sent[next(iter(sent))]


CHANNELS: dict[tuple[str, float], Channel] = {}


def channel(servers: str, timeout: float) -> Channel:
    """The channel of this process for these servers; FdwError when there cannot be one."""
    held = CHANNELS.get((servers, timeout))
    if held is None or held.pid != os.getpid():
        held = CHANNELS[servers, timeout] = Channel(servers, timeout)
    return held


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
