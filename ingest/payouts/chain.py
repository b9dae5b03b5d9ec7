"""An append-only file of hash-chained JSON lines that tells a crash from a forgery.

Belongs here: the line format, reading with proof, appending with fsync, repair of a torn end.
Does not belong here: what the lines say, or locking (the journal holds the lock while it
appends).

Each line carries a sequence number, the hash of the line before and its own hash. A second small
file, the head, names the last line known to be on disk. Together they separate three cases:

- a line that a crash cut off: nothing intact follows it and the head never named it. It counts as
  not written, and the next append says so in a repair line that names the torn bytes by length
  and digest;
- a changed, missing or reordered line, or a file cut back behind its head: reading fails;
- a head that lags behind by the one append a crash may have interrupted: fine.

A repair line is the only thing that may follow unreadable bytes, and only if it describes exactly
them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ingest.errors import JournalError
from ingest.payouts import durable

__all__ = ["ChainFile", "ChainLine", "Checkpoint", "no_checkpoint"]

GENESIS: Final = hashlib.sha256(b"tieout-payout-journal-v1").hexdigest()
# Room for some ten thousand source ids in one row.
_MAX_LINE_BYTES: Final = 1024 * 1024
_MAX_TORN_BYTES: Final = 4 * _MAX_LINE_BYTES
_MAX_HEAD_BYTES: Final = 4096
# An append writes at most a repair line and a row before it moves the head.
_MAX_HEAD_LAG: Final = 2

Checkpoint = Callable[[str], None]
"""Called with the name of each step as it is reached; tests stop the process there."""


def no_checkpoint(step: str) -> None:
    """Do nothing: the checkpoint of production."""


@dataclass(frozen=True)
class ChainLine:
    """One proven line: `kind` is row or repair."""

    seq: int
    kind: str
    body: Mapping[str, Any]


@dataclass
class _End:
    """Where the proven lines end, and what lies behind them."""

    seq: int = 0
    line_hash: str = GENESIS
    torn: bytearray = field(default_factory=bytearray)
    newline_missing: bool = False
    size_bytes: int = 0


class ChainFile:
    """One chained file and its head. Appending requires that the caller excludes other writers."""

    def __init__(self, path: Path, checkpoint: Checkpoint = no_checkpoint) -> None:
        self.path = path
        self.head_path = path.with_suffix(".head")
        self._checkpoint = checkpoint
        self._end: _End | None = None

    @property
    def torn_bytes(self) -> int:
        """Length of the cut-off end that the last complete `read` found; 0 when there was none."""
        return len(self._end.torn) if self._end else 0

    def read(self) -> Iterator[ChainLine]:
        """Yield every proven line from the first to the last.

        Raises:
            JournalError: At the first line that is not what its neighbours and the head say.
        """
        self._end = None
        head_before = self._read_head()
        end = _End()
        for line in self._proven_lines(end):
            if line.seq == head_before[0] and end.line_hash != head_before[1]:
                raise self._damaged(f"line {line.seq} is not the one the head names")
            yield line
        if end.seq < head_before[0]:
            raise self._damaged(f"it ends at line {end.seq}; the head names line {head_before[0]}")
        # Read again: a reader without the lock may have seen lines written after its first look.
        if end.seq - self._read_head()[0] > _MAX_HEAD_LAG:
            raise self._damaged(f"the head is missing or older than line {end.seq} allows")
        self._end = end

    def settle(self) -> None:
        """Make everything read durable and named by the head, before anyone acts upon it.

        A process that died between a row and its head leaves the row unsynced or the head behind;
        without this, a series of such deaths would let the head fall back line by line.

        Raises:
            JournalError: When that is impossible.
        """
        end = self._end
        if end is None:
            raise self._damaged("acting upon it without a complete read")
        if end.seq > self._read_head()[0]:
            self._make_durable(b"", end)
            self._end = end

    def append(self, body: Mapping[str, object]) -> ChainLine:
        """Write one row behind the last proven line, and return once it and the head are on disk.

        Raises:
            JournalError: When it could not be made durable. Part of it may be in the file, so the
                file must be read again before the next append.
        """
        end, self._end = self._end, None
        if end is None:
            raise self._damaged("an append without a complete read before it")
        self._require_untouched(end)
        data, fresh = (
            b"\n" if end.newline_missing or end.torn else b"",
            _End(end.seq, end.line_hash),
        )
        if end.torn:
            data += _encode(fresh, "repair", _describe_torn(end.torn + b"\n"))
        data += _encode(fresh, "row", body)
        self._make_durable(data, fresh)
        fresh.size_bytes = end.size_bytes + len(data)
        self._end = fresh
        return ChainLine(fresh.seq, "row", body)

    def _require_untouched(self, end: _End) -> None:
        """Raise unless the file is as long as when it was read: a row behind a gap proves nothing.

        Whoever cuts the file off or adds to it during a pass ends the pass before its next call.
        """
        size = self.path.stat().st_size if self.path.exists() else 0
        if size != end.size_bytes:
            raise self._damaged(f"{size} bytes where {end.size_bytes} were read")

    def _make_durable(self, data: bytes, end: _End) -> None:
        """Append `data`, then let the head name the line `end` stands at."""
        self._checkpoint("journal.append")
        try:
            durable.append_bytes(self.path, data)
            self._checkpoint("journal.synced")
            head = {"hash": end.line_hash, "seq": end.seq}
            durable.replace_file(self.head_path, _canonical(head) + b"\n")
        except OSError as error:
            raise JournalError(
                got=f"a row that could not be made durable ({type(error).__name__})",
                expected="room and a working disk for the payout journal",
                remedy="Free or repair the disk, then run again; no payout is attempted before",
                code="journal_not_durable",
            ) from None
        self._checkpoint("journal.head")

    def _proven_lines(self, end: _End) -> Iterator[ChainLine]:
        """Yield proven lines, keeping in `end` where they stop."""
        try:
            file = durable.open_file(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._damaged(f"unreadable ({type(error).__name__})") from None
        with file:
            while raw := file.readline(_MAX_LINE_BYTES):
                end.size_bytes += len(raw)
                line = self._prove(raw, end)
                if line is None:
                    end.torn += raw
                    if len(end.torn) > _MAX_TORN_BYTES:
                        raise self._damaged(f"unreadable bytes behind line {end.seq}")
                    continue
                end.torn = bytearray()
                end.newline_missing = not raw.endswith(b"\n")
                yield line

    def _prove(self, raw: bytes, end: _End) -> ChainLine | None:
        """Return the line if it continues the chain, None if it is no line at all."""
        line = _decode(raw)
        if line is None:
            return None
        follows = line["seq"] == end.seq + 1 and line["prev"] == end.line_hash
        repairs = line["kind"] == "repair" and line["body"] == _describe_torn(end.torn)
        if not follows or repairs is not bool(end.torn):
            # An intact line in the wrong place cannot be the work of a crash.
            raise self._damaged(f"line {end.seq + 1} does not continue the chain")
        end.seq, end.line_hash = end.seq + 1, line["hash"]
        return ChainLine(end.seq, line["kind"], line["body"])

    def _read_head(self) -> tuple[int, str]:
        try:
            data = durable.read_bounded(self.head_path, _MAX_HEAD_BYTES)
            if data is None:
                return 0, GENESIS
            head = json.loads(data)
            seq, line_hash = head["seq"], head["hash"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"its head is unreadable ({type(error).__name__})") from None
        if type(seq) is not int or seq < 1 or not isinstance(line_hash, str):
            raise self._damaged("its head names no line")
        return seq, line_hash

    def _damaged(self, what: str) -> JournalError:
        return JournalError(
            got=f"{self.path.name}: {what}",
            expected="an unbroken chain up to the line the head names",
            remedy="Stop payouts, keep the file, compare it with the rail and a backup",
            code="journal_damaged",
        )


def _canonical(value: Mapping[str, object]) -> bytes:
    text = json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    )
    return text.encode("utf-8")


def _describe_torn(torn: bytes | bytearray) -> dict[str, object]:
    return {"torn_bytes": len(torn), "torn_sha256": hashlib.sha256(torn).hexdigest()}


def _encode(end: _End, kind: str, body: Mapping[str, object]) -> bytes:
    """Return the next line and move `end` to it."""
    bare = {"body": body, "kind": kind, "prev": end.line_hash, "seq": end.seq + 1}
    line_hash = hashlib.sha256(_canonical(bare)).hexdigest()
    line = _canonical({**bare, "hash": line_hash}) + b"\n"
    if len(line) > _MAX_LINE_BYTES:
        raise JournalError(
            got=f"a journal row of {len(line)} bytes",
            expected=f"at most {_MAX_LINE_BYTES}",
            remedy="Split what the payout consumes over several instructions",
            code="journal_row_too_long",
        )
    end.seq, end.line_hash = end.seq + 1, line_hash
    return line


def _decode(raw: bytes) -> dict[str, Any] | None:
    """Return the line's fields if its own hash fits its content, else None."""
    try:
        line = json.loads(raw.decode("utf-8"))
        if set(line) != {"body", "hash", "kind", "prev", "seq"} or not isinstance(
            line["body"], dict
        ):
            return None
        bare = {name: value for name, value in line.items() if name != "hash"}
        fits = hashlib.sha256(_canonical(bare)).hexdigest() == line["hash"]
        fits = fits and _canonical(line) == raw.removesuffix(b"\n")
    except (UnicodeDecodeError, ValueError, TypeError, RecursionError):
        return None
    return line if fits else None
