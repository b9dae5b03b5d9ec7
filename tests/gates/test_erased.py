"""What the platform moved for an erased tenant is explained by its erasure, and by nothing less."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, PLATFORM, World, planted
from tests.gates.partner import Partner
from tests.gates.rail_side import RailSide

AT = AS_OF - timedelta(days=20)
# Who proposed, approved and signed that it is done; and a line that does not count.
ERASURES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "t_erased": (
        ("propose", "ann", "valid"),
        ("approve", "ben", "valid"),
        ("done", "ben", "valid"),
    ),
    "t_self": (("propose", "ann", "valid"), ("approve", "ann", "valid"), ("done", "ann", "valid")),
    "t_void": (("propose", "ann", "valid"), ("approve", "ben", "void"), ("done", "ann", "valid")),
    "t_begun": (("propose", "ann", "valid"), ("approve", "ben", "valid")),
}


@dataclass
class Unowned(RailSide):
    """The rail's side of a tenant of whom the kernel says nothing any more."""

    world: World
    tenant: str
    party: str = "pa"


def erased(world: World, tenant: str, balance_transaction: str) -> None:
    world.own(
        "erased_movements",
        tenant_id=tenant,
        erasure_id=f"era_{tenant}",
        movement_id=f"{PLATFORM}:{balance_transaction}",
        balance_transaction_id=balance_transaction,
    )


@planted
def erasures(world: World) -> None:
    for tenant, lines in ERASURES.items():
        side = Unowned(world, tenant)
        side.charge("a", 10_000, created=AT)
        side.dispute("a", 4000, at=AT, status="lost")
        erased(world, tenant, f"txn_ch_{tenant}_a")
        erased(world, tenant, f"txn_dp_ch_{tenant}_a_{AT:%m%d%H}_{AT:%m%d%H}_dispute")
        for action, operator, status in lines:
            world.own(
                "erasures",
                seq=len(world.rows["tieout/erasures"]) + 1,
                act_id=f"era_{tenant}",
                action=action,
                tenant_id=tenant,
                operator=operator,
                line_status=status,
                at=AT,
            )
    # After the erasure the customer's bank takes more: nobody but the platform bears it.
    late = AS_OF - timedelta(days=2)
    Unowned(world, "t_erased").dispute("a", 700, at=late, status="lost")
    # A movement that a living tenant owns is its own, whatever an erasure claims of it.
    owner = Partner(world, "t_still_here")
    owner.sale("a", 5_000)
    erased(world, "t_erased", "txn_ch_t_still_here_a")


def outcomes(warehouse: Warehouse, tenant: str) -> dict[str, dict[str, Any]]:
    rows = warehouse.rows(
        "select * from work.intermediate.int_movement_outcomes where charge_id = ?",
        f"ch_{tenant}_a",
    )
    return {f"{row['movement_type']} {abs(row['amount_cents'])}": row for row in rows}


def test_what_moved_for_an_erased_tenant_is_the_platforms_and_no_break(
    warehouse: Warehouse,
) -> None:
    found = outcomes(warehouse, "t_erased")
    for name in ("collection 10000", "dispute 4000"):
        row = found[name]
        assert (row["tenant_id"], row["scope"]) == ("_platform", "rail_internal")
        assert (row["reason_code"], row["break_cents"]) == (None, 0)
        assert row["explained_cents"] == row["amount_cents"]


def test_what_moves_after_the_erasure_is_a_break_and_a_debt_of_its_own(
    warehouse: Warehouse,
) -> None:
    row = outcomes(warehouse, "t_erased")["dispute 700"]
    assert (row["tenant_id"], row["reason_code"]) == ("_platform", "DISPUTE_NOT_BOOKED")
    entries = warehouse.rows(
        "select debt_cents from work.intermediate.int_exposure_entries "
        "where tenant_id = '_platform' and source_id like 'dp_ch_t_erased%' "
        "and entry_kind = 'dispute'"
    )
    assert [entry["debt_cents"] for entry in entries] == [700]


@pytest.mark.parametrize("tenant", ["t_self", "t_void", "t_begun"])
def test_an_erasure_that_two_people_did_not_decide_and_carry_out_explains_nothing(
    warehouse: Warehouse, tenant: str
) -> None:
    found = outcomes(warehouse, tenant)
    codes = {name: row["reason_code"] for name, row in found.items()}
    assert codes == {
        "collection 10000": "MISSING_INTERNAL",
        "dispute 4000": "DISPUTE_NOT_BOOKED",
    }


def test_a_movement_that_a_tenant_owns_is_never_explained_by_anothers_erasure(
    warehouse: Warehouse,
) -> None:
    (row,) = outcomes(warehouse, "t_still_here").values()
    assert (row["tenant_id"], row["scope"]) == ("t_still_here", "kernel_required")
