"""Claim: whatever is done in whatever order, the identities I1 to I14 hold and money is conserved.

Attack: change one fact behind the ledger's back, and the check names the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.simulator.rail import Rail, RailError
from tests.simulator.rail_world import START, day, eventful_rail, new_rail

Act = Callable[[Rail, int, int, float], Any]


def pick(rail: Rail, kind: str, which: int) -> str:
    accounts = (
        [None, "acct_1Seller"] if kind in ("charge", "dispute", "refund", "payout") else [None]
    )
    ids = [obj["id"] for account in accounts for obj in rail.objects(kind, account)]
    return ids[which % len(ids)] if ids else "none"


SELLERS = ("acct_1Seller", "acct_1Euro")
ACTS: tuple[Act, ...] = (
    lambda r, n, w, t: r.create_charge(n, at=day(t)),
    lambda r, n, w, t: r.create_charge(n, at=day(t), currency="gbp", settlement_currency="usd"),
    lambda r, n, w, t: r.create_charge(
        n, at=day(t), account="acct_1Seller", application_fee=n // 5
    ),
    lambda r, n, w, t: r.create_charge(
        n,
        at=day(t),
        destination="acct_1Seller",
        application_fee=n // 9,
        transfer_amount=n - n // 7,
    ),
    lambda r, n, w, t: r.refund(pick(r, "charge", w), n % 900 + 1, at=day(t)),
    lambda r, n, w, t: r.refund(
        pick(r, "charge", w),
        at=day(t),
        status=("succeeded", "failed", "pending", "canceled", "requires_action")[n % 5],
    ),
    lambda r, n, w, t: r.refund(
        pick(r, "charge", w), n, at=day(t), reverse_transfer=True, refund_application_fee=True
    ),
    lambda r, n, w, t: r.resolve_refund(
        pick(r, "refund", w), ("succeeded", "failed", "canceled")[n % 3], at=day(t)
    ),
    lambda r, n, w, t: r.refund_application_fee(pick(r, "application_fee", w), at=day(t)),
    lambda r, n, w, t: r.open_dispute(
        pick(r, "charge", w),
        at=day(t),
        status=("needs_response", "warning_needs_response", "under_review", "prevented")[n % 4],
    ),
    lambda r, n, w, t: r.move_dispute(
        pick(r, "dispute", w), ("under_review", "appeal_under_review")[n % 2], at=day(t)
    ),
    lambda r, n, w, t: r.close_dispute(
        pick(r, "dispute", w),
        ("won", "lost", "warning_closed", "prevented")[n % 4],
        at=day(t),
        fee_returned=n % 2 * 1_500,
    ),
    lambda r, n, w, t: r.create_transfer(n, at=day(t), destination=SELLERS[w % 2]),
    lambda r, n, w, t: r.create_transfer(
        n, at=day(t), destination=SELLERS[w % 2], source_transaction=pick(r, "charge", w)
    ),
    lambda r, n, w, t: r.reverse_transfer(pick(r, "transfer", w), n, at=day(t)),
    lambda r, n, w, t: r.reverse_transfer(pick(r, "transfer", w), at=day(t)),
    lambda r, n, w, t: r.create_payout(None, at=day(t), automatic=True),
    lambda r, n, w, t: r.create_payout(None, at=day(t), account="acct_1Seller", automatic=True),
    lambda r, n, w, t: r.create_payout(n, at=day(t), account="acct_1Seller"),
    lambda r, n, w, t: r.fail_payout(pick(r, "payout", w), at=day(t)),
    lambda r, n, w, t: r.cancel_payout(pick(r, "payout", w), at=day(t)),
)

STEP = st.tuples(
    st.integers(0, len(ACTS) - 1), st.integers(1, 5_000), st.integers(0, 50), st.floats(0, 40)
)


@settings(max_examples=80, deadline=None, database=None, derandomize=True)
@given(st.lists(STEP, min_size=8, max_size=40), st.floats(0, 50))
def test_no_sequence_of_acts_breaks_an_identity(
    steps: list[tuple[int, int, int, float]], seen_on: float
) -> None:
    rail, clock = new_rail(record_events=False)
    rail.top_up(20_000, at=START)
    for act, amount, which, at in steps:
        with suppress(RailError):
            ACTS[act](rail, amount, which, at)
    assert rail.check_invariants() == []
    clock.at = day(seen_on)
    assert rail.check_invariants() == []


def test_every_act_of_the_property_test_can_succeed() -> None:
    rail, _ = new_rail(day(5), record_events=False)
    rail.top_up(900_000, at=START)
    chance, done = Random(3), set()
    for step in range(800):
        number = chance.randrange(len(ACTS))
        with suppress(RailError):
            ACTS[number](rail, chance.randrange(1, 999), chance.randrange(50), step / 160)
            done.add(number)
    assert done == set(range(len(ACTS)))
    assert rail.check_invariants() == []


def test_the_eventful_world_is_sound() -> None:
    assert eventful_rail()[0].check_invariants() == []


def forge_txn(rail: Rail, **changes: Any) -> None:
    shelf = rail.books.shelf("balance_transaction")
    newest = next(iter(shelf.ids()))
    leg = shelf.record(newest)
    shelf.add(newest, leg.created, replace(leg, **changes))


def forge(kind: str, **changes: Any) -> Callable[[Rail], None]:
    def forged(rail: Rail) -> None:
        object_id = rail.objects(kind)[0]["id"]
        rail.books.record(kind, object_id).update(changes)
        rail.books.changed(kind, object_id)

    return forged


@pytest.mark.parametrize(
    ("identity", "attack"),
    [
        ("I3", lambda rail: forge_txn(rail, amount=1)),
        ("I5", lambda rail: forge_txn(rail, source="po_none")),
        ("I6", forge("transfer", amount=1)),
        ("I7", forge("transfer", destination_payment="py_none")),
        ("I8", forge("transfer", amount_reversed=1)),
        ("I10", forge("application_fee", amount=1)),
        ("I11", forge("application_fee", amount_refunded=1)),
        ("I12", forge("charge", amount_refunded=1)),
        ("I13", lambda rail: next(iter(rail.books.payout_members.values())).pop()),
        ("I14", forge("payout", status="failed")),
        ("I15", forge("dispute", status="won")),
    ],
)
def test_a_forged_fact_is_named_by_its_identity(
    identity: str, attack: Callable[[Rail], object]
) -> None:
    rail, _ = eventful_rail()
    attack(rail)
    broken = rail.check_invariants()
    assert any(line.startswith(f"{identity} ") for line in broken), broken
