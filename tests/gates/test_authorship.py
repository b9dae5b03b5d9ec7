"""What no trusted key vouches for funds no payout, lessens no exposure and replaces nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

DAY = timedelta(days=1)
# Each of these tenants differs from one that is paid by one table that no signed export carried.
BEARING = (
    "settlement_receipts",
    "receipt_payout_links",
    "party_statements",
    "payout_instructions",
    "payout_requests",
    "tenant_profiles",
    "money_rail_controls",
    "money_rail_providers",
    "month_closes",
    "connect_accounts",
)
FUNDING = ("settlement_receipts", "receipt_payout_links")


def _tenant(table: str) -> str:
    return f"t_stray_{table}"


def _disown(world: World, tenant: str, table: str) -> None:
    rows = [row for row in world.rows[f"kernel/{table}"] if row["tenant_id"] == tenant]
    assert rows, (tenant, table)
    for row in rows:
        row["is_vouched"] = False


@planted
def stray_facts(world: World) -> None:
    for table in BEARING:
        Partner(world, _tenant(table)).pay()
        _disown(world, _tenant(table), table)
    ledger = Partner(world, "t_stray_ledger")
    ledger.pay(links=())
    _disown(world, "t_stray_ledger", "party_statements")


@planted
def forged_successors(world: World) -> None:
    paid = Partner(world, "t_forged_profile", profile={"payer": "kernel"})
    paid.pay()
    profile = {"merchantOfRecord": "platform", "chargeModel": "separate", "payer": "tieout"}
    forged = {**profile, "payFromPeriod": "2026-01"}
    world.artifact("tenant_profiles", "t_forged_profile", forged, is_vouched=False)
    killed = Partner(world, "t_forged_controls", controls={"payoutKillSwitch": True})
    killed.pay()
    controls = {"realMoneyEnabled": True, "payoutKillSwitch": False, "degradedMode": None}
    late = {**controls, "updatedAt": "2099-01-01T00:00:00.000Z"}
    world.artifact("money_rail_controls", "t_forged_controls", late, is_vouched=False)


@planted
def forged_relief(world: World) -> None:
    for tenant, held in (("t_hold_signed", True), ("t_held_back_stray", False)):
        partner = Partner(world, tenant)
        partner.sale("a", 10_000)
        partner.dispute("a", 4000, fee=0)
        partner.hold("h", 1500, held_of="a")
        if not held:
            _disown(world, tenant, "funding_holds")
    for tenant, signed in (("t_cover_signed", True), ("t_covered_stray", False)):
        partner = Partner(world, tenant)
        partner.sale("a", 10_000, released=9000, status="released")
        partner.refund("a", 1000, at=AS_OF - 9 * DAY)
        if not signed:
            _disown(world, tenant, "settlement_receipts")
    for tenant, signed in (("t_netting_signed", True), ("t_netting_stray", False)):
        partner = Partner(world, tenant)
        key = partner.pay(8000, period="2026-02")
        partner.dispute("pa_2026-02_USD", 4000, fee=0, at=AS_OF - 40 * DAY, status="lost")
        recovered = {"payoutAmountGrossCents": 8000, "chargebackRecoveryAppliedCents": 3000}
        partner.operation(key, 5000, "confirmed", metadata=recovered)
        if not signed:
            _disown(world, tenant, "money_rail_operations")
    owed = Partner(world, "t_owed_signed")
    owed.sale("a", 10_000)
    owed.dispute("a", 4000, fee=0)
    link = {"chargeId": owed.charge_id("a"), "sourceType": "receipt", "currency": "USD"}
    other = {**link, "partyId": "pb", "sourceId": "rcpt_b", "amountCents": 90_000}
    world.artifact("charge_links", "t_owed_signed", other, is_vouched=False)


@pytest.mark.parametrize("table", BEARING)
def test_a_payout_that_rests_on_what_nobody_signed_is_held(
    warehouse: Warehouse, table: str
) -> None:
    held = warehouse.held(_tenant(table))
    if table == "connect_accounts":
        # An account that nobody vouches for is none, so there is nowhere to pay to.
        assert "STRIPE_CONNECT_ACCOUNT_REQUIRED" in held or "DESTINATION_MISMATCH" in held
        return
    assert "EVIDENCE_UNVERIFIED" in held
    assert ("UNFUNDED_PAYOUT" in held) == (table in FUNDING)


def test_a_statement_that_nobody_signed_funds_nothing_without_links(warehouse: Warehouse) -> None:
    assert {"EVIDENCE_UNVERIFIED", "UNFUNDED_PAYOUT"} <= warehouse.held("t_stray_ledger")


def test_an_unsigned_profile_makes_nobody_the_payer(warehouse: Warehouse) -> None:
    assert warehouse.held("t_forged_profile") == {"PAYER_NOT_TIEOUT"}


def test_unsigned_controls_of_a_later_date_disarm_nothing(warehouse: Warehouse) -> None:
    assert "PAYOUT_KILL_SWITCH_ACTIVE" in warehouse.held("t_forged_controls")


@pytest.mark.parametrize(
    ("signed", "stray", "column", "amounts"),
    [
        ("t_hold_signed", "t_held_back_stray", "uncovered_cents", (2500, 4000)),
        ("t_cover_signed", "t_covered_stray", "outstanding_cents", (0, 1000)),
        ("t_netting_signed", "t_netting_stray", "outstanding_cents", (1000, 4000)),
    ],
)
def test_what_nobody_signed_lessens_no_exposure(
    warehouse: Warehouse, signed: str, stray: str, column: str, amounts: tuple[int, int]
) -> None:
    found = tuple(_exposure(warehouse, tenant, column) for tenant in (signed, stray))
    assert found == amounts


def test_an_unsigned_link_takes_no_share_of_a_partys_debt(warehouse: Warehouse) -> None:
    assert _exposure(warehouse, "t_owed_signed", "outstanding_cents") == 4000


def _exposure(warehouse: Warehouse, tenant: str, column: str) -> int:
    query = "select * from chargeback_exposure where tenant_id = ? and party_id = 'pa'"
    rows = warehouse.rows(query, tenant)
    return int(rows[0][column]) if rows else 0
