"""Tenants for the traps of the kernel's own lifecycle, each with its numbers.

Belongs here: artifacts written by hand, month by month as the kernel would have left them. Does not
belong here: what the tables must say of them (test_kernel_traps.py).
"""

from __future__ import annotations

from typing import Any

from tests.kernel.conftest import Kernel, make_decision, make_receipt
from tests.warehouse.kernel_cases import (
    RESOLVED,
    Json,
    Month,
    Rows,
    Run,
    adjustment,
    hold,
    sealed,
    settlement,
    write,
)

__all__ = ["COLONS", "arrange_traps"]

COLONS = "pty_customer:cust_demo:period:x"
VERIFIED_AT = "2026-11-02T10:00:00.000Z"


def _receipt(tenant: str, number: str, run: str, **over: Any) -> tuple[Json, Json]:
    """A decision and its receipt of one run, under an id of their own."""
    decision = make_decision(
        number,  # type: ignore[arg-type]
        tenantId=tenant,
        runId=run,
        settlementId=f"setl_{run}",
        decidedAt=VERIFIED_AT,
    )
    reference = {"decisionId": decision["decisionId"], "decisionHash": decision["decisionHash"]}
    receipt = make_receipt(
        number,  # type: ignore[arg-type]
        **{
            "tenantId": tenant,
            "runId": run,
            "settlementId": f"setl_{run}",
            "decisionRef": reference,
            "settledAt": VERIFIED_AT,
            "createdAt": VERIFIED_AT,
            **over,
        },
    )
    return decision, receipt


def _x402(decision: Json, receipt: Json, **over: Any) -> Json:
    return {
        "schemaVersion": "X402ReceiptRecord.v1",
        "receiptId": receipt["receiptId"],
        "gateId": "gate_hb",
        "runId": receipt["runId"],
        "payerAgentId": "agt_payer",
        "providerId": "agt_payee",
        "settlementState": receipt["status"],
        "verificationStatus": "green",
        "settledAt": receipt["settledAt"],
        "createdAt": receipt["createdAt"],
        "updatedAt": receipt["settledAt"],
        "decisionRecord": decision,
        "settlementReceipt": receipt,
        **over,
    }


def _of_run(run: str, **over: Any) -> Json:
    return settlement("x", settlementId=f"setl_{run}", runId=run, **over)


def x402_holdback(kernel: Kernel, tenant: str, stage: int) -> None:
    """The run of 1000 with 20 % held back, at one of its stages.

    1: verified, 800/200, 200 locked again. 2: refunded, a new receipt 0/800 of the same instant.
    3: the held 200 was released to the payee all the same.
    """
    run = "x402_gate_hb"
    first = _receipt(
        tenant,
        "first",
        run,
        amountCents=1000,
        releasedAmountCents=800,
        refundedAmountCents=200,
        releaseRatePct=80,
    )
    refund = _receipt(
        tenant,
        "a_refund",
        run,
        status="refunded",
        amountCents=1000,
        releasedAmountCents=0,
        refundedAmountCents=800,
        releaseRatePct=0,
    )
    state = "released" if stage == 1 else "refunded"
    shown = refund[1] if stage > 1 else first[1]
    records = [_x402(*first, settlementState=state)]
    records += [_x402(*refund)] if stage > 1 else []
    main = _of_run(
        run,
        amountCents=1000,
        status=state,
        releasedAmountCents=800 if stage == 1 else 0,
        refundedAmountCents=200 if stage == 1 else 1000,
        resolvedAt=VERIFIED_AT,
        decisionTrace={"settlementReceipt": {"receiptId": shown["receiptId"]}},
    )
    kept = _of_run(
        f"{run}_holdback",
        amountCents=200,
        status="released" if stage == 3 else "locked",
        releasedAmountCents=200 if stage == 3 else 0,
        resolvedAt="2026-11-09T10:00:00.000Z" if stage == 3 else None,
    )
    month = Month(tenant)
    link = {"payoutKey": month.payout_key, "currency": "USD", "sourceType": "receipt"}
    paid = {**link, "sourceId": first[1]["receiptId"], "amountCents": 8_000}
    write(
        kernel,
        tenant,
        {
            **month.rows(),
            "x402_receipts": records,
            "agent_run_settlements": [main, kept],
            "receipt_payout_links": [{**paid, "sourceHash": first[1]["receiptHash"]}],
        },
    )


