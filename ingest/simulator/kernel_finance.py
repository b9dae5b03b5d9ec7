"""Builders of the kernel's month-end documents: journal entries, statements, GL batch,
instructions.

Belongs here: pure functions from balanced journal entries to the hashed finance artifacts that the
kernel would close a month with. Does not belong here: which entries a month holds, holds and links
(partner.py), or the receipts behind them (kernel_artifacts.py).

Debits are positive and credits negative, always in minor units of one currency a document: where a
tenant has two currencies, its month is closed once a currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ingest.simulator.kernel_artifacts import Artifact, digest, iso, sealed

__all__ = [
    "CASH",
    "ESCROW",
    "OWNER_PAYABLE",
    "REVENUE",
    "JournalEntry",
    "MonthClose",
    "Posting",
    "gl_batch",
    "party_statement",
    "payout_instruction",
    "payout_key",
    "settlement_statement",
]

CASH: Final = "acct_cash"
ESCROW: Final = "acct_customer_escrow"
REVENUE: Final = "acct_platform_revenue"
OWNER_PAYABLE: Final = "acct_owner_payable"


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of a journal entry, already allocated to one party."""

    account_id: str
    party_id: str
    party_role: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A balanced entry of one job; `memo_verb` is what follows the job in its memo."""

    entry_id: str
    at: datetime
    job_id: str
    memo_verb: str
    currency: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        total = sum(posting.amount_cents for posting in self.postings)
        if total or any(posting.amount_cents == 0 for posting in self.postings):
            raise ValueError(f"entry {self.entry_id}: got sum {total}; expected 0 and no zero line")


@dataclass(frozen=True, slots=True)
class MonthClose:
    """One closing event of a tenant's month in one currency."""

    tenant_id: str
    period: str
    currency: str
    event_id: str
    closed_at: datetime

    def header(self, artifact_type: str, artifact_id: str) -> Artifact:
        """Return the fields that every artifact of this close begins with."""
        chain = digest({"event": self.event_id, "tenant": self.tenant_id})
        return {
            "schemaVersion": artifact_type,
            "artifactType": artifact_type,
            "artifactId": artifact_id,
            "tenantId": self.tenant_id,
            "period": self.period,
            "generatedAt": iso(self.closed_at),
            "eventProof": {
                "lastChainHash": chain,
                "eventCount": 1,
                "signatures": {"signedEventCount": 0, "signerKeyIds": []},
            },
            "sourceEventId": self.event_id,
            "atChainHash": chain,
        }


def _lines(entries: Iterable[JournalEntry]) -> list[dict[str, Any]]:
    lines = [
        {
            "lineId": f"{entry.entry_id}:p{number}:{posting.party_id}",
            "entryId": entry.entry_id,
            "postingId": f"p{number}",
            "at": iso(entry.at),
            "memo": f"job:{entry.job_id} {entry.memo_verb}",
            "jobId": entry.job_id,
            "accountId": posting.account_id,
            "partyId": posting.party_id,
            "partyRole": posting.party_role,
            "currency": entry.currency,
            "amountCents": posting.amount_cents,
        }
        for entry in entries
        for number, posting in enumerate(entry.postings)
    ]
    return sorted(lines, key=lambda line: (line["entryId"], line["postingId"], line["partyId"]))


