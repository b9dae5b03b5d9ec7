"""Whoever can move decision files about gets nothing paid that the newest decision does not say.

Each test is named after the attack.
"""

from __future__ import annotations

import os
import shutil
from datetime import timedelta

import pytest

from dagster_project.due import newest_decisions, pending_decisions
from ingest.errors import PayoutRefused
from ingest.simulator.faults import Faults
from tests.wiring.office import TENANT, Office, cut_off, payout


def _refusal(office: Office) -> str:
    with pytest.raises(PayoutRefused) as refused:
        office.enforce()
    return refused.value.code


def test_an_older_decision_under_a_newer_name_pays_nothing(office: Office) -> None:
    released = office.decide(payout())
    office.pass_time(minutes=5)
    office.decide()
    shutil.copy(released, released.with_name(f"{office.now:%Y%m%dT%H%M%SZ}-zz.json"))
    assert _refusal(office) == "decision_misnamed"
    assert office.paid() == []


def test_taking_a_decision_away_does_not_bring_back_the_one_before(office: Office) -> None:
    office.decide(payout())
    office.pass_time(minutes=5)
    newer = office.decide()
    office.enforce()
    newer.unlink()
    assert [due.is_new for due in newest_decisions(office.session.home)] == [False]
    assert office.enforce() == []
    assert office.paid() == []


def test_taking_a_decision_away_from_an_open_payment_brings_nothing_back(
    office: Office, faults: Faults
) -> None:
    office.decide(payout("pa"), payout("pb", amount=5))
    office.pass_time(minutes=1)
    key = cut_off(office, faults)
    for file in (office.session.home.decisions / TENANT).iterdir():
        if not file.name.startswith(f"{office.now - timedelta(minutes=1):%Y%m%dT%H%M%SZ}"):
            file.unlink()
    (result,) = office.enforce()
    assert (result.payout_key, result.codes) == (key, ("ADOPTED",))
    assert [paid for paid, _ in office.paid()] == [key]


@pytest.mark.parametrize("state_is_lost", [False, True])
def test_a_payment_without_an_outcome_is_looked_up_although_every_decision_is_gone(
    office: Office, faults: Faults, state_is_lost: bool
) -> None:
    key = cut_off(office, faults)
    shutil.rmtree(office.session.home.decisions / TENANT)
    if state_is_lost:
        (office.session.home.state / "enforced.json").unlink()
    else:
        assert [due.is_open for due in pending_decisions(office.session.home)] == [True]
    (result,) = office.enforce()
    assert (result.payout_key, result.state, result.codes) == (key, "submitted", ("ADOPTED",))
    assert office.paid() == [(key, 700)]
    assert office.enforce() == []


@pytest.mark.parametrize("kind", ["folder", "no permission"])
def test_an_unreadable_decision_of_one_tenant_stops_no_other(office: Office, kind: str) -> None:
    office.decide(payout())
    folder = office.session.home.decisions / "tenant_0"
    folder.mkdir()
    path = folder / f"{office.now:%Y%m%dT%H%M%SZ}-00.json"
    if kind == "folder":
        path.mkdir()
    elif os.geteuid() == 0:
        path.symlink_to(folder / "nowhere")
    else:
        path.touch(mode=0)
    assert _refusal(office) == "decision_unreadable"
    assert len(office.paid()) == 1


def test_a_decision_from_the_future_makes_no_later_one_old(office: Office) -> None:
    later = office.now + timedelta(days=400)
    ahead = office.decide(payout(amount=900), as_of=later, expires_at=later + timedelta(minutes=30))
    assert _refusal(office) == "decision_from_future"
    assert office.paid() == []
    ahead.unlink()
    office.pass_time(minutes=1)
    assert office.pay(payout())[0].state == "submitted"


def test_a_decision_for_a_tenant_that_nobody_registered_pays_nothing(office: Office) -> None:
    """Signed by this home's own key, for a tenant whose profile names no payer."""
    path = office.decide(payout(), tenant_id="tenant_nobody")
    folder = office.session.home.decisions / "tenant_nobody"
    folder.mkdir()
    path.rename(folder / path.name)
    (result,) = office.enforce()
    assert (result.state, result.codes) == ("refused", ("PAYER_NOT_TIEOUT",))
    assert office.paid() == []


def test_a_decision_that_names_another_tenants_payout_pays_it_to_nobody(office: Office) -> None:
    """Tenant ids lie in keys as text: what counts is whose account the signed decision names."""
    office.pay(payout())
    (result,) = office.pay(payout("pa", party_id="px", statement="s9"))
    assert result.codes == ("SUPERSEDED_INSTRUCTION",)
    assert len(office.paid()) == 1
