"""Held money leaves only when its hold says so, and never after it went back to the payer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.gates.conftest import Warehouse
from tests.gates.landed import World, planted
from tests.gates.partner import Partner

MONTH = "pa_2026-03_USD"


def _receipt(partner: Partner, name: str, amount: int) -> Mapping[str, Any]:
    return {
        "sourceType": "receipt",
        "sourceId": f"rcpt_{name}",
        "sourceHash": partner.receipt_hash(name),
        "amountCents": amount,
    }


def _fee(amount: int) -> Mapping[str, Any]:
    return {"sourceType": "fee", "sourceId": "fee_1", "sourceHash": None, "amountCents": -amount}


@planted
def holds(world: World) -> None:
    inside = Partner(world, "t_hold_inside")
    inside.hold("h", 1000, held_of=MONTH)
    inside.pay()
    left_out = Partner(world, "t_hold_left_out")
    left_out.sale(MONTH, 10_000)
    hold = left_out.hold("h", 1000, held_of=MONTH)
    withheld = {
        "sourceType": "holdback",
        "sourceId": hold,
        "sourceHash": hold,
        "amountCents": -1000,
    }
    left_out.pay(7000, sale=False, links=(_receipt(left_out, MONTH, 10_000), withheld, _fee(2000)))
    _release(world, "t_hold_released", status="released", kind="holdback_release")
    _release(world, "t_hold_early", status="held", kind="holdback_release")
    _release(world, "t_hold_refunded", status="refunded", kind="holdback_refund")
    _release(
        world, "t_hold_sale_refunded", status="released", kind="holdback_release", refunded=True
    )


def _release(world: World, tenant: str, *, status: str, kind: str, refunded: bool = False) -> None:
    """March pays its own sale and the holdback of an earlier one."""
    partner = Partner(world, tenant)
    over = {"status": "refunded"} if refunded else {}
    earlier = "2026-02-10T00:00:00.000Z"
    partner.sale("old", 5000, settledAt=earlier, createdAt=earlier, **over)
    resolved = {"resolvedAt": "2026-04-05T00:00:00.000Z"} if status != "held" else {}
    hold = partner.hold("h", 500, status=status, held_of="old", **resolved)
    link = partner.adjustment("h", 500, kind=kind, hold_hash=hold, held_of="old")
    partner.sale(MONTH, 10_000)
    partner.pay(8500, sale=False, links=(_receipt(partner, MONTH, 10_000), link, _fee(2000)))


def test_an_instruction_with_held_money_inside_waits(warehouse: Warehouse) -> None:
    assert "HOLDBACK_WINDOW_OPEN" in warehouse.held("t_hold_inside")


def test_an_instruction_that_leaves_the_hold_out_is_paid(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_hold_left_out")
    assert (row["held_codes"], row["release_cents"]) == (None, 7000)


def test_a_released_hold_is_paid_in_the_month_of_its_release(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_hold_released")
    assert (row["held_codes"], row["release_cents"]) == (None, 8500)
    assert f"{row['payable_at']:%Y-%m-%d}" == "2026-04-05"


def test_elapsed_time_alone_releases_nothing(warehouse: Warehouse) -> None:
    assert "HOLDBACK_WINDOW_OPEN" in warehouse.held("t_hold_early")


def test_a_refunded_hold_is_not_paid(warehouse: Warehouse) -> None:
    assert "HOLDBACK_AFTER_REFUND" in warehouse.held("t_hold_refunded")


def test_a_hold_released_after_its_sale_was_refunded_is_not_paid(warehouse: Warehouse) -> None:
    assert "HOLDBACK_AFTER_REFUND" in warehouse.held("t_hold_sale_refunded")
