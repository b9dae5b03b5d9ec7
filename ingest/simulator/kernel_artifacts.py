"""Builders of the kernel's receipts, decisions and settlements, and the hashing they all share.

Belongs here: pure functions that return one complete artifact with the hashes the kernel would have
computed, plus canonical JSON and signing for the other builders. Does not belong here: holds
(kernel_holds.py), month-end documents (kernel_finance.py), records without a hash rule
(kernel_records.py), writing files (kernel_export.py) or any decision about who owes what
(sales.py).

The canonical form here is the simulator's own on purpose: the warehouse verifies these artifacts
with independent code, so shared code would prove nothing. Keys are ASCII and numbers are
integers, and for such documents sorted compact JSON is exactly what the kernel hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

__all__ = [
    "Artifact",
    "KernelSigner",
    "canonical_json",
    "digest",
    "iso",
    "run_settlement",
    "sealed",
    "settlement_decision",
    "settlement_receipt",
    "x402_receipt",
]

Artifact = dict[str, Any]

# The kernel's published hashes of its default settlement policy and verification method.
_POLICY_HASH: Final = "006f47946e597e5662c734cd90aa75384abaddc83cb1309a66684818a140c0d8"
_METHOD_HASH: Final = "20d2f1b1e148b5e337fe1f38258ded31682d8d3de9bea5c0078fa4d1e8ffc070"


def iso(at: datetime) -> str:
    """Return an aware datetime as the kernel writes it: UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def canonical_json(value: object) -> str:
    """Return sorted compact JSON; right for integer-only documents with ASCII keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    """Return the lowercase hex sha256 of the canonical form."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sealed(artifact: Mapping[str, Any], field: str, *, without: Iterable[str] = ()) -> Artifact:
    """Return the artifact with `field` set to the hash of everything but itself and `without`."""
    left_out = {field, *without}
    core = {key: value for key, value in artifact.items() if key not in left_out}
    return {**artifact, field: digest(core)}


class KernelSigner:
    """An Ed25519 key of the simulated kernel, decided by a text so that builds repeat."""

    def __init__(self, seed_text: str) -> None:
        seed = hashlib.sha256(f"tieout-simulator|{seed_text}".encode()).digest()
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.public_key_pem = pem
        self.key_id = f"key_{hashlib.sha256(pem.encode()).hexdigest()[:24]}"

    def sign(self, hash_hex: str) -> str:
        """Return the base64 signature over the 32 raw bytes of a hash, as the kernel signs."""
        return base64.b64encode(self._key.sign(bytes.fromhex(hash_hex))).decode()


def settlement_decision(
    *,
    tenant_id: str,
    run_id: str,
    settlement_id: str,
    decision_id: str,
    decided_at: datetime,
    verification_status: str = "green",
    agreement_id: str | None = None,
    resolution_event_id: str | None = None,
    version: int = 2,
) -> Artifact:
    """Return a SettlementDecisionRecord; green is automatic, anything else was reviewed by hand."""
    automatic = verification_status == "green"
    decision: Artifact = {
        "schemaVersion": f"SettlementDecisionRecord.v{version}",
        "decisionId": decision_id,
        "tenantId": tenant_id,
        "runId": run_id,
        "settlementId": settlement_id,
        "agreementId": agreement_id,
        "decisionStatus": "auto_resolved" if automatic else "manual_resolved",
        "decisionMode": "automatic" if automatic else "manual-review",
        "decisionReason": None if automatic else f"auto_release_disabled_for_{verification_status}",
        "verificationStatus": verification_status,
        "policyRef": {"policyHash": _POLICY_HASH, "verificationMethodHash": _METHOD_HASH},
        "verifierRef": {
            "verifierId": "nooterra.policy-engine",
            "verifierVersion": "v1",
            "verifierHash": None,
            "modality": None if automatic else "manual",
        },
        "workRef": {
            "runStatus": "completed",
            "runLastEventId": None,
            "runLastChainHash": None,
            "resolutionEventId": resolution_event_id,
        },
        "decidedAt": iso(decided_at),
    }
    if version == 2:
        decision |= {
            "policyNormalizationVersion": "v1",
            "policyHashUsed": _POLICY_HASH,
            "verificationMethodHashUsed": _METHOD_HASH,
        }
    return sealed(decision, "decisionHash", without=("artifactHash",))


