"""`tieout erase`: a tenant that leaves takes its data with it; two people decide, one carries out.

Belongs here: the subcommands and how they look. Does not belong here: what must be settled before
and what goes (`erasing.py`).
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from dagster_project.acting import acts_of, begun_erasures
from dagster_project.cli_acts import (
    Json,
    KeyFile,
    Name,
    Reason,
    decide,
    existing_home,
    list_book,
    proposal_of,
    shown_line,
    signing_of,
    tell,
    utc_time,
    write,
)
from dagster_project.erasing import Preview, carry_out, preview
from dagster_project.home import Home
from dagster_project.marts import Marts
from dagster_project.narration import EXIT_FOUND, EXIT_OK, answer, narrated, out, table
from dagster_project.session import Session
from dagster_project.settings import Settings
from dagster_project.settling import open_items
from dagster_project.sources import all_specs
from ingest.controls import ERASURE_BOOK, ActLine, erased_tenants
from ingest.erasing import Subject, shares_of
from ingest.errors import TieoutError
from ingest.kernel.rows import EXPORT_MANIFESTS
from ingest.landing import Landing

__all__ = ["erase_app"]

erase_app = typer.Typer(
    help="Remove a tenant's data: one proposes, another approves, then it is carried out.",
    no_args_is_help=True,
)

DAYS: Final = 7
STAYS: Final = (
    "Signed packets and the packet log, gate decisions, the payout journal with its outbox, the "
    "books of operator lines and the audit trail stay: they are signed or chained, hold no "
    "personal data, and prove what was done. So do the platform's own lists: its balance ties out "
    "only with all of them."
)

ErasureId = Annotated[str, typer.Argument(metavar="ID", help="As `propose` printed it.")]


@erase_app.command()
def propose(
    tenant_id: Annotated[str, typer.Option("--tenant-id", help="Whose data goes.")],
    reason: Reason,
    give_up_open: Annotated[
        bool,
        typer.Option("--give-up-open", help="Although breaks, debts or holdbacks are open."),
    ] = False,
    expires: Annotated[
        str | None,
        typer.Option("--expires", help=f"Until when it may be begun; {DAYS} days unless told."),
    ] = None,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Propose that a tenant's data is removed; refused while money is open."""
    settings, home = existing_home()
    by = signing_of(settings, operator, key_file)
    end = expires or (datetime.now(UTC) + timedelta(days=DAYS)).isoformat()
    act = {
        "action": "propose",
        "tenant_id": tenant_id,
        "open_items": _given_up(home, tenant_id, give_up_open),
        "expires_at": utc_time("--expires", end),
    }
    said = f"{act['open_items']} open items are given up" if act["open_items"] else None
    tell(write(settings, home, ERASURE_BOOK, [act], reason=reason, by=by), as_json, said)


