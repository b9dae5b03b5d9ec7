"""Corruptions of payouts: transfers and the references that lead them to an instruction.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: reversals, operations and instructions (kinds_bookings.py).
"""

from __future__ import annotations

from datetime import timedelta

from tests.mutation.kinds import Expected, Money, kind

__all__: list[str] = []

HOUR = timedelta(hours=1)


def _over(money: Money, cents: int) -> list[Expected]:
    transfer = money.transfer(money.clean.paid)
    money.resize_transfer(transfer, cents)
    code = "AMOUNT_OVER" if cents > 0 else "AMOUNT_UNDER"
    return [money.on_payout(code, -cents, money.clean.paid, rail=transfer["id"])]


@kind
def transfer_over(money: Money) -> list[Expected]:
    """A transfer sends 7.00 too much, on both legs."""
    return _over(money, 700)


@kind
def transfer_under(money: Money) -> list[Expected]:
    """A transfer sends 7.00 too little, on both legs."""
    return _over(money, -700)


@kind
def transfer_one_cent_over(money: Money) -> list[Expected]:
    """A transfer sends a cent too much."""
    return _over(money, 1)


@kind
def transfer_one_cent_under(money: Money) -> list[Expected]:
    """A transfer sends a cent too little."""
    return _over(money, -1)


@kind
def transfer_in_other_currency(money: Money) -> list[Expected]:
    """A transfer and its movements are in euros under a dollar instruction."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    transfer["currency"] = "eur"
    for source in (transfer["id"], transfer["destination_payment"]):
        money.transaction(source)["currency"] = "eur"
    money.charge(transfer["destination_payment"])["currency"] = "eur"
    return [
        money.on_payout("CURRENCY_MISMATCH", paid.amount_cents, paid),
        money.on_payout(
            "CURRENCY_MISMATCH", -paid.amount_cents, paid, rail=transfer["id"], currency="EUR"
        ),
    ]


def _redirect(money: Money, to_account: str) -> str:
    transfer = money.transfer(money.clean.paid)
    transfer["destination"] = to_account
    money.charge(transfer["destination_payment"])["account_id"] = to_account
    money.transaction(transfer["destination_payment"])["account_id"] = to_account
    return str(transfer["id"])


@kind
def transfer_to_other_party(money: Money) -> list[Expected]:
    """A transfer goes to another party's account."""
    paid = money.clean.paid
    transfer_id = _redirect(money, money.clean.beta.account_id)
    amount, beta = paid.amount_cents, money.clean.beta.party_id
    return [
        money.on_payout("DESTINATION_MISMATCH", amount, paid),
        money.on_payout("DESTINATION_MISMATCH", -amount, paid, rail=transfer_id, party=beta),
    ]


@kind
def transfer_to_stranger(money: Money) -> list[Expected]:
    """A transfer goes to an account that nobody knows."""
    paid = money.clean.paid
    transfer_id = _redirect(money, "acct_stranger")
    return [
        money.on_payout("DESTINATION_MISMATCH", paid.amount_cents, paid),
        money.on_payout(
            "DESTINATION_MISMATCH", -paid.amount_cents, paid, rail=transfer_id, party=None
        ),
    ]


@kind
def transfers_swap_amounts(money: Money) -> list[Expected]:
    """Two parties' transfers are off by the same amount in opposite directions: net nought."""
    paid, split = money.clean.paid, money.clean.split
    money.resize_transfer(money.transfer(paid), 500)
    money.resize_transfer(money.transfer(split), -500)
    return [
        money.on_payout("AMOUNT_OVER", -500, paid, rail=paid.transfers[0]["id"]),
        money.on_payout("SPLIT_INCOMPLETE", 500, split),
    ]


@kind
def transfer_missing(money: Money) -> list[Expected]:
    """A transfer with all its movements never happened."""
    money.drop_transfer(money.transfer(money.clean.paid))
    return [money.on_payout("MISSING_EXTERNAL", money.clean.paid.amount_cents, money.clean.paid)]


@kind
def transfer_unread(money: Money) -> list[Expected]:
    """A transfer is not there and its account was not read to the end."""
    paid = money.clean.paid
    money.drop_transfer(money.transfer(paid))
    rows = money.tables.where("tieout/coverage", account_id=paid.party.account_id)
    rows[0]["status"] = "failed"
    return [money.on_payout("SOURCE_INCOMPLETE", paid.amount_cents, paid)]


