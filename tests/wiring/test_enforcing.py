"""What a decision pays, what is read again before it does, and what stays due until settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from dagster_project import enforcing
from dagster_project.payout_checks import payout_checks
from dagster_project.pipeline import land_rail
from dagster_project.resources import Wiring
from dagster_project.runs import begin
from ingest.errors import PayoutRefused, TieoutError
from ingest.payouts.home import binding_of
from ingest.simulator.faults import Faults
from ingest.simulator.http import serve
from tests.wiring.office import DAY_CAP_CENTS, KEY, SELLER, TENANT, Office, payout


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def office(tmp_path: Path, faults: Faults) -> Iterator[Office]:
    office = Office(tmp_path / "office")
    with serve(office.rail, api_key=KEY, faults=faults) as server:
        office.serve_at(server)
        yield office


def held(office: Office, *payouts, after: Callable[[], object]) -> set[str]:
    """The codes that hold the only payout, after something changed since its decision."""
    office.decide(*(payouts or (payout(),)))
    office.pass_time(minutes=1)
    after()
    (result,) = office.enforce()
    assert result.state == "held", result
    assert office.paid() == []
    return set(result.codes)


def test_a_released_payout_is_paid_as_decided_and_once(office: Office) -> None:
    decided = payout()
    (result,) = office.pay(decided)
    assert (result.state, result.codes) == ("submitted", ())
    assert office.paid() == [(decided.payout_key, 700)]
    assert enforcing.pending_decisions(office.session.home) == []
    assert office.enforce() == []
    assert office.pay(decided)[0].codes == ("ALREADY_PAID",)
    assert office.paid() == [(decided.payout_key, 700)]


def test_a_source_that_was_paid_for_another_party_is_not_paid_again(office: Office) -> None:
    office.pay(payout("pa"))
    (result,) = office.pay(payout("pb", source_ids=("receipt:rcpt_pa",)))
    assert (result.state, result.codes) == ("refused", ("SUPERSEDED_INSTRUCTION",))
    row = next(iter(office.journal().rows()))
    assert row.source_ids == ("receipt:rcpt_pa",)


# What is read again right before a call.


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
    before_anything = office.now
    office.pay(payout("pa", amount=900), payout("pb", amount=900))
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

    assert held(office, after=lose) == {"ACCOUNT_NOT_CAPABLE"}


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
    document = enforcing.verified_decision(session, TENANT, older)
    rechecks = enforcing.Rechecks(
        session,
        older,
        document,
        verify=enforcing.verified_decision,
        journal=office.journal(),
        rail=None,
    )
    decided = enforcing._payable(document.payouts[0])
    assert rechecks.everything(decided, office.now) == ()
    office.pass_time(minutes=1)
    office.decide(payout("pa"))
    assert rechecks.everything(decided, office.now) == ("DECISION_SUPERSEDED",)


def test_a_decision_file_changed_under_our_hands_pays_no_further(office: Office) -> None:
    path = office.decide(payout())
    session = office.session
    document = enforcing.verified_decision(session, TENANT, path)
    rechecks = enforcing.Rechecks(
        session,
        path,
        document,
        verify=enforcing.verified_decision,
        journal=office.journal(),
        rail=None,
    )
    other = office.decide(payout(amount=1_000))
    other.replace(path)
    decided = enforcing._payable(document.payouts[0])
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


# What stays due.


def _cut_off(office: Office, faults: Faults) -> str:
    """The rail pays and its answer is lost."""
    decided = payout()
    office.decide(decided)
    faults.add("cut_after_acting", path="/v1/transfers", method="POST")
    (result,) = office.enforce()
    assert result.state == "unknown"
    return decided.payout_key


def test_an_unclear_payment_is_looked_up_without_a_newer_decision(
    office: Office, faults: Faults
) -> None:
    key = _cut_off(office, faults)
    assert [due.is_open for due in enforcing.pending_decisions(office.session.home)] == [True]
    office.pass_time(minutes=5)
    (result,) = office.enforce()
    assert (result.state, result.codes) == ("submitted", ("ADOPTED",))
    assert office.paid() == [(key, 700)]
    assert enforcing.pending_decisions(office.session.home) == []


def test_an_unclear_payment_is_looked_up_although_its_decision_expired(
    office: Office, faults: Faults
) -> None:
    key = _cut_off(office, faults)
    office.pass_time(hours=5)
    (result,) = office.enforce()
    assert (result.state, result.codes) == ("submitted", ("ADOPTED",))
    assert office.paid() == [(key, 700)]


def test_an_unclear_payment_is_looked_up_although_the_newest_decision_is_forged(
    office: Office, faults: Faults
) -> None:
    key = _cut_off(office, faults)
    office.pass_time(minutes=1)
    forged = office.decide()
    forged.write_bytes(forged.read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(PayoutRefused):
        office.enforce()
    assert office.journal().state(key) == "submitted"
    (due,) = enforcing.newest_decisions(office.session.home)
    assert (due.is_open, due.is_new) == (False, False)
    assert due.refused


def test_a_process_that_died_leaves_its_tenant_due(office: Office) -> None:
    office.decide(payout())
    enforcing._remember(office.session.home, TENANT, decision=None, is_open=True)
    assert office.enforce()[0].state == "submitted"
    assert enforcing.pending_decisions(office.session.home) == []


def test_a_rail_that_is_down_leaves_the_decision_due(office: Office, faults: Faults) -> None:
    office.decide(payout())
    faults.add("server_error", path="/v1/balance")
    with pytest.raises(TieoutError):
        office.enforce()
    assert office.enforce()[0].state == "submitted"


def test_what_could_not_be_read_is_asked_again_while_the_decision_lives(
    office: Office, faults: Faults
) -> None:
    office.decide(payout("pa"), payout("pb"))
    faults.add("rate_limited", path="/v1/disputes", times=1)
    states = {result.payout_key: result.state for result in office.enforce()}
    assert sorted(states.values()) == ["held", "submitted"]
    office.pass_time(minutes=5)
    again = office.enforce()
    assert sorted(result.codes for result in again) == [(), ("ALREADY_PAID",)]
    assert len(office.paid()) == 2
    assert enforcing.pending_decisions(office.session.home) == []


def test_what_could_not_be_read_is_asked_no_more_once_the_decision_expired(
    office: Office, faults: Faults
) -> None:
    office.decide(payout())
    faults.add("rate_limited", path="/v1/disputes", times=1)
    assert office.enforce()[0].codes == ("RECHECK_FAILED",)
    office.pass_time(minutes=31)
    assert office.enforce() == []
    assert enforcing.pending_decisions(office.session.home) == []
    assert office.paid() == []


def test_another_pass_at_work_leaves_the_decision_due(office: Office) -> None:
    office.decide(payout())
    with office.journal().exclusive(), pytest.raises(PayoutRefused, match="another enforcement"):
        enforcing.enforce_pending(office.session, wait_seconds=0.1)
    assert office.enforce()[0].state == "submitted"


# Whose home this is.


def test_a_home_is_bound_by_its_pull_and_never_by_a_decision(
    tmp_path: Path, faults: Faults
) -> None:
    office = Office(tmp_path / "unbound", bound=False)
    with serve(office.rail, api_key=KEY, faults=faults) as server:
        office.serve_at(server)
        office.decide(payout())
        with pytest.raises(PayoutRefused, match="bound"):
            office.enforce()
        assert office.paid() == []
        land_rail(office.session, begin(office.session.home, "first", now=office.now))
        assert binding_of(office.session.home.root) == (False, office.rail.platform_id)
        office.pass_time(minutes=1)
        assert office.pay(payout())[0].state == "submitted"


@pytest.mark.parametrize(
    "foreign", [{"platform_account_id": "acct_1Another"}, {"livemode": True}, {"tenant_id": "t2"}]
)
def test_a_decision_for_another_account_livemode_or_tenant_pays_nothing(
    office: Office, foreign: dict
) -> None:
    office.decide(payout(), **foreign)
    with pytest.raises(PayoutRefused):
        office.enforce()
    assert office.paid() == []


def test_dry_run_asks_the_rail_nothing_and_reads_controls_again(office: Office) -> None:
    office.session.settings = replace(office.settings, payouts="dry-run", stripe_api_base=None)
    office.decide(payout("pa"), payout("pb", amount=1_001))
    states = {result.payout_key: result.state for result in office.enforce()}
    assert sorted(states.values()) == ["dry_run", "held"]
    assert office.paid() == []


# What the UI shows of it.


def _shown(office: Office, name: str) -> tuple[bool, str]:
    """One check as the UI would run it: whether it passed, and what it says."""
    (check,) = [each for each in payout_checks() if {key.name for key in each.check_keys} == {name}]
    result = check(dg.build_op_context(), wiring=Wiring(opened=office.session))
    return result.passed, f"{result.description or ''} {' '.join(result.metadata)}"


def test_a_check_shows_payments_without_an_outcome(office: Office, faults: Faults) -> None:
    assert _shown(office, "every_payment_has_an_outcome")[0]
    _cut_off(office, faults)
    assert _shown(office, "every_payment_has_an_outcome") == (False, f" {TENANT}: unknown")
    office.enforce()
    assert _shown(office, "every_payment_has_an_outcome")[0]


def test_a_check_shows_decisions_that_do_not_verify(office: Office) -> None:
    path = office.decide(payout())
    assert _shown(office, "newest_decisions_verify")[0]
    path.write_bytes(b"{}")
    passed, said = _shown(office, "newest_decisions_verify")
    assert not passed
    assert TENANT in said


def test_a_check_says_what_it_cannot_read(office: Office) -> None:
    office.pay(payout())
    journal = office.session.home.root / "journal" / "payouts.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    passed, said = _shown(office, "every_payment_has_an_outcome")
    assert not passed
    assert "payouts.jsonl" in said
    passed, said = _shown(office, "evidence_allows_payouts")
    assert not passed
    assert "no published file" in said
