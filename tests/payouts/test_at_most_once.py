"""A payout is paid at most once, whatever is repeated, regenerated or paid by somebody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingest.errors import JournalError
from ingest.payouts.judging import SubmissionResult
from tests.payouts.desk import Desk, intent_of, payout


def only(results: list[SubmissionResult]) -> SubmissionResult:
    assert len(results) == 1
    return results[0]


def test_a_released_payout_is_paid_as_decided(desk: Desk) -> None:
    decided = payout(amount=1234, recovery=66)
    result = only(desk.pay(decided))
    assert (result.state, result.codes, result.attempt) == ("submitted", (), 1)
    desk.assert_paid_once(decided)
    assert desk.states() == ["intent", "submitted"]
    rows = list(desk.journal().rows())
    assert rows[0].recovery_cents == 66
    assert rows[0].idempotency_key == desk.rail.creations[0][1]
    assert len(str(rows[0].idempotency_key)) <= 255


def test_the_same_decision_again_pays_nothing(desk: Desk) -> None:
    decided = payout()
    decision = desk.decide([decided])
    desk.run(decision)
    result = only(desk.run(decision))
    assert (result.state, result.codes) == ("skipped", ("ALREADY_PAID",))
    assert result.transfer_id == "tr_0001"
    desk.assert_paid_once(decided)


def test_ten_decisions_over_a_week_pay_once(desk: Desk) -> None:
    decided = payout()
    for _ in range(10):
        desk.pay(decided)
        desk.clock.advance(hours=17)
    desk.assert_paid_once(decided)
    assert len(desk.rail.creations) == 1


def test_a_lost_journal_does_not_pay_twice_even_after_the_rail_forgot_the_key(desk: Desk) -> None:
    decided = payout()
    desk.pay(decided)
    for file in (desk.home / "journal").iterdir():
        file.unlink()
    desk.clock.advance(hours=30)
    result = only(desk.pay(decided))
    assert (result.state, result.codes) == ("submitted", ("ADOPTED",))
    desk.assert_paid_once(decided)


def test_two_homes_ask_under_the_same_key(desk: Desk, tmp_path) -> None:
    decided = payout()
    other = Desk(tmp_path / "other")
    other.clock, other.rail = desk.clock, desk.rail
    desk.rail.faults.append("late_visible")
    desk.pay(decided)
    other.pay(decided)
    assert len({key for _, key in desk.rail.creations}) == 1
    desk.assert_paid_once(decided)
    other.assert_paid_once(decided)


def test_a_regenerated_statement_for_a_paid_period_is_superseded(desk: Desk) -> None:
    first, again = payout(statement="s1"), payout(statement="s2", amount=1100)
    desk.pay(first)
    result = only(desk.pay(again))
    assert (result.state, result.codes) == ("refused", ("SUPERSEDED_INSTRUCTION",))
    desk.assert_paid_once(first)


def test_a_regenerated_statement_is_superseded_while_the_first_is_unresolved(desk: Desk) -> None:
    first, again = payout(statement="s1"), payout(statement="s2")
    desk.rail.faults.append("cut_before")
    desk.pay(first)
    desk.clock.advance(minutes=16)
    results = {r.payout_key: r for r in desk.pay(again)}
    assert results[again.payout_key].codes == ("SUPERSEDED_INSTRUCTION",)
    assert results[first.payout_key].codes == ("SUBMISSION_UNRESOLVED",)
    assert desk.paid() == {}


def test_two_statements_of_one_period_in_one_decision_pay_the_first(desk: Desk) -> None:
    first, again = payout(statement="s1"), payout(statement="s2")
    results = desk.pay(first, again)
    assert [r.state for r in results] == ["submitted", "refused"]
    desk.assert_paid_once(first)


@pytest.mark.parametrize("currency", ["USD", "usd"])
def test_the_spelling_of_a_currency_opens_no_second_period(desk: Desk, currency: str) -> None:
    first = payout(statement="s1")
    desk.pay(first)
    desk.pay(payout(statement="s2", currency=currency))
    desk.assert_paid_once(first)


def test_another_currency_or_period_of_the_party_is_its_own_payout(desk: Desk) -> None:
    three = (
        payout(),
        payout(statement="s2", currency="EUR"),
        payout(statement="s3", period="2026-09"),
    )
    assert [r.state for r in desk.pay(*three)] == ["submitted"] * 3


def test_another_provider_does_not_open_the_period_again(desk: Desk) -> None:
    first = payout()
    desk.pay(first)
    profile = desk.profile(provider_ids=frozenset({"stripe_prod_us", "stripe_prod_eu"}))
    again = payout(statement="s2", provider_id="stripe_prod_eu")
    result = only(desk.run(desk.decide([again]), profile=profile))
    assert result.codes == ("SUPERSEDED_INSTRUCTION",)
    desk.assert_paid_once(first)


def test_a_source_is_consumed_by_one_payout_only(desk: Desk) -> None:
    first = payout(source_ids=("receipt:r1", "receipt:r2"))
    again = payout(period="2026-09", statement="s2", source_ids=("receipt:r2",))
    results = desk.pay(first, again)
    assert results[1].codes == ("SUPERSEDED_INSTRUCTION",)
    desk.assert_paid_once(first)


def test_an_operation_is_paid_under_one_key_only(desk: Desk) -> None:
    first = payout()
    again = payout("pb", statement="s2", operation_id=first.operation_id)
    assert desk.pay(first, again)[1].codes == ("ALREADY_PAID",)
    desk.assert_paid_once(first)


def test_a_payout_the_kernel_paid_itself_is_adopted(desk: Desk) -> None:
    decided = payout()
    desk.rail.put(intent_of(decided))
    result = only(desk.pay(decided))
    assert (result.state, result.codes, result.attempt) == ("submitted", ("ADOPTED",), 0)
    assert desk.rail.creations == []
    desk.assert_paid_once(decided)


@pytest.mark.parametrize(
    "found",
    [
        {"amount_cents": 999},
        {"currency": "EUR"},
        {"destination_account_id": "acct_other"},
        {"tenant_id": "t2"},
    ],
)
def test_a_different_transfer_under_the_key_blocks_for_good(desk: Desk, found: dict) -> None:
    decided = payout()
    desk.rail.put(replace(intent_of(decided), **found))
    for _ in range(2):
        result = only(desk.pay(decided))
        assert (result.state, result.codes) == ("refused", ("PAYOUT_BINDING_MISMATCH",))
        desk.clock.advance(hours=30)
    assert desk.rail.creations == []
    again = only(desk.pay(payout(statement="s2")))
    assert again.codes == ("SUPERSEDED_INSTRUCTION",)


def test_two_transfers_under_one_key_block(desk: Desk) -> None:
    decided = payout()
    desk.rail.put(intent_of(decided))
    desk.rail.put(intent_of(decided))
    assert only(desk.pay(decided)).codes == ("PAYOUT_BINDING_MISMATCH",)
    assert desk.rail.creations == []


def test_an_answer_that_differs_from_the_intent_blocks_and_ends_the_pass(desk: Desk) -> None:
    first, second = payout(), payout("pb")
    create = desk.rail.create_transfer
    desk.rail.create_transfer = lambda intent, key: replace(  # type: ignore[method-assign]
        create(intent, key), amount_cents=1
    )
    results = desk.pay(first, second)
    assert results[0].codes == ("PAYOUT_BINDING_MISMATCH",)
    assert results[1].codes == ("RAIL_ANSWERED_DIFFERENTLY",)
    assert len(desk.rail.creations) == 1
    assert only(desk.pay(first)).codes == ("PAYOUT_BINDING_MISMATCH",)


def test_the_journal_itself_refuses_a_second_intent(desk: Desk) -> None:
    decided = payout()
    desk.pay(decided)
    journal = desk.journal()
    rows = list(journal.rows())
    with journal.exclusive(), pytest.raises(JournalError):
        journal.record(replace(rows[0], attempt=2))
    with journal.exclusive(), pytest.raises(JournalError):
        journal.record(replace(rows[0], payout_key="another", attempt=1))
    with pytest.raises(JournalError):
        journal.record(rows[0])
    assert desk.states() == ["intent", "submitted"]


def test_a_consumed_payout_counts_its_recovery_once_and_moves_nothing(desk: Desk) -> None:
    decided = payout(decision="consumed", amount=0, recovery=700)
    assert only(desk.pay(decided)).codes == ("RECOVERY_CONSUMED",)
    assert only(desk.pay(decided)).codes == ("ALREADY_PAID",)
    assert desk.rail.creations == []
    rows = list(desk.journal().rows())
    assert [(r.state, r.amount_cents, r.recovery_cents) for r in rows] == [("submitted", 0, 700)]
    assert only(desk.pay(payout(statement="s2"))).codes == ("SUPERSEDED_INSTRUCTION",)


@pytest.mark.parametrize("decision", ["hold", "nothing_due", "something_new"])
def test_what_is_not_released_is_never_created(desk: Desk, decision: str) -> None:
    result = only(desk.pay(payout(decision=decision, codes=("OPEN_BREAK",))))
    assert (result.state, result.codes) == ("skipped", ("OPEN_BREAK",))
    assert desk.states() == []
    assert desk.rail.lookups == []
