"""The drop folder is emptied, whatever lies in it, and keeps nothing personal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.deliveries.drop import Drained, drain_drop_folder, drop_folder, waiting_mark
from ingest.deliveries.spool import DeliverySpool, SpooledEvent
from ingest.errors import TieoutError
from ingest.files import private_folder
from ingest.stripe.webhooks import StripeDeliveries
from tests.deliveries.desk import EMAIL, NOW, SECRET, T, body_of, event, signed

STRIPE = StripeDeliveries([SECRET], livemode=False)


@pytest.fixture
def spool(home: Path) -> Iterator[DeliverySpool]:
    private_folder(drop_folder(home))
    with DeliverySpool(home) as made:
        yield made


def put(folder: Path, name: str, content: bytes, at: int = T) -> Path:
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (at, at))
    return path


def deliver(home: Path, name: str, body: bytes, signature: str, at: int = T) -> None:
    put(drop_folder(home), f"{name}.body", body, at)
    put(drop_folder(home), f"{name}.sig", signature.encode(), at)


def drain(home: Path, spool: DeliverySpool, **later: int) -> Drained:
    return drain_drop_folder(drop_folder(home), spool, STRIPE, now=NOW + timedelta(**later))


def test_sound_deliveries_are_spooled_and_removed(home: Path, spool: DeliverySpool) -> None:
    for number in range(3):
        body = body_of(event(f"evt_{number}"))
        deliver(home, f"d{number}", body, signed(body))
    assert drain(home, spool, minutes=30) == Drained(accepted=3, repeated=0, refused=0)
    assert [e.event_id for e in spool.waiting(10)] == ["evt_0", "evt_1", "evt_2"]
    assert list(drop_folder(home).iterdir()) == []


def test_a_refused_delivery_leaves_names_and_a_reason_only(
    home: Path, spool: DeliverySpool
) -> None:
    body = body_of(event())
    deliver(home, "forged", body, signed(body, secret="whsec_guess"))
    deliver(home, EMAIL, b"\xff" + body, signed(body))
    assert drain(home, spool).refused == 2
    assert list(drop_folder(home).iterdir()) == []
    told = {(r.code, r.event_id, r.event_type, r.account) for r in spool.refusals()}
    assert told == {
        ("signature_digest_mismatch", "evt_1AbC", "charge.updated", "acct_1Ada"),
        ("signature_digest_mismatch", None, None, None),
    }
    spool.close()
    for path in home.rglob("*"):
        assert path.is_dir() or EMAIL.encode() not in path.read_bytes(), path


def test_an_old_capture_put_there_today_is_refused(home: Path, spool: DeliverySpool) -> None:
    body = body_of(event())
    deliver(home, "old", body, signed(body, t=T - 3_600))
    # Dating the file back does not help against an event that was seen, nor beyond three days.
    four_days = 4 * 86_400
    deliver(home, "older", body, signed(body, t=T - four_days), at=T - four_days)
    deliver(home, "future", body, signed(body, t=T + 3_600), at=T + 3_600)
    assert drain(home, spool).refused == 3
    assert {r.code for r in spool.refusals()} == {"signature_outside_tolerance"}


def test_a_crash_between_spool_and_removal_repeats_nothing(
    home: Path, spool: DeliverySpool
) -> None:
    body = body_of(event())
    spool.add_event(STRIPE.accept(signed(body), body, now=NOW), at=NOW)
    deliver(home, "again", body, signed(body))
    assert drain(home, spool) == Drained(accepted=0, repeated=1, refused=0)
    assert len(spool.waiting(10)) == 1
    assert list(drop_folder(home).iterdir()) == []


def test_half_a_delivery_waits_for_its_signature_and_is_given_up_after_an_hour(
    home: Path, spool: DeliverySpool
) -> None:
    put(drop_folder(home), "half.body", body_of(event()))
    put(drop_folder(home), "half.body.tmp", body_of(event()))
    assert drain(home, spool, minutes=59) == Drained(0, 0, 0)
    assert len(list(drop_folder(home).iterdir())) == 2
    assert drain(home, spool, minutes=60).refused == 2
    assert list(drop_folder(home).iterdir()) == []


def test_a_link_out_of_the_folder_is_not_followed(
    home: Path, spool: DeliverySpool, tmp_path: Path
) -> None:
    body = body_of(event())
    outside = tmp_path / "outside.body"
    outside.write_bytes(body)
    (drop_folder(home) / "link.body").symlink_to(outside)
    put(drop_folder(home), "link.sig", signed(body).encode())
    assert drain(home, spool).refused == 1
    assert outside.exists()
    assert spool.waiting(10) == []


def test_an_oversized_body_is_refused_unread(home: Path, spool: DeliverySpool) -> None:
    body = b" " * (1024 * 1024 + 1)
    deliver(home, "huge", body, signed(body))
    assert drain(home, spool).refused == 1
    assert [r.code for r in spool.refusals()] == ["delivery_unreadable"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove from any folder")
def test_a_folder_that_cannot_be_emptied_is_said(home: Path, spool: DeliverySpool) -> None:
    body = body_of(event())
    deliver(home, "stuck", body, signed(body))
    drop_folder(home).chmod(0o500)
    with pytest.raises(TieoutError):
        drain(home, spool)
    drop_folder(home).chmod(0o700)


def test_the_mark_changes_with_what_waits(home: Path) -> None:
    assert waiting_mark(home) is None
    private_folder(drop_folder(home))
    with DeliverySpool(home) as spool:
        assert waiting_mark(home) is None
        spool.add_event(SpooledEvent("evt_1", "charge.updated", None, NOW), at=NOW)
        first = waiting_mark(home)
        assert first
        assert waiting_mark(home) == first
        spool.add_event(SpooledEvent("evt_2", "charge.updated", None, NOW), at=NOW)
        assert waiting_mark(home) not in (None, first)
        spool.settle({1: "read", 2: "read"}, at=NOW)
        assert waiting_mark(home) is None
    put(drop_folder(home), "d.sig", b"t=1")
    assert waiting_mark(home)
