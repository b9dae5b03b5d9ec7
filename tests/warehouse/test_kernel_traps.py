"""Where the kernel's lifecycle misleads, the numbers come out right all the same.

Belongs here: each trap with its numbers. Does not belong here: rules that are broken
(test_kernel_bindings.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.kernel_cases import PERIOD
from tests.warehouse.kernel_traps import COLONS
from tests.warehouse.real_world import RealInput


def run(real: RealInput, tenant_id: str, run_id: str = "x402_gate_hb") -> dict[str, Any]:
    (row,) = real.rows("work.intermediate.int_runs", tenant_id=tenant_id, run_id=run_id)
    return row


def money(row: dict[str, Any]) -> dict[str, int]:
    names = ("entitled", "held", "refunded", "locked", "released_after_refund")
    return {name: row[f"{name}_cents"] for name in names if row[f"{name}_cents"]}


@pytest.mark.parametrize(
    ("stage", "status", "expected"),
    [
        (1, "released", {"entitled": 800, "held": 200}),
        (2, "refunded", {"held": 200, "refunded": 800}),
        (3, "refunded", {"entitled": 200, "refunded": 800, "released_after_refund": 200}),
    ],
)
def test_a_run_of_1000_with_a_fifth_held_back(
    real: RealInput, stage: int, status: str, expected: dict[str, int]
) -> None:
    """The receipts alone know 800; the 200 stand in a settlement without any receipt."""
    row = run(real, f"t_holdback_{stage}")
    assert (row["amount_cents"], row["receipt_status"]) == (1000, status)
    assert money(row) == expected
    receipts = real.rows(
        "work.staging.stg_kernel__settlement_receipts", tenant_id=f"t_holdback_{stage}"
    )
    assert [r["amount_cents"] for r in receipts] == [1000] * (1 if stage == 1 else 2)


def test_the_holdback_without_a_receipt_is_expected_and_explained(real: RealInput) -> None:
    rows = real.rows("artifact_verdicts", tenant_id="t_holdback_1", verdict="explained")
    assert {(row["artifact_id"], row["code"]) for row in rows} == {
        ("setl_x402_gate_hb_holdback", "decision_record_missing"),
        ("setl_x402_gate_hb_holdback", "settlement_receipt_missing"),
    }
    assert real.broken("t_holdback_1") == set()
    assert real.rows("certification_blockers", tenant_id="t_holdback_1") == []


def test_a_holdback_released_after_the_refund_is_named_with_its_200_cents(real: RealInput) -> None:
    (row,) = real.rows(
        "artifact_verdicts", tenant_id="t_holdback_3", code="holdback_released_after_refund"
    )
    assert (row["artifact_id"], row["expected"], row["got"], row["period"]) == (
        "setl_x402_gate_hb_holdback",
        "0",
        "200",
        PERIOD,
    )
    assert real.broken("t_holdback_2") == set()
    (blocker,) = real.rows("certification_blockers", tenant_id="t_holdback_3")
    assert (blocker["period"], blocker["blocker"]) == (PERIOD, "ARTIFACT_UNVERIFIED")


@pytest.mark.parametrize(("stage", "is_held"), [(1, False), (2, True)])
def test_a_receipt_of_a_run_that_was_refunded_since_funds_nothing(
    real: RealInput, stage: int, is_held: bool
) -> None:
    (gate,) = real.rows("payout_gates", tenant_id=f"t_holdback_{stage}")
    assert ("EVIDENCE_UNVERIFIED" in gate["held_codes"].split(",")) is is_held


def test_amber_that_stays_locked_is_owed_to_nobody_and_funds_nothing(real: RealInput) -> None:
    row = run(real, "t_amber", "run_locked")
    assert (row["receipt_status"], money(row)) == ("locked", {"locked": 1251})
    (gate,) = real.rows("payout_gates", tenant_id="t_amber")
    assert "EVIDENCE_UNVERIFIED" in gate["held_codes"].split(",")
    (level,) = real.rows("reconciliation_runs", tenant_id="t_amber", period=PERIOD)
    assert level["mapping_level"] != "receipt"


def test_amber_that_was_settled_is_settled(real: RealInput) -> None:
    row = run(real, "t_amber", "run_settled")
    assert (row["receipt_status"], money(row)) == ("released", {"entitled": 625, "refunded": 626})
    assert real.broken("t_amber") == set()


def test_a_tie_in_time_goes_to_the_refund_and_nothing_is_summed(real: RealInput) -> None:
    row = run(real, "t_tie", "run_tie")
    assert row["receipts_of_run"] == 3
    assert (row["current_receipt_id"], row["amount_cents"]) == ("rcpt_b_refund", 1250)


def test_the_settlements_own_pointer_beats_any_time(real: RealInput) -> None:
    row = run(real, "t_holdback_2")
    assert row["current_receipt_id"] == "rcpt_a_refund"


def test_a_party_id_with_colons_is_read_whole_from_its_payout_key(real: RealInput) -> None:
    (operation,) = real.rows("work.staging.stg_kernel__money_rail_operations", tenant_id="t_colons")
    assert operation["operation_id"] == f"mop_{operation['payout_key']}"
    assert f":party:{COLONS}:period:{PERIOD}:statement:" in operation["payout_key"]
    assert operation["party_id"] == COLONS
    (gate,) = real.rows("payout_gates", tenant_id="t_colons")
    assert (gate["party_id"], gate["period"], gate["gross_cents"]) == (COLONS, PERIOD, 8_000)
    assert "PAYOUT_BINDING_MISMATCH" not in gate["held_codes"].split(",")
    assert real.broken("t_colons") == set()


def test_a_hold_released_without_an_adjustment_leaves_as_one_with(real: RealInput) -> None:
    ties = real.rows("tie_outs", tenant_id="t_silent", tie_out="holdback_rolls_forward")
    assert {row["period"]: (row["left_cents"], row["right_cents"]) for row in ties} == {
        "2026-10": (500, 500),
        "2026-11": (0, 0),
    }
    holds = real.rows("work.staging.stg_kernel__funding_holds", tenant_id="t_silent")
    assert {(row["hold_status"], row["revision"]) for row in holds} == {("released", 1)}
    assert real.broken("t_silent") == set()


def test_a_receipt_counts_in_the_month_it_was_settled_in(real: RealInput) -> None:
    periods = {
        row["artifact_type"]: row["period"]
        for row in real.rows("artifact_verdicts", tenant_id="t_crossing")
        if row["artifact_type"] in ("settlement_receipts", "settlement_decisions")
    }
    assert periods == {"settlement_receipts": "2026-11", "settlement_decisions": "2026-10"}


def test_an_entry_booked_in_one_month_and_settled_in_the_next_breaks_no_identity(
    real: RealInput,
) -> None:
    entries = real.rows(
        "work.staging.stg_kernel__settlement_statement_entries", tenant_id="t_crossing"
    )
    assert {row["ledger_entry_id"] for row in entries} == {"jnl_0", "jnl_1"}
    ties = real.rows("tie_outs", tenant_id="t_crossing")
    assert {row["period"] for row in ties} == {PERIOD}
    assert all(row["holds"] for row in ties)
    (row,) = real.rows("reconciliation_runs", tenant_id="t_crossing", period=PERIOD)
    assert row["mapping_level"] == "ledger"


def test_a_list_that_ends_at_the_silent_cap_leaves_the_tenant_incomplete(real: RealInput) -> None:
    (slice_,) = real.rows("source_coverage", tenant_id="t_capped", endpoint="x402_receipts")
    assert (slice_["rows_read"], slice_["coverage_status"]) == (1000, "partial")
    assert slice_["error_code"] == "list_capped"
    (row,) = real.rows("reconciliation_runs", tenant_id="t_capped", period=PERIOD)
    assert row["verdict"] == "incomplete"
    (blocker,) = real.rows("certification_blockers", tenant_id="t_capped")
    assert (blocker["period"], blocker["blocker"]) == ("all", "SOURCE_INCOMPLETE")


# --- the kernel's own export ----------------------------------------------------------------------


def test_the_kernels_own_export_comes_out_with_its_numbers(real: RealInput, shared: Path) -> None:
    """Its clock was fixed, so the receipt and its refund share one timestamp."""
    amber = run(real, "tenant_default", "x402_gate_amber")
    assert (amber["amount_cents"], money(amber)) == (1251, {"entitled": 625, "refunded": 626})
    kept = run(real, "tenant_default")
    assert (kept["receipts_of_run"], kept["receipt_status"]) == (2, "refunded")
    assert (kept["amount_cents"], kept["entitled_cents"]) == (1000, 0)


def test_an_outer_state_that_says_refunded_leaves_the_inner_receipt_alone(
    real: RealInput, shared: Path
) -> None:
    records = real.rows("work.staging.stg_kernel__x402_receipts", run_id="x402_gate_hb")
    records = [row for row in records if row["tenant_id"] == "tenant_default"]
    assert {row["settlement_state"] for row in records} == {"refunded"}
    receipts = real.rows("work.staging.stg_kernel__settlement_receipts", tenant_id="tenant_default")
    assert {
        (r["receipt_status"], r["released_amount_cents"], r["refunded_amount_cents"])
        for r in receipts
        if r["run_id"] == "x402_gate_hb"
    } == {("released", 800, 200), ("refunded", 0, 800)}


def test_the_finance_pack_ties_out_with_the_numbers_of_the_reference(
    real: RealInput, shared: Path
) -> None:
    lines = real.rows("work.staging.stg_kernel__gl_lines", tenant_id="tenant_default")
    totals: dict[str, int] = {}
    for line in lines:
        account = line["ledger_account_id"]
        totals[account] = totals.get(account, 0) + line["amount_cents"]
    assert (len(lines), sum(abs(line["amount_cents"]) for line in lines)) == (8, 2 * 22_950)
    assert totals == {
        "acct_cash": 10_850,
        "acct_customer_escrow": 0,
        "acct_platform_revenue": -2_170,
        "acct_owner_payable": -8_463,
        "acct_insurance_reserve": -217,
        "acct_sla_credits_expense": 1_250,
        "acct_customer_credits_payable": -1_250,
    }
    statements = real.rows("work.staging.stg_kernel__party_statements", tenant_id="tenant_default")
    assert {
        row["party_id"]: (
            row["balance_delta_cents"],
            row["payout_cents"],
            row["fees_cents"],
            row["credits_cents"],
        )
        for row in statements
    } == {
        "pty_platform": (9_713, 0, 2_170, 0),
        "pty_operator": (-8_463, 8_463, 0, 0),
        "pty_customer:cust_demo": (-1_250, 0, 0, 1_250),
    }
    ties = real.rows("tie_outs", tenant_id="tenant_default", period="2026-01")
    assert [row for row in ties if not row["holds"]] == []
    by_name = {row["tie_out"]: row for row in ties}
    assert by_name["payout_equals_statement"]["left_cents"] == 8_463
    assert (
        by_name["entry_sets_equal"]["left_cents"],
        by_name["entry_sets_equal"]["right_cents"],
    ) == (3, 3)
    assert by_name["balance_delta_is_zero"]["left_cents"] == 0
    (mapping,) = [
        row
        for row in real.rows("work.intermediate.int_payout_mapping", tenant_id="tenant_default")
        if row["gross_cents"]
    ]
    (entry,) = [
        row
        for row in real.rows("work.intermediate.int_ledger_sources", tenant_id="tenant_default")
        if row["owed_cents"]
    ]
    assert (mapping["kernel_reference_type"], entry["owed_cents"]) == ("ledger_entry", 8_463)
