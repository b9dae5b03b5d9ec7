"""What can be said of one payout without asking the rail.

Belongs here: what the decision, the profile, the journal and the re-check allow, in that order,
and the shape of an answer. Does not belong here: calls to the rail, or anything that follows from
its answers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ingest.payouts.decision import DecidedPayout, EnforcementProfile, Recheck, VerifiedDecision
from ingest.payouts.journal import Journal
from ingest.payouts.standing import BINDING_MISMATCH, JournalRow, Standing

__all__ = ["MAX_ATTEMPTS", "Answer", "Clock", "Judge", "SubmissionResult", "result_of"]

_LOG: Final = logging.getLogger(__name__)
MAX_ATTEMPTS: Final = 20

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class SubmissionResult:
    """What one pass made of one payout.

    Attributes:
        state: submitted, failed, unknown, refused or dry_run as journaled; `skipped` when there was
            nothing to do; `held` when something stands in the way that may pass.
        codes: Why it is not submitted; for a submitted one `ADOPTED` or `RECOVERY_CONSUMED`, or
        none.
    """

    payout_key: str
    operation_id: str
    state: str
    codes: tuple[str, ...] = ()
    attempt: int = 0
    transfer_id: str | None = None


class Answer(Exception):
    """The answer for a payout that goes no further; control flow that never leaves a pass."""

    def __init__(self, state: str, *codes: str) -> None:
        super().__init__(state, *codes)
        self.state, self.codes = state, codes


def result_of(
    journal: Journal, payout_key: str, operation_id: str, answer: Answer
) -> SubmissionResult:
    """Return the answer together with where the payout now stands."""
    standing = journal.standing(payout_key)
    return SubmissionResult(
        payout_key=payout_key,
        operation_id=operation_id,
        state=answer.state,
        codes=answer.codes,
        attempt=standing.attempt if standing else 0,
        transfer_id=standing.row.transfer_id if standing else None,
    )


class Judge:
    """Judges the payouts of one decision while the journal is held."""

    def __init__(
        self,
        decision: VerifiedDecision,
        journal: Journal,
        clock: Clock,
        profile: EnforcementProfile,
    ) -> None:
        self._decision = decision
        self._journal = journal
        self._clock = clock
        self._profile = profile

    def rehearse(self, payout: DecidedPayout) -> None:
        """Journal what would be asked of the rail; always raises its answer."""
        self.require_payable(payout)
        self.recheck(payout)
        standing = self._journal.standing(payout.payout_key)
        if standing is None or standing.row.decision_sha256 != self._decision.decision_sha256:
            self._journal.record(self.row(payout, "dry_run"))
        raise Answer("dry_run")

    def require_payable(self, payout: DecidedPayout) -> None:
        """Raise an answer unless decision, profile and journal all let this payout be paid."""
        if payout.decision not in ("release", "consumed"):
            raise Answer("skipped", *(payout.codes or ("NOT_RELEASED",)))
        if defect := payout.defect():
            # Not journaled: the fields of a payout that contradicts itself mean nothing.
            raise Answer("refused", defect)
        standing = self._journal.standing(payout.payout_key)
        if standing is not None:
            self._require_unpaid(standing)
        rival = self._journal.rival(self._decision.tenant_id, payout)
        if refusal := self._profile.objection(payout) or rival:
            self._note_refusal(payout, refusal)
            raise Answer("refused", refusal)

    def recheck(self, payout: DecidedPayout) -> None:
        """Raise an answer unless the decision is current and its own re-check finds nothing."""
        if codes := self._codes_now(self._decision.recheck, payout):
            raise Answer("held", *codes)

    def last_look(self, payout: DecidedPayout) -> str | None:
        """Return what stops a payout whose intent is on disk: its decision's end, or a switch."""
        codes = self._codes_now(self._decision.switches, payout)
        return codes[0] if codes else None

    def _codes_now(self, ask: Recheck, payout: DecidedPayout) -> tuple[str, ...]:
        now = self._clock()
        if not self._decision.is_current(now):
            return ("DECISION_EXPIRED",)
        try:
            # Whatever the annotation promises: anything but a tuple of codes counts as a failure.
            codes: object = ask(payout, now)
        except Exception as error:
            # Its message may quote what it read; the type is enough to find it.
            _LOG.warning("payout re-check raised %s", type(error).__name__)
            return ("RECHECK_FAILED",)
        if not isinstance(codes, tuple) or not all(isinstance(code, str) for code in codes):
            return ("RECHECK_FAILED",)
        return codes

    def row(self, payout: DecidedPayout, state: str, reason_code: str | None = None) -> JournalRow:
        """Return a row about the payout as decided now, outside any attempt of ours."""
        standing = self._journal.standing(payout.payout_key)
        return JournalRow(
            payout_key=payout.payout_key,
            tenant_id=self._decision.tenant_id,
            operation_id=payout.operation_id,
            attempt=standing.attempt if standing else 0,
            idempotency_key=None,
            state=state,
            transfer_id=None,
            amount_cents=payout.amount_cents,
            currency=payout.currency,
            destination_account_id=payout.destination_account_id,
            provider_id=payout.provider_id,
            party_id=payout.party_id,
            period=payout.period,
            decision_sha256=self._decision.decision_sha256,
            livemode=self._decision.livemode,
            recovery_cents=payout.recovery_cents,
            reason_code=reason_code,
            at=self._clock(),
            source_ids=payout.source_ids,
        )

    def _require_unpaid(self, standing: Standing) -> None:
        if standing.row.tenant_id != self._decision.tenant_id or standing.is_blocked:
            raise Answer("refused", BINDING_MISMATCH)
        if standing.state == "submitted":
            raise Answer("skipped", "ALREADY_PAID")
        if standing.state == "failed":
            if standing.row.decision_sha256 == self._decision.decision_sha256:
                # The rail said no to this very decision: only a newer one may try again.
                raise Answer("held", "FAILED_UNDER_THIS_DECISION")
            if standing.attempt >= MAX_ATTEMPTS:
                raise Answer("held", "ATTEMPTS_EXHAUSTED")

    def _note_refusal(self, payout: DecidedPayout, code: str) -> None:
        """Journal a refusal once, however often the same payout comes back."""
        standing = self._journal.standing(payout.payout_key)
        fresh = standing is None or standing.state in ("refused", "dry_run")
        if fresh and (standing is None or standing.row.reason_code != code):
            self._journal.record(self.row(payout, "refused", code))
