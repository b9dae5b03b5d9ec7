"""Over random policies and worlds: never more than the original would pay, and never more for
being stricter.

One seed is a tenant with whatever controls, operator lines, accounts, operations and disputes came
up, and a twin that differs by one more restriction of an operator.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.gates.conftest import Warehouse
from tests.gates.identities import iso
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import PROVIDER, Partner

SEEDS = 160
OTHER = "stripe_second"
CAPS = (None, 0, 1, 4999, 5000, 9_000, 1_000_000)
# Each of these holds or narrows; none may release a cent more.
RESTRICTIONS = (
    ("payout_kill_switch", "true"),
    ("real_money_enabled", "false"),
    ("max_payout_amount_cents", "4000"),
    ("daily_payout_limit_cents", "6000"),
    ("max_outstanding_cents", "0"),
    ("allowed_provider_ids", f'["{OTHER}"]'),
    ("allowed_provider_ids", f'["{PROVIDER}"]'),
    ("negative_balance_mode", '"hold"'),
    ("chargebacks_enabled", "true"),
    ("degraded_enabled", "true"),
)


def _tenant(seed: int, twin: bool = False) -> str:
    return f"t_any_{seed:03d}{'_strict' if twin else ''}"


def _controls(rng: random.Random) -> dict[str, Any]:
    """Members of the kernel's controls; sound ones come up often enough for money to leave."""

    def pick(sound: Any, *others: Any) -> Any:
        return sound if rng.random() < 0.82 else rng.choice(others)

    controls: dict[str, Any] = {
        "realMoneyEnabled": pick(True, False),
        "payoutKillSwitch": pick(False, True),
        "maxPayoutAmountCents": pick(None, *CAPS),
        "dailyPayoutLimitCents": pick(None, *CAPS),
        "allowedProviderIds": pick([PROVIDER], None, [], [OTHER], [PROVIDER, OTHER]),
        "chargebacks": pick(
            {"enabled": True, "negativeBalanceMode": "net", "maxOutstandingCents": None},
            None,
            {"enabled": False},
            {"enabled": True},
            {"enabled": True, "negativeBalanceMode": "hold", "maxOutstandingCents": 0},
            {"enabled": True, "negativeBalanceMode": "net", "maxOutstandingCents": 1500},
        ),
        "degradedMode": pick(
            None,
            {"enabled": True},
            {"enabled": True, "providerIds": [OTHER]},
            {"enabled": True, "denySubmitPayouts": False},
        ),
        "connect": pick({"enabled": True, "accounts": []}, {"enabled": False}, None),
    }
    if rng.random() < 0.05:
        controls["emergency"] = {"code": rng.choice(["EMERGENCY_PAUSE_ACTIVE", "EMERGENCY_NEW"])}
    for absent in ("maxPayoutAmountCents", "dailyPayoutLimitCents"):
        if rng.random() < 0.08:
            controls[f"-{absent}"] = True
    return controls


def _account(rng: random.Random) -> Mapping[str, Any] | None:
    if rng.random() < 0.06:
        return None
    flaws = ({"payoutsEnabled": False}, {"status": "disabled"}, {"kybStatus": "rejected"})
    return rng.choice(flaws) if rng.random() < 0.12 else {}


def _line(rng: random.Random) -> tuple[str, str]:
    loosening = (
        ("max_payout_amount_cents", "null"),
        ("daily_payout_limit_cents", "null"),
        ("allowed_provider_ids", "null"),
        ("chargebacks_enabled", "false"),
        ("negative_balance_mode", '"net"'),
        ("payout_kill_switch", "false"),
    )
    return rng.choice(loosening if rng.random() < 0.6 else RESTRICTIONS)


