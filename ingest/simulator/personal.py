"""Planting personal data where the real rail would carry it.

Belongs here: every free-text field of an object that people's names, addresses, card digits and
tokens end up in, so that a test can prove none of it reaches disk.
Does not belong here: real data; whatever a test passes in is what gets planted.

`personal` maps labels to texts. Known labels (name, email, phone, line1, city, postal_code, state,
country, ip, last4, fingerprint, tax_id) go to the field of that meaning; all texts together go to
every free-text field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["free_text", "into_account", "into_charge", "into_dispute", "into_text"]

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def free_text(personal: Mapping[str, str]) -> str:
    """Return every planted text in one line."""
    return " / ".join(personal.values())


def _address(personal: Mapping[str, str]) -> dict[str, str | None]:
    return {part: personal.get(part) for part in _ADDRESS}


def _metadata(personal: Mapping[str, str]) -> dict[str, str]:
    planted = {f"customer_{label}": text for label, text in personal.items()}
    return planted | {"customer_note": free_text(personal)}


def into_text(obj: dict[str, Any], personal: Mapping[str, str]) -> None:
    """Plant into an object's description, metadata and statement descriptor, where it has them."""
    text = free_text(personal)
    for name in ("description", "statement_descriptor", "statement_descriptor_suffix"):
        if name in obj:
            obj[name] = text
    if isinstance(obj.get("metadata"), dict):
        obj["metadata"] = _metadata(personal) | obj["metadata"]


def into_charge(obj: dict[str, Any], personal: Mapping[str, str]) -> None:
    """Plant into a charge: billing, shipping, receipt, card, outcome and texts."""
    into_text(obj, personal)
    text = free_text(personal)
    obj["billing_details"] = {
        "address": _address(personal),
        "email": personal.get("email", text),
        "name": personal.get("name", text),
        "phone": personal.get("phone", text),
        "tax_id": personal.get("tax_id"),
    }
    obj["shipping"] = {
        "address": _address(personal),
        "carrier": text,
        "name": personal.get("name", text),
        "phone": personal.get("phone", text),
        "tracking_number": text,
    }
    obj["receipt_email"] = personal.get("email", text)
    obj["receipt_url"] = f"https://pay.example/receipts/{personal.get('token', 'none')}"
    obj["calculated_statement_descriptor"] = text
    obj["failure_message"] = text if obj["status"] == "failed" else None
    obj["fraud_details"] = {"user_report": text}
    if obj["outcome"] is not None:
        obj["outcome"]["seller_message"] = text
    card = obj["payment_method_details"].get("card")
    if card is not None:
        card["last4"] = personal.get("last4", "4242")
        card["fingerprint"] = personal.get("fingerprint", text)
        card["issuer"] = text


def into_dispute(obj: dict[str, Any], personal: Mapping[str, str]) -> None:
    """Plant into a dispute: every evidence text and the metadata."""
    into_text(obj, personal)
    text = free_text(personal)
    evidence = obj["evidence"]
    for name, held in evidence.items():
        if held is None:
            evidence[name] = text
    evidence["customer_name"] = personal.get("name", text)
    evidence["customer_email_address"] = personal.get("email", text)
    evidence["customer_purchase_ip"] = personal.get("ip", text)
    obj["evidence_details"] |= {"has_evidence": True}


def into_account(obj: dict[str, Any], personal: Mapping[str, str]) -> None:
    """Plant into an account: owner, company, support contacts, bank account and texts."""
    into_text(obj, personal)
    text = free_text(personal)
    name, email = personal.get("name", text), personal.get("email", text)
    obj["email"] = email
    obj["business_profile"] |= {
        "name": name,
        "product_description": text,
        "support_address": _address(personal),
        "support_email": email,
        "support_phone": personal.get("phone", text),
        "support_url": text,
        "url": text,
    }
    obj["company"] = {
        "address": _address(personal),
        "name": name,
        "phone": personal.get("phone", text),
    }
    obj["tos_acceptance"] |= {"ip": personal.get("ip", text), "user_agent": text}
    obj["settings"]["dashboard"]["display_name"] = name
    obj["settings"]["payouts"]["statement_descriptor"] = text