@kind
def transfer_twice(money: Money) -> list[Expected]:
    """A transfer is sent again an hour later."""
    paid = money.clean.paid
    again = money.copy_transfer(money.transfer(paid), after=HOUR)
    return [money.on_payout("DUPLICATE_EXTERNAL", -paid.amount_cents, paid, rail=again["id"])]


@kind
def split_part_lost(money: Money) -> list[Expected]:
    """The second of two transfers never happened."""
    split = money.clean.split
    second = money.transfer(split, 1)
    money.drop_transfer(second)
    return [money.on_payout("AMOUNT_UNDER", second["amount"], split)]


@kind
def split_part_short(money: Money) -> list[Expected]:
    """The second of two transfers sends 3.00 too little."""
    split = money.clean.split
    money.resize_transfer(money.transfer(split, 1), -300)
    return [money.on_payout("SPLIT_INCOMPLETE", 300, split, rail=split.transfers[1]["id"])]


@kind
def split_part_over(money: Money) -> list[Expected]:
    """The second of two transfers sends 3.00 too much."""
    split = money.clean.split
    money.resize_transfer(money.transfer(split, 1), 300)
    return [money.on_payout("AMOUNT_OVER", -300, split, rail=split.transfers[1]["id"])]


@kind
def split_thrice(money: Money) -> list[Expected]:
    """A third transfer repeats the second of a split payout."""
    split = money.clean.split
    again = money.copy_transfer(money.transfer(split, 1), after=HOUR)
    return [money.on_payout("DUPLICATE_EXTERNAL", -again["amount"], split, rail=again["id"])]


@kind
def transfer_late(money: Money) -> list[Expected]:
    """A transfer comes twelve days after its instruction, where ten are allowed."""
    paid = money.clean.paid
    transfer = money.transfer(paid)
    late = transfer["created"] + timedelta(days=11)
    money.shift(transfer, late)
    for source in (transfer["id"], transfer["destination_payment"]):
        money.shift(money.transaction(source), late)
    return [money.on_payout("LATE_SETTLEMENT", 0, paid, rail=transfer["id"])]


@kind
def transfer_across_midnight(money: Money) -> list[Expected]:
    """A transfer comes a second before midnight instead of the day after; nothing is wrong."""
    transfer = money.transfer(money.clean.paid)
    midnight = transfer["created"].replace(hour=0, minute=0, second=0)
    money.shift(transfer, midnight - timedelta(seconds=1))
    money.shift(money.transaction(transfer["id"]), midnight)
    return []


@kind
def references_stripped(money: Money) -> list[Expected]:
    """A transfer loses all references; its amount, party and date still fit one instruction."""
    money.strip_references(money.clean.paid)
    return []


@kind
def references_stripped_but_the_booking(money: Money) -> list[Expected]:
    """A transfer loses its references; the kernel's operation still names it."""
    transfer = money.transfer(money.clean.paid)
    names = [name for name in transfer if name.startswith("meta_")]
    transfer |= dict.fromkeys([*names, "transfer_group"])
    return []


@kind
def references_stripped_and_nothing_fits(money: Money) -> list[Expected]:
    """A transfer loses all references, and 50.00 of its amount."""
    paid = money.clean.paid
    transfer = money.strip_references(paid)
    money.resize_transfer(transfer, -5_000)
    sent = paid.amount_cents - 5_000
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        Expected("REFERENCE_MISSING", -sent, rail=transfer["id"], party=paid.party.party_id),
    ]


@kind
def references_of_an_unknown_payout(money: Money) -> list[Expected]:
    """A transfer names a payout that the kernel never instructed."""
    paid = money.clean.paid
    transfer = money.strip_references(
        paid, transfer_group="grp_other", meta_payout_key="other", meta_operation_id="mop_other"
    )
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        Expected(
            "MISSING_INTERNAL", -paid.amount_cents, rail=transfer["id"], party=paid.party.party_id
        ),
    ]


@kind
def references_of_two_stripped(money: Money) -> list[Expected]:
    """Two equal transfers without references fit one instruction: neither is taken."""
    paid = money.clean.paid
    transfer = money.strip_references(paid)
    again = money.copy_transfer(transfer, after=HOUR)
    party = paid.party.party_id
    return [
        money.on_payout("AMBIGUOUS_MATCH", paid.amount_cents, paid),
        *(
            Expected("AMBIGUOUS_MATCH", -paid.amount_cents, rail=each["id"], party=party)
            for each in (transfer, again)
        ),
    ]
