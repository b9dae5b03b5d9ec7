"""The audit trail: every act of this home, gathered from what each left behind.

Belongs here: turning runs, publications, packets, decisions, the payout journal and the books of
operator lines into acts. Does not belong here: the chain (`ingest.audit`).

Acts are gathered and not reported by whoever acts, so that none is missing after a crash between
the act and its record. Gathering again adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from dagster_project.acting import acts_of
from dagster_project.controls import book_of
from dagster_project.deciding import decision_digest
from dagster_project.home import Home, read_state
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.shelf import issued
from evidence.errors import Refusal
from ingest.audit import Act, append_acts, read_audit
from ingest.controls import ACT_BOOKS, AUDIT, ActLine, ControlLine
from ingest.errors import TieoutError
from ingest.landing import Landing
from ingest.payouts.journal import journal_rows
from ingest.tables import RUN_LOG

__all__ = ["land_audit", "record_acts", "require_intact"]

EVERYWHERE: Final = "_platform"
ITSELF: Final = "tieout"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def record_acts(settings: Settings, home: Home, landing: Landing | None = None) -> int:
    """Writes what was done since into the trail; returns how many acts are new.

    Args:
        settings: The settings.
        home: The home.
        landing: Tells of publications as well, when the caller has it open.
    """
    with home.lock("audit"):
        known = read_audit(home.root).keys
        acts = [*_runs(home), *_packets(home), *_decisions(home, known), *_payments(home)]
        acts += _controls(book_of(settings, home).lines)
        for book in ACT_BOOKS:
            acts += (_line(book.name, line) for line in acts_of(settings, home, book))
        if landing is not None:
            acts += _publications(landing)
        return append_acts(home.root, sorted(acts, key=lambda act: act.at))


def land_audit(session: Session, received_at: datetime, batch_id: str) -> int:
    """Records what was done since, and lands the lines of the trail that are not landed yet."""
    record_acts(session.settings, session.home, session.landing)
    trail = read_audit(session.home.root)
    manifest = session.landing.write(AUDIT, trail.rows, batch_id=batch_id, received_at=received_at)
    return manifest.rows if manifest else 0


def require_intact(home: Home) -> int:
    """How many acts the trail holds.

    Raises:
        TieoutError: The chain does not hold.
    """
    trail = read_audit(home.root)
    if trail.fault is not None:
        bad = [row["seq"] for row in trail.rows if row["chain_status"] != "intact"]
        raise TieoutError(
            got=f"an audit trail that is {trail.fault} at line {bad[0] if bad else 1}",
            expected="every line as it was written, and none missing",
            remedy="Compare audit/audit.jsonl with a backup and with landing/tieout/audit_log, "
            "which keeps what was landed; find out who changed it",
            code=f"audit_{trail.fault}",
        )
    return len(trail.rows)


def _runs(home: Home) -> Iterator[Act]:
    for path in (home.state / "runs").glob("*.json"):
        run = read_state(path)
        if run:
            yield Act(
                key=f"run:{run['run_id']}",
                tenant_id=EVERYWHERE,
                actor=ITSELF,
                action="run",
                subject=str(run["run_id"]),
                at=datetime.fromisoformat(run["started_at"]),
                after=f"as_of {run['as_of']}, {'publishes' if run['publishes'] else 'apart'}",
            )


def _publications(landing: Landing) -> Iterator[Act]:
    for run_id, as_of, at in landing.rows(RUN_LOG, ("run_id", "as_of", "received_at")):
        assert isinstance(at, datetime)
        yield Act(
            key=f"publish:{run_id}",
            tenant_id=EVERYWHERE,
            actor=ITSELF,
            action="publish",
            subject=str(run_id),
            at=at,
            after=f"as_of {as_of}",
        )


def _packets(home: Home) -> Iterator[Act]:
    for packet in issued(home):
        yield Act(
            key=f"packet:{packet.packet_sha256}",
            tenant_id=packet.tenant_id,
            actor=ITSELF,
            action="packet.issue",
            subject=f"{packet.period} revision {packet.revision}",
            at=datetime.fromisoformat(packet.as_of),
            reason=packet.verdict,
            before=packet.supersedes_sha256,
            after=packet.packet_sha256,
        )


def _decisions(home: Home, known: frozenset[str]) -> Iterator[Act]:
    for path in home.decisions.glob("*/*.json"):
        key = f"decision:{path.parent.name}:{path.name}"
        if key in known:
            continue
        try:
            digest = decision_digest(path)
            at = datetime.strptime(path.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except (ValueError, Refusal):
            # No decision of ours: whoever carries decisions out refuses it.
            continue
        yield Act(
            key=key,
            tenant_id=path.parent.name,
            actor=ITSELF,
            action="decision.sign",
            subject=path.name,
            at=at,
            after=digest,
        )


def _payments(home: Home) -> Iterator[Act]:
    for row in journal_rows(home.root / "journal" / "payouts.jsonl"):
        yield Act(
            key=f"payout:{row['seq']}",
            tenant_id=str(row["tenant_id"] or EVERYWHERE),
            actor=ITSELF,
            action=f"payout.{row['state']}",
            subject=str(row["payout_key"]),
            at=_time(row["at"]),
            reason=_text(row["reason_code"]),
            before=_text(row["decision_sha256"]),
            after=f"{row['amount_cents']} {row['currency']} {row['transfer_id'] or ''}".strip(),
        )


def _controls(lines: Iterable[ControlLine]) -> Iterator[Act]:
    before: dict[tuple[Any, ...], str | None] = {}
    for line in lines:
        scope = (line.tenant_id, line.provider_id, line.field)
        yield Act(
            key=f"control:{line.seq}:{line.at}",
            tenant_id=EVERYWHERE if line.tenant_id in (None, "*") else str(line.tenant_id),
            actor=" + ".join(filter(None, (line.operator, line.second_operator))) or "unknown",
            action=f"control.{line.action or 'unreadable'}",
            subject=" ".join(filter(None, (line.field, line.provider_id))) or f"line {line.seq}",
            at=line.at or _EPOCH,
            reason=line.reason,
            before=before.get(scope),
            after=line.value if line.valid else f"void: {line.void_code}",
        )
        if line.valid:
            before[scope] = line.value


def _line(book: str, line: ActLine) -> Act:
    said = {name: value for name, value in line.members.items() if name != "act_id"}
    return Act(
        key=f"{book}:{line.line_sha256}",
        tenant_id=line.tenant_id or EVERYWHERE,
        actor=line.operator or "unknown",
        action=f"{book}.{line.action or 'unreadable'}",
        subject=line.act_id or f"line {line.seq}",
        at=line.at or _EPOCH,
        reason=line.reason,
        after=_json(said) if line.valid else f"void: {line.void_code}",
    )


def _json(members: Mapping[str, object]) -> str | None:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS).decode() if members else None


def _time(value: object) -> datetime:
    return value if isinstance(value, datetime) else _EPOCH


def _text(value: object) -> str | None:
    return None if value is None else str(value)
