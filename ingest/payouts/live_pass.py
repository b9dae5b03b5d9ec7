"""One live pass: the steps around the one call that moves money.

Belongs here: their order, and what each answer of the rail means for the journal. Does not belong
here: whether a decision is for this home (`submit`), what is allowed without the rail
(`judging`), or why a repeat is safe (`resolution`).

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

from ingest.errors import PayoutRefused, TieoutError
from ingest.payouts.decision import DecidedPayout, VerifiedDecision
from ingest.payouts.journal import Journal
from ingest.payouts.judging import Answer, Clock, Judge, SubmissionResult
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
from ingest.payouts.resolution import Plan, Step, plan
from ingest.payouts.standing import BINDING_MISMATCH, JournalRow, Standing

__all__ = ["LivePass"]

_LOG: Final = logging.getLogger(__name__)
_MAX_UNCLEAR_IN_A_ROW: Final = 3


class LivePass:
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
        self._decision = decision
        self._judge = judge
        self._journal = journal
        self._clock = clock
        self._rail = rail
        self._max_skew = max_skew
        self._stopped: str | None = None
        self._unclear_in_a_row = 0

    def run(self) -> list[SubmissionResult]:
        """Resolve open payouts that the decision omits, then walk through the decision."""
        self._journal.checkpoint("pass.begin")
        self._require_rail()
        mentioned = {payout.payout_key for payout in self._decision.payouts}
        omitted = [
            standing
            for standing in self._journal.standings(self._decision.tenant_id)
            if standing.is_open and standing.row.payout_key not in mentioned
        ]
        results = [self._look_after(standing) for standing in omitted]
        return results + [self._carry_out(payout) for payout in self._decision.payouts]

    def _require_rail(self) -> None:
        """Raise unless the key in our hands belongs to the decision's account and livemode."""
        decision = self._decision
        try:
            identity = self._rail.identity()
        except TieoutError:
            raise
        except Exception as error:
            _LOG.warning("payout rail raised %s", type(error).__name__)
            raise RailUnclear("identity") from None
        self._journal.checkpoint("pass.identified")
        if identity.livemode is not decision.livemode:
            raise _refusal("a rail key of the other livemode", "livemode_mismatch")
        if identity.platform_account_id != decision.platform_account_id:
            raise _refusal("a rail key of another platform account", "platform_account_mismatch")
        if self._is_skewed(identity.rail_now):
            raise _refusal("a clock that differs from the rail's", "clock_skew")

    def _carry_out(self, payout: DecidedPayout) -> SubmissionResult:
        try:
            self._walk(payout)
        except Answer as answer:
            return self._judge.result(payout.payout_key, payout.operation_id, answer)

    def _look_after(self, standing: Standing) -> SubmissionResult:
        row = standing.row
        try:
            closed = self._resolve(standing).attempt > standing.attempt
            answer = Answer("failed", "ABSENT_AT_RAIL") if closed else None
        except Answer as raised:
            answer = raised
        answer = answer or Answer("unknown", "SUBMISSION_UNRESOLVED")
        return self._judge.result(row.payout_key, row.operation_id, answer)

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
        if payout.decision == "consumed":
            self._consume(payout, still_open=found is not None)
        intent = self._intent(payout)
        if found is None:
            found = self._look_up(standing, intent)
            if found.transfer is not None:
                self._record_found(self._judge.row(payout, "submitted"), found)
        self._send(payout, replace(intent, attempt=found.attempt), found.rail_now)

    # Looking.

    def _look_up(self, standing: Standing | None, expected: TransferIntent) -> Plan:
        """Ask the rail what it holds for the payout key, and return what that allows."""
        if self._stopped:
            raise Answer("held", self._stopped)
        try:
            listing = self._rail.find_transfers(expected.payout_key)
        except Exception as error:
            self._count_unclear(error)
            raise Answer("held", "RAIL_LOOKUP_FAILED") from None
        self._journal.checkpoint("payout.looked_up")
        if self._is_skewed(listing.rail_now):
            raise Answer("held", "CLOCK_SKEW")
        return plan(standing, listing, expected, self._clock())

    def _resolve(self, standing: Standing) -> Plan:
        """Settle an open payout as far as the rail settles it; return only what may be sent."""
        asked = standing.last_sent or standing.row
        found = self._look_up(standing, _intent_of(asked))
        if found.transfer is not None:
            self._record_found(asked, found)
        if found.step is Step.WAIT:
            raise Answer("unknown", "SUBMISSION_UNRESOLVED")
        if found.step is Step.CLOSE:
            self._conclude(asked, "failed", "ABSENT_AT_RAIL")
        return found

    def _record_found(self, row: JournalRow, found: Plan) -> NoReturn:
        """Journal a transfer that the rail already holds, as ours or as what blocks the payout."""
        transfer_id = found.transfer.transfer_id if found.transfer else None
        if found.step is Step.ADOPT:
            self._conclude(row, "submitted", "ADOPTED", transfer_id)
            raise Answer("submitted", "ADOPTED")
        _LOG.error("payout %s: the rail holds another transfer: %s", row.payout_key, found.faults)
        self._conclude(row, "refused", BINDING_MISMATCH, transfer_id)
        raise Answer("refused", BINDING_MISMATCH)

    # Acting.

    def _consume(self, payout: DecidedPayout, *, still_open: bool) -> NoReturn:
        """Journal a recovery that uses up the whole payout: it counts from now, nothing is sent."""
        if still_open:
            raise Answer("unknown", "SUBMISSION_UNRESOLVED")
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
        if not self._decision.is_current(self._clock()):
            # The disk took that long. Nothing was asked for.
            self._reject(asked, "DECISION_EXPIRED")
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

    def _conclude(
        self, row: JournalRow, state: str, code: str | None, transfer_id: str | None = None
    ) -> None:
        """Journal the outcome of `row` with everything `row` froze."""
        self._journal.record(
            replace(
                row,
                state=state,
                reason_code=code,
                transfer_id=transfer_id,
                at=self._clock(),
                rail_at=None,
                seq=0,
            )
        )
        self._journal.checkpoint("payout.concluded")

    def _count_unclear(self, error: Exception) -> None:
        _LOG.warning("payout rail raised %s", type(error).__name__)
        self._unclear_in_a_row += 1
        if isinstance(error, RailUnclear) and error.kind == "rate_limited":
            self._stopped = "RAIL_RATE_LIMITED"
        elif self._unclear_in_a_row >= _MAX_UNCLEAR_IN_A_ROW:
            self._stopped = "RAIL_UNCLEAR"

    def _is_skewed(self, rail_now: datetime) -> bool:
        return abs(rail_now - self._clock()) > self._max_skew

    def _intent(self, payout: DecidedPayout) -> TransferIntent:
        return _intent_of(self._judge.row(payout, "intent"))


def _intent_of(row: JournalRow) -> TransferIntent:
    return TransferIntent(
        tenant_id=row.tenant_id,
        operation_id=row.operation_id,
        provider_id=row.provider_id,
        payout_key=row.payout_key,
        attempt=row.attempt,
        amount_cents=row.amount_cents,
        currency=row.currency,
        # A release without an account never gets here; an empty one matches no transfer.
        destination_account_id=row.destination_account_id or "",
        livemode=row.livemode,
    )


def _refusal(got: str, code: str) -> PayoutRefused:
    return PayoutRefused(
        got=got,
        expected="the account, livemode and time that the decision was made for",
        remedy="Correct the key or the clock; nothing was paid",
        code=code,
    )
