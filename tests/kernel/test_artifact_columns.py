"""What is read from one artifact: carried artifacts, old and new names, absent and null."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.kernel.conftest import Kernel, Warehouse, plain_hash

Make = Callable[..., dict[str, Any]]
Json = dict[str, Any]


def operation(**over: Any) -> Json:
    return {
        "schemaVersion": "MoneyRailOperation.v1",
        "providerId": "stripe_prod_us",
        "operationId": "mop_t_acme:party:pty_1:period:2026-10:statement:" + "c" * 64,
        "tenantId": "t_acme",
        "direction": "payout",
        "amountCents": 100,
        "currency": "USD",
        "counterpartyRef": "stripe_connect:acct_1",
        "metadata": {},
        "state": "initiated",
        "initiatedAt": "2026-11-01T00:00:00.000Z",
        "updatedAt": "2026-11-01T00:00:00.000Z",
        **over,
    }


def controls(**over: Any) -> Json:
    return {
        "schemaVersion": "MoneyRailControls.v1",
        "tenantId": "t_acme",
        "realMoneyEnabled": True,
        "payoutKillSwitch": False,
        "updatedAt": "2026-11-01T00:00:00.000Z",
        **over,
    }


def test_an_x402_record_lands_with_what_it_carries(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, decision: Make
) -> None:
    event = {
        "schemaVersion": "X402GateReversalEvent.v1",
        "eventId": "x402rev_1",
        "tenantId": "t_acme",
        "gateId": "gate_1",
        "receiptId": "rcpt_1",
        "action": "request_refund",
        "eventType": "refund_requested",
        "occurredAt": "2026-10-06T00:00:00.000Z",
    }
    event["eventHash"] = plain_hash(event)
    record = {
        "schemaVersion": "X402ReceiptRecord.v1",
        "tenantId": "t_acme",
        "receiptId": "rcpt_1",
        "gateId": "gate_1",
        "runId": "run_1",
        "payerAgentId": "agt_payer",
        "providerId": "agt_payee",
        "settlementState": "refunded",
        "updatedAt": "2026-10-06T00:00:00.000Z",
        "decisionRecord": decision(1),
        "settlementReceipt": receipt(1),
        "reversalEvents": [event],
    }
    kernel.write("x402_receipts", [record])
    kernel.write("settlement_receipts", [receipt(1), receipt(2)])
    warehouse.land()
    origins = {(r["receipt_id"], r["origin"]) for r in warehouse.rows("settlement_receipts")}
    assert origins == {("rcpt_1", "x402"), ("rcpt_1", "export"), ("rcpt_2", "export")}
    (landed,) = warehouse.rows("settlement_decisions")
    assert (landed["decision_id"], landed["origin"]) == ("dec_1", "x402")
    (envelope,) = warehouse.rows("x402_receipts")
    assert (envelope["settlement_state"], envelope["verdict"]) == ("refunded", "unhashed")
    (reversal,) = warehouse.rows("x402_reversal_events")
    assert (reversal["event_hash"], reversal["verdict"]) == (event["eventHash"], "verified")
    assert warehouse.land().rows_landed == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"receiptId": "rcpt_2"}, "x402_receipt_id_mismatch"),
        ({"runId": "run_2"}, "x402_run_id_mismatch"),
        ({"decisionRecord": None}, "decision_record_missing"),
        ({"settlementReceipt": None}, "settlement_receipt_missing"),
    ],
)
def test_an_x402_record_whose_parts_do_not_belong_together_is_a_mismatch(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, decision: Make, change: Json, code: str
) -> None:
    record = {
        "tenantId": "t_acme",
        "receiptId": "rcpt_1",
        "runId": "run_1",
        "decisionRecord": decision(1),
        "settlementReceipt": receipt(1),
        **change,
    }
    kernel.write("x402_receipts", [record])
    warehouse.land()
    (row,) = warehouse.rows("x402_receipts")
    assert row["verdict"] == "mismatch"
    (entry,) = warehouse.quarantine()
    assert (entry["code"], entry["line"]) == (code, 1)


def test_an_x402_receipt_of_another_decision_is_a_mismatch(
    kernel: Kernel, warehouse: Warehouse, receipt: Make, decision: Make
) -> None:
    forged = decision(1, verificationStatus="red")
    record = {
        "tenantId": "t_acme",
        "receiptId": "rcpt_1",
        "runId": "run_1",
        "decisionRecord": forged,
        "settlementReceipt": receipt(1),
    }
    kernel.write("x402_receipts", [record])
    warehouse.land()
    assert warehouse.rows("settlement_decisions")[0]["verdict"] == "verified"
    (entry,) = warehouse.quarantine()
    assert entry["code"] == "settlement_receipt_decision_hash_mismatch"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"payoutKey": "k", "partyId": "p", "period": "2026-10"}, ("k", "p", "2026-10")),
        (
            {"nooterra_payout_key": "k", "nooterra_party_id": "p", "nooterra_period": "2026-10"},
            ("k", "p", "2026-10"),
        ),
        (
            {"settld_payout_key": "k", "settld_party_id": "p", "settld_period": "2026-10"},
            ("k", "p", "2026-10"),
        ),
        ({"settld_payout_key": "old", "nooterra_payout_key": "new"}, ("new", None, None)),
        (None, ("t_acme:party:pty_1:period:2026-10:statement:" + "c" * 64, None, None)),
    ],
    ids=["kernel", "nooterra", "settld", "both", "neither"],
)
def test_both_names_of_the_kernel_are_read_in_an_operations_metadata(
    kernel: Kernel, warehouse: Warehouse, metadata: Json | None, expected: tuple[str, str, str]
) -> None:
    kernel.write("money_rail_operations", [operation(metadata=metadata)])
    warehouse.land()
    (row,) = warehouse.rows("money_rail_operations")
    assert (row["payout_key"], row["party_id"], row["period"]) == expected


def test_both_names_of_a_verifier_are_landed_verbatim(
    kernel: Kernel, warehouse: Warehouse, decision: Make
) -> None:
    for number, name in enumerate(("settld.x402", "nooterra.x402"), start=1):
        lines = [decision(number, verifierRef={"verifierId": name})]
        kernel.write("settlement_decisions", lines, name=f"settlement_decisions/{number}.jsonl")
    warehouse.land()
    kept = [json.loads(r["canonical_json"]) for r in warehouse.rows("settlement_decisions")]
    assert [k["verifierRef"]["verifierId"] for k in kept] == ["settld.x402", "nooterra.x402"]


def test_a_party_may_stand_in_the_counterparty_reference(
    kernel: Kernel, warehouse: Warehouse
) -> None:
    kernel.write("money_rail_operations", [operation(counterpartyRef="party:pty_x:y")])
    warehouse.land()
    assert warehouse.rows("money_rail_operations")[0]["party_id"] == "pty_x:y"


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({}, (None, False, None, None)),
        ({"maxPayoutAmountCents": None, "allowedProviderIds": None}, (None, True, None, None)),
        ({"maxPayoutAmountCents": 0, "allowedProviderIds": []}, (0, True, "|", None)),
        (
            {
                "maxPayoutAmountCents": 5,
                "allowedProviderIds": ["b", "a", "b"],
                "emergency": {"code": "EMERGENCY_KILL_SWITCH_ACTIVE"},
            },
            (5, True, "|a|b|", "EMERGENCY_KILL_SWITCH_ACTIVE"),
        ),
        ({"emergency": True}, (None, False, None, "EMERGENCY_UNKNOWN")),
    ],
    ids=["absent", "null", "zero", "set", "odd emergency"],
)
def test_absent_null_and_zero_controls_are_told_apart(
    kernel: Kernel, warehouse: Warehouse, over: Json, expected: tuple[object, ...]
) -> None:
    kernel.write("money_rail_controls", [controls(**over)])
    warehouse.land()
    (row,) = warehouse.rows("money_rail_controls")
    found = tuple(
        row[name]
        for name in (
            "max_payout_amount_cents",
            "max_payout_amount_present",
            "allowed_provider_ids",
            "emergency_code",
        )
    )
    assert found == expected


def test_the_controls_accounts_land_as_connect_accounts(
    kernel: Kernel, warehouse: Warehouse
) -> None:
    accounts = [
        {"accountId": "acct_1", "partyId": "pty_1", "payoutsEnabled": True, "status": "active"},
        {"accountId": "acct_2", "partyId": "pty_2", "payoutsEnabled": False, "status": "disabled"},
    ]
    kernel.write("money_rail_controls", [controls(connect={"enabled": True, "accounts": accounts})])
    warehouse.land()
    rows = warehouse.rows("connect_accounts")
    assert [(r["account_id"], r["party_id"], r["payouts_enabled"]) for r in rows] == [
        ("acct_1", "pty_1", True),
        ("acct_2", "pty_2", False),
    ]
