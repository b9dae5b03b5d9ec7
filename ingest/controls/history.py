"""How far a book of operator lines reached when it was last read or written.

Belongs here: the small file that remembers a book's length and last hash, because a chain cannot
tell that its own end was cut off. Does not belong here: judging lines (judge.py).

It guards against whoever can change the book but not this file, and against restoring an old copy
of the book; whoever controls the whole home can undo it.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ingest.controls.lines import GENESIS, Line

__all__ = ["HEAD_FILE", "damage_of", "keep", "lost_history", "remember"]

HEAD_FILE: Final = Path("state/controls.head.json")
_MAX_BYTES: Final = 4096


@dataclass(frozen=True)
class _Head:
    """What was seen: how many lines, the last one's hash, and after which line damage was found."""

    lines: int
    sha256: str
    broken_at: int | None


def lost_history(path: Path, lines: Sequence[Line], mended_at: int) -> str | None:
    """Why the book is not the one that was seen before, or None.

    Args:
        mended_at: Number of the last line by which two operators took the book as it stands.
    """
    try:
        head = _read(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):
        return "history_unreadable"
    if head.broken_at is not None:
        return None if mended_at > head.broken_at else "history_rewritten"
    here = lines[head.lines - 1].sha256 if 0 < head.lines <= len(lines) else GENESIS
    return None if here == head.sha256 else "history_rewritten"


def remember(path: Path, lines: Sequence[Line], lost: str | None) -> None:
    """Keeps how far the book reaches, and where damage was first found until it is mended."""
    broken_at: int | None = None
    if lost is not None:
        try:
            broken_at = _read(path).broken_at
        except (OSError, ValueError, TypeError, KeyError):
            broken_at = None
        broken_at = len(lines) if broken_at is None else broken_at
    _write(path, lines, broken_at)


def damage_of(path: Path, lines: Sequence[Line]) -> tuple[str, int] | None:
    """Why a book of acts is not the one that was seen before, and up to which line it is damaged.

    Returns:
        None when it continues what was seen.
    """
    try:
        head = _read(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):
        return "history_unreadable", len(lines)
    here = lines[head.lines - 1].sha256 if 0 < head.lines <= len(lines) else GENESIS
    if here != head.sha256:
        return "history_rewritten", max(len(lines), head.broken_at or 0)
    return None if head.broken_at is None else ("history_rewritten", head.broken_at)


def keep(path: Path, lines: Sequence[Line], damage: tuple[str, int] | None) -> None:
    """Keeps how far a book of acts reaches, and up to which line it was found damaged."""
    _write(path, lines, damage[1] if damage else None)


def _write(path: Path, lines: Sequence[Line], broken_at: int | None) -> None:
    head = _Head(len(lines), lines[-1].sha256 if lines else GENESIS, broken_at)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    temporary.write_text(json.dumps(asdict(head), sort_keys=True) + "\n")
    temporary.replace(path)


def _read(path: Path) -> _Head:
    with path.open("rb") as file:
        head = json.loads(file.read(_MAX_BYTES))
    broken_at = head["broken_at"]
    return _Head(
        int(head["lines"]), str(head["sha256"]), None if broken_at is None else int(broken_at)
    )
