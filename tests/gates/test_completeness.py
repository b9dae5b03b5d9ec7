"""What was not read holds the parties and tenants behind it, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner
from tests.gates.rail_side import READ_AT


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


@planted
def unexported(world: World) -> None:
    # This tenant's folder was there before and is not.
    Partner(world, "c_unexported", export_read_at=AS_OF - timedelta(hours=2)).pay()
    world.own(
        "coverage",
        source="kernel",
        endpoint="export",
        tenant_id="c_unexported",
        status="failed",
        started_at=AS_OF - timedelta(minutes=9),
        finished_at=AS_OF - timedelta(minutes=9),
        pull_id="kernel_2",
    )
    # Another was read once more, alone, and the others' readings count as before.
    Partner(world, "c_read_alone", export_read_at=AS_OF - timedelta(minutes=5)).pay()


@planted
def balances(world: World) -> None:
    """100 available and 30 pending; 7 more became available while the movements were read."""
    account = "acct_of_nobody"
    for number, (net, days) in enumerate(((100, -3), (7, -1), (30, 2))):
        world.rail(
            "balance_transactions",
            account_id=account,
            id=f"txn_balance_{number}",
            amount=net,
            fee=0,
            net=net,
            currency="jpy",
            type="charge",
            reporting_category="charge",
            balance_type="payments",
            # What was true when it was first read; time has gone on since.
            status="pending",
            created=AS_OF - timedelta(days=5),
            available_on=AS_OF + timedelta(days=days),
        )
    # A bucket lands when it changes: the pending one of both snapshots is as old as can be.
    for snapshot, bucket, amount, minutes in (
        ("before", "pending", 30, 900),
        ("after", "pending", 30, 900),
        ("before", "available", 100, 10),
        ("after", "available", 107, 8),
    ):
        world.rail(
            "balances",
            account_id=account,
            snapshot=snapshot,
            balance_type="payments",
            currency="jpy",
            bucket=bucket,
            amount=amount,
            taken_at=AS_OF - timedelta(minutes=minutes),
            livemode=False,
        )


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


def test_a_tenant_that_the_newest_reading_did_not_find_is_incomplete(warehouse: Warehouse) -> None:
    assert _held(warehouse, "c_unexported") == {"pa": True}
    query = (
        "select tenant_id from work.intermediate.int_source_completeness "
        "where not kernel_complete and starts_with(tenant_id, 'c_')"
    )
    assert [row["tenant_id"] for row in warehouse.rows(query)] == ["c_unexported"]


def test_an_account_that_two_tenants_claim_stands_behind_both(warehouse: Warehouse) -> None:
    for tenant in ("c_claim_one", "c_claim_two"):
        assert _held(warehouse, tenant) == {"pa": True}
        assert not _whole(warehouse, tenant)


def test_an_account_of_nobody_holds_nobody(warehouse: Warehouse) -> None:
    assert _held(warehouse, "c_bystander") == {"pa": False}
    assert _whole(warehouse, "c_bystander")
    assert _whole(warehouse, "_platform")


def test_a_balance_ties_out_by_bucket_before_or_after_the_sweep(warehouse: Warehouse) -> None:
    query = (
        "select tie_out, stated_cents, swept_cents from work.intermediate.int_balance_identities "
        "where account_id = 'acct_of_nobody' order by tie_out"
    )
    found = [tuple(row.values()) for row in warehouse.rows(query)]
    assert found == [
        ("available_equals_movements", 107, 107),
        ("balance_equals_movements", 137, 137),
        ("pending_equals_movements", 30, 30),
    ]
