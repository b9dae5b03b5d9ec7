"""Claims about single acts on the simulated rail: what they post, refuse and leave behind."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.simulator.ledger import Ledger, Posting, Unbalanced
from ingest.simulator.rail import Rail, RailError
from tests.simulator.rail_world import START, day, eventful_rail, new_rail


@pytest.fixture
def rail() -> Rail:
    rail = new_rail()[0]
    rail.top_up(100_000, at=START)
    return rail


def txn(rail: Rail, txn_id: str) -> dict[str, Any]:
    return rail.retrieve("balance_transaction", txn_id)


def shown(txn: dict[str, Any]) -> tuple[str, str, int, int, int]:
    return (txn["type"], txn["reporting_category"], txn["amount"], txn["fee"], txn["net"])


def test_an_unbalanced_entry_never_enters_the_ledger() -> None:
    ledger = Ledger()
    with pytest.raises(Unbalanced):
        ledger.post("lie", [], [Posting("outside:customers", "usd", 1)])
    assert ledger.entries == []


def test_a_charge_keeps_its_fee_and_settles_two_midnights_later(rail: Rail) -> None:
    charge = rail.create_charge(10_050, at=day(1.5))
    posted = txn(rail, charge["balance_transaction"])
    assert shown(posted) == ("charge", "charge", 10_050, 321, 9_729)
    assert posted["available_on"] == int(day(3).timestamp())


@pytest.mark.parametrize(("amount", "fee"), [(10_000, 320), (50, 31), (17, 30), (18, 31)])
def test_the_default_fee_rounds_half_up(rail: Rail, amount: int, fee: int) -> None:
    charge = rail.create_charge(amount, at=day(1))
    assert txn(rail, charge["balance_transaction"])["fee"] == fee


def test_money_becomes_available_by_the_clock_alone() -> None:
    rail, clock = new_rail(day(1))
    charge = rail.create_charge(1_000, at=day(1), fee=0)
    assert rail.balance()["pending"][0]["amount"] == 1_000
    assert txn(rail, charge["balance_transaction"])["status"] == "pending"
    clock.at = day(3)
    assert rail.balance()["available"][0]["amount"] == 1_000
    assert txn(rail, charge["balance_transaction"])["status"] == "available"
    clock.at = day(1)
    assert txn(rail, charge["balance_transaction"])["status"] == "pending"


def test_a_transfer_posts_both_sides_and_links_them(rail: Rail) -> None:
    made = rail.create_transfer(
        700, at=day(2), destination="acct_1Seller", transfer_group="key", metadata={"a": "b"}
    )
    assert shown(txn(rail, made["balance_transaction"])) == (
        "transfer", "transfer", -700, 0, -700,
    )  # fmt: skip
    payment = rail.retrieve("charge", made["destination_payment"], "acct_1Seller")
    assert payment["id"].startswith("py_")
    assert payment["source_transfer"] == made["id"]
    assert shown(txn(rail, payment["balance_transaction"])) == (
        "payment", "charge", 700, 0, 700,
    )  # fmt: skip
    assert made["transfer_group"] == "key"
    assert made["metadata"] == {"a": "b"}


def test_a_reversal_posts_a_transfer_refund_here_and_a_payment_refund_there(rail: Rail) -> None:
    made = rail.create_transfer(700, at=day(2), destination="acct_1Seller")
    reversal = rail.reverse_transfer(made["id"], 300, at=day(3))
    assert shown(txn(rail, reversal["balance_transaction"])) == (
        "transfer_refund", "transfer_reversal", 300, 0, 300,
    )  # fmt: skip
    refund = rail.retrieve("refund", reversal["destination_payment_refund"])
    assert refund["id"].startswith("pyr_")
    assert shown(txn(rail, refund["balance_transaction"])) == (
        "payment_refund", "refund", -300, 0, -300,
    )  # fmt: skip
    held = rail.retrieve("transfer", made["id"])
    assert (held["amount_reversed"], held["reversed"]) == (300, False)
    with pytest.raises(RailError, match="greater than unreversed"):
        rail.reverse_transfer(made["id"], 401, at=day(3))
    rail.reverse_transfer(made["id"], at=day(4))
    assert rail.retrieve("transfer", made["id"])["reversed"] is True
    assert rail.balance("acct_1Seller")["available"][0]["amount"] == 0


def test_a_transfer_embeds_only_its_ten_newest_reversals(rail: Rail) -> None:
    made = rail.create_transfer(700, at=day(2), destination="acct_1Seller")
    ids = [rail.reverse_transfer(made["id"], 1, at=day(3 + n))["id"] for n in range(12)]
    embedded = rail.retrieve("transfer", made["id"])["reversals"]
    assert [reversal["id"] for reversal in embedded["data"]] == ids[:1:-1]
    assert embedded["has_more"] is True


def test_a_connected_account_in_another_currency_is_paid_at_the_rate(rail: Rail) -> None:
    made = rail.create_transfer(777, at=day(2), destination="acct_1Euro")
    payment = rail.retrieve("charge", made["destination_payment"])
    posted = txn(rail, payment["balance_transaction"])
    assert (posted["currency"], posted["amount"]) == ("eur", 716)
    assert posted["exchange_rate"] == 0.9213
    for amount in (100, 333, 344):
        rail.reverse_transfer(made["id"], amount, at=day(3))
    assert rail.balance("acct_1Euro")["available"][0]["amount"] == 0
    rail.create_account("acct_1Yen", at=START, currency="jpy")
    with pytest.raises(RailError, match="exchange_rates"):
        rail.create_transfer(1, at=day(2), destination="acct_1Yen")


def test_a_transfer_is_refused_without_funds_capability_or_destination(rail: Rail) -> None:
    with pytest.raises(RailError) as refused:
        rail.create_transfer(100_001, at=day(2), destination="acct_1Seller")
    assert refused.value.code == "balance_insufficient"
    with pytest.raises(RailError) as refused:
        rail.create_transfer(1, at=day(2), destination="acct_none")
    assert refused.value.code == "resource_missing"
    rail.update_account("acct_1Seller", at=day(1), capabilities={"transfers": "inactive"})
    with pytest.raises(RailError) as refused:
        rail.create_transfer(1, at=day(2), destination="acct_1Seller")
    assert refused.value.code == "insufficient_capabilities_for_transfer"
    assert rail.objects("transfer") == []
    assert rail.check_invariants() == []


def test_a_transfer_from_a_charge_waits_for_it_and_never_exceeds_it(rail: Rail) -> None:
    charge = rail.create_charge(1_000, at=day(39.9))
    made = rail.create_transfer(
        800, at=day(39.9), destination="acct_1Seller", source_transaction=charge["id"]
    )
    ours = txn(rail, made["balance_transaction"])
    assert ours["available_on"] == txn(rail, charge["balance_transaction"])["available_on"]
    assert ours["status"] == "pending"
    assert made["transfer_group"] == f"group_{charge['id']}"
    with pytest.raises(RailError, match="expected at most 1000"):
        rail.create_transfer(
            201, at=day(39.9), destination="acct_1Seller", source_transaction=charge["id"]
        )


def test_a_dispute_takes_amount_and_fee_in_one_balance_transaction(rail: Rail) -> None:
    charge = rail.create_charge(25_000, at=day(1))
    dispute = rail.open_dispute(charge["id"], at=day(5))
    (withdrawal,) = dispute["balance_transactions"]
    assert shown(withdrawal) == ("adjustment", "dispute", -25_000, 1_500, -26_500)
    assert withdrawal["source"] == dispute["id"]
    won = rail.close_dispute(dispute["id"], "won", at=day(9))
    assert shown(won["balance_transactions"][1]) == (
        "adjustment", "dispute_reversal", 25_000, 0, 25_000,
    )  # fmt: skip
    assert rail.retrieve("charge", charge["id"])["disputed"] is True


def test_an_inquiry_moves_nothing_until_it_escalates(rail: Rail) -> None:
    charge = rail.create_charge(2_000, at=day(1))
    inquiry = rail.open_dispute(charge["id"], at=day(5), status="warning_needs_response")
    assert inquiry["balance_transactions"] == []
    assert inquiry["is_charge_refundable"] is True
    second = rail.open_dispute(charge["id"], at=day(5), status="warning_needs_response")
    closed = rail.close_dispute(second["id"], "warning_closed", at=day(6))
    assert closed["balance_transactions"] == []
    moved = rail.move_dispute(inquiry["id"], "needs_response", at=day(7))
    assert [t["net"] for t in moved["balance_transactions"]] == [-3_500]
    lost = rail.close_dispute(inquiry["id"], "lost", at=day(9))
    assert len(lost["balance_transactions"]) == 1
    with pytest.raises(RailError, match="expected an open one"):
        rail.close_dispute(inquiry["id"], "won", at=day(10))


def test_a_failed_refund_brings_the_money_back_and_does_not_count(rail: Rail) -> None:
    charge = rail.create_charge(1_000, at=day(1), fee=0)
    refund = rail.refund(charge["id"], 400, at=day(2), status="failed")
    assert txn(rail, refund["balance_transaction"])["amount"] == -400
    assert txn(rail, refund["failure_balance_transaction"])["amount"] == 400
    assert rail.retrieve("charge", charge["id"])["amount_refunded"] == 0
    rail.refund(charge["id"], at=day(3))
    assert rail.retrieve("charge", charge["id"])["refunded"] is True
    with pytest.raises(RailError) as refused:
        rail.refund(charge["id"], at=day(4))
    assert refused.value.code == "charge_already_refunded"


def test_an_automatic_payout_and_its_members_sum_to_zero(rail: Rail) -> None:
    rail.create_charge(5_000, at=day(1))
    rail.create_charge(7_000, at=day(9.5))
    with pytest.raises(RailError, match="sweeps what is available"):
        rail.create_payout(1, at=day(10), automatic=True)
    payout = rail.create_payout(rail.available_cents(at=day(10)), at=day(10), automatic=True)
    members = rail.books.payout_members[payout["id"]]
    assert payout["balance_transaction"] == members[0]
    assert sum(txn(rail, member)["net"] for member in members) == 0
    assert len(members) == 3
    again = rail.create_payout(None, at=day(13), automatic=True)
    assert len(rail.books.payout_members[again["id"]]) == 2


def test_a_paid_payout_can_still_fail_and_its_money_returns(rail: Rail) -> None:
    payout = rail.create_payout(600, at=day(10))
    assert rail.retrieve("payout", payout["id"])["status"] == "paid"
    failed = rail.fail_payout(payout["id"], at=day(14))
    assert failed["status"] == "failed"
    back = txn(rail, failed["failure_balance_transaction"])
    assert shown(back) == ("payout_failure", "payout_reversal", 600, 0, 600)
    with pytest.raises(RailError):
        rail.fail_payout(payout["id"], at=day(15))


def test_a_payout_walks_from_pending_to_paid_and_can_be_canceled_only_while_pending() -> None:
    rail, clock = new_rail(day(10))
    rail.top_up(1_000, at=day(1))
    payout = rail.create_payout(100, at=day(10))
    assert payout["status"] == "pending"
    clock.at = day(10.5)
    assert rail.retrieve("payout", payout["id"])["status"] == "in_transit"
    with pytest.raises(RailError):
        rail.cancel_payout(payout["id"], at=day(10.5))
    clock.at = day(12)
    assert rail.retrieve("payout", payout["id"])["status"] == "paid"
    assert next(e["type"] for e in rail.objects("event")) == "payout.paid"


def test_a_destination_charge_pays_the_seller_and_keeps_the_cut(rail: Rail) -> None:
    charge = rail.create_charge(10_000, at=day(1), destination="acct_1Seller", application_fee=900)
    (fee,) = rail.objects("application_fee")
    assert (fee["amount"], fee["originating_transaction"]) == (900, charge["id"])
    assert rail.balance("acct_1Seller")["available"][0]["amount"] == 9_100
    rail.refund(charge["id"], at=day(3))
    assert rail.retrieve("transfer", charge["transfer"])["amount_reversed"] == 0
    assert rail.retrieve("application_fee", fee["id"])["refunded"] is False
    assert rail.check_invariants() == []


def test_ids_are_decided_by_seed_and_acts_alone() -> None:
    ids = [[t["id"] for t in eventful_rail()[0].objects("balance_transaction")] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])
    other, _ = new_rail(seed=7)
    other.top_up(1, at=START)
    assert other.objects("topup")[0]["id"] not in {
        t["id"] for t in eventful_rail()[0].objects("topup")
    }


def test_events_older_than_thirty_days_are_gone_and_the_rest_carry_their_object() -> None:
    rail, clock = new_rail(day(2))
    charge = rail.create_charge(1_000, at=day(1))
    made = [e for e in rail.objects("event") if e["type"] == "charge.succeeded"]
    assert made[0]["data"]["object"] == charge
    clock.at = day(60)
    assert rail.create_charge(1_000, at=day(1))["id"] not in str(rail.objects("event"))


def test_what_is_handed_out_shares_nothing_with_the_rail(rail: Rail) -> None:
    charge = rail.create_charge(1_000, at=day(1), metadata={"a": "b"})
    charge["metadata"]["a"] = "changed"
    rail.objects("charge")[0]["amount"] = 0
    assert rail.retrieve("charge", charge["id"])["metadata"] == {"a": "b"}
    assert rail.retrieve("charge", charge["id"])["amount"] == 1_000


def test_a_naive_time_is_refused(rail: Rail) -> None:
    with pytest.raises(RailError, match="naive"):
        rail.top_up(1, at=START.replace(tzinfo=None))
