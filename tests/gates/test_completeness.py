"""What was not read holds the parties and tenants behind it, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

READ_AT = AS_OF - timedelta(minutes=8)


def _slice(world: World, account_id: str, status: str, **over: Any) -> None:
    row = {
        "source": "stripe",
        "account_id": account_id,
        "is_platform": False,
        "endpoint": "balance_transactions",
        "status": status,
        "started_at": READ_AT - timedelta(seconds=30),
        "finished_at": READ_AT,
        "slice_from": AS_OF - timedelta(days=365),
        "slice_to": READ_AT,
        "pull_id": "pull_1",
    }
    world.own("coverage", **(row | over))


@planted
def one_of_two_parties(world: World) -> None:
    read = Partner(world, "c_parties")
    read.pay()
    denied = Partner(world, "c_parties", party="pb", sole=False)
    denied.pay()
    _slice(world, read.account_id, "complete")
    _slice(world, denied.account_id, "denied")


@planted
def refused_object(world: World) -> None:
    partner = Partner(world, "c_refused")
    partner.pay()
    # One object of the list could not be accepted; all others of the list were.
    _slice(world, partner.account_id, "partial", error_code="stripe_object_refused")


@planted
def vanished(world: World) -> None:
    partner = Partner(world, "c_vanished")
    partner.pay()
    earlier = {"started_at": READ_AT - timedelta(days=1), "pull_id": "pull_0"}
    _slice(world, partner.account_id, "complete", **earlier)


@planted
def departed(world: World) -> None:
    partner = Partner(world, "c_departed")
    partner.pay()
    _slice(world, partner.account_id, "departed")


@planted
def claimed_twice(world: World) -> None:
    for tenant in ("c_claim_one", "c_claim_two"):
        Partner(world, tenant, account={"accountId": "acct_claimed_twice"}).pay()
    _slice(world, "acct_claimed_twice", "failed")


@planted
def nobodys(world: World) -> None:
    Partner(world, "c_bystander").pay()
    _slice(world, "acct_of_nobody", "denied")


@planted
def unfinished_pull(world: World) -> None:
    # A pull that died after its first lists says nothing, neither good nor bad.
    later = {"started_at": READ_AT + timedelta(minutes=1), "pull_id": "pull_2"}
    _slice(world, "acct_of_nobody", "complete", **later)


def _held(warehouse: Warehouse, tenant: str) -> dict[str, bool]:
    query = (
        "select party_id, bool_or(condition_code = 'EVIDENCE_INCOMPLETE' and holds) as held "
        "from payout_gate_conditions join payout_gates using (tenant_id, payout_key) "
        "where tenant_id = ? group by party_id"
    )
    return {row["party_id"]: row["held"] for row in warehouse.rows(query, tenant)}


def _whole(warehouse: Warehouse, tenant: str) -> bool:
    table = "work.intermediate.int_source_completeness"
    query = f"select stripe_complete from {table} where tenant_id = ?"
    (row,) = warehouse.rows(query, tenant)
    return bool(row["stripe_complete"])


def test_a_denied_account_holds_its_party_and_marks_its_tenant(warehouse: Warehouse) -> None:
    assert _held(warehouse, "c_parties") == {"pa": False, "pb": True}
    assert not _whole(warehouse, "c_parties")


def test_a_refused_object_holds_the_party_behind_it(warehouse: Warehouse) -> None:
    assert _held(warehouse, "c_refused") == {"pa": True}
    assert not _whole(warehouse, "c_refused")


def test_an_account_that_vanished_is_incomplete_until_it_is_declared_departed(
    warehouse: Warehouse,
) -> None:
    assert _held(warehouse, "c_vanished") == {"pa": True}
    assert not _whole(warehouse, "c_vanished")
    assert _held(warehouse, "c_departed") == {"pa": False}
    assert _whole(warehouse, "c_departed")


def test_an_account_that_two_tenants_claim_stands_behind_both(warehouse: Warehouse) -> None:
    for tenant in ("c_claim_one", "c_claim_two"):
        assert _held(warehouse, tenant) == {"pa": True}
        assert not _whole(warehouse, tenant)


def test_an_account_of_nobody_holds_nobody(warehouse: Warehouse) -> None:
    assert _held(warehouse, "c_bystander") == {"pa": False}
    assert _whole(warehouse, "c_bystander")
    assert _whole(warehouse, "_platform")
