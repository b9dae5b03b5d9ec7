"""Whenever the process dies, the next one pays exactly what was decided, once."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from pathlib import Path

import pytest

from ingest.payouts import durable
from ingest.payouts.decision import DecidedPayout
from tests.payouts.desk import Crash, Desk, payout

pytestmark = pytest.mark.usefixtures("unsynced")

# A pass over these reaches every kind of step: a payment, a recovery, an adoption, a refusal.
BATCH = (
    payout("pa", amount=1000, source_ids=("receipt:r1",)),
    payout("pb", amount=2000, recovery=300),
    payout("pc", decision="consumed", amount=0, recovery=50),
    payout("pd", amount=4000),
)
PAID = (BATCH[0], BATCH[1], BATCH[3])


class Countdown:
    """Dies at the n-th step boundary; counts them when n is 0."""

    def __init__(self, n: int = 0) -> None:
        self.n = n
        self.steps: list[str] = []

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if len(self.steps) == self.n:
            raise Crash(step)


def steps_of_a_clean_pass(tmp_path: Path) -> list[str]:
    desk, countdown = Desk(tmp_path / "counting"), Countdown()
    desk.run(desk.decide(BATCH), checkpoint=countdown)
    return countdown.steps


def recover(desk: Desk, batch: tuple[DecidedPayout, ...] = BATCH) -> None:
    desk.settle(*batch, passes=3)
    desk.assert_paid_once(*PAID)
    assert desk.journal().state(BATCH[2].payout_key) == "submitted"


def test_a_pass_has_at_least_25_step_boundaries(tmp_path: Path) -> None:
    steps = steps_of_a_clean_pass(tmp_path)
    assert len(steps) >= 25
    assert len(set(steps)) >= 10


@pytest.mark.parametrize("fault", [None, "cut_after", "500_after_acting", "late_visible"])
def test_death_at_every_step_boundary(tmp_path: Path, fault: str | None) -> None:
    total = len(steps_of_a_clean_pass(tmp_path))
    for n in range(1, total + 1):
        desk = Desk(tmp_path / f"home{n}")
        if fault:
            desk.rail.faults.append(fault)
        try:
            desk.run(desk.decide(BATCH), checkpoint=Countdown(n))
        except Crash:
            recover(desk)
        else:
            # A fault makes the pass shorter than the clean one it was counted on.
            assert fault


def test_death_twice_in_a_row(tmp_path: Path) -> None:
    total = len(steps_of_a_clean_pass(tmp_path))
    for n in range(1, total + 1, 3):
        desk = Desk(tmp_path / f"home{n}")
        for second in (n, max(1, n - 5)):
            desk.clock.advance(minutes=20)
            # A second pass can be shorter than the number it should die at.
            with contextlib.suppress(Crash):
                desk.run(desk.decide(BATCH), checkpoint=Countdown(second))
        recover(desk)


@pytest.mark.parametrize("kept_bytes", [0, 1, 40, -1])
def test_death_in_the_middle_of_every_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_bytes: int
) -> None:
    write_all = durable._write_all
    countdown = {"left": 0, "made": 0}

    def torn_write(handle: int, data: bytes) -> None:
        countdown["left"] -= 1
        countdown["made"] += 1
        if countdown["left"] == 0:
            os.write(handle, data[:kept_bytes] if kept_bytes else b"")
            raise Crash("mid-write")
        write_all(handle, data)

    monkeypatch.setattr(durable, "_write_all", torn_write)
    counting = Desk(tmp_path / "counting")
    countdown["made"] = 0
    counting.pay(*BATCH)
    for n in range(1, countdown["made"] + 1):
        countdown["left"] = 0
        desk = Desk(tmp_path / f"home{n}")
        countdown["left"] = n
        with pytest.raises(Crash):
            desk.pay(*BATCH)
        recover(desk)


def test_death_again_and_again_before_the_head_moves_does_not_lock_the_journal(desk: Desk) -> None:
    def die(step: str) -> None:
        if step == "journal.synced":
            raise Crash(step)

    everyone = [payout(f"p{n}") for n in range(8)]
    for decided in everyone:
        desk.clock.advance(minutes=20)
        with pytest.raises(Crash):
            desk.run(desk.decide([decided]), checkpoint=die)
    desk.settle(*everyone)
    desk.assert_paid_once(*everyone)


def _die_for_real(home: Path, n: int) -> None:
    desk = Desk(home)
    steps: list[str] = []

    def exit_now(step: str) -> None:
        steps.append(step)
        if len(steps) == n:
            os._exit(9)

    desk.run(desk.decide(BATCH), checkpoint=exit_now)


def test_a_killed_process_leaves_no_lock_and_an_open_intent(tmp_path: Path) -> None:
    steps = steps_of_a_clean_pass(tmp_path)
    n = steps.index("payout.intent") + 1
    process = multiprocessing.get_context("fork").Process(
        target=_die_for_real, args=(tmp_path / "home", n)
    )
    process.start()
    process.join(20)
    assert process.exitcode == 9
    desk = Desk(tmp_path / "home")
    assert desk.journal().state(BATCH[0].payout_key) == "intent"
    recover(desk)
