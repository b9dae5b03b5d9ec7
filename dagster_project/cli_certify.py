"""`tieout certify`: two people sign off a month, and its figures are locked.

Belongs here: the subcommands. Does not belong here: what stands against it (`certifying.py`), or
what late data does to it (the tables `period_certifications` and `restatements`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from dagster_project.acting import acts_of
from dagster_project.certifying import certifiable, land_figures
from dagster_project.cli_acts import (
    SECOND,
    Json,
    KeyFile,
    Name,
    Reason,
    TenantId,
    decide,
    existing_home,
    proposal_of,
    refuse_ended,
    refuse_own,
    signing_of,
    tell,
    write,
)
from dagster_project.marts import Marts, Row
from dagster_project.narration import EXIT_FOUND, answer, money, out, table
from ingest.controls import CERTIFICATION_BOOK
from ingest.errors import TieoutError
from ingest.landing import Landing

__all__ = ["certify_app"]

certify_app = typer.Typer(
    help="Sign off a month: one prepares, another approves; late data decertifies it.",
    no_args_is_help=True,
)

CertificationId = Annotated[str, typer.Argument(metavar="ID", help="As `propose` printed it.")]


@certify_app.command()
def propose(
    tenant_id: Annotated[str, typer.Option("--tenant-id", help="The tenant.")],
    period: Annotated[str, typer.Option("--period", help="The month, YYYY-MM.")],
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Prepare a certification of the published figures of a month that is over."""
    settings, home = existing_home()
    by = signing_of(settings, operator, key_file)
    found = certifiable(home, tenant_id, period, now=datetime.now(UTC))
    if not as_json:
        cells = [
            (row["figure"], money(row["amount_cents"], row["currency"])) for row in found.figures
        ]
        out.print(f"verdict {found.verdict}, packet {found.packet_sha256}", soft_wrap=True)
        out.print(table(f"{tenant_id} {period}", ("figure", "amount"), cells))
    act = {
        "action": "propose",
        "tenant_id": tenant_id,
        "period": period,
        "verdict": found.verdict,
        "run_id": found.run_id,
        "packet_sha256": found.packet_sha256,
        "figures_sha256": found.figures_sha256,
    }
    tell(write(settings, home, CERTIFICATION_BOOK, [act], reason=reason, by=by), as_json)


@certify_app.command()
def approve(
    certification_id: CertificationId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Approve what somebody else prepared, if its figures are still what is published."""
    settings, home = existing_home()
    by = signing_of(settings, operator, key_file, demo=SECOND)
    proposal = proposal_of(settings, home, CERTIFICATION_BOOK, certification_id)
    refuse_own(proposal, by)
    refuse_ended(acts_of(settings, home, CERTIFICATION_BOOK), proposal, "approve")
    now = datetime.now(UTC)
    period = str(proposal.members["period"])
    found = certifiable(home, str(proposal.tenant_id), period, now=now)
    if found.figures_sha256 != proposal.members["figures_sha256"]:
        raise TieoutError(
            got=f"figures of {proposal.tenant_id} {period} other than those prepared",
            expected="the figures that the preparer signed",
            remedy="Have them prepared again with `tieout certify propose`; nothing was written",
            code="figures_changed",
        )
    land_figures(Landing(home.root), found, certification_id, now=now)
    act = {
        "action": "approve",
        "tenant_id": proposal.tenant_id,
        "act_id": certification_id,
        "figures_sha256": found.figures_sha256,
    }
    tell(write(settings, home, CERTIFICATION_BOOK, [act], reason=reason, by=by), as_json)


@certify_app.command()
def revoke(
    certification_id: CertificationId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Take a certification back; one operator is enough."""
    by = (operator, key_file)
    decide(CERTIFICATION_BOOK, "revoke", certification_id, reason=reason, by=by, as_json=as_json)


@certify_app.command("list")
def list_certifications(tenant_id: TenantId = None, as_json: Json = False) -> None:
    """List certifications as published, and what late data changed in them; exit 1 if any."""
    _, home = existing_home()
    with Marts.published(home) as marts:
        rows = list(marts.rows("period_certifications", tenant_id=tenant_id))
        changed = list(marts.rows("restatements", tenant_id=tenant_id))
    rows.sort(key=lambda row: (row["tenant_id"], row["period"], row["prepared_at"]))
    if as_json:
        answer({"certifications": rows, "restatements": changed})
    else:
        _print(rows, changed)
    if any(row["certification_status"] == "decertified" for row in rows):
        raise typer.Exit(EXIT_FOUND)


def _print(rows: list[Row], changed: list[Row]) -> None:
    heads = ("certification", "tenant", "period", "verdict", "by", "status", "why")
    cells = [
        (
            row["certification_id"],
            row["tenant_id"],
            row["period"],
            row["verdict"],
            " + ".join(filter(None, (row["prepared_by"], row["approved_by"]))),
            row["certification_status"],
            row["void_code"],
        )
        for row in rows
    ]
    out.print(table("Certifications", heads, cells))
    figures = [
        (
            row["tenant_id"],
            row["period"],
            row["figure"],
            money(row["old_cents"], row["currency"]),
            money(row["new_cents"], row["currency"]),
            row["restated_at"],
        )
        for row in changed
    ]
    if figures:
        names = ("tenant", "period", "figure", "certified", "now", "found")
        out.print(table("Restatements", names, figures))
