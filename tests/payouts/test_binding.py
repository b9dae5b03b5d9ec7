"""What was intended cannot be changed, by the rail's answer or by a later row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ingest.errors import JournalError
from ingest.payouts.journal import Journal
from ingest.payouts.rail import RailRejected, binding_faults, idempotency_key
from ingest.payouts.standing import JournalRow, Standing, advance
from tests.payouts.desk import START, Desk, intent_of, payout
from tests.payouts.fake_rail import FakeRail

KEY_PARTS: dict[str, Any] = {
    "livemode": False,
    "platform_account_id": "acct_p",
    "tenant_id": "t1",
    "payout_key": "key",
    "attempt": 1,
}


@pytest.mark.parametrize(
    ("over", "fault"),
    [
        ({"amount_cents": 999}, "amount"),
        ({"currency": "eur"}, "currency"),
        ({"destination_account_id": "acct_x"}, "destination"),
        ({"transfer_group": "another"}, "transfer_group"),
        ({"transfer_group": None}, "transfer_group"),
        ({"livemode": True}, "livemode"),
        ({"meta_tenant_id": "t2"}, "metadata_tenant"),
        ({"meta_payout_key": "another"}, "metadata_payout_key"),
    ],
)
def test_every_field_that_differs_is_a_fault(over: dict[str, Any], fault: str) -> None:
    intent = intent_of(payout())
    transfer = FakeRail(lambda: START).put(intent)
    assert binding_faults(intent, transfer) == ()
    assert binding_faults(intent, replace(transfer, **over)) == (fault,)


def test_absent_metadata_and_the_case_of_a_currency_are_no_fault() -> None:
    intent = intent_of(payout())
    transfer = FakeRail(lambda: START).put(intent)
    bare = replace(transfer, currency="USD", meta_tenant_id=None, meta_payout_key=None)
    assert binding_faults(intent, bare) == ()


@pytest.mark.parametrize(
    "over",
    [
        {"livemode": True},
        {"platform_account_id": "acct_q"},
        {"tenant_id": "t2"},
        {"payout_key": "yek"},
        {"attempt": 2},
        # Moving a border between two fields must not give the same key.
        {"tenant_id": "t1k", "payout_key": "ey"},
    ],
)
def test_each_part_of_the_idempotency_key_counts(over: dict[str, Any]) -> None:
    assert idempotency_key(**KEY_PARTS) == idempotency_key(**KEY_PARTS)
    assert idempotency_key(**KEY_PARTS) != idempotency_key(**{**KEY_PARTS, **over})


@pytest.mark.parametrize("status", [200, 408, 409, 425, 429, 500])
def test_a_rejection_with_a_status_that_proves_nothing_leaves_it_open(
    desk: Desk, status: int
) -> None:
    def reject(_intent: object, _key: str) -> Any:
        raise RailRejected(status, "whatever")

    desk.rail.create_transfer = reject  # type: ignore[method-assign]
    assert desk.pay(payout())[0].state == "unknown"


@pytest.fixture
def sent(desk: Desk) -> tuple[Standing, JournalRow]:
    """An open payout and the intent that opened it."""
    desk.rail.faults.append("cut_before")
    desk.pay(payout())
    standing = desk.journal().standing(payout().payout_key)
    assert standing is not None
    assert standing.last_sent is not None
    return standing, standing.last_sent


@pytest.mark.parametrize(
    "over",
    [
        {"attempt": 2},
        {"idempotency_key": "another"},
        {"amount_cents": 999},
        {"currency": "EUR"},
        {"destination_account_id": "acct_x"},
        {"livemode": True},
        {"operation_id": "mop_x"},
        {"party_id": "px"},
        {"period": "2026-09"},
        {"recovery_cents": 1},
        {"tenant_id": "t2"},
    ],
)
@pytest.mark.parametrize("state", ["intent", "unknown", "failed", "submitted"])
def test_no_row_of_an_open_attempt_changes_what_it_froze(
    sent: tuple[Standing, JournalRow], over: dict[str, Any], state: str
) -> None:
    standing, row = sent
    assert advance(standing, replace(row, state=state)).state == state
    with pytest.raises(JournalError):
        advance(standing, replace(row, state=state, **over))


@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_attempts_are_counted_without_gaps(sent: tuple[Standing, JournalRow], attempt: int) -> None:
    standing, row = sent
    failed = advance(standing, replace(row, state="failed"))
    assert advance(failed, replace(row, attempt=2)).attempt == 2
    with pytest.raises(JournalError):
        advance(failed, replace(row, attempt=attempt))
    with pytest.raises(JournalError):
        advance(None, replace(row, attempt=attempt + 2))


@pytest.mark.parametrize("state", ["intent", "unknown", "failed", "submitted"])
def test_nothing_follows_a_payment(sent: tuple[Standing, JournalRow], state: str) -> None:
    standing, row = sent
    paid = advance(standing, replace(row, state="submitted", transfer_id="tr_1"))
    for attempt in (1, 2):
        with pytest.raises(JournalError):
            advance(paid, replace(row, state=state, attempt=attempt))
    assert advance(paid, replace(row, state="dry_run")) is paid


def test_nothing_is_recorded_without_the_lock(desk: Desk) -> None:
    desk.pay(payout())
    row = next(desk.journal().rows())
    journal = Journal(desk.home)
    assert journal.state(row.payout_key) == "submitted"
    other = payout("pb")
    fresh = replace(row, payout_key=other.payout_key, operation_id="mop_b", party_id="pb")
    with pytest.raises(JournalError, match="lock"):
        journal.record(fresh)
    with journal.exclusive():
        journal.record(fresh)
