"""One live pass: the steps around the one call that moves money.

Belongs here: their order, and what each answer of the rail means for the journal. Does not belong
here: whether a decision is for this home (`submit`), what is allowed without the rail
(`judging`), looking at the rail (`looking`), or why a repeat is safe (`resolution`).

Per payout: what decision, profile and journal allow, what the rail holds, the decision's own
re-check, the intent on disk, one call, its outcome on disk. Every step either goes on or raises
its answer. Whatever is not understood holds the payout; nothing is retried within a pass, and a
rail that stops making sense ends it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NoReturn

from ingest.payouts.decision import DecidedPayout, VerifiedDecision
from ingest.payouts.journal import Journal
from ingest.payouts.judging import Answer, Clock, Judge, SubmissionResult, result_of
from ingest.payouts.looking import Lookout, intent_of
from ingest.payouts.rail import (
    REJECTING_STATUSES,
    Rail,
    RailRejected,
    RailTransfer,
    RailUnclear,
    TransferIntent,
    binding_faults,
    idempotency_key,
)
from ingest.payouts.resolution import Plan
from ingest.payouts.standing import BINDING_MISMATCH, JournalRow

__all__ = ["LivePass"]

_LOG: Final = logging.getLogger(__name__)


class LivePass(Lookout):
    """A live pass over one decision, while the journal is held.

    Args:
        max_skew: How far our clock and the rail's may differ.
    """

    def __init__(
        self,
        decision: VerifiedDecision,
        *,
        judge: Judge,
        journal: Journal,
        clock: Clock,
        rail: Rail,
        max_skew: timedelta,
    ) -> None:
        super().__init__(
            decision.tenant_id,
            livemode=decision.livemode,
            platform_account_id=decision.platform_account_id,
            journal=journal,
            clock=clock,
            rail=rail,
            max_skew=max_skew,
        )
        self._decision = decision
        self._judge = judge

    def run(self) -> list[SubmissionResult]:
        """Resolve open payouts that the decision omits, then walk through the decision."""
        mentioned = frozenset(payout.payout_key for payout in self._decision.payouts)
        results = self.settle_open(except_keys=mentioned)
        return results + [self._carry_out(payout) for payout in self._decision.payouts]

    def _carry_out(self, payout: DecidedPayout) -> SubmissionResult:
        try:
            self._walk(payout)
        except Answer as answer:
            return result_of(self._journal, payout.payout_key, payout.operation_id, answer)

    def _walk(self, payout: DecidedPayout) -> NoReturn:
        standing = self._journal.standing(payout.payout_key)
        is_ours = standing is not None and standing.row.tenant_id == self._decision.tenant_id
        found: Plan | None = None
        if standing is not None and standing.is_open and is_ours:
            # Looking is allowed, and due, whatever the decision says of this payout by now.
            found = self._resolve(standing)
        self._judge.require_payable(payout)
        self._journal.checkpoint("payout.payable")
        if self._stopped:
            raise Answer("held", self._stopped)
        if payout.decision == "consumed" and found is not None:
            raise Answer("unknown", "SUBMISSION_UNRESOLVED")
        intent = intent_of(self._judge.row(payout, "intent"))
        if found is None:
            found = self._look_up(standing, intent)
            if found.transfer is not None:
                self._record_found(self._judge.row(payout, "submitted"), found)
        if payout.decision == "consumed":
            self._consume(payout)
        self._send(payout, replace(intent, attempt=found.attempt), found.rail_now)

    def _consume(self, payout: DecidedPayout) -> NoReturn:
        """Journal a recovery that uses up the whole payout: it counts from now, nothing is sent."""
        self._judge.recheck(payout)
        self._journal.record(self._judge.row(payout, "submitted", "RECOVERY_CONSUMED"))
        raise Answer("submitted", "RECOVERY_CONSUMED")

    def _send(self, payout: DecidedPayout, intent: TransferIntent, rail_now: datetime) -> NoReturn:
        """Ask the rail once, between an intent and an outcome that are both on disk."""
        self._judge.recheck(payout)
        self._journal.checkpoint("payout.rechecked")
        key = idempotency_key(
            livemode=intent.livemode,
            platform_account_id=self._decision.platform_account_id,
            tenant_id=intent.tenant_id,
            payout_key=intent.payout_key,
            attempt=intent.attempt,
        )
        row = replace(
            self._judge.row(payout, "intent"),
            attempt=intent.attempt,
            idempotency_key=key,
            rail_at=rail_now,
        )
        before = self._journal.standing(payout.payout_key)
        if before and before.is_open and before.last_sent and before.last_sent.frozen != row.frozen:
            # Decided differently since: what was asked for stays frozen until that attempt closes.
            raise Answer("held", BINDING_MISMATCH)
        asked = self._journal.record(row)
        self._journal.checkpoint("payout.intent")
        if code := self._judge.last_look(payout):
            # Expired or switched off while the intent went to disk. Nothing was asked for.
            self._reject(asked, code)
        outcome: RailTransfer | Exception
        try:
            outcome = self._rail.create_transfer(intent, key)
        except Exception as error:
            outcome = error
        self._journal.checkpoint("payout.answered")
        if isinstance(outcome, RailTransfer):
            self._record_answer(asked, intent, outcome)
        self._record_failure(asked, outcome)

    def _record_answer(
        self, asked: JournalRow, intent: TransferIntent, transfer: RailTransfer
    ) -> NoReturn:
        self._unclear_in_a_row = 0
        if faults := binding_faults(intent, transfer):
            _LOG.error("payout %s: the rail answered differently: %s", asked.payout_key, faults)
            self._stopped = "RAIL_ANSWERED_DIFFERENTLY"
            self._conclude(asked, "refused", BINDING_MISMATCH, transfer.transfer_id)
            raise Answer("refused", BINDING_MISMATCH)
        self._conclude(asked, "submitted", None, transfer.transfer_id)
        raise Answer("submitted")

    def _record_failure(self, asked: JournalRow, error: Exception) -> NoReturn:
        if isinstance(error, RailRejected) and error.status in REJECTING_STATUSES:
            self._unclear_in_a_row = 0
            if error.status == 401:
                self._stopped = "RAIL_DENIED"
            if error.rail_code == "balance_insufficient":
                # A smaller payout further down must not slip past the one that found no funds.
                self._stopped = "FUNDS_EXHAUSTED"
            self._reject(asked, f"RAIL_{error.status}_{error.rail_code}".upper())
        self._count_unclear(error)
        code = error.kind if isinstance(error, RailUnclear) else type(error).__name__
        self._conclude(asked, "unknown", f"RAIL_{code}".upper())
        raise Answer("unknown", "SUBMISSION_UNRESOLVED")

    def _reject(self, asked: JournalRow, code: str) -> NoReturn:
        """Journal that this request did nothing.

        That closes the attempt only if it was the attempt's sole request. After an unanswered
        one, a rejection speaks for itself alone (it may come from a layer that never saw the
        first), so the attempt stays open and keeps its key.
        """
        standing = self._journal.standing(asked.payout_key)
        state = "unknown" if standing is None or standing.was_asked_again else "failed"
        self._conclude(asked, state, code)
        raise Answer(state, code)

    def _intent(self, payout: DecidedPayout) -> TransferIntent:
        return intent_of(self._judge.row(payout, "intent"))
