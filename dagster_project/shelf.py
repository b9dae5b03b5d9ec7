"""Where packets lie, and how one gets there whole: file, log entry and record, or none of them.

Belongs here: the files of issued packets and their records. Does not belong here: which packet is
due (`issuing.py`), what is in one (`evidence`).

    packets/<tenant>/<period>/<name>.zip + r<revision>.json (what was issued, for looking up)

A packet is first put down without its log proof, with its record beside it; only then is it logged.
Whatever stops in between is finished by the next call, so the log names no packet that is not here.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from dagster_project.home import Home, read_state, write_state
from evidence import container
from evidence.build import PROOF_FILE, STATEMENT_FILE
from evidence.content import Content, whole
from evidence.log import PacketLog

__all__ = [
    "IssuedPacket",
    "finish_pending",
    "issued",
    "newest",
    "packet_file",
    "put_down",
    "renew_proofs",
    "workspace",
]

UNLOGGED: Final = -1
_PENDING: Final = ".pending"
_MAX_STATEMENT_BYTES: Final = 1 << 14


@dataclass(frozen=True)
class IssuedPacket:
    """One packet revision as recorded beside its file; `path` is relative to the home.

    `content_sha256` covers verdict, counts and tables: what decides whether a revision is new.
    `carries_inputs` tells whether `tieout-verify --replay` finds what it needs inside.
    """

    tenant_id: str
    period: str
    revision: int
    packet_sha256: str
    previous_sha256: str | None
    supersedes_sha256: str | None
    verdict: str
    path: str
    log_index: int
    as_of: str
    content_sha256: str
    run_id: str
    carries_inputs: bool = False


def issued(home: Home, tenant: str | None = None, period: str | None = None) -> list[IssuedPacket]:
    """Every packet issued in this home, by tenant, period and revision.

    A name is compared and never a pattern: `tenant_*` would hand one tenant's packets to another.
    """
    names = (tenant, period)
    if any(name in ("", ".", "..") or "/" in (name or "") for name in names):
        return []
    folders = ("*" if name is None else glob.escape(name) for name in names)
    records = [
        _record(read_state(path)) for path in home.packets.glob("/".join((*folders, "r*.json")))
    ]
    return sorted(records, key=lambda packet: (packet.tenant_id, packet.period, packet.revision))


def newest(home: Home, tenant: str, period: str | None = None) -> list[IssuedPacket]:
    """The newest revision of each period of a tenant, oldest period first."""
    by_period = {packet.period: packet for packet in issued(home, tenant, period)}
    return [by_period[period] for period in sorted(by_period)]


def packet_file(home: Home, packet: IssuedPacket) -> Path:
    """Where a packet lies."""
    return home.root / packet.path


@contextmanager
def workspace(home: Home) -> Iterator[Path]:
    """An empty folder for what is too large for memory; the home's packets lock is held.

    It lies in the home because a temporary folder of the system may be memory too. What a killed
    process left there is removed.
    """
    path = home.state / "packets.tmp"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def put_down(
    home: Home, log: PacketLog, packet: IssuedPacket, unlogged: Mapping[str, Content]
) -> IssuedPacket:
    """Puts a packet on the shelf and into the log, and records it.

    Args:
        home: The home; its packets lock is held.
        log: The packet log.
        packet: The record, its `log_index` not yet known.
        unlogged: The packet's members, without a log proof.

    Returns:
        The record as it stands.
    """
    path = packet_file(home, packet)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    container.store_zip(unlogged, _pending_zip(path))
    write_state(_pending_record(path), asdict(packet))
    return _finish(home, log, packet)


def finish_pending(home: Home, log: PacketLog) -> list[IssuedPacket]:
    """Finishes packets that an interrupted call put down but did not log or record.

    Without a record nothing was logged yet: such a file is removed, and the packet is due again.
    """
    records = home.packets.glob(f"*/*/.*{_PENDING}.json")
    found = [_finish(home, log, _record(read_state(path))) for path in sorted(records)]
    for pattern in (f"*/*/.*{_PENDING}", "*/*/.*.tmp"):
        for torn in home.packets.glob(pattern):
            torn.unlink()
    return found


def renew_proofs(home: Home, log: PacketLog) -> int:
    """Gives packets the proof their log has for them now, such as one that a witness cosigned.

    A proof lies outside the packet hash, so no packet becomes another. Returns how many changed.
    """
    renewed = 0
    for packet in issued(home):
        path = packet_file(home, packet)
        proof = log.proof(packet.log_index)
        with container.opened(path) as files:
            held = files.get(PROOF_FILE)
            if held is None or whole(held, 1 << 20) != proof:
                container.store_zip(files | {PROOF_FILE: proof}, path)
                renewed += 1
    return renewed


def _finish(home: Home, log: PacketLog, packet: IssuedPacket) -> IssuedPacket:
    path = packet_file(home, packet)
    with container.opened(_pending_zip(path)) as files:
        index = log.append(whole(files[STATEMENT_FILE], _MAX_STATEMENT_BYTES))
        container.store_zip(files | {PROOF_FILE: log.proof(index)}, path)
    packet = replace(packet, log_index=index)
    write_state(path.parent / f"r{packet.revision}.json", asdict(packet))
    # In this order: a file without its record is removed, a record without its file is a riddle.
    _pending_record(path).unlink()
    _pending_zip(path).unlink()
    return packet


def _record(state: Mapping[str, Any]) -> IssuedPacket:
    return IssuedPacket(**state)


def _pending_zip(path: Path) -> Path:
    return path.with_name(f".{path.name}{_PENDING}")


def _pending_record(path: Path) -> Path:
    return path.with_name(f".{path.name}{_PENDING}.json")
