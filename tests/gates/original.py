"""Cases of the original system as tenants: what its API was given, as artifacts of an export.

Belongs here: translating recorded cases. Does not belong here: what the models answer to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.gates.landed import World

__all__ = ["add_exposure_case", "add_gate_case", "gate_tenant", "recorded_time"]

_PROVIDER = "stripe_prod_us"


def gate_tenant(case: int) -> str:
    """The tenant that stands for one recorded gate case."""
    return f"t_gate_{case:03d}"


def add_gate_case(world: World, case: Mapping[str, Any]) -> str:
    """Adds the tenant of one recorded enqueue call; returns its payout key."""
    tenant = gate_tenant(case["case"])
    payout = case["payout"]
    statement = "5" * 64
    key = f"{tenant}:party:{payout['partyId']}:period:{payout['period']}:statement:{statement}"
    world.artifact(
        "payout_instructions",
        tenant,
        {
            "artifactId": f"payout_{tenant}_{payout['partyId']}_{payout['period']}_{statement}",
            "partyId": payout["partyId"],
            "partyRole": payout["partyRole"],
            "period": payout["period"],
            "payoutKey": key,
            "payout": {
                "currency": "USD",
                "amountCents": payout["grossCents"],
                "destinationRef": None,
            },
            "statementHash": statement,
            "sourceEventId": "evt_1",
            "generatedAt": f"{payout['period']}-28T00:00:00.000Z",
            "artifactHash": "6" * 64,
        },
    )
    world.artifact(
        "payout_requests",
        tenant,
        {
            "payoutKey": key,
            "providerId": case["providerId"],
            "counterpartyRef": payout["counterpartyRef"],
            "requestedAt": case["now"],
        },
    )
    world.artifact(
        "month_closes",
        tenant,
        {"period": payout["period"], "status": "CLOSED", "closedAt": "2026-04-02T00:00:00.000Z"},
    )
    world.artifact(
        "money_rail_providers",
        tenant,
        {"providerId": case["providerId"], "mode": case["providerMode"], "allowPayout": True},
    )
    _add_controls(world, tenant, case["controls"])
    for operation in case["priorOperations"]:
        _add_operation(world, tenant, case["providerId"], operation)
    return key


def _add_controls(world: World, tenant: str, controls: Mapping[str, Any]) -> None:
    updated = {"updatedAt": "2026-04-15T11:30:00.000Z"}
    world.artifact("money_rail_controls", tenant, {**controls, **updated})


def _add_operation(
    world: World, tenant: str, provider_id: str, operation: Mapping[str, Any]
) -> None:
    key = str(operation["operationId"]).removeprefix("mop_")
    world.artifact(
        "money_rail_operations",
        tenant,
        {
            "providerId": provider_id,
            "operationId": operation["operationId"],
            "direction": "payout",
            "idempotencyKey": key,
            "amountCents": operation["amountCents"],
            "currency": "USD",
            "counterpartyRef": f"party:{operation['partyId']}",
            "state": operation["state"],
            "initiatedAt": operation["initiatedAt"],
            "createdAt": operation["initiatedAt"],
            "updatedAt": operation["initiatedAt"],
            "reversedAt": operation.get("reversedAt"),
            "metadata": {
                "payoutKey": key,
                "partyId": operation["partyId"],
                "chargebackRecoveryAppliedCents": operation["chargebackRecoveryAppliedCents"],
            },
        },
    )


def add_exposure_case(world: World, case: Mapping[str, Any]) -> str:
    """Adds the tenant of one recorded exposure query; returns its name."""
    tenant = f"t_exposure_{case['case']:02d}"
    for operation in case["operations"]:
        _add_operation(world, tenant, _PROVIDER, operation)
    return tenant


def recorded_time(text: str | None) -> datetime | None:
    """A recorded time as the warehouse stores it: UTC without a zone."""
    if text is None:
        return None
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
