"""Which acts of two people stand, and what follows from them for what is read.

Belongs here: the fold of a book of proposals, approvals and revocations, for those books that a
pull goes by. Does not belong here: whether a line counts (act_book.py), or the books whose effect
is judged in SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.controls.act_book import ActLine

__all__ = ["Approved", "approved", "departed_accounts", "erased_tenants"]


@dataclass(frozen=True)
class Approved:
    """A proposal that another operator approved in time, and that nobody revoked."""

    proposal: ActLine
    approval: ActLine


def approved(lines: Sequence[ActLine]) -> dict[str, Approved]:
    """The acts of a book that stand, by id.

    Args:
        lines: The book, from `read_acts`; void lines count for nothing.
    """
    proposed = {line.act_id: line for line in lines if line.valid and line.action == "propose"}
    found: dict[str, Approved] = {}
    revoked: set[str] = set()
    for line in lines:
        proposal = proposed.get(line.act_id)
        if proposal is None or not line.valid or line.tenant_id != proposal.tenant_id:
            continue
        act_id = str(line.act_id)
        if line.action == "approve" and _is_by_another(proposal, line):
            found.setdefault(act_id, Approved(proposal, line))
        if line.action == "revoke":
            revoked.add(act_id)
    return {act_id: act for act_id, act in found.items() if act_id not in revoked}


def departed_accounts(
    lines: Sequence[ActLine], tenants: Collection[str] | None = None
) -> frozenset[str]:
    """Accounts that two people say have left, read before a pull decides what to ask for.

    Args:
        lines: The book of departures, from `read_acts`.
        tenants: Only accounts of these, or of all.
    """
    return frozenset(
        str(act.proposal.members["account_id"])
        for act in approved(lines).values()
        if tenants is None or act.proposal.tenant_id in tenants
    )


def erased_tenants(lines: Sequence[ActLine]) -> dict[str, ActLine]:
    """Tenants whose erasure two people decided and which was carried out, with the line that says
    so. A revocation that comes after it brings nothing back.

    Args:
        lines: The book of erasures, from `read_acts`.
    """
    found: dict[str, ActLine] = {}
    for number, line in enumerate(lines):
        if line.valid and line.action == "done":
            act = approved(lines[:number]).get(str(line.act_id))
            if act is not None and act.proposal.tenant_id == line.tenant_id:
                found[str(line.tenant_id)] = line
    return found


def _is_by_another(proposal: ActLine, approval: ActLine) -> bool:
    expires_at = proposal.members.get("expires_at")
    in_time = not isinstance(expires_at, datetime) or (
        approval.at is not None and approval.at < expires_at
    )
    return in_time and approval.operator != proposal.operator
