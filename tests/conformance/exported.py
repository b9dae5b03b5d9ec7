"""Recorded cases of the original, written as a kernel would export them.

Belongs here: turning a case into lines of an export, and the list of those who add tenants. Does
not belong here: the build (`conftest.py`), or what the original answered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parents[1] / "vectors"

Case = Mapping[str, Any]
Exports = dict[tuple[str, str], list[dict[str, Any]]]


def cases(name: str) -> list[dict[str, Any]]:
    """Recorded cases of one file."""
    found: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text())
    return found


def add_reconcile(exports: Exports, tenant: str, case: Case) -> None:
    """One recorded reconciliation: its instructions and the provider's operations."""
    period, provider = case["period"], case["providerId"]
    exports[tenant, "money_rail_providers"].append(
        {"tenantId": tenant, "providerId": provider, "mode": "sandbox", "allowPayout": True}
    )
    for given in case["payoutInstructions"]:
        exports[tenant, "payout_instructions"].append(
            {
                "schemaVersion": "PayoutInstruction.v1",
                "artifactId": given["artifactId"],
                "tenantId": tenant,
                "partyId": given["partyId"],
                "partyRole": "operator",
                "period": period,
                "payoutKey": given["payoutKey"],
                "payout": {"amountCents": given["amountCents"], "currency": given.get("currency")},
                "artifactHash": given["artifactHash"],
            }
        )
    for given in case["operations"]:
        add_operation(exports, tenant, provider, given)


def add_operation(exports: Exports, tenant: str, provider: str, given: Case, **over: Any) -> None:
    """One operation; what a recorded case leaves out is filled as the original fills it."""
    key = given.get("payoutKey") or given["operationId"].removeprefix("mop_")
    exports[tenant, "money_rail_operations"].append(
        {
            "schemaVersion": "MoneyRailOperation.v1",
            "tenantId": tenant,
            "providerId": provider,
            "operationId": given["operationId"],
            "direction": given.get("direction", "payout"),
            "idempotencyKey": key,
            "amountCents": given["amountCents"],
            "currency": given.get("currency"),
            "counterpartyRef": f"party:{given.get('partyId', 'x')}",
            "state": given["state"],
            "reasonCode": given.get("reasonCode"),
            "initiatedAt": given.get("initiatedAt", "2026-02-01T00:00:00.000Z"),
            "updatedAt": given.get("initiatedAt", "2026-02-01T00:00:00.000Z"),
            "reversedAt": given.get("reversedAt"),
            "metadata": {
                "payoutKey": given.get("namedKey", key),
                **given.get("metadata", {}),
                "partyId": given.get("partyId"),
                "chargebackRecoveryAppliedCents": given.get("chargebackRecoveryAppliedCents", 0),
            },
            **over,
        }
    )


def add_exposure(exports: Exports, tenant: str, case: Case) -> None:
    """One recorded scenario of exposure."""
    exports[tenant, "money_rail_providers"].append(
        {"tenantId": tenant, "providerId": "stub_default", "mode": "sandbox", "allowPayout": True}
    )
    for given in case["operations"]:
        add_operation(exports, tenant, "stub_default", given)


def add_billing(exports: Exports, tenant: str, case: Case, period: str = "2026-01") -> None:
    """One recorded estimate: the plan with its overrides, and use as events."""
    exports[tenant, "tenant_profiles"].append(
        {"tenantId": tenant, "plan": case["planId"], "planOverrides": case["overrides"]}
    )
    use = case["usage"]
    for event_type, quantity, cents in (
        ("verified_run", use["verifiedRuns"], 0),
        ("settled_volume", 1, use["settledVolumeCents"]),
        ("arbitration_usage", use["arbitrationCases"], 0),
    ):
        add_event(exports, tenant, event_type, quantity, cents, period=period)


def add_event(
    exports: Exports,
    tenant: str,
    event_type: str,
    quantity: int,
    cents: int,
    *,
    period: str = "2026-01",
    currency: str = "USD",
) -> None:
    """One billable event."""
    exports[tenant, "billable_events"].append(
        {
            "tenantId": tenant,
            "eventId": f"bevt_{event_type}_{len(exports[tenant, 'billable_events'])}",
            "eventType": event_type,
            "quantity": quantity,
            "amountCents": cents,
            "currency": currency,
            "at": f"{period}-15T00:00:00.000Z",
            "period": period,
        }
    )


# Every collected module adds the tenants it asks about; one build serves them all.
PLANTS: list[Callable[[Exports], None]] = []


def planted(plant: Callable[[Exports], None]) -> Callable[[Exports], None]:
    """Registers a function that adds tenants to the session's one export."""
    PLANTS.append(plant)
    return plant
