"""`tieout audit`: every act of this home, and whether its chain holds.

Belongs here: the subcommands. Does not belong here: which acts there are (`auditing.py`).
"""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.auditing import record_acts, require_intact
from dagster_project.cli_acts import Json, TenantId, existing_home
from dagster_project.narration import answer, out, table
from ingest.audit import read_audit

__all__ = ["audit_app"]

audit_app = typer.Typer(help="Every act in a hash chain.", no_args_is_help=True)


@audit_app.command("list")
def list_acts(
    tenant_id: TenantId = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 50,
    as_json: Json = False,
) -> None:
    """List the newest acts."""
    settings, home = existing_home()
    record_acts(settings, home)
    rows = [
        row
        for row in read_audit(home.root).rows
        if tenant_id is None or row["tenant_id"] == tenant_id
    ][-limit:]
    if as_json:
        answer(rows)
        return
    heads = ("seq", "at", "actor", "action", "tenant", "subject", "reason", "chain")
    names = ("seq", "at", "actor", "action", "tenant_id", "subject", "reason", "chain_status")
    out.print(table("Audit", heads, [tuple(row[name] for name in names) for row in rows]))


@audit_app.command()
def verify(as_json: Json = False) -> None:
    """Follow the chain from its first line to its last; exit 1 if it does not hold."""
    _, home = existing_home()
    acts = require_intact(home)
    rows = read_audit(home.root).rows
    head = rows[-1]["entry_hash"] if rows else None
    if as_json:
        answer({"acts": acts, "head": head})
    else:
        out.print(f"{acts} acts, unbroken; head {head}", soft_wrap=True)
