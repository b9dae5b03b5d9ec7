"""What the original would answer is reproduced case by case, and our decision is never looser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.gates.conftest import Warehouse
from tests.gates.landed import World, planted
from tests.gates.original import add_exposure_case, add_gate_case, gate_tenant, recorded_time

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
GATE_CASES: list[dict[str, Any]] = json.loads((VECTORS / "payout_gates.json").read_text())
EXPOSURE_CASES: list[dict[str, Any]] = json.loads(
    (VECTORS / "chargeback_exposure.json").read_text()
)


@planted
def recorded_cases(world: World) -> None:
    for case in GATE_CASES:
        add_gate_case(world, case)
    for case in EXPOSURE_CASES:
        add_exposure_case(world, case)


def test_all_recorded_enqueue_answers_are_reproduced(warehouse: Warehouse) -> None:
    rows = {row["tenant_id"]: row for row in warehouse.rows("select * from payout_gates")}
    answers = {
        case["case"]: (
            rows[gate_tenant(case["case"])]["kernel_code"],
            rows[gate_tenant(case["case"])]["kernel_reason"],
            rows[gate_tenant(case["case"])]["kernel_amount_cents"],
            rows[gate_tenant(case["case"])]["kernel_counterparty_ref"],
        )
        for case in GATE_CASES
    }
    recorded = {
        case["case"]: tuple(
            case["expected"][name] for name in ("code", "reason", "amountCents", "counterpartyRef")
        )
        for case in GATE_CASES
    }
    assert len(answers) == 240
    assert answers == recorded


def test_all_recorded_recoveries_are_reproduced(warehouse: Warehouse) -> None:
    kernel = {
        row["tenant_id"]: row
        for row in warehouse.rows("select * from work.intermediate.int_kernel_gates")
    }
    for case in GATE_CASES:
        recorded = case["expected"]["chargeback"]
        if recorded and recorded["policyEnabled"]:
            row = kernel[gate_tenant(case["case"])]
            assert row["kernel_outstanding_cents"] == recorded["outstandingBeforeCents"]
            assert row["kernel_recovery_cents"] == recorded["recoveryAppliedCents"]


def test_all_recorded_exposure_queries_are_reproduced(warehouse: Warehouse) -> None:
    rows = warehouse.rows("select * from work.intermediate.int_kernel_exposure where is_listed")
    for case in EXPOSURE_CASES:
        tenant = f"t_exposure_{case['case']:02d}"
        for period, expected in case["expected"].items():
            found = [
                row for row in rows if (row["tenant_id"], row["query_period"]) == (tenant, period)
            ]
            assert sorted(map(_answer, found)) == sorted(map(_recorded, expected["parties"])), (
                tenant,
                period,
            )
            assert (
                sum(row["outstanding_cents"] for row in found)
                == (expected["summary"]["totalOutstandingCents"])
            )


def test_the_public_exposure_row_carries_the_original_figure(warehouse: Warehouse) -> None:
    case = next(case for case in EXPOSURE_CASES if case["expected"]["all"]["parties"])
    party = case["expected"]["all"]["parties"][0]
    row = warehouse.exposure(f"t_exposure_{case['case']:02d}", party["partyId"])
    assert row["kernel_outstanding_cents"] == party["outstandingCents"]


def test_a_decision_is_never_looser_than_the_original(warehouse: Warehouse) -> None:
    loose = warehouse.rows(
        "select payout_key from payout_gates where kernel_code is not null and decision <> 'hold'"
    )
    assert loose == []


def test_the_condition_that_the_original_names_holds_here_too(warehouse: Warehouse) -> None:
    silent = warehouse.rows(
        """
        select gates.payout_key, gates.kernel_code
        from payout_gates as gates
        left join payout_gate_conditions as conditions
            on gates.tenant_id = conditions.tenant_id
            and gates.payout_key = conditions.payout_key
            and gates.kernel_code = conditions.original_code
            and conditions.holds
        where gates.kernel_code is not null and conditions.condition_code is null
        """
    )
    assert silent == []


def _answer(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["party_id"],
        row["outstanding_cents"],
        row["reversed_cents"],
        row["recovered_cents"],
        row["reversed_count"],
        row["recovery_count"],
        row["latest_reversed_at"],
        row["kernel_status"],
    )


def _recorded(party: dict[str, Any]) -> tuple[Any, ...]:
    return (
        party["partyId"],
        party["outstandingCents"],
        party["totalReversedAmountCents"],
        party["totalRecoveredCents"],
        party["reversedCount"],
        party["recoveryCount"],
        recorded_time(party["latestReversedAt"]),
        party["status"],
    )
