"""`tieout departures`: an account that left the platform, said by two people.

Belongs here: the subcommands. Does not belong here: what follows from it; a pull covers such an
account as `departed` while Stripe does not list it, with what was read of it before.
"""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.acting import acts_of
from dagster_project.cli_acts import (
    Json,
    KeyFile,
    Name,
    Reason,
    decide,
    existing_home,
    list_book,
    signing_of,
    tell,
    write,
)
from ingest.controls import DEPARTURE_BOOK, departed_accounts

__all__ = ["departures_app"]

departures_app = typer.Typer(
    help="Say that an account left the platform: one proposes, another approves.",
    no_args_is_help=True,
)

DepartureId = Annotated[str, typer.Argument(metavar="ID", help="As `propose` printed it.")]


@departures_app.command()
def propose(
    account_id: Annotated[str, typer.Argument(help="The account, acct_...")],
    tenant_id: Annotated[str, typer.Option("--tenant-id", help="Whose account it was.")],
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Propose that an account which Stripe lists no more is no gap in what is read."""
    settings, home = existing_home()
    by = signing_of(settings, operator, key_file)
    act = {"action": "propose", "tenant_id": tenant_id, "account_id": account_id}
    tell(write(settings, home, DEPARTURE_BOOK, [act], reason=reason, by=by), as_json)


@departures_app.command()
def approve(
    departure_id: DepartureId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Approve what somebody else proposed; the next pull goes by it."""
    by = (operator, key_file)
    decide(DEPARTURE_BOOK, "approve", departure_id, reason=reason, by=by, as_json=as_json)


@departures_app.command()
def revoke(
    departure_id: DepartureId,
    reason: Reason,
    operator: Name = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Take it back; one operator is enough, and the account is asked for again."""
    by = (operator, key_file)
    decide(DEPARTURE_BOOK, "revoke", departure_id, reason=reason, by=by, as_json=as_json)


@departures_app.command("list")
def list_departures(as_json: Json = False) -> None:
    """List the accounts that count as departed, and every line of the book."""
    settings, home = existing_home()
    lines = acts_of(settings, home, DEPARTURE_BOOK)
    list_book("departed", departed_accounts(lines), lines, "account", as_json)
