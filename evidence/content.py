"""Content of a packet's files: bytes at hand or a stretch of a file, read in bounded pieces.

What belongs here: size, checksums, pieces, lines, and putting content into a file. What does not:
what a file means, and the container around it.

A stretch is measured once. Every later reading gives the same bytes or is refused, so what was
authenticated is what is read, although no copy is held.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

from evidence.errors import Refusal

PIECE_BYTES = 1 << 18
MAX_LINE_BYTES = 1 << 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class Stored:
    """A stretch of a file: `offset` and `size` in bytes, `sha256` in hex.

    `source` is the file's path or an open file that can seek.
    """

    source: Path | BinaryIO
    offset: int
    size: int
    sha256: str
    crc32: int

    def pieces(self) -> Iterator[bytes]:
        """The bytes, piece by piece; `packet_changed` when they are no longer those measured."""
        digest = hashlib.sha256()
        try:
            for piece in _read(self.source, self.offset, self.size):
                digest.update(piece)
                yield piece
        except OSError as error:
            raise Refusal("unreadable", f"got {error.strerror} on reading again") from None
        if digest.hexdigest() != self.sha256:
            raise Refusal("packet_changed", "got other bytes than when the file was first read")


Content: TypeAlias = bytes | Stored


def measure(source: Path | BinaryIO, offset: int, size: int) -> Stored:
    """A stretch of a file; shorter than `size` when the file ends before."""
    digest, checksum, found = hashlib.sha256(), 0, 0
    for piece in _read(source, offset, size):
        digest.update(piece)
        checksum = zlib.crc32(piece, checksum)
        found += len(piece)
    return Stored(source, offset, found, digest.hexdigest(), checksum)


def store(path: Path, parts: Iterable[bytes]) -> Stored:
    """Write parts to a new file and measure them as they pass."""
    digest, checksum, size = hashlib.sha256(), 0, 0
    with path.open("wb", buffering=PIECE_BYTES) as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            checksum = zlib.crc32(part, checksum)
            size += len(part)
    return Stored(path, 0, size, digest.hexdigest(), checksum)


def put_down(path: Path, parts: Iterable[bytes]) -> None:
    """Write parts to a file that is either there whole, and synced, or not there."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def kept(name: str, parts: Iterable[bytes], folder: Path | None) -> Content:
    """Parts as a file of `folder`, or in memory when there is none."""
    return b"".join(parts) if folder is None else store(folder / name, parts)


def count_lines(content: Content) -> int:
    """How many newlines there are."""
    return sum(piece.count(b"\n") for piece in pieces(content))


def pieces(content: Content) -> Iterator[bytes]:
    """The content in pieces of bounded size."""
    if isinstance(content, Stored):
        yield from content.pieces()
        return
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES]


def lines(name: str, content: Content, hashed: _Hash | None = None) -> Iterator[bytes]:
    """The lines of a text, without their newline, each of bounded length.

    Args:
        name: the text's name, for messages.
        content: the text.
        hashed: updated with all bytes on the way.

    Raises:
        Refusal: `table_newline` without a final newline, `json_too_big` over 1 MiB in a line.
    """
    rest = b""
    for piece in pieces(content):
        if hashed is not None:
            hashed.update(piece)
        *whole_lines, rest = (rest + piece).split(b"\n")
        yield from whole_lines
        if len(rest) > MAX_LINE_BYTES:
            raise Refusal("json_too_big", f"got a line of over {MAX_LINE_BYTES} bytes in {name}")
    if rest:
        raise Refusal("table_newline", f"got {name} without a final newline")


def whole(content: Content, limit: int, code: str = "json_too_big") -> bytes:
    """All bytes at once, for documents; refused above `limit` bytes before they are read."""
    if size_of(content) > limit:
        raise Refusal(code, f"got {size_of(content)} bytes, expected at most {limit}")
    return content if isinstance(content, bytes) else b"".join(content.pieces())


def size_of(content: Content) -> int:
    """Size in bytes."""
    return content.size if isinstance(content, Stored) else len(content)


def sha256_of(content: Content) -> str:
    """sha256 as 64 lower-case hex digits."""
    if isinstance(content, Stored):
        return content.sha256
    return hashlib.sha256(content).hexdigest()


def crc32_of(content: Content) -> int:
    """CRC-32 as ZIP has it."""
    return content.crc32 if isinstance(content, Stored) else zlib.crc32(content)


def _read(source: Path | BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield from _read(file, offset, size)
        return
    end = offset + size
    while offset < end:
        # Others read from the same file in between, so each piece is sought anew.
        source.seek(offset)
        piece = source.read(min(PIECE_BYTES, end - offset))
        if not piece:
            return
        yield piece
        offset += len(piece)
