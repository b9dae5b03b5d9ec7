"""What the original let through is held here, each by the name under which it is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

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
    # Debt 2000 against 1500 three times, the first already consumed and journaled.
    recorded = Partner(world, "t_w1_recorded")
    debt_key = recorded.pay(1500, period="2026-01")
    recorded.dispute("pa_2026-01_USD", 2000, fee=0, at=AS_OF - timedelta(days=10), status="lost")
    recorded.journal(debt_key, 0, "submitted", recovery_cents=1500)
    for day, period in ((4, "2026-02"), (5, "2026-03")):
        at = {"generatedAt": f"2026-04-{day:02d}T00:00:00.000Z"}
        recorded.pay(1500, period=period, instruction=at)
    second = Partner(world, "t_w6")
    second.operation(second.key("2025-12"), 2000, "reversed", providerId="stripe_second")
    second.pay()
    spent = Partner(world, "t_w6_day", controls={"dailyPayoutLimitCents": 8000})
    today = {"providerId": "stripe_second", "initiatedAt": "2026-04-15T01:00:00.000Z"}
    spent.operation(spent.key("2026-01"), 1, "confirmed", **today)
    spent.pay()
    partial = Partner(world, "t_w7_partial")
    key = partial.pay(8000, period="2026-02")
    partial.operation(key, 8000, "confirmed")
    transfer = partial.transfer(key, 8000, days_ago=9, amount_reversed=1000)
    partial.dispute("pa_2026-02_USD", 4000, at=AS_OF - timedelta(days=6), status="lost")
    partial.reversal(transfer, 1000, at=AS_OF - timedelta(days=5))
    partial.refund("pa_2026-02_USD", 500, at=AS_OF - timedelta(days=4))
    # The kernel's controls after a partial PUT: every member it did not name is gone or false.
    replaced = {"payoutKillSwitch": False, "maxPayoutAmountCents": 5, "realMoneyEnabled": True}
    gone = {"-dailyPayoutLimitCents": True, "chargebacks": None, "connect": None}
    put = Partner(world, "t_w9", controls={**replaced, **gone, "allowedProviderIds": None})
    put.pay()
    put.control("payout_kill_switch", "true", action="kill", second_operator=None)
    put.control("daily_payout_limit_cents", "9000")
    zero = Partner(world, "t_w9_zero", controls={"maxPayoutAmountCents": 0})
    zero.pay()
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
    elsewhere: dict[str, dict[str, Any]] = {
        "t_destination_ref": {"counterpartyRef": "stripe_connect:acct_elsewhere"},
        "t_destination_account": {"metadata": {"stripeConnectAccountId": "acct_elsewhere"}},
    }
    for tenant, named in elsewhere.items():
        sent = Partner(world, tenant)
        sent.operation(sent.pay(), 8000, "initiated", **named)
    replayed = Partner(world, "t_w13", controls={"dailyPayoutLimitCents": 8000})
    asked = iso(AS_OF - timedelta(hours=3))
    replayed.operation(replayed.pay(), 8000, "initiated", initiatedAt=asked)
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


def test_w1_a_recovery_that_consumes_a_payout_is_recorded_and_not_taken_again(
    warehouse: Warehouse,
) -> None:
    gates = warehouse.gates("t_w1_recorded")
    found = {row["period"]: (row["decision"], row["recovery_cents"]) for row in gates.values()}
    assert found["2026-01"] == ("hold", 0)
    assert found["2026-02"] == ("release", 500)
    assert found["2026-03"] == ("release", 0)
    row = warehouse.exposure("t_w1_recorded")
    assert (row["recovered_cents"], row["outstanding_cents"]) == (1500, 500)


def test_w6_a_party_that_owes_at_one_provider_is_not_paid_through_another(
    warehouse: Warehouse,
) -> None:
    row = warehouse.gate("t_w6")
    assert (row["kernel_code"], row["held_codes"]) == (None, "CROSS_PROVIDER_EXPOSURE")


def test_w6_the_day_limit_is_the_tenants_and_not_a_providers(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_w6_day")
    assert row["kernel_code"] is None
    assert "PAYOUT_DAILY_LIMIT_EXCEEDED" in warehouse.held(
        "t_w6_day", next(iter(warehouse.gates("t_w6_day")))
    )


def test_w7_a_partial_reversal_is_partial_and_disputes_refunds_and_fees_count(
    warehouse: Warehouse,
) -> None:
    row = warehouse.exposure("t_w7_partial")
    assert (row["withdrawn_cents"], row["fees_cents"], row["refunded_cents"]) == (4000, 1500, 500)
    assert (row["recovered_cents"], row["outstanding_cents"]) == (1000, 5000)


def test_w9_a_partial_put_disarms_nothing_and_makes_nothing_unlimited(
    warehouse: Warehouse,
) -> None:
    held = warehouse.held("t_w9")
    assert "PAYOUT_KILL_SWITCH_ACTIVE" in held
    # What an operator set stays set: the kernel's lost member does not make it absent or unlimited.
    assert "PAYOUT_DAILY_LIMIT_EXCEEDED" not in held
    assert warehouse.condition("t_w9", "PAYOUT_DAILY_LIMIT_EXCEEDED")["threshold"] == "9000"


def test_w9_a_cap_of_zero_pays_nothing(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_w9_zero")
    assert (row["kernel_code"], row["held_codes"]) == (None, "PAYOUT_AMOUNT_LIMIT_EXCEEDED")


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


@pytest.mark.parametrize("tenant", ["t_destination_ref", "t_destination_account"])
def test_an_operation_to_another_destination_than_the_partys_is_not_paid(
    warehouse: Warehouse, tenant: str
) -> None:
    assert warehouse.held(tenant) == {"DESTINATION_MISMATCH"}
    condition = warehouse.condition(tenant, "DESTINATION_MISMATCH")
    assert condition["observed"].removeprefix("stripe_connect:") == "acct_elsewhere"
    assert condition["threshold"] == f"acct_{tenant}_pa"


def test_an_account_that_two_tenants_claim_receives_nothing(warehouse: Warehouse) -> None:
    for tenant in ("t_claim_a", "t_claim_b"):
        assert "ACCOUNT_NOT_CAPABLE" in warehouse.held(tenant)


def test_a_statement_whose_hash_lies_proves_nothing(warehouse: Warehouse) -> None:
    assert "EVIDENCE_UNVERIFIED" in warehouse.held("t_lying_statement")
