"""The close-out of a run: what it did becomes landed history.

Belongs here: rows of acts (breaks with what was open of them, matched money by month, gate
evaluations, packets, the run itself, restated figures, the payout journal, operator lines) and
their landing. Does not belong here: building their models or publishing (`pipeline.py`).

Landing the same acts again changes nothing, so the close-out may be repeated after any crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

import duckdb

from dagster_project.acting import erased_of, land_books
from dagster_project.auditing import land_audit
from dagster_project.carrying import attach_work
from dagster_project.controls import land_controls
from dagster_project.deciding import decision_digest, newest_decision
from dagster_project.marts import Marts, Row, rows_of
from dagster_project.pipeline import land_journal
from dagster_project.runs import Run, last_published, new_run_id
from dagster_project.session import Session
from dagster_project.shelf import issued, newest
from ingest.controls import AUDIT, RESTATEMENTS
from ingest.errors import TieoutError
from ingest.landing import new_batch_id
from ingest.payouts.journal import Journal
from ingest.payouts.outbox import announce_reached
from ingest.tables import (
    BREAKS,
    GATE_EVALUATIONS,
    ITEM_MATCHES,
    MATCHED_SPANS,
    PACKETS,
    RUN_LOG,
    TableSpec,
)

__all__ = ["land_acts", "land_left_acts"]

_DRIFT: Final = "reconciliation_drift"
_GATES: Final = "payout_gates"
_SUBMISSIONS: Final = "payout_submissions"
_STATES: Final = """
select
    states.break_id,
    states.item_kind,
    states.opened_at,
    states.open_cents,
    states.matched_cents
from work.intermediate.int_open_item_states as states
inner join work.staging.stg_tieout__run as run on run.run_id = ?
where states.is_of_run
"""
_MATCHES: Final = """
select run.run_id, run.as_of, states.tenant_id, matches.break_id, matches.matched_at,
    matches.matched_cents
from work.intermediate.int_open_item_matches as matches
inner join work.intermediate.int_open_item_states as states
    on matches.break_id = states.break_id and states.is_of_run
inner join work.staging.stg_tieout__run as run on run.run_id = ?
"""
_SPANS: Final = """
select run.run_id, run.as_of, spans.*
from work.intermediate.int_matched_spans as spans
inner join work.staging.stg_tieout__run as run on run.run_id = ?
"""


def land_left_acts(session: Session, run: Run) -> dict[str, int]:
    """Closes out the published run if it was killed before it could, while its build is there.

    Args:
        session: The session.
        run: The run that begins; it is to know what was told before it.

    Returns:
        New rows by table; none where the published run was closed out.
    """
    published = last_published(session.home)
    if published is None or _is_landed(session, RUN_LOG, published):
        return {}
    return land_acts(session, published, now=run.started_at)


def land_acts(session: Session, run: Run, *, now: datetime | None = None) -> dict[str, int]:
    """Lands everything this home did up to now, as far as it is not landed yet.

    Args:
        session: The session.
        run: The published run; its breaks and gates are what the published file shows.
        now: When that is learned; by default the current time.

    Returns:
        New rows by table.
    """
    now = now or session.clock()
    batch_id = new_batch_id(now, f"acts-{new_run_id(now)[-6:]}")
    session.progress("acts", "landing")
    landed: dict[str, int] = {
        "controls": land_controls(
            session, now, batch_id, erased_of(session.settings, session.home)
        ),
        "payout_journal": land_journal(session, now, batch_id),
        **land_books(session, now, batch_id),
    }
    with Marts.published(session.home) as marts:
        # What a run told is landed once: a later build keeps nothing of the amounts beside it.
        told: tuple[tuple[TableSpec, Iterable[Mapping[str, object]]], ...] = (
            (ITEM_MATCHES, _of_build(session, run, _MATCHES)),
            (MATCHED_SPANS, _of_build(session, run, _SPANS)),
            (BREAKS, _breaks(session, run, marts)),
        )
        tables = (
            *((spec, rows) for spec, rows in told if not _is_landed(session, spec, run)),
            (GATE_EVALUATIONS, _evaluations(session, run, marts)),
            (PACKETS, _packets(session)),
            (RUN_LOG, [_run_row(run)]),
            (RESTATEMENTS, _restatements(run, marts)),
        )
        landed |= {spec.table: 0 for spec, _ in told}
        for spec, rows in tables:
            landed[spec.table] = _land_new(session, spec, rows, batch_id, now)
        _announce(session, marts)
    landed[AUDIT.table] = land_audit(session, now, batch_id)
    return landed


def _announce(session: Session, marts: Marts) -> None:
    """Tells the kernel's outbox how far the rail shows our payments to have come."""
    if _SUBMISSIONS not in marts.names():
        return
    reached: dict[str, list[tuple[str, str, datetime]]] = {}
    for row in marts.rows(_SUBMISSIONS, state="submitted"):
        if row["rail_state"] is not None:
            event = (str(row["payout_key"]), str(row["rail_state"]), row["rail_state_at"])
            reached.setdefault(str(row["tenant_id"]), []).append(event)
    journal = Journal(session.home.root)
    for tenant, events in reached.items():
        try:
            announce_reached(journal, tenant, events)
        except TieoutError as error:
            # The next close-out makes it up; landing what was done must not wait for it.
            session.progress("outbox", f"{tenant}: {error}")