def _plant(world: World, tenant: str, seed: int) -> Partner:
    rng = random.Random(seed)
    partner = Partner(world, tenant, controls=_controls(rng), account=_account(rng))
    months = rng.sample(["2026-01", "2026-02", "2026-03", "2026-04"], k=rng.randint(1, 3))
    today = iso(AS_OF - timedelta(hours=rng.randint(1, 11)))
    for period in sorted(months):
        gross = rng.choice([500, 3000, 5000, 8000])
        key = partner.pay(
            gross,
            period=period,
            request=rng.choice(
                [{}, {}, {}, {"providerId": OTHER}, {"counterpartyRef": "stripe_connect:acct_x"}]
            ),
        )
        if rng.random() < 0.5:
            # Mostly what the kernel would write; sometimes an operation over something else.
            recovery = min(rng.choice([0] * 6 + [300, 700]), gross - 1)
            amount = rng.choice([gross - recovery] * 7 + [5000])
            netted = {
                "payoutAmountGrossCents": gross,
                "chargebackRecoveryAppliedCents": recovery,
            }
            partner.operation(key, amount, "initiated", initiatedAt=today, metadata=netted)
    for number in range(rng.choice([0, 0, 1, 2])):
        partner.operation(
            partner.key("2025-11", edition=f"{number}"),
            rng.choice([700, 2000, 6000]),
            rng.choice(["reversed", "reversed", "confirmed", "cancelled"]),
            providerId=rng.choice([PROVIDER, PROVIDER, OTHER]),
            initiatedAt=rng.choice([today, iso(AS_OF - timedelta(days=20))]),
        )
    if rng.random() < 0.3:
        partner.dispute(f"pa_{months[0]}_USD", rng.choice([100, 2500, 9000]), fee=0)
    for _ in range(rng.choice([0, 0, 1, 2])):
        partner.control(*_line(rng))
    return partner


@planted
def random_worlds(world: World) -> None:
    for seed in range(SEEDS):
        _plant(world, _tenant(seed), seed)
        twin = _plant(world, _tenant(seed, twin=True), seed)
        twin.control(*RESTRICTIONS[seed % len(RESTRICTIONS)])


def _rows(warehouse: Warehouse) -> list[dict[str, Any]]:
    return warehouse.rows("select * from payout_gates where tenant_id like 't_any_%'")


def test_the_worlds_are_as_different_as_they_should_be(warehouse: Warehouse) -> None:
    rows = _rows(warehouse)
    decisions = [row["decision"] for row in rows]
    assert decisions.count("release") >= 10
    assert decisions.count("consumed") >= 1
    assert len({row["kernel_code"] for row in rows}) >= 8
    assert len({row["first_code"] for row in rows}) >= 12


def test_what_the_original_refuses_is_held_for_that_reason_too(warehouse: Warehouse) -> None:
    looser = warehouse.rows(
        """
        select gates.payout_key
        from payout_gates as gates
        left join payout_gate_conditions as conditions
            on gates.tenant_id = conditions.tenant_id
            and gates.payout_key = conditions.payout_key
            and gates.kernel_code = conditions.original_code
            and conditions.holds
        where gates.kernel_code is not null
            and (gates.decision <> 'hold' or conditions.condition_code is null)
        """
    )
    assert looser == []


def test_never_a_cent_more_leaves_than_the_original_would_pay(warehouse: Warehouse) -> None:
    """The original is asked for each payout alone; a debt it would net of each is netted once."""
    recovered: dict[str, int] = {}
    for row in _rows(warehouse):
        tenant = row["tenant_id"]
        recovered[tenant] = recovered.get(tenant, 0) + row["recovery_cents"]
    for row in _rows(warehouse):
        if row["decision"] == "release":
            assert row["kernel_amount_cents"] is not None, row
            owed = row["gross_cents"] - row["kernel_amount_cents"]
            assert recovered[row["tenant_id"]] >= owed, row
            assert row["release_cents"] + row["recovery_cents"] == row["gross_cents"], row
        if row["decision"] == "nothing_due":
            assert row["kernel_reason"] == "no_payout_due", row


def test_never_a_cent_more_leaves_than_the_kernels_own_operation_says(
    warehouse: Warehouse,
) -> None:
    rows = warehouse.rows(
        """
        select gates.payout_key, gates.decision, gates.release_cents, operations.amount_cents
        from payout_gates as gates
        inner join work.intermediate.int_payout_operations as operations
            on gates.tenant_id = operations.tenant_id
            and gates.payout_key = operations.payout_key
        where gates.tenant_id like 't_any_%' and operations.is_initiated
        """
    )
    assert [row for row in rows if row["release_cents"] > row["amount_cents"]] == []
    released = [row for row in rows if row["decision"] == "release"]
    assert len(released) >= 5, len(released)


def test_one_restriction_more_never_releases_a_cent_more(warehouse: Warehouse) -> None:
    released: dict[str, int] = {}
    for row in _rows(warehouse):
        tenant = row["tenant_id"]
        released[tenant] = released.get(tenant, 0) + row["release_cents"]
    narrowed = 0
    for seed in range(SEEDS):
        free, strict = released[_tenant(seed)], released[_tenant(seed, twin=True)]
        assert strict <= free, seed
        narrowed += strict < free
    assert narrowed >= 5
