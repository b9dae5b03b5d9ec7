"""Seeded weeks of bad luck for real processes: each pass is forked, and dies for good.

    python -m tests.payouts.fault_runs --seeds 2000

Belongs here: one home, its kernel, its operators and its rail living through one seed, and the
tally over many. Does not belong here: a fault of one kind by itself (the other modules of this
folder show each). The parent has everything loaded, so that a process costs a fork.

What happens to a pass: the process is killed at a step boundary or in the middle of a write, the
disk fills, two enforcers run at once, the decision is stale, or is for another tenant or livemode,
the clock jumps, a switch is thrown mid-batch. What happens around it: connections cut before and
after the rail acted, 500 after acting, 409, 429, answers nobody can read, requests and listings
that come late, a kernel that pays by itself, statements generated anew for what is paid, decisions
that change their mind. Then the weather clears.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.errors import PayoutRefused, TieoutError
from ingest.payouts import durable
from ingest.payouts.decision import DecidedPayout, VerifiedDecision
from ingest.payouts.submit import enforce, settle_open
from tests.payouts.desk import PLATFORM, Desk, intent_of, payout
from tests.payouts.fake_rail import CREATE_FAULTS, Clock
from tests.payouts.file_rail import FileRail

__all__ = ["Luck", "forked", "live_through", "run_seeds", "unsynced"]

REFUSED, FAILED, KILLED, UNEXPECTED = 3, 4, 9, 70
_write_all = durable._write_all


def forked(*works: Callable[[], object]) -> list[int]:
    """Runs each work in a process of its own, all at once; their exit codes."""
    pids = []
    for work in works:
        pid = os.fork()
        if pid == 0:
            code = UNEXPECTED
            try:
                work()
                code = 0
            except PayoutRefused:
                code = REFUSED
            except TieoutError:
                code = FAILED
            finally:
                os._exit(code)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


class Luck:
    """What goes wrong in one process, decided by its own seed."""

    def __init__(self, rng: random.Random, desk: Desk, *, calm: bool = False) -> None:
        self.rng = rng
        self.desk = desk
        self.deaths = desk.home / "deaths"
        self.dies_at = rng.randint(1, 45) if not calm and rng.random() < 0.6 else -1
        self.write_fails_at = rng.randint(1, 16) if not calm and rng.random() < 0.3 else -1
        self.disk_is_full = rng.random() < 0.5
        self.switch_at = rng.randint(0, 40) if not calm and rng.random() < 0.3 else -1
        self.jump_at = rng.randint(1, 40) if not calm and rng.random() < 0.1 else -1
        self.jump = timedelta(minutes=rng.choice([-3000, -200, -10, -1, 1, 10, 200, 3000]))
        self.steps = self.writes = 0

    def step(self, name: str) -> None:
        if self.steps == self.jump_at:
            self.desk.clock.now += self.jump
        self.steps += 1
        if self.steps == self.dies_at:
            self._die(name)

    def write(self, handle: int, data: bytes) -> None:
        self.writes += 1
        if self.writes == self.write_fails_at:
            os.write(handle, data[: self.rng.randint(0, len(data))])
            if self.disk_is_full:
                raise OSError(28, "No space left on device")
            self._die("the middle of a write")
        _write_all(handle, data)

    def _die(self, where: str) -> None:
        with self.deaths.open("a") as file:
            file.write(f"{where}\n")
        os._exit(KILLED)

    def switches(self, _payout: DecidedPayout, _now: datetime) -> tuple[str, ...]:
        thrown = 0 <= self.switch_at <= self.steps
        return ("PAYOUT_KILL_SWITCH_ACTIVE",) if thrown else ()


class Life:
    """One home through one seed."""

    def __init__(self, home: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.desk = Desk(home)
        self.true_time = Clock(self.desk.clock.now)
        self.rail = FileRail(home / "rail", self.true_time)
        self.tally: Counter[str] = Counter(lives=1)
        rng = self.rng
        self.released = [
            payout(f"p{n}", amount=rng.randint(1, 10**6), recovery=rng.choice([0, 7]))
            for n in range(rng.randint(1, 4))
        ]
        self.never = payout("p_held", amount=5, decision="hold", codes=("OPEN_BREAK",))
        self.kernel_pays = {p.payout_key for p in self.released if rng.random() < 0.1}
        self.stale: VerifiedDecision | None = None

    def pass_time(self, **by: float) -> None:
        self.true_time.advance(**by)
        self.desk.clock.now = self.true_time.now

    def state(self, payout_key: str) -> str | None:
        return self.desk.journal().state(payout_key)

    def storm(self) -> None:
        """Weather at the rail, and a kernel that pays by itself."""
        rng = self.rng
        kinds = [*CREATE_FAULTS, "none", "none"]
        with self.rail.opened() as rail:
            rail.late_by = timedelta(minutes=rng.choice([1, 12, 50]))
            rail.faults.extend(rng.choice(kinds) for _ in range(2))
            if rng.random() < 0.1:
                rail.faults.extend(["429"] * 5)
            if rng.random() < 0.15:
                rail.lookup_faults.append("connection")
        for theirs in [p for p in self.released if p.payout_key in self.kernel_pays]:
            if rng.random() < 0.3:
                self.kernel_pays.discard(theirs.payout_key)
                self._kernel_pays(theirs)

    def _kernel_pays(self, theirs: DecidedPayout) -> None:
        with self.rail.opened() as rail:
            # The kernel looks before it pays, too, and not while a request of ours is on its way.
            seen = any(t.transfer_group == theirs.payout_key for t in rail.transfers)
            if not seen and self.state(theirs.payout_key) is None:
                rail.put(intent_of(theirs))
                self.tally["paid by the kernel"] += 1

    def decision(self, luck: Luck) -> VerifiedDecision:
        rng = self.rng
        decided = [
            replace(p, decision="hold", codes=("OPEN_BREAK",)) if rng.random() < 0.1 else p
            for p in self.released
        ]
        anew = [
            payout(p.party_id, statement="s2", amount=p.amount_cents + 1)
            for p in self.released
            if rng.random() < 0.2 and self.state(p.payout_key) == "submitted"
        ]
        self.tally["statements generated anew"] += len(anew)
        over: dict[str, Any] = {}
        wrong = rng.random()
        if wrong < 0.05:
            over = {"tenant_id": "t2"}
        elif wrong < 0.1:
            over = {"livemode": True}
        elif wrong < 0.15 and self.stale is not None:
            self.tally["stale decisions"] += 1
            return replace(self.stale, recheck=luck.switches, switches=luck.switches)
        self.tally["foreign decisions"] += bool(over)
        made = self.desk.decide(
            [*decided, self.never, *anew], recheck=luck.switches, switches=luck.switches, **over
        )
        self.stale = self.stale if over else made
        return made

    def enforcer(self, luck: Luck, decision: VerifiedDecision) -> Callable[[], object]:
        """One pass as a process of its own carries it out."""

        def work() -> None:
            durable._write_all = luck.write
            enforce(
                decision,
                rail=self.rail,
                journal=self.desk.journal(luck.step),
                mode="live",
                clock=self.desk.clock,
                profile=self.desk.profile(),
                wait_seconds=2.0,
            )

        return work

    def one_pass(self) -> None:
        rng = self.rng
        if rng.random() < 0.1:
            self._note(forked(self.lookout(Luck(rng, self.desk))))
            return
        luck = Luck(rng, self.desk)
        if rng.random() < 0.1:
            luck.switch_at = 0
        decision = self.decision(luck)
        works = [self.enforcer(luck, decision)]
        if rng.random() < 0.15:
            works.append(self.enforcer(Luck(rng, self.desk), decision))
            self.tally["two at once"] += 1
        asked_before = self.asked()
        self._note(forked(*works))
        if luck.switch_at == 0 and len(works) == 1:
            assert self.asked() == asked_before, "a call was made with the switch thrown"
        self.tally["switches thrown"] += luck.switch_at >= 0
        self.tally["clock jumps"] += luck.jump_at >= 0

    def lookout(self, luck: Luck) -> Callable[[], object]:
        def work() -> None:
            durable._write_all = luck.write
            settle_open(
                "t1",
                rail=self.rail,
                journal=self.desk.journal(luck.step),
                clock=self.desk.clock,
                livemode=False,
                platform_account_id=PLATFORM,
            )

        return work

    def asked(self) -> int:
        with self.rail.opened() as rail:
            return len(rail.creations)

    def _note(self, codes: list[int]) -> None:
        assert UNEXPECTED not in codes, "a pass raised what no caller expects"
        self.tally["passes"] += len(codes)
        self.tally["killed"] += codes.count(KILLED)
        self.tally["refused whole"] += codes.count(REFUSED)
        self.tally["failed"] += codes.count(FAILED)

    def clear_up(self) -> None:
        """Good weather, and decisions that mean it."""
        with self.rail.opened() as rail:
            rail.faults.clear()
            rail.lookup_faults.clear()
        for hours in (0.3, 25, 80, 25, 0.3):
            self.pass_time(hours=hours)
            luck = Luck(self.rng, self.desk, calm=True)
            decision = self.desk.decide([*self.released, self.never])
            self._note(forked(self.enforcer(luck, decision)))

    def account(self) -> Counter[str]:
        """Everything that must be true at the end."""
        with self.rail.opened() as rail:
            self.desk.rail.transfers = rail.transfers
            self.tally["rail calls"] += len(rail.creations)
        # Each payout zero times or once, exactly as decided; journal and rail agree.
        self.desk.assert_paid_once(*self.released)
        assert self.state(self.never.payout_key) is None
        total = sum(p.amount_cents for p in self.released)
        assert sum(t.amount_cents for t in self.desk.rail.transfers) == total
        self.tally["released cents"] += total
        self.tally["paid cents"] += sum(t.amount_cents for t in self.desk.rail.transfers)
        self.tally["payouts"] += len(self.released)
        self.tally["transfers"] += len(self.desk.rail.transfers)
        with contextlib.suppress(FileNotFoundError):
            deaths = (self.desk.home / "deaths").read_text().splitlines()
            self.tally.update(f"killed at {where}" for where in deaths)
        for row in self.desk.journal().rows():
            self.tally[f"journal {row.state}"] += 1
        return self.tally


def live_through(home: Path, seed: int) -> Counter[str]:
    """One life; raises where money was lost, paid twice or paid otherwise than decided."""
    life = Life(home, seed)
    for _ in range(life.rng.randint(3, 8)):
        life.pass_time(minutes=life.rng.choice([0, 1, 5, 16, 70, 400, 1500]))
        life.storm()
        life.one_pass()
    life.clear_up()
    return life.account()


@contextlib.contextmanager
def unsynced() -> Iterator[None]:
    """Without fsync: here processes die, not the power, and the page cache survives that."""
    kept = durable._sync, durable._sync_folder
    durable._sync, durable._sync_folder = (lambda handle: None), (lambda path: None)
    try:
        yield
    finally:
        durable._sync, durable._sync_folder = kept


def run_seeds(folder: Path, seeds: range) -> Counter[str]:
    """The tally over all seeds; names the seed of the first life that ended badly."""
    tally: Counter[str] = Counter()
    for seed in seeds:
        try:
            tally += live_through(folder / str(seed), seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, unsynced():
        tally = run_seeds(Path(folder), range(options.first, options.first + options.seeds))
    for name, count in sorted(tally.items()):
        print(f"{count:>15,}  {name}")


if __name__ == "__main__":
    main()
