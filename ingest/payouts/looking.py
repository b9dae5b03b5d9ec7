"""Looking at the rail: what became of payouts whose outcome nobody knows.

Belongs here: whose key we hold, the listing of a payout's transfers, and settling an open payout as
far as the rail settles it. Does not belong here: asking for anything (`live_pass`), or why a repeat
is safe (`resolution`).

Looking needs no decision: an open payout may be settled whatever is decided of it by now, and also
when nothing is decided any more.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NoReturn

from ingest.errors import PayoutRefused, TieoutError
from ingest.payouts.journal import Journal
from ingest.payouts.judging import Answer, Clock, SubmissionResult, result_of
from ingest.payouts.rail import Rail, RailUnclear, TransferIntent
from ingest.payouts.resolution import Plan, Step, plan
from ingest.payouts.standing import BINDING_MISMATCH, JournalRow, Standing

__all__ = ["Lookout", "intent_of"]

_LOG: Final = logging.getLogger(__name__)
_MAX_UNCLEAR_IN_A_ROW: Final = 3


class Lookout:
    """Looks after one tenant's open payouts while the journal is held.

    Args:
        tenant_id: Whose payouts.
        livemode: Of the home.
        platform_account_id: The account that pays.
        max_skew: How far our clock and the rail's may differ.
    """

    def __init__(
        self,
        tenant_id: str,
        *,
        livemode: bool,
        platform_account_id: str,
        journal: Journal,
        clock: Clock,
        rail: Rail,
        max_skew: timedelta,
    ) -> None:
        self._tenant_id = tenant_id
        self._livemode = livemode
        self._platform_account_id = platform_account_id
        self._journal = journal
        self._clock = clock
        self._rail = rail
        self._max_skew = max_skew
        self._stopped: str | None = None
        self._unclear_in_a_row = 0

    def settle_open(self, except_keys: frozenset[str] = frozenset()) -> list[SubmissionResult]:
        """Settle the tenant's open payouts, but for those named; nothing is asked for.

        Raises:
            PayoutRefused: The key is not of the account, livemode or time of this home.
            RailRejected, RailUnclear: The rail did not say whose key it is.
        """
        self._require_rail()
        return [
            self._look_after(standing)
            for standing in self._journal.standings(self._tenant_id)
            if standing.is_open and standing.row.payout_key not in except_keys
        ]

    def _require_rail(self) -> None:
        """Raise unless the key in our hands belongs to the home's account and livemode."""
        self._journal.checkpoint("pass.begin")
        try:
            identity = self._rail.identity()
        except TieoutError:
            raise
        except Exception as error:
            _LOG.warning("payout rail raised %s", type(error).__name__)
            raise RailUnclear("identity") from None
        self._journal.checkpoint("pass.identified")
        if identity.livemode is not self._livemode:
            raise _refusal("a rail key of the other livemode", "livemode_mismatch")
        if identity.platform_account_id != self._platform_account_id:
            raise _refusal("a rail key of another platform account", "platform_account_mismatch")
        if self._is_skewed(identity.rail_now):
            raise _refusal("a clock that differs from the rail's", "clock_skew")

    def _look_after(self, standing: Standing) -> SubmissionResult:
        row = standing.row
        try:
            closed = self._resolve(standing).attempt > standing.attempt
            answer = Answer("failed", "ABSENT_AT_RAIL") if closed else None
        except Answer as raised:
            answer = raised
        answer = answer or Answer("unknown", "SUBMISSION_UNRESOLVED")
        return result_of(self._journal, row.payout_key, row.operation_id, answer)

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
        found = self._look_up(standing, intent_of(asked))
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


def intent_of(row: JournalRow) -> TransferIntent:
    """What a row of an intent asked for, or would ask for."""
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
        expected="the account, livemode and time that the home is bound to",
        remedy="Correct the key or the clock; nothing was paid",
        code=code,
    )
