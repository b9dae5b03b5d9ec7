"""What the original let through is held here, each by the name under which it is known."""

from __future__ import annotations

from datetime import timedelta

from tests.gates.conftest import Warehouse
from tests.gates.identities import iso
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner


@planted
def weak_spots(world: World) -> None:
    free = Partner(world, "t_w4", account=None, controls={"connect": {"enabled": False}})
    free.pay(request={"counterpartyRef": "stripe_connect:acct_of_somebody"})
    many = Partner(world, "t_w5")
    many.pay()
    for number in range(205):
        state = "reversed" if number == 204 else "confirmed"
        amount = 5000 if number == 204 else 1
        key = many.key("2025-11", edition=f"{number:03d}")
        many.operation(key, amount, state, operationId=f"mop_{number:03d}")
    cancelled = Partner(world, "t_w8")
    key = cancelled.pay()
    cancelled.operation(key, 8000, "cancelled")
    cancelled.transfer(key, 8000)
    restricted = Partner(world, "t_w3", account={"kybStatus": "restricted"})
    restricted.pay()
    closed = Partner(world, "t_w3_transfers", account={"transfersEnabled": False})
    closed.pay()
    bound = Partner(world, "t_late_binding")
    bound.operation(bound.pay(), 8000, "initiated", metadata={"payoutArtifactHash": "0" * 64})
    replayed = Partner(world, "t_w13", controls={"dailyPayoutLimitCents": 8000})
    at = iso(AS_OF - timedelta(hours=3))
    replayed.operation(replayed.pay(), 8000, "initiated", initiatedAt=at)
    for tenant in ("t_claim_a", "t_claim_b"):
        claimant = Partner(world, tenant, account={"accountId": "acct_claimed_twice"})
        claimant.pay()
    world.rail(
        "accounts", id="acct_claimed_twice", payouts_enabled=True, capability_transfers="active"
    )
    lying = Partner(world, "t_lying_statement")
    lying.pay()
    for row in world.rows["kernel/party_statements"]:
        if row["tenant_id"] == "t_lying_statement":
            row["verdict"] = "mismatch"


def test_w3_standing_of_the_account_is_checked_before_anything_leaves(
    warehouse: Warehouse,
) -> None:
    assert warehouse.held("t_w3") == {"ACCOUNT_NOT_CAPABLE"}
    assert warehouse.held("t_w3_transfers") == {"ACCOUNT_NOT_CAPABLE"}


def test_w4_a_callers_account_is_not_paid_when_connect_is_off(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_w4")
    assert (row["kernel_code"], row["decision"]) == (None, "hold")
    assert row["kernel_counterparty_ref"] == "stripe_connect:acct_of_somebody"
    assert "STRIPE_CONNECT_ACCOUNT_REQUIRED" in warehouse.held("t_w4")


def test_w5_no_operation_beyond_the_two_hundredth_is_forgotten(warehouse: Warehouse) -> None:
    assert warehouse.exposure("t_w5")["kernel_outstanding_cents"] == 5000


def test_w8_a_transfer_cancelled_only_in_the_books_is_paid(warehouse: Warehouse) -> None:
    assert {"ALREADY_PAID", "OPERATION_TERMINAL"} <= warehouse.held("t_w8")


def test_w13_a_replayed_payout_is_not_counted_against_itself(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_w13")
    assert (row["kernel_code"], row["held_codes"], row["release_cents"]) == (None, None, 8000)


def test_an_operation_over_another_artifact_is_not_paid(warehouse: Warehouse) -> None:
    condition = warehouse.condition("t_late_binding", "PAYOUT_BINDING_MISMATCH")
    assert condition["holds"]
    assert condition["observed"] == "artifact_hash_mismatch"
    assert condition["original_code"] == "MONEY_RAIL_PAYOUT_BINDING_MISMATCH"


def test_an_account_that_two_tenants_claim_receives_nothing(warehouse: Warehouse) -> None:
    for tenant in ("t_claim_a", "t_claim_b"):
        assert "ACCOUNT_NOT_CAPABLE" in warehouse.held(tenant)


def test_a_statement_whose_hash_lies_proves_nothing(warehouse: Warehouse) -> None:
    assert "EVIDENCE_UNVERIFIED" in warehouse.held("t_lying_statement")
