"""A pull reads every list to its end, lands it once, and reads again only what it must."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from ingest.coverage import COMPLETE, EPOCH, OVERLAP
from ingest.errors import SettingError
from ingest.simulator.http import serve
from ingest.simulator.rail import Rail
from ingest.stripe.endpoints import STRIPE_TABLES
from ingest.tables import COVERAGE
from tests.ingest.desk import KEY, START, Desk, slice_of

PLATFORM = {"acct_1TieoutPlatform"}
DAY = timedelta(days=1)


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A quarter of trade: every list has something, some have several pages."""
    rail = desk.rail
    charges = [
        rail.create_charge(5_000 + n, at=START + n % 75 * DAY, metadata={"nooterra_tenant_id": "t"})
        for n in range(230)
    ]
    rail.create_charge(9_000, at=START + DAY, account="acct_1Ada", application_fee=900)
    rail.refund(charges[0]["id"], 700, at=START + 40 * DAY)
    dispute = rail.open_dispute(charges[1]["id"], at=START + 41 * DAY)
    rail.close_dispute(dispute["id"], "won", at=START + 50 * DAY)
    transfer = rail.create_transfer(
        4_000, at=START + 5 * DAY, destination="acct_1Bob", transfer_group="key:1"
    )
    for _ in range(12):
        rail.reverse_transfer(transfer["id"], 100, at=START + 60 * DAY)
    rail.refund_application_fee(rail.objects("application_fee")[0]["id"], 200, at=START + 9 * DAY)
    rail.create_payout(1_000, at=START + 30 * DAY)
    rail.create_payout(None, at=START + 30 * DAY, account="acct_1Ada", automatic=True)
    return desk


def table_rows(desk: Desk) -> dict[str, list[tuple[Any, ...]]]:
    return {spec.table: desk.landed(spec.table) for spec in STRIPE_TABLES}


@pytest.mark.parametrize(("currency", "amount"), [("jpy", 500), ("kwd", 12_340), ("usd", 500)])
def test_amounts_land_in_the_minor_units_of_any_currency(
    desk: Desk, currency: str, amount: int
) -> None:
    charge = desk.rail.create_charge(amount, at=START, currency=currency, fee=10)
    desk.rail.refund(charge["id"], 100, at=START + DAY)
    assert desk.pull().complete
    assert desk.landed("charges", "amount, currency") == [(amount, currency)]
    moved = desk.landed("balance_transactions", "amount, fee, net, currency", "type <> 'topup'")
    assert sorted(moved) == [(-100, 0, -100, currency), (amount, 10, amount - 10, currency)]


def test_every_object_of_every_list_lands(busy: Desk) -> None:
    result = busy.pull()
    assert result.complete
    rail = busy.rail
    for table in ("balance_transactions", "charges", "refunds", "payouts"):
        for account in (None, "acct_1Ada", "acct_1Bob"):
            expected = sorted(found["id"] for found in rail.objects(table, account))
            name = account or rail.platform_id
            found = busy.landed(table, "id", f"account_id = '{name}'")
            assert [row[0] for row in found] == expected, (table, account)
    for table in ("transfers", "disputes", "topups", "application_fees", "accounts", "events"):
        assert len(busy.landed(table)) == len(rail.objects(table)) > 0, table
    assert len(busy.landed("transfer_reversals")) == 12
    assert len(busy.landed("dispute_balance_transactions")) == 2
    assert len(busy.landed("application_fee_refunds")) == 1
    fees = busy.landed("balance_transaction_fees", "sum(amount)")
    assert fees == busy.landed("balance_transactions", "sum(fee)")
    for manifest in busy.landing.committed():
        busy.landing.verify(manifest)


def test_amounts_ids_times_and_references_are_what_stripe_said(busy: Desk) -> None:
    busy.pull()
    transfer = busy.rail.objects("transfer")[0]
    names = (
        "is_platform, amount, amount_reversed, reversed, currency, balance_transaction, "
        "destination, destination_payment, transfer_group, created, livemode, api_version"
    )
    assert busy.landed("transfers", names) == [
        (
            True,
            4_000,
            1_200,
            False,
            "usd",
            transfer["balance_transaction"],
            "acct_1Bob",
            transfer["destination_payment"],
            "key:1",
            datetime.fromtimestamp(transfer["created"], UTC).replace(tzinfo=None),
            False,
            "2026-10-28.endive",
        )
    ]
    assert busy.landed("charges", "count(*)", "meta_tenant_id = 't'") == [(230,)]


