"""Closing a month and paying it: statements, GL, instructions, links, operations, transfers.

Belongs here: `close_month`, and the payments that follow a payout instruction, each with the faults
that callers may ask for. Does not belong here: sales and holds, or how an artifact is built.

A month is closed once a currency, because the kernel's statements and GL batches hold one each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from ingest.simulator import kernel_finance as finance
from ingest.simulator import kernel_records as records
from ingest.simulator.kernel_artifacts import Artifact, iso
from ingest.simulator.kernel_finance import JournalEntry, MonthClose
from ingest.simulator.partner import Partner, Party, PendingLink

__all__ = [
    "CONFIRMS_AFTER",
    "PAYS_AFTER",
    "Payout",
    "close_month",
    "pay",
    "reissue",
    "request_payout",
    "reverse",
    "send",
]

PAYS_AFTER: Final = timedelta(days=1)
CONFIRMS_AFTER: Final = timedelta(minutes=5)
_INITIATED_BEFORE: Final = timedelta(minutes=5)


@dataclass(slots=True)
class Payout:
    """A payout instruction with what was sent for it; cents are of the party's currency."""

    party: Party
    close: MonthClose
    instruction: Artifact
    links: list[Artifact]
    transfers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return str(self.instruction["payoutKey"])

    @property
    def artifact_id(self) -> str:
        return str(self.instruction["artifactId"])

    @property
    def amount_cents(self) -> int:
        return int(self.instruction["payout"]["amountCents"])

    @property
    def linked_cents(self) -> int:
        """What the sources behind the instruction sum to."""
        return sum(link["amountCents"] for link in self.links)

    @property
    def due_at(self) -> datetime:
        """When the kernel pays it: one day after the close."""
        return self.close.closed_at + PAYS_AFTER


def close_month(partner: Partner, period: str, *, closed_at: datetime) -> list[Payout]:
    """Close a UTC month: export its statements, GL batches, instructions and links.

    Returns:
        One payout a party whose statement owes it something, in order of party id.
    """
    payouts: list[Payout] = []
    month = [entry for entry in partner.entries if iso(entry.at)[:7] == period]
    for currency in sorted({entry.currency for entry in month}):
        suffix = "" if currency == "USD" else f"_{currency.lower()}"
        close = MonthClose(
            tenant_id=partner.tenant_id,
            period=period,
            currency=currency,
            event_id=f"evt_close_{period}{suffix}",
            closed_at=closed_at,
        )
        payouts += _close_currency(partner, close, [e for e in month if e.currency == currency])
    partner.rows["month_closes"].append(
        records.month_close(partner.tenant_id, period=period, closed_at=closed_at)
    )
    return payouts


def _close_currency(
    partner: Partner, close: MonthClose, entries: list[JournalEntry]
) -> list[Payout]:
    roles = {line.party_id: line.party_role for entry in entries for line in entry.postings}
    partner.rows["gl_batches"].append(finance.gl_batch(close, entries))
    pending, waiting = _links_of(partner.pending_links, close)
    partner.pending_links = waiting
    payouts = []
    for party_id in sorted(roles):
        statement = finance.party_statement(close, entries, party_id, roles[party_id])
        partner.rows["party_statements"].append(statement)
        if roles[party_id] == "operator" and statement["statement"]["payoutCents"] > 0:
            links = [link for link in pending if link.party_id == party_id]
            payouts.append(_instruct(partner, close, statement, links))
    return payouts


def _links_of(
    pending: Iterable[PendingLink], close: MonthClose
) -> tuple[list[PendingLink], list[PendingLink]]:
    mine: list[PendingLink] = []
    others: list[PendingLink] = []
    for link in pending:
        belongs = link.currency == close.currency and iso(link.at)[:7] == close.period
        (mine if belongs else others).append(link)
    return mine, others


def _instruct(
    partner: Partner, close: MonthClose, statement: Artifact, pending: list[PendingLink]
) -> Payout:
    instruction = finance.payout_instruction(close, statement)
    links = [
        records.payout_link(
            partner.tenant_id,
            payout_key=instruction["payoutKey"],
            source_type=link.source_type,
            source_id=link.source_id,
            source_hash=link.source_hash,
            amount_cents=link.amount_cents,
            currency=link.currency,
        )
        for link in pending
    ]
    partner.rows["payout_instructions"].append(instruction)
    partner.rows["receipt_payout_links"].extend(links)
    return Payout(partner.parties[statement["partyId"]], close, instruction, links)


