"""A schedule set to manual under a hold is given back, whatever dies in between."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from ingest.errors import JournalError
from ingest.payouts.rail import RailRejected, RailUnclear
from ingest.payouts.schedules import MANUAL, PayoutSchedule, ScheduleBook, keep_schedules
from tests.payouts.desk import START, Crash
from tests.payouts.fake_rail import Clock

pytestmark = pytest.mark.usefixtures("unsynced")

OWN = PayoutSchedule("weekly", weekly_payout_days=("monday", "thursday"))
HELD_MANUAL = PayoutSchedule(MANUAL)
ACCOUNT = "acct_pa"


class Schedules:
    """A rail that keeps schedules; `faults` names what becomes of the next changes."""

    def __init__(self) -> None:
        self.now = {ACCOUNT: OWN}
        self.faults: list[str] = []
        self.late: list[tuple[str, PayoutSchedule]] = []
        self.asked: list[PayoutSchedule] = []
        self.heard: set[str] = set()

    def payout_schedule(self, account_id: str) -> PayoutSchedule:
        return self.now[account_id]

    def set_payout_schedule(
        self, account_id: str, schedule: PayoutSchedule, idempotency_key: str
    ) -> None:
        self.asked.append(schedule)
        fault = self.faults.pop(0) if self.faults else None
        if fault == "rejected":
            raise RailRejected(403, "permission_denied")
        if fault == "late":
            self.late.append((account_id, schedule))
            raise RailUnclear("connection")
        if idempotency_key not in self.heard:
            self.heard.add(idempotency_key)
            self.now[account_id] = schedule
        if fault == "cut_after":
            raise RailUnclear("connection")


class Office:
    """One home, its rail and its clock."""

    def __init__(self, home: Path) -> None:
        self.home, self.rail, self.clock = home, Schedules(), Clock(START)
        self.steps: list[str] = []

    def keep_for(self, *holding: str, certain: tuple[str, ...]) -> str | None:
        """One pass in which these tenants hold the account, and of these all holds are known."""
        return keep_schedules(
            {ACCOUNT: frozenset(holding)} if holding else {},
            certain_tenants=frozenset(certain),
            rail=self.rail,
            book=ScheduleBook(self.home),
            clock=self.clock,
        ).get(ACCOUNT)

    def keep(self, *, held: bool, certain: bool = True, dies_at: int = 0) -> str | None:
        """One pass; the process dies at a step, counted from 1."""
        self.steps = []

        def step(name: str) -> None:
            self.steps.append(name)
            if len(self.steps) == dies_at:
                raise Crash(name)

        return keep_schedules(
            {ACCOUNT: frozenset({"t1"})} if held else {},
            certain_tenants=frozenset({"t1"} if certain else ()),
            rail=self.rail,
            book=ScheduleBook(self.home, step),
            clock=self.clock,
        ).get(ACCOUNT)

    @property
    def shown(self) -> PayoutSchedule:
        return self.rail.now[ACCOUNT]

    def rows(self) -> list[str]:
        return [row.state for row in ScheduleBook(self.home).rows()]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_an_account_under_a_hold_is_manual_and_gets_its_own_schedule_back(office: Office) -> None:
    assert office.keep(held=True) == "held"
    assert office.shown == HELD_MANUAL
    assert office.keep(held=True) == "held"
    assert office.rail.asked == [HELD_MANUAL]
    assert office.keep(held=False) == "returned"
    assert office.shown == OWN
    assert office.keep(held=False) is None
    assert office.rows() == ["taking", "held", "returning", "returned"]


@pytest.mark.parametrize("then_held", [True, False])
def test_a_process_killed_at_any_step_of_taking_loses_no_schedule(
    tmp_path: Path, then_held: bool
) -> None:
    counting = Office(tmp_path / "counting")
    counting.keep(held=True)
    assert {"schedule.read", "schedule.taking", "schedule.taken"} <= set(counting.steps)
    for dies_at in range(1, len(counting.steps) + 1):
        office = Office(tmp_path / str(dies_at))
        with pytest.raises(Crash):
            office.keep(held=True, dies_at=dies_at)
        if then_held:
            assert office.keep(held=True) == "held"
            assert office.shown == HELD_MANUAL
        office.clock.advance(minutes=16)
        office.keep(held=False)
        assert office.shown == OWN, counting.steps[dies_at - 1]
        assert office.keep(held=False) is None


@pytest.mark.parametrize("then_held", [True, False])
def test_a_process_killed_at_any_step_of_giving_back_gives_back_once_more(
    tmp_path: Path, then_held: bool
) -> None:
    counting = Office(tmp_path / "counting")
    counting.keep(held=True)
    counting.keep(held=False)
    assert {"schedule.returning", "schedule.given"} <= set(counting.steps)
    for dies_at in range(1, len(counting.steps) + 1):
        office = Office(tmp_path / str(dies_at))
        office.keep(held=True)
        with pytest.raises(Crash):
            office.keep(held=False, dies_at=dies_at)
        if then_held:
            assert office.keep(held=True) == "held"
            assert office.shown == HELD_MANUAL
        office.keep(held=False)
        assert office.shown == OWN, counting.steps[dies_at - 1]
        assert office.keep(held=False) is None


def test_a_schedule_changed_during_the_hold_is_not_overwritten(office: Office) -> None:
    office.keep(held=True)
    theirs = office.rail.now[ACCOUNT] = PayoutSchedule("monthly", monthly_payout_days=(1, 15))
    assert office.keep(held=True) == "left"
    assert office.keep(held=True) == "left"
    assert office.keep(held=False) == "returned"
    assert office.shown == theirs
    # The next hold takes what they chose, and gives that back.
    assert office.keep(held=True) == "held"
    office.keep(held=False)
    assert office.shown == theirs


def test_a_schedule_changed_just_before_the_hold_ended_is_not_overwritten(office: Office) -> None:
    office.keep(held=True)
    theirs = office.rail.now[ACCOUNT] = PayoutSchedule("daily")
    assert office.keep(held=False) == "returned"
    assert office.shown == theirs
    assert office.rail.asked == [HELD_MANUAL]


def test_a_schedule_changed_between_a_death_and_the_next_pass_is_the_one_given_back(
    office: Office,
) -> None:
    office.rail.faults = ["rejected"]
    assert office.keep(held=True) == "unclear"
    theirs = office.rail.now[ACCOUNT] = PayoutSchedule("daily")
    assert office.keep(held=True) == "held"
    office.keep(held=False)
    assert office.shown == theirs


def test_an_account_that_is_manual_by_itself_stays_so(office: Office) -> None:
    office.rail.now[ACCOUNT] = HELD_MANUAL
    assert office.keep(held=True) == "own"
    assert office.keep(held=False) is None
    assert (office.shown, office.rail.asked, office.rows()) == (HELD_MANUAL, [], [])


def test_without_a_certain_end_of_the_hold_nothing_is_given_back(office: Office) -> None:
    office.keep(held=True)
    assert office.keep(held=False, certain=False) is None
    assert office.shown == HELD_MANUAL


def test_an_answer_that_was_cut_off_counts_as_heard_when_the_rail_shows_it(office: Office) -> None:
    office.rail.faults = ["cut_after"]
    assert office.keep(held=True) == "unclear"
    assert office.keep(held=True) == "held"
    office.rail.faults = ["cut_after"]
    assert office.keep(held=False) == "unclear"
    assert office.keep(held=False) == "returned"
    assert office.shown == OWN
    assert office.rail.asked == [HELD_MANUAL, OWN]


def test_a_request_that_is_heard_late_leaves_no_account_manual(office: Office) -> None:
    office.rail.faults = ["late"]
    assert office.keep(held=True) == "unclear"
    office.clock.advance(minutes=5)
    assert office.keep(held=False) == "waiting"
    office.rail.now.update(office.rail.late)
    assert office.keep(held=False) == "returned"
    assert office.shown == OWN


def test_an_account_that_two_tenants_hold_comes_back_when_neither_does(office: Office) -> None:
    assert office.keep_for("t1", "t2", certain=("t1", "t2")) == "held"
    # One lets go while the other's decision cannot be read, then the other way round.
    assert office.keep_for(certain=("t1",)) is None
    assert office.shown == HELD_MANUAL
    assert office.keep_for("t1", certain=("t1",)) == "held"
    assert office.keep_for("t1", certain=("t1", "t2")) == "held"
    assert office.keep_for(certain=("t2",)) is None
    assert office.shown == HELD_MANUAL
    assert office.keep_for(certain=("t1",)) == "returned"
    assert office.shown == OWN


def test_what_was_undone_after_a_lost_answer_is_not_done_again(office: Office) -> None:
    office.rail.faults = ["cut_after"]
    assert office.keep(held=True) == "unclear"
    office.rail.now[ACCOUNT] = OWN
    assert office.keep(held=True) == "left"
    assert office.shown == OWN


def test_a_book_that_was_edited_changes_no_schedule(office: Office) -> None:
    office.keep(held=True)
    path = ScheduleBook(office.home).path
    path.write_bytes(path.read_bytes().replace(b"weekly", b"hourly", 1))
    office.clock.now += timedelta(hours=1)
    with pytest.raises(JournalError):
        office.keep(held=False)
    assert office.shown == HELD_MANUAL
