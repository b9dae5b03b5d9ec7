"""Which gate decision of each tenant is due, and what was made of the last one.

Belongs here: comparing the decisions that lie there with what enforcement remembers of them. Does
not belong here: reading a decision, or carrying one out (`enforcing.py`).

A decision stays due until it was carried out and nothing of its tenant is left without a known
outcome, so that a payment whose answer was lost is looked up again and again, with or without a
newer decision, and also where no decision is left at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dagster_project.deciding import newest_decision
from dagster_project.home import Home, read_state, write_state
from ingest.payouts.journal import Journal

__all__ = ["Due", "carried_out", "every_due", "newest_decisions", "pending_decisions", "remember"]


@dataclass(frozen=True)
class Due:
    """The newest decision of one tenant, and what was made of it.

    Attributes:
        path: Its file; None where a payment is open and no decision is there any more.
        is_new: It was not carried out yet.
        is_open: A payout of the tenant has no known outcome or could not be asked for; after a
            crash, it may be so.
        refused: Why the decision was refused as a whole, or None.
    """

    tenant_id: str
    path: Path | None
    is_new: bool
    is_open: bool
    refused: str | None


def newest_decisions(home: Home) -> list[Due]:
    """The newest decision of each tenant; reads file names and one small state file.

    A decision older than the one carried out last is not new: its successor was taken away, and
    that brings back nothing it had ended.

    Raises:
        TieoutError, OSError: They cannot be read.
    """
    acts = read_state(_cursor(home))
    found = []
    folders = {folder.name for folder in home.decisions.iterdir() if folder.is_dir()}
    for tenant in sorted(folders | set(acts)):
        path, act = newest_decision(home, tenant), acts.get(tenant)
        # A state that says nothing readable of a tenant says that nothing was carried out.
        act = act if isinstance(act, dict) else {}
        is_open = bool(act.get("open"))
        if path is not None or is_open:
            is_new = path is not None and path.name > str(act.get("decision") or "")
            found.append(Due(tenant, path, is_new, is_open, act.get("refused")))
    return found


def pending_decisions(home: Home) -> list[Due]:
    """Those that were not carried out yet, or that left a payout without a known outcome."""
    return [due for due in newest_decisions(home) if due.is_new or due.is_open]


def every_due(home: Home) -> list[Due]:
    """What is pending, and whatever else the journal says is open: the state may have been lost."""
    pending = pending_decisions(home)
    known = {due.tenant_id for due in pending}
    open_tenants = {s.row.tenant_id for s in Journal(home.root).standings() if s.is_open}
    return pending + [Due(t, None, False, True, None) for t in sorted(open_tenants - known)]


def carried_out(home: Home, tenant_id: str) -> str | None:
    """Name of the decision that was carried out or refused last."""
    act = read_state(_cursor(home)).get(tenant_id)
    name = act.get("decision") if isinstance(act, dict) else None
    return name if isinstance(name, str) else None


def remember(
    home: Home, tenant_id: str, *, decision: str | None, is_open: bool, refused: str | None = None
) -> None:
    act = {"decision": decision, "open": is_open, "refused": refused}
    write_state(_cursor(home), {**read_state(_cursor(home)), tenant_id: act})


def _cursor(home: Home) -> Path:
    return home.state / "enforced.json"
