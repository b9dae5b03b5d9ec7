"""Scenarios about the gate: one payout that Tieout may pay, and one reason that it may or may not.

Belongs here: one function a scenario whose docstring is its specification. Does not belong here:
how a gate is evaluated.

Every payout here is fresh, so that its own non-payment is pending TIMING and never a break;
controls are permissive but for what the scenario is about.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ingest.simulator.holds import claim_hold
from ingest.simulator.kernel_records import degraded_mode
from ingest.simulator.month_end import Payout, pay, reissue, request_payout
from ingest.simulator.sales import SaleTerms
from ingest.simulator.scene import Scene, scenario
from ingest.simulator.world_state import World, previous_month

__all__: list[str] = []

_DISPUTE_FEE_CENTS = 1_500


def _fresh(world: World, tenant_id: str, name: str, **controls: Any) -> tuple[Scene, Payout]:
    scene = Scene(world, tenant_id, name, settled_days=0)
    scene.trade()
    payout = scene.close(closed_at=world.fresh_close(scene.period))
    scene.payable(payout, **controls)
    return scene, payout


def _held(
    world: World, tenant_id: str, name: str, code: str, kernel_code: str, **controls: Any
) -> None:
    scene, payout = _fresh(world, tenant_id, name, **controls)
    scene.expect_gate(payout, "hold", code, first_code=code, kernel_code=kernel_code)


def _policy(mode: str) -> dict[str, Any]:
    return {
        "schemaVersion": "MoneyRailChargebackPolicy.v1",
        "enabled": True,
        "negativeBalanceMode": mode,
        "maxOutstandingCents": None,
    }


def _indebted(world: World, tenant_id: str, name: str, mode: str) -> tuple[Scene, Payout, int]:
    scene = Scene(world, tenant_id, name, settled_days=0)
    sale = scene.trade()[0]
    dispute = world.rail.open_dispute(sale.charge_id, at=scene.at(12), fee=_DISPUTE_FEE_CENTS)
    world.rail.close_dispute(dispute["id"], "lost", at=scene.at(22))
    payout = scene.close(closed_at=world.fresh_close(scene.period))
    scene.payable(payout, chargebacks=_policy(mode))
    owed = sale.amount_cents + _DISPUTE_FEE_CENTS
    scene.expect_exposure(scene.party, owed)
    return scene, payout, owed


@scenario
def payout_release(world: World, tenant_id: str) -> None:
    """Nothing is wrong: release of the full amount."""
    scene, payout = _fresh(world, tenant_id, "payout_release")
    scene.expect_gate(
        payout, "release", recovery_cents=0, release_cents=payout.amount_cents, kernel_code=None
    )


@scenario
def kill_switch(world: World, tenant_id: str) -> None:
    """The kernel's payout kill switch is on: hold, PAYOUT_KILL_SWITCH_ACTIVE."""
    code = "PAYOUT_KILL_SWITCH_ACTIVE"
    _held(world, tenant_id, "kill_switch", code, code, payoutKillSwitch=True)


@scenario
def real_money_off(world: World, tenant_id: str) -> None:
    """Real money is not enabled: hold, REAL_MONEY_DISABLED."""
    code = "REAL_MONEY_DISABLED"
    _held(world, tenant_id, "real_money_off", code, code, realMoneyEnabled=False)


@scenario
def provider_not_allowed(world: World, tenant_id: str) -> None:
    """The allow-list names another provider: hold, MONEY_RAIL_PROVIDER_NOT_ALLOWED."""
    code = "MONEY_RAIL_PROVIDER_NOT_ALLOWED"
    _held(world, tenant_id, "provider_not_allowed", code, code, allowedProviderIds=["stripe_eu"])


@scenario
def rail_degraded(world: World, tenant_id: str) -> None:
    """Degraded mode denies payouts: hold, MONEY_RAIL_DEGRADED_ENQUEUE_DENIED."""
    code = "MONEY_RAIL_DEGRADED_ENQUEUE_DENIED"
    _held(world, tenant_id, "rail_degraded", code, code, degradedMode=degraded_mode(enabled=True))


@scenario
def cap_exceeded(world: World, tenant_id: str) -> None:
    """The cap on one payout is 100.00, below the instruction: hold,
    PAYOUT_AMOUNT_LIMIT_EXCEEDED."""
    code = "PAYOUT_AMOUNT_LIMIT_EXCEEDED"
    _held(world, tenant_id, "cap_exceeded", code, code, maxPayoutAmountCents=10_000)


