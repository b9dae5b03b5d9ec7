"""What the kernel settles: receipts, decisions, runs, holdbacks, adjustments and its own disputes.

Belongs here: one declaration a type and nothing else. Does not belong here: how a member is read
(fields.py) or how a declaration becomes tables (tables.py).
"""

from __future__ import annotations

from typing import Final

from ingest.kernel.fields import count, derived, loose_time, malformed, money, text, time
from ingest.kernel.tables import ArtifactType, Hashed
from ingest.tables import VARCHAR

__all__ = [
    "AGENT_RUN_SETTLEMENTS",
    "ARBITRATION_VERDICTS",
    "DISPUTE_ENVELOPES",
    "FUNDING_HOLDS",
    "SETTLEMENT_ADJUSTMENTS",
    "SETTLEMENT_DECISIONS",
    "SETTLEMENT_RECEIPTS",
    "X402_RECEIPTS",
    "X402_REVERSAL_EVENTS",
]

_VERDICT_CORE: Final = (
    *("schemaVersion", "verdictId", "caseId", "tenantId", "runId", "settlementId", "disputeId"),
    *("arbiterAgentId", "outcome", "releaseRatePct", "rationale", "evidenceRefs", "issuedAt"),
    "appealRef",
)

SETTLEMENT_RECEIPTS: Final = ArtifactType(
    "settlement_receipts",
    fields=(
        text("receipt_id", needed=True),
        text("run_id"),
        text("settlement_id"),
        text("decision_id", "decisionRef.decisionId"),
        text("decision_hash", "decisionRef.decisionHash"),
        text("status", needed=True),
        money("amount_cents", needed=True),
        money("released_amount_cents", needed=True),
        money("refunded_amount_cents", needed=True),
        count("release_rate_pct"),
        text("currency", needed=True),
        text("run_status"),
        text("resolution_event_id"),
        text("finality_state"),
        loose_time("settled_at"),
        malformed("settled_at_malformed", "settledAt"),
        loose_time("created_at"),
        text("receipt_hash"),
        derived("origin", VARCHAR, lambda _: "export"),
    ),
    key=("receipt_id", "origin"),
    identity=("receipt_id",),
    schemas=("SettlementReceipt.v1",),
    hashed=Hashed("receiptHash", without=("artifactHash",)),
    links={
        "decision_id": "settlement_decisions.decision_id",
        "decision_hash": "settlement_decisions.decision_hash",
        "settlement_id": "agent_run_settlements.settlement_id",
        "run_id": "agent_run_settlements.run_id",
    },
    dated=("settled_at", "created_at"),
)

SETTLEMENT_DECISIONS: Final = ArtifactType(
    "settlement_decisions",
    fields=(
        text("decision_id", needed=True),
        text("run_id"),
        text("settlement_id"),
        text("agreement_id"),
        text("schema_version"),
        text("decision_status"),
        text("decision_mode"),
        text("decision_reason"),
        text("verification_status"),
        text("policy_normalization_version"),
        text("policy_hash_used"),
        text("profile_hash_used"),
        text("verification_method_hash_used"),
        loose_time("decided_at"),
        text("decision_hash"),
        derived("origin", VARCHAR, lambda _: "export"),
    ),
    key=("decision_id", "origin"),
    identity=("decision_id",),
    schemas=("SettlementDecisionRecord.v1", "SettlementDecisionRecord.v2"),
    hashed=Hashed("decisionHash", without=("artifactHash",)),
    links={
        "settlement_id": "agent_run_settlements.settlement_id",
        "run_id": "agent_run_settlements.run_id",
    },
    dated=("decided_at",),
)

AGENT_RUN_SETTLEMENTS: Final = ArtifactType(
    "agent_run_settlements",
    fields=(
        text("settlement_id", needed=True),
        text("run_id"),
        text("agent_id"),
        text("payer_agent_id"),
        money("amount_cents", needed=True),
        text("currency", needed=True),
        text("status", needed=True),
        money("released_amount_cents"),
        money("refunded_amount_cents"),
        count("release_rate_pct"),
        text("dispute_status"),
        time("dispute_window_ends_at"),
        time("locked_at"),
        time("resolved_at"),
        count("revision"),
        time("created_at"),
        time("updated_at"),
        text("current_receipt_id", "decisionTrace.settlementReceipt.receiptId"),
    ),
    key=("settlement_id",),
    schemas=("AgentRunSettlement.v1",),
    latest_by=("revision", "updated_at"),
    links={"current_receipt_id": "settlement_receipts.receipt_id"},
    dated=("resolved_at", "created_at"),
)

