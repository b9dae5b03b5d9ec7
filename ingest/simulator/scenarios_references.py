"""Scenarios about how a transfer finds its instruction, or does not.

Belongs here: one function a scenario whose docstring is its specification. Does not belong here:
transfers that found their instruction and differ from it (scenarios_payouts.py).

A reference is the transfer group or metadata the kernel writes, or an operation's providerRef.
Where there is none, account, currency and amount may still fit exactly one open instruction.
"""

from __future__ import annotations

from ingest.simulator.kernel_records import PROVIDER_ID
from ingest.simulator.month_end import pay, send
from ingest.simulator.scene import Scene, scenario
from ingest.simulator.world_state import World, period_of, previous_month

__all__: list[str] = []


@scenario
def missing_receipt(world: World, tenant_id: str) -> None:
    """A transfer to a known account whose group and metadata name a payout the kernel never
    instructed: MISSING_INTERNAL, drift minus its amount, on the transfer. The month's own payout is
    paid."""
    scene = Scene(world, tenant_id, "missing_receipt")
    scene.paid_month()
    transfer = world.rail.create_transfer(
        9_100,
        at=scene.at(25),
        destination=scene.party.account_id,
        transfer_group="grp_unknown_payout",
        metadata=scene.partner.metadata(
            operation_id="mop_unknown_payout",
            provider_id=PROVIDER_ID,
            payout_key="unknown_payout",
        ),
    )
    scene.expect(
        "MISSING_INTERNAL",
        party_id=scene.party.party_id,
        drift_cents=-9_100,
        rail_object_id=transfer["id"],
    )


@scenario
def reference_missing(world: World, tenant_id: str) -> None:
    """A transfer to a known account without group and metadata, no operation's providerRef, and its
    amount fits no open instruction of that account: REFERENCE_MISSING, drift minus its amount, on
    the transfer. The month's own payout is paid."""
    scene = Scene(world, tenant_id, "reference_missing")
    scene.paid_month()
    bare = world.rail.create_transfer(4_321, at=scene.at(25), destination=scene.party.account_id)
    scene.expect(
        "REFERENCE_MISSING",
        party_id=scene.party.party_id,
        drift_cents=-4_321,
        rail_object_id=bare["id"],
    )


@scenario
def reference_by_operation(world: World, tenant_id: str) -> None:
    """A transfer without group and metadata whose id is the providerRef of a kernel operation: the
    operation is reference enough. No break."""
    scene = Scene(world, tenant_id, "reference_by_operation")
    payout = scene.month()
    scene.matched(payout, pay(scene.partner, payout, referenced=False))


@scenario
def reference_by_amount(world: World, tenant_id: str) -> None:
    """A transfer without any reference, not booked by the kernel, whose account, currency and
    amount fit exactly one open instruction that no other transfer fits: matched. No break."""
    scene = Scene(world, tenant_id, "reference_by_amount", settled_days=4)
    payout = scene.month()
    bare = send(scene.partner, payout, payout.amount_cents, at=payout.due_at, referenced=False)
    scene.matched(payout, bare)


@scenario
def ambiguous_match(world: World, tenant_id: str) -> None:
    """Two months owe a party the same amount, neither is paid, and one transfer of that amount
    carries no reference: AMBIGUOUS_MATCH on all three: each instruction +X, the transfer -X (in the
    month it was made). None of them is guessed away."""
    scene = Scene(world, tenant_id, "ambiguous_match", settled_days=4)
    first = previous_month(scene.period)
    for period in (first, scene.period):
        for day in (5, 10, 15):
            scene.sell(day, amount_cents=10_000, period=period)
    older, newer = scene.close(period=first), scene.close()
    sent_at = newer.due_at
    bare = send(scene.partner, newer, newer.amount_cents, at=sent_at, referenced=False)
    for payout in (older, newer):
        scene.expect_payout("AMBIGUOUS_MATCH", payout, payout.amount_cents)
    scene.expect(
        "AMBIGUOUS_MATCH",
        period=period_of(sent_at),
        party_id=scene.party.party_id,
        drift_cents=-newer.amount_cents,
        rail_object_id=bare["id"],
    )
