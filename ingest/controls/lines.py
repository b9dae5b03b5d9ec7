"""Operator lines: one signed act a line, chained by hash, appended and never changed.

Belongs here: the form of a line, what its signatures cover, its place in the chain, reading a file
of lines and appending to it. Does not belong here: who may sign (registry.py), what an act may
change (switches.py), or which lines count (book.py).

A line is one JSON object with sorted members and no spaces:

    type        tieout.operator-line.v1
    book        which book it was signed for, so that it counts in no other
    seq, prev   its line number, and the sha256 of the line before it (zeros for the first)
    at, reason  when and why, as the operator says
    operator, second_operator    who signs, by name
    signatures  [{"keyid","sig"}], each over everything else of the line

and the members of the act itself. Signatures cover seq and prev: a line counts at its place only,
and a proposal that another line overtook has to be signed again.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from ingest.errors import LandingError

__all__ = [
    "GENESIS",
    "LINE_TYPE",
    "Line",
    "LineSigner",
    "SignatureCheck",
    "append_line",
    "append_lines",
    "compose_line",
    "line_sha256",
    "read_lines",
    "sign_line",
    "signed_bytes",
]

LINE_TYPE: Final = "tieout.operator-line.v1"
GENESIS: Final = "0" * 64
MAX_LINE_BYTES: Final = 64 << 10
MAX_BOOK_BYTES: Final = 64 << 20
_DOMAIN: Final = b"tieout-operator-line-v1\n"
_MAX_INT: Final = (1 << 53) - 1
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")

# Whether the key in a PEM made a base64 signature over a message; the evidence floor provides it.
SignatureCheck = Callable[[bytes, bytes, str], bool]


class LineSigner(Protocol):
    """A private key that signs; see the evidence floor."""

    @property
    def keyid(self) -> str: ...

    def sign(self, message: bytes) -> bytes: ...


@dataclass(frozen=True)
class Line:
    """One physical line of a book.

    Attributes:
        number: From 1.
        sha256: Hex digest of its bytes, which the next line must name.
        body: Its members without the signatures; None when it is no line at all.
        signatures: Key ids with base64 signatures, unverified.
        chained: Whether its seq and prev fit its place.
    """

    number: int
    sha256: str
    body: dict[str, Any] | None
    signatures: tuple[tuple[str, str], ...]
    chained: bool

    @property
    def at(self) -> datetime | None:
        """When the operator says it was, UTC."""
        return None if self.body is None else datetime.fromisoformat(self.body["at"])


def compose_line(
    path: Path,
    act: Mapping[str, object],
    *,
    book: str,
    at: datetime,
    reason: str,
    operator: str,
    second_operator: str | None = None,
    place: tuple[int, str] | None = None,
) -> dict[str, Any]:
    """The unsigned line that would come next in a book; every signer signs this very object.

    Args:
        path: The book's file, which may not exist yet.
        act: Members of the act itself.
        place: Its number and the hash of the line before, when several lines are composed at once.
    """
    if place is None:
        lines = read_lines(path)
        place = len(lines) + 1, lines[-1].sha256 if lines else GENESIS
    return {
        **act,
        "type": LINE_TYPE,
        "book": book,
        "seq": place[0],
        "prev": place[1],
        "at": at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "reason": reason,
        "operator": operator,
        "second_operator": second_operator,
    }


def signed_bytes(body: Mapping[str, object]) -> bytes:
    """What a signature of a line covers: a name for this use, and the line without signatures."""
    return _DOMAIN + _dumps(body)


def sign_line(body: Mapping[str, object], signer: LineSigner) -> dict[str, str]:
    """One entry for the signatures of a line."""
    signature = base64.b64encode(signer.sign(signed_bytes(body))).decode("ascii")
    return {"keyid": signer.keyid, "sig": signature}


def line_sha256(body: Mapping[str, object], signatures: Sequence[Mapping[str, str]]) -> str:
    """What the next line must name as the one before, once this one is appended."""
    return _sha256(_signed_text(body, signatures))


def append_line(
    path: Path, body: Mapping[str, object], signatures: Sequence[Mapping[str, str]]
) -> None:
    """Appends one line durably; see `append_lines`."""
    append_lines(path, [(body, signatures)])


def append_lines(
    path: Path,
    signed: Sequence[tuple[Mapping[str, object], Sequence[Mapping[str, str]]]],
) -> None:
    """Appends lines durably, all or none; the chain is checked again under the lock.

    Raises:
        LandingError: Another line came first (`line_overtaken`), or a line is malformed.
    """
    texts = [_signed_text(body, signatures) for body, signatures in signed]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        data = file.read(MAX_BOOK_BYTES + 1)
        whole = _split(data)
        last = _sha256(whole[-1]) if whole else GENESIS
        for number, text in enumerate(texts, start=len(whole) + 1):
            candidate = _line(number, text, last)
            if candidate.body is None or not candidate.chained or len(data) > MAX_BOOK_BYTES:
                raise LandingError(
                    got=f"a line for place {number} of {path.name} that does not fit there",
                    expected="a well-formed line that names the line before",
                    remedy="Compose the line again and have everyone sign it again",
                    code="line_overtaken",
                )
            last = candidate.sha256
        # A crash may have torn the last line: it keeps its place, and ends here.
        torn = b"" if not data or data.endswith(b"\n") else b"\n"
        file.write(torn + b"".join(text + b"\n" for text in texts))
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[Line]:
    """All lines of a book in order; an absent file is an empty book.

    Raises:
        LandingError: The file cannot be read or is larger than a book may be.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            data = file.read(MAX_BOOK_BYTES + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path, type(error).__name__) from None
    if len(data) > MAX_BOOK_BYTES:
        raise _unreadable(path, f"more than {MAX_BOOK_BYTES} bytes")
    lines: list[Line] = []
    previous = GENESIS
    for number, text in enumerate(_split(data), start=1):
        lines.append(_line(number, text, previous))
        previous = lines[-1].sha256
    return lines


