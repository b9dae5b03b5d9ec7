"""Links and standing facts that come with an export because the kernel does not keep them itself.

Belongs here: one declaration a type and nothing else. Does not belong here: how a member is read
(fields.py) or how a declaration becomes tables (tables.py).
"""

from __future__ import annotations

from typing import Final

from ingest.kernel.fields import (
    count,
    flag,
    money,
    quantity,
    rate,
    share,
    signed_money,
    text,
    time,
)
from ingest.kernel.tables import ArtifactType

__all__ = [
    "BILLABLE_EVENTS",
    "CHARGE_LINKS",
    "PARTY_AGENTS",
    "PUBLIC_KEYS",
    "RECEIPT_PAYOUT_LINKS",
    "TENANT_PROFILES",
]

RECEIPT_PAYOUT_LINKS: Final = ArtifactType(
    "receipt_payout_links",
    fields=(
        text("payout_key", needed=True),
        text("source_type", needed=True),
        text("source_id", needed=True),
        text("source_hash"),
        signed_money("amount_cents", needed=True),
        text("currency", needed=True),
    ),
    key=("payout_key", "source_type", "source_id"),
    latest_by=(),
    links={"payout_key": "payout_instructions.payout_key"},
)

CHARGE_LINKS: Final = ArtifactType(
    "charge_links",
    fields=(
        text("charge_id", needed=True),
        text("party_id", needed=True),
        text("source_type", needed=True),
        text("source_id", needed=True),
        signed_money("amount_cents", needed=True),
        text("currency", needed=True),
    ),
    key=("charge_id", "party_id", "source_type", "source_id"),
    latest_by=(),
)

PARTY_AGENTS: Final = ArtifactType(
    "party_agents",
    fields=(
        text("agent_id", needed=True),
        text("party_id", needed=True),
        time("valid_from"),
        time("valid_to"),
    ),
    key=("agent_id", "party_id", "valid_from"),
    latest_by=(),
)

TENANT_PROFILES: Final = ArtifactType(
    "tenant_profiles",
    fields=(
        text("merchant_of_record"),
        text("charge_model"),
        text("payer"),
        text("pay_from_period"),
        # The kernel's billing configuration, as `PUT /ops/finance/billing/plan` takes it.
        text("plan", "plan|planId"),
        text("subscription_plan", "subscription.plan|subscription.planId"),
        text("subscription_status", "subscription.status"),
        money("override_subscription_cents", "planOverrides.subscriptionCents"),
        quantity("override_included_verified_runs", "planOverrides.includedVerifiedRunsPerMonth"),
        rate("override_overage_shown_millicents", "planOverrides.verifiedRunOverageCents"),
        quantity("override_overage_millicents", "planOverrides.verifiedRunOverageMilliCents"),
        share("override_settled_volume_fee_bps", "planOverrides.settledVolumeFeeBps"),
        money("override_arbitration_case_fee_cents", "planOverrides.arbitrationCaseFeeCents"),
        quantity(
            "override_hard_limit_verified_runs", "planOverrides.hardLimitVerifiedRunsPerMonth"
        ),
        flag("hard_limit_enforced"),
    ),
    key=(),
    latest_by=(),
)

BILLABLE_EVENTS: Final = ArtifactType(
    "billable_events",
    fields=(
        text("event_id", needed=True),
        text("event_type", needed=True),
        money("amount_cents"),
        text("currency"),
        count("quantity"),
        time("at"),
        text("period"),
    ),
    key=("event_id",),
    latest_by=(),
    dated=("period", "at"),
)

# Exported keys are shown, never used: trust comes from a file that the exporter cannot write.
PUBLIC_KEYS: Final = ArtifactType(
    "public_keys",
    fields=(text("key_id", needed=True), text("public_key_pem", needed=True)),
    key=("key_id",),
    latest_by=(),
    tenant_optional=True,
)
