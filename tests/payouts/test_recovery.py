"""After an unclear answer a payout is looked up, never repeated blindly, and never lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.payouts.desk import Desk, payout

NOT_ACTED = ("cut_before", "409", "429")


@pytest.mark.parametrize("fault", ["cut_after", "500_after_acting", "unparseable_after_acting"])
def test_what_the_rail_did_without_saying_so_is_adopted(desk: Desk, fault: str) -> None:
    decided = payout()
    desk.rail.faults.append(fault)
    first = desk.pay(decided)[0]
    assert (first.state, first.codes) == ("unknown", ("SUBMISSION_UNRESOLVED",))
    desk.clock.advance(minutes=1)
    second = desk.pay(decided)[0]
    assert (second.state, second.codes, second.attempt) == ("submitted", ("ADOPTED",), 1)
    assert len(desk.rail.creations) == 1
    desk.assert_paid_once(decided)


@pytest.mark.parametrize("fault", NOT_ACTED)
def test_an_unclear_request_waits_fifteen_minutes_and_keeps_its_key(desk: Desk, fault: str) -> None:
    decided = payout()
    desk.rail.faults.append(fault)
    desk.pay(decided)
    desk.clock.advance(minutes=14, seconds=59)
    assert desk.pay(decided)[0].codes == ("SUBMISSION_UNRESOLVED",)
    assert len(desk.rail.creations) == 1
    desk.clock.advance(seconds=1)
    assert desk.pay(decided)[0].state == "submitted"
    assert len({key for _, key in desk.rail.creations}) == 1
    desk.assert_paid_once(decided)


def test_nothing_is_retried_within_a_pass(desk: Desk) -> None:
    desk.rail.faults.append("cut_before")
    desk.pay(payout())
    assert len(desk.rail.creations) == 1


def test_a_request_that_arrives_late_meets_the_same_key(desk: Desk) -> None:
    decided = payout()
    desk.rail.late_by = timedelta(hours=2)
    desk.rail.faults.append("late_arrival")
    desk.pay(decided)
    desk.settle(decided, passes=12)
    desk.assert_paid_once(decided)


def test_a_transfer_that_shows_late_is_not_paid_again(desk: Desk) -> None:
    decided = payout()
    desk.rail.late_by = timedelta(hours=3)
    create = desk.rail.create_transfer

    def cut_and_late(intent, key):
        desk.rail.faults.append("late_visible")
        create(intent, key)
        desk.rail.create_transfer = create  # type: ignore[method-assign]
        raise ConnectionResetError

    desk.rail.create_transfer = cut_and_late  # type: ignore[method-assign]
    desk.pay(decided)
    desk.settle(decided, passes=12)
    desk.assert_paid_once(decided)


def test_a_remembered_server_error_is_waited_out_before_a_new_attempt(desk: Desk) -> None:
    decided = payout()
    desk.rail.faults.append("500_without_acting")
    desk.pay(decided)
    desk.settle(decided, passes=3)
    assert desk.paid() == {}
    assert len({key for _, key in desk.rail.creations}) == 1
    desk.settle(decided, passes=60, hours=1)
    desk.assert_paid_once(decided)
    attempts = [intent.attempt for intent, _ in desk.rail.creations]
    assert attempts[-1] == 2
    assert len({key for _, key in desk.rail.creations}) == 2
    closed = [row for row in desk.journal().rows() if row.reason_code == "ABSENT_AT_RAIL"]
    assert [row.state for row in closed] == ["failed"]


def test_a_new_attempt_needs_a_full_day_of_silence(desk: Desk) -> None:
    decided = payout()
    desk.rail.faults.append("cut_before")
    desk.pay(decided)
    desk.clock.advance(hours=23, minutes=30)
    assert desk.pay(decided)[0].codes == ("SUBMISSION_UNRESOLVED",)
    desk.clock.advance(minutes=29)
    assert desk.pay(decided)[0].codes == ("SUBMISSION_UNRESOLVED",)
    desk.clock.advance(minutes=1)
    assert desk.pay(decided)[0].attempt == 2
    desk.assert_paid_once(decided)


def test_a_clear_rejection_fails_and_waits_for_a_newer_decision(desk: Desk) -> None:
    decided = payout()
    desk.rail.faults.append("rejected")
    decision = desk.decide([decided])
    first = desk.run(decision)[0]
    assert (first.state, first.codes) == ("failed", ("RAIL_400_PARAMETER_INVALID",))
    assert desk.run(decision)[0].codes == ("FAILED_UNDER_THIS_DECISION",)
    second = desk.pay(decided)[0]
    assert (second.state, second.attempt) == ("submitted", 2)
    desk.assert_paid_once(decided)


def test_a_rejection_after_an_unanswered_request_does_not_free_the_attempt(desk: Desk) -> None:
    decided = payout()
    desk.rail.late_by = timedelta(hours=1)
    desk.rail.faults.extend(["late_arrival", "rejected"])
    desk.pay(decided)
    desk.clock.advance(minutes=16)
    assert desk.pay(decided)[0].state == "unknown"
    desk.settle(decided)
    assert len({key for _, key in desk.rail.creations}) == 1
    desk.assert_paid_once(decided)


def test_no_funds_stops_the_pass_so_that_nothing_smaller_slips_past(desk: Desk) -> None:
    desk.rail.balance_cents = 600
    results = desk.pay(payout(amount=1000), payout("pb", amount=500))
    assert results[0].codes == ("RAIL_400_BALANCE_INSUFFICIENT",)
    assert results[1].codes == ("FUNDS_EXHAUSTED",)
    assert desk.paid() == {}


@pytest.mark.parametrize(
    ("fault", "code"), [("denied", "RAIL_DENIED"), ("429", "RAIL_RATE_LIMITED")]
)
def test_a_rail_that_turns_us_away_is_asked_no_more_in_this_pass(
    desk: Desk, fault: str, code: str
) -> None:
    desk.rail.faults.append(fault)
    results = desk.pay(payout(), payout("pb"), payout("pc"))
    assert [r.codes for r in results[1:]] == [(code,), (code,)]
    assert len(desk.rail.creations) == 1


def test_three_unclear_answers_in_a_row_end_the_pass(desk: Desk) -> None:
    desk.rail.faults.extend(["cut_before"] * 5)
    results = desk.pay(*(payout(f"p{n}") for n in range(5)))
    assert [r.state for r in results] == ["unknown"] * 3 + ["held"] * 2
    assert results[4].codes == ("RAIL_UNCLEAR",)
    assert len(desk.rail.creations) == 3


def test_no_lookup_no_creation(desk: Desk) -> None:
    decided = payout()
    desk.rail.lookup_faults.append("connection")
    assert desk.pay(decided)[0].codes == ("RAIL_LOOKUP_FAILED",)
    assert desk.states() == []
    assert desk.pay(decided)[0].state == "submitted"


def test_every_creation_is_preceded_by_a_lookup(desk: Desk) -> None:
    desk.rail.faults.extend(["cut_before", "rejected"])
    decided = [payout(), payout("pb")]
    desk.pay(*decided)
    desk.settle(*decided)
    for sent, _ in desk.rail.creations:
        assert sent.payout_key in desk.rail.lookups
    assert len(desk.rail.lookups) >= len(desk.rail.creations)


def test_an_open_payout_is_looked_after_although_no_decision_mentions_it(desk: Desk) -> None:
    lost, other = payout(), payout("pb")
    desk.rail.faults.append("cut_after")
    desk.pay(lost)
    results = desk.pay(other)
    assert [(r.payout_key, r.state) for r in results] == [
        (lost.payout_key, "submitted"),
        (other.payout_key, "submitted"),
    ]
    desk.assert_paid_once(lost, other)


def test_an_open_payout_is_not_sent_again_once_the_decision_holds_it(desk: Desk) -> None:
    decided = payout()
    desk.rail.faults.append("cut_before")
    desk.pay(decided)
    for _ in range(4):
        desk.clock.advance(hours=8)
        desk.pay(payout(decision="hold", codes=("OPEN_BREAK",)))
    assert desk.paid() == {}
    assert desk.journal().state(decided.payout_key) == "failed"
    again = payout(statement="s2")
    assert desk.pay(again)[0].state == "submitted"


def test_what_was_asked_for_stays_frozen_while_it_is_open(desk: Desk) -> None:
    decided = payout(amount=1000)
    desk.rail.faults.append("cut_before")
    desk.pay(decided)
    desk.clock.advance(minutes=20)
    changed = payout(amount=900)
    assert desk.pay(changed)[0].codes == ("PAYOUT_BINDING_MISMATCH",)
    assert len(desk.rail.creations) == 1
    desk.rail.put(desk.rail.creations[0][0])
    assert desk.pay(changed)[0].codes == ("ADOPTED",)
    desk.assert_paid_once(decided)


def test_a_clock_that_jumps_ahead_does_not_shorten_the_wait(desk: Desk) -> None:
    decided = payout()
    desk.rail.late_by = timedelta(minutes=10)
    desk.rail.faults.append("late_arrival")
    desk.pay(decided)
    # Our clock leaps two days; the rail's does not, and the skew allowed here is absurd on purpose.
    desk.clock.advance(days=2)
    desk.rail.clock_offset = timedelta(days=-2)
    profile = desk.profile(max_clock_skew_seconds=10**9)
    result = desk.run(desk.decide([decided]), profile=profile)[0]
    assert result.codes == ("SUBMISSION_UNRESOLVED",)
    assert len(desk.rail.creations) == 1


def test_a_clock_that_jumps_back_does_not_reuse_a_forgotten_key(desk: Desk) -> None:
    decided = payout()
    desk.rail.faults.append("cut_before")
    desk.pay(decided)
    desk.clock.advance(minutes=30)
    desk.rail.clock_offset = timedelta(hours=30)
    profile = desk.profile(max_clock_skew_seconds=10**9)
    assert desk.run(desk.decide([decided]), profile=profile)[0].codes == ("SUBMISSION_UNRESOLVED",)
    assert len(desk.rail.creations) == 1


def test_attempts_are_bounded(desk: Desk) -> None:
    decided = payout()
    desk.rail.faults.extend(["rejected"] * 40)
    codes = [desk.pay(decided)[0].codes for _ in range(22)]
    assert codes[-1] == ("ATTEMPTS_EXHAUSTED",)
    assert len(desk.rail.creations) == 20
