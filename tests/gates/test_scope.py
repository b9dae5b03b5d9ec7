"""A break holds those it bears on and nobody else; what is not yet paid holds nothing."""

from __future__ import annotations

from tests.gates.conftest import Warehouse
from tests.gates.landed import World, planted
from tests.gates.partner import Partner


@planted
def scopes(world: World) -> None:
    overdue = Partner(world, "t_overdue")
    overdue.pay(5000, period="2026-01")
    overdue.pay(6000, period="2026-02")
    overdue.pay(7000, period="2026-03")
    first = Partner(world, "t_neighbours", party="pa")
    first.operation(first.pay(5000, period="2026-02"), 5000, "confirmed")
    first.pay()
    second = Partner(world, "t_neighbours", party="pb", sole=False)
    second.pay()
    large = Partner(world, "t_large")
    large.pay(60_000_00)
    many = Partner(world, "t_many_breaks")
    many.pay()
    stranger = Partner(world, "t_many_breaks", party="px", sole=False)
    for number in range(25):
        stranger.transfer(None, 1001 + number, days_ago=20, meta_payout_key=None)
    astray = Partner(world, "t_astray")
    astray.pay()
    stranger = Partner(world, "t_astray", party="px", sole=False, account={"partyId": None})
    stranger.transfer(None, 4321, meta_payout_key=None)


def test_overdue_instructions_of_ours_do_not_hold_each_other(warehouse: Warehouse) -> None:
    released = [row["release_cents"] for row in warehouse.gates("t_overdue").values()]
    assert sorted(released) == [5000, 6000, 7000]


def test_an_overdue_payout_above_the_days_threshold_does_not_hold_itself(
    warehouse: Warehouse,
) -> None:
    assert warehouse.gate("t_large")["release_cents"] == 60_000_00


def test_too_many_breaks_in_a_day_hold_the_whole_tenant(warehouse: Warehouse) -> None:
    gates = warehouse.gates("t_many_breaks").values()
    assert [row["held_codes"] for row in gates] == ["DAILY_MISMATCH_THRESHOLD"]


def test_a_break_holds_its_party_only(warehouse: Warehouse) -> None:
    gates = warehouse.gates("t_neighbours")
    march = {row["party_id"]: row for key, row in gates.items() if ":2026-03:" in key}
    assert march["pa"]["held_codes"] == "OPEN_BREAK"
    assert march["pb"]["held_codes"] is None


def test_a_break_that_reaches_no_party_holds_the_tenant(warehouse: Warehouse) -> None:
    assert "OPEN_BREAK" in warehouse.held("t_astray")
