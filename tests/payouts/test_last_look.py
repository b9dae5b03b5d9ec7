"""A switch thrown at the last moment stops the call; what is open is looked after by itself."""

from __future__ import annotations

from datetime import datetime

import pytest

from ingest.errors import PayoutRefused
from ingest.payouts.decision import DecidedPayout
from ingest.payouts.submit import settle_open
from tests.payouts.desk import PLATFORM, Desk, intent_of, payout


class Switch:
    """Thrown at one named step of a pass."""

    def __init__(self, step: str) -> None:
        self.step, self.thrown, self.calls_before = step, False, 0

    def checkpoint(self, step: str) -> None:
        self.thrown = self.thrown or step == self.step

    def read(self, _payout: DecidedPayout, _now: datetime) -> tuple[str, ...]:
        return ("PAYOUT_KILL_SWITCH_ACTIVE",) if self.thrown else ()


@pytest.mark.parametrize(
    "step",
    [
        "pass.begin",
        "pass.identified",
        "payout.payable",
        "payout.looked_up",
        "payout.rechecked",
        "journal.append",
        "journal.synced",
        "journal.head",
        "payout.intent",
    ],
)
def test_a_switch_thrown_at_any_step_before_the_call_stops_that_call(desk: Desk, step: str) -> None:
    switch = Switch(step)
    decision = desk.decide([payout(), payout("pb")], recheck=switch.read, switches=switch.read)
    desk.run(decision, checkpoint=switch.checkpoint)
    assert switch.thrown
    assert desk.rail.creations == []


def test_a_switch_thrown_after_one_call_stops_the_next(desk: Desk) -> None:
    switch = Switch("payout.answered")
    decision = desk.decide([payout(), payout("pb")], recheck=switch.read, switches=switch.read)
    desk.run(decision, checkpoint=switch.checkpoint)
    assert len(desk.rail.creations) == 1


def test_an_intent_that_a_switch_stopped_waits_for_a_later_decision(desk: Desk) -> None:
    switch = Switch("payout.intent")
    decision = desk.decide([payout()], recheck=switch.read, switches=switch.read)
    (result,) = desk.run(decision, checkpoint=switch.checkpoint)
    assert (result.state, result.codes) == ("failed", ("PAYOUT_KILL_SWITCH_ACTIVE",))
    switch.thrown = False
    (result,) = desk.run(decision)
    assert (result.state, result.codes) == ("held", ("FAILED_UNDER_THIS_DECISION",))
    desk.pay(payout())
    desk.assert_paid_once(payout())


def test_a_switch_that_cannot_be_read_at_the_last_moment_stops_the_call(desk: Desk) -> None:
    def unreadable(_payout: DecidedPayout, _now: datetime) -> tuple[str, ...]:
        raise OSError("a path that nobody should see")

    (result,) = desk.run(desk.decide([payout()], switches=unreadable))
    assert (result.state, result.codes) == ("failed", ("RECHECK_FAILED",))
    assert desk.rail.creations == []


def test_a_consumed_payout_that_the_rail_paid_is_not_recovered_from(desk: Desk) -> None:
    consumed = payout(decision="consumed", amount=0, recovery=700)
    desk.rail.put(intent_of(payout(amount=700)))
    (result,) = desk.pay(consumed)
    assert (result.state, result.codes) == ("refused", ("PAYOUT_BINDING_MISMATCH",))


def _settle(desk: Desk, **over: object) -> list[tuple[str, tuple[str, ...]]]:
    fields = {"livemode": False, "platform_account_id": PLATFORM, "wait_seconds": 0.0, **over}
    results = settle_open(
        "t1",
        rail=desk.rail,
        journal=desk.journal(),
        clock=desk.clock,
        **fields,  # type: ignore[arg-type]
    )
    return [(result.state, result.codes) for result in results]


def test_what_the_rail_did_is_adopted_without_any_decision(desk: Desk) -> None:
    desk.rail.faults.append("cut_after")
    desk.pay(payout())
    desk.clock.advance(days=3)
    assert _settle(desk) == [("submitted", ("ADOPTED",))]
    desk.assert_paid_once(payout())
    assert _settle(desk) == []


def test_what_the_rail_never_did_is_closed_after_a_day_and_asked_for_by_nobody(desk: Desk) -> None:
    desk.rail.faults.append("cut_before")
    desk.pay(payout())
    for hours in (0.1, 1, 22):
        desk.clock.advance(hours=hours)
        assert _settle(desk) == [("unknown", ("SUBMISSION_UNRESOLVED",))]
    desk.clock.advance(hours=24)
    assert _settle(desk) == [("failed", ("ABSENT_AT_RAIL",))]
    assert len(desk.rail.creations) == 1


@pytest.mark.parametrize("over", [{"livemode": True}, {"platform_account_id": "acct_other"}])
def test_looking_after_needs_the_home_and_the_key_of_one_account(desk: Desk, over: dict) -> None:
    desk.rail.faults.append("cut_after")
    desk.pay(payout())
    with pytest.raises(PayoutRefused):
        _settle(desk, **over)
    desk.rail.livemode = True
    with pytest.raises(PayoutRefused):
        _settle(desk)
