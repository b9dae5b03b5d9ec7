"""Resolving holdbacks: release by adjustment, silent release after the window, refund by verdict.

Belongs here: what each resolution writes on both faces. Does not belong here: making a hold, which
is part of its sale (sales.py), or the month in which its money is paid (month_end.py).

A released hold is part of the payout of the month in which it was released: through its adjustment
where there is one, through the hold itself where the kernel's tick released it without one. A hold
that was made and silently released within one month leaves no link at all, because a payout names a
source once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ingest.simulator import kernel_finance as finance
from ingest.simulator.kernel_artifacts import Artifact
from ingest.simulator.kernel_holds import (
    arbitration_verdict,
    dispute_envelope,
    resolved_hold,
    settlement_adjustment,
)
from ingest.simulator.kernel_records import billable_event
from ingest.simulator.partner import Partner, Sale
from ingest.simulator.sales import SETTLES_AFTER

__all__ = ["claim_hold", "refund_hold", "release_hold"]


def _required(sale: Sale) -> Artifact:
    if sale.hold is None:
        raise ValueError(f"sale {sale.number} has no hold; sell it with challenge_days above 0")
    return sale.hold


def _resolve(
    partner: Partner, sale: Sale, status: str, at: datetime, metadata: Mapping[str, Any]
) -> None:
    hold = _required(sale)
    # The export carries the newest snapshot of a hold, not its history.
    holds = partner.rows["funding_holds"]
    position = next(i for i, row in enumerate(holds) if row["holdHash"] == hold["holdHash"])
    sale.hold = holds[position] = resolved_hold(hold, status=status, at=at, metadata=metadata)


def _book_release(partner: Partner, sale: Sale, at: datetime) -> None:
    held = _required(sale)["heldAmountCents"]
    lines = {finance.ESCROW: held, finance.OWNER_PAYABLE: -held}
    partner.book(sale, at, "HOLDBACK_RELEASED", lines)


def release_hold(partner: Partner, sale: Sale, *, at: datetime, adjusted: bool = True) -> None:
    """Release a hold to the party: with an adjustment, or silently as the kernel's tick does."""
    hold = _required(sale)
    held = hold["heldAmountCents"]
    metadata: dict[str, Any] = {"autoReleased": True}
    if adjusted:
        adjustment = settlement_adjustment(hold=hold, kind="holdback_release", created_at=at)
        partner.rows["settlement_adjustments"].append(adjustment)
        adjustment_id = adjustment["adjustmentId"]
        metadata = {"adjustmentId": adjustment_id}
        partner.pend(sale, at, "adjustment", adjustment_id, held, adjustment["adjustmentHash"])
    elif not partner.drop_pending(sale, at, "holdback", hold["holdHash"]):
        partner.pend(sale, at, "holdback", hold["holdHash"], held, hold["holdHash"])
    _resolve(partner, sale, "released", at, metadata)
    _book_release(partner, sale, at)


def claim_hold(partner: Partner, sale: Sale, *, at: datetime) -> None:
    """Let the books pay a hold out although it is still held (a fault)."""
    hold = _required(sale)
    partner.pend(sale, at, "holdback", hold["holdHash"], hold["heldAmountCents"], hold["holdHash"])
    _book_release(partner, sale, at)


def refund_hold(partner: Partner, sale: Sale, *, opened_at: datetime, at: datetime) -> None:
    """Give a hold back to the customer: dispute, verdict, adjustment, refund on the rail."""
    hold = _required(sale)
    held = hold["heldAmountCents"]
    partner.rows["dispute_envelopes"].append(
        dispute_envelope(
            hold=hold,
            opened_at=opened_at,
            nonce=f"nonce_{sale.number:05d}",
            signer=partner.signer,
        )
    )
    verdict = arbitration_verdict(hold=hold, released=False, issued_at=at, signer=partner.signer)
    partner.rows["arbitration_verdicts"].append(verdict)
    adjustment = settlement_adjustment(
        hold=hold, kind="holdback_refund", created_at=at, verdict=verdict
    )
    partner.rows["settlement_adjustments"].append(adjustment)
    metadata = {
        "adjustmentId": adjustment["adjustmentId"],
        "verdictHash": verdict["verdictHash"],
        "caseId": verdict["caseId"],
    }
    _resolve(partner, sale, "refunded", at, metadata)
    partner.book(sale, at, "HOLDBACK_REFUNDED", {finance.ESCROW: held, finance.CASH: -held})
    partner.rows["billable_events"].append(
        billable_event(
            partner.tenant_id,
            event_id=f"bevt_arbitration_{sale.number:05d}",
            event_type="arbitration_usage",
            amount_cents=0,
            currency=sale.party.currency,
            at=at,
        )
    )
    partner.rail.refund(
        sale.charge_id,
        held,
        at=at + SETTLES_AFTER,
        metadata=partner.metadata(receipt_id=sale.receipt_id),
    )
