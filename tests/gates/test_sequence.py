"""Sums run in one order, count what they refuse, and recover a debt exactly once."""

from __future__ import annotations

from datetime import timedelta

from tests.gates.conftest import AVAILABLE, Warehouse
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

NET = {"enabled": True, "negativeBalanceMode": "net", "maxOutstandingCents": None}


def _month(day: int) -> dict[str, str]:
    return {"generatedAt": f"2026-04-{day:02d}T00:00:00.000Z"}


@planted
def debts(world: World) -> None:
    # A debt of 2000 against three payouts of 1500, and the same with the kernel's own kind of debt.
    partner = Partner(world, "t_w1")
    for day, period in enumerate(("2026-01", "2026-02", "2026-03"), start=3):
        partner.pay(1500, period=period, instruction=_month(day))
    partner.dispute("pa_2026-01_USD", 500)
    twin = Partner(world, "t_w1_kernel")
    twin.operation(twin.key("2025-12"), 2000, "reversed")
    for day, period in enumerate(("2026-01", "2026-02", "2026-03"), start=3):
        twin.pay(1500, period=period, instruction=_month(day))
    exact = Partner(world, "t_net_exact")
    exact.pay(2000)
    exact.dispute("pa_2026-03_USD", 500)
    held = Partner(
        world, "t_hold", controls={"chargebacks": {**NET, "negativeBalanceMode": "hold"}}
    )
    held.pay(2000)
    held.dispute("pa_2026-03_USD", 500)
    abroad = Partner(world, "t_debt_abroad")
    abroad.pay(2000)
    abroad.sale("euro", 900, currency="EUR")
    abroad.dispute("euro", 900, currency="EUR")


@planted
def day_limits(world: World) -> None:
    capped = Partner(world, "t_day", controls={"dailyPayoutLimitCents": 5000})
    for day, (period, amount) in enumerate(
        (("2026-01", 3000), ("2026-02", 4000), ("2026-03", 1000)), start=3
    ):
        capped.pay(amount, period=period, instruction=_month(day))
    spent = Partner(world, "t_day_spent", controls={"dailyPayoutLimitCents": 8000})
    earlier = spent.key("2026-02")
    spent.journal(earlier, 1, "submitted", at=AS_OF - timedelta(hours=1))
    spent.pay(8000)
    other = Partner(world, "t_day_provider", controls={"dailyPayoutLimitCents": 8000})
    other.operation(
        other.key("2026-01"),
        1,
        "confirmed",
        providerId="stripe_second",
        initiatedAt="2026-04-15T01:00:00.000Z",
    )
    other.pay(8000)


@planted
def funds(world: World) -> None:
    # 20,000 EUR cents: the first fits, the second does not, the third would but comes later.
    for tenant, amount, day in (("t_f1", 15_000, 3), ("t_f2", 6_000, 4), ("t_f3", 4_000, 5)):
        Partner(world, tenant).pay(amount, currency="EUR", instruction=_month(day))


def _decisions(warehouse: Warehouse, tenant: str) -> list[tuple[str, int, int]]:
    rows = warehouse.rows(
        "select * from payout_gates where tenant_id = ? order by payable_at, payout_key", tenant
    )
    return [(row["decision"], row["recovery_cents"], row["release_cents"]) for row in rows]


def test_a_debt_that_consumes_a_payout_is_recovered_once(warehouse: Warehouse) -> None:
    expected = [("consumed", 1500, 0), ("release", 500, 1000), ("release", 0, 1500)]
    assert _decisions(warehouse, "t_w1") == expected


def test_a_debt_only_the_kernel_sees_is_netted_once_too(warehouse: Warehouse) -> None:
    expected = [("consumed", 1500, 0), ("release", 500, 1000), ("release", 0, 1500)]
    assert _decisions(warehouse, "t_w1_kernel") == expected


def test_a_debt_equal_to_the_payout_consumes_it(warehouse: Warehouse) -> None:
    assert _decisions(warehouse, "t_net_exact") == [("consumed", 2000, 0)]


def test_in_hold_mode_any_debt_holds(warehouse: Warehouse) -> None:
    assert warehouse.held("t_hold") == {"NEGATIVE_BALANCE_PAYOUT_HOLD"}


def test_a_debt_in_another_currency_cannot_be_netted_and_holds(warehouse: Warehouse) -> None:
    assert warehouse.held("t_debt_abroad") == {"NEGATIVE_BALANCE_PAYOUT_HOLD"}


def test_a_payout_refused_by_the_day_limit_still_counts_for_later_ones(
    warehouse: Warehouse,
) -> None:
    assert _decisions(warehouse, "t_day") == [("release", 0, 3000), ("hold", 0, 0), ("hold", 0, 0)]


def test_the_day_limit_counts_the_journal_and_every_provider(warehouse: Warehouse) -> None:
    assert "PAYOUT_DAILY_LIMIT_EXCEEDED" in warehouse.held("t_day_spent")
    assert "PAYOUT_DAILY_LIMIT_EXCEEDED" in warehouse.held("t_day_provider")


def test_funds_run_over_all_tenants_and_nothing_slips_past_a_refusal(warehouse: Warehouse) -> None:
    assert AVAILABLE["EUR"] == 20_000
    assert warehouse.held("t_f1") == set()
    assert warehouse.held("t_f2") == {"UNFUNDED_PAYOUT"}
    assert warehouse.held("t_f3") == {"UNFUNDED_PAYOUT"}


def test_of_balances_read_at_one_moment_the_smallest_funds(warehouse: Warehouse) -> None:
    assert warehouse.condition("t_f2", "UNFUNDED_PAYOUT")["threshold"] == str(AVAILABLE["EUR"])


def test_a_decision_carries_what_the_day_had_committed_before_it(warehouse: Warehouse) -> None:
    assert warehouse.gate("t_day_provider")["day_committed_cents"] == 1
    spent = warehouse.gate("t_day_spent")
    assert spent["day_committed_cents"] == 1
