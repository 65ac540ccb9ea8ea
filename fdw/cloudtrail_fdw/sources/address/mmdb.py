"""An mmdb file, and its search tree, which tells what addresses have their record in common.

https://maxmind.github.io/MaxMind-DB/ (version 2.0).
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudtrail_fdw.errors import missing_package
from cloudtrail_fdw.sources.address.address import Address
from cloudtrail_fdw.sources.disk.data_files import Guard, damaged

if TYPE_CHECKING:
    import maxminddb

Record = Mapping[str, Any]
WORD = struct.Struct(">I").unpack_from
SLOTS = 1 << 16
MASKS = {bits: tuple(1 << bit for bit in reversed(range(bits))) for bits in (8, 16, 96)}


@dataclass(frozen=True, eq=False)
class Database:
    """An open file: ``label`` is its type and build date, ``version`` 4 or 6."""

    path: Path
    reader: maxminddb.Reader
    guard: Guard
    label: str
    version: int

    def record(self, address: Address) -> Record:
        """The record of an address, which must be one, {} without any; FdwError when damaged."""
        text, family = address.address, address.number_version
        if family != address.version:
            text = socket.inet_ntoa(address.number.to_bytes(4, "big"))
        elif family > self.version:
            return {}
        try:
            record = self.reader.get(text)
        except Exception as error:  # noqa: BLE001 - a damaged file fails in any way it likes
            raise damaged(self.path, error) from None
        return record if isinstance(record, dict) else {}


def open_mmdb(path: Path) -> Database:
    """Open a file; FdwError when it is no mmdb file, or cut short, or nothing can read it."""
    open_database = library().open_database
    try:
        guard = Guard(path)
        reader = open_database(str(path))
        if not os.path.samestat(os.fstat(guard.file), path.stat()):
            return open_mmdb(path)  # replaced meanwhile: guard and reader must be of one file
        metadata = reader.metadata()
        built = datetime.fromtimestamp(metadata.build_epoch, timezone.utc).date()
        label = f"{metadata.database_type.partition(' (')[0]} {built}".replace("\0", "\ufffd")
        return Database(path, reader, guard, label, int(metadata.ip_version))
    except Exception as error:  # noqa: BLE001 - as above
        raise damaged(path, error) from None


def library() -> Any:
    """The package maxminddb; FdwError where it is missing."""
    try:
        import maxminddb
    except ImportError as error:
        raise missing_package("maxminddb", error) from None
    return maxminddb


class Memory:
    """Nodes of one family that walks came by, 0 where none has yet: always of the same size.

    ``first`` are those after ``bits`` of an address, ``nodes`` those after as many again, by the
    ``heads`` that had the slot last; ``rest`` bits remain.
    """

    __slots__ = ("bits", "first", "heads", "nodes", "rest", "root")

    def __init__(self, root: int, bits: int, rest: int) -> None:
        """Nothing is remembered but the root."""
        self.root, self.bits, self.rest = root, bits, rest
        self.first, self.nodes, self.heads = (array("I", bytes(4 * SLOTS)) for _ in range(3))


class SearchTree:
    """The tree of a database; its methods raise FdwError for a node that leads out of the file."""

    def __init__(self, database: Database) -> None:
        """Map the file and find where IPv4 begins: 96 zero bits down a tree of IPv6."""
        metadata = database.reader.metadata()
        self.path = database.path
        self.nodes: int = metadata.node_count  # as a record: there is no data
        size = metadata.record_size  # bits of one of the two records of a node: 24, 28 or 32
        buffer = mmap.mmap(database.guard.file, 0, access=mmap.ACCESS_READ)
        # bytes of a node, where its right record is read, bits that are read beyond the left one,
        # its upper bits in the byte that it shares with the right one
        self.shape = (buffer, self.nodes, size // 4, size // 4 - 4, 0 if size == 32 else 8,
                      0xF0 if size == 28 else 0, (1 << size) - 1)  # fmt: skip
        self.memory = {4: Memory(0, 8, 16)}
        if database.version == 6:
            self.memory = {4: Memory(self.walk(0, 0, 96), 8, 16), 6: Memory(0, 16, 96)}

    def leaf(self, number: int, family: int) -> int:
        """The record that an address leads to, ``nodes`` when it is in no network."""
        memory = self.memory.get(family)
        if memory is None:
            return self.nodes
        head = number >> memory.rest
        slot = head % SLOTS
        node = memory.nodes[slot]
        if not node or memory.heads[slot] != head:
            first = head >> memory.bits
            node = memory.first[first] or self.walk(memory.root, first, memory.bits)
            memory.first[first] = node
            node = memory.nodes[slot] = self.walk(node, head, memory.bits)
            memory.heads[slot] = head
        return node if node >= self.nodes else self.walk(node, number, memory.rest)

    def walk(self, node: int, number: int, bits: int) -> int:
        """The record that the lowest ``bits`` of ``number`` lead to from a node."""
        buffer, nodes, width, right, beyond, shared, mask = self.shape
        try:
            for bit in MASKS[bits]:
                if node >= nodes:
                    break
                if number & bit:
                    node = WORD(buffer, node * width + right)[0] & mask
                else:
                    word = WORD(buffer, node * width)[0]
                    node = word >> beyond | (word & shared) << 20
        except struct.error as error:
            raise damaged(self.path, error) from None
        return node