def reissue(partner: Partner, payout: Payout, *, at: datetime) -> Payout:
    """Regenerate a statement under a new closing event and instruct the same money again.

    The new statement has another hash, so the new instruction has another payout key: the fault
    that makes a second payment look like a first one.
    """
    close = MonthClose(
        tenant_id=payout.close.tenant_id,
        period=payout.close.period,
        currency=payout.close.currency,
        event_id=f"{payout.close.event_id}_again",
        closed_at=at,
    )
    entries = [
        entry
        for entry in partner.entries
        if iso(entry.at)[:7] == close.period and entry.currency == close.currency
    ]
    party = payout.party
    statement = finance.party_statement(close, entries, party.party_id, party.role)
    partner.rows["party_statements"].append(statement)
    instruction = finance.payout_instruction(close, statement)
    links = [{**link, "payoutKey": instruction["payoutKey"]} for link in payout.links]
    partner.rows["payout_instructions"].append(instruction)
    partner.rows["receipt_payout_links"].extend(links)
    return Payout(party, close, instruction, links)


def send(
    partner: Partner,
    payout: Payout,
    amount_cents: int,
    *,
    at: datetime,
    destination: str | None = None,
    currency: str | None = None,
    referenced: bool = True,
) -> dict[str, Any]:
    """Send a transfer for a payout without booking it; `referenced` as the kernel does."""
    operation_id = f"mop_{payout.key}"
    metadata = partner.metadata(
        operation_id=operation_id, provider_id=records.PROVIDER_ID, payout_key=payout.key
    )
    transfer = partner.rail.create_transfer(
        amount_cents,
        at=at,
        destination=destination or payout.party.account_id,
        currency=(currency or payout.party.currency).lower(),
        transfer_group=payout.key if referenced else None,
        description=f"Nooterra payout {operation_id}" if referenced else None,
        metadata=metadata if referenced else None,
    )
    payout.transfers.append(transfer)
    return transfer


def pay(
    partner: Partner,
    payout: Payout,
    *,
    at: datetime | None = None,
    sent_cents: int | None = None,
    destination: str | None = None,
    currency: str | None = None,
    confirmed: bool = True,
    direction: str = "payout",
    referenced: bool = True,
) -> dict[str, Any]:
    """Pay a payout as the kernel does: operation, transfer, provider events.

    Args:
        at: when the transfer is made; None means one day after the close.
        sent_cents: what the rail sends where that is not the instruction's amount (a fault or the
            first part of a split).
        destination, currency: of the transfer where they are not the party's (faults).
        confirmed: False leaves the operation `submitted`, as the rail's lack of a `transfer.paid`
            event does.
        direction: what the kernel claims; `collection` is a fault.
        referenced: False leaves the transfer without group and metadata (a fault).
    """
    at = at or payout.due_at
    amount_cents = payout.amount_cents if sent_cents is None else sent_cents
    transfer = send(
        partner,
        payout,
        amount_cents,
        at=at,
        destination=destination,
        currency=currency,
        referenced=referenced,
    )
    booked = records.operation(
        payout.instruction,
        account_id=payout.party.account_id,
        initiated_at=at - _INITIATED_BEFORE,
        direction=direction,
    )
    booked |= {
        "state": "submitted",
        "providerRef": transfer["id"],
        "submittedAt": iso(at),
        "updatedAt": iso(at),
    }
    _event(partner, booked, "submitted", at)
    if confirmed:
        confirmed_at = at + CONFIRMS_AFTER
        booked |= {
            "state": "confirmed",
            "confirmedAt": iso(confirmed_at),
            "updatedAt": iso(confirmed_at),
        }
        _event(partner, booked, "confirmed", confirmed_at)
    partner.rows["money_rail_operations"].append(booked)
    return transfer


def reverse(
    partner: Partner,
    payout: Payout,
    amount_cents: int | None = None,
    *,
    at: datetime,
    booked: bool = False,
) -> dict[str, Any]:
    """Reverse a payout's first transfer (None: all of it); `booked` tells the kernel too."""
    reversal = partner.rail.reverse_transfer(payout.transfers[0]["id"], amount_cents, at=at)
    if booked:
        rows = partner.rows["money_rail_operations"]
        position = next(
            i for i, row in enumerate(rows) if row["operationId"] == f"mop_{payout.key}"
        )
        rows[position] = records.reversed_operation(
            rows[position], at=at, reason_code="payout_recalled"
        )
        _event(partner, rows[position], "reversed", at)
    return reversal


def request_payout(
    partner: Partner, payout: Payout, *, at: datetime, counterparty_ref: str | None = None
) -> None:
    """Ask that Tieout pay an instruction."""
    partner.rows["payout_requests"].append(
        records.payout_request(
            partner.tenant_id,
            payout_key=payout.key,
            requested_at=at,
            counterparty_ref=counterparty_ref,
        )
    )


def _event(partner: Partner, operation: Artifact, event_type: str, at: datetime) -> None:
    number = partner.next_number("provider_event")
    partner.rows["money_rail_provider_events"].append(
        records.provider_event(
            operation, event_type=event_type, event_id=f"evt_rail_{number:05d}", at=at
        )
    )
