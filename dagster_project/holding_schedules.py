"""Which connected accounts are under a hold, and what follows for their payout schedules.

Belongs here: reading the holds off the newest signed decisions. Does not belong here: the change of
a schedule and its book (`ingest.payouts.schedules`), or any judgement of a payout (dbt decided).

Off unless TIEOUT_PAYOUT_SCHEDULES says otherwise. A tenant whose newest decision does not verify,
or rests on evidence that is not whole, gets nothing back: that a hold ended must be as certain as
that it began.
"""

from __future__ import annotations

from typing import Final

from dagster_project.due import newest_decisions
from dagster_project.enforcing import payout_rail, verified_decision
from dagster_project.session import Session
from ingest.errors import TieoutError
from ingest.payouts.home import binding_of, require_bound_home
from ingest.payouts.schedules import ScheduleBook, keep_schedules

__all__ = ["hold_schedules"]

# Conditions that put the party or its account in doubt, and not the one payout or our evidence.
HOLDING_CODES: Final = frozenset(
    {
        "EMERGENCY_KILL_SWITCH_ACTIVE",
        "EMERGENCY_QUARANTINE_ACTIVE",
        "EMERGENCY_REVOKE_ACTIVE",
        "EMERGENCY_PAUSE_ACTIVE",
        "PAYOUT_KILL_SWITCH_ACTIVE",
        "CHARGEBACK_OUTSTANDING_LIMIT_EXCEEDED",
        "NEGATIVE_BALANCE_PAYOUT_HOLD",
        "CROSS_PROVIDER_EXPOSURE",
        "OPEN_BREAK",
        "HOLDBACK_AFTER_REFUND",
        "DESTINATION_CHANGED",
        "DESTINATION_MISMATCH",
    }
)
# Under these, a decision that names no debt does not say that there is none.
UNSURE_CODES: Final = frozenset({"EVIDENCE_INCOMPLETE", "EVIDENCE_STALE", "EVIDENCE_UNVERIFIED"})


def hold_schedules(session: Session) -> dict[str, str]:
    """Sets the schedules of accounts under a hold to manual, and gives back those of the others.

    Returns:
        What came of each account; nothing is asked where schedules are off.

    Raises:
        TieoutError: The book is not intact, the home is not bound, or another pass is at work.
    """
    asked = session.settings.payout_schedules
    if asked == "off" or session.settings.payouts != "live":
        return {}
    held, certain = _holds(session)
    book = ScheduleBook(session.home.root)
    if asked == "return":
        held = {}
        certain.update(tenant for row in book.last().values() for tenant in row.tenants)
    if not held and not book.last():
        return {}
    livemode, account = binding_of(session.home.root)
    return keep_schedules(
        {account_id: frozenset(tenants) for account_id, tenants in held.items()},
        certain_tenants=frozenset(certain),
        rail=payout_rail(session, livemode, account),
        book=book,
        clock=session.clock,
    )


def _holds(session: Session) -> tuple[dict[str, set[str]], set[str]]:
    """Tenants by account under a hold, and tenants whose decision can be read and is whole."""
    held: dict[str, set[str]] = {}
    certain: set[str] = set()
    for due in newest_decisions(session.home):
        if due.path is None:
            continue
        try:
            document = verified_decision(session, due.tenant_id, due.path)
            require_bound_home(
                session.home.root,
                livemode=document.livemode,
                platform_account_id=document.platform_account_id,
            )
        except TieoutError:
            # Enforcement says why; here it only means that nothing is known of this tenant.
            continue
        if not any(UNSURE_CODES & set(payout.codes) for payout in document.payouts):
            certain.add(due.tenant_id)
        for payout in document.payouts:
            account_id = payout.destination_account_id
            if account_id and payout.decision == "hold" and HOLDING_CODES & set(payout.codes):
                held.setdefault(account_id, set()).add(due.tenant_id)
    return held, certain
