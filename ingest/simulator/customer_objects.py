"""Complete templates of what a customer's money does: charges, refunds, disputes.

Belongs here: what a new charge, refund or dispute looks like in API 2026-10-28.endive, nothing left
out and nothing invented. Does not belong here: objects between accounts and banks (objects.py),
personal data (personal.py), what time does to an object (views.py), or any movement of money.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["charge", "dispute", "refund"]

_DAY_SECONDS = 86_400
_DISPUTE_RESPONSE_DAYS = 10
_EMPTY_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_CONTACT = ("email", "name", "phone", "tax_id")
_EVIDENCE_TEXTS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def _card() -> dict[str, Any]:
    return {
        "amount_authorized": None,
        "authorization_code": None,
        "brand": "visa",
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass",
        },
        "country": "US",
        "electronic_commerce_indicator": None,
        "exp_month": 8,
        "exp_year": 2030,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": "TieoutFingerprnt",
        "funding": "credit",
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": "4242",
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": "visa",
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": 0, "status": "unavailable"},
        "regulated_status": None,
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


def charge(
    *,
    object_id: str,
    amount: int,
    currency: str,
    created: int,
    livemode: bool,
    status: str = "succeeded",
    metadata: Mapping[str, str] | None = None,
    transfer_group: str | None = None,
    payment_intent: str | None = None,
    source_transfer: str | None = None,
) -> dict[str, Any]:
    """Return a charge; with `source_transfer` it is a transfer's payment on its destination."""
    from_card = source_transfer is None
    failed = status == "failed"
    details: dict[str, Any] = (
        {"card": _card(), "type": "card"}
        if from_card
        else {"stripe_account": {}, "type": "stripe_account"}
    )
    return {
        "id": object_id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if status == "succeeded" else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {"address": dict.fromkeys(_EMPTY_ADDRESS)} | dict.fromkeys(_CONTACT),
        "calculated_statement_descriptor": "TIEOUT" if from_card else None,
        "captured": not failed,
        "created": created,
        "currency": currency,
        "customer": None,
        "description": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": "card_declined" if failed else None,
        "failure_message": "Your card was declined." if failed else None,
        "fraud_details": {},
        "livemode": livemode,
        "metadata": dict(metadata or {}),
        "on_behalf_of": None,
        "outcome": _outcome(failed) if from_card else None,
        "paid": status == "succeeded",
        "payment_intent": payment_intent,
        "payment_method": f"pm_{object_id[3:]}" if from_card else None,
        "payment_method_details": details,
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": source_transfer,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer_data": None,
        "transfer_group": transfer_group,
    }


def _outcome(failed: bool) -> dict[str, Any]:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": "05" if failed else None,
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": "generic_decline" if failed else None,
        "risk_level": "normal",
        "seller_message": "The bank declined." if failed else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }


def refund(
    *,
    object_id: str,
    amount: int,
    charge_id: str,
    currency: str,
    created: int,
    status: str,
    metadata: Mapping[str, str] | None = None,
    reason: str | None = None,
    payment_intent: str | None = None,
) -> dict[str, Any]:
    """Return a refund; on a destination account it is a payment refund (`pyr_`)."""
    made: dict[str, Any] = {
        "id": object_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge_id,
        "created": created,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "metadata": dict(metadata or {}),
        "payment_intent": payment_intent,
        "payment_method": None,
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }
    if not object_id.startswith("pyr_"):
        card = {"reference_status": "pending", "type": "refund"}
        made["destination_details"] = {"card": card, "type": "card"}
    return made


def dispute(
    *,
    object_id: str,
    amount: int,
    charge_id: str,
    currency: str,
    created: int,
    livemode: bool,
    status: str,
    reason: str,
    payment_intent: str | None,
) -> dict[str, Any]:
    """Return a dispute; `balance_transactions` holds ids here and is shown by views.py."""
    inquiry = status.startswith("warning_")
    return {
        "id": object_id,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge_id,
        "created": created,
        "currency": currency,
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE_TEXTS) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": created + _DISPUTE_RESPONSE_DAYS * _DAY_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": inquiry,
        "livemode": livemode,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": payment_intent,
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": status,
    }
