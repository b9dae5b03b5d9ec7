"""Enforcement's front door: carries out one verified decision, or refuses it whole.

Belongs here: the modes, and whether a decision is for this tenant, livemode, account, home and
time. Does not belong here: single payouts (`judging`, `live_pass`), deciding (the decision did),
or when to run.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from ingest.errors import PayoutRefused, TieoutError
from ingest.payouts.decision import DecidedPayout, EnforcementProfile, VerifiedDecision
from ingest.payouts.home import require_bound_home
from ingest.payouts.journal import Journal
from ingest.payouts.judging import Answer, Clock, Judge, SubmissionResult, result_of
from ingest.payouts.live_pass import LivePass
from ingest.payouts.looking import Lookout
from ingest.payouts.outbox import announce_submitted
from ingest.payouts.rail import Rail

__all__ = ["MODES", "SubmissionResult", "enforce", "settle_open"]

_LOG: Final = logging.getLogger(__name__)
MODES: Final = ("off", "dry-run", "live")


def enforce(
    decision: VerifiedDecision,
    *,
    rail: Rail | None,
    journal: Journal,
    mode: str,
    clock: Clock,
    profile: EnforcementProfile,
    wait_seconds: float = 10.0,
) -> list[SubmissionResult]:
    """Carry out a decision, in the order its payouts are given.

    Args:
        rail: Needed in mode live only; no other mode calls it.
        mode: `off` touches nothing, `dry-run` journals what would be asked, `live` asks.
        clock: Returns the time in UTC; read again before every call.
        profile: The terms of the decision's tenant in this home.
        wait_seconds: How long to wait for another pass to end.

    Returns:
        One result per payout, preceded by open payouts of the tenant that the decision omits.

    Raises:
        PayoutRefused: The decision as a whole is not for here or not for now; nothing was asked
        for.
        RailRejected, RailUnclear: The rail did not say whose key it is; nothing was asked for.
        JournalError: The journal is damaged or the disk fails. What was called before is
            journaled or stays an open intent, which the next pass resolves by looking at the
            rail.
    """
    _require(mode in MODES, f"mode {mode!r}", f"one of {', '.join(MODES)}", "mode_unknown")
    if mode == "off":
        off = ("PAYOUTS_OFF",)
        return [
            SubmissionResult(p.payout_key, p.operation_id, "held", off) for p in decision.payouts
        ]
    _require_for_here(decision, profile, clock())
    judge = Judge(decision, journal, clock, profile)
    if mode == "dry-run":
        with journal.exclusive(wait_seconds):
            return [_rehearse(judge, journal, payout) for payout in decision.payouts]
    account = decision.platform_account_id
    require_bound_home(journal.home, livemode=decision.livemode, platform_account_id=account)
    if rail is None:
        raise _refusal("no rail", "a rail in mode live", "rail_missing")
    with journal.exclusive(wait_seconds):
        results = LivePass(
            decision,
            judge=judge,
            journal=journal,
            clock=clock,
            rail=rail,
            max_skew=timedelta(seconds=profile.max_clock_skew_seconds),
        ).run()
        journal.checkpoint("pass.announce")
        _announce(journal, decision.tenant_id)
        return results


def settle_open(
    tenant_id: str,
    *,
    rail: Rail,
    journal: Journal,
    clock: Clock,
    livemode: bool,
    platform_account_id: str,
    wait_seconds: float = 10.0,
    max_clock_skew_seconds: int = 300,
) -> list[SubmissionResult]:
    """Look up the tenant's payouts of unknown outcome; needs no decision and asks for nothing.

    Returns:
        One result per open payout.

    Raises:
        PayoutRefused, RailRejected, RailUnclear, JournalError: As `enforce`.
    """
    require_bound_home(journal.home, livemode=livemode, platform_account_id=platform_account_id)
    with journal.exclusive(wait_seconds):
        results = Lookout(
            tenant_id,
            livemode=livemode,
            platform_account_id=platform_account_id,
            journal=journal,
            clock=clock,
            rail=rail,
            max_skew=timedelta(seconds=max_clock_skew_seconds),
        ).settle_open()
        _announce(journal, tenant_id)
        return results


def _rehearse(judge: Judge, journal: Journal, payout: DecidedPayout) -> SubmissionResult:
    try:
        judge.rehearse(payout)
    except Answer as answer:
        return result_of(journal, payout.payout_key, payout.operation_id, answer)
    raise AssertionError("a rehearsal ends in an answer")


def _announce(journal: Journal, tenant_id: str) -> None:
    """Tell the kernel's outbox; the journal knows it all, so the next pass makes up a failure."""
    try:
        announce_submitted(journal, tenant_id)
    except (TieoutError, OSError) as error:
        _LOG.error("outbox of provider events not written (%s)", type(error).__name__)


def _require_for_here(
    decision: VerifiedDecision, profile: EnforcementProfile, now: datetime
) -> None:
    for name, ours, theirs in (
        ("tenant", profile.tenant_id, decision.tenant_id),
        ("livemode", profile.livemode, decision.livemode),
        ("platform_account", profile.platform_account_id, decision.platform_account_id),
    ):
        _require(
            ours == theirs,
            f"a decision for another {name.replace('_', ' ')}",
            f"{ours}",
            f"{name}_mismatch",
        )
    _require(
        decision.is_current(now),
        f"a decision valid from {decision.as_of} to {decision.expires_at}, at {now}",
        "a decision that is valid now",
        "decision_expired" if now >= decision.expires_at else "decision_not_yet_valid",
    )


def _require(holds: bool, got: str, expected: str, code: str) -> None:
    if not holds:
        raise _refusal(got, expected, code)


def _refusal(got: str, expected: str, code: str) -> PayoutRefused:
    return PayoutRefused(
        got=got, expected=expected, remedy="Nothing was paid; issue a decision for here", code=code
    )
