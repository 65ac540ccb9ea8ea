"""The worker's end of the socket to its backend: frames as fdw/handler/frames.h describes them."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from typing import Any, NamedTuple

from msgspec import msgpack

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.interrupts import Host

HEAD = struct.Struct("=IBI")  # bytes after the head, type, number
PROTOCOL = 1
COPIED = 65_536  # bytes below which a copy is cheaper than another call of the system


class Frame(NamedTuple):
    """One frame: its letter, the number of its scan or request, its value."""

    kind: str
    number: int
    value: Any


class Gone(Exception):  # noqa: N818 - an end, not an error
    """The backend has closed its end."""


class Line(Host):
    """The socket, and what it says while the worker is at work.

    The backend sends nothing but a close while it waits for an answer, so whatever comes then means
    that the query has stopped, and so does an end.
    """

    def __init__(self, end: socket.socket) -> None:
        """Take over a connected socket."""
        self.socket = end
        self.heard = select.poll()
        self.heard.register(end, select.POLLIN)
        self.moment = 0

    def send(self, kind: str, number: int, value: object) -> None:
        """Send a frame with this value."""
        self.send_packed(kind, number, msgpack.encode(value))

    def send_packed(self, kind: str, number: int, body: bytes) -> None:
        """Send a frame whose value is packed already; Gone when nobody reads it."""
        head = HEAD.pack(len(body), ord(kind), number)
        try:
            if len(body) < COPIED:
                self.socket.sendall(head + body)
            else:
                self.socket.sendall(head)
                self.socket.sendall(body)
        except OSError:
            raise Gone from None

    def receive(self) -> Frame:
        """The next frame; Gone at the end."""
        length, kind, number = HEAD.unpack(self.read(HEAD.size))
        return Frame(chr(kind), number, msgpack.decode(self.read(length)))

    def read(self, size: int) -> bytes:
        """So many bytes: a process that is stopped and continued meanwhile gets them in parts."""
        found = b""
        while len(found) < size:
            try:
                more = self.socket.recv(size - len(found), socket.MSG_WAITALL)
            except OSError:
                raise Gone from None
            if not more:
                raise Gone
            found = found + more if found else more
        return found

    def check(self) -> None:
        """Raise FdwError (57014) when the query has to stop; threads are told by their scans."""
        if threading.current_thread() is threading.main_thread() and self.heard.poll(0):
            raise FdwError("canceling statement due to user request or timeout", sqlstate="57014")

    def worker(self) -> int:
        """This process."""
        return os.getpid()

    def statement(self) -> int:
        """When the statement began that is at work, which tells it from others."""
        return self.moment
