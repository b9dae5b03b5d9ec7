"""Each condition holds for its own reason and nothing else; without any, money is released."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.identities import iso
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import PROVIDER, Partner

Spoiled = Callable[[World, str], None]


def _controls(**members: object) -> Spoiled:
    def spoil(world: World, tenant: str) -> None:
        Partner(world, tenant, controls=members).pay()

    return spoil


def _emergency(code: str) -> Spoiled:
    return _controls(emergency={"code": code})


def _account(**members: object) -> Spoiled:
    def spoil(world: World, tenant: str) -> None:
        Partner(world, tenant, account=members).pay()

    return spoil


def _month_open(world: World, tenant: str) -> None:
    Partner(world, tenant).pay(period="2026-04")


def _provider_unknown(world: World, tenant: str) -> None:
    controls = {"allowedProviderIds": None}
    Partner(world, tenant, controls=controls).pay(request={"providerId": "stripe_other"})


def _provider_refuses(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    for row in world.rows["kernel/money_rail_providers"]:
        if row["tenant_id"] == tenant:
            row["allow_payout"] = False
    partner.pay()


def _no_account(world: World, tenant: str) -> None:
    Partner(world, tenant, account=None).pay()


def _other_ref(world: World, tenant: str) -> None:
    Partner(world, tenant).pay(request={"counterpartyRef": "stripe_connect:acct_other"})


def _stale_export(world: World, tenant: str) -> None:
    Partner(world, tenant, manifest={"exported_through": AS_OF - timedelta(minutes=91)}).pay()


def _partial_export(world: World, tenant: str) -> None:
    Partner(world, tenant, export_status="partial").pay()


def _unsigned(world: World, tenant: str) -> None:
    Partner(world, tenant, manifest={"manifest_status": "unsigned"}).pay()


def _lying_receipt(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    partner.sale("lie", 10_000, verdict="mismatch")
    receipt = {
        "sourceType": "receipt",
        "sourceId": "rcpt_lie",
        "sourceHash": partner.receipt_hash("lie"),
        "amountCents": 8000,
    }
    partner.pay(links=(receipt,), sale=False)


def _unpaid_by_kernel(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    earlier = partner.pay(5000, period="2026-02")
    partner.operation(earlier, 5000, "confirmed")
    partner.pay()


def _held_account(world: World, tenant: str) -> None:
    Partner(world, tenant, rail_account={"capability_transfers": "pending"}).pay()


def _new_destination(world: World, tenant: str) -> None:
    changed = iso(AS_OF - timedelta(hours=23))
    Partner(world, tenant, account={"updatedAt": changed}).pay()


def _wrong_sum(world: World, tenant: str) -> None:
    Partner(world, tenant).pay(
        links=({"sourceType": "fee", "sourceId": "f", "sourceHash": None, "amountCents": 7999},)
    )


def _other_destination(world: World, tenant: str) -> None:
    payout = {"currency": "USD", "amountCents": 8000, "destinationRef": "acct_elsewhere"}
    Partner(world, tenant).pay(instruction={"payout": payout})


def _other_provider_debt(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    partner.pay()
    old = partner.key("2026-01", edition="old")
    partner.operation(old, 700, "reversed", providerId="stripe_second")


def _unowned_debt(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    partner.pay()
    partner.charge("stray", 3000, created=AS_OF - timedelta(days=20))
    stray = {"chargeId": partner.charge_id("stray"), "partyId": partner.party, "currency": "USD"}
    link = {**stray, "sourceType": "receipt", "sourceId": "rcpt_stray", "amountCents": 3000}
    world.artifact("charge_links", tenant, link)
    world.artifact("charge_links", f"{tenant}_rival", link)
    partner.dispute("stray", 3000)


def _unresolved(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    partner.journal(partner.pay(), 8000, "unknown")


def _terminal(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    partner.operation(partner.pay(), 8000, "cancelled")


def _kernel_pays(world: World, tenant: str) -> None:
    Partner(world, tenant, profile={"payer": "kernel"}).pay()


def _not_requested(world: World, tenant: str) -> None:
    Partner(world, tenant).pay(requested=False)


def _old_controls(world: World, tenant: str) -> None:
    Partner(
        world,
        tenant,
        controls={"updatedAt": iso(AS_OF - timedelta(minutes=1441))},
        manifest={"exported_through": None, "manifest_status": "unsigned"},
    ).pay()


def _unknown_currency(world: World, tenant: str) -> None:
    Partner(world, tenant).pay(currency="ISK")


def _debtor(mode: str, limit: int | None) -> Spoiled:
    policy = {"enabled": True, "negativeBalanceMode": mode, "maxOutstandingCents": limit}

    def spoil(world: World, tenant: str) -> None:
        partner = Partner(world, tenant, controls={"chargebacks": policy})
        partner.pay()
        partner.dispute("pa_2026-03_USD", 500, fee=0)

    return spoil


def _holdback(status: str) -> Spoiled:
    def spoil(world: World, tenant: str) -> None:
        partner = Partner(world, tenant)
        hold = partner.hold("h", 1000, status=status, held_of="pa_2026-03_USD")
        added = {"sourceType": "holdback", "sourceId": hold, "sourceHash": hold}
        partner.pay(1000, links=({**added, "amountCents": 1000},))

    return spoil


def _regenerated(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    partner.operation(partner.pay(edition="old", sale=False, links=()), 8000, "submitted")
    partner.pay()


def _paid(world: World, tenant: str) -> None:
    partner = Partner(world, tenant)
    partner.operation(partner.pay(), 8000, "submitted")


def _many_breaks(world: World, tenant: str) -> None:
    Partner(world, tenant).pay()
    stranger = Partner(world, tenant, party="px", sole=False)
    for number in range(25):
        stranger.transfer(None, 1001 + number, days_ago=20, meta_payout_key=None)


SPOILED: dict[str, Spoiled] = {
    "EMERGENCY_KILL_SWITCH_ACTIVE": _emergency("EMERGENCY_KILL_SWITCH_ACTIVE"),
    "EMERGENCY_QUARANTINE_ACTIVE": _emergency("EMERGENCY_QUARANTINE_ACTIVE"),
    "EMERGENCY_REVOKE_ACTIVE": _emergency("EMERGENCY_REVOKE_ACTIVE"),
    "EMERGENCY_PAUSE_ACTIVE": _emergency("EMERGENCY_PAUSE_ACTIVE"),
    "MONTH_NOT_CLOSED": _month_open,
    "PROVIDER_UNKNOWN": _provider_unknown,
    "PROVIDER_PAYOUT_NOT_ALLOWED": _provider_refuses,
    "REAL_MONEY_DISABLED": _controls(realMoneyEnabled=False),
    "PAYOUT_KILL_SWITCH_ACTIVE": _controls(payoutKillSwitch=True),
    "MONEY_RAIL_PROVIDER_NOT_ALLOWED": _controls(allowedProviderIds=["stripe_other"]),
    "MONEY_RAIL_DEGRADED_ENQUEUE_DENIED": _controls(
        degradedMode={"enabled": True, "denySubmitPayouts": False}
    ),
    "MONEY_RAIL_DEGRADED_SUBMIT_DENIED": _controls(
        degradedMode={"enabled": True, "denyEnqueuePayouts": False}
    ),
    "PAYOUT_AMOUNT_LIMIT_EXCEEDED": _controls(maxPayoutAmountCents=7999),
    "PAYOUT_DAILY_LIMIT_EXCEEDED": _controls(dailyPayoutLimitCents=7999),
    "STRIPE_CONNECT_COUNTERPARTY_MISMATCH": _other_ref,
    "EVIDENCE_STALE": _stale_export,
    "EVIDENCE_INCOMPLETE": _partial_export,
    "EVIDENCE_UNVERIFIED": _unsigned,
    "OPEN_BREAK": _unpaid_by_kernel,
    "ACCOUNT_NOT_CAPABLE": _held_account,
    "DESTINATION_CHANGED": _new_destination,
    "DESTINATION_MISMATCH": _other_destination,
    "CROSS_PROVIDER_EXPOSURE": _other_provider_debt,
    "UNATTRIBUTED_EXPOSURE": _unowned_debt,
    "SUBMISSION_UNRESOLVED": _unresolved,
    "OPERATION_TERMINAL": _terminal,
    "PAYER_NOT_TIEOUT": _kernel_pays,
    "PAYOUT_NOT_REQUESTED": _not_requested,
}
# These cannot be spoiled alone: what spoils them spoils something else too.
TOGETHER: dict[str, tuple[Spoiled, set[str]]] = {
    "STRIPE_CONNECT_ACCOUNT_REQUIRED": (
        _no_account,
        {"ACCOUNT_NOT_CAPABLE", "DESTINATION_CHANGED"},
    ),
    "PAYOUT_BINDING_MISMATCH": (_wrong_sum, {"OPEN_BREAK"}),
    "CONTROLS_STALE": (_old_controls, {"EVIDENCE_STALE", "EVIDENCE_UNVERIFIED"}),
    "CURRENCY_NOT_KNOWN": (_unknown_currency, {"UNFUNDED_PAYOUT"}),
}
# The modules named after these say more of them; here each is reached at all.
REACHED: dict[str, Spoiled] = {
    "CHARGEBACK_OUTSTANDING_LIMIT_EXCEEDED": _debtor("net", 499),
    "NEGATIVE_BALANCE_PAYOUT_HOLD": _debtor("hold", None),
    "DAILY_MISMATCH_THRESHOLD": _many_breaks,
    "HOLDBACK_WINDOW_OPEN": _holdback("held"),
    "HOLDBACK_AFTER_REFUND": _holdback("refunded"),
    "SUPERSEDED_INSTRUCTION": _regenerated,
    "ALREADY_PAID": _paid,
}


def _tenant(code: str) -> str:
    return f"t_{code.lower()}"


@planted
def spoiled_tenants(world: World) -> None:
    Partner(world, "t_sound").pay()
    for code, spoil in SPOILED.items():
        spoil(world, _tenant(code))
    for code, (spoil, _) in TOGETHER.items():
        spoil(world, _tenant(code))
    for code, spoil in REACHED.items():
        spoil(world, _tenant(code))
    _lying_receipt(world, "t_lying_receipt")


def test_a_sound_payout_is_released_in_full(warehouse: Warehouse) -> None:
    row = warehouse.gate("t_sound")
    assert (row["decision"], row["first_code"], row["held_codes"]) == ("release", None, None)
    assert (row["gross_cents"], row["recovery_cents"], row["release_cents"]) == (8000, 0, 8000)
    assert row["destination_account_id"] == "acct_t_sound_pa"
    assert row["counterparty_ref"] == "stripe_connect:acct_t_sound_pa"
    assert row["provider_id"] == PROVIDER
    assert row["expires_at"] - row["evaluated_as_of"] == timedelta(minutes=30)


def test_every_payout_shows_every_condition(warehouse: Warehouse) -> None:
    listed = warehouse.rows("select count(*) as n from work.seeds.gate_conditions")[0]["n"]
    counts = warehouse.rows(
        "select distinct count(*) as n from payout_gate_conditions group by tenant_id, payout_key"
    )
    assert counts == [{"n": listed}]


def test_every_condition_is_reached_by_some_payout_and_passed_by_another(
    warehouse: Warehouse,
) -> None:
    one_sided = warehouse.rows(
        """
        select condition_code, count(distinct holds) as sides
        from payout_gate_conditions
        group by condition_code
        having count(distinct holds) < 2
        """
    )
    assert one_sided == []


def test_every_condition_says_what_was_observed_and_what_is_allowed(warehouse: Warehouse) -> None:
    silent = warehouse.rows(
        """
        select distinct condition_code
        from payout_gate_conditions
        where observed is null or threshold is null or source is null
        """
    )
    assert silent == []


@pytest.mark.parametrize("code", SPOILED)
def test_one_spoiled_fact_holds_for_exactly_its_reason(warehouse: Warehouse, code: str) -> None:
    tenant = _tenant(code)
    key = _march_or_only(warehouse, tenant)
    assert warehouse.held(tenant, key) == {code}
    assert warehouse.gates(tenant)[key]["decision"] == "hold"
    assert warehouse.gates(tenant)[key]["first_code"] == code
    assert warehouse.gates(tenant)[key]["release_cents"] == 0


@pytest.mark.parametrize("code", REACHED)
def test_each_other_condition_is_reached(warehouse: Warehouse, code: str) -> None:
    found = [warehouse.held(_tenant(code), key) for key in warehouse.gates(_tenant(code))]
    assert code in set().union(*found)


@pytest.mark.parametrize("code", TOGETHER)
def test_a_fact_that_spoils_several_conditions_names_them_all(
    warehouse: Warehouse, code: str
) -> None:
    assert warehouse.held(_tenant(code)) == {code, *TOGETHER[code][1]}


def test_a_source_whose_hash_lies_funds_nothing(warehouse: Warehouse) -> None:
    assert {"EVIDENCE_UNVERIFIED", "UNFUNDED_PAYOUT"} <= warehouse.held("t_lying_receipt")
    assert (
        "1 unverified" in warehouse.condition("t_lying_receipt", "EVIDENCE_UNVERIFIED")["observed"]
    )


def test_conditions_say_what_was_observed_and_what_is_allowed(warehouse: Warehouse) -> None:
    row = warehouse.condition(
        _tenant("PAYOUT_AMOUNT_LIMIT_EXCEEDED"), "PAYOUT_AMOUNT_LIMIT_EXCEEDED"
    )
    assert (row["observed"], row["threshold"], row["source"]) == ("8000", "7999", "controls")


def _march_or_only(warehouse: Warehouse, tenant: str) -> str:
    keys = list(warehouse.gates(tenant))
    return next((key for key in keys if ":period:2026-03:" in key), keys[0])
