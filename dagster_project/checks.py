"""Checks beyond dbt's: of the published file and of the packets.

Belongs here: reading published marts and saying what stands out. Does not belong here: a rule about
money; a break is a row, so breaks warn and never fail a run.
"""

# Dagster reads the annotations of its functions as objects, so they are not postponed here.

from collections import Counter
from collections.abc import Mapping

import dagster as dg

from dagster_project.assets.packets import ISSUED_KEY
from dagster_project.assets.publication import PUBLISHED_KEY
from dagster_project.issuing import newest, packet_file, tenants_of
from dagster_project.marts import Marts
from dagster_project.resources import Wiring
from dagster_project.runs import last_published
from dagster_project.signing import trust_file
from evidence.errors import Refusal
from evidence.verify import verify_packet

__all__ = ["checks"]


def checks() -> list[dg.AssetChecksDefinition]:
    """All checks of this module."""
    return [_no_open_breaks(), _sources_complete(), _residual_zero(), _packets_verify()]


def _no_open_breaks() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=PUBLISHED_KEY,
        name="no_open_breaks",
        description="Open breaks by reason; a break is a finding, not a failure.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.AssetCheckResult:
        with Marts.published(wiring.session(context.log.info).home) as marts:
            drift = marts.rows("reconciliation_drift", outcome="break")
            return _warning(Counter(f"{r['reason_code']} ({r['currency']})" for r in drift))

    return check


def _sources_complete() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=PUBLISHED_KEY,
        name="verdicts_complete",
        description="Tenants and periods whose evidence is incomplete.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.AssetCheckResult:
        with Marts.published(wiring.session(context.log.info).home) as marts:
            rows = marts.rows("reconciliation_runs", verdict="incomplete")
            return _warning(Counter(f"{row['tenant_id']} {row['period']}" for row in rows))

    return check


def _residual_zero() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=PUBLISHED_KEY,
        name="bridge_residual_zero",
        description="Every bridge ends with a residual of 0.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.AssetCheckResult:
        with Marts.published(wiring.session(context.log.info).home) as marts:
            rows = marts.rows("reconciliation_bridge", line_code="residual")
            left = Counter(
                {f"{r['tenant_id']} {r['period']}": 1 for r in rows if r["amount_cents"] != 0}
            )
            return _warning(left)

    return check


def _packets_verify() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=ISSUED_KEY,
        name="packets_verify",
        description="The newest packet of every tenant and period, verified as an auditor would.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.AssetCheckResult:
        session = wiring.session(context.log.info)
        home, run = session.home, last_published(session.home)
        if run is None:
            return dg.AssetCheckResult(passed=True, description="nothing is published")
        trust = trust_file(session.settings, home, now=session.clock())
        refused: dict[str, str] = {}
        verified = 0
        with Marts.published(home) as marts:
            tenants = tenants_of(marts, run)
        for packet in (packet for tenant in tenants for packet in newest(home, tenant)):
            try:
                verify_packet(
                    packet_file(home, packet),
                    trust,
                    packet.tenant_id,
                    packet.period,
                    packet.revision,
                    require_log=True,
                )
                verified += 1
            except Refusal as refusal:
                refused[f"{packet.tenant_id} {packet.period}"] = refusal.code
        return dg.AssetCheckResult(passed=not refused, metadata={"verified": verified, **refused})

    return check


def _warning(found: Mapping[str, int]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=dict(sorted(found.items())),
    )
