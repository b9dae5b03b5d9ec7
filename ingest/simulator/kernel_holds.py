"""Builders of the kernel's holdbacks: holds, their disputes and verdicts, and the adjustments.

Belongs here: pure functions that return one complete artifact of a hold's life. Does not belong
here: when a hold is made or resolved, and what that means for a payout (holds.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.simulator.kernel_artifacts import Artifact, KernelSigner, digest, iso, sealed

__all__ = [
    "arbitration_verdict",
    "dispute_envelope",
    "funding_hold",
    "resolved_hold",
    "settlement_adjustment",
]

_HOLD_STATE: Final = ("holdHash", "status", "resolvedAt", "updatedAt", "revision", "metadata")
_VERDICT_CORE: Final = (
    "schemaVersion",
    "verdictId",
    "caseId",
    "tenantId",
    "runId",
    "settlementId",
    "disputeId",
    "arbiterAgentId",
    "outcome",
    "releaseRatePct",
    "rationale",
    "evidenceRefs",
    "issuedAt",
    "appealRef",
)


def funding_hold(
    *,
    receipt: Mapping[str, Any],
    agreement_hash: str,
    payer_agent_id: str,
    payee_agent_id: str,
    holdback_bps: int,
    challenge_window: timedelta,
    created_at: datetime,
) -> Artifact:
    """Return a FundingHold.v1 in status `held`; it keeps floor(released * bps / 10000)."""
    amount_cents = receipt["releasedAmountCents"]
    hold = {
        "schemaVersion": "FundingHold.v1",
        "tenantId": receipt["tenantId"],
        "agreementHash": agreement_hash,
        "receiptHash": receipt["receiptHash"],
        "payerAgentId": payer_agent_id,
        "payeeAgentId": payee_agent_id,
        "amountCents": amount_cents,
        "heldAmountCents": amount_cents * holdback_bps // 10_000,
        "currency": receipt["currency"],
        "holdbackBps": holdback_bps,
        "challengeWindowMs": challenge_window // timedelta(milliseconds=1),
        "createdAt": iso(created_at),
        "status": "held",
        "revision": 0,
        "updatedAt": iso(created_at),
    }
    return sealed(hold, "holdHash", without=_HOLD_STATE)


def resolved_hold(
    hold: Mapping[str, Any], *, status: str, at: datetime, metadata: Mapping[str, Any]
) -> Artifact:
    """Return the next revision of a hold (`released` or `refunded`); its hash stays the same."""
    return {
        **hold,
        "status": status,
        "revision": hold["revision"] + 1,
        "updatedAt": iso(at),
        "resolvedAt": iso(at),
        "metadata": dict(metadata),
    }


def settlement_adjustment(
    *,
    hold: Mapping[str, Any],
    kind: str,
    created_at: datetime,
    verdict: Mapping[str, Any] | None = None,
) -> Artifact:
    """Return the SettlementAdjustment.v1 that resolves a hold in full.

    Args:
        kind: `holdback_release` or `holdback_refund`.
        verdict: the arbitration verdict that ordered it, or None.
    """
    adjustment: Artifact = {
        "schemaVersion": "SettlementAdjustment.v1",
        "adjustmentId": f"sadj_agmt_{hold['agreementHash']}_holdback",
        "tenantId": hold["tenantId"],
        "agreementHash": hold["agreementHash"],
        "receiptHash": hold["receiptHash"],
        "holdHash": hold["holdHash"],
        "kind": kind,
        "amountCents": hold["heldAmountCents"],
        "currency": hold["currency"],
        "createdAt": iso(created_at),
    }
    if verdict is not None:
        adjustment["verdictRef"] = {
            "caseId": verdict["caseId"],
            "verdictHash": verdict["verdictHash"],
        }
    return sealed(adjustment, "adjustmentHash", without=("metadata",))


def dispute_envelope(
    *, hold: Mapping[str, Any], opened_at: datetime, nonce: str, signer: KernelSigner
) -> Artifact:
    """Return the signed DisputeOpenEnvelope.v1 of the payer against a hold."""
    agreement = hold["agreementHash"]
    core = {
        "schemaVersion": "DisputeOpenEnvelope.v1",
        "artifactType": "DisputeOpenEnvelope.v1",
        "artifactId": f"dopen_tc_{agreement}",
        "envelopeId": f"dopen_tc_{agreement}",
        "caseId": f"arb_case_tc_{agreement}",
        "tenantId": hold["tenantId"],
        "agreementHash": agreement,
        "receiptHash": hold["receiptHash"],
        "holdHash": hold["holdHash"],
        "openedByAgentId": hold["payerAgentId"],
        "openedAt": iso(opened_at),
        "reasonCode": "TOOL_CALL_DISPUTE",
        "nonce": nonce,
        "signerKeyId": signer.key_id,
    }
    envelope = sealed(core, "envelopeHash", without=("signature", "artifactHash"))
    return {**envelope, "signature": signer.sign(envelope["envelopeHash"])}


def arbitration_verdict(
    *, hold: Mapping[str, Any], released: bool, issued_at: datetime, signer: KernelSigner
) -> Artifact:
    """Return the signed ArbitrationVerdict.v1 on a hold: all to the payee, or all to the payer."""
    agreement = hold["agreementHash"]
    rate = 100 if released else 0
    case_id = f"arb_case_tc_{agreement}"
    core = {
        "schemaVersion": "ArbitrationVerdict.v1",
        "verdictId": f"arb_vrd_{case_id}_{rate}",
        "caseId": case_id,
        "tenantId": hold["tenantId"],
        "runId": f"tc_{agreement}",
        "settlementId": f"setl_tc_{agreement}",
        "disputeId": f"disp_tc_{agreement}",
        "arbiterAgentId": "agt_arbiter",
        "outcome": "accepted" if released else "rejected",
        "releaseRatePct": rate,
        "rationale": "decided on the evidence of the call",
        "evidenceRefs": [],
        "issuedAt": iso(issued_at),
        "appealRef": None,
    }
    verdict_hash = digest({key: core[key] for key in _VERDICT_CORE})
    return {
        **core,
        "signerKeyId": signer.key_id,
        "signature": signer.sign(verdict_hash),
        "verdictHash": verdict_hash,
    }
