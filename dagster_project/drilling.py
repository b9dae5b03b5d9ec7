"""A drill: one payout operation reversed in a what-if, and what follows from it put on record.

Belongs here: finding the operation, laying its reversal over the facts, reading what the models
then say, landing the record. Does not belong here: the form of the record (`evidence`), the build
(`what_if.py`), or any rule of exposure or gates: those are the models'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dagster_project.kernel_reports import Wanted, chargebacks
from dagster_project.marts import Marts, Row
from dagster_project.runs import last_published, new_run_id
from dagster_project.session import Session
from dagster_project.what_if import Overlay, what_if
from evidence.kernel_drill import DrillFacts, DrillRequest, drill_record
from evidence.kernel_keys import sign_document
from evidence.kernel_reports import kernel_time
from evidence.signatures import Signer
from ingest.errors import SettingError, TieoutError
from ingest.kernel.rows import KERNEL_TABLES
from ingest.kernel.tables import VOUCHED
from ingest.landing import new_batch_id
from ingest.tables import DRILLS

__all__ = ["DrillOptions", "Drilled", "carry_out"]

_MODELS: Final = ("kernel_operations", "kernel_chargebacks", "kernel_providers", "payout_gates")
_REVERSIBLE: Final = ("initiated", "submitted", "confirmed")
_OPERATIONS: Final = next(
    spec for spec in KERNEL_TABLES if spec.name == "kernel/money_rail_operations"
)


@dataclass(frozen=True)
class DrillOptions:
    """What the command line gave; None where it gave nothing."""

    drill: str
    tenant_id: str
    operation_id: str
    provider_id: str | None = None
    party_id: str | None = None
    period: str | None = None
    reason_code: str | None = None
    at: datetime | None = None
    payout_period: str | None = None
    payout_party_id: str | None = None
    expect_outstanding_cents: int | None = None
    expect_payout_code: str | None = None


@dataclass(frozen=True)
class Drilled:
    """A drill carried out: its signed record, and our own gates before and after.

    The gates stay out of the record: they also hold for reasons that change with the hour, such as
    stale evidence, and the record's hash must not.
    """

    record: dict[str, Any]
    gates_before: tuple[Mapping[str, Any], ...]
    gates_after: tuple[Mapping[str, Any], ...]


def carry_out(
    session: Session, options: DrillOptions, signer: Signer, key_id: str | None
) -> Drilled:
    """Carries out one drill over the published run, and lands its record.

    Args:
        session: The session; what it pays with is never touched.
        options: What is drilled and expected.
        signer: Signs the record.
        key_id: What a partner calls the key; the kernel's convention when None.

    Returns:
        What came of it; the next packet of its month holds the record.

    Raises:
        TieoutError: `operation_unknown`, or `operation_not_reversible` in a terminal state.
        SettingError: `operation_ambiguous`: several providers have an operation of that id.
    """
    run = last_published(session.home)
    with Marts.published(session.home) as published:
        assert run is not None  # a published file is never without its record
        before = _operation(published, options)
        asked = _asked(options, before)
        payouts_before = _payouts(published, asked)
    session.progress("drill", f"{options.drill} of {asked.operation_id}")
    with what_if(session, run, _reversed(before, asked), _MODELS) as marts:
        (exposure,) = chargebacks(
            marts,
            Wanted(asked.tenant_id, asked.period, asked.provider_id, asked.party_id),
            every_period=False,
        )
        facts = DrillFacts(
            before=before,
            after=_operation(marts, options),
            exposure=exposure,
            payouts=_payouts(marts, asked),
        )
    record = sign_document(drill_record(asked, facts), signer, key_id)
    _land(session, asked, record, before)
    return Drilled(record, payouts_before, facts.payouts)


def _operation(marts: Marts, options: DrillOptions) -> Row:
    found = list(
        marts.rows(
            "kernel_operations",
            tenant_id=options.tenant_id,
            operation_id=options.operation_id,
            provider_id=options.provider_id,
        )
    )
    if not found:
        raise TieoutError(
            got="no such operation of that tenant and provider",
            expected=_for_example(marts, options.tenant_id),
            remedy="Correct --tenant-id, --operation-id or --provider-id; the table"
            " kernel_operations lists them all",
            code="operation_unknown",
        )
    if len(found) > 1:
        providers = ", ".join(sorted(str(row["provider_id"]) for row in found))
        raise SettingError(
            got=f"an operation of that id at {providers}",
            expected="one provider",
            remedy="Name --provider-id",
            code="operation_ambiguous",
        )
    return found[0]


def _for_example(marts: Marts, tenant: str) -> str:
    """What could have been named, said with the tenant's newest payout that could be drilled."""
    listed = marts.rows("kernel_operations", tenant_id=tenant, direction="payout")
    known = [row for row in listed if row["operation_state"] in _REVERSIBLE and row["party_id"]]
    if not known:
        return "a tenant with payout operations that could still be reversed"
    example = max(known, key=lambda row: (row["period"], row["operation_id"]))
    return f"a payout operation that the kernel exported, such as {example['operation_id']}"


