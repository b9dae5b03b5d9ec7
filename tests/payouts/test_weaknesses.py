"""What the original lost money by at the rail, each by the name under which it is known."""

from __future__ import annotations

import pytest

from tests.payouts.desk import Crash, Desk, payout


def test_w2_a_server_error_after_the_rail_acted_leads_to_no_second_transfer(desk: Desk) -> None:
    desk.rail.faults.append("500_after_acting")
    desk.pay(payout())
    assert len(desk.rail.creations) == 1
    desk.settle(payout())
    desk.assert_paid_once(payout())


def test_w2_a_crash_between_the_rails_answer_and_ours_leads_to_no_second_transfer(
    desk: Desk,
) -> None:
    def die(step: str) -> None:
        if step == "payout.answered":
            raise Crash(step)

    with pytest.raises(Crash):
        desk.run(desk.decide([payout()]), checkpoint=die)
    desk.settle(payout())
    desk.assert_paid_once(payout())


def test_w2_every_request_of_an_attempt_carries_the_same_key_and_another_attempt_another(
    desk: Desk,
) -> None:
    desk.rail.faults.extend(["cut_before", "cut_before"])
    for _ in range(3):
        desk.pay(payout())
        desk.clock.advance(minutes=16)
    keys = [key for _, key in desk.rail.creations]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    desk.rail.faults.append("rejected")
    desk.pay(payout("pb"))
    desk.pay(payout("pb"))
    first, second = [key for intent, key in desk.rail.creations if ":pb:" in intent.payout_key]
    assert first != second


def test_w3_a_switch_thrown_after_the_decision_is_seen_at_submission(desk: Desk) -> None:
    (result,) = desk.pay(payout(), recheck=lambda *_: ("PAYOUT_KILL_SWITCH_ACTIVE",))
    assert (result.state, result.codes) == ("held", ("PAYOUT_KILL_SWITCH_ACTIVE",))
    assert desk.rail.creations == []


def test_w4_no_account_but_the_decided_one_is_ever_paid(desk: Desk) -> None:
    elsewhere = payout(counterparty_ref="stripe_connect:acct_of_somebody")
    (result,) = desk.pay(elsewhere, payout("pb", destination_account_id=None))[:1]
    assert (result.state, result.codes) == ("refused", ("DESTINATION_MISMATCH",))
    assert desk.rail.creations == []


def test_w8_a_transfer_that_was_asked_for_is_settled_at_the_rail_and_not_in_our_books(
    desk: Desk,
) -> None:
    desk.rail.faults.append("cut_after")
    desk.pay(payout())
    # Decided otherwise since: the books say no, the rail says paid, and the rail is right.
    desk.clock.advance(minutes=1)
    desk.pay(payout(decision="hold", codes=("OPEN_BREAK",)))
    assert desk.journal().state(payout().payout_key) == "submitted"
    desk.assert_paid_once(payout())