def _land_new(
    session: Session,
    spec: TableSpec,
    rows: Iterable[Mapping[str, object]],
    batch_id: str,
    received_at: datetime,
) -> int:
    # An act happens once: what is landed under its key is dropped, although the table keeps all.
    once = replace(spec, append_only=False)
    manifest = session.landing.write(once, rows, batch_id=batch_id, received_at=received_at)
    return manifest.rows if manifest else 0


def _breaks(session: Session, run: Run, marts: Marts) -> Iterable[Mapping[str, object]]:
    complete = _complete_tenants(marts)
    states = {row.pop("break_id"): row for row in _of_build(session, run, _STATES)}
    for row in marts.rows(_DRIFT):
        yield states.get(row["break_id"], {}) | {
            "run_id": run.run_id,
            "as_of": run.as_of,
            "tenant_id": row["tenant_id"],
            "break_id": row["break_id"],
            "outcome": row["outcome"],
            "reason_code": row["reason_code"],
            "drift_cents": row["drift_cents"],
            "currency": row["currency"],
            "period": row["period"],
            "party_id": row["party_id"],
            "first_seen_at": row["first_seen_at"],
            "source_complete": row["tenant_id"] in complete,
            "lifecycle": row["lifecycle"],
            "expected_cents": row["expected_cents"],
            "actual_cents": row["actual_cents"],
            "kernel_object_id": row["kernel_object_id"],
            "rail_object_id": row["rail_object_id"],
            "payout_key": row["payout_key"],
            "expected_by": row["expected_by"],
        }


def _is_landed(session: Session, spec: TableSpec, run: Run) -> bool:
    return (run.run_id,) in session.landing.distinct(spec, ("run_id",))


def _of_build(session: Session, run: Run, statement: str) -> list[Row]:
    """Rows of what the run's build left beside the public tables; none where another followed."""
    with duckdb.connect() as database:
        attach_work(database, session.home.warehouse)
        try:
            return list(rows_of(database.sql(statement, params=[run.run_id])))
        except duckdb.CatalogException:
            return []  # Built by a release that had no such table.


def _complete_tenants(marts: Marts) -> set[str]:
    """Tenants none of whose verdicts is `incomplete`: only their breaks may vanish as resolved."""
    verdicts: dict[str, set[str]] = {}
    for row in marts.rows("reconciliation_runs"):
        verdicts.setdefault(row["tenant_id"], set()).add(row["verdict"])
    return {tenant for tenant, found in verdicts.items() if "incomplete" not in found}


def _evaluations(session: Session, run: Run, marts: Marts) -> Iterable[Mapping[str, object]]:
    digests: dict[str, str | None] = {}
    packets: dict[tuple[str, str], str] = {}
    for row in marts.rows(_GATES):
        tenant = str(row["tenant_id"])
        if tenant not in digests:
            path = newest_decision(session.home, tenant)
            digests[tenant] = decision_digest(path) if path else None
            for packet in newest(session.home, tenant):
                packets[tenant, packet.period] = packet.packet_sha256
        yield _evaluation(run, row, digests[tenant], packets.get((tenant, str(row["period"]))))


def _evaluation(
    run: Run, row: Row, decision_sha256: str | None, packet_sha256: str | None
) -> Mapping[str, object]:
    return {
        "run_id": run.run_id,
        "tenant_id": row["tenant_id"],
        "payout_key": row["payout_key"],
        "decision": row["decision"],
        "first_code": row["first_code"],
        "held_codes": row["held_codes"],
        "kernel_code": row["kernel_code"],
        "as_of": run.as_of,
        "decision_sha256": decision_sha256,
        "packet_sha256": packet_sha256,
    }


def _packets(session: Session) -> Iterable[Mapping[str, object]]:
    for packet in issued(session.home):
        yield {
            "tenant_id": packet.tenant_id,
            "period": packet.period,
            "revision": packet.revision,
            "packet_sha256": packet.packet_sha256,
            "previous_sha256": packet.previous_sha256,
            "supersedes_sha256": packet.supersedes_sha256,
            "verdict": packet.verdict,
            "path": packet.path,
            "log_index": packet.log_index,
            "as_of": datetime.fromisoformat(packet.as_of),
        }


def _restatements(run: Run, marts: Marts) -> Iterable[Mapping[str, object]]:
    for row in marts.rows("period_figures"):
        if row["is_restated"]:
            yield {
                "certification_id": row["certification_id"],
                "tenant_id": row["tenant_id"],
                "period": row["period"],
                "currency": row["currency"],
                "figure": row["figure"],
                "certified_cents": row["certified_cents"],
                "restated_cents": row["amount_cents"],
                "run_id": run.run_id,
                "as_of": run.as_of,
            }


def _run_row(run: Run) -> Mapping[str, object]:
    return {
        "run_id": run.run_id,
        "as_of": run.as_of,
        "known_at": run.known_at,
        "started_at": run.started_at,
    }
