"""A paying desk for tests: one home, one clock, one fake rail, and decisions made to order.

Belongs here: builders and the questions every test asks. Does not belong here: assertions about one
scenario.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.payouts.chain import Checkpoint, no_checkpoint
from ingest.payouts.decision import (
    DecidedPayout,
    EnforcementProfile,
    Recheck,
    VerifiedDecision,
)
from ingest.payouts.home import bind_home
from ingest.payouts.journal import Journal
from ingest.payouts.rail import TransferIntent
from ingest.payouts.submit import SubmissionResult, enforce
from tests.payouts.fake_rail import Clock, FakeRail

START = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
PLATFORM = "acct_platform"


class Crash(BaseException):
    """The process dies here."""


def payout(
    party: str = "pa",
    *,
    tenant: str = "t1",
    period: str = "2026-10",
    statement: str = "s1",
    amount: int = 1000,
    recovery: int = 0,
    **over: Any,
) -> DecidedPayout:
    key = f"{tenant}:party:{party}:period:{period}:statement:{statement}"
    fields: dict[str, Any] = {
        "payout_key": key,
        "operation_id": f"mop_{key}",
        "provider_id": "stripe_prod_us",
        "party_id": party,
        "period": period,
        "decision": "release",
        "amount_cents": amount,
        "gross_cents": amount + recovery,
        "recovery_cents": recovery,
        "currency": "USD",
        "destination_account_id": f"acct_{party}",
        "counterparty_ref": f"stripe_connect:acct_{party}",
        "codes": (),
    }
    return DecidedPayout(**{**fields, **over})


def nothing_holds(_payout: DecidedPayout, _now: datetime) -> tuple[str, ...]:
    return ()


def intent_of(decided: DecidedPayout, tenant: str = "t1", **over: Any) -> TransferIntent:
    fields: dict[str, Any] = {
        "tenant_id": tenant,
        "operation_id": decided.operation_id,
        "provider_id": decided.provider_id,
        "payout_key": decided.payout_key,
        "attempt": 1,
        "amount_cents": decided.amount_cents,
        "currency": decided.currency,
        "destination_account_id": decided.destination_account_id or "",
        "livemode": False,
    }
    return TransferIntent(**{**fields, **over})


class Desk:
    """One home and everything around it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clock = Clock(START)
        self.rail = FakeRail(self.clock)
        self._decisions = 0
        bind_home(home, livemode=False, platform_account_id=PLATFORM)

    def decide(
        self,
        payouts: Sequence[DecidedPayout],
        *,
        recheck: Recheck = nothing_holds,
        switches: Recheck = nothing_holds,
        **over: Any,
    ) -> VerifiedDecision:
        self._decisions += 1
        fields: dict[str, Any] = {
            "tenant_id": "t1",
            "decision_sha256": hashlib.sha256(str(self._decisions).encode()).hexdigest(),
            "as_of": self.clock.now,
            "expires_at": self.clock.now + timedelta(minutes=30),
            "livemode": False,
            "platform_account_id": PLATFORM,
            "payouts": tuple(payouts),
            "recheck": recheck,
            "switches": switches,
        }
        return VerifiedDecision(**{**fields, **over})

    def profile(self, **over: Any) -> EnforcementProfile:
        fields: dict[str, Any] = {
            "tenant_id": "t1",
            "livemode": False,
            "platform_account_id": PLATFORM,
            "payer": "tieout",
            "pay_from_period": "2026-01",
            "provider_ids": frozenset({"stripe_prod_us"}),
        }
        return EnforcementProfile(**{**fields, **over})

    def journal(self, checkpoint: Checkpoint = no_checkpoint) -> Journal:
        """A journal as a fresh process would open it."""
        return Journal(self.home, checkpoint)

    def run(
        self,
        decision: VerifiedDecision,
        *,
        mode: str = "live",
        checkpoint: Checkpoint = no_checkpoint,
        profile: EnforcementProfile | None = None,
    ) -> list[SubmissionResult]:
        return enforce(
            decision,
            rail=self.rail,
            journal=self.journal(checkpoint),
            mode=mode,
            clock=self.clock,
            profile=profile or self.profile(tenant_id=decision.tenant_id),
            wait_seconds=0.0,
        )

    def pay(self, *payouts: DecidedPayout, **over: Any) -> list[SubmissionResult]:
        """Decide now and carry it out."""
        return self.run(self.decide(payouts, **over))

    def settle(self, *payouts: DecidedPayout, passes: int = 6, hours: float = 0.3) -> None:
        """Run fresh decisions, some time apart, until nothing is left to do."""
        for _ in range(passes):
            self.clock.advance(hours=hours)
            self.pay(*payouts)

    def states(self) -> list[str]:
        return [row.state for row in self.journal().rows()]

    def paid(self) -> dict[str, list[int]]:
        """What the rail holds, by payout key."""
        held: dict[str, list[int]] = {}
        for transfer in self.rail.transfers:
            held.setdefault(str(transfer.transfer_group), []).append(transfer.amount_cents)
        return held

    def assert_paid_once(self, *payouts: DecidedPayout) -> None:
        """Rail and journal agree that exactly these were paid, once each, as decided."""
        assert self.paid() == {p.payout_key: [p.amount_cents] for p in payouts}
        journal = self.journal()
        for decided in payouts:
            standing = journal.standing(decided.payout_key)
            assert standing is not None
            assert standing.state == "submitted"
            ours = next(t for t in self.rail.transfers if t.transfer_id == standing.row.transfer_id)
            assert ours.amount_cents == decided.amount_cents == standing.row.amount_cents
            assert ours.destination_account_id == decided.destination_account_id
            assert ours.transfer_group == decided.payout_key
