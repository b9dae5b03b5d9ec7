"""The kernel learns back what happened, once, in an order it accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.errors import JournalError
from ingest.payouts import durable
from ingest.payouts.outbox import Outbox, announce_reached, announce_submitted
from tests.payouts.desk import Crash, Desk, payout


def box(desk: Desk) -> Outbox:
    return Outbox(desk.home, "t1")


def kinds(desk: Desk) -> list[str]:
    return [event["eventType"] for event in box(desk).events()]


def test_a_paid_payout_is_announced_once_with_its_binding(desk: Desk) -> None:
    decided = payout(amount=1234)
    for _ in range(3):
        desk.pay(decided, payout("pc", decision="consumed", amount=0, recovery=5))
    events = box(desk).events()
    assert len(events) == 1
    event = events[0]
    assert event["schemaVersion"] == "MoneyRailProviderEvent.v1"
    assert (event["eventType"], event["operationId"]) == ("submitted", decided.operation_id)
    assert event["providerRef"] == event["payload"]["transferId"] == "tr_0001"
    assert event["eventDedupeKey"] == f"submitted\n{event['eventId']}"
    assert event["payload"]["amountCents"] == 1234
    assert event["at"] == "2026-11-03T09:00:00.000Z"


def test_failed_and_unresolved_payouts_are_not_announced(desk: Desk) -> None:
    desk.rail.faults.extend(["rejected", "cut_before"])
    desk.pay(payout(), payout("pb"))
    assert kinds(desk) == []


def test_missing_predecessors_come_first_and_nothing_comes_twice(desk: Desk) -> None:
    desk.pay(payout())
    row = desk.journal().standings("t1")[0].row
    assert box(desk).reach("reversed", row, at=desk.clock.now, reason_code="chargeback") == 2
    assert box(desk).reach("confirmed", row, at=desk.clock.now) == 0
    assert kinds(desk) == ["submitted", "confirmed", "reversed"]
    assert [event["seq"] for event in box(desk).events()] == [1, 2, 3]
    assert [event["reasonCode"] for event in box(desk).events()] == [None, None, "chargeback"]


def test_what_the_rail_shows_of_our_payments_is_told_once_and_of_others_never(desk: Desk) -> None:
    desk.rail.faults.extend(["none", "none", "cut_before"])
    paid, again, unclear = payout(), payout("pb"), payout("pc")
    desk.pay(paid, again, unclear)
    at = desk.clock.now
    reached = [
        (paid.payout_key, "confirmed", at),
        (again.payout_key, "reversed", at),
        (unclear.payout_key, "confirmed", at),
        ("nobody's", "confirmed", at),
    ]
    assert announce_reached(desk.journal(), "t1", reached) == 3
    assert announce_reached(desk.journal(), "t1", reached) == 0
    told = [(event["operationId"], event["eventType"]) for event in box(desk).events()]
    assert told == [
        (paid.operation_id, "submitted"),
        (again.operation_id, "submitted"),
        (paid.operation_id, "confirmed"),
        (again.operation_id, "confirmed"),
        (again.operation_id, "reversed"),
    ]


def test_another_transfer_for_the_operation_is_not_written(desk: Desk) -> None:
    from dataclasses import replace

    desk.pay(payout())
    row = desk.journal().standings("t1")[0].row
    with pytest.raises(JournalError):
        box(desk).reach("confirmed", replace(row, transfer_id="tr_other"), at=desk.clock.now)


def test_delivery_marks_leave_the_rest_pending_in_order(desk: Desk) -> None:
    desk.pay(payout(), payout("pb"))
    outbox = box(desk)
    assert [event["seq"] for event in outbox.pending()] == [1, 2]
    outbox.mark_delivered(1, desk.clock.now)
    outbox.mark_delivered(1, desk.clock.now)
    assert [event["seq"] for event in outbox.pending()] == [2]


def test_a_torn_event_is_written_again(desk: Desk) -> None:
    desk.pay(payout())
    whole = box(desk).path.read_bytes()
    box(desk).path.write_bytes(whole[:-10])
    assert kinds(desk) == []
    desk.pay(payout("pb"))
    assert len(box(desk).events()) == 2
    assert {event["seq"] for event in box(desk).events()} == {1, 2}


def test_a_damaged_outbox_stops_no_payment_and_is_not_overwritten(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.pay(payout())
    box(desk).path.write_bytes(b"rubbish\n")
    assert desk.pay(payout("pb"))[0].state == "submitted"
    assert "outbox" in caplog.text
    assert box(desk).path.read_bytes() == b"rubbish\n"


def test_death_while_announcing_is_made_good(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    append = durable.append_bytes

    def die(path: Path, data: bytes) -> None:
        if path.name.startswith("money_rail"):
            append(path, data[:25])
            raise Crash
        append(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "append_bytes", die)
        with pytest.raises(Crash):
            desk.pay(payout())
    assert announce_submitted(desk.journal(), "t1") == 1
    assert announce_submitted(desk.journal(), "t1") == 0
    assert kinds(desk) == ["submitted"]
