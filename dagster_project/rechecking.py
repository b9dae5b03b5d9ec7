"""What is read again immediately before each payment; whatever changed since the decision holds.

Belongs here: the decision's own signature, operator and kernel controls with their caps, overrides
that ended, and the rail's word on account, balance, disputes and other transfers. Does not belong
here: when these are asked (`ingest.payouts` asks before each intent), or a gate (dbt decided).

A failed read raises, and enforcement holds on anything raised.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from dagster_project.acting import OVERRIDE_LAPSED, lapsed_overrides
from dagster_project.controls_watch import ControlsWatch
from dagster_project.deciding import newest_decision
from dagster_project.session import Session
from evidence.decision import DecisionDocument
from ingest.payouts.decision import DecidedPayout
from ingest.payouts.journal import Journal
from ingest.payouts.stripe_rail import StripeRail

__all__ = ["Rechecks"]

DECISION_CHANGED: Final = "DECISION_CHANGED"
DECISION_SUPERSEDED: Final = "DECISION_SUPERSEDED"

Verify = Callable[[Session, str, Path], DecisionDocument]


class Rechecks:
    """The re-checks of one decision.

    Args:
        path: The decision's file.
        document: What it said when it was verified.
        verify: Verifies the file again, with the keys that are trusted by then.
        rail: None in a dry run, which asks the rail nothing.
    """

    def __init__(
        self,
        session: Session,
        path: Path,
        document: DecisionDocument,
        *,
        verify: Verify,
        journal: Journal,
        rail: StripeRail | None,
    ) -> None:
        self._session = session
        self._path = path
        self._document = document
        self._verify = verify
        self._journal = journal
        self._rail = rail
        self._controls = ControlsWatch(session, document.tenant_id, document.as_of)

    def everything(self, payout: DecidedPayout, now: datetime) -> tuple[str, ...]:
        """Codes that hold the payout now; what an operator throws is read last."""
        codes: list[str] = []
        if self._rail is not None and payout.decision == "release":
            codes += self._rail_codes(self._rail, payout)
        codes += self._decision_codes()
        paid_since = self._journal.moved_cents(
            currency=payout.currency,
            since=self._document.as_of,
            tenant_id=self._document.tenant_id,
            except_payout_key=payout.payout_key,
        )
        codes += self._controls.codes(
            payout.provider_id,
            amount_cents=payout.amount_cents,
            day_cents=payout.day_committed_cents + paid_since + payout.amount_cents,
        )
        return (*codes, *self._override_codes())

    def switches(self, payout: DecidedPayout, now: datetime) -> tuple[str, ...]:
        """Codes of operator lines that hold the payout now, between its intent and its call."""
        return (*self._controls.switches(payout.provider_id), *self._override_codes())

    def _override_codes(self) -> tuple[str, ...]:
        document = self._document
        lapsed = lapsed_overrides(self._session, document.tenant_id, document.as_of)
        return (OVERRIDE_LAPSED,) if lapsed else ()

    def _decision_codes(self) -> list[str]:
        document = self._verify(self._session, self._document.tenant_id, self._path)
        codes = []
        if document.decision_sha256 != self._document.decision_sha256:
            codes.append(DECISION_CHANGED)
        if newest_decision(self._session.home, self._document.tenant_id) != self._path:
            codes.append(DECISION_SUPERSEDED)
        return codes

    def _rail_codes(self, rail: StripeRail, payout: DecidedPayout) -> list[str]:
        codes = []
        as_of = self._document.as_of
        account_id = payout.destination_account_id or ""
        account = rail.account_state(account_id)
        if not (account.transfers_active and account.payouts_enabled) or account.disabled_reason:
            codes += ["ACCOUNT_NOT_CAPABLE", "STRIPE_CONNECT_ACCOUNT_PAYOUTS_DISABLED"]
        # What was asked for without an answer may still leave, and is not in the balance yet.
        promised = self._journal.open_cents(
            currency=payout.currency, except_payout_key=payout.payout_key
        )
        if rail.available_cents(payout.currency) - promised < payout.amount_cents:
            codes.append("UNFUNDED_PAYOUT")
        if rail.disputes_since(as_of):
            # Whose it is takes a whole run to tell; that run decides anew.
            codes.append("DISPUTE_SINCE_DECISION")
        # The same party and month under another statement, paid by the kernel or another home.
        month, _, _ = payout.payout_key.rpartition(":")
        for transfer in rail.transfers_since(account_id, as_of):
            names = {transfer.transfer_group, transfer.meta_payout_key} - {None, payout.payout_key}
            is_same_currency = transfer.currency.casefold() == payout.currency.casefold()
            if is_same_currency and any(str(name).startswith(f"{month}:") for name in names):
                codes.append("SUPERSEDED_INSTRUCTION")
                break
        return codes
