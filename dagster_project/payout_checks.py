"""Checks of what stands between decided and paid: evidence, decisions, outcomes.

Belongs here: saying in the UI what holds payouts for want of evidence, which decision does not
verify, and which payment has no known outcome. Does not belong here: holding anything; the gates
and enforcement do that without being told.
"""

# Dagster reads the annotations of its functions as objects, so they are not postponed here.

from collections import Counter
from collections.abc import Callable
from typing import Final

import dagster as dg

from dagster_project.assets.enforcement import DECISIONS_KEY, PAYOUTS_KEY
from dagster_project.assets.publication import PUBLISHED_KEY
from dagster_project.due import newest_decisions
from dagster_project.enforcing import verified_decision
from dagster_project.marts import Marts
from dagster_project.resources import Wiring
from dagster_project.session import Session
from ingest.errors import TieoutError
from ingest.payouts.journal import Journal

__all__ = ["payout_checks"]

EVIDENCE_CODES: Final = frozenset(
    {"EVIDENCE_STALE", "EVIDENCE_INCOMPLETE", "EVIDENCE_UNVERIFIED", "CONTROLS_STALE"}
)

Find = Callable[[Session], Counter[str]]


def payout_checks() -> list[dg.AssetChecksDefinition]:
    """All checks of this module; each warns, because what it finds is held already."""
    return [
        _check(
            PUBLISHED_KEY,
            "evidence_allows_payouts",
            "Payouts held because evidence or controls are missing, stale, partial or unverified.",
            _held_for_evidence,
        ),
        _check(
            DECISIONS_KEY,
            "newest_decisions_verify",
            "The newest gate decision of every tenant, verified as enforcement would.",
            _refused_decisions,
        ),
        _check(
            PAYOUTS_KEY,
            "every_payment_has_an_outcome",
            "Payments asked for without a known outcome, or answered otherwise than decided.",
            _without_outcome,
        ),
    ]


def _check(key: dg.AssetKey, name: str, description: str, find: Find) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=key, name=name, description=description)
    def check(
        context: dg.AssetCheckExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.AssetCheckResult:
        try:
            found = find(wiring.session(context.log.info))
        except (TieoutError, OSError) as error:
            # What cannot be read holds payouts too, and is said here.
            return dg.AssetCheckResult(
                passed=False, severity=dg.AssetCheckSeverity.WARN, description=str(error)
            )
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=dict(sorted(found.items())),
        )

    return check


def _held_for_evidence(session: Session) -> Counter[str]:
    with Marts.published(session.home) as marts:
        return Counter(
            f"{row['tenant_id']}: {code}"
            for row in marts.rows("payout_gates")
            for code in (row["held_codes"] or "").split(",")
            if code in EVIDENCE_CODES
        )


def _refused_decisions(session: Session) -> Counter[str]:
    refused: Counter[str] = Counter()
    for due in newest_decisions(session.home):
        if due.path is None:
            continue
        try:
            verified_decision(session, due.tenant_id, due.path)
        except TieoutError as error:
            refused[f"{due.tenant_id}: {error.code}"] += 1
    return refused


def _without_outcome(session: Session) -> Counter[str]:
    return Counter(
        f"{standing.row.tenant_id}: {'unknown' if standing.is_open else 'answered differently'}"
        for standing in Journal(session.home.root).standings()
        if standing.is_open or standing.is_blocked
    )
