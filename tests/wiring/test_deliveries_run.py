"""What providers delivered is judged against the landed export, and again when more is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster_project.deliveries import land_provider_events
from dagster_project.runs import Run
from dagster_project.session import Session
from dagster_project.settings import Settings
from ingest.deliveries.spool import DeliverySpool
from ingest.kernel.ledger_types import PAYOUT_INSTRUCTIONS
from ingest.kernel.provider_events import facts_of
from ingest.kernel.rail_types import MONEY_RAIL_OPERATIONS, MONEY_RAIL_PROVIDERS
from ingest.landing import new_batch_id
from ingest.tables import PROVIDER_EVENTS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def run_at(number: int) -> Run:
    at = NOW + timedelta(minutes=number)
    return Run(run_id=f"run-{number}", as_of=at, known_at=at, started_at=at)


def test_an_event_that_came_before_the_export_is_parked_and_taken_up(tmp_path: Path) -> None:
    session = Session.open(Settings.from_env({"TIEOUT_HOME": str(tmp_path / "home")}))
    assert land_provider_events(session, run_at(0)) == 0, "no spool, no work"

    def deliver(event_type: str) -> None:
        body = {"operationId": "mop_1", "eventType": event_type, "eventId": f"e_{event_type}"}
        facts = facts_of("bank", {}, body, received_at=NOW)
        with DeliverySpool(session.home.root) as spool:
            spool.add_provider_event("tenant_a", "bank", facts["dedupe_key"], facts, at=NOW)

    def standing() -> dict[object, object]:
        rows = session.landing.rows(PROVIDER_EVENTS, ("event_type", "status"))
        return dict(rows)  # type: ignore[arg-type]

    deliver("confirmed")
    assert land_provider_events(session, run_at(1)) == 1
    assert standing() == {"confirmed": "parked"}

    for spec, row in (
        (
            MONEY_RAIL_OPERATIONS.spec,
            {
                "operation_id": "mop_1",
                "provider_id": "bank",
                "state": "initiated",
                "amount_cents": 5,
                "currency": "USD",
                "payout_key": "key_1",
                "payout_artifact_hash": "a" * 64,
            },
        ),
        (PAYOUT_INSTRUCTIONS.spec, {"payout_key": "key_1", "artifact_hash": "a" * 64}),
        (MONEY_RAIL_PROVIDERS.spec, {"provider_id": "bank", "mode": "sandbox"}),
    ):
        session.landing.write(
            spec,
            [row | {"tenant_id": "tenant_a", "verdict": "ok", "occurrence": 0}],
            batch_id=new_batch_id(NOW, "kernel"),
            received_at=NOW,
        )
    deliver("submitted")
    assert land_provider_events(session, run_at(2)) == 2
    assert standing() == {"confirmed": "applied", "submitted": "applied"}
    assert land_provider_events(session, run_at(3)) == 0, "nothing new is nothing landed"
