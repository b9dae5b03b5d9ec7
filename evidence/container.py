"""The packet's container: a ZIP whose bytes are a pure function of names and contents.

What belongs here: writing that one form, and reading a ZIP or a folder while refusing any other.
What does not: what the members mean.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

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


def write_zip(files: Mapping[str, bytes]) -> bytes:
    """The one ZIP that holds `files`: stored, sorted by name, dated 1980, nothing extra.

    Raises:
        Refusal: `file_name`, `file_too_big`, `zip_too_many`, `packet_too_big`.
    """
    if len(files) > MAX_MEMBERS:
        raise Refusal("zip_too_many", f"got {len(files)} files, expected at most {MAX_MEMBERS}")
    total = sum(len(data) for data in files.values())
    if total > MAX_PACKET_BYTES:
        raise Refusal("packet_too_big", f"got {total} bytes, expected at most {MAX_PACKET_BYTES}")
    return b"".join(_pieces(files))


def read_zip(data: bytes) -> dict[str, bytes]:
    """Members of a packet's ZIP, if it is byte for byte what `write_zip` makes of them.

    Raises:
        Refusal: `zip_too_big`, `zip_format`, `zip_too_many`, `file_name`,
            `zip_duplicate_name`, `zip_method`, `zip_not_canonical`.
    """
    if len(data) > MAX_PACKET_BYTES:
        raise Refusal("zip_too_big", f"got {len(data)} bytes, expected {MAX_PACKET_BYTES} at most")
    files: dict[str, bytes] = {}
    claimed = 0
    for name, offset, size, checksum in _central_entries(data):
        if name in files:
            raise Refusal("zip_duplicate_name", f"got {show(name)} twice")
        # Entries that overlap would otherwise unpack to thousands of times the file's size.
        claimed += size
        if claimed > len(data):
            raise Refusal("zip_format", "got members that claim more bytes than the file has")
        files[name] = _member(data, name, offset, size, checksum)
    position, view = 0, memoryview(data)
    # One comparison against the rebuilt archive kills prefixes, comments, symlinks, dates, extra
    # fields and every disagreement between local and central headers.
    for piece in _pieces(files):
        if view[position : position + len(piece)] != piece:
            raise Refusal("zip_not_canonical", f"got other bytes than expected after {position}")
        position += len(piece)
    if position != len(data):
        raise Refusal("zip_not_canonical", f"got {len(data)} bytes, expected {position}")
    return files


def read_folder(path: Path) -> dict[str, bytes]:
    """Members of an unpacked packet; only regular files with member names are accepted.

    Raises:
        Refusal: `file_name`, `folder_not_regular`, `zip_too_many`, `zip_too_big`.
    """
    files: dict[str, bytes] = {}
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
            total += entry.lstat().st_size
            if total > MAX_PACKET_BYTES:
                raise Refusal("zip_too_big", f"got over {MAX_PACKET_BYTES} bytes")
            files[relative] = entry.read_bytes()
            if len(files) > MAX_MEMBERS:
                raise Refusal("zip_too_many", f"got over {MAX_MEMBERS} files")
    return files


def read_packet(packet: bytes | Path) -> dict[str, bytes]:
    """Members of a packet given as ZIP bytes, a ZIP file or a folder."""
    if isinstance(packet, bytes):
        return read_zip(packet)
    try:
        if packet.is_dir():
            return read_folder(packet)
        with packet.open("rb") as file:
            return read_zip(file.read(MAX_PACKET_BYTES + 1))
    except OSError as error:
        raise Refusal("unreadable", f"got {error.strerror} for {show(packet.name)}") from None


def _pieces(files: Mapping[str, bytes]) -> Iterator[bytes]:
    central: list[bytes] = []
    offset = 0
    for name in sorted(files):
        data, raw = files[name], check_name(name).encode()
        if len(data) > _MAX_FILE_BYTES:
            raise Refusal("file_too_big", f"got {len(data)} bytes in {name}, expected under 2 GiB")
        shared = _shared(raw, data)
        yield b"PK\x03\x04" + shared + raw
        yield data
        central.append(
            b"PK\x01\x02"
            + struct.pack("<H", _MADE_BY_UNIX)
            + shared
            + _ENTRY_TAIL.pack(0, 0, 0, _REGULAR_0644, offset)
            + raw
        )
        offset += _LOCAL_HEAD + len(raw) + len(data)
    directory = b"".join(central)
    count = len(central)
    yield directory
    yield _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), offset, 0)


def _shared(raw_name: bytes, data: bytes) -> bytes:
    checksum, size = zlib.crc32(data), len(data)
    return _SHARED.pack(
        _VERSION_NEEDED, 0, 0, 0, _DATE_1980, checksum, size, size, len(raw_name), 0
    )


def _central_entries(data: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Name, offset, size and checksum of each central entry, the fields bounded by the file."""
    end = len(data) - _END.size
    if end < 0 or data[end : end + 4] != b"PK\x05\x06":
        raise Refusal("zip_format", "got no end record in the last 22 bytes")
    _, _, _, _, count, size, start, _ = _END.unpack_from(data, end)
    if count > MAX_MEMBERS:
        raise Refusal("zip_too_many", f"got {count} members, expected at most {MAX_MEMBERS}")
    if start + size != end:
        raise Refusal("zip_format", "got a central directory that does not reach the end record")
    position = start
    for _ in range(count):
        if position + _CENTRAL_HEAD > end or data[position : position + 4] != b"PK\x01\x02":
            raise Refusal("zip_format", f"got no central entry at {position}")
        fields = _SHARED.unpack_from(data, position + 6)
        _, _, method, _, _, checksum, packed, unpacked, name_bytes, extra_bytes = fields
        comment, _, _, _, offset = _ENTRY_TAIL.unpack_from(data, position + 6 + _SHARED.size)
        position += _CENTRAL_HEAD
        name = check_name(data[position : position + name_bytes].decode("utf-8", "replace"))
        if method != 0 or packed != unpacked:
            raise Refusal("zip_method", f"got compressed member {show(name)}, expected stored")
        yield name, offset, unpacked, checksum
        position += name_bytes + extra_bytes + comment
    if position != end:
        raise Refusal("zip_format", "got bytes between the last entry and the end record")


def _member(data: bytes, name: str, offset: int, size: int, checksum: int) -> bytes:
    raw = name.encode()
    begin = offset + _LOCAL_HEAD + len(raw)
    local_name = data[offset + _LOCAL_HEAD : begin]
    if data[offset : offset + 4] != b"PK\x03\x04" or local_name != raw:
        raise Refusal("zip_format", f"got another local header for {show(name)}")
    content = data[begin : begin + size]
    if len(content) != size or zlib.crc32(content) != checksum:
        raise Refusal("zip_format", f"got cut or altered content for {show(name)}")
    return content
