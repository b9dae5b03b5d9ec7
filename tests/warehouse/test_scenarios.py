"""Every planted fault comes out as its reason code and nothing else does.

Belongs here: the planted truth against the tables. Does not belong here: gates
(test_scenario_gates.py).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.warehouse.conftest import Built

COMPARED = (
    "tenant_id",
    "period",
    "reason_code",
    "outcome",
    "party_id",
    "currency",
    "drift_cents",
    "rail_object_id",
    "kernel_object_id",
    "payout_key",
)


def _fits(planted: dict[str, Any], found: dict[str, Any]) -> bool:
    return all(planted[name] in (None, found[name]) for name in COMPARED)


def test_every_planted_fault_has_its_code_and_nothing_else_is_touched(scenarios: Built) -> None:
    left = scenarios.rows("reconciliation_drift")
    planted = [row for row in scenarios.world.truth if row["reason_code"] != "MATCHED"]
    missed = []
    for row in planted:
        match = next((found for found in left if _fits(row, found)), None)
        if match is None:
            missed.append(row)
        else:
            left.remove(match)
    assert len(planted) > 40
    assert missed == []
    assert left == []


def test_an_explanation_tells_amounts_as_people_write_them(scenarios: Built) -> None:
    places = {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KWD": 3}
    rows = scenarios.rows("reconciliation_drift")
    assert any(row["actual_cents"] % 100 for row in rows)
    assert any(row["actual_cents"] < 0 for row in rows)
    for row in rows:
        expected, found = (
            str(Decimal(row[name]).scaleb(-places[row["currency"]]))
            for name in ("expected_cents", "actual_cents")
        )
        said = f"Expected {expected}, found {found} {row['currency']}. "
        assert said in row["explanation"]


def test_a_clean_tenant_has_no_drift_residual_or_unexplained_cent(scenarios: Built) -> None:
    runs = [
        row for row in scenarios.rows("reconciliation_runs") if row["tenant_id"] == "t_clean_day"
    ]
    assert {(row["verdict"], row["explained_bps"], row["mapping_level"]) for row in runs} == {
        ("reconciled", 10_000, "receipt")
    }
    assert sum(row["gross_cents"] for row in runs) > 0
    assert [
        row for row in scenarios.rows("reconciliation_drift") if row["tenant_id"] == "t_clean_day"
    ] == []


def test_every_bridge_ends_at_nought(scenarios: Built) -> None:
    residuals = [
        row for row in scenarios.rows("reconciliation_bridge") if row["line_code"] == "residual"
    ]
    assert len(residuals) > len(scenarios.world.truth) // 2
    assert {row["amount_cents"] for row in residuals} == {0}


def test_the_rail_side_of_each_bridge_is_the_sum_of_its_balance_transactions(
    scenarios: Built,
) -> None:
    ledger: dict[str, int] = {}
    for transaction in scenarios.world.rail.objects("balance_transaction"):
        currency = transaction["currency"].upper()
        ledger[currency] = ledger.get(currency, 0) + transaction["net"]
    bridged: dict[str, int] = {}
    for row in scenarios.rows("reconciliation_bridge"):
        if row["line_code"] == "rail_total":
            bridged[row["currency"]] = bridged.get(row["currency"], 0) + row["amount_cents"]
    assert bridged == ledger


def test_every_account_balance_ties_out_with_its_movements(scenarios: Built) -> None:
    whole = "balance_equals_movements"
    names = {whole, "available_equals_movements", "pending_equals_movements"}
    balances = [row for row in scenarios.rows("tie_outs") if row["tie_out"] in names]
    assert {row["tie_out"] for row in balances} == names
    assert len(balances) > len(scenarios.world.rail.objects("account")) // 2
    assert [row for row in balances if not row["holds"]] == []


def test_no_verdict_is_better_than_the_evidence_allows(scenarios: Built) -> None:
    order = [
        "incomplete",
        "breaks",
        "reconciled_with_warnings",
        "reconciled_with_pending",
        "reconciled",
    ]
    verdicts: dict[str, list[str]] = {}
    for row in scenarios.rows("reconciliation_runs"):
        verdicts.setdefault(row["tenant_id"], []).append(row["verdict"])
    limits = [row for row in scenarios.world.expectations()["evidence"] if "best_verdict" in row]
    assert len(limits) >= 5
    for row in limits:
        best = order.index(row["best_verdict"])
        assert all(order.index(found) <= best for found in verdicts[row["tenant_id"]]), row


def test_a_lying_artifact_and_a_torn_line_are_listed_with_their_place(scenarios: Built) -> None:
    listed = scenarios.rows("artifact_verdicts")
    for row in scenarios.world.expectations()["evidence"]:
        if "artifact_verdict" in row:
            assert any(
                found["artifact_id"] == row["artifact_id"]
                and found["verdict"] == row["artifact_verdict"]
                for found in listed
            ), row
        if "quarantined_file" in row:
            place = f"{row['tenant_id']}/{row['quarantined_file']}:{row['quarantined_line']}"
            assert any(
                found["artifact_id"] == place and found["verdict"] == "refused" and found["remedy"]
                for found in listed
            ), row