def _totals(lines: Iterable[dict[str, Any]], key: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in lines:
        totals[line[key]] = totals.get(line[key], 0) + line["amountCents"]
    return dict(sorted(totals.items()))


def _figures(by_account: dict[str, int]) -> dict[str, int]:
    fees = -by_account.get(REVENUE, 0)
    payout = -(by_account.get(OWNER_PAYABLE, 0) + by_account.get("acct_operator_payable", 0))
    credit = -by_account.get("acct_customer_credits_payable", 0)
    return {
        "feesCents": fees,
        "payoutCents": payout,
        "creditsCents": credit,
        "netCents": fees + payout + credit,
        "balanceDeltaCents": sum(by_account.values()),
    }


def party_statement(
    close: MonthClose, entries: Sequence[JournalEntry], party_id: str, party_role: str
) -> Artifact:
    """Return the PartyStatement.v1 of one party over the entries of a close."""
    lines = [line for line in _lines(entries) if line["partyId"] == party_id]
    allocated = ("entryId", "postingId", "accountId", "partyId", "partyRole", "currency")
    rows = [
        {**{key: line[key] for key in allocated}, "amountCents": line["amountCents"]}
        for line in lines
    ]
    by_account = _totals(lines, "accountId")
    body = {
        "type": "PartyStatementBody.v1",
        "v": 1,
        "tenantId": close.tenant_id,
        "partyId": party_id,
        "partyRole": party_role,
        "period": close.period,
        "basis": "settledAt",
        "currency": close.currency,
        "allocationCount": len(rows),
        "allocationDigest": digest(rows),
        "includedEntryIds": sorted({line["entryId"] for line in lines}),
        "totalsByAccountId": by_account,
        **_figures(by_account),
    }
    artifact_id = f"pstmt_{close.tenant_id}_{party_id}_{close.period}_{close.event_id}"
    statement = {
        **close.header("PartyStatement.v1", artifact_id),
        "basis": "settledAt",
        "partyId": party_id,
        "partyRole": party_role,
        "statement": body,
    }
    return sealed(statement, "artifactHash")


def gl_batch(close: MonthClose, entries: Sequence[JournalEntry]) -> Artifact:
    """Return the GLBatch.v1 of a close; its lines sum to zero."""
    lines = _lines(entries)
    batch = {
        "type": "GLBatchBody.v1",
        "tenantId": close.tenant_id,
        "period": close.period,
        "basis": "settledAt",
        "generatedAt": iso(close.closed_at),
        "monthClose": {
            "basis": "settledAt",
            "month": close.period,
            "monthCloseEventId": close.event_id,
            "monthlyStatementArtifactHash": digest([close.tenant_id, close.event_id]),
        },
        "totals": {
            "totalCents": sum(line["amountCents"] for line in lines),
            "totalsByAccountId": _totals(lines, "accountId"),
            "totalsByPartyId": _totals(lines, "partyId"),
        },
        "lines": lines,
    }
    artifact_id = f"gl_{close.tenant_id}_{close.period}_{close.event_id}"
    header = close.header("GLBatch.v1", artifact_id)
    return sealed({**header, "basis": "settledAt", "batch": batch}, "artifactHash")


def payout_key(tenant_id: str, party_id: str, period: str, statement_hash: str) -> str:
    """Return the kernel's key of a payout; party ids may hold colons, so parse it anchored."""
    return f"{tenant_id}:party:{party_id}:period:{period}:statement:{statement_hash}"


def payout_instruction(close: MonthClose, statement: Artifact) -> Artifact:
    """Return the PayoutInstruction.v1 for a statement whose payoutCents is positive."""
    party_id, statement_hash = statement["partyId"], statement["artifactHash"]
    artifact_id = f"payout_{close.tenant_id}_{party_id}_{close.period}_{statement_hash}"
    instruction = {
        **close.header("PayoutInstruction.v1", artifact_id),
        "partyId": party_id,
        "partyRole": statement["partyRole"],
        "statementHash": statement_hash,
        "payoutKey": payout_key(close.tenant_id, party_id, close.period, statement_hash),
        "payout": {
            "currency": close.currency,
            "amountCents": statement["statement"]["payoutCents"],
            "destinationRef": None,
        },
    }
    return sealed(instruction, "artifactHash")


def settlement_statement(
    *, tenant_id: str, job_id: str, quote_cents: int, entries: Sequence[JournalEntry], at: datetime
) -> Artifact:
    """Return the SettlementStatement.v1 of one job from the entries it settled with."""
    lines = _lines(entries)
    event_id = f"evt_settled_{job_id}"
    roles = {line["partyId"]: line["partyRole"] for line in lines}
    rollups = [
        {
            "partyId": party_id,
            "partyRole": roles[party_id],
            **_figures(_totals((row for row in lines if row["partyId"] == party_id), "accountId")),
        }
        for party_id in sorted(roles)
    ]
    close = MonthClose(tenant_id, iso(at)[:7], lines[0]["currency"], event_id, at)
    header = close.header("SettlementStatement.v1", f"settlement_{job_id}_{event_id}")
    del header["period"]
    statement = {
        **header,
        "jobId": job_id,
        "jobVersion": 1,
        "settlement": {
            "currency": lines[0]["currency"],
            "quoteAmountCents": quote_cents,
            "operatorCostCents": 0,
            "slaCreditsCents": 0,
            "claimsPaidCents": 0,
            "splitPlanHash": None,
            "partyRollups": rollups,
            "ledgerEntryIds": sorted({line["entryId"] for line in lines}),
            "totalsByAccountId": _totals(lines, "accountId"),
        },
    }
    return sealed(statement, "artifactHash")
