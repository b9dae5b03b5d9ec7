"""Open items roll forward: nothing that was said of a month changes because of what came later."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.gates.conftest import Warehouse
from tests.gates.landed import PLATFORM, World, planted
from tests.gates.partner import Partner
from tests.mutation.history import break_id

DAYS_AGO = 50


@planted
def given_up_and_taken_back(world: World) -> None:
    partner = Partner(world, "r_taken_back")
    transfer_id = partner.transfer(None, 700, days_ago=DAYS_AGO)
    given = {
        "entry_kind": "write_off",
        "break_id": break_id("r_taken_back", "movement", f"{PLATFORM}:txn_{transfer_id}", "USD"),
        "drift_cents": -700,
        "amount_cents": 700,
        "currency": "USD",
    }
    march, april = (datetime(2026, month, 10, tzinfo=UTC) for month in (3, 4))
    partner.act("write_offs", "propose", "wof_r", at=march, **given)
    partner.act("write_offs", "approve", "wof_r", by="op_b", at=march)
    partner.act("write_offs", "revoke", "wof_r", by="op_c", at=april)


def _months(warehouse: Warehouse, tenant: str) -> dict[str, tuple[int, ...]]:
    rows = warehouse.rows(
        "select * from open_item_rollforward where tenant_id = ? order by period", tenant
    )
    assert {row["residual_cents"] for row in rows} == {0}
    names = ("opening", "new", "cleared", "written_off", "closing")
    return {row["period"]: tuple(row[f"{name}_cents"] for name in names) for row in rows}


def test_a_revoked_write_off_is_reversed_in_the_month_of_its_revocation(
    warehouse: Warehouse,
) -> None:
    assert _months(warehouse, "r_taken_back") == {
        "2026-02": (0, 700, 0, 0, 700),
        "2026-03": (700, 0, 0, 700, 0),
        "2026-04": (0, 0, 0, -700, 700),
    }
