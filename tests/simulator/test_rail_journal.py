"""Claim: acts that arrived over HTTP survive a restart, each of them exactly once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.simulator.api import Api, Request
from ingest.simulator.faults import Faults
from ingest.simulator.http import serve
from ingest.simulator.rail import Rail, RailError
from tests.simulator.rail_world import START, Clock, day, new_rail


def planted(path: Path, at: float = 40, extra_charges: int = 0) -> tuple[Rail, Clock]:
    rail, clock = new_rail(day(at), journal_path=path)
    rail.top_up(100_000, at=START)
    for _ in range(1 + extra_charges):
        rail.create_charge(1_000, at=day(1))
    return rail, clock


def post(rail: Rail, path: str, form: str, key: str | None = None) -> Any:
    headers = {"authorization": "Bearer sk_test_journal"}
    if key is not None:
        headers["idempotency-key"] = key
    reply = Api(rail, Faults()).handle(Request("POST", path, "", headers, form.encode()))
    return json.loads(reply.body)


def state(rail: Rail) -> dict[str, Any]:
    kinds = ("transfer", "transfer_reversal", "refund", "payout", "topup", "balance_transaction")
    return {kind: rail.objects(kind) for kind in kinds} | {"balance": rail.balance()}


def test_a_restarted_rail_holds_the_same_objects(tmp_path: Path) -> None:
    path = tmp_path / "rail.jsonl"
    rail, _ = planted(path)
    assert rail.start_journal() == 0
    made = post(rail, "/v1/transfers", "amount=500&currency=usd&destination=acct_1Seller", "k1")
    post(rail, f"/v1/transfers/{made['id']}/reversals", "amount=100")
    post(rail, "/v1/refunds", f"charge={rail.objects('charge')[0]['id']}&amount=10")
    payout = post(rail, "/v1/payouts", "amount=70&currency=usd")
    post(rail, f"/v1/payouts/{payout['id']}/cancel", "")
    post(rail, f"/v1/transfers/{made['id']}", "metadata[a]=b")
    again, _ = planted(path)
    assert again.start_journal() == 6
    assert again.start_journal() == 6
    assert state(again) == state(rail)
    assert again.check_invariants() == []


def test_ids_of_replayed_acts_do_not_depend_on_what_was_planted_or_when(tmp_path: Path) -> None:
    path = tmp_path / "rail.jsonl"
    rail, _ = planted(path)
    form = "amount=500&currency=usd&destination=acct_1Seller"
    made = post(rail, "/v1/transfers", form, "k1")
    later, _ = planted(path, at=400, extra_charges=3)
    later.start_journal()
    assert later.retrieve("transfer", made["id"])["amount"] == 500
    assert later.retrieve("charge", made["destination_payment"], "acct_1Seller")


def test_a_key_is_remembered_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "rail.jsonl"
    rail, _ = planted(path)
    form = "amount=500&currency=usd&destination=acct_1Seller"
    made = post(rail, "/v1/transfers", form, "k1")
    refused = post(rail, "/v1/transfers", form.replace("500", "500000"), "k2")
    again, _ = planted(path)
    with serve(again):
        assert post(again, "/v1/transfers", form, "k1")["id"] == made["id"]
        assert post(again, "/v1/transfers", form.replace("500", "500000"), "k2") == refused
        assert len(again.objects("transfer")) == 1


def test_a_torn_last_line_never_happened_and_writing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "rail.jsonl"
    rail, _ = planted(path)
    form = "amount=500&currency=usd&destination=acct_1Seller"
    post(rail, "/v1/transfers", form)
    post(rail, "/v1/transfers", form)
    path.write_bytes(path.read_bytes()[:-20])
    again, _ = planted(path)
    assert again.start_journal() == 1
    third = post(again, "/v1/transfers", form)
    last, _ = planted(path)
    assert last.start_journal() == 2
    assert last.objects("transfer")[0]["id"] == third["id"]


def test_a_journal_of_another_world_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "rail.jsonl"
    rail, _ = planted(path)
    rail.create_account("acct_1Gone", at=START)
    post(rail, "/v1/transfers", "amount=5&currency=usd&destination=acct_1Gone")
    again, _ = planted(path)
    with pytest.raises(RailError, match=r"line 1.*remove it"):
        again.start_journal()
    path.write_text("{}\n")
    with pytest.raises(RailError, match="line 1"):
        planted(path)[0].start_journal()


def test_the_journal_is_private_and_holds_no_keys_of_the_api(tmp_path: Path) -> None:
    path = tmp_path / "rail.jsonl"
    rail, _ = planted(path)
    post(rail, "/v1/transfers", "amount=5&currency=usd&destination=acct_1Seller", "k")
    assert path.stat().st_mode & 0o077 == 0
    assert "sk_test" not in path.read_text()
