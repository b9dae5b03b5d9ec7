"""The audit trail of a home: every act once, each line naming the hash of the one before.

Belongs here: the file's form, appending under a lock, and judging the chain. Does not belong here:
which acts there are (`dagster_project.auditing` gathers them from what each act left behind), or
their meaning.

    audit/audit.jsonl       one JSON object a line, members sorted; its hash is that of its bytes
    state/audit.head.json   how far it reached, because a chain cannot tell that its end was cut off

The chain shows a change to whoever kept a later hash; it stops nobody who controls the whole home.
Packets and the packet log are what an outsider can hold on to.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ingest.errors import LandingError

__all__ = ["AUDIT_FILE", "Act", "AuditTrail", "append_acts", "read_audit"]

AUDIT_FILE: Final = Path("audit/audit.jsonl")
HEAD_FILE: Final = Path("state/audit.head.json")
GENESIS: Final = "0" * 64
MAX_AUDIT_BYTES: Final = 1 << 30
_MAX_LINE: Final = 64 << 10
_MAX_TEXT: Final = 2_000
_TEXTS: Final = ("actor", "action", "subject", "reason", "before", "after")


@dataclass(frozen=True)
class Act:
    """One act as it was done.

    Attributes:
        key: What makes it this act and no other; appending the same key again does nothing.
        tenant_id: `_platform` for acts that concern no single tenant.
    """

    key: str
    tenant_id: str
    actor: str
    action: str
    subject: str
    at: datetime
    reason: str | None = None
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class AuditTrail:
    """The trail as it is.

    Attributes:
        rows: One mapping a line, as the landed table holds it; `chain_status` says if it holds.
        fault: The worst that was found (`unreadable`, `out_of_order`, `changed`, `cut_off`), or
            None.
        keys: Of every act in it.
    """

    rows: tuple[Mapping[str, object], ...]
    fault: str | None
    keys: frozenset[str]


def append_acts(home: Path, acts: Iterable[Act]) -> int:
    """Appends the acts that are not in the trail yet, in the order given, durably.

    Returns:
        How many were new.

    Raises:
        LandingError: The file cannot be read, or is larger than a trail may be.
    """
    path = home / AUDIT_FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        lines = _split(file.read(MAX_AUDIT_BYTES + 1))
        known = {entry.get("key") for entry in map(_parsed, lines)}
        number, last, texts = len(lines), _sha256(lines[-1]) if lines else GENESIS, []
        # A cut that is there already must not be forgotten by what is written after it.
        cut = _is_cut(home, lines)
        for act in acts:
            if act.key not in known:
                known.add(act.key)
                number += 1
                texts.append(_text(act, number, last))
                last = _sha256(texts[-1])
        if texts:
            file.write(b"".join(text + b"\n" for text in texts))
            file.flush()
            os.fsync(file.fileno())
            _remember(home, number, last, cut=cut)
    return len(texts)


def read_audit(home: Path) -> AuditTrail:
    """The whole trail, judged; an absent file is an empty trail unless one was seen before.

    Raises:
        LandingError: The file cannot be read, or is larger than a trail may be.
    """
    try:
        with (home / AUDIT_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            lines = _split(file.read(MAX_AUDIT_BYTES + 1))
            cut = _is_cut(home, lines)
    except FileNotFoundError:
        lines, cut = [], _is_cut(home, [])
    rows: list[dict[str, object]] = []
    keys: set[str] = set()
    last = GENESIS
    for number, text in enumerate(lines, start=1):
        entry = _parsed(text)
        keys.add(str(entry.get("key")))
        digest = _sha256(text)
        status = "intact"
        if not entry:
            status = "unreadable"
        elif entry.get("seq") != number:
            status = "out_of_order"
        elif entry.get("prev") != last and rows:
            # This line is as it was written, so the one before is not.
            rows[-1]["chain_status"] = "changed"
        elif entry.get("prev") != last:
            status = "out_of_order"
        rows.append(_row(entry, number, last, digest, status))
        last = digest
    if cut and rows and rows[-1]["chain_status"] == "intact":
        rows[-1]["chain_status"] = "cut_off"
    found = {str(row["chain_status"]) for row in rows} - {"intact"}
    order = ("unreadable", "out_of_order", "changed", "cut_off")
    fault = next((code for code in order if code in found), "cut_off" if cut else None)
    return AuditTrail(tuple(rows), fault, frozenset(keys))


def _text(act: Act, number: int, last: str) -> bytes:
    said: dict[str, Any] = asdict(act)
    for name in _TEXTS:
        if said[name] is not None:
            said[name] = str(said[name])[:_MAX_TEXT]
    at = act.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return json.dumps(
        {**said, "at": at, "seq": number, "prev": last},
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(text) if len(text) <= _MAX_LINE else None
        if isinstance(entry, dict):
            datetime.fromisoformat(entry["at"])
            return entry
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return {}


def _row(
    entry: Mapping[str, Any], number: int, last: str, digest: str, status: str
) -> dict[str, object]:
    def text(name: str) -> str | None:
        value = entry.get(name)
        return value if type(value) is str and "\0" not in value else None

    return {
        "seq": number,
        "tenant_id": text("tenant_id") or "_platform",
        **{name: text(name) for name in _TEXTS},
        "at": datetime.fromisoformat(entry["at"]) if entry else None,
        "prev_hash": text("prev") or last,
        "entry_hash": digest,
        "chain_status": status,
    }


def _split(data: bytes) -> list[bytes]:
    if len(data) > MAX_AUDIT_BYTES:
        raise LandingError(
            got=f"an audit trail of more than {MAX_AUDIT_BYTES} bytes",
            expected="a trail that can be read whole",
            remedy="Move audit/audit.jsonl to an archive and keep its last hash",
            code="audit_too_large",
        )
    return [line for line in data.split(b"\n") if line]


def _is_cut(home: Path, lines: list[bytes]) -> bool:
    try:
        with (home / HEAD_FILE).open("rb") as file:
            head = json.loads(file.read(_MAX_LINE))
        reached, digest, cut = int(head["lines"]), str(head["sha256"]), bool(head["cut"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError):
        return True
    here = _sha256(lines[reached - 1]) if 0 < reached <= len(lines) else GENESIS
    return cut or here != digest


def _remember(home: Path, lines: int, digest: str, *, cut: bool) -> None:
    path = home / HEAD_FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps({"lines": lines, "sha256": digest, "cut": cut}) + "\n")
    temporary.replace(path)


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
