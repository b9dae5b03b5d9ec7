"""Whoever can touch the files, the clock or the listing cannot make a payout leave twice.

Each test is named after the attack.
"""

from __future__ import annotations

import itertools
import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.errors import JournalError, PayoutRefused
from ingest.payouts import durable
from ingest.payouts.rail import idempotency_key
from tests.payouts.desk import Desk, payout
from tests.payouts.fake_rail import FakeRail

BATCH = (payout("pa"), payout("pb"), payout("pc"))


def _journal_file(desk: Desk) -> Path:
    return desk.home / "journal" / "payouts.jsonl"


@pytest.mark.parametrize("name", ["payouts.jsonl", "payouts.head", "payouts.lock"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_something_else_in_a_journal_files_place_pays_nothing(
    desk: Desk, tmp_path: Path, name: str, kind: str
) -> None:
    desk.pay(payout("pz"))
    path = desk.home / "journal" / name
    kept = tmp_path / "kept"
    path.rename(kept)
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda at: at.symlink_to(kept)}[kind](path)
    with pytest.raises((JournalError, OSError)):
        desk.pay(*BATCH)
    assert len(desk.rail.creations) == 1


def test_a_pipe_in_the_bindings_place_pays_nothing(desk: Desk) -> None:
    (desk.home / "state" / "livemode").unlink()
    os.mkfifo(desk.home / "state" / "livemode")
    with pytest.raises(PayoutRefused) as refused:
        desk.pay(*BATCH)
    assert refused.value.code == "home_not_bound"
    assert desk.rail.creations == []


@pytest.mark.parametrize("keep_bytes", [0, 100, -1])
def test_a_journal_cut_off_during_a_pass_ends_it_before_the_next_call(
    desk: Desk, keep_bytes: int
) -> None:
    def cut(step: str) -> None:
        if step == "payout.rechecked" and len(desk.rail.creations) == 1:
            size = _journal_file(desk).stat().st_size
            os.truncate(_journal_file(desk), keep_bytes if keep_bytes >= 0 else size - 1)

    with pytest.raises(JournalError) as damaged:
        desk.run(desk.decide(BATCH), checkpoint=cut)
    assert damaged.value.code == "journal_damaged"
    assert len(desk.rail.creations) == 1


def test_a_pass_let_in_by_a_removed_lock_ends_the_other_before_its_next_call(desk: Desk) -> None:
    let_in: list[int] = []

    def remove(step: str) -> None:
        if step == "payout.rechecked" and not let_in:
            let_in.append(1)
            (desk.home / "journal" / "payouts.lock").unlink()
            desk.pay(*BATCH)

    with pytest.raises(JournalError):
        desk.run(desk.decide(BATCH), checkpoint=remove)
    desk.assert_paid_once(*BATCH)
    assert len(desk.rail.creations) == len(BATCH)


def test_who_waits_at_a_lock_that_was_replaced_is_not_let_in(tmp_path: Path) -> None:
    path, found = tmp_path / "lock", []

    def wait() -> None:
        try:
            with durable.hold_lock(path, 0.5):
                found.append("let in")
        except TimeoutError:
            found.append("kept out")

    first = durable.hold_lock(path, 0.0)
    first.__enter__()
    waiting = threading.Thread(target=wait)
    waiting.start()
    path.unlink()
    with durable.hold_lock(path, 0.0):
        first.__exit__(None, None, None)
        waiting.join()
    assert found == ["kept out"]


def test_a_clock_set_back_between_two_payments_stops_the_second(desk: Desk) -> None:
    """Rows dated before the decision would not count against its caps."""

    def set_back(step: str) -> None:
        if step == "payout.concluded" and len(desk.rail.creations) == 1:
            desk.clock.advance(minutes=-2)

    first, *rest = desk.run(desk.decide(BATCH), checkpoint=set_back)
    assert first.state == "submitted"
    assert {(result.state, result.codes) for result in rest} == {("held", ("DECISION_EXPIRED",))}
    assert len(desk.rail.creations) == 1


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_clock_apart_from_the_rails_pays_nothing(desk: Desk, minutes: int) -> None:
    desk.rail.clock_offset = timedelta(minutes=minutes)
    with pytest.raises(PayoutRefused) as refused:
        desk.pay(*BATCH)
    assert refused.value.code == "clock_skew"


def test_no_two_attempts_of_anything_share_an_idempotency_key() -> None:
    """Names that run into each other when they are only joined."""
    words = ["a", "b", "ab", "a:", ":b", "a,b", '"a"', "1", "11", "a1", ""]
    parts = itertools.product((True, False), words, words, words, (1, 2, 11))
    keys = [
        idempotency_key(
            livemode=livemode,
            platform_account_id=account,
            tenant_id=tenant,
            payout_key=key,
            attempt=attempt,
        )
        for livemode, account, tenant, key, attempt in parts
    ]
    assert len(set(keys)) == len(keys) == 2 * 11**3 * 3


def test_two_homes_with_the_same_books_pay_once(desk: Desk, tmp_path: Path) -> None:
    """A home that was copied, and both copies go on, one a moment after the other."""
    twin = Desk(tmp_path / "copy")
    twin.rail = desk.rail
    for decided in BATCH:
        desk.pay(decided)
        twin.pay(*BATCH)
    desk.pay(*BATCH)
    assert desk.paid() == {p.payout_key: [p.amount_cents] for p in BATCH}
    assert {twin.journal().state(p.payout_key) for p in BATCH} == {"submitted"}


def test_a_listing_that_hides_what_exists_is_met_by_the_key(desk: Desk) -> None:
    """The rail lies about its list for as long as it remembers the key: still one transfer."""

    class Liar(FakeRail):
        def find_transfers(self, transfer_group: str):  # type: ignore[no-untyped-def]
            listing = super().find_transfers(transfer_group)
            return type(listing)((), listing.rail_now)

    desk.rail = Liar(desk.clock)
    desk.rail.faults.append("cut_after")
    desk.pay(payout())
    for _ in range(4):
        desk.clock.advance(minutes=16)
        desk.pay(payout())
    assert len(desk.rail.transfers) == 1
    assert desk.journal().state(payout().payout_key) == "submitted"


def test_a_journal_put_back_from_a_backup_pays_nothing_again(desk: Desk, tmp_path: Path) -> None:
    """File and head of yesterday are intact by themselves; the rail remembers more."""
    desk.pay(payout("pa"))
    kept = {p.name: p.read_bytes() for p in (desk.home / "journal").iterdir()}
    desk.clock.advance(hours=30)
    desk.pay(payout("pb"), payout("pc"))
    for name, content in kept.items():
        (desk.home / "journal" / name).write_bytes(content)
    desk.clock.advance(hours=30)
    results = desk.pay(*BATCH)
    assert [result.codes for result in results] == [("ALREADY_PAID",), ("ADOPTED",), ("ADOPTED",)]
    assert desk.paid() == {p.payout_key: [p.amount_cents] for p in BATCH}