def _signed_text(body: Mapping[str, object], signatures: Sequence[Mapping[str, str]]) -> bytes:
    return _dumps({**body, "signatures": [dict(entry) for entry in signatures]})


def _split(data: bytes) -> list[bytes]:
    pieces = data.split(b"\n")
    return pieces[:-1] if pieces[-1] == b"" else pieces


def _line(number: int, text: bytes, previous: str) -> Line:
    body = _parse(text)
    signatures: list[tuple[str, str]] = []
    chained = False
    if body is not None:
        signatures = [(entry["keyid"], entry["sig"]) for entry in body.pop("signatures")]
        chained = body["seq"] == number and body["prev"] == previous
    return Line(number, _sha256(text), body, tuple(signatures), chained)


def _parse(text: bytes) -> dict[str, Any] | None:
    """A line's members, or None: whatever has two readings is no line."""
    if len(text) > MAX_LINE_BYTES:
        return None
    try:
        value = json.loads(text.decode("utf-8"))
        if not isinstance(value, dict) or _dumps(value) != text:
            return None
    except (ValueError, RecursionError, LandingError):
        return None
    names = {"book": str, "prev": str, "at": str, "reason": str, "operator": str, "seq": int}
    sound = (
        value.get("type") == LINE_TYPE
        and all(type(value.get(name)) is kind for name, kind in names.items())
        and type(value.get("second_operator")) in (str, type(None))
        and _is_time(value["at"])
        and isinstance(value.get("signatures"), list)
        and all(
            isinstance(entry, dict)
            and entry.keys() == {"keyid", "sig"}
            and all(type(member) is str for member in entry.values())
            for entry in value["signatures"]
        )
    )
    return value if sound else None


def _is_time(text: str) -> bool:
    try:
        return bool(_TIME.fullmatch(text)) and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _dumps(value: object) -> bytes:
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def _check(value: object) -> None:
    """Only values that every reader of JSON reads the same way may be signed."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise _malformed("a member name that is not ASCII")
            _check(member)
    elif isinstance(value, list):
        for item in value:
            _check(item)
    elif isinstance(value, float) or not isinstance(value, str | int | type(None)):
        raise _malformed(f"a {type(value).__name__}")
    elif isinstance(value, int) and abs(value) > _MAX_INT:
        raise _malformed("an integer beyond 2^53-1")


def _malformed(got: str) -> LandingError:
    return LandingError(
        got=f"{got} in an operator line",
        expected="strings, integers, booleans, nulls, lists and objects",
        remedy="Compose the line again",
        code="line_malformed",
    )


def _unreadable(path: Path, got: str) -> LandingError:
    return LandingError(
        got=f"{got} while reading {path.name}",
        expected="a readable file of operator lines",
        remedy="Restore the file; until then every payout is held",
        code="line_book_unreadable",
    )


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