def amber(kernel: Kernel) -> None:
    """Two amber runs of 1251: one waits for a person, one was settled half and half at once."""
    tenant = "t_amber"
    locked = _receipt(
        tenant,
        "locked",
        "run_locked",
        status="locked",
        amountCents=1251,
        releasedAmountCents=0,
        refundedAmountCents=0,
        releaseRatePct=0,
        finalityState="pending",
        settledAt=None,
    )
    settled = _receipt(
        tenant,
        "settled",
        "run_settled",
        amountCents=1251,
        releasedAmountCents=625,
        refundedAmountCents=626,
        releaseRatePct=50,
    )
    month = Month(tenant)
    link = {"payoutKey": month.payout_key, "currency": "USD", "sourceType": "receipt"}
    paid = {**link, "sourceId": locked[1]["receiptId"], "amountCents": 8_000}
    rows: Rows = {
        "settlement_decisions": [locked[0], settled[0]],
        "settlement_receipts": [locked[1], settled[1]],
        "receipt_payout_links": [{**paid, "sourceHash": locked[1]["receiptHash"]}],
    }
    write(kernel, tenant, {**month.rows(), **rows})


def ties(kernel: Kernel) -> None:
    """Three receipts of one run and one instant, exported without their settlement."""
    tenant = "t_tie"
    made = [
        _receipt(tenant, name, "run_tie", **over)
        for name, over in (
            ("b_refund", {"status": "refunded", "releasedAmountCents": 0}),
            ("z_first", {"status": "released"}),
            ("c_locked", {"status": "locked", "releasedAmountCents": 0, "settledAt": None}),
        )
    ]
    rows: Rows = {
        "settlement_decisions": [decision for decision, _ in made],
        "settlement_receipts": [receipt for _, receipt in made],
    }
    write(kernel, tenant, rows)


def colons(kernel: Kernel) -> None:
    """A party whose id holds colons and the very word that ends it in a payout key."""
    month = Month("t_colons", COLONS)
    rows = month.rows()
    (instruction,) = rows["payout_instructions"]
    operation = {
        "schemaVersion": "MoneyRailOperation.v1",
        "providerId": "stripe_prod_us",
        "operationId": f"mop_{month.payout_key}",
        "direction": "payout",
        "amountCents": 8_000,
        "currency": "USD",
        "counterpartyRef": f"party:{COLONS}",
        # It says which instruction it is for, and not whose.
        "metadata": {"payoutArtifactHash": instruction["artifactHash"]},
        "state": "initiated",
        "initiatedAt": "2026-11-23T01:00:00.000Z",
        "updatedAt": "2026-11-23T01:00:00.000Z",
    }
    write(kernel, "t_colons", {**rows, "money_rail_operations": [operation]})


def holdbacks(kernel: Kernel) -> None:
    """Two holds of 250: one resolved by an adjustment, one released silently after its window."""
    tenant = "t_silent"
    first, second = Run(tenant, "adjusted"), Run(tenant, "silent")
    adjusted = hold(first.receipt, **RESOLVED)
    silent = hold(second.receipt, **RESOLVED, metadata={"autoReleased": True})
    rows: Rows = {name: [*first.rows[name], *second.rows[name]] for name in first.rows}
    rows |= {
        "funding_holds": [
            hold(first.receipt),
            hold(second.receipt),
            adjusted,
            silent,
        ],
        "settlement_adjustments": [adjustment(adjusted)],
    }
    write(kernel, tenant, rows)


def next_month(kernel: Kernel) -> None:
    """A receipt written at the end of October and settled in November."""
    tenant = "t_crossing"
    crossing = {
        "createdAt": "2026-10-31T23:59:59.000Z",
        "settledAt": "2026-11-01T00:00:01.000Z",
    }
    run = Run(tenant, "late", receipt=crossing)
    month = Month(tenant)
    # The entry booked in October is in no month's ledger; the job's statement still names it.
    job = {
        "schemaVersion": "SettlementStatement.v1",
        "artifactType": "SettlementStatement.v1",
        "artifactId": "settlement_job_1",
        "tenantId": tenant,
        "jobId": "job_1",
        "settlement": {
            "currency": "USD",
            "quoteAmountCents": 10_000,
            "ledgerEntryIds": ["jnl_0", "jnl_1"],
            "partyRollups": [],
        },
        "generatedAt": "2026-11-05T00:00:00.000Z",
    }
    write(
        kernel,
        tenant,
        {**month.rows(), **run.rows, "settlement_statements": [sealed(job, "artifactHash")]},
    )


def capped(kernel: Kernel) -> None:
    """A list that ends exactly at the kernel's silent cap."""
    tenant = "t_capped"
    records = [_x402(*_receipt(tenant, f"{n:04d}", f"run_{n:04d}")) for n in range(1_000)]
    write(kernel, tenant, {**Month(tenant).rows(), "x402_receipts": records})


def arrange_traps(kernel: Kernel) -> None:
    """Writes and signs every tenant of this module."""
    for stage in (1, 2, 3):
        x402_holdback(kernel, f"t_holdback_{stage}", stage)
    amber(kernel)
    ties(kernel)
    colons(kernel)
    holdbacks(kernel)
    next_month(kernel)
    capped(kernel)
