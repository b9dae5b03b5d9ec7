"""Every kernel artifact type, by the name of its export file.

Belongs here: the list. Does not belong here: the declarations (settlement_types, ledger_types,
rail_types, link_types); how a member is read (fields); how a declaration becomes tables
(tables); hashing (the evidence floor).

In the declarations a column whose member is not named is the column's name in camelCase. Members
that no column names are not lost: the canonical text of each artifact is landed with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ingest.kernel.ledger_types import (
    GL_BATCHES,
    MONTH_CLOSES,
    PARTY_STATEMENTS,
    PAYOUT_INSTRUCTIONS,
    SETTLEMENT_STATEMENTS,
)
from ingest.kernel.link_types import (
    BILLABLE_EVENTS,
    CHARGE_LINKS,
    PARTY_AGENTS,
    PUBLIC_KEYS,
    RECEIPT_PAYOUT_LINKS,
    TENANT_PROFILES,
)
from ingest.kernel.rail_types import (
    CONNECT_ACCOUNTS,
    MONEY_RAIL_CONTROLS,
    MONEY_RAIL_OPERATIONS,
    MONEY_RAIL_PROVIDER_EVENTS,
    MONEY_RAIL_PROVIDERS,
    PAYOUT_REQUESTS,
)
from ingest.kernel.settlement_types import (
    AGENT_RUN_SETTLEMENTS,
    ARBITRATION_VERDICTS,
    DISPUTE_ENVELOPES,
    FUNDING_HOLDS,
    SETTLEMENT_ADJUSTMENTS,
    SETTLEMENT_DECISIONS,
    SETTLEMENT_RECEIPTS,
    X402_RECEIPTS,
    X402_REVERSAL_EVENTS,
)
from ingest.kernel.tables import ArtifactType

__all__ = ["EXPORTED", "LANDED_TYPES"]

EXPORTED: Final[Mapping[str, ArtifactType]] = {
    artifact_type.name: artifact_type
    for artifact_type in (
        SETTLEMENT_RECEIPTS,
        SETTLEMENT_DECISIONS,
        AGENT_RUN_SETTLEMENTS,
        FUNDING_HOLDS,
        SETTLEMENT_ADJUSTMENTS,
        ARBITRATION_VERDICTS,
        DISPUTE_ENVELOPES,
        X402_RECEIPTS,
        SETTLEMENT_STATEMENTS,
        PARTY_STATEMENTS,
        GL_BATCHES,
        PAYOUT_INSTRUCTIONS,
        MONEY_RAIL_OPERATIONS,
        MONEY_RAIL_PROVIDER_EVENTS,
        MONEY_RAIL_CONTROLS,
        MONEY_RAIL_PROVIDERS,
        CONNECT_ACCOUNTS,
        RECEIPT_PAYOUT_LINKS,
        CHARGE_LINKS,
        PARTY_AGENTS,
        PAYOUT_REQUESTS,
        MONTH_CLOSES,
        TENANT_PROFILES,
        BILLABLE_EVENTS,
        PUBLIC_KEYS,
    )
}
LANDED_TYPES: Final = (*EXPORTED.values(), X402_REVERSAL_EVENTS)
