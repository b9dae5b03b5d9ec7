"""What a decision pays, and what stays due until it is settled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dagster_project.due import newest_decisions, pending_decisions, remember
from dagster_project.enforcing import enforce_pending
from dagster_project.pipeline import land_rail
from dagster_project.runs import begin
from ingest.errors import PayoutRefused, TieoutError
from ingest.payouts.home import binding_of
from ingest.simulator.faults import Faults
from ingest.simulator.http import serve
from tests.wiring.office import KEY, TENANT, Office, cut_off, payout


def test_a_released_payout_is_paid_as_decided_and_once(office: Office) -> None:
    decided = payout()
    (result,) = office.pay(decided)
    assert (result.state, result.codes) == ("submitted", ())
    assert office.paid() == [(decided.payout_key, 700)]
    assert pending_decisions(office.session.home) == []
    assert office.enforce() == []
    assert office.pay(decided)[0].codes == ("ALREADY_PAID",)
    assert office.paid() == [(decided.payout_key, 700)]


def test_a_source_that_was_paid_for_another_party_is_not_paid_again(office: Office) -> None:
    office.pay(payout("pa"))
    (result,) = office.pay(payout("pb", source_ids=("receipt:rcpt_pa",)))
    assert (result.state, result.codes) == ("refused", ("SUPERSEDED_INSTRUCTION",))
    row = next(iter(office.journal().rows()))
    assert row.source_ids == ("receipt:rcpt_pa",)


# What stays due.


def test_an_unclear_payment_is_looked_up_without_a_newer_decision(
    office: Office, faults: Faults
) -> None:
    key = cut_off(office, faults)
    assert [due.is_open for due in pending_decisions(office.session.home)] == [True]
    office.pass_time(minutes=5)
    (result,) = office.enforce()
    assert (result.state, result.codes) == ("submitted", ("ADOPTED",))
    assert office.paid() == [(key, 700)]
    assert pending_decisions(office.session.home) == []


def test_an_unclear_payment_is_looked_up_although_its_decision_expired(
    office: Office, faults: Faults
) -> None:
    key = cut_off(office, faults)
    office.pass_time(hours=5)
    (result,) = office.enforce()
    assert (result.state, result.codes) == ("submitted", ("ADOPTED",))
    assert office.paid() == [(key, 700)]


def test_an_unclear_payment_is_looked_up_although_the_newest_decision_is_forged(
    office: Office, faults: Faults
) -> None:
    key = cut_off(office, faults)
    office.pass_time(minutes=1)
    forged = office.decide()
    forged.write_bytes(forged.read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(PayoutRefused):
        office.enforce()
    assert office.journal().state(key) == "submitted"
    (due,) = newest_decisions(office.session.home)
    assert (due.is_open, due.is_new) == (False, False)
    assert due.refused


def test_a_process_that_died_leaves_its_tenant_due(office: Office) -> None:
    office.decide(payout())
    remember(office.session.home, TENANT, decision=None, is_open=True)
    assert office.enforce()[0].state == "submitted"
    assert pending_decisions(office.session.home) == []


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
    assert pending_decisions(office.session.home) == []


def test_what_could_not_be_read_is_asked_no_more_once_the_decision_expired(
    office: Office, faults: Faults
) -> None:
    office.decide(payout())
    faults.add("rate_limited", path="/v1/disputes", times=1)
    assert office.enforce()[0].codes == ("RECHECK_FAILED",)
    office.pass_time(minutes=31)
    assert office.enforce() == []
    assert pending_decisions(office.session.home) == []
    assert office.paid() == []


def test_another_pass_at_work_leaves_the_decision_due(office: Office) -> None:
    office.decide(payout())
    with office.journal().exclusive(), pytest.raises(PayoutRefused, match="another enforcement"):
        enforce_pending(office.session, wait_seconds=0.1)
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


def test_a_profile_that_no_trusted_key_vouches_for_makes_nobody_the_payer(office: Office) -> None:
    (office.exports / TENANT / "manifest.dsse.json").unlink()
    profiles = office.session.home.root / "landing/kernel/tenant_profiles"
    for path in profiles.glob("2*"):
        path.unlink()
    office.land()
    (result,) = office.pay(payout())
    assert (result.state, result.codes) == ("refused", ("PAYER_NOT_TIEOUT",))
    assert office.paid() == []
