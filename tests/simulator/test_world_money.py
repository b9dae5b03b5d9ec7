"""The money of the worlds adds up: on the rail, in the kernel's books, and between the two.

The tests recompute everything from exports and listed rail objects; what the world says about
itself is only the truth they compare with.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ingest.simulator.world import World
from tests.simulator.kernel_face import ANCHOR
from tests.simulator.planted import the_demo, the_stage

Rows = dict[str, list[dict[str, Any]]]

# Where links and instruction, or fee and receipt, are made to disagree.
_LINKS_DISAGREE = {"t_holdback_variance"}


@pytest.fixture(scope="module")
def worlds() -> tuple[World, World]:
    """The demo, and all scenarios in one world."""
    return the_demo(), the_stage()


def _tenants(worlds: tuple[World, World]) -> Iterator[tuple[World, str, Rows]]:
    for world in worlds:
        for tenant_id, partner in world.partners.items():
            export = partner.export(exported_through=world.anchor)
            yield (
                world,
                tenant_id,
                {name: [dict(row) for row in rows] for name, rows in export.rows.items()},
            )


def test_the_rails_identities_hold(worlds: tuple[World, World]) -> None:
    for world in worlds:
        assert world.rail.check_invariants() == []


def test_links_sum_to_their_instruction(worlds: tuple[World, World]) -> None:
    for _, tenant_id, rows in _tenants(worlds):
        linked: Counter[str] = Counter()
        for link in rows["receipt_payout_links"]:
            linked[link["payoutKey"]] += link["amountCents"]
        off = {
            row["payoutKey"]
            for row in rows["payout_instructions"]
            if linked.pop(row["payoutKey"]) != row["payout"]["amountCents"]
        }
        assert linked == {}
        assert bool(off) == (tenant_id in _LINKS_DISAGREE), tenant_id


def test_a_payout_names_a_source_once_and_a_receipt_is_paid_once(
    worlds: tuple[World, World],
) -> None:
    for _, tenant_id, rows in _tenants(worlds):
        links = rows["receipt_payout_links"]
        named = [(r["payoutKey"], r["sourceType"], r["sourceId"]) for r in links]
        assert len(named) == len(set(named))
        receipts = Counter(row["sourceId"] for row in links if row["sourceType"] == "receipt")
        again = {name for name, count in receipts.items() if count > 1}
        # Only a statement that was generated again claims its receipts again.
        assert bool(again) == (tenant_id in {"t_duplicate_instruction", "t_superseded_instruction"})


def test_statements_tie_to_the_general_ledger(worlds: tuple[World, World]) -> None:
    for _, _, rows in _tenants(worlds):
        by_event = defaultdict(list)
        for statement in rows["party_statements"]:
            by_event[statement["sourceEventId"]].append(statement)
        for batch in rows["gl_batches"]:
            lines = batch["batch"]["lines"]
            ledger: Counter[tuple[str, str]] = Counter()
            for line in lines:
                ledger[line["partyId"], line["accountId"]] += line["amountCents"]
            stated: Counter[tuple[str, str]] = Counter()
            entries: set[str] = set()
            statements = by_event.pop(batch["sourceEventId"])
            for statement in statements:
                entries |= set(statement["statement"]["includedEntryIds"])
                for account, cents in statement["statement"]["totalsByAccountId"].items():
                    stated[statement["partyId"], account] += cents
            assert stated == ledger
            assert entries == {line["entryId"] for line in lines}
            assert sum(line["amountCents"] for line in lines) == 0
            assert sum(s["statement"]["balanceDeltaCents"] for s in statements) == 0
            assert len({line["currency"] for line in lines}) == 1
        # What is left was generated again, under an event that closed no ledger.
        assert all(event.endswith("_again") for event in by_event)


def test_instructions_pay_what_their_statement_says(worlds: tuple[World, World]) -> None:
    pattern = re.compile(r"(.+?):party:(.+):period:(\d{4}-\d\d):statement:([0-9a-f]{64})")
    for _, tenant_id, rows in _tenants(worlds):
        statements = {row["artifactHash"]: row for row in rows["party_statements"]}
        for row in rows["payout_instructions"]:
            statement = statements[row["statementHash"]]
            assert row["payout"]["amountCents"] == statement["statement"]["payoutCents"] > 0
            parsed = pattern.fullmatch(row["payoutKey"])
            assert parsed is not None
            assert parsed.groups() == (
                tenant_id,
                row["partyId"],
                row["period"],
                row["statementHash"],
            )


def test_settlement_statements_name_the_ledgers_entries(worlds: tuple[World, World]) -> None:
    for _, _, rows in _tenants(worlds):
        settled = {
            entry_id
            for row in rows["settlement_statements"]
            for entry_id in row["settlement"]["ledgerEntryIds"]
        }
        closed = {
            line["entryId"]
            for batch in rows["gl_batches"]
            for line in batch["batch"]["lines"]
            if line["memo"].endswith(("BOOKED", "SETTLED"))
        }
        assert closed <= settled


def _sent(world: World) -> dict[tuple[str | None, str], int]:
    """What the rail sent a payout key (its group) and currency, less what it took back."""
    sent: Counter[tuple[str | None, str]] = Counter()
    for row in world.rail.objects("transfer"):
        key = (row["transfer_group"], row["currency"].upper())
        sent[key] += row["amount"] - row["amount_reversed"]
    return sent


def test_the_truth_is_the_whole_difference_of_every_payout(worlds: tuple[World, World]) -> None:
    """Instruction (or, for a forgotten hold, its links) minus what was sent is what truth says."""
    for world in worlds:
        stated: Counter[tuple[str | None, str]] = Counter()
        for row in world.truth:
            stated[row["payout_key"], row["currency"]] += row["drift_cents"]
        sent = _sent(world)
        judged = set()
        for tenant_id, partner in world.partners.items():
            operations = {r["operationId"]: r for r in partner.rows["money_rail_operations"]}
            if tenant_id in {"t_fee_variance", "t_sign_mismatch", "t_reference_by_amount"} | {
                "t_holdback_variance",
                "t_reference_by_operation",
            }:
                continue
            for row in partner.rows["payout_instructions"]:
                key, currency = row["payoutKey"], row["payout"]["currency"]
                state = operations.get(f"mop_{key}", {}).get("state")
                expected = 0 if state == "reversed" else row["payout"]["amountCents"]
                judged.add((key, currency))
                assert expected - sent[key, currency] == stated[key, currency], tenant_id
        # The rows that are not about an instruction's own currency are about what was sent in it.
        for key, cents in stated.items():
            if key[0] is not None and key not in judged and cents:
                assert cents == -sent[key] or key[0].startswith(("t_fee", "t_sign", "t_holdback"))


def test_charges_and_refunds_are_what_receipts_say_but_where_truth_differs(
    worlds: tuple[World, World],
) -> None:
    for world in worlds:
        charges = {row["id"]: row for row in world.rail.objects("charge")}
        differing = {
            (row["tenant_id"], row["kernel_object_id"])
            for row in world.truth
            if row["outcome"] == "break"
        }
        linked = set()
        for tenant_id, partner in world.partners.items():
            rows = partner.rows
            receipts = {r["receiptId"]: r for r in rows["settlement_receipts"]} | {
                r["receiptId"]: r["settlementReceipt"] for r in rows["x402_receipts"]
            }
            given_back = {
                row["receiptHash"]: row["amountCents"]
                for row in rows["settlement_adjustments"]
                if row["kind"] == "holdback_refund"
            }
            for link in rows["charge_links"]:
                linked.add(link["chargeId"])
                receipt, charge = receipts[link["sourceId"]], charges.get(link["chargeId"])
                back = receipt["refundedAmountCents"] + given_back.get(receipt["receiptHash"], 0)
                agrees = (
                    charge is not None
                    and charge["amount"] == link["amountCents"] == receipt["amountCents"]
                    and charge["currency"] == link["currency"].lower()
                    and charge["amount_refunded"] == back
                )
                named = (tenant_id, link["sourceId"])
                assert agrees != (named in differing), named
        stray = {
            row["rail_object_id"]
            for row in world.truth
            if row["tenant_id"] == "_platform" and row["reason_code"] == "MISSING_INTERNAL"
        }
        assert set(charges) - linked == stray


def test_lost_disputes_are_the_exposures(worlds: tuple[World, World]) -> None:
    for world in worlds:
        parties = {
            link["chargeId"]: (tenant_id, link["partyId"])
            for tenant_id, partner in world.partners.items()
            for link in partner.rows["charge_links"]
        }
        net: Counter[tuple[str, str]] = Counter()
        for dispute in world.rail.objects("dispute"):
            for moved in dispute["balance_transactions"]:
                if dispute["charge"] in parties:
                    net[parties[dispute["charge"]]] -= moved["net"]
        stated = {
            (row["tenant_id"], row["party_id"]): row["outstanding_cents"]
            for row in world.expected_exposures
        }
        assert {who: cents for who, cents in net.items() if cents} == {
            who: cents for who, cents in stated.items() if cents
        }


def test_the_demos_platform_never_runs_dry(worlds: tuple[World, World]) -> None:
    demo, _ = worlds
    for currency in ("usd", "eur"):
        at = demo.rail.objects("topup")[-1]["created"]
        moment = ANCHOR.fromtimestamp(at, tz=ANCHOR.tzinfo)
        while moment <= demo.anchor:
            assert demo.rail.available_cents(currency=currency, at=moment) >= 0
            moment += timedelta(hours=12)
        payable = sum(
            row["gross_cents"]
            for row in demo.expected_gates
            if (row["party_id"] == "pty_operator:chisel") == (currency == "eur")
        )
        assert demo.rail.available_cents(currency=currency) > payable


def test_sweeps_have_members(worlds: tuple[World, World]) -> None:
    demo, _ = worlds
    payouts = demo.rail.objects("payout")
    assert {row["currency"] for row in payouts} == {"usd", "eur"}
    assert all(row["automatic"] for row in payouts)
    accounts = [party.account_id for p in demo.partners.values() for party in p.parties.values()]
    assert all(demo.rail.objects("payout", account) for account in accounts)
