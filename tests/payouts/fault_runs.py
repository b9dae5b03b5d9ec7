"""Seeded weeks of bad luck for real processes: each pass is forked, and dies for good.

    python -m tests.payouts.fault_runs --seeds 2000

Belongs here: one home, its kernel, its operators and its rail living through one seed, and the
tally over many. Does not belong here: a fault of one kind by itself (the other modules of this
folder show each). The parent has everything loaded, so that a process costs a fork.

What happens to a pass: the process is killed at a boundary or in the middle of a write, the disk
fills, two enforcers run at once, the decision is stale, or is for another tenant or livemode, the
clock jumps, a switch is thrown mid-batch. What happens around it: connections cut before and after
the rail acted, 500 after acting, 409, storms of 429, answers nobody can read, requests and listings
that come late, a kernel that pays by itself, statements generated anew for what is paid, decisions
that change their mind. Then the weather clears. `FAULTS` names each, by the note that it happened.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ingest.errors import PayoutRefused
from ingest.payouts import durable
from ingest.payouts.decision import DecidedPayout, VerifiedDecision
from ingest.payouts.submit import enforce, settle_open
from tests.payouts.desk import PLATFORM, Desk, intent_of, payout
from tests.payouts.fake_rail import CREATE_FAULTS, Clock
from tests.payouts.file_rail import FileRail
from tests.payouts.luck import FAILED, KILLED, REFUSED, UNEXPECTED, Luck, Watched, forked, notes_of

__all__ = ["FAULTS", "live_through", "run_seeds", "unsynced"]

FAULTS = {
    "connection cut before the rail acted": "rail cut_before",
    "connection cut after the rail acted": "rail cut_after",
    "500 after acting": "rail 500_after_acting",
    "500 without acting": "rail 500_without_acting",
    "409, a twin in flight": "rail 409",
    "idempotency conflict": "rail idempotency_conflict",
    "429 storm": "rail 429 storm",
    "answer nobody can read": "rail unparseable_after_acting",
    "request that arrives late": "rail late_arrival",
    "transfer listed late": "rail late_visible",
    "clear rejection": "rail rejected",
    "lookup that fails": "rail lookup failed",
    "clock back": "clock jumped back",
    "clock ahead": "clock jumped ahead",
    "full disk on an intent": "disk full at intent",
    "full disk on an outcome": "disk full at submitted",
    "two enforcers at once": "lock found taken",
    "a second enforcer turned away": "refused whole: enforcer_busy",
    "stale decision": "refused whole: decision_expired",
    "decision for another tenant": "refused whole: tenant_mismatch",
    "decision for the other livemode": "refused whole: livemode_mismatch",
    "regenerated statement": "answer refused SUPERSEDED_INSTRUCTION",
    "kernel that pays itself": "adopted from the kernel",
    "kernel that pays while ours is unclear": "paid by the kernel under an open intent",
    "kill switch before the first call": "switch held before the first call",
    "kill switch mid-batch": "switch held mid-batch",
}
"""Every fault, and the note a life keeps once it has happened."""


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
        self.consumed = payout("p_used", decision="consumed", amount=0, recovery=50)
        self.kernel_pays = {p.payout_key for p in self.released if rng.random() < 0.1}
        self.kernel_paid: set[str] = set()
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
            if rng.random() < 0.2:
                rail.faults.extendleft(["429"] * 5)
            if rng.random() < 0.15:
                rail.lookup_faults.append(rng.choice(["connection", "rate_limited", "status_500"]))
        for theirs in [p for p in self.released if p.payout_key in self.kernel_pays]:
            if rng.random() < 0.3:
                self.kernel_pays.discard(theirs.payout_key)
                self._kernel_pays(theirs)

    def _kernel_pays(self, theirs: DecidedPayout) -> None:
        with self.rail.opened() as rail:
            # The kernel looks before it pays, too. A request on its way is the one thing it cannot
            # see; every other past of ours may lie under its payment.
            if not rail.is_on_its_way(theirs.payout_key):
                rail.put(intent_of(theirs))
                self.kernel_paid.add(theirs.payout_key)
                is_open = self.state(theirs.payout_key) in ("intent", "unknown")
                self.tally["paid by the kernel"] += 1
                self.tally["paid by the kernel under an open intent"] += is_open

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
        over: dict[str, Any] = {}
        wrong = rng.random()
        if wrong < 0.05:
            over = {"tenant_id": "t2"}
        elif wrong < 0.1:
            over = {"livemode": True}
        elif wrong < 0.15 and self.stale is not None:
            return replace(self.stale, recheck=luck.switches, switches=luck.switches)
        made = self.desk.decide(
            [*decided, self.never, self.consumed, *anew],
            recheck=luck.switches,
            switches=luck.switches,
            **over,
        )
        self.stale = self.stale if over else made
        return made

    def enforcer(self, luck: Luck, decision: VerifiedDecision) -> Callable[[], object]:
        """One pass as a process of its own carries it out."""

        def work() -> None:
            luck.befall()
            try:
                results = enforce(
                    decision,
                    rail=self.rail,
                    journal=Watched(luck),
                    mode="live",
                    clock=self.desk.clock,
                    profile=self.desk.profile(),
                    wait_seconds=luck.patience_seconds,
                )
            except PayoutRefused as error:
                luck.note(f"refused whole: {error.code}")
                raise
            luck.tell(results)

        return work

    def one_pass(self) -> None:
        rng = self.rng
        if rng.random() < 0.1:
            self._note(forked(self.lookout(Luck(rng, self.desk, self.rail))))
            return
        luck = Luck(rng, self.desk, self.rail)
        if rng.random() < 0.1:
            luck.switch_at = 0
        decision = self.decision(luck)
        works = [self.enforcer(luck, decision)]
        if rng.random() < 0.15:
            works.append(self.enforcer(Luck(rng, self.desk, self.rail), decision))
        thrown = self.desk.home / "thrown"
        thrown.unlink(missing_ok=True)
        self._note(forked(*works))
        if thrown.exists() and len(works) == 1:
            assert self.asked() == int(thrown.read_text()), "a call after the switch was thrown"
            self.tally["passes with a switch thrown"] += 1

    def lookout(self, luck: Luck) -> Callable[[], object]:
        def work() -> None:
            luck.befall()
            results = settle_open(
                "t1",
                rail=self.rail,
                journal=Watched(luck),
                clock=self.desk.clock,
                livemode=False,
                platform_account_id=PLATFORM,
            )
            luck.tell(results)

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
            luck = Luck(self.rng, self.desk, self.rail, calm=True)
            decision = self.desk.decide([*self.released, self.never, self.consumed])
            self._note(forked(self.enforcer(luck, decision)))

    def account(self) -> Counter[str]:
        """Everything that must be true at the end."""
        with self.rail.opened() as rail:
            self.desk.rail.transfers = rail.transfers
            self.tally["rail calls"] += len(rail.creations)
            self.tally.update({f"rail {kind}": n for kind, n in rail.befallen.items()})
        # Each payout zero times or once, exactly as decided; journal and rail agree.
        self.desk.assert_paid_once(*self.released)
        assert self.state(self.never.payout_key) is None
        used = self.desk.journal().standing(self.consumed.payout_key)
        assert used is not None
        assert (used.state, used.row.reason_code) == ("submitted", "RECOVERY_CONSUMED")
        total = sum(p.amount_cents for p in self.released)
        assert sum(t.amount_cents for t in self.desk.rail.transfers) == total
        self.tally["released cents"] += total
        self.tally["paid cents"] += sum(t.amount_cents for t in self.desk.rail.transfers)
        self.tally["payouts"] += len(self.released)
        self.tally["transfers"] += len(self.desk.rail.transfers)
        self.tally.update(notes_of(self.desk))
        for row in self.desk.journal().rows():
            self.tally[f"journal {row.state}"] += 1
            adopted = row.reason_code == "ADOPTED" and row.payout_key in self.kernel_paid
            self.tally["adopted from the kernel"] += adopted
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