@scenario
def daily_limit(world: World, tenant_id: str) -> None:
    """The cap on a day is 100.00, below the instruction: hold, PAYOUT_DAILY_LIMIT_EXCEEDED."""
    code = "PAYOUT_DAILY_LIMIT_EXCEEDED"
    _held(world, tenant_id, "daily_limit", code, code, dailyPayoutLimitCents=10_000)


@scenario
def negative_balance_hold(world: World, tenant_id: str) -> None:
    """The party lost a dispute and the policy is hold: hold, NEGATIVE_BALANCE_PAYOUT_HOLD. The
    kernel knows nothing of disputes and would pay."""
    scene, payout, _ = _indebted(world, tenant_id, "negative_balance_hold", "hold")
    code = "NEGATIVE_BALANCE_PAYOUT_HOLD"
    scene.expect_gate(payout, "hold", code, first_code=code, kernel_code=None)


@scenario
def net_recovery(world: World, tenant_id: str) -> None:
    """The party lost a dispute and the policy is net: release of the instruction less what it owes
    (disputed amount plus fee). The kernel would pay everything."""
    scene, payout, owed = _indebted(world, tenant_id, "net_recovery", "net")
    scene.expect_gate(
        payout,
        "release",
        recovery_cents=owed,
        release_cents=payout.amount_cents - owed,
        kernel_code=None,
    )


@scenario
def holdback_open(world: World, tenant_id: str) -> None:
    """The instruction pays out a hold of the month before (a positive holdback link) that is still
    held and within its window: hold, HOLDBACK_WINDOW_OPEN. The sale's own month left the hold out
    and was paid."""
    scene = Scene(world, tenant_id, "holdback_open", settled_days=0)
    first = previous_month(scene.period)
    scene.trade(period=first)
    sale = scene.sell(24, SaleTerms(challenge_days=300), period=first)
    early = scene.close(period=first)
    scene.matched(early, pay(scene.partner, early))
    scene.trade()
    claim_hold(scene.partner, sale, at=scene.at(20))
    payout = scene.close(closed_at=world.fresh_close(scene.period))
    scene.payable(payout)
    scene.expect_gate(payout, "hold", "HOLDBACK_WINDOW_OPEN", kernel_code=None)


@scenario
def account_not_capable(world: World, tenant_id: str) -> None:
    """The rail disabled the account's transfers although the kernel's mapping says enabled: hold,
    ACCOUNT_NOT_CAPABLE."""
    scene, payout = _fresh(world, tenant_id, "account_not_capable")
    world.rail.update_account(
        scene.party.account_id,
        at=payout.close.closed_at,
        payouts_enabled=False,
        capabilities={"transfers": "inactive"},
    )
    scene.expect_gate(payout, "hold", "ACCOUNT_NOT_CAPABLE", kernel_code=None)


@scenario
def counterparty_mismatch(world: World, tenant_id: str) -> None:
    """The payout request names another account than the one mapped to the party: hold,
    STRIPE_CONNECT_COUNTERPARTY_MISMATCH."""
    scene, payout = _fresh(world, tenant_id, "counterparty_mismatch")
    scene.partner.rows["payout_requests"][-1]["counterpartyRef"] = "stripe_connect:acct_1other"
    code = "STRIPE_CONNECT_COUNTERPARTY_MISMATCH"
    scene.expect_gate(payout, "hold", code, first_code=code, kernel_code=code)


@scenario
def superseded_instruction(world: World, tenant_id: str) -> None:
    """The kernel paid the month; then the statement is generated again and Tieout is asked to pay
    the second instruction: DUPLICATE_INTERNAL, drift +X, on it, and the gate holds it with
    SUPERSEDED_INSTRUCTION among its codes."""
    scene = Scene(world, tenant_id, "superseded_instruction", settled_days=2)
    payout = scene.paid_month()
    again = reissue(scene.partner, payout, at=world.fresh_close(scene.period))
    scene.partner.profile = {"payer": "tieout", "pay_from_period": scene.period}
    requested_at = again.close.closed_at + timedelta(hours=1)
    request_payout(scene.partner, again, at=requested_at)
    scene.expect_payout("DUPLICATE_INTERNAL", again, again.amount_cents)
    scene.expect_gate(again, "hold", "SUPERSEDED_INSTRUCTION")