@erase_app.command()
def approve(
    erasure_id: ErasureId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Approve what somebody else proposed; look with `erase run ID` first. Nothing goes yet."""
    by = (operator, key_file)
    decide(ERASURE_BOOK, "approve", erasure_id, reason=reason, by=by, as_json=as_json, worth=_worth)


@erase_app.command()
def revoke(
    erasure_id: ErasureId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Take it back while nothing was removed; one operator is enough."""
    settings, home = existing_home()
    _refuse_begun(settings, home, erasure_id)
    by = (operator, key_file)
    decide(ERASURE_BOOK, "revoke", erasure_id, reason=reason, by=by, as_json=as_json)


@erase_app.command()
def run(
    erasure_id: ErasureId,
    remove: Annotated[
        bool, typer.Option("--remove", help="Carry it out; without it, only look.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Kept with the line that says it is done.")
    ] = "carried out as approved",
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Show what would go and what stands in the way; with --remove, carry it out."""
    settings, home = existing_home()
    proposal = proposal_of(settings, home, ERASURE_BOOK, erasure_id)
    with narrated("erase") as progress, Session.open(settings, progress=progress) as session:
        progress("erase", "looking at what is landed")
        if not remove:
            found = preview(session, proposal)
        else:
            by = signing_of(settings, operator, key_file)
            line = carry_out(session, proposal, by, reason)
    if not remove:
        _show(found, as_json)
        raise typer.Exit(EXIT_FOUND if found.obstacles else EXIT_OK)
    _tell_done(line, as_json)


@erase_app.command("list")
def list_erasures(as_json: Json = False) -> None:
    """List the tenants that were erased, and every line of the book."""
    settings, home = existing_home()
    lines = acts_of(settings, home, ERASURE_BOOK)
    list_book("erased", erased_tenants(lines), lines, "tenant", as_json)


def _given_up(home: Home, tenant_id: str, give_up_open: bool) -> int:
    """How many open items a proposal gives up.

    Raises:
        TieoutError: The tenant is not known here, or items are open and are not to be given up.
    """
    landed = Landing(home.root).distinct(EXPORT_MANIFESTS, ("tenant_id",))
    if (tenant_id,) not in landed:
        raise TieoutError(
            got=f"no landed export of a tenant {tenant_id[:80]!r}",
            expected="a tenant of this home",
            remedy="Correct --tenant-id; nothing was written",
            code="tenant_unknown",
        )
    with Marts.published(home) as marts:
        items = open_items(marts, tenant_id)
    if items.total and not give_up_open:
        raise TieoutError(
            got=f"{items.total} open items of {tenant_id}: {items}",
            expected="nothing open",
            remedy="Settle, cure or write them off (`tieout drift`, `tieout gates`), or give them "
            "up for good with --give-up-open; nothing was written",
            code="items_open",
        )
    return items.total


def _worth(home: Home, proposal: ActLine) -> str:
    """What an approval lets go."""
    landing = Landing(home.root)
    subject = Subject.of(landing, str(proposal.tenant_id))
    rows = sum(share.total for share in shares_of(landing, all_specs(), subject))
    return (
        f"{rows:,} landed rows of {proposal.tenant_id} may go, {proposal.members['open_items']} "
        f"open items with them; look with `tieout erase run {proposal.act_id}`"
    )


def _refuse_begun(settings: Settings, home: Home, erasure_id: str) -> None:
    """What is gone does not come back."""
    done = erased_tenants(acts_of(settings, home, ERASURE_BOOK)).values()
    gone = {line.act_id for line in done}
    gone |= {str(state["erasure_id"]) for state in begun_erasures(home).values()}
    if erasure_id in gone:
        raise TieoutError(
            got=f"{erasure_id}, which was begun or carried out",
            expected="an erasure of which nothing was removed yet",
            remedy="Finish a begun one with `tieout erase run`; a partner that comes back takes a "
            "new tenant id; nothing was written",
            code="erasure_begun",
        )


def _show(found: Preview, as_json: bool) -> None:
    if as_json:
        answer(_document(found))
        return
    cells = [(s.spec.name, f"{len(s.rows):,}", f"{s.total:,}") for s in found.shares]
    out.print(table(f"What goes of {found.subject.tenant_id}", ("table", "batches", "rows"), cells))
    out.print(
        f"{found.row_count:,} landed rows in {found.batches:,} batches, {found.quarantined:,} "
        f"quarantined lines, {found.deliveries:,} deliveries, and every built and published table; "
        f"accounts: {escape(', '.join(found.subject.accounts)) or 'none'}",
        soft_wrap=True,
    )
    out.print(STAYS, soft_wrap=True)
    if found.is_done:
        out.print("it was carried out; `tieout erase list` has the line")
        return
    if found.is_begun:
        out.print("it was begun and not finished: carry it out with --remove")
    for obstacle in found.obstacles:
        out.print(
            f"[bold]in the way:[/] {escape(f'{obstacle.found}. {obstacle.remedy}.')} "
            f"{escape(f'[{obstacle.code}]')}",
            soft_wrap=True,
        )
    if not found.obstacles:
        out.print(f"carry it out with `tieout erase run {found.proposal.act_id} --remove`")


def _document(found: Preview) -> dict[str, Any]:
    return {
        "id": found.proposal.act_id,
        "tenant_id": found.subject.tenant_id,
        "accounts": list(found.subject.accounts),
        "goes": [
            {"table": share.spec.name, "batches": len(share.rows), "rows": share.total}
            for share in found.shares
        ],
        "batches": found.batches,
        "row_count": found.row_count,
        "quarantined_lines": found.quarantined,
        "deliveries": found.deliveries,
        "stays": STAYS,
        "is_begun": found.is_begun,
        "is_done": found.is_done,
        "obstacles": [asdict(obstacle) for obstacle in found.obstacles],
    }


def _tell_done(line: ActLine, as_json: bool) -> None:
    if as_json:
        answer({**shown_line(line), "stays": STAYS})
    else:
        rows, batches = line.members.get("row_count"), line.members.get("batches")
        out.print(f"{line.tenant_id} is erased: {rows:,} rows out of {batches:,} batches")
        out.print(STAYS, soft_wrap=True)
        out.print("nothing is published and nothing is paid until the next `tieout run`")
    raise typer.Exit(EXIT_OK if line.valid else EXIT_FOUND)
