"""The Stripe object world: one object with every act a platform can do and every view of it.

Belongs here: `Rail`, the facade that worlds, tests and the HTTP face talk to; it owns the lock and
turns datetimes into unix seconds. Does not belong here: what an act does to the books
(charges.py, disputes.py, transfers.py, payouts.py), how objects look (objects.py, views.py), HTTP.

Amounts are integers of minor units of the currency beside them; every `at` is an aware datetime.
Every act returns the complete object as Stripe would show it now, detached from the rail's state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Any

from ingest.simulator import accounts, payouts, reversals, transfers
from ingest.simulator.books import Books
from ingest.simulator.customer_acts import CustomerActs, Personal, unix_seconds
from ingest.simulator.errors import RailError
from ingest.simulator.identities import broken_identities
from ingest.simulator.journal import Journal
from ingest.simulator.reports import render_report
from ingest.simulator.store import singular
from ingest.simulator.views import balance_view

__all__ = ["Rail", "RailError"]


class Rail(CustomerActs):
    """A platform account, its connected accounts and everything that moved between them.

    Args:
        platform_id: the platform's own account id.
        clock: what time it is; decides which balance transactions are available.
        seed: decides every id; the same seed and acts give the same ids.
        journal_path: where acts that arrive over HTTP are appended. They are replayed once, by
            `start_journal`, which `http.serve` calls: plant the world first, then serve it.
        livemode: what objects claim; the HTTP face then wants `sk_live_` shaped keys.
        country, currency: of the platform account.
        record_events: False saves memory where nobody reads `/v1/events`.
    """

    def __init__(
        self,
        *,
        platform_id: str = "acct_1TieoutPlatform",
        clock: Callable[[], datetime],
        seed: int = 0,
        journal_path: Path | None = None,
        livemode: bool = False,
        country: str = "US",
        currency: str = "usd",
        record_events: bool = True,
    ) -> None:
        self.lock = RLock()
        self.books = Books(
            platform_id=platform_id,
            clock=lambda: unix_seconds(clock()),
            seed=seed,
            livemode=livemode,
            record_events=record_events,
        )
        self.journal = Journal(journal_path)
        accounts.open_platform(self.books, country=country, currency=currency)

    @property
    def platform_id(self) -> str:
        return self.books.platform_id

    @property
    def livemode(self) -> bool:
        return self.books.livemode

    @property
    def exchange_rates(self) -> dict[tuple[str, str], str]:
        """Decimal text per (from, to) currency, applied to minor units; add to it freely."""
        return self.books.exchange_rates

    # --- accounts ------------------------------------------------------------------------------

    def create_account(
        self,
        account_id: str,
        *,
        at: datetime,
        country: str = "US",
        currency: str = "usd",
        personal: Personal | None = None,
        **over: Any,
    ) -> dict[str, Any]:
        """Open a connected account; `over` is merged deeply over the complete account object."""
        with self.lock:
            return accounts.create_account(
                self.books,
                account_id,
                at=unix_seconds(at),
                country=country,
                currency=currency,
                personal=personal,
                over=over,
            )

    def update_account(self, account_id: str, *, at: datetime, **over: Any) -> dict[str, Any]:
        """Merge `over` deeply into an account, e.g. `capabilities={"transfers": "inactive"}`."""
        with self.lock:
            return accounts.update_account(self.books, account_id, at=unix_seconds(at), over=over)

    def update_balance_settings(
        self, payments: Mapping[str, Any], *, at: datetime, account: str | None = None
    ) -> dict[str, Any]:
        """Merge `payments` into an account's balance settings (payout schedule and so on)."""
        with self.lock:
            return accounts.update_balance_settings(
                self.books, payments, at=unix_seconds(at), account=account
            )

    # --- money in ------------------------------------------------------------------------------

    def top_up(
        self,
        amount: int,
        *,
        at: datetime,
        currency: str = "usd",
        metadata: Mapping[str, str] | None = None,
        personal: Personal | None = None,
    ) -> dict[str, Any]:
        """Bring outside money to the platform; available at once."""
        with self.lock:
            return payouts.top_up(
                self.books,
                amount,
                at=unix_seconds(at),
                currency=currency,
                metadata=metadata,
                personal=personal,
            )

    # --- money between accounts ----------------------------------------------------------------

    def create_transfer(
        self,
        amount: int,
        *,
        at: datetime,
        destination: str,
        currency: str = "usd",
        transfer_group: str | None = None,
        metadata: Mapping[str, str] | None = None,
        source_transaction: str | None = None,
        description: str | None = None,
        personal: Personal | None = None,
    ) -> dict[str, Any]:
        """Move platform money to a connected account.

        Raises:
            RailError: balance_insufficient, resource_missing (destination, source_transaction),
                insufficient_capabilities_for_transfer.
        """
        with self.lock:
            return transfers.create_transfer(
                self.books,
                amount,
                at=unix_seconds(at),
                destination=destination,
                currency=currency,
                transfer_group=transfer_group,
                metadata=metadata,
                source_transaction=source_transaction,
                description=description,
                personal=personal,
            )

    def reverse_transfer(
        self,
        transfer_id: str,
        amount: int | None = None,
        *,
        at: datetime,
        metadata: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Pull a transfer back (None: what is left of it); returns the reversal.

        The connected account may go negative: that is what seller exposure is made of.
        """
        with self.lock:
            return reversals.reverse_transfer(
                self.books, transfer_id, amount, at=unix_seconds(at), metadata=metadata
            )

    # --- money out -----------------------------------------------------------------------------

    def create_payout(
        self,
        amount: int | None,
        *,
        at: datetime,
        currency: str = "usd",
        account: str | None = None,
        automatic: bool = False,
        metadata: Mapping[str, str] | None = None,
        personal: Personal | None = None,
    ) -> dict[str, Any]:
        """Pay an account's available money out to its bank.

        An automatic payout sweeps everything available at `at`: pass None, or exactly
        `available_cents(...)`. Only automatic payouts know their members.
        """
        with self.lock:
            return payouts.create_payout(
                self.books,
                amount,
                at=unix_seconds(at),
                currency=currency,
                account=account,
                automatic=automatic,
                metadata=metadata,
                personal=personal,
            )

    def fail_payout(self, payout_id: str, *, at: datetime) -> dict[str, Any]:
        """Let a payout fail, even after it was paid; the money comes back."""
        with self.lock:
            return payouts.return_payout(self.books, payout_id, "failed", at=unix_seconds(at))

    def cancel_payout(self, payout_id: str, *, at: datetime) -> dict[str, Any]:
        """Cancel a payout that is still pending."""
        with self.lock:
            return payouts.return_payout(self.books, payout_id, "canceled", at=unix_seconds(at))

    # --- views ---------------------------------------------------------------------------------

    def objects(self, kind: str, account: str | None = None) -> list[dict[str, Any]]:
        """Return every object of a kind on one account (None: the platform), newest first.

        Args:
            kind: singular or plural, e.g. `charge`, `balance_transactions`, `account` (connected
                accounts only), `transfer_reversal`, `fee_refund`, `event`.
        """
        with self.lock:
            return self.books.objects(singular(kind), account)

    def retrieve(self, kind: str, object_id: str, account: str | None = None) -> dict[str, Any]:
        """Return one object; account None means wherever it lives.

        Raises:
            RailError: resource_missing (404).
        """
        with self.lock:
            return self.books.show(singular(kind), object_id, account)

    def balance(self, account: str | None = None) -> dict[str, Any]:
        """Return the balance object of an account now."""
        with self.lock:
            return balance_view(self.books, self.books.holder(account))

    def available_cents(
        self, account: str | None = None, *, currency: str = "usd", at: datetime | None = None
    ) -> int:
        """Return what an account could spend at `at` (None: now), in minor units."""
        with self.lock:
            when = self.books.now() if at is None else unix_seconds(at)
            return self.books.ledger.available(self.books.holder(account), currency, when)

    def report(
        self, report_type: str, *, start: datetime, end: datetime, account: str | None = None
    ) -> str:
        """Return an itemized report CSV of `[start, end)`; see `render_report`."""
        with self.lock:
            return render_report(
                self.books,
                report_type,
                start=unix_seconds(start),
                end=unix_seconds(end),
                account=account,
            )

    def put_object(self, kind: str, obj: Mapping[str, Any], account: str | None = None) -> None:
        """Inject a foreign object verbatim; it is listed but has no part in the ledger."""
        with self.lock:
            self.books.put_foreign(singular(kind), dict(obj), account)

    def check_invariants(self) -> list[str]:
        """Return one sentence per broken identity (I1 to I14 and ledger conservation)."""
        with self.lock:
            return broken_identities(self.books)

    # --- state that survives a restart ---------------------------------------------------------

    def start_journal(self) -> int:
        """Replay the journal over the planted world, once; return how many acts it held."""
        with self.lock:
            return self.journal.start(self.books)
