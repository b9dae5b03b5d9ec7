"""The acts around a customer's money: charging, refunding, disputing.

Belongs here: `CustomerActs`, the half of the facade that faces customers; `Rail` adds the rest.
Does not belong here: what these acts do to the books (charges.py, refunds.py, disputes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from threading import RLock
from typing import Any

from ingest.simulator import charges, disputes, fees, refunds
from ingest.simulator.books import Books
from ingest.simulator.errors import RailError

__all__ = ["CustomerActs", "Personal", "unix_seconds"]

Personal = Mapping[str, str]


def unix_seconds(at: datetime) -> int:
    """Return whole unix seconds of an aware datetime."""
    if at.tzinfo is None:
        raise RailError(f"got a naive datetime {at!r}; expected one with a time zone (use UTC)")
    return int(at.timestamp())


class CustomerActs:
    """Acts that start or end at a customer's card; see `Rail`."""

    lock: RLock
    books: Books

    def create_charge(
        self,
        amount: int,
        *,
        at: datetime,
        currency: str = "usd",
        fee: int | None = None,
        metadata: Mapping[str, str] | None = None,
        transfer_group: str | None = None,
        account: str | None = None,
        personal: Personal | None = None,
        status: str = "succeeded",
        settlement_currency: str | None = None,
        application_fee: int = 0,
        destination: str | None = None,
        transfer_amount: int | None = None,
    ) -> dict[str, Any]:
        """Charge a customer on the platform, or directly on `account`.

        Args:
            amount: in minor units of `currency`.
            fee: processing fee in minor units of the settlement currency; None means
                2.9 % + 30, rounded half up.
            personal: free text to plant in every field that could hold personal data.
            status: succeeded, pending or failed; only succeeded moves money.
            settlement_currency: where it differs, the balance transaction is converted.
            application_fee: the platform's cut, of a direct or destination charge.
            destination: makes it a destination charge; the transfer is posted with it.
            transfer_amount: of a destination charge; None means the whole amount.
        """
        with self.lock:
            return charges.create_charge(
                self.books,
                amount,
                at=unix_seconds(at),
                currency=currency,
                fee=fee,
                metadata=metadata,
                transfer_group=transfer_group,
                account=account,
                personal=personal,
                status=status,
                settlement_currency=settlement_currency,
                application_fee=application_fee,
                destination=destination,
                transfer_amount=transfer_amount,
            )

    # --- money back to customers ---------------------------------------------------------------

    def refund(
        self,
        charge_id: str,
        amount: int | None = None,
        *,
        at: datetime,
        status: str = "succeeded",
        metadata: Mapping[str, str] | None = None,
        reason: str | None = None,
        reverse_transfer: bool = False,
        refund_application_fee: bool = False,
    ) -> dict[str, Any]:
        """Refund a charge (None: what is left of it); failed and canceled give the money back."""
        with self.lock:
            return refunds.create_refund(
                self.books,
                charge_id,
                amount,
                at=unix_seconds(at),
                status=status,
                metadata=metadata,
                reason=reason,
                reverse_transfer=reverse_transfer,
                refund_application_fee=refund_application_fee,
            )

    def resolve_refund(self, refund_id: str, status: str, *, at: datetime) -> dict[str, Any]:
        """Move a pending or succeeded refund to succeeded, failed or canceled."""
        with self.lock:
            return refunds.resolve_refund(self.books, refund_id, status, at=unix_seconds(at))

    def refund_application_fee(
        self, fee_id: str, amount: int | None = None, *, at: datetime
    ) -> dict[str, Any]:
        """Give an application fee back to the connected account; returns the fee refund."""
        with self.lock:
            return fees.refund_application_fee(self.books, fee_id, amount, at=unix_seconds(at))

    def open_dispute(
        self,
        charge_id: str,
        *,
        at: datetime,
        amount: int | None = None,
        fee: int = 1500,
        status: str = "needs_response",
        reason: str = "fraudulent",
    ) -> dict[str, Any]:
        """Dispute a charge; amount and fee leave in one balance transaction, inquiries in none."""
        with self.lock:
            return disputes.open_dispute(
                self.books,
                charge_id,
                at=unix_seconds(at),
                amount=amount,
                fee=fee,
                status=status,
                reason=reason,
            )

    def move_dispute(
        self, dispute_id: str, status: str, *, at: datetime, fee: int = 1500
    ) -> dict[str, Any]:
        """Move an open dispute to another open status; leaving `warning_*` withdraws the money."""
        with self.lock:
            return disputes.move_dispute(
                self.books, dispute_id, status, at=unix_seconds(at), fee=fee
            )

    def close_dispute(
        self, dispute_id: str, status: str, *, at: datetime, fee_returned: int = 0
    ) -> dict[str, Any]:
        """Close a dispute as won, lost, warning_closed or prevented; won reinstates the amount."""
        with self.lock:
            return disputes.close_dispute(
                self.books, dispute_id, status, at=unix_seconds(at), fee_returned=fee_returned
            )
