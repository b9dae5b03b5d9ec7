"""Complete templates of objects between accounts and banks: transfers, payouts, fees, events.

Belongs here: what a new object looks like in API 2026-10-28.endive, nothing left out and nothing
invented. Does not belong here: charges, refunds and disputes (customer_objects.py), accounts
(account_objects.py), what time does to an object (views.py), or any movement of money.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "API_VERSION",
    "application_fee",
    "event",
    "fee_refund",
    "payout",
    "topup",
    "transfer",
    "transfer_reversal",
]

API_VERSION = "2026-10-28.endive"
_DAY_SECONDS = 86_400


def transfer(
    *,
    object_id: str,
    amount: int,
    currency: str,
    created: int,
    livemode: bool,
    destination: str,
    destination_payment: str,
    metadata: Mapping[str, str] | None = None,
    transfer_group: str | None = None,
    source_transaction: str | None = None,
    description: str | None = None,
) -> dict[str, Any]:
    """Return a transfer; `reversals` holds ids here and is shown as a list by views.py."""
    return {
        "id": object_id,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "description": description,
        "destination": destination,
        "destination_payment": destination_payment,
        "livemode": livemode,
        "metadata": dict(metadata or {}),
        "reversals": [],
        "reversed": False,
        "source_transaction": source_transaction,
        "source_type": "card",
        "transfer_group": transfer_group,
    }


def transfer_reversal(
    *,
    object_id: str,
    amount: int,
    currency: str,
    created: int,
    transfer_id: str,
    destination_payment_refund: str,
    metadata: Mapping[str, str] | None = None,
    source_refund: str | None = None,
) -> dict[str, Any]:
    """Return a transfer reversal."""
    return {
        "id": object_id,
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "destination_payment_refund": destination_payment_refund,
        "metadata": dict(metadata or {}),
        "source_refund": source_refund,
        "transfer": transfer_id,
    }


def payout(
    *,
    object_id: str,
    amount: int,
    currency: str,
    created: int,
    livemode: bool,
    automatic: bool,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a payout that arrives two midnights later; views.py moves its status with time."""
    return {
        "id": object_id,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": (created // _DAY_SECONDS + 2) * _DAY_SECONDS,
        "automatic": automatic,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": f"ba_{object_id[3:]}",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": livemode,
        "metadata": dict(metadata or {}),
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }


def topup(
    *,
    object_id: str,
    amount: int,
    currency: str,
    created: int,
    livemode: bool,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a top-up that already succeeded."""
    return {
        "id": object_id,
        "object": "topup",
        "amount": amount,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "description": None,
        "expected_availability_date": created,
        "failure_code": None,
        "failure_message": None,
        "initiated_by": "user",
        "livemode": livemode,
        "metadata": dict(metadata or {}),
        "source": None,
        "statement_descriptor": None,
        "status": "succeeded",
        "transfer_group": None,
    }


def application_fee(
    *,
    object_id: str,
    account: str,
    amount: int,
    charge_id: str,
    currency: str,
    created: int,
    livemode: bool,
    application: str,
    originating_transaction: str | None,
) -> dict[str, Any]:
    """Return an application fee; `refunds` holds ids here and is shown as a list by views.py."""
    return {
        "id": object_id,
        "object": "application_fee",
        "account": account,
        "amount": amount,
        "amount_refunded": 0,
        "application": application,
        "balance_transaction": None,
        "charge": charge_id,
        "created": created,
        "currency": currency,
        "fee_source": {"charge": charge_id, "type": "charge"},
        "livemode": livemode,
        "originating_transaction": originating_transaction,
        "refunded": False,
        "refunds": [],
    }


def fee_refund(
    *, object_id: str, amount: int, currency: str, created: int, fee_id: str
) -> dict[str, Any]:
    """Return a refund of an application fee."""
    return {
        "id": object_id,
        "object": "fee_refund",
        "amount": amount,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "fee": fee_id,
        "metadata": {},
    }


def event(
    *,
    event_id: str,
    kind: str,
    created: int,
    livemode: bool,
    shown: Any,
    account: str | None,
    api_version: str,
) -> dict[str, Any]:
    """Return an event about an object; `shown` may be a pre-serialised fragment."""
    made: dict[str, Any] = {
        "id": event_id,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": {"object": shown},
        "livemode": livemode,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    if account is not None:
        made["account"] = account
    return made
