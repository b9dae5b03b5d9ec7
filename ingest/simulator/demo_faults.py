"""The faults that the demo shows, and the truth about them.

Belongs here: birch's wrong payments, cobalt's disputes and its uninstructed transfer, and what the
gates must answer for the month that Tieout pays. Does not belong here: ordinary trade (demo.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any, Final

from ingest.simulator.kernel_records import PROVIDER_ID
from ingest.simulator.month_end import Payout, pay, reverse, send
from ingest.simulator.partner import Partner, Party, Sale
from ingest.simulator.world_state import World, period_of, period_start

__all__ = ["birch_pays", "cobalt_disputes", "expect_gates", "expect_payout"]

_SCENARIO: Final = "demo"
_DISPUTE_FEE_CENTS: Final = 1_500
_FAULT_CENTS: Final = 1_250
_GOODWILL_CENTS: Final = 18_400


def expect_payout(
    world: World,
    payout: Payout,
    reason_code: str,
    drift_cents: int,
    *,
    outcome: str = "break",
    transfer: dict[str, Any] | None = None,
) -> None:
    """Append a truth row about a payout of the demo."""
    world.expect(
        payout.close.tenant_id,
        _SCENARIO,
        reason_code,
        period=payout.close.period,
        outcome=outcome,
        party_id=payout.party.party_id,
        currency=payout.party.currency,
        drift_cents=drift_cents,
        rail_object_id=None if transfer is None else transfer["id"],
        kernel_object_id=payout.artifact_id,
        payout_key=payout.key,
    )


def birch_pays(world: World, partner: Partner, payout: Payout) -> None:
    """Pay a payout of birch with the demo's four faults; its party root is always paid right."""
    first, second = world.months[:2]
    case = (payout.party.party_id.removeprefix("pty_operator:"), payout.close.period)
    soon = payout.due_at + timedelta(hours=2)
    if case == ("grove", second):
        sent = pay(partner, payout, sent_cents=payout.amount_cents + _FAULT_CENTS)
        expect_payout(world, payout, "AMOUNT_OVER", -_FAULT_CENTS, transfer=sent)
    elif case == ("leaf", second):
        pay(partner, payout)
        again = send(partner, payout, payout.amount_cents, at=soon)
        expect_payout(world, payout, "DUPLICATE_EXTERNAL", -payout.amount_cents, transfer=again)
    elif case == ("grove", first):
        sent = pay(partner, payout)
        reverse(partner, payout, _FAULT_CENTS, at=soon)
        expect_payout(world, payout, "STATUS_CONFLICT", _FAULT_CENTS, transfer=sent)
    elif case == ("leaf", first):
        half = payout.amount_cents // 2
        pay(partner, payout, sent_cents=half)
        rest = payout.amount_cents - half - _FAULT_CENTS
        last = send(partner, payout, rest, at=soon)
        expect_payout(world, payout, "SPLIT_INCOMPLETE", _FAULT_CENTS, transfer=last)
    else:
        pay(partner, payout)


def cobalt_disputes(world: World, partner: Partner, disputed: Party, favoured: Party) -> None:
    """Put a lost and a won dispute against `disputed`, and a transfer nobody instructed to
    `favoured`, on the agenda of the second month."""
    second = period_start(world.months[1])
    exposure: dict[str, Any] = {
        "tenant_id": partner.tenant_id,
        "scenario": _SCENARIO,
        "party_id": disputed.party_id,
        "currency": disputed.currency,
        "outstanding_cents": 0,
    }
    world.expected_exposures.append(exposure)

    def dispute(nth: int, day: int, status: str) -> None:
        opened_at = second + timedelta(days=day, hours=10)
        closed_at = opened_at + timedelta(days=16)

        def act() -> None:
            sale = _plain_sales(partner, disputed)[nth]
            opened = world.rail.open_dispute(sale.charge_id, at=opened_at, fee=_DISPUTE_FEE_CENTS)
            close = partial(world.rail.close_dispute, opened["id"], status, at=closed_at)
            world.later(closed_at, close)
            lost_cents = sale.amount_cents if status == "lost" else 0
            exposure["outstanding_cents"] += lost_cents + _DISPUTE_FEE_CENTS

        world.later(opened_at, act)

    dispute(4, 12, "lost")
    dispute(9, 14, "won")
    sent_at = second + timedelta(days=19, hours=15)

    def send_uninstructed() -> None:
        sent = world.rail.create_transfer(
            _GOODWILL_CENTS,
            at=sent_at,
            destination=favoured.account_id,
            transfer_group="grp_manual_goodwill",
            metadata=partner.metadata(
                operation_id="mop_manual_goodwill",
                provider_id=PROVIDER_ID,
                payout_key="manual_goodwill",
            ),
        )
        world.expect(
            partner.tenant_id,
            _SCENARIO,
            "MISSING_INTERNAL",
            period=period_of(sent_at),
            party_id=favoured.party_id,
            drift_cents=-_GOODWILL_CENTS,
            rail_object_id=sent["id"],
        )

    world.later(sent_at, send_uninstructed)


def _plain_sales(partner: Partner, party: Party) -> list[Sale]:
    return [
        sale
        for sale in partner.sales
        if sale.party == party and sale.hold is None and sale.released_cents == sale.amount_cents
    ]


def expect_gates(world: World, payable: Iterable[Payout]) -> None:
    """Say what the gate must answer for every payout that Tieout may pay."""
    broken = {
        (row["tenant_id"], row["party_id"]) for row in world.truth if row["outcome"] == "break"
    }
    owed = {
        (row["tenant_id"], row["party_id"]): row["outstanding_cents"]
        for row in world.expected_exposures
    }
    for payout in payable:
        who = (payout.close.tenant_id, payout.party.party_id)
        limit = world.partners[who[0]].controls.get("dailyPayoutLimitCents")
        recovery_cents = owed.get(who, 0)
        codes: list[str] = []
        if limit is not None and payout.amount_cents - recovery_cents > limit:
            codes.append("PAYOUT_DAILY_LIMIT_EXCEEDED")
        if who in broken:
            codes.append("OPEN_BREAK")
        world.expected_gates.append(
            {
                "tenant_id": who[0],
                "scenario": _SCENARIO,
                "payout_key": payout.key,
                "party_id": who[1],
                "decision": "hold" if codes else "release",
                "held_codes": codes,
                "gross_cents": payout.amount_cents,
                "recovery_cents": recovery_cents,
                "release_cents": 0 if codes else payout.amount_cents - recovery_cents,
            }
        )
