"""The job on data nobody here invented: the kernel's own artifacts and Stripe's own objects.

Belongs here: what must come out of those files and why. Does not belong here: arranging them
(real_world.py), worlds of the simulator.
"""

from __future__ import annotations

import pytest

from tests.warehouse.real_world import RealInput

PAYOUT_KEY = (
    "tenant_default:party:pty_operator:period:2026-01:statement:"
    "dc64fe38404ff8c6005c4d91e5a2c562b343d04ccaff14081c0acfb41aa9e956"
)

pytestmark = pytest.mark.usefixtures("shared")


def test_every_real_artifact_verifies(real: RealInput) -> None:
    verdicts = [
        row
        for row in real.rows("artifact_verdicts")
        if row["tenant_id"] in ("tenant_default", "tenant_vectors")
    ]
    assert len(verdicts) >= 20
    assert [row for row in verdicts if row["verdict"] not in ("verified", "unhashed")] == []


def test_the_real_payout_of_8463_cents_is_a_break_because_the_rail_never_paid_it(
    real: RealInput,
) -> None:
    (row,) = real.rows("reconciliation_drift", tenant_id="tenant_default")
    assert row["reason_code"] == "MISSING_EXTERNAL"
    assert (row["expected_cents"], row["actual_cents"], row["drift_cents"]) == (8463, 0, 8463)
    assert (row["payout_key"], row["party_id"], row["period"]) == (
        PAYOUT_KEY,
        "pty_operator",
        "2026-01",
    )


def test_the_real_month_maps_at_level_ledger_and_its_verdict_is_breaks(real: RealInput) -> None:
    (row,) = real.rows("reconciliation_runs", tenant_id="tenant_default", period="2026-01")
    assert (row["verdict"], row["mapping_level"], row["receipt_mapped_bps"]) == (
        "breaks",
        "ledger",
        0,
    )
    assert (row["gross_cents"], row["unexplained_cents"], row["explained_bps"]) == (8463, 8463, 0)


def test_the_real_ledger_ties_out_with_its_statements_and_payout(real: RealInput) -> None:
    ties = real.rows("tie_outs", tenant_id="tenant_default", period="2026-01")
    count = {
        name: len([row for row in ties if row["tie_out"] == name])
        for name in {row["tie_out"] for row in ties}
    }
    assert count == {
        "ledger_entry_is_zero": 3,
        "ledger_total_equals_lines": 1,
        "ledger_equals_statement": 7,
        "entry_sets_equal": 1,
        "balance_delta_is_zero": 1,
        "payout_equals_statement": 1,
    }
    assert all(row["holds"] for row in ties)


def test_the_real_payout_is_held_without_a_signed_manifest(real: RealInput) -> None:
    (row,) = real.rows("payout_gates", tenant_id="tenant_default")
    assert (row["decision"], row["gross_cents"]) == ("hold", 8463)
    assert "EVIDENCE_UNVERIFIED" in row["held_codes"]


def test_the_real_balance_transaction_belongs_to_the_platform_and_has_no_receipt(
    real: RealInput,
) -> None:
    (movement,) = real.rows("money_movements")
    assert (movement["tenant_id"], movement["amount_cents"], movement["currency"]) == (
        "_platform",
        100,
        "USD",
    )
    assert (movement["outcome"], movement["reason_code"]) == ("break", "MISSING_INTERNAL")
    (row,) = real.rows("reconciliation_runs", tenant_id="_platform")
    assert (row["verdict"], row["mapping_level"]) == ("breaks", "none")


def test_the_real_transfer_without_its_own_balance_transaction_does_not_tie_out(
    real: RealInput,
) -> None:
    (tie,) = real.rows("tie_outs", tie_out="transfer_equals_movement")
    assert (tie["left_cents"], tie["right_cents"], tie["holds"]) == (1100, 0, False)


def test_every_real_bridge_ends_at_nought(real: RealInput) -> None:
    residuals = real.rows("reconciliation_bridge", line_code="residual")
    assert {row["amount_cents"] for row in residuals} == {0}
