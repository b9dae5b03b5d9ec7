"""What an answer may be narrowed to: a tenant, a month and a reason that there can be.

Belongs here: refusing a filter that names nothing, so that nobody reads a mistyped one as "no
drift". Does not belong here: choosing rows (`views.py`), or a filter of free text.
"""

from __future__ import annotations

import csv
from typing import Final

from dagster_project.building import dbt_folder
from dagster_project.certifying import period_end
from dagster_project.marts import Marts
from ingest.errors import SettingError

__all__ = ["require_period", "require_reason", "require_tenant"]

# A tenant of which nothing moved has no verdict yet, but its export was read.
_OF_EVERY_TENANT: Final = ("reconciliation_runs", "source_coverage")


def require_tenant(marts: Marts, tenant_id: str | None) -> None:
    """Refuses a tenant of which nothing is published; None is every tenant.

    Raises:
        SettingError: `tenant_unknown`.
    """
    if tenant_id is None:
        return
    for mart in _OF_EVERY_TENANT:
        if next(marts.rows(mart, tenant_id=tenant_id), None) is not None:
            return
    raise SettingError(
        got=f"--tenant-id {tenant_id[:80]!r}, of which nothing is published",
        expected="a tenant of the published run; `tieout status` lists those with money",
        remedy="Correct --tenant-id; a new tenant is known after its first `tieout run`",
        code="tenant_unknown",
    )


def require_period(period: str | None) -> None:
    """Refuses what is no month; a month in which nothing happened is one.

    Raises:
        SettingError: `period_malformed`.
    """
    if period is not None:
        period_end(period)


def require_reason(reason: str | None) -> None:
    """Refuses a code that is not on the closed list of the models.

    Raises:
        SettingError: `reason_unknown`.
    """
    if reason is None:
        return
    # An installed wheel carries the dbt project, and with it this list.
    with (dbt_folder() / "seeds" / "reason_codes.csv").open(encoding="utf-8") as file:
        codes = [row["reason_code"] for row in csv.DictReader(file)]
    if reason not in codes:
        raise SettingError(
            got=f"--reason {reason[:40]!r}",
            expected=f"one of {', '.join(codes)}",
            remedy="Correct --reason",
            code="reason_unknown",
        )
