"""The kernel's side of the rail: operations, what providers told it, its controls, its accounts.

Belongs here: one declaration a type and nothing else. Does not belong here: how a member is read
(fields.py) or how a declaration becomes tables (tables.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.kernel.fields import (
    Artifact,
    currency,
    derived,
    flag,
    money,
    pipe_list,
    present,
    text,
    time,
)
from ingest.kernel.tables import ArtifactType
from ingest.tables import VARCHAR

__all__ = [
    "CONNECT_ACCOUNTS",
    "MONEY_RAIL_CONTROLS",
    "MONEY_RAIL_OPERATIONS",
    "MONEY_RAIL_PROVIDERS",
    "MONEY_RAIL_PROVIDER_EVENTS",
    "PAYOUT_REQUESTS",
]


def _of_payout(name: str) -> str:
    """Paths of a payout fact in an operation's metadata: the kernel's own spelling, then that of
    rail metadata after and before the kernel was renamed."""
    snake = "".join(f"_{sign.lower()}" if sign.isupper() else sign for sign in name)
    return f"metadata.{name}|metadata.nooterra_{snake}|metadata.settld_{snake}"


def _payout_key(operation: Artifact) -> str | None:
    """The key named in the metadata, else the idempotency key, else what the operation id holds.

    The rail's spellings come last: the original does not look at them. An empty text names nothing.
    """
    for field in _NAMED_PAYOUT_KEY:
        named = field.read(operation)
        if isinstance(named, str) and named:
            return named
    operation_id = operation.get("operationId")
    if isinstance(operation_id, str) and operation_id.startswith("mop_"):
        return operation_id.removeprefix("mop_")
    return None


def _party_id(operation: Artifact) -> str | None:
    """The party named in the metadata, else the one the counterparty reference names."""
    named = _NAMED_PARTY.read(operation)
    if isinstance(named, str):
        return named
    reference = operation.get("counterpartyRef")
    if isinstance(reference, str) and reference.startswith("party:"):
        return reference.removeprefix("party:")
    return None


def _emergency_code(controls: Artifact) -> str | None:
    emergency = controls.get("emergency")
    code = emergency.get("code") if isinstance(emergency, Mapping) else emergency
    # Any sign of an emergency counts as one, whatever its spelling.
    return code if isinstance(code, str) or code is None else "EMERGENCY_UNKNOWN"


_NAMED_PAYOUT_KEY: Final = tuple(
    text("payout_key", path)
    for path in (
        *("metadata.payoutKey", "idempotencyKey"),
        *("metadata.nooterra_payout_key", "metadata.settld_payout_key"),
    )
)
_NAMED_PARTY: Final = text("party_id", _of_payout("partyId"))

MONEY_RAIL_OPERATIONS: Final = ArtifactType(
    "money_rail_operations",
    fields=(
        text("provider_id", needed=True),
        text("operation_id", needed=True),
        text("direction"),
        text("idempotency_key"),
        money("amount_cents", needed=True),
        currency(),
        text("counterparty_ref"),
        text("state", needed=True),
        text("provider_ref"),
        text("reason_code"),
        time("initiated_at"),
        time("submitted_at"),
        time("confirmed_at"),
        time("failed_at"),
        time("cancelled_at"),
        time("reversed_at"),
        time("created_at"),
        time("updated_at"),
        derived("payout_key", VARCHAR, _payout_key),
        text("payout_artifact_hash", _of_payout("payoutArtifactHash")),
        text("period", _of_payout("period")),
        derived("party_id", VARCHAR, _party_id),
        text("stripe_connect_account_id", _of_payout("stripeConnectAccountId")),
        money("payout_amount_gross_cents", "metadata.payoutAmountGrossCents"),
        money("payout_amount_net_cents", "metadata.payoutAmountNetCents"),
        money("chargeback_recovery_applied_cents", "metadata.chargebackRecoveryAppliedCents"),
    ),
    key=("provider_id", "operation_id"),
    schemas=("MoneyRailOperation.v1",),
    latest_by=("updated_at",),
    links={
        "payout_key": "payout_instructions.payout_key",
        "payout_artifact_hash": "payout_instructions.artifact_hash",
    },
)

MONEY_RAIL_PROVIDER_EVENTS: Final = ArtifactType(
    "money_rail_provider_events",
    fields=(
        text("provider_id", needed=True),
        text("operation_id", needed=True),
        text("event_type", needed=True),
        text("event_id"),
        time("at"),
    ),
    key=("provider_id", "operation_id", "event_type", "event_id", "at"),
    identity=("provider_id", "operation_id", "event_type", "event_id"),
    schemas=("MoneyRailProviderEvent.v1",),
    links={"operation_id": "money_rail_operations.operation_id"},
)

MONEY_RAIL_CONTROLS: Final = ArtifactType(
    "money_rail_controls",
    fields=(
        flag("real_money_enabled"),
        flag("payout_kill_switch"),
        money("max_payout_amount_cents"),
        present("max_payout_amount_present", "maxPayoutAmountCents"),
        money("daily_payout_limit_cents"),
        present("daily_payout_limit_present", "dailyPayoutLimitCents"),
        pipe_list("allowed_provider_ids", "allowedProviderIds"),
        flag("connect_enabled", "connect.enabled"),
        text("connect_default_account_id", "connect.defaultAccountId"),
        flag("chargebacks_enabled", "chargebacks.enabled"),
        text("negative_balance_mode", "chargebacks.negativeBalanceMode"),
        money("max_outstanding_cents", "chargebacks.maxOutstandingCents"),
        present("max_outstanding_present", "chargebacks.maxOutstandingCents"),
        flag("degraded_enabled", "degradedMode.enabled"),
        pipe_list("degraded_provider_ids", "degradedMode.providerIds"),
        flag("deny_enqueue_payouts", "degradedMode.denyEnqueuePayouts"),
        flag("deny_submit_payouts", "degradedMode.denySubmitPayouts"),
        text("degraded_reason_code", "degradedMode.reasonCode"),
        derived("emergency_code", VARCHAR, _emergency_code),
        time("updated_at"),
    ),
    key=(),
    schemas=("MoneyRailControls.v1",),
    latest_by=("updated_at",),
)

MONEY_RAIL_PROVIDERS: Final = ArtifactType(
    "money_rail_providers",
    fields=(text("provider_id", needed=True), text("mode"), flag("allow_payout")),
    key=("provider_id",),
    latest_by=(),
)

CONNECT_ACCOUNTS: Final = ArtifactType(
    "connect_accounts",
    fields=(
        text("account_id", needed=True),
        text("party_id"),
        text("party_role"),
        flag("payouts_enabled"),
        flag("transfers_enabled"),
        text("status"),
        text("kyb_status"),
        text("kyb_disabled_reason"),
        time("kyb_last_sync_at"),
        time("updated_at"),
    ),
    # The same account may stand in its own file and in the controls.
    key=("account_id", "source_file"),
    identity=("account_id",),
    schemas=("MoneyRailConnectAccount.v1",),
    latest_by=("updated_at",),
)

PAYOUT_REQUESTS: Final = ArtifactType(
    "payout_requests",
    fields=(
        text("payout_key", needed=True),
        text("provider_id", needed=True),
        text("counterparty_ref"),
        time("requested_at"),
    ),
    key=("payout_key",),
    latest_by=("requested_at",),
    links={"payout_key": "payout_instructions.payout_key"},
)
