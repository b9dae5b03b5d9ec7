"""Gate decisions from published gates: the one short-lived word a tenant that authorises payments.

Belongs here: turning rows of `payout_gates` into a signed decision file, and finding the newest.
Does not belong here: evaluating a gate (dbt did), the document's format (`evidence`), paying.

    decisions/<tenant>/<as_of>-<digest>.json
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from dagster_project.home import Home
from dagster_project.issuing import tenants_of
from dagster_project.marts import Marts, Row
from dagster_project.pipeline import is_current, platform_account
from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.shelf import newest
from dagster_project.signing import packet_signer
from evidence import canonical
from evidence.decision import DecidedPayout, DecisionSpec, build_decision
from evidence.errors import Refusal
from ingest.errors import TieoutError

__all__ = ["SignedDecision", "decided_at", "issue_decisions", "newest_decision"]

MAX_DECISION_BYTES: Final = 32 << 20
_SETTLED_NS: Final = 2_000_000_000
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class SignedDecision:
    """A decision as put down; `outcomes` are the decisions of its payouts, one each."""

    tenant_id: str
    path: Path
    outcomes: tuple[str, ...]


def issue_decisions(session: Session, run: Run) -> list[SignedDecision]:
    """Signs one decision for every tenant of the published run.

    The same run gives the same file again.

    Raises:
        TieoutError: No signing key, or gates that contradict themselves.
    """
    if not is_current(session, run):
        return []
    home = session.home
    signer = packet_signer(session.settings, home)
    account = platform_account(session)
    found: list[SignedDecision] = []
    with Marts.published(home) as marts:
        for tenant in tenants_of(marts, run):
            sources = _sources(marts, tenant)
            payouts = [
                _payout(row, sources.get(str(row["payout_key"]), ()))
                for row in marts.rows("payout_gates", tenant_id=tenant)
            ]
            spec = DecisionSpec(
                tenant_id=tenant,
                as_of=run.as_of,
                expires_at=run.as_of + session.settings.decision_lifetime,
                livemode=session.settings.livemode,
                platform_account_id=account,
                packets=[packet.packet_sha256 for packet in newest(home, tenant)],
                payouts=payouts,
            )
            try:
                document = build_decision(spec, signer)
            except Refusal as refusal:
                raise TieoutError(
                    got=f"a gate decision for {tenant} that was refused: {refusal.detail}",
                    expected="gates that say one thing of each payout",
                    remedy=f"Nothing is paid for {tenant} until a run decides again; "
                    f"{refusal.remedy}",
                    code=refusal.code,
                ) from None
            session.progress("decisions", tenant)
            outcomes = tuple(sorted(payout.decision for payout in payouts))
            found.append(SignedDecision(tenant, _put_down(home, spec, document), outcomes))
    return found


def newest_decision(home: Home, tenant: str) -> Path | None:
    """The newest decision file of a tenant, by name.

    Years of hourly decisions lie in one folder, and a sensor asks every half minute: a folder that
    did not change since it was last read is not read again.
    """
    folder = home.decisions / tenant
    try:
        changed_ns = folder.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    # Two files within one tick of the file system's clock leave the same mark.
    is_settled = time.time_ns() - changed_ns > _SETTLED_NS
    read = _newest_name if is_settled else _newest_name.__wrapped__
    name = read(folder, changed_ns)
    return folder / name if name else None


@lru_cache(maxsize=10_000)
def _newest_name(folder: Path, changed_ns: int) -> str | None:
    with os.scandir(folder) as entries:
        return max((e.name for e in entries if e.name.endswith(".json")), default=None)


def decided_at(path: Path) -> datetime | None:
    """The as_of in a decision file's name, for whoever has no time to verify it."""
    try:
        return datetime.strptime(path.name[:16], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def decision_digest(path: Path) -> str:
    """Digest of a decision's signed statement, as the journal keeps it; the file is not trusted."""
    from evidence.signatures import open_envelope  # noqa: PLC0415

    with path.open("rb") as handle:
        data = handle.read(MAX_DECISION_BYTES)
    payload, _ = open_envelope(data, max_bytes=MAX_DECISION_BYTES)
    return canonical.sha256_hex(payload)


def _sources(marts: Marts, tenant: str) -> dict[str, set[str]]:
    """What each payout uses up, as `type:id` by payout key."""
    found: dict[str, set[str]] = {}
    for row in marts.rows("payout_sources", tenant_id=tenant):
        used = f"{row['source_type']}:{row['source_id']}"
        found.setdefault(str(row["payout_key"]), set()).add(used)
    return found


def _payout(row: Row, sources: Iterable[str]) -> DecidedPayout:
    return DecidedPayout(
        payout_key=str(row["payout_key"]),
        # The kernel names the operation of an instruction after its key.
        operation_id=row.get("operation_id") or f"mop_{row['payout_key']}",
        provider_id=row["provider_id"],
        party_id=row["party_id"],
        period=row["period"],
        decision=str(row["decision"]),
        amount_cents=int(row["release_cents"] or 0),
        gross_cents=int(row["gross_cents"] or 0),
        recovery_cents=int(row["recovery_cents"] or 0),
        currency=str(row["currency"]).lower(),
        destination_account_id=row["destination_account_id"],
        counterparty_ref=row["counterparty_ref"],
        codes=_codes(row["held_codes"]),
        source_ids=tuple(sorted(sources)),
        day_committed_cents=int(row["day_committed_cents"]),
    )


def _codes(held: str | Iterable[str] | None) -> tuple[str, ...]:
    if held is None:
        return ()
    parts = held.replace(",", "|").split("|") if isinstance(held, str) else held
    return tuple(part.strip() for part in parts if part and part.strip())


def _put_down(home: Home, spec: DecisionSpec, document: bytes) -> Path:
    folder = home.decisions / spec.tenant_id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = spec.as_of.astimezone(UTC).strftime(_STAMP)
    path = folder / f"{stamp}-{canonical.sha256_hex(document)[:12]}.json"
    if not path.exists():
        temporary = folder / f".{path.name}.tmp"
        with temporary.open("wb") as handle:
            handle.write(document)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    return path
