"""The strictest control counts; null, zero and absent are three different things."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.landed import World, planted
from tests.gates.partner import PROVIDER, Partner

CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str, dict[str, Any]]], set[str]]] = {
    "null_is_unlimited": ({"maxPayoutAmountCents": None}, [], set()),
    "zero_pays_nothing": ({"maxPayoutAmountCents": 0}, [], {"PAYOUT_AMOUNT_LIMIT_EXCEEDED"}),
    "absent_holds": (
        {"-maxPayoutAmountCents": True},
        [],
        {"PAYOUT_AMOUNT_LIMIT_EXCEEDED"},
    ),
    "absent_day_holds": (
        {"-dailyPayoutLimitCents": True},
        [],
        {"PAYOUT_DAILY_LIMIT_EXCEEDED"},
    ),
    "operator_fills_absent": (
        {"-maxPayoutAmountCents": True},
        [("max_payout_amount_cents", "8000", {})],
        set(),
    ),
    "operator_tightens": (
        {"maxPayoutAmountCents": 9000},
        [("max_payout_amount_cents", "7000", {})],
        {"PAYOUT_AMOUNT_LIMIT_EXCEEDED"},
    ),
    "operator_cannot_loosen": (
        {"maxPayoutAmountCents": 7000},
        [("max_payout_amount_cents", "null", {})],
        {"PAYOUT_AMOUNT_LIMIT_EXCEEDED"},
    ),
    "latest_line_counts": (
        {},
        [("max_payout_amount_cents", "7000", {}), ("max_payout_amount_cents", "8000", {})],
        set(),
    ),
    "nonsense_pays_nothing": (
        {},
        [("max_payout_amount_cents", '"a lot"', {})],
        {"PAYOUT_AMOUNT_LIMIT_EXCEEDED"},
    ),
    "void_lines_are_ignored": (
        {},
        [("max_payout_amount_cents", "1", {"line_status": "void"})],
        set(),
    ),
    "killed": (
        {},
        [("payout_kill_switch", "true", {"action": "kill"})],
        {"PAYOUT_KILL_SWITCH_ACTIVE"},
    ),
    "killed_and_freed": (
        {},
        [
            ("payout_kill_switch", "true", {"action": "kill"}),
            ("payout_kill_switch", "false", {"action": "unkill"}),
        ],
        set(),
    ),
    "freed_elsewhere": (
        {},
        [
            ("payout_kill_switch", "true", {"action": "kill"}),
            ("payout_kill_switch", "false", {"action": "unkill", "provider_id": PROVIDER}),
        ],
        {"PAYOUT_KILL_SWITCH_ACTIVE"},
    ),
    "kernel_switch_stays": (
        {"payoutKillSwitch": True},
        [("payout_kill_switch", "false", {"action": "unkill"})],
        {"PAYOUT_KILL_SWITCH_ACTIVE"},
    ),
    "other_provider_killed": (
        {},
        [("payout_kill_switch", "true", {"action": "kill", "provider_id": "stripe_other"})],
        set(),
    ),
    "provider_killed": (
        {},
        [("payout_kill_switch", "true", {"action": "kill", "provider_id": PROVIDER})],
        {"PAYOUT_KILL_SWITCH_ACTIVE"},
    ),
    "real_money_needs_both": (
        {},
        [("real_money_enabled", "false", {})],
        {"REAL_MONEY_DISABLED"},
    ),
    "operator_cannot_enable_alone": (
        {"realMoneyEnabled": False},
        [("real_money_enabled", "true", {})],
        {"REAL_MONEY_DISABLED"},
    ),
    "allowlist_needs_both": (
        {},
        [("allowed_provider_ids", '["stripe_other"]', {})],
        {"MONEY_RAIL_PROVIDER_NOT_ALLOWED"},
    ),
    "empty_allowlist_allows_nobody": (
        {"allowedProviderIds": []},
        [],
        {"MONEY_RAIL_PROVIDER_NOT_ALLOWED"},
    ),
    "degraded_by_an_operator": (
        {},
        [("degraded_enabled", "true", {})],
        {"MONEY_RAIL_DEGRADED_ENQUEUE_DENIED", "MONEY_RAIL_DEGRADED_SUBMIT_DENIED"},
    ),
    "degraded_elsewhere": (
        {},
        [("degraded_enabled", "true", {}), ("degraded_provider_ids", '["stripe_other"]', {})],
        set(),
    ),
    "degraded_for_submission": (
        {},
        [("degraded_enabled", "true", {}), ("deny_enqueue_payouts", "false", {})],
        {"MONEY_RAIL_DEGRADED_SUBMIT_DENIED"},
    ),
    "pinned_to_its_account": (
        {},
        [("connect_accounts", '{"pa":"acct_t_control_pinned_to_its_account_pa"}', {})],
        set(),
    ),
    "pinned_elsewhere": (
        {},
        [("connect_accounts", '{"pa":"acct_elsewhere"}', {})],
        {"DESTINATION_MISMATCH"},
    ),
    "pinned_to_nothing": ({}, [("connect_accounts", '{"pa":null}', {})], {"DESTINATION_MISMATCH"}),
    "another_party_pinned": ({}, [("connect_accounts", '{"xpa":"acct_elsewhere"}', {})], set()),
    "pinned_at_another_provider": (
        {},
        [("connect_accounts", '{"pa":"acct_elsewhere"}', {"provider_id": "stripe_other"})],
        set(),
    ),
    "unpinned_again": (
        {},
        [("connect_accounts", '{"pa":"acct_elsewhere"}', {}), ("connect_accounts", "null", {})],
        set(),
    ),
    "unknown_emergency_stops": (
        {"emergency": {"code": "EMERGENCY_SOMETHING_NEW"}},
        [],
        {"EMERGENCY_KILL_SWITCH_ACTIVE"},
    ),
}


@planted
def controlled_tenants(world: World) -> None:
    for name, (controls, lines, _) in CASES.items():
        partner = Partner(world, f"t_control_{name}", controls=controls)
        partner.pay()
        for field_name, value, over in lines:
            partner.control(field_name, value, **over)
    default = Partner(
        world,
        "t_default_account",
        account=None,
        controls={
            "connect": {
                "enabled": True,
                "defaultAccountId": "acct_default",
                "accounts": [{"accountId": "acct_default", "partyId": None}],
            }
        },
    )
    default.pay()
    for mode, limit in (("net", "absent"), ("off", "null")):
        policy = {"enabled": True, "negativeBalanceMode": "net"} if mode == "net" else None
        indebted = Partner(world, f"t_policy_{mode}_{limit}", controls={"chargebacks": policy})
        indebted.pay()
        indebted.dispute("pa_2026-03_USD", 500)
    lifted = Partner(world, "t_policy_lifted", controls={"chargebacks": None})
    lifted.pay()
    lifted.dispute("pa_2026-03_USD", 500)
    lifted.control("chargebacks_enabled", "false")


# Two breaks of 1001 and 1002 today, and what an operator says of the day.
THRESHOLDS: dict[str, tuple[list[tuple[str, str]], bool]] = {
    "seeded": ([], False),
    "count_reached": ([("mismatch_threshold_count", "2")], True),
    "count_not_reached": ([("mismatch_threshold_count", "3")], False),
    "money_reached": ([("mismatch_threshold_cents", "2003")], True),
    "money_not_reached": ([("mismatch_threshold_cents", "2004")], False),
    "zero": ([("mismatch_threshold_count", "0")], True),
    "lifted": ([("mismatch_threshold_count", "2"), ("mismatch_threshold_count", "null")], False),
    "nonsense": ([("mismatch_threshold_count", '"few"')], True),
}


@planted
def thresholds(world: World) -> None:
    for name, (lines, _) in THRESHOLDS.items():
        tenant = f"t_threshold_{name}"
        partner = Partner(world, tenant)
        partner.pay()
        stranger = Partner(world, tenant, party="px", sole=False)
        for amount in (1001, 1002):
            stranger.transfer(None, amount, days_ago=20, meta_payout_key=None)
        for field_name, value in lines:
            partner.control(field_name, value)
    history = Partner(world, "t_history")
    history.pay()
    for value, over in (
        ("5000", {}),
        ("4000", {"second_operator": None}),
        ("9000", {"line_status": "void", "void_code": "second_missing"}),
    ):
        history.control("max_payout_amount_cents", value, **over)
    history.control("payout_kill_switch", "true", action="kill")


@pytest.mark.parametrize("name", THRESHOLDS)
def test_the_days_threshold_is_the_operators_where_one_spoke(
    warehouse: Warehouse, name: str
) -> None:
    tenant, breached = f"t_threshold_{name}", THRESHOLDS[name][1]
    assert ("DAILY_MISMATCH_THRESHOLD" in warehouse.held(tenant)) is breached


def test_the_days_table_shows_the_thresholds_in_force(warehouse: Warehouse) -> None:
    shown = {
        row["tenant_id"].removeprefix("t_threshold_"): (
            row["threshold_count"],
            row["threshold_cents"],
            row["breached_by_count"],
        )
        for row in warehouse.rows("select * from daily_mismatches where tenant_id like 't_thresh%'")
    }
    assert shown["seeded"] == (25, 5_000_000, False)
    assert shown["count_reached"] == (2, 5_000_000, True)
    assert shown["money_reached"] == (25, 2003, False)
    assert shown["zero"] == (0, 5_000_000, True)
    assert shown["lifted"] == (None, 5_000_000, False)


def test_the_history_of_controls_shows_what_stood_before_and_what_does_not_count(
    warehouse: Warehouse,
) -> None:
    rows = warehouse.rows(
        "select * from control_history where tenant_id = 't_history' order by seq"
    )
    shown = [(row["value"], row["previous_value"], row["is_in_force"]) for row in rows]
    assert shown == [
        ("5000", None, False),
        ("4000", "5000", True),
        ("9000", None, False),
        ("true", None, True),
    ]
    assert [row["void_code"] for row in rows] == [None, None, "second_missing", None]
    assert rows[1]["operator"] == "op_a"
    assert rows[1]["second_operator"] is None
    assert rows[3]["field"] == "payout_kill_switch"


@pytest.mark.parametrize("name", CASES)
def test_the_strictest_control_counts(warehouse: Warehouse, name: str) -> None:
    assert warehouse.held(f"t_control_{name}") == CASES[name][2]


def test_no_payout_falls_back_to_a_default_account(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_default_account")
    assert row["kernel_counterparty_ref"] == "stripe_connect:acct_default"
    assert row["kernel_code"] is None
    assert row["first_code"] == "STRIPE_CONNECT_ACCOUNT_REQUIRED"
    assert row["destination_account_id"] is None


def test_netting_needs_a_limit_that_somebody_set(warehouse: Warehouse) -> None:
    assert warehouse.held("t_policy_net_absent") == {"CHARGEBACK_OUTSTANDING_LIMIT_EXCEEDED"}


def test_a_kernel_without_a_policy_does_not_free_a_debtor(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_policy_off_null")
    assert (row["kernel_code"], row["held_codes"]) == (None, "NEGATIVE_BALANCE_PAYOUT_HOLD")


def test_only_an_operators_line_switches_the_policy_off(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_policy_lifted")
    assert (row["policy_mode"], row["held_codes"], row["release_cents"]) == ("off", None, 8000)
