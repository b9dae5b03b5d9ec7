"""Corruptions of what is booked about payouts: reversals, operations and instructions.

Belongs here: one function a kind; its docstring says what is done, its answer what must be said.
Does not belong here: transfers and their references (kinds_payouts.py), books (kinds_kernel.py).
"""

from __future__ import annotations

from tests.mutation.kinds import Expected, Money, kind

__all__: list[str] = []


@kind
def reversal_of_a_part_unbooked(money: Money) -> list[Expected]:
    """7.00 of a transfer are taken back and the kernel does not know."""
    return _reversed(money, 700)


@kind
def reversal_unbooked(money: Money) -> list[Expected]:
    """A whole transfer is taken back and the kernel does not know."""
    return _reversed(money, money.clean.paid.amount_cents)


def _reversed(money: Money, cents: int) -> list[Expected]:
    paid = money.clean.paid
    transfer = money.transfer(paid)
    money.take_back(transfer, cents)
    return [money.on_payout("STATUS_CONFLICT", cents, paid, rail=transfer["id"])]


@kind
def reversal_lost(money: Money) -> list[Expected]:
    """The kernel booked a reversal that the rail has no trace of."""
    recalled = money.clean.recalled
    transfer = money.transfer(recalled)
    reversal = money.rail("transfer_reversals", transfer=transfer["id"])
    transfer |= {"amount_reversed": 0, "reversed": False}
    money.drop_transactions(reversal["id"])
    money.tables.drop("stripe/transfer_reversals", id=reversal["id"])
    return [money.on_payout("STATUS_CONFLICT", -recalled.amount_cents, recalled)]


@kind
def reversal_movement_lost(money: Money) -> list[Expected]:
    """A reversal has no balance transaction."""
    recalled = money.clean.recalled
    reversal = money.rail("transfer_reversals", transfer=recalled.transfers[0]["id"])
    money.drop_transactions(reversal["id"])
    return [
        money.on_payout(
            "MISSING_EXTERNAL", recalled.amount_cents, recalled, rail=reversal["id"], kernel=None
        )
    ]


@kind
def reversal_object_lost(money: Money) -> list[Expected]:
    """A reversal's movement is there; the reversal itself is not."""
    recalled = money.clean.recalled
    transfer = money.transfer(recalled)
    reversal = money.tables.drop("stripe/transfer_reversals", transfer=transfer["id"])[0]
    return [
        Expected(
            "REFERENCE_MISSING", recalled.amount_cents, rail=reversal["id"], tenant="_platform"
        ),
        money.on_payout(
            "STATUS_CONFLICT", recalled.amount_cents, recalled, rail=transfer["id"], kernel=None
        ),
    ]


@kind
def reversal_twice(money: Money) -> list[Expected]:
    """A reversal's balance transaction is there twice."""
    recalled = money.clean.recalled
    reversal = money.rail("transfer_reversals", transfer=recalled.transfers[0]["id"])
    money.copy_transaction(reversal["id"])
    return [
        Expected(
            "DUPLICATE_EXTERNAL",
            recalled.amount_cents,
            rail=recalled.transfers[0]["id"],
            party=recalled.party.party_id,
        )
    ]


@kind
def operation_reversed_falsely(money: Money) -> list[Expected]:
    """The kernel says an operation was reversed; the money is still with the party."""
    paid = money.clean.paid
    money.operation(paid)["state"] = "reversed"
    return [money.on_payout("STATUS_CONFLICT", -paid.amount_cents, paid)]


@kind
def operation_failed_falsely(money: Money) -> list[Expected]:
    """The kernel says an operation failed; the transfer happened."""
    paid = money.clean.paid
    money.operation(paid)["state"] = "failed"
    return [
        money.on_payout("STATUS_CONFLICT", paid.amount_cents, paid),
        money.on_payout("STATUS_CONFLICT", -paid.amount_cents, paid, rail=paid.transfers[0]["id"]),
    ]


@kind
def operation_collects(money: Money) -> list[Expected]:
    """The kernel's operation says that money came in; it went out."""
    paid = money.clean.paid
    money.operation(paid)["direction"] = "collection"
    return [money.on_payout("SIGN_MISMATCH", -2 * paid.amount_cents, paid)]


@kind
def operation_of_other_amount(money: Money) -> list[Expected]:
    """The operation says 9.00 less than instruction and transfer."""
    operation = money.operation(money.clean.paid)
    operation["amount_cents"] -= 900
    named = operation["operation_id"]
    return [money.on_payout("AMOUNT_UNDER", 900, money.clean.paid, kernel=named)]


@kind
def operation_in_other_currency(money: Money) -> list[Expected]:
    """The operation says euros where instruction and transfer say dollars."""
    paid = money.clean.paid
    operation = money.operation(paid)
    operation["currency"] = "EUR"
    named = operation["operation_id"]
    return [money.on_payout("CURRENCY_MISMATCH", paid.amount_cents, paid, kernel=named)]


@kind
def instruction_twice(money: Money) -> list[Expected]:
    """A second statement instructs the same party and month again."""
    paid = money.clean.paid
    again = money.tables.copy(
        "kernel/payout_instructions",
        money.instruction(paid),
        artifact_id=f"{paid.artifact_id}_again",
        payout_key=f"{paid.key}_again",
    )
    return [
        money.on_payout(
            "DUPLICATE_INTERNAL",
            paid.amount_cents,
            paid,
            kernel=again["artifact_id"],
            payout=again["payout_key"],
        )
    ]


@kind
def instruction_said_again(money: Money) -> list[Expected]:
    """The same instruction stands in two artifacts under its one key. Nothing is wrong."""
    row = money.instruction(money.clean.paid)
    again = {"artifact_id": f"{row['artifact_id']}_again"}
    money.tables.copy("kernel/payout_instructions", row, **again)
    return []


@kind
def instruction_lost(money: Money) -> list[Expected]:
    """An instruction is not exported; its transfer is there."""
    paid = money.clean.paid
    money.drop_kernel("payout_instructions", payout_key=paid.key)
    transfer_id = paid.transfers[0]["id"]
    return [
        Expected(
            "MISSING_INTERNAL", -paid.amount_cents, rail=transfer_id, party=paid.party.party_id
        )
    ]


@kind
def instruction_of_other_amount(money: Money) -> list[Expected]:
    """An instruction says 6.00 more than its links, and than what was sent."""
    euro = money.clean.euro
    money.instruction(euro)["amount_cents"] += 600
    return [
        money.on_payout("AMOUNT_UNDER", 600, euro, rail=euro.transfers[0]["id"]),
        money.on_payout("AMOUNT_OVER", -600, euro),
    ]


@kind
def instruction_not_of_its_statement(money: Money) -> list[Expected]:
    """The statement behind an instruction owes 2.00 less."""
    paid = money.clean.paid
    statement = money.kernel(
        "party_statements", artifact_hash=money.instruction(paid)["statement_hash"]
    )
    statement["payout_cents"] -= 200
    return [money.on_payout("AMOUNT_OVER", -200, paid)]


@kind
def reversal_movement_reversed_sign(money: Money) -> list[Expected]:
    """A reversal took money out of the balance: as much was paid twice, not taken back."""
    recalled = money.clean.recalled
    reversal = money.rail("transfer_reversals", transfer=recalled.transfers[0]["id"])
    money.add_net(money.transaction(reversal["id"]), -2 * reversal["amount"])
    return [
        money.on_payout(
            "SIGN_MISMATCH", -2 * reversal["amount"], recalled, rail=recalled.transfers[0]["id"]
        )
    ]
