"""A file of a cache with a checksum, written at once: what is damaged is as if it were not there.

The checksum is of the file's name, too, which tells what the file is of: a file that has got the
name of another log group's or another account's is damaged.
"""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path
from typing import Optional, Union

CHECKSUM = 4  # bytes in front of the content


def seal(name: str, content: Union[bytes, memoryview]) -> bytes:
    """The checksum of a name and its content."""
    begun = zlib.crc32(name.encode(errors="replace"))
    return zlib.crc32(content, begun).to_bytes(CHECKSUM, "big")


def unsealed(name: str, sealed: bytes) -> Optional[memoryview]:
    """What follows the checksum; None where it is damaged, or of another name."""
    content = memoryview(sealed)[CHECKSUM:]
    return content if sealed[:CHECKSUM] == seal(name, content) else None


def name_of(path: Path, parts: int) -> str:
    """What says what a file is of: so many last parts of its path."""
    return "/".join(path.parts[-parts:])


def read_sealed(path: Path, parts: int = 1) -> Optional[memoryview]:
    """The content of a file, None where it is damaged; raises OSError."""
    return unsealed(name_of(path, parts), path.read_bytes())


def write_sealed(path: Path, content: bytes, parts: int = 1) -> None:
    """Write a file that is there whole or not at all; raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}-{time.monotonic_ns()}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(seal(name_of(path, parts), content))
            file.write(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
