"""What the kernel's ledger says at the close of a month, and what it orders to be paid.

Belongs here: one declaration a type and nothing else. Does not belong here: how a member is read
(fields.py) or how a declaration becomes tables (tables.py).

Postings and totals have a sign: debits are positive, credits negative.
"""

from __future__ import annotations

from typing import Final

from ingest.kernel.fields import count, currency, money, signed_money, text, time
from ingest.kernel.tables import ArtifactType, Child, Hashed, listed, mapped

__all__ = [
    "GL_BATCHES",
    "MONTH_CLOSES",
    "PARTY_STATEMENTS",
    "PAYOUT_INSTRUCTIONS",
    "SETTLEMENT_STATEMENTS",
]

# A month of a busy tenant's ledger is one line; landing takes rows of at most 8 MiB.
_LEDGER_LINE_BYTES: Final = 6 << 20
_ARTIFACT_HASH: Final = Hashed("artifactHash")

SETTLEMENT_STATEMENTS: Final = ArtifactType(
    "settlement_statements",
    fields=(
        text("artifact_id", needed=True),
        text("job_id"),
        money("quote_amount_cents", "settlement.quoteAmountCents"),
        text("currency", "settlement.currency"),
        text("source_event_id"),
        time("generated_at"),
        text("artifact_hash"),
    ),
    key=("artifact_id",),
    schemas=("SettlementStatement.v1",),
    hashed=_ARTIFACT_HASH,
    dated=("generated_at",),
    children=(
        Child(
            "settlement_statement_entries",
            items=listed("settlement.ledgerEntryIds", "ledgerEntryId"),
            inherits=("artifact_id",),
            fields=(text("ledger_entry_id", needed=True),),
            key=("artifact_id", "ledger_entry_id"),
        ),
        Child(
            "settlement_statement_rollups",
            items=listed("settlement.partyRollups"),
            inherits=("artifact_id",),
            fields=(
                text("party_id", needed=True),
                text("party_role"),
                signed_money("fees_cents"),
                signed_money("payout_cents"),
                signed_money("credits_cents"),
                signed_money("net_cents"),
                signed_money("balance_delta_cents"),
            ),
            key=("artifact_id", "party_id"),
        ),
    ),
)

PARTY_STATEMENTS: Final = ArtifactType(
    "party_statements",
    fields=(
        text("artifact_id", needed=True),
        text("party_id", needed=True),
        text("party_role"),
        text("period", needed=True),
        text("basis"),
        text("currency", "statement.currency", needed=True),
        signed_money("payout_cents", "statement.payoutCents", needed=True),
        signed_money("fees_cents", "statement.feesCents"),
        signed_money("credits_cents", "statement.creditsCents"),
        signed_money("net_cents", "statement.netCents"),
        signed_money("balance_delta_cents", "statement.balanceDeltaCents"),
        count("allocation_count", "statement.allocationCount"),
        text("source_event_id"),
        time("generated_at"),
        text("artifact_hash"),
    ),
    key=("artifact_id",),
    schemas=("PartyStatement.v1",),
    hashed=_ARTIFACT_HASH,
    dated=("period",),
    max_line_bytes=_LEDGER_LINE_BYTES,
    children=(
        Child(
            "party_statement_entries",
            items=listed("statement.includedEntryIds", "entryId"),
            inherits=("artifact_id", "party_id", "period"),
            fields=(text("entry_id", needed=True),),
            key=("artifact_id", "entry_id"),
        ),
        Child(
            "party_statement_totals",
            items=mapped("statement.totalsByAccountId", "ledgerAccountId", "amountCents"),
            inherits=("artifact_id", "party_id", "period"),
            fields=(
                text("ledger_account_id", needed=True),
                signed_money("amount_cents", needed=True),
            ),
            key=("artifact_id", "ledger_account_id"),
        ),
    ),
)

GL_BATCHES: Final = ArtifactType(
    "gl_batches",
    fields=(
        text("artifact_id", needed=True),
        text("period", needed=True),
        text("basis"),
        signed_money("total_cents", "batch.totals.totalCents"),
        time("generated_at"),
        text("artifact_hash"),
    ),
    key=("artifact_id",),
    schemas=("GLBatch.v1",),
    hashed=_ARTIFACT_HASH,
    dated=("period",),
    max_line_bytes=_LEDGER_LINE_BYTES,
    children=(
        Child(
            "gl_lines",
            items=listed("batch.lines"),
            inherits=("artifact_id", "period"),
            fields=(
                text("line_id", needed=True),
                text("entry_id"),
                text("posting_id"),
                time("at"),
                text("memo"),
                text("job_id"),
                text("ledger_account_id", "accountId", needed=True),
                text("party_id"),
                text("party_role"),
                text("currency", needed=True),
                signed_money("amount_cents", needed=True),
            ),
            key=("artifact_id", "line_id"),
        ),
    ),
)

PAYOUT_INSTRUCTIONS: Final = ArtifactType(
    "payout_instructions",
    fields=(
        text("artifact_id", needed=True),
        text("party_id", needed=True),
        text("party_role"),
        text("period", needed=True),
        text("payout_key", needed=True),
        money("amount_cents", "payout.amountCents", needed=True),
        currency("payout.currency"),
        text("destination_ref", "payout.destinationRef"),
        text("statement_hash"),
        text("source_event_id"),
        time("generated_at"),
        text("artifact_hash"),
    ),
    key=("artifact_id",),
    schemas=("PayoutInstruction.v1",),
    hashed=_ARTIFACT_HASH,
    links={"statement_hash": "party_statements.artifact_hash"},
    dated=("period",),
)

MONTH_CLOSES: Final = ArtifactType(
    "month_closes",
    fields=(text("period", needed=True), text("status", needed=True), time("closed_at")),
    key=("period",),
    latest_by=("closed_at",),
    dated=("period",),
)
