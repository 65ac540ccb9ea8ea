"""A small HTTP/1.1 server on asyncio: keep-alive, Content-Length, and failures on purpose."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
HEAD_LIMIT = 65_536
DRIP_BYTES = 64
DRIP_SECONDS = 0.1


class Wire(Enum):
    """How an answer goes over the wire."""

    WHOLE = "whole"
    HANG = "hang"
    SLOW = "slow"
    RESET = "reset"
    SHORT = "short"
    DIE = "die"


@dataclass(frozen=True)
class Request:
    """A request; header names are in lower case, of repeated query names the last counts."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """An answer."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    wire: Wire = Wire.WHOLE


Handler = Callable[[Request], Awaitable[Response]]


class HttpError(Exception):
    """A request that is no HTTP this server reads; the connection is closed."""


async def serve(handler: Handler, port: int) -> asyncio.Server:
    """Listen on 127.0.0.1; port 0 takes a free one."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await exchange(reader, writer, handler):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, which is its right, or the server ends
        except (HttpError, asyncio.LimitOverrunError) as error:
            await send(writer, Response(str(error).encode(), 400, "text/plain"))
        finally:
            writer.close()

    return await asyncio.start_server(connected, HOST, port, limit=HEAD_LIMIT)


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
) -> bool:
    """Read one request and answer it; whether the connection stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    method, target, headers = parse_head(head)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    response = await handler(Request(method, url.path, query, headers, body))
    if response.wire is Wire.HANG:
        await reader.read()  # until the client gives up
        return False
    await send(writer, response)
    if response.wire is Wire.DIE:
        os._exit(70)
    return response.wire is Wire.WHOLE and headers.get("connection", "").lower() != "close"


def parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    try:
        method, target, version = first.split(" ")
    except ValueError:
        raise HttpError("malformed request line") from None
    pairs = [line.partition(":") for line in lines]
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    length = headers.get("content-length", "0")
    if not version.startswith("HTTP/1.") or "transfer-encoding" in headers or not length.isdigit():
        raise HttpError("only HTTP/1.1 with Content-Length is served")
    return method, target, headers


async def send(writer: asyncio.StreamWriter, response: Response) -> None:
    """Write an answer in the way it is meant to go."""
    lines = [
        f"HTTP/1.1 {response.status} -",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
    ]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if response.wire is Wire.RESET:
        writer.write(head + response.body[: len(response.body) // 2])
        await writer.drain()
        linger = struct.pack("ii", 1, 0)  # closing then sends RST instead of FIN
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
    elif response.wire is Wire.SHORT:
        writer.write(head + response.body[: len(response.body) // 2])
        await writer.drain()
    elif response.wire is Wire.SLOW:
        writer.write(head)
        for place in range(0, len(response.body), DRIP_BYTES):
            writer.write(response.body[place : place + DRIP_BYTES])
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)
    else:
        if response.wire is Wire.DIE:
            writer.transport.set_write_buffer_limits(0)  # drain until the kernel has it all
        writer.writelines([head, response.body])
        await writer.drain()
