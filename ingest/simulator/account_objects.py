"""Complete templates of accounts, their capabilities and their balance settings.

Belongs here: what a new account looks like in API 2026-10-28.endive, and deep merging of changes.
Does not belong here: money objects (objects.py, customer_objects.py) or any change of state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["account", "balance_settings", "capability", "merge_deeply"]

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def _requirements() -> dict[str, Any]:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": [],
        "disabled_reason": None,
        "errors": [],
        "eventually_due": [],
        "past_due": [],
        "pending_verification": [],
    }


def _business_profile() -> dict[str, Any]:
    return {
        "annual_revenue": None,
        "estimated_worker_count": None,
        "mcc": "5734",
        "minority_owned_business_designation": None,
        "name": None,
        "product_description": None,
        "specified_commercial_transactions_act_url": None,
        "support_address": dict.fromkeys(_ADDRESS),
        "support_email": None,
        "support_phone": None,
        "support_url": None,
        "url": None,
    }


def _settings() -> dict[str, Any]:
    descriptors = (
        "statement_descriptor",
        "statement_descriptor_kana",
        "statement_descriptor_kanji",
    )
    prefixes = ("statement_descriptor_prefix_kana", "statement_descriptor_prefix_kanji")
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": True, "cvc_failure": True},
            "statement_descriptor_prefix": None,
            **dict.fromkeys(prefixes),
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": dict.fromkeys(descriptors + prefixes),
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }


def _controller(is_platform: bool) -> dict[str, Any]:
    if is_platform:
        return {"type": "account"}
    return {
        "fees": {"payer": "application"},
        "is_controller": True,
        "losses": {"payments": "application"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "express"},
        "type": "application",
    }


def account(
    *, object_id: str, created: int, country: str, currency: str, is_platform: bool = False
) -> dict[str, Any]:
    """Return an account that can charge, be paid and pay out."""
    return {
        "id": object_id,
        "object": "account",
        "business_profile": _business_profile(),
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": _controller(is_platform),
        "country": country,
        "created": created,
        "default_currency": currency,
        "details_submitted": True,
        "email": None,
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{object_id}/external_accounts",
        },
        "future_requirements": _requirements(),
        "metadata": {},
        "payouts_enabled": True,
        "requirements": _requirements(),
        "settings": _settings(),
        "tos_acceptance": {"date": created, "ip": None, "user_agent": None},
        "type": "standard" if is_platform else "express",
    }


def capability(shown_account: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return one capability of an account as an object of its own."""
    status = shown_account["capabilities"][name]
    requested = status != "unrequested"
    due = ["external_account"] if status == "inactive" else []
    return {
        "id": name,
        "object": "capability",
        "account": shown_account["id"],
        "future_requirements": _requirements(),
        "requested": requested,
        "requested_at": shown_account["created"] if requested else None,
        "requirements": _requirements() | {"currently_due": due},
        "status": status,
    }


def balance_settings() -> dict[str, Any]:
    """Return an account's balance settings: daily payouts after two days."""
    return {
        "object": "balance_settings",
        "payments": {
            "debit_negative_balances": True,
            "payouts": {
                # Nullable by the schema, but stripe-python 16.1.0 fails on null maps.
                "automatic_transfer_rules_by_currency": {},
                "minimum_balance_by_currency": {},
                "schedule": {"interval": "daily"},
                "statement_descriptor": None,
                "status": "enabled",
            },
            "settlement_timing": {"delay_days": 2, "start_of_day": None},
        },
    }


def merge_deeply(into: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Merge nested mappings in place; anything else replaces what was there."""
    for name, value in changes.items():
        held = into.get(name)
        if isinstance(value, Mapping) and isinstance(held, dict):
            merge_deeply(held, value)
        else:
            into[name] = dict(value) if isinstance(value, Mapping) else value
