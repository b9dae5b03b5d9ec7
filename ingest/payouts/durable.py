"""Bytes that are still there after the power fails.

Belongs here: complete writes, fsync of files and folders, atomic replacement, private modes, the
lock that keeps writers apart. Does not belong here: what the bytes mean. Every failure surfaces
as an OSError; callers turn it into their own error, and none of them goes on after one.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

__all__ = [
    "append_bytes",
    "create_file",
    "hold_lock",
    "open_file",
    "private_folder",
    "read_bounded",
    "replace_file",
]

_PRIVATE_FOLDER: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_LOCK_POLL_SECONDS: Final = 0.05
# A pipe in the place of a file would make an open wait for ever.
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def private_folder(path: Path) -> Path:
    """Make a folder, readable by its owner alone, whose own entry in its parent is durable."""
    if not path.is_dir():
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        _sync_folder(path.parent)
    return path


@contextmanager
def hold_lock(path: Path, wait_seconds: float) -> Iterator[None]:
    """Keep every other process and thread that asks for the same lock out; death releases it.

    A lock on a file that was removed or replaced keeps nobody out, so it counts as not taken.

    Raises:
        TimeoutError: When another holds it for longer than `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    handle = _open(path, os.O_RDWR | os.O_CREAT)
    try:
        while not (_try_lock(handle) and _is_at(path, handle)):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path.name} is held by another process")
            time.sleep(_LOCK_POLL_SECONDS)
            fresh = _open(path, os.O_RDWR | os.O_CREAT)
            os.close(handle)
            handle = fresh
        yield
    finally:
        os.close(handle)


def append_bytes(path: Path, data: bytes) -> None:
    """Append all of `data` and return only once the file and its folder are on disk.

    Raises:
        OSError: When any byte could not be written or synced; part of `data` may be in the file.
    """
    handle = _open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        _write_all(handle, data)
        _sync(handle)
    finally:
        os.close(handle)
    _sync_folder(path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in place of the file at once: a reader sees old content or new, never half."""
    # Callers hold a lock, so one fixed name is enough and a crash leaves no litter behind.
    fresh = _write_beside(path, data, "tmp")
    fresh.replace(path)
    _sync_folder(path.parent)


def create_file(path: Path, data: bytes) -> None:
    """Create the file with all its content, or fail because it is already there.

    Raises:
        FileExistsError: When another process was first; its content is untouched.
    """
    fresh = _write_beside(path, data, f"{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        # A hard link never replaces, and shows the content whole from its first moment.
        os.link(fresh, path)
    finally:
        fresh.unlink()
    _sync_folder(path.parent)


def read_bounded(path: Path, limit_bytes: int) -> bytes | None:
    """Read a small file, or return None when there is none.

    Raises:
        OSError: When it is a link, no plain file, unreadable or larger than the limit.
    """
    try:
        file = open_file(path)
    except FileNotFoundError:
        return None
    with file:
        data = file.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OSError(f"{path.name} is larger than {limit_bytes} bytes")
    return data


def open_file(path: Path) -> BinaryIO:
    """Open a plain file for reading.

    Raises:
        OSError: When it is absent, unreadable, a link, a pipe or anything else that is no file.
    """
    return os.fdopen(_open(path, os.O_RDONLY), "rb")


def _open(path: Path, flags: int) -> int:
    handle = os.open(path, flags | _FLAGS, _PRIVATE_FILE)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path.name} is no plain file")
    return handle


def _is_at(path: Path, handle: int) -> bool:
    """Tell whether the path still names the opened file."""
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    ours = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_beside(path: Path, data: bytes, suffix: str) -> Path:
    fresh = path.with_name(f"{path.name}.{suffix}")
    handle = _open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        _write_all(handle, data)
        _sync(handle)
    finally:
        os.close(handle)
    return fresh


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        written = os.write(handle, left)
        if written <= 0:
            raise OSError("the file system accepted no further byte")
        left = left[written:]


def _sync(handle: int) -> None:
    os.fsync(handle)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
