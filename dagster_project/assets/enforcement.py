"""Gate decisions and the payments they authorise.

Belongs here: the two steps as assets. Does not belong here: signing (`deciding.py`), re-checking
and paying (`enforcing.py`).
"""

# Dagster reads the annotations of its functions as objects, so they are not postponed here.

from collections import Counter
from typing import Final

import dagster as dg

from dagster_project import deciding, enforcing, holding_schedules
from dagster_project.assets.packets import ISSUED_KEY
from dagster_project.resources import Wiring

__all__ = ["DECISIONS_KEY", "PAYOUTS_KEY", "enforcement_assets"]

GROUP: Final = "enforcement"
OWNERS: Final = ["team:payouts"]
DECISIONS_KEY: Final = dg.AssetKey(["enforcement", "gate_decisions"])
PAYOUTS_KEY: Final = dg.AssetKey(["enforcement", "payouts"])


def enforcement_assets() -> list[dg.AssetsDefinition]:
    """The signed decisions, and what was done under them."""

    @dg.asset(
        key=DECISIONS_KEY,
        deps=[ISSUED_KEY],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"tieout"},
        description="One signed, short-lived gate decision a tenant; nothing else authorises a "
        "payment.",
    )
    def gate_decisions(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.MaterializeResult[None]:
        session, run = wiring.run_of(context)
        decisions = deciding.issue_decisions(session, run)
        counts = Counter(payout for decision in decisions for payout in decision.outcomes)
        return dg.MaterializeResult(
            metadata={
                "decisions": len(decisions),
                **{f"payouts {outcome}": count for outcome, count in sorted(counts.items())},
                "folder": dg.MetadataValue.path(session.home.decisions),
            }
        )

    @dg.asset(
        key=PAYOUTS_KEY,
        deps=[DECISIONS_KEY],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"stripe"},
        description="Released payouts, asked of the rail at most once each; off unless "
        "TIEOUT_PAYOUTS says otherwise.",
    )
    def payouts(
        context: dg.AssetExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.MaterializeResult[None]:
        session = wiring.session(context.log.info)
        for account_id, state in holding_schedules.hold_schedules(session).items():
            context.log.info(f"payout schedule of {account_id}: {state}")
        results = enforcing.enforce_pending(session)
        counts = Counter(result.state for result in results)
        for result in results:
            context.log.info(f"{result.payout_key}: {result.state} {' '.join(result.codes)}")
        return dg.MaterializeResult(
            metadata={"mode": session.settings.payouts, **dict(sorted(counts.items()))}
        )

    return [gate_decisions, payouts]
