"""No money leaves twice, whatever names the second instruction carries."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.identities import payout_key
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

LATER = {"generatedAt": "2026-04-10T00:00:00.000Z"}


@planted
def paid_already(world: World) -> None:
    by_operation = Partner(world, "t_paid_operation")
    by_operation.operation(by_operation.pay(), 8000, "submitted")
    by_journal = Partner(world, "t_paid_journal")
    by_journal.journal(by_journal.pay(), 8000, "submitted", transfer_id="tr_x")
    blocked = Partner(world, "t_blocked")
    key = blocked.pay()
    blocked.journal(key, 8000, "intent")
    blocked.journal(key, 8000, "refused", reason_code="PAYOUT_BINDING_MISMATCH")
    quiet = Partner(world, "t_refused_quietly")
    key = quiet.pay()
    quiet.journal(key, 8000, "dry_run")
    quiet.journal(key, 8000, "refused", reason_code="NOT_RELEASED")
    noted = Partner(world, "t_paid_then_noted")
    key = noted.pay()
    noted.journal(key, 8000, "submitted")
    noted.journal(key, 8000, "refused", reason_code="NOT_RELEASED")
    by_rail = Partner(world, "t_paid_rail")
    by_rail.transfer(by_rail.pay(), 8000)
    nameless = Partner(world, "t_paid_nameless")
    nameless.pay()
    nameless.transfer(None, 8000, meta_payout_key=None)
    reversed_ = Partner(world, "t_paid_reversed")
    reversed_.transfer(reversed_.pay(), 8000, amount_reversed=8000, reversed=True)


@planted
def submitted(world: World) -> None:
    for name, sent, over in (
        ("seen", 8000, {}),
        ("partly_reversed", 8000, {"amount_reversed": 10}),
        ("reversed", 8000, {"amount_reversed": 8000, "reversed": True}),
        ("another_amount", 7999, {}),
    ):
        partner = Partner(world, f"t_submitted_{name}")
        key = partner.pay()
        transfer = partner.transfer(key, sent, **over)
        if name == "reversed":
            partner.reversal(transfer, 8000, at=AS_OF - timedelta(days=2))
        partner.journal(key, 8000, "submitted", transfer_id=transfer, currency="usd")
    unseen = Partner(world, "t_submitted_unseen")
    unseen.journal(unseen.pay(), 8000, "submitted", transfer_id="tr_not_listed_yet")


@planted
def paid_under_another_key(world: World) -> None:
    regenerated = Partner(world, "t_regenerated")
    regenerated.pay()
    regenerated.pay(8100, edition="2", sale=False, instruction=LATER, links=())
    again = Partner(world, "t_regenerated_paid")
    again.operation(again.pay(), 8000, "confirmed")
    again.pay(8100, edition="2", sale=False, instruction=LATER, links=())
    unknown = Partner(world, "t_regenerated_unknown")
    unknown.journal(unknown.pay(), 8000, "intent")
    unknown.pay(8100, edition="2", sale=False, instruction=LATER, links=())
    failed = Partner(world, "t_regenerated_failed")
    failed.journal(failed.pay(), 8000, "failed")
    failed.pay(8000, edition="2", sale=False, instruction=LATER, links=())
    shared = Partner(world, "t_shared_source")
    shared.operation(shared.pay(8000, period="2026-02"), 8000, "confirmed")
    shared.pay(8000, period="2026-03", sale=False, links=_links_of(shared, "2026-02"))
    both = Partner(world, "t_shared_open")
    both.pay(8000, period="2026-02")
    both.pay(8000, period="2026-03", sale=False, links=_links_of(both, "2026-02"))


def _links_of(partner: Partner, period: str) -> tuple[dict[str, object], ...]:
    name = f"{partner.party}_{period}_USD"
    receipt = {"sourceType": "receipt", "sourceId": f"rcpt_{name}", "amountCents": 10_000}
    return (
        {**receipt, "sourceHash": partner.receipt_hash(name)},
        {"sourceType": "fee", "sourceId": "fee_again", "sourceHash": None, "amountCents": -2000},
    )


@pytest.mark.parametrize(
    "tenant",
    [
        "t_paid_operation",
        "t_paid_journal",
        "t_paid_then_noted",
        "t_paid_rail",
        "t_paid_nameless",
        "t_paid_reversed",
    ],
)
def test_kernel_journal_and_rail_each_prove_a_payment(warehouse: Warehouse, tenant: str) -> None:
    assert "ALREADY_PAID" in warehouse.held(tenant)
    assert warehouse.gate(tenant)["decision"] == "hold"


def test_a_rail_that_holds_something_else_stays_unresolved(warehouse: Warehouse) -> None:
    assert warehouse.held("t_blocked") == {"SUBMISSION_UNRESOLVED"}


def test_a_dry_run_or_a_refusal_before_the_call_spends_nothing(warehouse: Warehouse) -> None:
    assert warehouse.gate("t_refused_quietly")["decision"] == "release"


def test_a_regenerated_statement_supersedes_the_open_one(warehouse: Warehouse) -> None:
    tenant = "t_regenerated"
    assert "SUPERSEDED_INSTRUCTION" in warehouse.held(tenant, _key(tenant, "1"))
    assert "SUPERSEDED_INSTRUCTION" not in warehouse.held(tenant, _key(tenant, "2"))


@pytest.mark.parametrize("tenant", ["t_regenerated_paid", "t_regenerated_unknown"])
def test_a_month_paid_or_unresolved_is_not_paid_again_under_a_new_key(
    warehouse: Warehouse, tenant: str
) -> None:
    assert "SUPERSEDED_INSTRUCTION" in warehouse.held(tenant, _key(tenant, "2"))


def test_a_failed_attempt_leaves_the_regenerated_statement_payable(warehouse: Warehouse) -> None:
    tenant = "t_regenerated_failed"
    assert "SUPERSEDED_INSTRUCTION" not in warehouse.held(tenant, _key(tenant, "2"))


def test_a_source_paid_in_one_month_is_not_paid_in_another(warehouse: Warehouse) -> None:
    held = warehouse.held("t_shared_source", _key("t_shared_source", "1"))
    assert "SUPERSEDED_INSTRUCTION" in held


def test_two_open_instructions_over_one_source_both_wait(warehouse: Warehouse) -> None:
    for key, row in warehouse.gates("t_shared_open").items():
        assert "SUPERSEDED_INSTRUCTION" in warehouse.held("t_shared_open", key)
        assert row["decision"] == "hold"


def _key(tenant: str, edition: str) -> str:
    return payout_key(tenant, "pa", "2026-03", edition)


def test_a_releasable_payout_names_each_source_it_uses_up_and_no_fee(
    warehouse: Warehouse,
) -> None:
    rows = warehouse.rows("select * from payout_sources where tenant_id = 't_refused_quietly'")
    assert [(row["source_type"], row["source_id"], row["amount_cents"]) for row in rows] == [
        ("receipt", "rcpt_pa_2026-03_USD", 10_000)
    ]
    assert warehouse.rows("select * from payout_sources where tenant_id = 't_paid_operation'") == []


def test_a_submission_is_confirmed_or_reversed_by_its_very_transfer_alone(
    warehouse: Warehouse,
) -> None:
    rows = warehouse.rows("select * from payout_submissions where tenant_id like 't_submitted_%'")
    states = {row["tenant_id"].removeprefix("t_submitted_"): row["rail_state"] for row in rows}
    assert states == {
        "seen": "confirmed",
        "partly_reversed": "confirmed",
        "reversed": "reversed",
        "another_amount": None,
        "unseen": None,
    }
    (row,) = [row for row in rows if row["rail_state"] == "reversed"]
    assert f"{row['rail_state_at']:%Y-%m-%d}" == f"{AS_OF - timedelta(days=2):%Y-%m-%d}"
