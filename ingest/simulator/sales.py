"""A sale: the customer's charge on the rail and everything the kernel writes about it.

Belongs here: `sell`, which keeps both faces in agreement unless a caller asks for a fault.
Does not belong here: resolving a hold (holds.py), closing and paying a month (month_end.py).

The money of a sale: the customer is charged the gross amount on the platform; the receipt releases
part of it and refunds the rest; the platform keeps floor(20 %) of what is released; a hold keeps
back floor(20 %) of what is released until it is resolved. What is left is the party's entitlement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ingest.simulator import kernel_artifacts as artifacts
from ingest.simulator import kernel_finance as finance
from ingest.simulator import kernel_records as records
from ingest.simulator.kernel_artifacts import Artifact, digest
from ingest.simulator.kernel_holds import funding_hold
from ingest.simulator.partner import Partner, Party, Sale

__all__ = ["CUSTOMER_AGENT", "FEE_BPS", "HOLDBACK_BPS", "SETTLES_AFTER", "SaleTerms", "sell"]

FEE_BPS: Final = 2_000
HOLDBACK_BPS: Final = 2_000
CUSTOMER_AGENT: Final = "agt_customer"
SETTLES_AFTER: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class SaleTerms:
    """What is special about a sale; the default is a plain one, fully released.

    Attributes:
        released_cents: what the decision releases; None means all of it.
        challenge_days: above 0 a hold keeps 20 % back for so many days.
        x402: the receipt is exported inside an X402 record.
        fee_bps: a fault where it is not 20 %.
        forget_hold: the books credit what the hold should have kept back (a fault).
        charge_cents: what the rail charges where that is not the gross amount (a fault).
        on_rail: False links a charge that never happened (a fault).
        refund_on_rail: False forgets the customer's refund (a fault).
        personal: texts to plant in the charge wherever the rail would carry personal data.
    """

    released_cents: int | None = None
    challenge_days: int = 0
    x402: bool = False
    fee_bps: int = FEE_BPS
    forget_hold: bool = False
    charge_cents: int | None = None
    on_rail: bool = True
    refund_on_rail: bool = True
    personal: Mapping[str, str] | None = None


def sell(
    partner: Partner,
    party: Party,
    amount_cents: int,
    *,
    at: datetime,
    terms: SaleTerms | None = None,
) -> Sale:
    """Sell for a party: charge, receipt, hold, links, journal, and the refund of the rest.

    Args:
        amount_cents: gross, in minor units of the party's currency.
        at: when the customer pays; the receipt settles ten minutes later.
    """
    terms = terms or SaleTerms()
    number = partner.next_number("sale")
    released = amount_cents if terms.released_cents is None else terms.released_cents
    agreement = digest({"callId": f"call_{number:05d}"}) if terms.challenge_days else None
    run_id = f"x402_gate_{number:05d}" if terms.x402 else f"run_{number:05d}"
    if agreement:
        run_id = f"tc_{agreement}"
    receipt = _receipt(
        partner, party, run_id, (amount_cents, released), at + SETTLES_AFTER, agreement
    )
    sale = Sale(
        number=number,
        party=party,
        amount_cents=amount_cents,
        fee_cents=released * terms.fee_bps // 10_000,
        held_cents=0,
        settled_at=at + SETTLES_AFTER,
        receipt=receipt,
        charge_id=_charge(partner, receipt, terms, at),
    )
    if agreement:
        _hold(partner, sale, agreement, terms)
    _link(partner, sale)
    _book(partner, sale)
    _meter(partner, sale)
    if released < amount_cents and terms.on_rail and terms.refund_on_rail:
        partner.rail.refund(
            sale.charge_id,
            amount_cents - released,
            at=at + 2 * SETTLES_AFTER,
            metadata=partner.metadata(receipt_id=sale.receipt_id),
        )
    partner.sales.append(sale)
    return sale


def _receipt(
    partner: Partner,
    party: Party,
    run_id: str,
    amount_and_released: tuple[int, int],
    settled_at: datetime,
    agreement: str | None,
) -> Artifact:
    amount_cents, released_cents = amount_and_released
    status = "green"
    if released_cents < amount_cents:
        status = "amber" if released_cents else "red"
    decision = artifacts.settlement_decision(
        tenant_id=partner.tenant_id,
        run_id=run_id,
        settlement_id=f"setl_{run_id}",
        decision_id=f"dec_setl_{run_id}",
        decided_at=settled_at - timedelta(seconds=1),
        verification_status=status,
        agreement_id=agreement,
        resolution_event_id=f"evt_{run_id}",
    )
    receipt = artifacts.settlement_receipt(
        decision=decision,
        receipt_id=f"rcpt_setl_{run_id}",
        amount_cents=amount_cents,
        released_cents=released_cents,
        refunded_cents=amount_cents - released_cents,
        currency=party.currency,
        settled_at=settled_at,
    )
    settlement = artifacts.run_settlement(
        decision=decision,
        receipt=receipt,
        agent_id=party.agent_id,
        payer_agent_id=CUSTOMER_AGENT,
        locked_at=settled_at - SETTLES_AFTER + timedelta(minutes=1),
        resolved_at=settled_at,
    )
    partner.rows["agent_run_settlements"].append(settlement)
    if run_id.startswith("x402_"):
        record = artifacts.x402_receipt(
            decision=decision,
            receipt=receipt,
            gate_id=run_id.removeprefix("x402_"),
            payer_agent_id=CUSTOMER_AGENT,
            provider_id=party.agent_id,
        )
        partner.rows["x402_receipts"].append(record)
    else:
        partner.rows["settlement_decisions"].append(decision)
        partner.rows["settlement_receipts"].append(receipt)
    return receipt


def _charge(partner: Partner, receipt: Artifact, terms: SaleTerms, at: datetime) -> str:
    if not terms.on_rail:
        return f"ch_1Never{receipt['receiptHash'][:18]}"
    gross_cents = receipt["amountCents"]
    charge = partner.rail.create_charge(
        gross_cents if terms.charge_cents is None else terms.charge_cents,
        at=at,
        currency=receipt["currency"].lower(),
        metadata=partner.metadata(receipt_id=receipt["receiptId"]),
        personal=terms.personal,
    )
    return str(charge["id"])


def _hold(partner: Partner, sale: Sale, agreement: str, terms: SaleTerms) -> None:
    hold = funding_hold(
        receipt=sale.receipt,
        agreement_hash=agreement,
        payer_agent_id=CUSTOMER_AGENT,
        payee_agent_id=sale.party.agent_id,
        holdback_bps=HOLDBACK_BPS,
        challenge_window=timedelta(days=terms.challenge_days),
        created_at=sale.settled_at,
    )
    held, name = hold["heldAmountCents"], hold["holdHash"]
    sale.hold = hold
    sale.held_cents = 0 if terms.forget_hold else held
    partner.rows["funding_holds"].append(hold)
    partner.pend(sale, sale.settled_at, "holdback", name, -held, name)


def _link(partner: Partner, sale: Sale) -> None:
    receipt_hash, at = sale.receipt["receiptHash"], sale.settled_at
    partner.rows["charge_links"].append(
        records.charge_link(
            partner.tenant_id,
            charge_id=sale.charge_id,
            party_id=sale.party.party_id,
            source_type="receipt",
            source_id=sale.receipt_id,
            amount_cents=sale.amount_cents,
            currency=sale.party.currency,
        )
    )
    partner.pend(sale, at, "receipt", sale.receipt_id, sale.released_cents, receipt_hash)
    partner.pend(sale, at, "fee", f"fee_{sale.receipt_id}", -sale.fee_cents, receipt_hash)


def _book(partner: Partner, sale: Sale) -> None:
    gross = sale.amount_cents
    booked = partner.book(
        sale,
        sale.settled_at - SETTLES_AFTER,
        "BOOKED",
        {finance.CASH: gross, finance.ESCROW: -gross},
    )
    # What is held stays in the customer's escrow until the hold is resolved.
    settled = partner.book(
        sale,
        sale.settled_at,
        "SETTLED",
        {
            finance.ESCROW: gross - sale.held_cents,
            finance.CASH: sale.released_cents - gross,
            finance.REVENUE: -sale.fee_cents,
            finance.OWNER_PAYABLE: -sale.entitled_cents,
        },
    )
    partner.rows["settlement_statements"].append(
        finance.settlement_statement(
            tenant_id=partner.tenant_id,
            job_id=sale.job_id,
            quote_cents=gross,
            entries=(booked, settled),
            at=sale.settled_at,
        )
    )


def _meter(partner: Partner, sale: Sale) -> None:
    for event_type, cents in (("verified_run", 0), ("settled_volume", sale.released_cents)):
        partner.rows["billable_events"].append(
            records.billable_event(
                partner.tenant_id,
                event_id=f"bevt_{event_type}_{sale.number:05d}",
                event_type=event_type,
                amount_cents=cents,
                currency=sale.party.currency,
                at=sale.settled_at,
            )
        )
