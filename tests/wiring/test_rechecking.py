"""What is read again right before a call: whatever changed since the decision, or cannot be read,
holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from dagster_project.enforcing import _payable, verified_decision
from dagster_project.rechecking import Rechecks
from ingest.errors import PayoutRefused
from ingest.simulator.faults import Faults
from tests.wiring.office import DAY_CAP_CENTS, SELLER, TENANT, Office, payout


def held(office: Office, *payouts, after: Callable[[], object]) -> set[str]:
    """The codes that hold the only payout, after something changed since its decision."""
    office.decide(*(payouts or (payout(),)))
    office.pass_time(minutes=1)
    after()
    (result,) = office.enforce()
    assert result.state == "held", result
    assert office.paid() == []
    return set(result.codes)


def test_a_kill_switch_since_the_decision_holds(office: Office) -> None:
    codes = held(office, after=lambda: office.operate("kill", True))
    assert codes == {"PAYOUT_KILL_SWITCH_ACTIVE", "CONTROLS_CHANGED"}


def test_after_disarming_only_a_later_decision_pays(office: Office) -> None:
    office.operate("kill", True)

    def disarm() -> None:
        office.operate("unkill", False)

    assert held(office, after=disarm) == {"CONTROLS_CHANGED"}
    office.land()
    office.pass_time(minutes=1)
    assert office.pay(payout())[0].state == "submitted"


def test_a_kernel_control_that_changed_since_holds(office: Office) -> None:
    changed = {"payoutKillSwitch": True, "updatedAt": "2026-04-10T00:00:00.000Z"}
    assert held(office, after=lambda: office.export(changed)) == {"CONTROLS_CHANGED"}


def test_a_kernel_that_only_repeats_itself_changes_nothing(office: Office) -> None:
    office.decide(payout())
    office.export({"updatedAt": "2026-04-10T00:00:00.000Z"})
    assert office.enforce()[0].state == "submitted"


def test_kernel_controls_that_cannot_be_read_hold(office: Office) -> None:
    def lose() -> None:
        (office.exports / TENANT / "money_rail_controls.jsonl").unlink()

    assert "CONTROLS_CHANGED" in held(office, after=lose)


def test_an_operator_book_that_cannot_be_read_holds(office: Office) -> None:
    office.operate("set", 900, field="max_payout_amount_cents")
    office.land()
    book = office.session.home.root / "controls" / "controls.jsonl"

    def damage() -> None:
        book.unlink()
        book.mkdir()

    assert held(office, after=damage) == {"RECHECK_FAILED"}


def test_a_payout_above_the_single_cap_holds(office: Office) -> None:
    assert held(office, payout(amount=1_001), after=lambda: None) == {
        "PAYOUT_AMOUNT_LIMIT_EXCEEDED"
    }


def test_the_stricter_of_kernel_and_operator_caps_counts(office: Office) -> None:
    office.operate("set", 699, field="max_payout_amount_cents")
    office.land()
    assert held(office, after=lambda: None) == {"PAYOUT_AMOUNT_LIMIT_EXCEEDED"}


def test_an_absent_cap_holds_and_an_explicit_null_does_not(office: Office) -> None:
    office.export({"dailyPayoutLimitCents": None})
    office.pass_time(minutes=1)
    office.land()
    assert office.pay(payout())[0].state == "submitted"


def test_the_day_cap_counts_what_was_paid_since_the_decision(office: Office) -> None:
    office.decide(payout("pa", amount=900), payout("pb", amount=900))
    office.pass_time(minutes=1)
    before_anything = office.now
    office.pass_time(minutes=1)
    office.enforce()
    # Decided as of a moment when nothing was paid yet: alone it fits the day.
    office.decide(payout("pc", amount=300), as_of=before_anything)
    (result,) = office.enforce()
    assert (result.state, result.codes) == ("held", ("PAYOUT_DAILY_LIMIT_EXCEEDED",))
    assert sum(amount for _, amount in office.paid()) == 1_800


def test_the_day_cap_counts_what_the_day_had_seen_before_the_decision(office: Office) -> None:
    spent = payout(amount=700, day_committed_cents=DAY_CAP_CENTS - 699)
    assert held(office, spent, after=lambda: None) == {"PAYOUT_DAILY_LIMIT_EXCEEDED"}
    fits = payout(amount=700, day_committed_cents=DAY_CAP_CENTS - 700)
    assert office.pay(fits)[0].state == "submitted"


@pytest.mark.parametrize(
    "change",
    [
        {"capabilities": {"transfers": "inactive"}},
        {"payouts_enabled": False},
        {"requirements": {"disabled_reason": "under_review"}},
    ],
)
def test_an_account_that_lost_its_capability_holds(office: Office, change: dict) -> None:
    def lose() -> None:
        office.rail.update_account(SELLER, at=office.now, **change)

    # Ours, and what the original's hardened submit answers.
    assert held(office, after=lose) == {
        "ACCOUNT_NOT_CAPABLE",
        "STRIPE_CONNECT_ACCOUNT_PAYOUTS_DISABLED",
    }


def test_a_balance_that_no_longer_covers_the_payout_holds(office: Office) -> None:
    def spend() -> None:
        office.rail.create_payout(99_500, at=office.now)

    assert held(office, after=spend) == {"UNFUNDED_PAYOUT"}


def test_a_dispute_since_the_decision_holds(office: Office) -> None:
    charge = office.rail.create_charge(5_000, at=office.now - timedelta(days=3))
    assert held(office, after=lambda: office.rail.open_dispute(charge["id"], at=office.now)) == {
        "DISPUTE_SINCE_DECISION"
    }


def test_an_inquiry_that_became_a_chargeback_since_the_decision_holds(office: Office) -> None:
    charge = office.rail.create_charge(5_000, at=office.now - timedelta(days=3))
    inquiry = office.rail.open_dispute(
        charge["id"], at=office.now - timedelta(days=1), status="warning_needs_response"
    )

    def escalate() -> None:
        office.rail.move_dispute(inquiry["id"], "needs_response", at=office.now)

    assert held(office, after=escalate) == {"DISPUTE_SINCE_DECISION"}


def test_a_regenerated_statement_that_somebody_else_paid_since_holds(office: Office) -> None:
    def pay_elsewhere() -> None:
        office.rail.create_transfer(
            700,
            at=office.now,
            destination=SELLER,
            transfer_group=payout(statement="s2").payout_key,
        )

    office.decide(payout())
    office.pass_time(minutes=1)
    pay_elsewhere()
    (result,) = office.enforce()
    assert (result.state, result.codes) == ("held", ("SUPERSEDED_INSTRUCTION",))
    assert len(office.paid()) == 1


def test_a_payout_that_the_kernel_paid_itself_is_adopted_and_not_paid_again(
    office: Office,
) -> None:
    decided = payout()
    office.decide(decided)
    office.rail.create_transfer(
        700, at=office.now, destination=SELLER, transfer_group=decided.payout_key
    )
    (result,) = office.enforce()
    assert (result.state, result.codes) == ("submitted", ("ADOPTED",))
    assert office.paid() == [(decided.payout_key, 700)]


def test_a_newer_decision_ends_the_one_being_carried_out(office: Office) -> None:
    older = office.decide(payout("pa"), payout("pb"))
    session = office.session
    document = verified_decision(session, TENANT, older)
    rechecks = Rechecks(
        session,
        older,
        document,
        verify=verified_decision,
        journal=office.journal(),
        rail=None,
    )
    decided = _payable(document.payouts[0])
    assert rechecks.everything(decided, office.now) == ()
    office.pass_time(minutes=1)
    office.decide(payout("pa"))
    assert rechecks.everything(decided, office.now) == ("DECISION_SUPERSEDED",)


def test_a_decision_file_changed_under_our_hands_pays_no_further(office: Office) -> None:
    path = office.decide(payout())
    session = office.session
    document = verified_decision(session, TENANT, path)
    rechecks = Rechecks(
        session,
        path,
        document,
        verify=verified_decision,
        journal=office.journal(),
        rail=None,
    )
    other = office.decide(payout(amount=1_000))
    other.replace(path)
    decided = _payable(document.payouts[0])
    assert rechecks.everything(decided, office.now) == ("DECISION_CHANGED",)
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(PayoutRefused):
        rechecks.everything(decided, office.now)


@pytest.mark.parametrize("path", ["/v1/balance", "/v1/accounts/acct_1Seller", "/v1/disputes"])
def test_a_read_that_fails_holds(office: Office, faults: Faults, path: str) -> None:
    def fail() -> None:
        # The first balance tells whose key it is; the second is what the re-check reads.
        faults.add("server_error", path=path, after=1 if path == "/v1/balance" else 0)

    assert held(office, after=fail) == {"RECHECK_FAILED"}
