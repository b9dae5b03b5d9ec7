"""Checks beyond dbt's: of the published file, the packets and the audit trail.

Belongs here: reading what a run left and saying what stands out. Does not belong here: a rule about
money; a break is a row, so breaks warn and never fail a run.
"""

# Dagster reads the annotations of its functions as objects, so they are not postponed here.

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from dagster_project.assets.packets import ISSUED_KEY
from dagster_project.assets.publication import CLOSED_KEY, PUBLISHED_KEY
from dagster_project.auditing import require_intact
from dagster_project.issuing import tenants_of
from dagster_project.marts import Marts
from dagster_project.resources import Wiring
from dagster_project.runs import last_published
from dagster_project.shelf import newest, packet_file
from dagster_project.trusting import trust_file
from evidence.errors import Refusal
from evidence.verify import verify_packet
from ingest.errors import TieoutError

__all__ = ["checks"]


Labels = Callable[[Iterator[dict[str, Any]]], Iterable[str]]


def checks() -> list[dg.AssetChecksDefinition]:
    """All checks of this module."""
    return [
        _nothing_found(
            "no_open_breaks",
            "Open breaks by reason; a break is a finding, not a failure.",
            "reconciliation_drift",
            {"outcome": "break"},
            lambda rows: (f"{row['reason_code']} ({row['currency']})" for row in rows),
        ),
        _nothing_found(
            "verdicts_complete",
            "Tenants and periods whose evidence is incomplete.",
            "reconciliation_runs",
            {"verdict": "incomplete"},
            lambda rows: (_place(row) for row in rows),
        ),
        _nothing_found(
            "bridge_residual_zero",
            "Every bridge ends with a residual of 0.",
            "reconciliation_bridge",
            {"line_code": "residual"},
            lambda rows: {_place(row) for row in rows if row["amount_cents"] != 0},
        ),
        _packets_verify(),
        _audit_holds(),
    ]


def _nothing_found(
    name: str, description: str, mart: str, where: Mapping[str, str], labels: Labels
) -> dg.AssetChecksDefinition:
    """A check of one published mart that warns with what its rows are labelled, counted."""

    @dg.asset_check(asset=PUBLISHED_KEY, name=name, description=description)
    def check(
        context: dg.AssetCheckExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.AssetCheckResult:
        with Marts.published(wiring.session(context.log.info).home) as marts:
            found = Counter(labels(marts.rows(mart, **where)))
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=dict(sorted(found.items())),
        )

    return check


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['tenant_id']} {row['period']}"


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


def _audit_holds() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=CLOSED_KEY,
        name="audit_chain_holds",
        description="Every line of the audit trail names the one before it, and none is missing.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, wiring: dg.ResourceParam[Wiring]
    ) -> dg.AssetCheckResult:
        try:
            acts = require_intact(wiring.session(context.log.info).home)
        except TieoutError as fault:
            return dg.AssetCheckResult(passed=False, description=str(fault))
        return dg.AssetCheckResult(passed=True, metadata={"acts": acts})

    return check
