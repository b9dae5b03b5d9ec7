"""Hundreds of seeded weeks of bad luck: after recovery each payout is at the rail once, as decided.

One seed is a home that lives through faults of the rail, deaths of the process at any step or in
the middle of a write, full disks, a kill switch going on and off, decisions that change their
mind, statements regenerated after payment, a kernel that pays by itself, and time that passes in
fits. Then the weather clears.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import TieoutError
from ingest.payouts import durable
from ingest.payouts.decision import DecidedPayout
from tests.payouts.desk import Crash, Desk, intent_of, payout
from tests.payouts.fake_rail import CREATE_FAULTS

pytestmark = pytest.mark.usefixtures("unsynced")

SEEDS = 320
BATCHES = 8


class BadLuck:
    """Decides, from one seed, when to die and when the disk fails."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.deaths = self.disk_failures = 0
        self.steps_left = self.writes_left = -1
        self.write_dies = False

    def next_pass(self) -> None:
        self.steps_left = self.random.randint(1, 60) if self.random.random() < 0.5 else -1
        self.writes_left = self.random.randint(1, 16) if self.random.random() < 0.4 else -1
        self.write_dies = self.random.random() < 0.5

    def calm(self) -> None:
        self.steps_left = self.writes_left = -1

    def step(self, name: str) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            self.deaths += 1
            raise Crash(name)

    def write(self, handle: int, data: bytes) -> None:
        self.writes_left -= 1
        if self.writes_left == 0:
            os.write(handle, data[: self.random.randint(0, len(data))])
            if self.write_dies:
                self.deaths += 1
                raise Crash("mid-write")
            self.disk_failures += 1
            raise OSError(28, "No space left on device")
        _write_all(handle, data)


_write_all = durable._write_all


def live_through(home: Path, seed: int, luck: BadLuck) -> Counter[str]:
    rng, desk = luck.random, Desk(home)
    final = [
        payout(f"p{n}", amount=rng.randint(1, 10**6), statement="s1", recovery=rng.choice([0, 7]))
        for n in range(rng.randint(1, 4))
    ]
    kernel_pays = {p.payout_key for p in final if rng.random() < 0.1}
    for _ in range(rng.randint(3, 9)):
        desk.clock.advance(minutes=rng.choice([0, 1, 5, 16, 70, 400, 1500]))
        desk.rail.late_by = desk.clock.now - desk.clock.now.replace(minute=0, second=0)
        desk.rail.faults.extend(rng.choice([*CREATE_FAULTS, "none", "none"]) for _ in range(2))
        if rng.random() < 0.15:
            desk.rail.lookup_faults.append("connection")
        for theirs in (p for p in final if p.payout_key in kernel_pays and rng.random() < 0.3):
            kernel_pays.discard(theirs.payout_key)
            # The kernel looks before it pays, too.
            if theirs.payout_key not in desk.paid() and not desk.journal().state(theirs.payout_key):
                desk.rail.put(intent_of(theirs))
        decided = [changed_mind(rng, p) for p in final]
        one_pass(desk, decided + regenerated(rng, desk, final), rng, luck)
    luck.calm()
    desk.rail.faults.clear()
    desk.rail.lookup_faults.clear()
    for hours in (0.3, 25, 25, 0.3):
        desk.clock.advance(hours=hours)
        desk.pay(*final)
    desk.assert_paid_once(*final)
    assert sum(t.amount_cents for t in desk.rail.transfers) == sum(p.amount_cents for p in final)
    return Counter(row.state for row in desk.journal().rows())


def changed_mind(rng: random.Random, decided: DecidedPayout) -> DecidedPayout:
    luck = rng.random()
    if luck < 0.1:
        return replace(decided, decision="hold", codes=("OPEN_BREAK",))
    return decided


def regenerated(rng: random.Random, desk: Desk, final: list[DecidedPayout]) -> list[DecidedPayout]:
    """Another statement for what is paid already."""
    return [
        payout(p.party_id, statement="s2", amount=p.amount_cents + 1)
        for p in final
        if rng.random() < 0.2 and desk.journal().state(p.payout_key) == "submitted"
    ]


def one_pass(desk: Desk, payouts: list[DecidedPayout], rng: random.Random, luck: BadLuck) -> None:
    killed = rng.random() < 0.2

    def switches(_payout: DecidedPayout, _now: object) -> tuple[str, ...]:
        nonlocal killed
        killed = killed or rng.random() < 0.05
        return ("PAYOUT_KILL_SWITCH_ACTIVE",) if killed else ()

    decision = desk.decide(payouts, recheck=switches)
    for _ in range(rng.randint(1, 2)):
        luck.next_pass()
        asked_before = len(desk.rail.creations)
        was_killed = killed
        with contextlib.suppress(Crash, TieoutError):
            desk.run(decision, checkpoint=luck.step)
        assert not (was_killed and len(desk.rail.creations) > asked_before)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_weeks_of_bad_luck_end_with_every_payout_paid_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, batch: int
) -> None:
    caplog.set_level(logging.CRITICAL)
    tally: Counter[str] = Counter()
    for seed in range(batch * SEEDS // BATCHES, (batch + 1) * SEEDS // BATCHES):
        luck = BadLuck(seed)
        monkeypatch.setattr(durable, "_write_all", luck.write)
        tally += live_through(tmp_path / str(seed), seed, luck)
        tally.update(deaths=luck.deaths, disk_failures=luck.disk_failures)
    print({"seeds": SEEDS // BATCHES, **tally})
    # Luck that was never bad would prove nothing.
    assert min(tally["deaths"], tally["disk_failures"], tally["unknown"]) > 3
