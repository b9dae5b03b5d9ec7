"""Builders of the kernel's records that carry no hash: links, operations, controls, mappings.

Belongs here: one function a record type, returning the JSON object exactly as it is exported.
Does not belong here: hashed artifacts (kernel_artifacts.py, kernel_finance.py), or state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ingest.simulator.kernel_artifacts import Artifact, iso

__all__ = [
    "PROVIDER_ID",
    "billable_event",
    "charge_link",
    "connect_account",
    "controls",
    "degraded_mode",
    "month_close",
    "operation",
    "party_agent",
    "payout_link",
    "payout_request",
    "provider",
    "provider_event",
    "public_key",
    "reversed_operation",
    "tenant_profile",
]

PROVIDER_ID: Final = "stripe_prod_us"


def payout_link(
    tenant_id: str,
    *,
    payout_key: str,
    source_type: str,
    source_id: str,
    source_hash: str | None,
    amount_cents: int,
    currency: str,
) -> Artifact:
    """Return one signed part of a payout; the parts of a payout key sum to its instruction."""
    return {
        "tenantId": tenant_id,
        "payoutKey": payout_key,
        "sourceType": source_type,
        "sourceId": source_id,
        "sourceHash": source_hash,
        "amountCents": amount_cents,
        "currency": currency,
    }


def charge_link(
    tenant_id: str,
    *,
    charge_id: str,
    party_id: str,
    source_type: str,
    source_id: str,
    amount_cents: int,
    currency: str,
) -> Artifact:
    """Return what a customer's charge paid for and whose sale it was; the amount is gross."""
    return {
        "tenantId": tenant_id,
        "chargeId": charge_id,
        "partyId": party_id,
        "sourceType": source_type,
        "sourceId": source_id,
        "amountCents": amount_cents,
        "currency": currency,
    }


def party_agent(tenant_id: str, *, agent_id: str, party_id: str, since: datetime) -> Artifact:
    """Return which party stands behind an agent, open-ended."""
    return {
        "tenantId": tenant_id,
        "agentId": agent_id,
        "partyId": party_id,
        "validFrom": iso(since),
        "validTo": None,
    }


def tenant_profile(tenant_id: str, *, payer: str, pay_from_period: str | None) -> Artifact:
    """Return the tenant's standing facts; `payer` is `kernel` or `tieout`."""
    return {
        "tenantId": tenant_id,
        "merchantOfRecord": "platform",
        "chargeModel": "separate",
        "payer": payer,
        "payFromPeriod": pay_from_period,
        "plan": "builder",
    }


def payout_request(
    tenant_id: str, *, payout_key: str, requested_at: datetime, counterparty_ref: str | None = None
) -> Artifact:
    """Return the request that a payout be made through the production provider."""
    return {
        "tenantId": tenant_id,
        "payoutKey": payout_key,
        "providerId": PROVIDER_ID,
        "counterpartyRef": counterparty_ref,
        "requestedAt": iso(requested_at),
    }


def month_close(tenant_id: str, *, period: str, closed_at: datetime) -> Artifact:
    """Return that a month is closed."""
    return {
        "tenantId": tenant_id,
        "period": period,
        "status": "CLOSED",
        "closedAt": iso(closed_at),
    }


def provider(tenant_id: str, *, mode: str = "production", allow_payout: bool = True) -> Artifact:
    """Return the configuration of the tenant's money-rail provider."""
    return {
        "tenantId": tenant_id,
        "providerId": PROVIDER_ID,
        "mode": mode,
        "allowPayout": allow_payout,
    }


def public_key(tenant_id: str, *, key_id: str, public_key_pem: str) -> Artifact:
    """Return an exported public key; exporting one makes nobody trust it."""
    return {"tenantId": tenant_id, "keyId": key_id, "publicKeyPem": public_key_pem}


def billable_event(
    tenant_id: str,
    *,
    event_id: str,
    event_type: str,
    amount_cents: int,
    currency: str,
    at: datetime,
) -> Artifact:
    """Return one unit of billable use: `verified_run`, `settled_volume`, `arbitration_usage`."""
    return {
        "tenantId": tenant_id,
        "eventId": event_id,
        "eventType": event_type,
        "amountCents": amount_cents,
        "currency": currency,
        "quantity": 1,
        "at": iso(at),
        "period": iso(at)[:7],
    }


def connect_account(
    *, account_id: str, party_id: str, party_role: str, updated_at: datetime, **over: Any
) -> Artifact:
    """Return one account of the controls' Connect mapping, capable and verified by default."""
    return {
        "schemaVersion": "MoneyRailConnectAccount.v1",
        "accountId": account_id,
        "partyId": party_id,
        "partyRole": party_role,
        "payoutsEnabled": True,
        "transfersEnabled": True,
        "status": "active",
        "kybStatus": "verified",
        "kybCurrentlyDue": [],
        "kybPendingVerification": [],
        "kybDisabledReason": None,
        "kybLastSyncAt": iso(updated_at),
        "kybLastSyncError": None,
        "updatedAt": iso(updated_at),
        **over,
    }


