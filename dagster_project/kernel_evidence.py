"""What a packet holds of the original's own evidence: its reports of a month, a provider each.

Belongs here: the rows behind them. Does not belong here: the documents (`evidence`), or choosing
packets (`issuing.py`).
"""

from __future__ import annotations

from dagster_project.kernel_reports import Wanted, chargebacks, reconcile
from dagster_project.marts import Marts
from evidence.kernel_packet import KernelEvidence

__all__ = ["kernel_evidence"]


def kernel_evidence(marts: Marts, tenant: str, period: str) -> tuple[KernelEvidence, ...]:
    """The original's evidence of a tenant and month; empty when it had nothing to reconcile."""
    summaries = marts.rows("kernel_reconcile_summaries", tenant_id=tenant, period=period)
    providers = sorted(str(row["provider_id"]) for row in summaries)
    return tuple(_of_provider(marts, tenant, period, provider) for provider in providers)


def _of_provider(marts: Marts, tenant: str, period: str, provider: str) -> KernelEvidence:
    wanted = Wanted(tenant, period, provider)
    (report,) = reconcile(marts, wanted)
    (exposure,) = chargebacks(marts, wanted, every_period=False)
    drills = marts.rows("drill_records", tenant_id=tenant, period=period, provider_id=provider)
    return KernelEvidence(
        provider_id=provider,
        reconcile=report,
        exposure=exposure,
        drills=tuple(
            {
                "artifactHash": str(row["artifact_sha256"]),
                "drill": str(row["drill"]),
                "operationId": str(row["operation_id"]),
                "status": str(row["drill_status"]),
            }
            for row in sorted(drills, key=lambda row: str(row["artifact_sha256"]))
        ),
    )
