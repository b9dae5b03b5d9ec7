"""Random lives of small tenants over months of runs: what was told of a closed month is told again.

Payouts are instructed, paid, paid twice, in part or too much, taken back, kept for a chargeback;
operations fail after they were confirmed; breaks are written off and taken back; some rows arrive a
run late. Whatever happens, no row of `open_item_rollforward` may change once a run told its month
after the kernel had closed it.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dagster_project.marts import Marts
from dagster_project.settings import Settings
from tests.gates.identities import iso
from tests.gates.landed import AS_OF, World
from tests.gates.partner import Partner
from tests.gates.rail_side import add_platform
from tests.wiring.runs import READ_DAILY, Runs, read_again

pytestmark = pytest.mark.slow

TENANTS, RUNS = 60, 6
LATE, GIVEN_UP = 0.05, 0.2
CENTS = ("opening", "new", "cleared", "written_off", "closing", "residual")
Told = dict[tuple[str, str, str], tuple[int, ...]]


@dataclass
class Life:
    """One tenant and what became of it so far.

    Attributes:
        keys: Instructed cents by payout key.
        left: What stands of each transfer.
        sales: Names of sales not given back yet.
    """

    partner: Partner
    drawn: random.Random
    keys: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    sales: list[str] = field(default_factory=list)

    def go_on(self, since: datetime, until: datetime) -> None:
        """Some things that happen to the tenant in a stretch of time, in their order."""
        minutes = int((until - since) / timedelta(minutes=1))
        acts: tuple[Callable[[datetime], None], ...] = (
            *(self._instruct, self._pay, self._pay, self._reverse),
            *(self._unasked, self._operate, self._sell, self._refund),
        )
        for minute in sorted(self.drawn.sample(range(60, minutes - 60), self.drawn.randrange(5))):
            self.drawn.choice(acts)(since + timedelta(minutes=minute))

    def _instruct(self, at: datetime) -> None:
        period, amount = f"{at:%Y-%m}", self.drawn.choice((1_000, 2_500, 4_000))
        key = self.partner.key(period)
        if key not in self.keys:
            dated = {"generatedAt": iso(at)}
            self.partner.pay(
                amount, period=period, sale=False, links=(), requested=False, instruction=dated
            )
            self.keys[key] = amount

    def _transfer(self, key: str | None, amount: int, at: datetime) -> None:
        days_ago: Any = (AS_OF - at) / timedelta(days=1)
        self.left[self.partner.transfer(key, amount, days_ago=days_ago)] = amount

    def _pay(self, at: datetime) -> None:
        if self.keys:
            key = self.drawn.choice(sorted(self.keys))
            amount = self.keys[key]
            self._transfer(key, self.drawn.choice((amount, amount, amount // 2, amount + 300)), at)

    def _unasked(self, at: datetime) -> None:
        self._transfer(None, self.drawn.choice((150, 777)), at)

    def _reverse(self, at: datetime) -> None:
        standing = sorted(name for name, cents in self.left.items() if cents)
        if standing:
            name = self.drawn.choice(standing)
            cents = self.drawn.choice((self.left[name], self.left[name], -(-self.left[name] // 3)))
            self.partner.reversal(name, cents, at=at)
            self.left[name] -= cents

    def _operate(self, at: datetime) -> None:
        if self.keys:
            key = self.drawn.choice(sorted(self.keys))
            kept = self.drawn.choice((0, 0, 200, 500))
            state = self.drawn.choice(("confirmed", "confirmed", "submitted", "reversed", "failed"))
            said = {
                "chargebackRecoveryAppliedCents": kept,
                "payoutAmountGrossCents": self.keys[key],
            }
            self.partner.operation(
                key, self.keys[key] - kept, state, metadata=said, updatedAt=iso(at)
            )

    def _sell(self, _: datetime) -> None:
        name = f"{self.partner.tenant}_{len(self.sales)}_{self.drawn.randrange(10**6)}"
        self.partner.sale(name, self.drawn.choice((500, 900)))
        self.sales.append(name)

    def _refund(self, at: datetime) -> None:
        if self.sales:
            self.partner.refund(self.sales.pop(), self.drawn.choice((100, 500)), at=at)


class Lives:
    """All tenants, their books of write-offs, and one run after another."""

    def __init__(self, home: Path, seed: int, step: timedelta) -> None:
        self.step, self.drawn = step, random.Random(seed)
        settings = Settings(
            home=home, mode="test", stripe_api_key="sk_test_lives", kernel_exports="none"
        )
        self.runs = Runs(settings, AS_OF)
        self.world = World()
        add_platform(self.world, available={"USD": 900_000})
        self.lives = {
            name: Life(Partner(self.world, name), random.Random(f"{seed}|{name}"))
            for name in (f"t{place:03}" for place in range(TENANTS))
        }
        self._daily = {name: copy.deepcopy(self.world.rows[name]) for name in READ_DAILY}
        self._late: list[tuple[str, dict[str, Any]]] = []
        self._given_up: list[tuple[str, str]] = []
        self._lines = 0

    def go_on(self, place: int) -> Told:
        """What happens up to a run, and what the run tells."""
        until = AS_OF + place * self.step
        since = until - self.step
        if place:
            self.world = read_again(self._daily, place * self.step, f"_{place}")
            self._arrive()
            self._sign(since, until)
        for life in self.lives.values():
            life.partner.world = self.world
            self._close(life.partner, since, until)
            life.go_on(since, until)
        if place < RUNS - 1:
            self._hold_back()
        self.runs.run(self.world, until)
        with Marts.published(self.runs.session.home) as marts:
            return {
                (row["tenant_id"], row["period"], row["currency"]): tuple(
                    row[f"{name}_cents"] for name in CENTS
                )
                for row in marts.rows("open_item_rollforward")
                if row["tenant_id"] in self.lives
            }

    def _close(self, partner: Partner, since: datetime, until: datetime) -> None:
        for month in range(5, 12):
            closed_at = _closed_at(f"2026-{month - 1:02}")
            if since < closed_at <= until:
                closed = {"period": f"2026-{month - 1:02}", "status": "CLOSED"}
                partner.world.artifact(
                    "month_closes", partner.tenant, {**closed, "closedAt": iso(closed_at)}
                )

    def _hold_back(self) -> None:
        for name, rows in self.world.rows.items():
            if name not in READ_DAILY and not name.startswith(("tieout/", "kernel/month_closes")):
                for row in [row for row in rows if self.drawn.random() < LATE]:
                    rows.remove(row)
                    self._late.append((name, row))

    def _arrive(self) -> None:
        for name, row in self._late:
            self.world.rows[name].append(row)
        self._late = []

    def _sign(self, since: datetime, until: datetime) -> None:
        for act_id, tenant in list(self._given_up):
            if self.drawn.random() < GIVEN_UP:
                self._given_up.remove((act_id, tenant))
                self._line(act_id, tenant, "revoke", "op_c", self._moment(since, until))
        with Marts.published(self.runs.session.home) as marts:
            drift = marts.rows("reconciliation_drift", outcome="break")
            for row in sorted(drift, key=lambda row: str(row["break_id"])):
                if row["tenant_id"] in self.lives and self.drawn.random() < GIVEN_UP:
                    said = {
                        "entry_kind": "write_off",
                        "break_id": row["break_id"],
                        "drift_cents": row["drift_cents"],
                        "amount_cents": abs(row["drift_cents"]),
                        "currency": row["currency"],
                    }
                    act_id, at = f"wof_{self._lines}", self._moment(since, until)
                    self._line(act_id, row["tenant_id"], "propose", "op_a", at, **said)
                    self._line(act_id, row["tenant_id"], "approve", "op_b", at)
                    self._given_up.append((act_id, row["tenant_id"]))

    def _moment(self, since: datetime, until: datetime) -> datetime:
        return since + (until - since) * (self.drawn.randrange(1, 100) / 100)

    def _line(
        self, act_id: str, tenant: str, action: str, by: str, at: datetime, **said: object
    ) -> None:
        self._lines += 1
        self.world.own(
            "write_offs",
            seq=self._lines,
            act_id=act_id,
            action=action,
            tenant_id=tenant,
            operator=by,
            at=at,
            reason="test",
            line_status="valid",
            line_sha256=f"{self._lines:064x}",
            **said,
        )


def _closed_at(period: str) -> datetime:
    year, month = int(period[:4]), int(period[5:])
    return datetime(year, month + 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(("seed", "days"), [(1, 30), (2, 12)])
def test_no_run_changes_what_an_earlier_one_told_of_a_closed_month(
    tmp_path: Path, seed: int, days: int
) -> None:
    lives = Lives(tmp_path / "home", seed, timedelta(days=days))
    told: Told = {}
    kept, cleared = 0, 0
    with lives.runs.session:
        for place in range(RUNS):
            now = lives.go_on(place)
            assert {cents[-1] for cents in now.values()} == {0}
            before = AS_OF + (place - 1) * lives.step
            closed = {key: cents for key, cents in told.items() if _closed_at(key[1]) <= before}
            assert {key: now.get(key) for key in closed} == closed
            kept += len(closed)
            told = now
    cleared = sum(cents[2] for cents in told.values())
    written_off = sum(abs(cents[3]) for cents in told.values())
    assert kept > TENANTS
    assert cleared > 0
    assert written_off > 0