def test_members_of_an_automatic_payout_sum_to_zero_and_are_read_once(busy: Desk) -> None:
    busy.pull()
    members = busy.landed("payout_members", "account_id, sum(net)", "true group by account_id")
    assert members == [("acct_1Ada", 0)]
    asked = busy.reads("/v1/balance_transactions")
    busy.pull()
    again = busy.reads("/v1/balance_transactions") - asked
    assert again == 3, "one newest slice an account, and no member list"


def test_the_same_pull_twice_changes_no_table(busy: Desk) -> None:
    first = busy.pull()
    before = table_rows(busy)
    second = busy.pull()
    assert table_rows(busy) == before
    assert (first.rows_landed, second.rows_landed) == (first.rows_read, 0)
    assert second.complete
    batches = [m for m in busy.landing.committed("stripe") if second.pull_id in m.batch_id]
    assert batches == []


def test_only_what_changed_lands(busy: Desk) -> None:
    busy.pull()
    transfer = busy.rail.objects("transfer")[0]
    busy.rail.reverse_transfer(transfer["id"], 100, at=busy.now)
    result = busy.pull()
    new = {row.endpoint: row.rows_landed for row in result.slices if row.account_id in PLATFORM}
    assert new["transfers"] == new["transfer_reversals"] == new["balance_transactions"] == 1
    assert new["charges"] == new["disputes"] == new["payouts"] == new["accounts"] == 0
    assert busy.landed("transfers", "amount_reversed") == [(1_200,), (1_300,)]


def test_children_are_committed_before_their_parents(busy: Desk) -> None:
    committed: list[str] = []
    write = busy.landing.write

    def noted(spec: Any, *arguments: Any, **named: Any) -> Any:
        manifest = write(spec, *arguments, **named)
        committed.append(spec.table)
        return manifest

    busy.landing.write = noted  # type: ignore[method-assign]
    busy.pull()
    for child, parent in (
        ("balance_transaction_fees", "balance_transactions"),
        ("transfer_reversals", "transfers"),
        ("dispute_balance_transactions", "disputes"),
        ("payout_members", "payouts"),
        ("application_fee_refunds", "application_fees"),
    ):
        assert committed.index(child) < committed.index(parent)
    assert committed[-1] == "coverage"


# --- incremental reading --------------------------------------------------------------------------


def slices(desk: Desk, result: Any, endpoint: str) -> list[tuple[datetime, datetime]]:
    """Slices of a list of the platform that cover time, oldest first."""
    platform = desk.rail.platform_id
    return sorted(
        (row.slice_from, row.slice_to)
        for row in result.slices
        if (row.endpoint, row.account_id) == (endpoint, platform) and row.slice_from < row.slice_to
    )


def test_a_long_list_is_cut_into_slices_that_tile_it_and_the_next_pull_reads_fifteen_minutes_back(
    busy: Desk,
) -> None:
    for number in range(400):
        busy.rail.create_charge(100 + number, at=START + number % 75 * DAY)
    first = busy.pull(slice_pages=1)
    first_now = busy.now
    cut = slices(busy, first, "balance_transactions")
    assert len(cut) > 3
    assert (cut[0][0], cut[-1][1]) == (EPOCH, busy.now)
    assert all(before[1] == after[0] for before, after in pairwise(cut))
    expected = sorted(found["id"] for found in busy.rail.objects("balance_transaction"))
    where = f"account_id = '{busy.rail.platform_id}'"
    assert [row[0] for row in busy.landed("balance_transactions", "id", where)] == expected
    second = slices(busy, busy.pull(), "balance_transactions")
    assert second == [(first_now - OVERLAP, busy.now)]
    assert slices(busy, busy.pull(full=True), "balance_transactions")[0][0] == EPOCH


def test_a_short_list_is_one_request_and_is_read_whole_every_time(busy: Desk) -> None:
    busy.pull()
    asked = busy.reads("/v1/transfers", busy.rail.platform_id)
    assert asked == 1
    assert slices(busy, busy.pull(), "transfers") == [(EPOCH, busy.now)]
    assert busy.reads("/v1/transfers", busy.rail.platform_id) == asked + 1


def test_a_movement_that_becomes_visible_late_is_still_read(desk: Desk) -> None:
    hidden = desk.rail.create_charge(5_000, at=desk.now - timedelta(minutes=5))
    desk.server.faults.add("late_visible", ids=(hidden["balance_transaction"],))
    desk.pull()
    found = f"id = '{hidden['balance_transaction']}'"
    assert desk.landed("balance_transactions", "id", found) == []
    desk.server.faults.clear()
    desk.pull()
    assert len(desk.landed("balance_transactions", "id", found)) == 1


