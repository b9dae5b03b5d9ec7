"""What must be settled before a tenant's data may go.

Belongs here: who decided, whether a run would land it all again, what is open between us and the
tenant. Does not belong here: carrying it out (`erasing.py`), or which rows are whose
(`ingest.erasing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dagster_project.acting import acts_of
from dagster_project.marts import Marts, Row
from dagster_project.runs import last_published
from dagster_project.session import Session
from ingest.controls import (
    DEPARTURE_BOOK,
    ERASURE_BOOK,
    ActLine,
    approved,
    departed_accounts,
)
from ingest.deliveries.drop import drop_folder
from ingest.erasing import Subject
from ingest.kernel.reading import ExportRoot
from ingest.payouts.journal import Journal

__all__ = ["Obstacle", "OpenItems", "obstacles", "open_items"]

MAX_AGE: Final = timedelta(days=1)
_PAID: Final = frozenset({"ALREADY_PAID", "SUPERSEDED_INSTRUCTION"})


@dataclass(frozen=True)
class Obstacle:
    """One thing that stands in the way: a stable code, what was found and what to do."""

    code: str
    found: str
    remedy: str


@dataclass(frozen=True)
class OpenItems:
    """What is open between us and a tenant, counted, as the publication shows it."""

    breaks: int
    pending: int
    held_payouts: int
    exposures: int
    holds: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.breaks + self.pending + self.held_payouts + self.exposures + self.holds

    def __str__(self) -> str:
        return (
            f"{self.breaks} breaks, {self.pending} pending items, {self.held_payouts} payouts held "
            f"and not paid, {self.exposures} debts or balances owed, {self.holds} holdbacks"
        )


def open_items(marts: Marts, tenant_id: str) -> OpenItems:
    """Counts what is open of a tenant; two people may give it up, and then they say how much."""
    drift = [
        row["outcome"]
        for row in marts.rows("reconciliation_drift", tenant_id=tenant_id)
        if row["lifecycle"] != "resolved"
    ]
    held = [
        row
        for row in marts.rows("payout_gates", tenant_id=tenant_id, decision="hold")
        if not _PAID.intersection(str(row["held_codes"] or "").split(","))
    ]
    owed = ("outstanding_cents", "contingent_cents", "owed_to_party_cents")
    exposures = marts.rows("chargeback_exposure", tenant_id=tenant_id)
    holds = marts.rows("source_positions", tenant_id=tenant_id, source_type="holdback")
    return OpenItems(
        breaks=drift.count("break"),
        pending=drift.count("pending"),
        held_payouts=len(held),
        exposures=sum(any(row[name] for name in owed) for row in exposures),
        holds=sum(bool(row["held_cents"]) for row in holds),
    )


def obstacles(
    session: Session, proposal: ActLine, subject: Subject, is_begun: bool
) -> Iterator[Obstacle]:
    """Everything that stands in the way of an erasure, the undecided first.

    What was begun is finished, whatever has changed since. But that it was begun says a file that
    nobody signed: who decided, and whose accounts they are, stands in the books alone.
    """
    yield from _not_approved(session, proposal)
    yield from _not_departed(session, subject)
    if not is_begun:
        yield from _expired(session, proposal)
        yield from _still_read(session, subject)
        yield from _unsettled(session, proposal)


def _not_approved(session: Session, proposal: ActLine) -> Iterator[Obstacle]:
    act_id = str(proposal.act_id)
    if act_id not in approved(acts_of(session.settings, session.home, ERASURE_BOOK)):
        yield Obstacle(
            "not_approved",
            f"{act_id}, which nobody else approved in time, or which was revoked",
            f"Have another operator look at it and `tieout erase approve {act_id}`",
        )


def _expired(session: Session, proposal: ActLine) -> Iterator[Obstacle]:
    expires_at = proposal.members.get("expires_at")
    if not isinstance(expires_at, datetime) or expires_at <= session.clock():
        yield Obstacle("expired", f"{proposal.act_id}, whose time is over", "Propose again")


def _not_departed(session: Session, subject: Subject) -> Iterator[Obstacle]:
    tenant = subject.tenant_id
    departed = departed_accounts(acts_of(session.settings, session.home, DEPARTURE_BOOK), {tenant})
    for account in sorted(set(subject.accounts) - departed):
        yield Obstacle(
            "account_read",
            f"account {account}, of which nobody says that it left",
            f"Disconnect it, then `tieout departures propose {account} --tenant-id {tenant}` and "
            "have it approved",
        )


def _still_read(session: Session, subject: Subject) -> Iterator[Obstacle]:
    tenant = subject.tenant_id
    if ExportRoot(session.rail().exports).holds(tenant):
        yield Obstacle(
            "tenant_exported",
            f"a folder {tenant} in the kernel's exports",
            "Have the exporter stop writing it, and remove it: a run would land it again",
        )
    for account in subject.shared:
        yield Obstacle(
            "account_shared",
            f"account {account}, which another tenant claims too",
            "Without this tenant's claim its rows would be the other's: have the kernel settle "
            "whose it is, under a new account of the other if need be",
        )
    if any(drop_folder(session.home.root).glob("*")):
        yield Obstacle(
            "deliveries_waiting",
            "webhooks that nobody has read yet in the drop folder",
            "Run `tieout run` once: it reads and empties the folder",
        )


def _unsettled(session: Session, proposal: ActLine) -> Iterator[Obstacle]:
    home, tenant = session.home, str(proposal.tenant_id)
    published = last_published(home)
    if published is None or not home.current.exists() or _is_old(session, published.as_of):
        yield Obstacle(
            "publication_stale",
            "no publication of the last day, so nobody knows what is open",
            "Run `tieout run`",
        )
        return
    with Marts.published(home) as marts:
        items = open_items(marts, tenant)
        payable = list(marts.rows("payout_gates", tenant_id=tenant, decision="release"))
        unconfirmed = _unconfirmed(marts, tenant)
    standings = Journal(home.root).standings(tenant)
    unclear = [one for one in standings if one.is_open or one.is_blocked]
    if unclear or unconfirmed:
        yield Obstacle(
            "payout_unclear",
            f"{len(unclear) + len(unconfirmed)} payouts of which it is not known whether or how "
            "they were paid",
            "Run `tieout run` until the rail shows them; `tieout gates` names them",
        )
    if payable:
        yield Obstacle(
            "payout_payable",
            f"{len(payable)} payouts that may be paid at any moment",
            f"Pay them, or `tieout controls kill --tenant-id {tenant}` and run",
        )
    agreed = proposal.members.get("open_items")
    if items.total > (agreed if isinstance(agreed, int) else 0):
        yield Obstacle(
            "items_open",
            f"{items.total} open items where {agreed} were agreed to be given up ({items})",
            "Settle, cure or write them off, or propose anew with --give-up-open",
        )


def _unconfirmed(marts: Marts, tenant: str) -> list[Row]:
    """Payouts that we sent and the rail does not show yet."""
    if "payout_submissions" not in marts.names():
        return []
    sent = marts.rows("payout_submissions", tenant_id=tenant, state="submitted")
    return [row for row in sent if row["rail_state"] is None]


def _is_old(session: Session, as_of: datetime) -> bool:
    return session.clock() - as_of > MAX_AGE