def degraded_mode(*, enabled: bool, provider_ids: Sequence[str] | None = None) -> Artifact:
    """Return the controls' degraded-mode switch, denying both acts where it is enabled."""
    return {
        "schemaVersion": "MoneyRailDegradedMode.v1",
        "enabled": enabled,
        "providerIds": None if provider_ids is None else list(provider_ids),
        "denyEnqueuePayouts": True,
        "denySubmitPayouts": True,
        "reasonCode": "MONEY_RAIL_PROVIDER_DEGRADED",
    }


def controls(
    tenant_id: str, *, accounts: Iterable[Mapping[str, Any]], updated_at: datetime, **over: Any
) -> Artifact:
    """Return MoneyRailControls.v1 with real money on, explicit caps and hold mode.

    Args:
        over: replacements by their exported name, e.g. `payoutKillSwitch=True`,
            `chargebacks={...}`; a value of None is written as null.
    """
    record: Artifact = {
        "schemaVersion": "MoneyRailControls.v1",
        "tenantId": tenant_id,
        "realMoneyEnabled": True,
        "payoutKillSwitch": False,
        "maxPayoutAmountCents": 5_000_000,
        "dailyPayoutLimitCents": 20_000_000,
        "allowedProviderIds": [PROVIDER_ID],
        "connect": {
            "schemaVersion": "MoneyRailConnectConfig.v1",
            "enabled": True,
            "defaultAccountId": None,
            "accounts": sorted(accounts, key=lambda account: str(account["accountId"])),
        },
        "chargebacks": {
            "schemaVersion": "MoneyRailChargebackPolicy.v1",
            "enabled": True,
            "negativeBalanceMode": "hold",
            "maxOutstandingCents": None,
        },
        "degradedMode": degraded_mode(enabled=False),
        "updatedAt": iso(updated_at),
    }
    return record | over


def operation(
    instruction: Mapping[str, Any],
    *,
    account_id: str,
    initiated_at: datetime,
    amount_cents: int | None = None,
    direction: str = "payout",
) -> Artifact:
    """Return a MoneyRailOperation.v1 in state `initiated` for a payout instruction.

    Args:
        amount_cents: what is really sent where that is not the instruction's amount.
        direction: `payout`; `collection` would claim that money came in.
    """
    gross_cents, key = instruction["payout"]["amountCents"], instruction["payoutKey"]
    net_cents = gross_cents if amount_cents is None else amount_cents
    return {
        "schemaVersion": "MoneyRailOperation.v1",
        "providerId": PROVIDER_ID,
        "operationId": f"mop_{key}",
        "tenantId": instruction["tenantId"],
        "direction": direction,
        "idempotencyKey": key,
        "amountCents": net_cents,
        "currency": instruction["payout"]["currency"],
        "counterpartyRef": f"stripe_connect:{account_id}",
        "metadata": {
            "payoutKey": key,
            "payoutArtifactId": instruction["artifactId"],
            "payoutArtifactHash": instruction["artifactHash"],
            "period": instruction["period"],
            "partyId": instruction["partyId"],
            "stripeConnectAccountId": account_id,
            "providerMode": "production",
            "payoutAmountGrossCents": gross_cents,
            "payoutAmountNetCents": net_cents,
            "chargebackRecoveryAppliedCents": 0,
            "chargebackOutstandingBeforeCents": 0,
            "chargebackOutstandingAfterCents": 0,
            "chargebackNegativeBalanceMode": None,
        },
        "state": "initiated",
        "providerRef": None,
        "reasonCode": None,
        "initiatedAt": iso(initiated_at),
        "submittedAt": None,
        "confirmedAt": None,
        "failedAt": None,
        "cancelledAt": None,
        "reversedAt": None,
        "createdAt": iso(initiated_at),
        "updatedAt": iso(initiated_at),
    }


def reversed_operation(confirmed: Mapping[str, Any], *, at: datetime, reason_code: str) -> Artifact:
    """Return the operation after the kernel booked a reversal."""
    return {
        **confirmed,
        "state": "reversed",
        "reasonCode": reason_code,
        "reversedAt": iso(at),
        "updatedAt": iso(at),
    }


def provider_event(
    done: Mapping[str, Any], *, event_type: str, event_id: str, at: datetime
) -> Artifact:
    """Return the MoneyRailProviderEvent.v1 that moved an operation."""
    return {
        "schemaVersion": "MoneyRailProviderEvent.v1",
        "providerId": done["providerId"],
        "tenantId": done["tenantId"],
        "operationId": done["operationId"],
        "eventType": event_type,
        "eventId": event_id,
        "eventDedupeKey": f"{event_type}\n{event_id}",
        "at": iso(at),
        "payload": None,
    }