def _asked(options: DrillOptions, before: Row) -> DrillRequest:
    state, party = before["operation_state"], before["party_id"]
    if before["direction"] != "payout" or state not in _REVERSIBLE or party is None:
        raise TieoutError(
            got=f"a {before['direction']} operation in state {state}"
            + ("" if party else " that names no party"),
            expected=f"a payout to a party that could still be reversed ({', '.join(_REVERSIBLE)})",
            remedy="Choose another --operation-id; the table kernel_operations lists them all",
            code="operation_not_reversible",
        )
    Wanted(period=options.period)
    Wanted(period=options.payout_period)
    names = ("initiated_at", "submitted_at", "confirmed_at", "updated_at")
    latest = max((before[name] for name in names if before[name]), default=datetime.min)
    # Unless told when, right after the last thing that happened: a clock would change the hash.
    return DrillRequest(
        drill=options.drill,
        tenant_id=options.tenant_id,
        provider_id=str(before["provider_id"]),
        operation_id=options.operation_id,
        party_id=options.party_id or str(party),
        period=options.period,
        reason_code=options.reason_code or options.drill,
        at=kernel_time(options.at or latest) or "",
        payout_period=options.payout_period,
        payout_party_id=options.payout_party_id or options.party_id or str(party),
        expect_outstanding_cents=options.expect_outstanding_cents,
        expect_payout_code=options.expect_payout_code,
    )


def _reversed(before: Row, asked: DrillRequest) -> Overlay:
    """The operation as it would be exported after its reversal."""
    at = datetime.fromisoformat(asked.at)
    known = {column.name for column in _OPERATIONS.columns}
    row = {name: value for name, value in before.items() if name in known}
    changed = {
        "state": "reversed",
        "reason_code": asked.reason_code,
        "submitted_at": before["submitted_at"] or at,
        "confirmed_at": before["confirmed_at"] or at,
        "reversed_at": at,
        "updated_at": max(at, before["updated_at"] or at),
        "occurrence": 1,
        VOUCHED: True,
    }
    return {_OPERATIONS: [{**row, **{k: v for k, v in changed.items() if k in known}}]}


def _payouts(marts: Marts, asked: DrillRequest) -> tuple[Row, ...]:
    if asked.payout_period is None:
        return ()
    rows = marts.rows(
        "payout_gates",
        tenant_id=asked.tenant_id,
        party_id=asked.payout_party_id,
        period=asked.payout_period,
    )
    return tuple(sorted(rows, key=lambda row: str(row["payout_key"])))


def _land(session: Session, asked: DrillRequest, record: dict[str, Any], before: Row) -> None:
    now = session.clock().astimezone(UTC)
    row = {
        "tenant_id": asked.tenant_id,
        "artifact_sha256": record["artifactHash"],
        "period": asked.period or before["period"] or asked.at[:7],
        "drill": asked.drill,
        "provider_id": asked.provider_id,
        "operation_id": asked.operation_id,
        "party_id": asked.party_id,
        "drill_status": record["status"],
        "outstanding_cents": record["checks"]["outstandingCents"],
        "currency": before["currency"],
        "payout_code": record["checks"]["payoutCode"],
        "record": json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    }
    batch_id = new_batch_id(now, f"drill-{new_run_id(now)[-6:]}")
    session.landing.write(DRILLS, [row], batch_id=batch_id, received_at=now)