def test_a_gap_is_read_again_by_itself(busy: Desk) -> None:
    # The first page and the search for the oldest month pass; then one slice fails for good.
    for number in range(400):
        busy.rail.create_charge(100 + number, at=START + number % 75 * DAY)
    busy.server.faults.add(
        "server_error",
        path="/v1/balance_transactions",
        account=busy.rail.platform_id,
        after=7,
        times=5,
    )
    first = busy.pull(slice_pages=1, limits={"slices": 1})
    bad = [row for row in first.slices if row.status != COMPLETE]
    assert [(row.endpoint, row.status) for row in bad] == [("balance_transactions", "failed")]
    gap = (bad[0].slice_from, bad[0].slice_to)
    assert EPOCH < gap[0] < gap[1] < busy.now - DAY
    first_now = busy.now
    second = busy.pull()
    assert second.complete
    read = slices(busy, second, "balance_transactions")
    assert read == [gap, (first_now - OVERLAP, busy.now)]
    expected = sorted(found["id"] for found in busy.rail.objects("balance_transaction"))
    where = f"account_id = '{busy.rail.platform_id}'"
    assert [row[0] for row in busy.landed("balance_transactions", "id", where)] == expected


# --- balances and accounts ------------------------------------------------------------------------


def test_balances_are_taken_before_and_after_and_land_again_only_when_they_change(
    busy: Desk,
) -> None:
    busy.pull()
    where = f"account_id = '{busy.rail.platform_id}' and bucket = 'available'"
    stated = busy.rail.balance()["available"][0]["amount"]
    assert busy.landed("balances", "snapshot, amount", where) == [
        ("after", stated),
        ("before", stated),
    ]
    busy.pull()
    assert len(busy.landed("balances", "*", where)) == 2
    busy.rail.top_up(500, at=busy.now)
    busy.pull()
    assert busy.landed("balances", "distinct amount", where) == [(stated,), (stated + 500,)]


def test_named_accounts_narrow_the_pull(busy: Desk) -> None:
    result = busy.pull(accounts=["acct_1Bob"])
    names = {row.account_id for row in result.slices}
    assert names == {busy.rail.platform_id, "acct_1Bob"}
    with pytest.raises(SettingError, match="TIEOUT_STRIPE_ACCOUNTS"):
        busy.pull(accounts=["acct_1Bob", "ada@example.com"])


def test_a_platform_that_may_not_see_its_own_account_has_a_name_all_the_same(desk: Desk) -> None:
    desk.server.faults.add("forbidden", path="/v1/account")
    result = desk.pull()
    assert result.complete
    assert slice_of(result, "transfers").account_id == "platform"
    # The home keeps the name it began with: under two names the same objects would count twice.
    desk.server.faults.clear()
    assert slice_of(desk.pull(), "transfers").account_id == "platform"


def test_a_home_belongs_to_one_platform_and_mode(desk: Desk) -> None:
    desk.pull()
    live_key = KEY.replace("_test_", "_live_")
    for other, key in (
        (Rail(clock=lambda: desk.now, platform_id="acct_1Another"), KEY),
        (Rail(clock=lambda: desk.now, livemode=True), live_key),
    ):
        before = table_rows(desk)
        with serve(other) as server, pytest.raises(SettingError) as refusal:
            desk.pull(api_base=server.url, api_key=key)
        assert refusal.value.code == "stripe_platform_changed"
        assert table_rows(desk) == before


def test_coverage_says_what_was_asked_and_what_came_back(busy: Desk) -> None:
    result = busy.pull()
    rows = busy.landing.rows(
        COVERAGE,
        ["source", "endpoint", "status", "rows_read", "rows_landed", "pull_id", "error_code"],
    )
    assert len(rows) == len(result.slices)
    assert {row[0] for row in rows} == {"stripe"}
    row = slice_of(result, "charges", busy.rail.platform_id)
    charges = busy.rail.objects("charge")
    assert (row.rows_read, row.rows_landed) == (len(charges), len(charges))
    assert row.amount_sum_cents == sum(charge["amount"] for charge in charges)
    assert row.started_at <= row.finished_at
    assert (row.tenant_id, row.error_code, row.pull_id) == (None, None, result.pull_id)


def test_progress_is_told_by_list(busy: Desk) -> None:
    told: dict[str, int] = {}
    busy.pull(progress=lambda name, rows: told.update({name: rows}))
    assert told["charges"] == 232
    assert told["balance_transactions"] > 230