def settlement_receipt(
    *,
    decision: Mapping[str, Any],
    receipt_id: str,
    amount_cents: int,
    released_cents: int,
    refunded_cents: int,
    currency: str,
    settled_at: datetime,
    created_at: datetime | None = None,
) -> Artifact:
    """Return the final SettlementReceipt.v1 that a decision produced, in minor units.

    Args:
        created_at: between the decision and the settlement; None means half a second before it.
    """
    receipt = {
        "schemaVersion": "SettlementReceipt.v1",
        "receiptId": receipt_id,
        "tenantId": decision["tenantId"],
        "runId": decision["runId"],
        "settlementId": decision["settlementId"],
        "decisionRef": {
            "decisionId": decision["decisionId"],
            "decisionHash": decision["decisionHash"],
        },
        "status": "released" if released_cents > 0 else "refunded",
        "amountCents": amount_cents,
        "releasedAmountCents": released_cents,
        "refundedAmountCents": refunded_cents,
        "releaseRatePct": (released_cents * 200 + amount_cents) // (2 * amount_cents),
        "currency": currency,
        "runStatus": "completed",
        "resolutionEventId": decision["workRef"]["resolutionEventId"],
        "finalityProvider": "internal_ledger",
        "finalityState": "final",
        "settledAt": iso(settled_at),
        "createdAt": iso(created_at or settled_at - timedelta(milliseconds=500)),
    }
    return sealed(receipt, "receiptHash", without=("artifactHash",))


def run_settlement(
    *,
    decision: Mapping[str, Any],
    receipt: Mapping[str, Any],
    agent_id: str,
    payer_agent_id: str,
    locked_at: datetime,
    resolved_at: datetime,
    dispute_window_days: int = 14,
) -> Artifact:
    """Return the AgentRunSettlement.v1 snapshot after its receipt was issued (it has no hash)."""
    return {
        "schemaVersion": "AgentRunSettlement.v1",
        "settlementId": receipt["settlementId"],
        "runId": receipt["runId"],
        "tenantId": receipt["tenantId"],
        "agentId": agent_id,
        "payerAgentId": payer_agent_id,
        "amountCents": receipt["amountCents"],
        "currency": receipt["currency"],
        "status": receipt["status"],
        "lockedAt": iso(locked_at),
        "resolvedAt": iso(resolved_at),
        "resolutionEventId": receipt["resolutionEventId"],
        "runStatus": receipt["runStatus"],
        "releasedAmountCents": receipt["releasedAmountCents"],
        "refundedAmountCents": receipt["amountCents"] - receipt["releasedAmountCents"],
        "releaseRatePct": receipt["releaseRatePct"],
        "disputeWindowDays": dispute_window_days,
        "disputeWindowEndsAt": iso(resolved_at + timedelta(days=dispute_window_days)),
        "disputeStatus": "none",
        "disputeId": None,
        "decisionStatus": decision["decisionStatus"],
        "decisionMode": decision["decisionMode"],
        "decisionPolicyHash": _POLICY_HASH,
        "decisionReason": decision["decisionReason"],
        "decisionTrace": {"decisionRecord": dict(decision), "settlementReceipt": dict(receipt)},
        "decisionUpdatedAt": decision["decidedAt"],
        "revision": 1,
        "createdAt": iso(locked_at),
        "updatedAt": iso(resolved_at),
    }


def x402_receipt(
    *,
    decision: Mapping[str, Any],
    receipt: Mapping[str, Any],
    gate_id: str,
    payer_agent_id: str,
    provider_id: str,
) -> Artifact:
    """Return the X402ReceiptRecord.v1 envelope around a decision and a receipt, not reversed."""
    request_sha256 = digest({"gateId": gate_id, "part": "request"})
    response_sha256 = digest({"gateId": gate_id, "part": "response"})
    return {
        "schemaVersion": "X402ReceiptRecord.v1",
        "tenantId": receipt["tenantId"],
        "receiptId": receipt["receiptId"],
        "gateId": gate_id,
        "runId": receipt["runId"],
        "payerAgentId": payer_agent_id,
        "providerId": provider_id,
        "toolId": "tool_search",
        "sponsorRef": None,
        "sponsorWalletRef": None,
        "agentKeyId": None,
        "settlementState": receipt["status"],
        "verificationStatus": decision["verificationStatus"],
        "settledAt": receipt["settledAt"],
        "createdAt": receipt["createdAt"],
        "updatedAt": receipt["settledAt"],
        "evidenceRefs": [
            f"http:request_sha256:{request_sha256}",
            f"http:response_sha256:{response_sha256}",
        ],
        "verificationContext": {
            "schemaVersion": "X402GateVerificationContext.v1",
            "providerSigningKey": None,
            "providerQuoteSigningKey": None,
        },
        "bindings": {
            "authorizationRef": f"auth_{gate_id}",
            "request": {"sha256": request_sha256},
            "response": {"status": None, "sha256": response_sha256},
            "quote": None,
        },
        "providerSignature": None,
        "providerQuoteSignature": None,
        "providerQuotePayload": None,
        "zkProof": None,
        "decisionRecord": dict(decision),
        "settlementReceipt": dict(receipt),
        "reversal": None,
        "reversalEvents": [],
    }
