"""After any death and any weather each payout is at the rail zero times or once, as decided."""

from __future__ import annotations

import logging
import os
from collections import Counter
from pathlib import Path

import pytest

from ingest.payouts.submit import enforce
from tests.payouts import fault_runs
from tests.payouts.desk import Desk, payout
from tests.payouts.fault_runs import FAULTS
from tests.payouts.file_rail import FileRail
from tests.payouts.luck import KILLED, forked

pytestmark = pytest.mark.usefixtures("unsynced")

BATCH = (
    payout("pa", amount=1000, source_ids=("receipt:r1",)),
    payout("pb", amount=2000, recovery=300),
    payout("pc", decision="consumed", amount=0, recovery=50),
    payout("pd", amount=4000),
)
PAID = (BATCH[0], BATCH[1], BATCH[3])
# So many lives that every fault happens in some of them.
SEEDS = 80


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def _passes_of(desk: Desk, rail: FileRail, dies_at: int) -> tuple[int, list[str]]:
    """One forked pass that dies at a step; its exit code, and the steps it came to."""
    log = desk.home / "steps"
    decision = desk.decide(BATCH)

    def work() -> None:
        steps: list[str] = []

        def step(name: str) -> None:
            steps.append(name)
            log.write_text("\n".join(steps))
            if len(steps) == dies_at:
                os._exit(KILLED)

        enforce(
            decision,
            rail=rail,
            journal=desk.journal(step),
            mode="live",
            clock=desk.clock,
            profile=desk.profile(),
        )

    (code,) = forked(work)
    return code, log.read_text().split("\n")


def test_a_process_killed_at_every_step_boundary_once_pays_each_payout_once(
    tmp_path: Path,
) -> None:
    counting = Desk(tmp_path / "counting")
    code, steps = _passes_of(counting, FileRail(counting.home / "rail", counting.clock), 0)
    assert code == 0
    assert len(steps) >= 25
    for n in range(1, len(steps) + 1):
        desk = Desk(tmp_path / str(n))
        rail = FileRail(desk.home / "rail", desk.clock)
        code, reached = _passes_of(desk, rail, n)
        assert (code, reached) == (KILLED, steps[:n])
        for _ in range(3):
            desk.clock.advance(hours=0.3)
            assert _passes_of(desk, rail, 0)[0] == 0
        with rail.opened() as kept:
            desk.rail.transfers = kept.transfers
        desk.assert_paid_once(*PAID)
        assert desk.journal().state(BATCH[2].payout_key) == "submitted"


def _boundaries(tally: Counter[str]) -> set[str]:
    return {name for name in tally if name.startswith("killed at ")}


def _assert_unlucky(tally: Counter[str], boundaries: int) -> None:
    """Luck that was never bad would prove nothing: each fault happened, and none is a plan only."""
    assert {fault for fault, note in FAULTS.items() if tally[note] == 0} == set()
    assert len(_boundaries(tally)) >= boundaries, sorted(_boundaries(tally))
    assert tally["killed"] == sum(tally[name] for name in _boundaries(tally))
    assert tally["paid cents"] == tally["released cents"]
    assert tally["transfers"] == tally["payouts"]


def test_weeks_of_bad_luck_end_with_every_payout_paid_once(tmp_path: Path) -> None:
    _assert_unlucky(fault_runs.run_seeds(tmp_path, range(SEEDS)), boundaries=25)


@pytest.mark.slow
def test_two_thousand_lives_of_bad_luck_end_with_every_payout_paid_once(tmp_path: Path) -> None:
    tally = fault_runs.run_seeds(tmp_path, range(2_000))
    print("\n".join(f"{count:>15,}  {name}" for name, count in sorted(tally.items())))
    _assert_unlucky(tally, boundaries=40)
