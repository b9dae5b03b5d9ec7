"""Faults that somebody put right at the rail, wholly or in part, and keys that lead two ways.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: reversals of what was rightly sent (kinds_bookings.py).
"""

from __future__ import annotations

from datetime import timedelta

from tests.mutation.kinds import PLATFORM_TENANT, Expected, Money, kind
from tests.mutation.landed import Row

__all__: list[str] = []

HOUR = timedelta(hours=1)


def _again(money: Money) -> Row:
    return money.copy_transfer(money.transfer(money.clean.paid), after=HOUR)


@kind
def transfer_twice_and_taken_back(money: Money) -> list[Expected]:
    """A transfer is sent again and the second one is reversed: what was asked for stands."""
    money.take_back(_again(money), money.clean.paid.amount_cents)
    return []


@kind
def transfer_twice_and_taken_back_in_parts(money: Money) -> list[Expected]:
    """A second transfer is reversed in two parts, all but 2.00 of it."""
    paid, again = money.clean.paid, _again(money)
    money.take_back(again, 300)
    money.take_back(again, paid.amount_cents - 500)
    return [money.on_payout("DUPLICATE_EXTERNAL", -200, paid, rail=again["id"])]


@kind
def transfer_sent_again_after_it_came_back(money: Money) -> list[Expected]:
    """A transfer is reversed in full and sent once more under its own key: it is paid once."""
    paid = money.clean.paid
    first = money.transfer(paid)
    _again(money)
    money.take_back(first, paid.amount_cents)
    return []


@kind
def transfer_sent_again_short_after_it_came_back(money: Money) -> list[Expected]:
    """A transfer is reversed in full; what is sent again is 5.00 short of it."""
    paid = money.clean.paid
    first = money.transfer(paid)
    again = _again(money)
    money.resize_transfer(again, -500)
    money.take_back(first, paid.amount_cents)
    return [money.on_payout("STATUS_CONFLICT", 500, paid, rail=first["id"])]


@kind
def transfer_over_and_the_excess_taken_back(money: Money) -> list[Expected]:
    """A transfer sends 7.00 too much, of which 7.00 are reversed."""
    transfer = money.transfer(money.clean.paid)
    money.resize_transfer(transfer, 700)
    money.take_back(transfer, 700)
    return []


@kind
def transfer_over_and_too_much_taken_back(money: Money) -> list[Expected]:
    """A transfer sends 7.00 too much; 10.00 are reversed."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    money.resize_transfer(transfer, 700)
    money.take_back(transfer, 1_000)
    return [money.on_payout("STATUS_CONFLICT", 300, paid, rail=transfer["id"])]


@kind
def transfer_to_stranger_taken_back(money: Money) -> list[Expected]:
    """A transfer to an account nobody knows is reversed; the right one was never sent."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    transfer["destination"] = "acct_stranger"
    money.charge(transfer["destination_payment"])["account_id"] = "acct_stranger"
    money.transaction(transfer["destination_payment"])["account_id"] = "acct_stranger"
    money.take_back(transfer, paid.amount_cents)
    return [money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid)]


@kind
def transfer_to_stranger_taken_back_and_sent_right(money: Money) -> list[Expected]:
    """A transfer to an account nobody knows is reversed, and the right one sent."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    wrong = _again(money)
    wrong["destination"] = "acct_stranger"
    wrong["created"] = transfer["created"] - HOUR
    money.charge(wrong["destination_payment"])["account_id"] = "acct_stranger"
    rows = money.tables.where(
        "stripe/balance_transactions", source=str(wrong["destination_payment"])
    )
    rows[0]["account_id"] = "acct_stranger"
    money.take_back(wrong, paid.amount_cents)
    return []


@kind
def transfer_of_no_instruction_taken_back(money: Money) -> list[Expected]:
    """A transfer under an unknown key is reversed but for 1.00."""
    paid = money.clean.paid
    unknown = {"meta_payout_key": "other", "meta_operation_id": "mop_other"}
    again = money.copy_transfer(money.transfer(paid), after=HOUR, transfer_group="other", **unknown)
    money.take_back(again, paid.amount_cents - 100)
    return [
        Expected("MISSING_INTERNAL", -100, rail=again["id"], party=paid.party.party_id),
    ]


@kind
def second_transfer_kept_of_a_reversed_operation(money: Money) -> list[Expected]:
    """A recalled payout was sent twice; one of the two stays with the party."""
    recalled = money.clean.recalled
    again = money.copy_transfer(
        money.transfer(recalled), after=HOUR, amount_reversed=0, reversed=False
    )
    return [
        money.on_payout("DUPLICATE_EXTERNAL", -recalled.amount_cents, recalled, rail=again["id"])
    ]


@kind
def transfer_booked_by_two_operations(money: Money) -> list[Expected]:
    """A transfer carries no reference and two operations of one party claim it."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    names = [name for name in transfer if name.startswith("meta_")]
    transfer |= dict.fromkeys([*names, "transfer_group"])
    second = money.tables.copy(
        "kernel/payout_instructions",
        money.instruction(paid),
        artifact_id=f"{paid.artifact_id}_second",
        payout_key=f"{paid.key}_second",
        period="2026-08",
        statement_hash=None,
    )
    money.tables.copy(
        "kernel/money_rail_operations",
        money.operation(paid),
        operation_id=f"mop_{paid.key}_second",
        payout_key=second["payout_key"],
    )
    named = {"kernel": second["artifact_id"], "payout": second["payout_key"]}
    amount = paid.amount_cents
    return [
        money.on_payout("AMBIGUOUS_MATCH", amount, paid),
        money.on_payout("AMBIGUOUS_MATCH", amount, paid, **named),
        Expected("AMBIGUOUS_MATCH", -amount, rail=transfer["id"], party=paid.party.party_id),
    ]


def _key_of_the_neighbour(money: Money) -> None:
    """The neighbour's instruction for the same amount gets this tenant's payout key."""
    paid = money.clean.paid
    there = money.tables.copy(
        "kernel/payout_instructions",
        money.instruction(paid),
        tenant_id=money.neighbour.tenant_id,
        party_id=f"pty_operator:{money.clean.tenant_id}",
        artifact_id=f"{paid.artifact_id}_there",
        statement_hash=None,
    )
    assert there["payout_key"] == paid.key


def _unpaid_there(money: Money) -> Expected:
    paid = money.clean.paid
    return Expected(
        "MISSING_EXTERNAL",
        paid.amount_cents,
        kernel=f"{paid.artifact_id}_there",
        payout=paid.key,
        tenant=money.neighbour.tenant_id,
    )


@kind
def key_of_two_tenants(money: Money) -> list[Expected]:
    """Two tenants use one payout key; the account the money went to is one tenant's own."""
    _key_of_the_neighbour(money)
    return [_unpaid_there(money)]


@kind
def key_of_two_tenants_and_the_account_of_neither(money: Money) -> list[Expected]:
    """Two tenants use one payout key, and the money went to an account nobody knows."""
    paid = money.clean.paid
    _key_of_the_neighbour(money)
    transfer = money.transfer(paid)
    transfer["destination"] = "acct_stranger"
    money.charge(transfer["destination_payment"])["account_id"] = "acct_stranger"
    money.transaction(transfer["destination_payment"])["account_id"] = "acct_stranger"
    money.operation(paid)["provider_ref"] = None
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        _unpaid_there(money),
        Expected(
            "AMBIGUOUS_MATCH", -paid.amount_cents, rail=transfer["id"], tenant=PLATFORM_TENANT
        ),
    ]
