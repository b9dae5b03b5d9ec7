"""`tieout kernel-report`: the original's own reports, for a partner's existing tools.

Belongs here: the subcommands. Does not belong here: choosing rows (`kernel_reports.py`), or the
form of a report (`evidence`).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Final

import typer

from dagster_project import kernel_reports
from dagster_project.home import prepare_home
from dagster_project.kernel_reports import Wanted
from dagster_project.marts import Marts
from dagster_project.narration import EXIT_FOUND, EXIT_OK
from dagster_project.settings import home_of
from ingest.errors import SettingError

__all__ = ["reports_app"]

MAX_REPORTS: Final = 100_000

reports_app = typer.Typer(
    help="The original's own reports, with the hashes that its tools compare.", no_args_is_help=True
)


class Format(StrEnum):
    """One indented document, or one compact document a line."""

    JSON = "json"
    JSONL = "jsonl"


TenantId = Annotated[str | None, typer.Option("--tenant-id", help="The tenant.")]
Period = Annotated[str | None, typer.Option("--period", help="The month, YYYY-MM.")]
ProviderId = Annotated[str | None, typer.Option("--provider-id", help="The payout provider.")]
PartyId = Annotated[str | None, typer.Option("--party-id", help="Only this party.")]
All = Annotated[bool, typer.Option("--all", help="Every report there is, not one.")]
As = Annotated[Format, typer.Option("--format", help="jsonl gives one report a line.")]
Json = Annotated[bool, typer.Option("--json", help="JSON is the only form; this changes nothing.")]


@reports_app.command()
def reconcile(
    tenant_id: TenantId = None,
    period: Period = None,
    provider_id: ProviderId = None,
    every: All = False,
    form: As = Format.JSON,
    as_json: Json = False,
) -> None:
    """Instructions against operations, six categories and nine checks; exit 1 when one fails."""
    wanted = Wanted(tenant_id, period, provider_id)
    _need(every, tenant_id=tenant_id, period=period)
    refused: list[str] = []
    with _marts() as marts:
        told = kernel_reports.reconcile(marts, wanted, refused.append if every else None)
        reports = _listed(told)
    _tell(reports, every, form, "--provider-id", "providerId")
    for one in refused:
        print(f"no report: {one}", file=sys.stderr)
    failed = bool(refused) or any(report["status"] == "fail" for report in reports)
    raise typer.Exit(EXIT_FOUND if failed else EXIT_OK)


@reports_app.command()
def chargebacks(
    tenant_id: TenantId = None,
    period: Period = None,
    provider_id: ProviderId = None,
    party_id: PartyId = None,
    every: All = False,
    form: As = Format.JSON,
    as_json: Json = False,
) -> None:
    """What parties owe by the original's arithmetic: all time, or the operations of one month."""
    wanted = Wanted(tenant_id, period, provider_id, party_id)
    _need(every, tenant_id=tenant_id)
    with _marts() as marts:
        reports = _listed(kernel_reports.chargebacks(marts, wanted, every_period=every))
    _tell(reports, every, form, "--provider-id", "providerId")


@reports_app.command()
def billing(
    tenant_id: TenantId = None,
    period: Period = None,
    every: All = False,
    form: As = Format.JSON,
    as_json: Json = False,
) -> None:
    """The billing estimate of a month as the original makes it, and the lines really charged."""
    wanted = Wanted(tenant_id, period)
    _need(every, tenant_id=tenant_id, period=period)
    with _marts() as marts:
        reports = _listed(kernel_reports.billing(marts, wanted))
    _tell(reports, every, form, "--period", "period")


def _marts() -> Marts:
    return Marts.published(prepare_home(home_of(os.environ)))


def _listed(reports: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found = list(islice(reports, MAX_REPORTS + 1))
    if len(found) > MAX_REPORTS:
        raise SettingError(
            got=f"more than {MAX_REPORTS} reports",
            expected="a question that fewer answer",
            remedy="Name a tenant or a month",
            code="too_many_reports",
        )
    return found


def _need(every: bool, **named: str | None) -> None:
    missing = [f"--{name.replace('_', '-')}" for name, value in named.items() if value is None]
    if missing and not every:
        raise SettingError(
            got=f"no {' and no '.join(missing)}",
            expected="what one report is about, or --all",
            remedy=f"Name {' and '.join(missing)}, or say --all --format jsonl",
            code="report_unnamed",
        )


def _tell(reports: list[dict[str, Any]], every: bool, form: Format, flag: str, member: str) -> None:
    if form is Format.JSONL:
        for report in reports:
            print(json.dumps(report, ensure_ascii=False, separators=(",", ":")))
    elif every:
        print(json.dumps(reports, ensure_ascii=False, indent=2))
    elif len(reports) == 1:
        print(json.dumps(reports[0], ensure_ascii=False, indent=2))
    else:
        choices = ", ".join(sorted({str(report[member]) for report in reports}))
        raise SettingError(
            got=f"{len(reports)} reports that answer ({choices})",
            expected=f"one, chosen by {flag}",
            remedy=f"Name {flag}, or say --format jsonl for all of them",
            code="report_ambiguous",
        )
