"""Which of the original's reports are asked for, and the published rows each is made of.

Belongs here: choosing tenants, months and providers. Does not belong here: the form of a report or
its hash (`evidence`), or any figure: counts and amounts are the marts'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dagster_project.marts import Marts, Row
from evidence.canonical import MAX_INT
from evidence.kernel_reconcile import reconcile_report
from evidence.kernel_reports import billing_report, chargeback_report
from ingest.errors import SettingError, TieoutError

__all__ = ["ALL_TIME", "ReportRefused", "Wanted", "billing", "chargebacks", "reconcile"]

ALL_TIME: Final = "all"
_PERIOD: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

Report = dict[str, Any]


class ReportRefused(TieoutError):
    """A figure that no report can say; it stops this report and no other."""


@dataclass(frozen=True)
class Wanted:
    """What a report is asked for; None is no condition."""

    tenant_id: str | None = None
    period: str | None = None
    provider_id: str | None = None
    party_id: str | None = None

    def __post_init__(self) -> None:
        """Refuses a month that is none."""
        if self.period is not None and not _PERIOD.fullmatch(self.period):
            raise SettingError(
                got=f"--period {self.period[:20]!r}",
                expected="a month such as 2026-01",
                remedy="Correct --period",
                code="period_malformed",
            )


def reconcile(
    marts: Marts, wanted: Wanted, on_refusal: Callable[[str], None] | None = None
) -> Iterator[Report]:
    """The original's reconciliation of each tenant, month and provider asked for.

    Args:
        marts: The published tables.
        wanted: What is asked for.
        on_refusal: Called with what no report can say, such as a sum beyond 2^53-1, so that it
            stops no other report; without it the first such is raised.

    Raises:
        TieoutError: `MONEY_RAIL_RECONCILE_EVIDENCE_REQUIRED` when there is no usable instruction,
            `provider_unknown` when a tenant has no such provider.
    """
    equal = {
        "tenant_id": wanted.tenant_id,
        "period": wanted.period,
        "provider_id": wanted.provider_id,
    }
    summaries = list(marts.rows("kernel_reconcile_summaries", **equal))
    if not summaries:
        _providers(marts, wanted)
        raise TieoutError(
            got="no payout instruction of that tenant and month",
            expected="at least one, for there is nothing to reconcile",
            remedy="Name another --tenant-id or --period, or export the payout instructions",
            code="MONEY_RAIL_RECONCILE_EVIDENCE_REQUIRED",
        )
    mismatches: dict[tuple[str, ...], list[Row]] = {}
    for row in marts.rows("kernel_reconcile_mismatches", **equal):
        mismatches.setdefault(_key(row), []).append(row)
    for summary in sorted(summaries, key=_key):
        if summary["expected_payout_amount_cents"] <= MAX_INT:
            yield reconcile_report(summary, mismatches.get(_key(summary), []))
            continue
        refusal = ReportRefused(
            got=f"payout instructions of {' '.join(_key(summary))} that sum to more than {MAX_INT}",
            expected="a sum that JSON can say",
            remedy="Correct the amounts of that month's instructions, and export them again",
            code="report_sum_too_large",
        )
        if on_refusal is None:
            raise refusal
        on_refusal(str(refusal))


def chargebacks(marts: Marts, wanted: Wanted, *, every_period: bool) -> Iterator[Report]:
    """The original's exposure of each provider asked for, in one view or in all of them.

    Args:
        marts: The published tables.
        wanted: What is asked for; without a period, all time.
        every_period: Also each month that any row of the table names.

    Raises:
        TieoutError: `provider_unknown` when a tenant has no such provider.
    """
    providers = _providers(marts, wanted)
    parties: dict[tuple[str, str, str], list[Row]] = {}
    views = {wanted.period or ALL_TIME}
    for row in marts.rows("kernel_chargebacks", party_id=wanted.party_id):
        place = (str(row["tenant_id"]), str(row["provider_id"]), str(row["period"]))
        parties.setdefault(place, []).append(row)
        if every_period and wanted.period is None:
            views.add(place[2])
    for tenant_id, provider_id in providers:
        for view in sorted(views, key=lambda view: (view != ALL_TIME, view)):
            yield chargeback_report(
                tenant_id,
                provider_id,
                None if view == ALL_TIME else view,
                wanted.party_id,
                parties.get((tenant_id, provider_id, view), []),
            )


def billing(marts: Marts, wanted: Wanted) -> Iterator[Report]:
    """The billing estimate and the charges of each tenant and month asked for.

    Raises:
        TieoutError: `billing_unknown` when no month of that tenant can be billed.
    """
    equal = {"tenant_id": wanted.tenant_id, "period": wanted.period}
    estimates = sorted(
        marts.rows("billing_estimates", **equal), key=lambda row: (row["tenant_id"], row["period"])
    )
    if not estimates:
        raise TieoutError(
            got="no billable use and no closed month of that tenant and period",
            expected="an exported billable_events or month_closes line",
            remedy="Name another --tenant-id or --period, or export the events",
            code="billing_unknown",
        )
    charges: dict[tuple[str, str], list[Row]] = {}
    for row in marts.rows("billing_charges", **equal):
        charges.setdefault((row["tenant_id"], row["period"]), []).append(row)
    for estimate in estimates:
        yield billing_report(estimate, charges.get((estimate["tenant_id"], estimate["period"]), []))


def _providers(marts: Marts, wanted: Wanted) -> list[tuple[str, str]]:
    rows = marts.rows(
        "kernel_providers", tenant_id=wanted.tenant_id, provider_id=wanted.provider_id
    )
    found = sorted((str(row["tenant_id"]), str(row["provider_id"])) for row in rows)
    if not found:
        raise TieoutError(
            got="no such tenant with such a provider",
            expected="a tenant of the exports and one of its payout providers",
            remedy="See the table kernel_providers for both",
            code="provider_unknown",
        )
    return found


def _key(row: Row) -> tuple[str, ...]:
    return (str(row["tenant_id"]), str(row["period"]), str(row["provider_id"]))
