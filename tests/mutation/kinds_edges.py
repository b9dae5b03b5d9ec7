"""The last instant that a window allows and the first that it does not.

Belongs here: one function a kind, artifacts without a time among them; its docstring says what is
done, its answer what must be said.
Does not belong here: times far from an edge (kinds_payouts.py, kinds_matching.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ingest.simulator.partner import Sale
from ingest.simulator.world_state import next_month, period_start
from tests.mutation.kinds import ANCHOR, Expected, Money, kind
from tests.mutation.landed import Row

__all__ = ["WINDOW"]

# A hold's window of 25 hours, 1 minute, 1 second and 1 millisecond.
WINDOW = timedelta(milliseconds=90_061_001)
_INSTANT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


def _month_end(money: Money) -> datetime:
    return period_start(next_month(money.clean.scene.period))


def _hold(money: Money, sale: Sale) -> Row:
    assert sale.hold is not None
    hold = money.kernel("funding_holds", hold_hash=sale.hold["holdHash"])
    hold["challenge_window_ms"] = WINDOW // timedelta(milliseconds=1)
    return hold


@kind
def hold_made_on_the_months_last_microsecond(money: Money) -> list[Expected]:
    """A hold is made a microsecond before its month ends; nothing is wrong."""
    _hold(money, money.clean.held)["created_at"] = _month_end(money) - _INSTANT
    return []


@kind
def hold_made_on_the_next_months_first_instant(money: Money) -> list[Expected]:
    """A hold is made on the first instant of the month after; nothing is wrong."""
    _hold(money, money.clean.held)["created_at"] = _month_end(money)
    return []


@kind
def hold_released_on_the_months_last_microsecond(money: Money) -> list[Expected]:
    """A hold is released a microsecond before the month ends; nothing is wrong."""
    _hold(money, money.clean.freed)["resolved_at"] = _month_end(money) - _INSTANT
    return []


@kind
def hold_released_on_the_next_months_first_instant(money: Money) -> list[Expected]:
    """A hold is released on the first instant of the month after; nothing is wrong."""
    _hold(money, money.clean.freed)["resolved_at"] = _month_end(money)
    return []


def _instruct(money: Money, generated_at: datetime) -> Row:
    paid = money.clean.paid
    return money.tables.copy(
        "kernel/payout_instructions",
        money.instruction(paid),
        artifact_id=f"{paid.artifact_id}_edge",
        payout_key=f"{paid.key}_edge",
        party_id="pty_operator:edge",
        generated_at=generated_at,
    )


def _unpaid(money: Money, code: str, made: Row) -> list[Expected]:
    named = {"kernel": made["artifact_id"], "payout": made["payout_key"]}
    return [Expected(code, money.clean.paid.amount_cents, **named)]


@kind
def payout_due_this_instant(money: Money) -> list[Expected]:
    """Nothing was sent for an instruction that is due now."""
    made = _instruct(money, ANCHOR - timedelta(days=3))
    return _unpaid(money, "MISSING_EXTERNAL", made)


@kind
def payout_due_in_a_microsecond(money: Money) -> list[Expected]:
    """Nothing was sent for an instruction that is due a microsecond from now."""
    made = _instruct(money, ANCHOR - timedelta(days=3) + _INSTANT)
    return _unpaid(money, "TIMING", made)


def _send_at(money: Money, at: datetime) -> Row:
    transfer = money.transfer(money.clean.paid)
    for row in (transfer, money.transaction(transfer["id"])):
        row["created"] = at
    return transfer


@kind
def transfer_on_the_last_second_allowed(money: Money) -> list[Expected]:
    """A transfer comes ten days after its instruction to the second; nothing is wrong."""
    _send_at(money, money.clean.paid.close.closed_at + timedelta(days=10))
    return []


@kind
def transfer_a_second_too_late(money: Money) -> list[Expected]:
    """A transfer comes ten days and a second after its instruction."""
    sent = _send_at(money, money.clean.paid.close.closed_at + timedelta(days=10) + _SECOND)
    return [money.on_payout("LATE_SETTLEMENT", 0, money.clean.paid, rail=sent["id"])]


@kind
def references_stripped_on_the_windows_first_second(money: Money) -> list[Expected]:
    """A transfer without references comes in the second of its instruction: it fits."""
    money.strip_references(money.clean.paid)
    _send_at(money, money.clean.paid.close.closed_at)
    return []


@kind
def references_stripped_a_second_before_the_window(money: Money) -> list[Expected]:
    """A transfer without references comes a second before its instruction: nothing fits."""
    paid = money.clean.paid
    sent = money.strip_references(paid)
    _send_at(money, paid.close.closed_at - _SECOND)
    party = paid.party.party_id
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        Expected("REFERENCE_MISSING", -paid.amount_cents, rail=sent["id"], party=party),
    ]


def _age_window(money: Money, since: timedelta) -> Row:
    """The instruction is made so long before its transfer, which has no references."""
    paid = money.clean.paid
    sent = money.strip_references(paid)
    money.instruction(paid)["generated_at"] = sent["created"] - since
    return sent


@kind
def references_stripped_on_the_windows_last_second(money: Money) -> list[Expected]:
    """A transfer without references comes 45 days after its instruction: it fits, and is late."""
    sent = _age_window(money, timedelta(days=45))
    return [money.on_payout("LATE_SETTLEMENT", 0, money.clean.paid, rail=sent["id"])]


@kind
def references_stripped_an_instant_after_the_window(money: Money) -> list[Expected]:
    """A transfer without references comes 45 days and a microsecond after: nothing fits."""
    paid = money.clean.paid
    sent = _age_window(money, timedelta(days=45) + _INSTANT)
    party = paid.party.party_id
    return [
        money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid),
        Expected("REFERENCE_MISSING", -paid.amount_cents, rail=sent["id"], party=party),
    ]


@kind
def instruction_without_a_time(money: Money) -> list[Expected]:
    """A paid instruction does not say when it was made; nothing is wrong."""
    money.instruction(money.clean.paid)["generated_at"] = None
    return []


@kind
def instruction_without_a_time_or_a_transfer(money: Money) -> list[Expected]:
    """An instruction does not say when it was made, and nothing was sent for it."""
    paid = money.clean.paid
    money.instruction(paid)["generated_at"] = None
    money.drop_transfer(money.transfer(paid))
    return [money.on_payout("MISSING_EXTERNAL", paid.amount_cents, paid)]


@kind
def holds_without_times(money: Money) -> list[Expected]:
    """A held and a released hold do not say when they were made or resolved; nothing is wrong."""
    for sale in (money.clean.held, money.clean.freed):
        assert sale.hold is not None
        hold = money.kernel("funding_holds", hold_hash=sale.hold["holdHash"])
        hold |= {"created_at": None, "resolved_at": None}
    return []


@kind
def receipt_without_times(money: Money) -> list[Expected]:
    """A receipt does not say when it settled or was made: its charge has no evidence left."""
    sale = money.clean.plain
    receipt = money.kernel("settlement_receipts", receipt_id=sale.receipt_id)
    receipt |= {"settled_at": None, "created_at": None}
    named = {"rail": sale.charge_id, "kernel": sale.receipt_id, "party": sale.party.party_id}
    return [Expected("MISSING_INTERNAL", -sale.amount_cents, **named)]
