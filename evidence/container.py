"""The packet's container: a ZIP whose bytes are a pure function of names and contents.

What belongs here: writing that one form, and reading a ZIP or a folder while refusing any other.
What does not: what the members mean.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from evidence.content import (
    Content,
    Stored,
    crc32_of,
    measure,
    pieces,
    put_down,
    size_of,
    whole,
)
from evidence.errors import Refusal, show

MAX_PACKET_BYTES = 1 << 30
MAX_MEMBERS = 4096

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*(?:/[a-z0-9][a-z0-9_.-]*){0,3}")
_MAX_NAME = 255
_MAX_FILE_BYTES = (1 << 31) - 1
_SHARED = struct.Struct("<HHHHHIIIHH")
_ENTRY_TAIL = struct.Struct("<HHHII")
_END = struct.Struct("<4sHHHHIIH")
_LOCAL_HEAD = 4 + _SHARED.size
_CENTRAL_HEAD = 4 + 2 + _SHARED.size + _ENTRY_TAIL.size
_VERSION_NEEDED = 10
_MADE_BY_UNIX = 0x0314
_DATE_1980 = 0x0021
_REGULAR_0644 = 0x81A40000


def check_name(name: object) -> str:
    """`name` as a member name: lower-case segments, at most four, no way out of the folder."""
    if type(name) is not str or len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise Refusal("file_name", f"got {show(name)}, expected lower-case path segments")
    return name


def write_zip(files: Mapping[str, Content]) -> bytes:
    """The one ZIP that holds `files`: stored, sorted by name, dated 1980, nothing extra.

    Raises:
        Refusal: `file_name`, `file_too_big`, `zip_too_many`, `packet_too_big`.
    """
    return b"".join(zip_pieces(files))


def store_zip(files: Mapping[str, Content], path: Path) -> None:
    """The same ZIP as a file, synced and moved into place, in memory of fixed size."""
    put_down(path, zip_pieces(files))


def zip_pieces(files: Mapping[str, Content]) -> Iterator[bytes]:
    """The same ZIP piece by piece; what cannot be packed is refused before the first."""
    check_files(files)
    return _pieces(files)


def check_files(files: Mapping[str, Content]) -> None:
    """Refuse what `write_zip` would refuse."""
    if len(files) > MAX_MEMBERS:
        raise Refusal("zip_too_many", f"got {len(files)} files, expected at most {MAX_MEMBERS}")
    for name, data in files.items():
        check_name(name)
        if size_of(data) > _MAX_FILE_BYTES:
            raise Refusal("file_too_big", f"got {size_of(data)} bytes in {name}, expected less")
    total = zip_size(files)
    if total > MAX_PACKET_BYTES:
        raise Refusal(
            "packet_too_big",
            f"got {total} bytes, expected at most {MAX_PACKET_BYTES}; split the period, or issue"
            " the packet without its inputs",
        )


def zip_size(files: Mapping[str, Content]) -> int:
    """Bytes of the ZIP that holds `files`."""
    heads = sum(_LOCAL_HEAD + _CENTRAL_HEAD + 2 * len(name) for name in files)
    return heads + sum(map(size_of, files.values())) + _END.size


def read_zip(data: bytes) -> dict[str, bytes]:
    """Members of a packet's ZIP, if it is byte for byte what `write_zip` makes of them.

    Raises:
        Refusal: `zip_too_big`, `zip_format`, `zip_too_many`, `file_name`,
            `zip_duplicate_name`, `zip_method`, `zip_not_canonical`.
    """
    found = _open_zip(io.BytesIO(data))
    return {name: whole(content, len(data)) for name, content in found.items()}


@contextmanager
def opened(packet: bytes | Path) -> Iterator[dict[str, Content]]:
    """Members of a packet given as ZIP bytes, a ZIP file or a folder; they are read when asked for.

    Raises:
        Refusal: those of `read_zip` and `read_folder`, `unreadable`.
    """
    if isinstance(packet, bytes):
        yield dict(_open_zip(io.BytesIO(packet)))
        return
    with ExitStack() as stack:
        try:
            if packet.is_dir():
                files = read_folder(packet)
            else:
                files = dict(_open_zip(stack.enter_context(packet.open("rb"))))
        except OSError as error:
            raise Refusal("unreadable", f"got {error.strerror} for {show(packet.name)}") from None
        yield files


def read_folder(path: Path) -> dict[str, Content]:
    """Members of an unpacked packet; only regular files with member names are accepted.

    Raises:
        Refusal: `file_name`, `folder_not_regular`, `zip_too_many`, `zip_too_big`.
    """
    files: dict[str, Content] = {}
    total = 0
    for folder, folders, names in os.walk(path):
        for name in sorted(folders + names):
            entry = Path(folder, name)
            relative = check_name(entry.relative_to(path).as_posix())
            mode = entry.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            if not stat.S_ISREG(mode):
                raise Refusal("folder_not_regular", f"got {show(relative)}, a link or device")
            size = entry.lstat().st_size
            total += size
            if total > MAX_PACKET_BYTES:
                raise Refusal("zip_too_big", f"got over {MAX_PACKET_BYTES} bytes")
            files[relative] = measure(entry, 0, size)
            if len(files) > MAX_MEMBERS:
                raise Refusal("zip_too_many", f"got over {MAX_MEMBERS} files")
    return files


def _open_zip(file: BinaryIO) -> dict[str, Stored]:
    size = file.seek(0, os.SEEK_END)
    if size > MAX_PACKET_BYTES:
        raise Refusal("zip_too_big", f"got {size} bytes, expected {MAX_PACKET_BYTES} at most")
    files: dict[str, Stored] = {}
    claimed = 0
    for name, offset, unpacked, checksum in _central_entries(file, size):
        if name in files:
            raise Refusal("zip_duplicate_name", f"got {show(name)} twice")
        # Entries that overlap would otherwise unpack to thousands of times the file's size.
        claimed += unpacked
        if claimed > size:
            raise Refusal("zip_format", "got members that claim more bytes than the file has")
        files[name] = _member(file, name, offset, unpacked, checksum)
    _must_be_canonical(file, size, files)
    return files


def _must_be_canonical(file: BinaryIO, size: int, files: Mapping[str, Stored]) -> None:
    """One comparison with the headers as we would write them, at the places where they belong.

    It kills prefixes, comments, symlinks, dates, extra fields and every disagreement between local
    and central headers.
    """
    position = 0
    for name in sorted(files):
        head, stored = _local(name, files[name]), files[name]
        if _at(file, position, len(head)) != head or stored.offset != position + len(head):
            raise Refusal("zip_not_canonical", f"got other bytes than expected at {position}")
        position += len(head) + stored.size
    tail = _tail(files)
    if _at(file, position, len(tail)) != tail or position + len(tail) != size:
        raise Refusal("zip_not_canonical", f"got other bytes than expected after {position}")


def _pieces(files: Mapping[str, Content]) -> Iterator[bytes]:
    for name in sorted(files):
        yield _local(name, files[name])
        yield from pieces(files[name])
    yield _tail(files)


def _local(name: str, data: Content) -> bytes:
    return b"PK\x03\x04" + _shared(name, data) + name.encode()


def _tail(files: Mapping[str, Content]) -> bytes:
    """The central directory and the end record."""
    central: list[bytes] = []
    offset = 0
    for name in sorted(files):
        central.append(
            b"PK\x01\x02"
            + struct.pack("<H", _MADE_BY_UNIX)
            + _shared(name, files[name])
            + _ENTRY_TAIL.pack(0, 0, 0, _REGULAR_0644, offset)
            + name.encode()
        )
        offset += _LOCAL_HEAD + len(name) + size_of(files[name])
    directory, count = b"".join(central), len(central)
    return directory + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), offset, 0)


def _shared(name: str, data: Content) -> bytes:
    checksum, size = crc32_of(data), size_of(data)
    return _SHARED.pack(_VERSION_NEEDED, 0, 0, 0, _DATE_1980, checksum, size, size, len(name), 0)


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _central_entries(file: BinaryIO, file_bytes: int) -> Iterator[tuple[str, int, int, int]]:
    """Name, offset, size and checksum of each central entry, the fields bounded by the file."""
    end = file_bytes - _END.size
    record = _at(file, max(end, 0), _END.size)
    if end < 0 or record[:4] != b"PK\x05\x06":
        raise Refusal("zip_format", "got no end record in the last 22 bytes")
    _, _, _, _, count, size, start, _ = _END.unpack(record)
    if count > MAX_MEMBERS:
        raise Refusal("zip_too_many", f"got {count} members, expected at most {MAX_MEMBERS}")
    if start + size != end:
        raise Refusal("zip_format", "got a central directory that does not reach the end record")
    if size > MAX_MEMBERS * (_CENTRAL_HEAD + _MAX_NAME):
        raise Refusal("zip_format", f"got a central directory of {size} bytes")
    data, position = _at(file, start, size), 0
    for _ in range(count):
        if position + _CENTRAL_HEAD > size or data[position : position + 4] != b"PK\x01\x02":
            raise Refusal("zip_format", f"got no central entry at {start + position}")
        fields = _SHARED.unpack_from(data, position + 6)
        _, _, method, _, _, checksum, packed, unpacked, name_bytes, extra_bytes = fields
        comment, _, _, _, offset = _ENTRY_TAIL.unpack_from(data, position + 6 + _SHARED.size)
        position += _CENTRAL_HEAD
        name = check_name(data[position : position + name_bytes].decode("utf-8", "replace"))
        if method != 0 or packed != unpacked:
            raise Refusal("zip_method", f"got compressed member {show(name)}, expected stored")
        yield name, offset, unpacked, checksum
        position += name_bytes + extra_bytes + comment
    if position != size:
        raise Refusal("zip_format", "got bytes between the last entry and the end record")


def _member(file: BinaryIO, name: str, offset: int, size: int, checksum: int) -> Stored:
    raw = name.encode()
    head = _at(file, offset, _LOCAL_HEAD + len(raw))
    if head[:4] != b"PK\x03\x04" or head[_LOCAL_HEAD:] != raw:
        raise Refusal("zip_format", f"got another local header for {show(name)}")
    found = measure(file, offset + len(head), size)
    if found.size != size or found.crc32 != checksum:
        raise Refusal("zip_format", f"got cut or altered content for {show(name)}")
    return found
