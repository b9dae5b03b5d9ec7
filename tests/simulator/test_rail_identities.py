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
from tests.simulator.random_acts import ACTS

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
