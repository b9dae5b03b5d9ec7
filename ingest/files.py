"""Files that are whole or absent: temporary name, sync, rename.

Belongs here: the few steps by which a file becomes durable under its name, and private folders.
Does not belong here: what is in a file or where it lies.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ingest.errors import LandingError

__all__ = ["disk_errors", "private_folder", "publish", "publish_bytes", "remove", "removing"]


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turns what the disk says (full, read-only, not ours) into our error."""
    try:
        yield
    except OSError as error:
        raise LandingError(
            got=f"{os.strerror(error.errno or 0)} for {Path(str(error.filename or '?')).name}",
            expected="a home that this user may write to, with space left",
            remedy="Free space, or correct the owner of TIEOUT_HOME, and start again: what was "
            "committed stays",
            code="landing_disk",
        ) from error


def publish_bytes(content: bytes, path: Path) -> None:
    """Makes bytes durable under a name, in one step: there is the whole file or none."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with disk_errors(), removing(temporary):
        temporary.write_bytes(content)
        publish(temporary, path)


def publish(temporary: Path, path: Path) -> None:
    """Makes a file durable under its name: synced, renamed, and the folder synced."""
    with disk_errors():
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def removing(*paths: Path) -> Iterator[None]:
    """Removes temporary files when the block ends, however it ends."""
    try:
        yield
    finally:
        for path in paths:
            remove(path)


def remove(path: Path) -> None:
    """Removes a file, or a folder with all it holds; what is already gone is fine."""
    if path.is_dir():
        for inner in path.iterdir():
            remove(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def private_folder(folder: Path) -> None:
    """Makes a folder that only its owner may enter."""
    with disk_errors():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