X402_REVERSAL_EVENTS: Final = ArtifactType(
    "x402_reversal_events",
    fields=(
        text("event_id", needed=True),
        text("gate_id"),
        text("receipt_id"),
        text("action"),
        text("event_type"),
        time("occurred_at"),
        text("event_hash"),
    ),
    key=("event_id",),
    schemas=("X402GateReversalEvent.v1",),
    hashed=Hashed("eventHash"),
    links={"receipt_id": "settlement_receipts.receipt_id"},
    dated=("occurred_at",),
    keeps_text=False,
)

X402_RECEIPTS: Final = ArtifactType(
    "x402_receipts",
    fields=(
        text("receipt_id", needed=True),
        text("gate_id"),
        text("run_id"),
        text("payer_agent_id"),
        text("provider_id"),
        text("settlement_state"),
        text("verification_status"),
        time("settled_at"),
        time("created_at"),
        time("updated_at"),
    ),
    key=("receipt_id",),
    schemas=("X402ReceiptRecord.v1",),
    latest_by=("updated_at",),
    links={"receipt_id": "settlement_receipts.receipt_id"},
    dated=("settled_at", "created_at"),
    # GET /x402/receipts/export stops here, newest first, and says nothing.
    page_rows=1_000,
    inside={
        "decisionRecord": SETTLEMENT_DECISIONS,
        "settlementReceipt": SETTLEMENT_RECEIPTS,
        "reversalEvents": X402_REVERSAL_EVENTS,
    },
)


FUNDING_HOLDS: Final = ArtifactType(
    "funding_holds",
    fields=(
        text("hold_hash", needed=True),
        text("agreement_hash"),
        text("receipt_hash"),
        text("payer_agent_id"),
        text("payee_agent_id"),
        money("amount_cents", needed=True),
        money("held_amount_cents", needed=True),
        text("currency", needed=True),
        count("holdback_bps"),
        count("challenge_window_ms"),
        text("status", needed=True),
        count("revision"),
        time("created_at"),
        time("updated_at"),
        time("resolved_at"),
    ),
    key=("hold_hash",),
    schemas=("FundingHold.v1",),
    # The hash covers what was agreed; status and revision move on under it.
    hashed=Hashed(
        "holdHash", without=("status", "resolvedAt", "updatedAt", "revision", "metadata")
    ),
    latest_by=("revision", "updated_at"),
    links={"receipt_hash": "settlement_receipts.receipt_hash"},
    dated=("created_at",),
)

SETTLEMENT_ADJUSTMENTS: Final = ArtifactType(
    "settlement_adjustments",
    fields=(
        text("adjustment_id", needed=True),
        text("agreement_hash"),
        text("receipt_hash"),
        text("hold_hash"),
        text("kind", needed=True),
        money("amount_cents", needed=True),
        text("currency", needed=True),
        text("verdict_case_id", "verdictRef.caseId"),
        text("verdict_hash", "verdictRef.verdictHash"),
        time("created_at"),
        text("adjustment_hash"),
    ),
    key=("adjustment_id",),
    schemas=("SettlementAdjustment.v1",),
    hashed=Hashed("adjustmentHash", without=("metadata",)),
    links={
        "hold_hash": "funding_holds.hold_hash",
        "receipt_hash": "settlement_receipts.receipt_hash",
        "verdict_case_id": "arbitration_verdicts.case_id",
        "verdict_hash": "arbitration_verdicts.verdict_hash",
    },
    dated=("created_at",),
)

ARBITRATION_VERDICTS: Final = ArtifactType(
    "arbitration_verdicts",
    fields=(
        text("verdict_id", needed=True),
        text("case_id"),
        text("run_id"),
        text("settlement_id"),
        text("outcome"),
        count("release_rate_pct"),
        time("issued_at"),
        text("verdict_hash", "verdictHash|signature.verdictHash"),
    ),
    key=("verdict_id",),
    schemas=("ArbitrationVerdict.v1",),
    hashed=Hashed("verdictHash", only=_VERDICT_CORE),
    signed_by="signerKeyId",
    dated=("issued_at",),
)

DISPUTE_ENVELOPES: Final = ArtifactType(
    "dispute_envelopes",
    fields=(
        text("envelope_id", needed=True),
        text("case_id"),
        text("agreement_hash"),
        text("receipt_hash"),
        text("hold_hash"),
        text("reason_code"),
        time("opened_at"),
        text("envelope_hash"),
    ),
    key=("envelope_id",),
    schemas=("DisputeOpenEnvelope.v1",),
    hashed=Hashed("envelopeHash", without=("signature", "artifactHash")),
    signed_by="signerKeyId",
    links={
        "hold_hash": "funding_holds.hold_hash",
        "receipt_hash": "settlement_receipts.receipt_hash",
    },
    dated=("opened_at",),
)
