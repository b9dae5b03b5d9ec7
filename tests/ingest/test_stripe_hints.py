"""A webhook event is a hint: its object is read again, and what the API says counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ingest.deliveries.spool import DeliverySpool, SpooledEvent
from ingest.errors import SourceDenied
from ingest.stripe.hints import HintsRead, read_hinted
from tests.ingest.desk import FAST, KEY, Desk


@pytest.fixture
def spool(desk: Desk) -> Iterator[DeliverySpool]:
    with DeliverySpool(desk.home) as made:
        yield made


def follow(desk: Desk, spool: DeliverySpool, **over: Any) -> HintsRead:
    settings: dict[str, Any] = {
        "home": desk.home,
        "api_key": KEY,
        "api_base": desk.server.url,
        "accounts": [],
        "now": desk.now,
        "landing": desk.landing,
        "spool": spool,
        "limits": FAST,
        "sleep": desk.slept.append,
    }
    return read_hinted(**settings | over)


def announce(desk: Desk, spool: DeliverySpool, event_type: str, account: str | None = None) -> str:
    """Spools the newest event of a type, as the rail would have delivered it."""
    events = desk.rail.objects("event", account)
    event = next(event for event in events if event["type"] == event_type)
    spool.add_event(SpooledEvent(event["id"], event_type, account, desk.now), at=desk.now)
    return str(event["data"]["object"]["id"])


def test_a_reversed_transfer_is_read_again_with_its_reversal(
    desk: Desk, spool: DeliverySpool
) -> None:
    transfer = desk.rail.create_transfer(5_000, at=desk.now, destination="acct_1Ada")
    desk.pull()
    desk.rail.reverse_transfer(transfer["id"], 2_000, at=desk.now)
    assert announce(desk, spool, "transfer.reversed") == transfer["id"]

    assert follow(desk, spool) == HintsRead({"read": 1}, waiting=0, rows_landed=1)

    assert desk.landed("transfers", "amount_reversed") == [(0,), (2_000,)]
    assert desk.landed("transfer_reversals", "amount, transfer") == [(2_000, transfer["id"])]
    newest = "first(amount_reversed order by received_at desc, batch_id desc, row_no desc)"
    assert desk.landed("transfers", newest) == [(2_000,)], "the reading after the pull counts"


def test_many_events_of_one_object_read_it_once(desk: Desk, spool: DeliverySpool) -> None:
    transfer = desk.rail.create_transfer(5_000, at=desk.now, destination="acct_1Ada")
    desk.pull()
    for _ in range(5):
        desk.rail.reverse_transfer(transfer["id"], 100, at=desk.now)
        announce(desk, spool, "transfer.reversed")
    before = desk.reads(f"/v1/transfers/{transfer['id']}")
    assert follow(desk, spool).outcomes == {"read": 5}
    assert desk.reads(f"/v1/transfers/{transfer['id']}") == before + 1


def test_a_connected_accounts_charge_is_read_as_that_account(
    desk: Desk, spool: DeliverySpool
) -> None:
    desk.pull()
    charge = desk.rail.create_charge(900, at=desk.now, account="acct_1Ada")
    announce(desk, spool, "charge.succeeded", "acct_1Ada")
    assert follow(desk, spool).rows_landed == 1
    assert desk.landed("charges", "id, account_id, is_platform") == [
        (charge["id"], "acct_1Ada", False)
    ]


def test_a_changed_account_is_read_as_the_platform_sees_it(
    desk: Desk, spool: DeliverySpool
) -> None:
    desk.pull()
    desk.rail.update_account("acct_1Ada", at=desk.now, capabilities={"transfers": "inactive"})
    spool.add_event(
        SpooledEvent("evt_gone", "capability.updated", "acct_1Ada", desk.now), at=desk.now
    )
    assert follow(desk, spool).outcomes == {"read": 1}
    states = desk.landed("accounts", "capability_transfers", "id = 'acct_1Ada'")
    assert states == [("active",), ("inactive",)]


def test_an_unchanged_object_lands_nothing(desk: Desk, spool: DeliverySpool) -> None:
    desk.rail.create_transfer(5_000, at=desk.now, destination="acct_1Ada")
    desk.pull()
    announce(desk, spool, "transfer.created")
    assert follow(desk, spool) == HintsRead({"read": 1}, waiting=0, rows_landed=0)


def test_a_forged_type_reads_nothing_and_an_unknown_event_is_gone(
    desk: Desk, spool: DeliverySpool
) -> None:
    desk.pull()
    for event_id, event_type in (("evt_1", "customer.updated"), ("evt_2", "transfer.created")):
        spool.add_event(SpooledEvent(event_id, event_type, None, desk.now), at=desk.now)
    calls = len(desk.server.calls)
    assert follow(desk, spool).outcomes == {"not_read": 1, "gone": 1}
    assert len(desk.server.calls) == calls + 1
    assert follow(desk, spool) == HintsRead({}, 0, 0), "settled events ask for nothing"


def test_an_account_we_do_not_read_is_left_alone(desk: Desk, spool: DeliverySpool) -> None:
    desk.pull()
    desk.rail.create_charge(900, at=desk.now, account="acct_1Ada")
    announce(desk, spool, "charge.succeeded", "acct_1Ada")
    assert follow(desk, spool, accounts=["acct_1Bob"]).outcomes == {"not_read": 1}
    assert desk.landed("charges") == []


def test_an_account_of_an_erased_tenant_is_never_read(desk: Desk, spool: DeliverySpool) -> None:
    desk.pull()
    event = SpooledEvent("evt_1", "account.updated", "acct_1Ada", desk.now)
    spool.add_event(event, at=desk.now)
    before = desk.reads("/v1/accounts/acct_1Ada")
    assert follow(desk, spool, erased={"acct_1Ada"}).outcomes == {"not_read": 1}
    assert desk.reads("/v1/accounts/acct_1Ada") == before


def test_an_event_waits_on_while_stripe_is_down_and_is_read_later(
    desk: Desk, spool: DeliverySpool
) -> None:
    desk.rail.create_transfer(5_000, at=desk.now, destination="acct_1Ada")
    desk.pull()
    announce(desk, spool, "transfer.created")
    desk.server.faults.add("server_error", path="/v1/events/*", times=None)
    assert follow(desk, spool, limits=replace(FAST, attempts=2)) == HintsRead(
        {}, waiting=1, rows_landed=0
    )
    desk.server.faults.clear()
    desk.now += timedelta(minutes=5)
    assert follow(desk, spool).outcomes == {"read": 1}


def test_a_revoked_key_is_an_error_and_the_event_stays(desk: Desk, spool: DeliverySpool) -> None:
    desk.rail.create_transfer(5_000, at=desk.now, destination="acct_1Ada")
    desk.pull()
    announce(desk, spool, "transfer.created")
    with pytest.raises(SourceDenied, match="stripe_unauthorized"):
        follow(desk, spool, api_key="sk_test_revoked_key_of_someone")
    assert spool.newest_waiting() == 1
