"""A payout that the kernel has an operation for is paid as that operation says, or held.

The kernel counts a debt as recovered once an operation sets it off; nothing has been paid by then,
so here the debt is still owed and comes off whatever is paid first.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.identities import iso
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

NETTED = {"payoutAmountGrossCents": 8000, "chargebackRecoveryAppliedCents": 2000}
WRONG = "operation differs from its instruction"


def _indebted(world: World, tenant: str) -> Partner:
    """The kernel has a debt of 2000 from before."""
    partner = Partner(world, tenant)
    long_ago = iso(AS_OF - timedelta(days=20))
    partner.operation(partner.key("2025-12"), 2000, "reversed", initiatedAt=long_ago)
    return partner


@planted
def operations(world: World) -> None:
    plain = Partner(world, "t_op_plain")
    plain.operation(plain.pay(), 8000, "initiated")
    netted = _indebted(world, "t_op_netted")
    netted.operation(netted.pay(), 6000, "initiated", metadata=NETTED)
    # The proposal is on one payout; another of the party becomes payable before it.
    first = _indebted(world, "t_op_overtaken")
    first.pay(8000, period="2026-02", instruction={"generatedAt": "2026-04-01T00:00:00.000Z"})
    first.operation(first.pay(8000, period="2026-03"), 6000, "initiated", metadata=NETTED)
    # The recovery was paid under an operation that does not say so, and the export knows no better.
    told = _indebted(world, "t_op_untold")
    paid = told.pay(8000, period="2026-02")
    told.operation(paid, 8000, "initiated")
    told.journal(paid, 6000, "submitted", recovery_cents=2000)
    told.transfer(paid, 6000)
    told.pay(8000, period="2026-03")
    for name, amount, over in (
        ("t_op_amount", 500, {}),
        ("t_op_currency", 8000, {"currency": "EUR"}),
        ("t_op_net", 7000, {"metadata": {"payoutAmountGrossCents": 8000}}),
        ("t_op_unbound", 8000, {"metadata": {"payoutArtifactHash": None}}),
    ):
        partner = Partner(world, name)
        partner.operation(partner.pay(), amount, "initiated", **over)


def _released(warehouse: Warehouse, tenant: str) -> dict[str, tuple[int, int, str | None]]:
    return {
        row["period"]: (row["recovery_cents"], row["release_cents"], row["held_codes"])
        for row in warehouse.gates(tenant).values()
    }


def test_a_sound_operation_is_paid(warehouse: Warehouse) -> None:
    assert _released(warehouse, "t_op_plain") == {"2026-03": (0, 8000, None)}


def test_a_debt_that_an_operation_sets_off_is_recovered_by_paying_it(warehouse: Warehouse) -> None:
    assert _released(warehouse, "t_op_netted") == {"2026-03": (2000, 6000, None)}


def test_a_debt_set_off_in_an_unpaid_operation_is_recovered_once_by_what_is_paid_first(
    warehouse: Warehouse,
) -> None:
    gates = {row["period"]: row for row in warehouse.gates("t_op_overtaken").values()}
    assert (gates["2026-02"]["recovery_cents"], gates["2026-02"]["release_cents"]) == (2000, 6000)
    # What remains to be paid is more than the kernel's operation says: never looser.
    assert gates["2026-03"]["held_codes"] == "OPERATION_AMOUNT_MISMATCH"
    key = gates["2026-03"]["payout_key"]
    (condition,) = warehouse.rows(
        "select * from payout_gate_conditions where payout_key = ? and condition_code = ?",
        key,
        "OPERATION_AMOUNT_MISMATCH",
    )
    assert (condition["observed"], condition["threshold"]) == ("8000", "6000")
    assert condition["original_code"] == "MONEY_RAIL_AMOUNT_MISMATCH"


def test_a_recovery_that_no_operation_says_is_neither_taken_again_nor_a_break(
    warehouse: Warehouse,
) -> None:
    assert _released(warehouse, "t_op_untold")["2026-03"] == (0, 8000, None)


@pytest.mark.parametrize(
    ("tenant", "error"),
    [
        ("t_op_amount", WRONG),
        ("t_op_currency", WRONG),
        ("t_op_net", WRONG),
        ("t_op_unbound", "artifact_hash_missing"),
    ],
)
def test_an_operation_that_does_not_name_what_would_be_paid_is_not_paid(
    warehouse: Warehouse, tenant: str, error: str
) -> None:
    condition = warehouse.condition(tenant, "PAYOUT_BINDING_MISMATCH")
    assert (condition["holds"], condition["observed"]) == (True, error)
    assert condition["original_code"] == "MONEY_RAIL_PAYOUT_BINDING_MISMATCH"
    assert warehouse.gate(tenant)["release_cents"] == 0
