"""What changes after it was read is read again: because it is open, because something names it, or
because a week has passed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ingest.coverage import OVERLAP
from ingest.stripe.client import FEW_ACCOUNTS, PullResult
from ingest.tables import COVERAGE
from tests.ingest.desk import START, Desk

DAY = timedelta(days=1)


@pytest.fixture
def long(desk: Desk) -> Desk:
    """A desk whose platform lists are longer than a page, over several months, and were read."""
    rail = desk.rail
    for number in range(120):
        charge = rail.create_charge(9_000 + number, at=START + number % 70 * DAY)
        rail.refund(charge["id"], 100, at=START + number % 70 * DAY)
        rail.create_transfer(500, at=START + number % 70 * DAY, destination="acct_1Ada")
    desk.pull()
    return desk


def purposes(result: PullResult, endpoint: str) -> list[str | None]:
    return [row.purpose for row in result.slices if row.endpoint == endpoint and row.is_platform]


def oldest(desk: Desk, kind: str) -> dict[str, Any]:
    return desk.rail.objects(kind)[-1]


def shown(desk: Desk, table: str, column: str, object_id: str) -> Any:
    """The newest landed value."""
    rows = desk.landed(table, f"received_at, {column}", f"id = '{object_id}'")
    return rows[-1][1]


def test_only_the_newest_part_of_a_long_list_is_read_when_nothing_happened(long: Desk) -> None:
    result = long.pull()
    for endpoint in ("charges", "refunds", "transfers", "balance_transactions"):
        assert purposes(result, endpoint) == ["new"], endpoint


def test_an_old_object_that_a_movement_names_is_read_again_without_any_event(long: Desk) -> None:
    long.server.faults.add("forbidden", path="/v1/events")
    charge = oldest(long, "charge")
    long.rail.refund(charge["id"], 50, at=long.now)
    result = long.pull()
    assert purposes(result, "charges") == ["new", "open"]
    assert shown(long, "charges", "amount_refunded", charge["id"]) == 150


def test_an_old_object_that_only_an_event_names_is_read_again(long: Desk) -> None:
    # An inquiry moves no money: nothing but the event says that the charge is disputed.
    charge = oldest(long, "charge")
    long.rail.open_dispute(charge["id"], at=long.now, status="warning_needs_response", fee=0)
    long.pull()
    assert shown(long, "charges", "disputed", charge["id"]) is True


def test_a_reversal_that_no_event_tells_makes_the_transfers_be_listed_again(long: Desk) -> None:
    long.server.faults.add("forbidden", path="/v1/events")
    transfer = oldest(long, "transfer")
    reversal = long.rail.reverse_transfer(transfer["id"], 70, at=long.now)
    result = long.pull()
    assert purposes(result, "transfers") == ["new", "open"]
    assert shown(long, "transfers", "amount_reversed", transfer["id"]) == 70
    assert shown(long, "transfer_reversals", "amount", reversal["id"]) == 70


def test_an_open_object_is_read_until_it_is_final(long: Desk) -> None:
    # A status nobody has heard of is open; the object is changed behind everyone's back.
    refund = oldest(long, "refund")
    for status in ("held_up", "held_up", "succeeded"):
        long.rail.put_object("refund", dict(refund) | {"status": status})
        if status == "held_up":
            long.pull(full=True)
    result = long.pull()
    assert purposes(result, "refunds") == ["new", "open"]
    assert shown(long, "refunds", "status", refund["id"]) == "succeeded"
    assert purposes(long.pull(), "refunds") == ["new"]


def test_a_change_that_nothing_tells_is_found_within_a_week(long: Desk) -> None:
    refund = oldest(long, "refund")
    long.rail.put_object("refund", dict(refund) | {"reason": "fraudulent"})
    assert purposes(long.pull(), "refunds") == ["new"]
    assert shown(long, "refunds", "reason", refund["id"]) != "fraudulent"
    long.now += timedelta(days=7)
    result = long.pull()
    assert purposes(result, "refunds") == ["new", "audit"]
    assert shown(long, "refunds", "reason", refund["id"]) == "fraudulent"
    [found] = [
        row.rows_landed
        for row in result.slices
        if (row.endpoint, row.purpose, row.is_platform) == ("refunds", "audit", True)
    ]
    assert found == 1, "the missed update is counted"
    assert purposes(long.pull(), "refunds") == ["new"]


def test_what_could_not_be_read_again_is_read_again_in_the_next_pull(long: Desk) -> None:
    charge = oldest(long, "charge")
    long.rail.refund(charge["id"], 50, at=long.now)
    long.server.faults.add("server_error", path=f"/v1/charges/{charge['id']}", times=None)
    first = long.pull()
    states = [(r.purpose, r.status) for r in first.slices if r.endpoint == "charges"]
    assert ("open", "failed") in states
    long.server.faults.clear()
    long.pull()
    assert shown(long, "charges", "amount_refunded", charge["id"]) == 150


def test_a_pull_that_died_after_its_events_forgets_none_of_them(long: Desk) -> None:
    charge = oldest(long, "charge")
    long.rail.open_dispute(charge["id"], at=long.now, status="warning_needs_response", fee=0)
    write = long.landing.write

    def dying(spec: Any, *arguments: Any, **named: Any) -> Any:
        if spec.table == "charges":
            raise KeyboardInterrupt
        return write(spec, *arguments, **named)

    long.landing.write = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        long.pull()
    long.landing.write = write  # type: ignore[method-assign]
    long.now += timedelta(hours=1)
    long.pull()
    assert shown(long, "charges", "disputed", charge["id"]) is True


def test_many_objects_of_one_second_over_several_pages_and_cuts_all_land_once(desk: Desk) -> None:
    for number in range(350):
        desk.rail.create_charge(100 + number, at=START + (number // 300) * DAY)
    desk.pull(slice_pages=1)
    landed = desk.landed("charges", "count(*), count(distinct id), sum(amount)")
    assert landed == [(350, 350, sum(range(100, 450)))]


def test_a_backfill_that_is_killed_goes_on_where_its_coverage_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.stripe.lists.WAVE_ROWS", 100)
    monkeypatch.setattr("ingest.stripe.lists.WAVE_SECONDS", 0.0)
    for number in range(600):
        desk.rail.create_charge(100 + number, at=START + number % 80 * DAY)
    write, waves = desk.landing.write, 0

    def dying(spec: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal waves
        waves += spec.table == "charges"
        if waves == 8:
            raise KeyboardInterrupt
        return write(spec, *arguments, **named)

    desk.landing.write = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        desk.pull(slice_pages=1, limits={"slices": 1})
    kept = len(desk.landed("charges"))
    assert 100 <= kept < 600
    desk.landing.write = write  # type: ignore[method-assign]
    result = desk.pull(slice_pages=1, limits={"slices": 1})
    assert result.complete
    assert desk.landed("charges", "count(*), count(distinct id)") == [(600, 600)]
    names = ["endpoint", "is_platform", "pull_id", "slice_from", "slice_to", "status"]
    rows = [row[2:] for row in desk.landing.rows(COVERAGE, names) if row[:2] == ("charges", True)]
    assert {status for *_, status in rows} == {"complete"}
    before = [(start, end) for pull, start, end, _ in rows if pull != result.pull_id]
    after = [(start, end) for pull, start, end, _ in rows if pull == result.pull_id]
    assert len(before) > 2
    assert len(after) > 2
    # What the killed pull covered is not read again, but for the last fifteen minutes.
    for start, end in after:
        assert all(end <= first or last - OVERLAP <= start for first, last in before)


# --- accounts -------------------------------------------------------------------------------------


def test_a_long_list_of_accounts_is_read_once_a_day_and_open_ones_each_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FEW_ACCOUNTS >= 100
    monkeypatch.setattr("ingest.stripe.client.FEW_ACCOUNTS", 1)
    desk.rail.update_account("acct_1Bob", at=START, requirements={"currently_due": ["tos"]})
    desk.pull()
    listed = desk.reads("/v1/accounts")
    desk.pull()
    assert desk.reads("/v1/accounts") == listed
    assert desk.reads("/v1/accounts/acct_1Bob") == 1
    desk.rail.update_account("acct_1Ada", at=desk.now, capabilities={"transfers": "inactive"})
    desk.pull()
    assert shown(desk, "accounts", "capability_transfers", "acct_1Ada") == "inactive"
    # Two objects to ask for are more than the one page that lists them all.
    assert desk.reads("/v1/accounts") == listed + 1
    desk.rail.update_account("acct_1Bob", at=desk.now, requirements={"currently_due": []})
    desk.now += DAY
    desk.pull()
    assert desk.reads("/v1/accounts") == listed + 2


def test_an_account_that_is_not_listed_any_more_shows_as_denied_until_declared_departed(
    desk: Desk,
) -> None:
    desk.rail.create_charge(900, at=START, account="acct_1Bob")
    desk.pull()
    last = desk.now
    desk.server.faults.add("forbidden", path="/v1/*", account="acct_1Bob")
    desk.server.faults.add("late_visible", path="/v1/accounts", ids=("acct_1Bob",))

    def states(result: PullResult) -> set[str]:
        return {row.status for row in result.slices if row.account_id == "acct_1Bob"}

    assert states(desk.pull()) == {"denied"}
    result = desk.pull(departed={"acct_1Bob"})
    assert states(result) == {"departed"}
    assert result.complete
    assert {r.slice_to for r in result.slices if r.status == "departed"} == {last}
    # One who is listed is there, whatever was said.
    desk.server.faults.clear()
    assert states(desk.pull(departed={"acct_1Bob"})) == {"complete"}


def test_times_of_coverage_are_utc(desk: Desk) -> None:
    desk.pull()
    for row in desk.landing.rows(COVERAGE, ["slice_from", "started_at"]):
        assert all(isinstance(at, datetime) and at.utcoffset() == timedelta(0) for at in row)
