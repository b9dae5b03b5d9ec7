"""Accounts whose payouts a signed decision holds are paid out by nobody meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dagster_project.holding_schedules import hold_schedules
from ingest.payouts.schedules import ScheduleBook
from tests.wiring.office import SELLER, Office, payout

WEEKLY = {"interval": "weekly", "weekly_payout_days": ["monday", "friday"]}
MANUAL = {"interval": "manual"}


@pytest.fixture
def switched_on(office: Office) -> Office:
    switch(office, "hold")
    set_at_rail(office, WEEKLY)
    return office


def switch(office: Office, mode: str) -> None:
    object.__setattr__(office.settings, "payout_schedules", mode)


def set_at_rail(office: Office, schedule: Mapping[str, Any]) -> None:
    payouts = {"payouts": {"schedule": dict(schedule)}}
    office.rail.update_balance_settings(payouts, at=office.now, account=SELLER)


def schedule(office: Office) -> Any:
    shown = office.rail.books.balance_settings[SELLER]
    return shown["payments"]["payouts"]["schedule"]


def decide(office: Office, *codes: str) -> dict[str, str]:
    """Decides now, and keeps the schedules under that decision."""
    office.pass_time(minutes=1)
    office.decide(payout(decision="hold" if codes else "release", amount=700, codes=codes))
    return hold_schedules(office.session)


def test_an_account_under_a_hold_is_manual_at_the_rail_and_gets_its_days_back(
    switched_on: Office,
) -> None:
    assert decide(switched_on, "NEGATIVE_BALANCE_PAYOUT_HOLD") == {SELLER: "held"}
    assert schedule(switched_on) == MANUAL
    assert decide(switched_on) == {SELLER: "returned"}
    assert schedule(switched_on) == WEEKLY


def test_days_of_the_month_come_back_too(switched_on: Office) -> None:
    monthly = {"interval": "monthly", "monthly_payout_days": [1, 15]}
    set_at_rail(switched_on, monthly)
    decide(switched_on, "OPEN_BREAK")
    assert schedule(switched_on) == MANUAL
    decide(switched_on)
    assert schedule(switched_on) == monthly


def test_nothing_is_asked_of_a_schedule_unless_switched_on(office: Office) -> None:
    set_at_rail(office, WEEKLY)
    assert decide(office, "OPEN_BREAK") == {}
    assert schedule(office) == WEEKLY
    assert not ScheduleBook(office.session.home.root).path.exists()


@pytest.mark.parametrize("code", ["EVIDENCE_STALE", "ALREADY_PAID", "PAYOUT_DAILY_LIMIT_EXCEEDED"])
def test_what_holds_one_payout_alone_leaves_the_account_its_schedule(
    switched_on: Office, code: str
) -> None:
    assert decide(switched_on, code) == {}
    assert schedule(switched_on) == WEEKLY


def test_an_expired_or_forged_decision_gives_nothing_back(switched_on: Office) -> None:
    decide(switched_on, "OPEN_BREAK")
    switched_on.pass_time(hours=2)
    assert hold_schedules(switched_on.session) == {}
    forged = switched_on.decide(payout())
    forged.write_bytes(forged.read_bytes().replace(b"a", b"b", 1))
    assert hold_schedules(switched_on.session) == {}
    assert schedule(switched_on) == MANUAL


@pytest.mark.parametrize("code", ["EVIDENCE_STALE", "EVIDENCE_INCOMPLETE", "EVIDENCE_UNVERIFIED"])
def test_a_decision_on_evidence_that_is_not_whole_ends_no_hold(
    switched_on: Office, code: str
) -> None:
    decide(switched_on, "NEGATIVE_BALANCE_PAYOUT_HOLD")
    assert decide(switched_on, code) == {}
    assert schedule(switched_on) == MANUAL
    assert decide(switched_on, "ALREADY_PAID") == {SELLER: "returned"}
    assert schedule(switched_on) == WEEKLY


def test_all_get_their_own_back_when_schedules_are_to_be_returned(switched_on: Office) -> None:
    decide(switched_on, "OPEN_BREAK")
    switch(switched_on, "return")
    assert decide(switched_on, "OPEN_BREAK") == {SELLER: "returned"}
    assert schedule(switched_on) == WEEKLY
