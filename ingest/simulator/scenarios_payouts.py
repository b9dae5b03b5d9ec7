"""Scenarios about instructions and the transfers that pay them.

Belongs here: one function a scenario whose docstring is its specification. Does not belong here:
holdbacks (scenarios_holdbacks.py), lost references (scenarios_references.py), customers' money
(scenarios_sources.py), the export itself (scenarios_evidence.py), gates (scenarios_gates.py).

Transfers consume the instruction of their payout key in time order. X is the instruction's amount.
"""

from __future__ import annotations

from datetime import timedelta

from ingest.simulator.month_end import pay, reissue, reverse, send
from ingest.simulator.sales import SaleTerms
from ingest.simulator.scene import Scene, scenario
from ingest.simulator.world_state import World

__all__: list[str] = []

_DIFFERENCE_CENTS = 700


@scenario
def clean_day(world: World, tenant_id: str) -> None:
    """Two parties with full, partial and refused sales and a hold that is left out; each payout is
    paid by one transfer of its amount. No break."""
    scene = Scene(world, tenant_id, "clean_day", parties=("alpha", "beta"))
    scene.trade()
    scene.trade(party=scene.parties[1])
    scene.sell(21, SaleTerms(released_cents=4_000), amount_cents=8_000)
    scene.sell(22, SaleTerms(released_cents=0))
    scene.sell(23, SaleTerms(challenge_days=90))
    scene.sell(24, SaleTerms(x402=True))
    for payout in scene.close_all():
        scene.matched(payout, pay(scene.partner, payout))


@scenario
def missing_transfer(world: World, tenant_id: str) -> None:
    """An instruction without operation or transfer, more than 3 days after it was generated:
    MISSING_EXTERNAL, drift +X, on the instruction."""
    scene = Scene(world, tenant_id, "missing_transfer", settled_days=4)
    payout = scene.month()
    scene.expect_payout("MISSING_EXTERNAL", payout, payout.amount_cents)


@scenario
def pending_payout(world: World, tenant_id: str) -> None:
    """An instruction without transfer, generated less than 3 days before the anchor: pending
    TIMING, drift +X, on the instruction."""
    scene = Scene(world, tenant_id, "pending_payout", settled_days=0)
    scene.trade()
    payout = scene.close(closed_at=world.fresh_close(scene.period))
    scene.expect_payout("TIMING", payout, payout.amount_cents, outcome="pending")


@scenario
def amount_over(world: World, tenant_id: str) -> None:
    """The only transfer of an instruction is 7.00 too large: AMOUNT_OVER, drift -700, on it."""
    scene = Scene(world, tenant_id, "amount_over")
    payout = scene.month()
    sent = pay(scene.partner, payout, sent_cents=payout.amount_cents + _DIFFERENCE_CENTS)
    scene.expect_payout("AMOUNT_OVER", payout, -_DIFFERENCE_CENTS, transfer=sent)


@scenario
def amount_under(world: World, tenant_id: str) -> None:
    """The only transfer of an instruction is 7.00 too small: AMOUNT_UNDER, drift +700, on it."""
    scene = Scene(world, tenant_id, "amount_under")
    payout = scene.month()
    sent = pay(scene.partner, payout, sent_cents=payout.amount_cents - _DIFFERENCE_CENTS)
    scene.expect_payout("AMOUNT_UNDER", payout, _DIFFERENCE_CENTS, transfer=sent)


@scenario
def duplicate_transfer(world: World, tenant_id: str) -> None:
    """A second transfer of the full amount for an instruction that is already paid:
    DUPLICATE_EXTERNAL, drift -X, on the second."""
    scene = Scene(world, tenant_id, "duplicate_transfer")
    payout = scene.paid_month()
    later = payout.due_at + timedelta(hours=3)
    second = send(scene.partner, payout, payout.amount_cents, at=later)
    scene.expect_payout("DUPLICATE_EXTERNAL", payout, -payout.amount_cents, transfer=second)


@scenario
def duplicate_instruction(world: World, tenant_id: str) -> None:
    """The month's statement is generated again under another event, so a second instruction with
    another key claims the same receipts; the first was paid: DUPLICATE_INTERNAL, drift +X, on the
    second instruction, however old it is."""
    scene = Scene(world, tenant_id, "duplicate_instruction", settled_days=4)
    payout = scene.paid_month()
    again = reissue(scene.partner, payout, at=payout.close.closed_at + timedelta(hours=6))
    scene.expect_payout("DUPLICATE_INTERNAL", again, again.amount_cents)


@scenario
def currency_mismatch(world: World, tenant_id: str) -> None:
    """A USD instruction is paid with the same number in EUR: CURRENCY_MISMATCH twice, because
    currencies are never netted: on the instruction, +X USD, and on the transfer, -X EUR."""
    scene = Scene(world, tenant_id, "currency_mismatch", settled_days=4)
    payout = scene.month()
    sent = pay(scene.partner, payout, currency="EUR")
    scene.expect_payout("CURRENCY_MISMATCH", payout, payout.amount_cents)
    scene.expect_payout(
        "CURRENCY_MISMATCH", payout, -payout.amount_cents, transfer=sent, currency="EUR"
    )


@scenario
def destination_mismatch(world: World, tenant_id: str) -> None:
    """The transfer of alpha's instruction goes to beta's account: DESTINATION_MISMATCH twice,
    because parties are never netted: on the instruction, party alpha, +X, and on the transfer,
    party beta (who got it), -X. Beta's own payout is paid."""
    scene = Scene(
        world, tenant_id, "destination_mismatch", settled_days=4, parties=("alpha", "beta")
    )
    alpha, beta = scene.parties
    scene.trade(party=alpha)
    scene.trade(party=beta)
    first, second = scene.close_all()
    scene.matched(second, pay(scene.partner, second))
    sent = pay(scene.partner, first, destination=beta.account_id)
    scene.expect_payout("DESTINATION_MISMATCH", first, first.amount_cents)
    scene.expect_payout(
        "DESTINATION_MISMATCH",
        first,
        -first.amount_cents,
        transfer=sent,
        party_id=beta.party_id,
    )


@scenario
def partial_reversal(world: World, tenant_id: str) -> None:
    """A paid transfer is reversed by 7.00 and the kernel still says confirmed: STATUS_CONFLICT,
    drift +700, on the transfer."""
    scene = Scene(world, tenant_id, "partial_reversal")
    payout = scene.month()
    sent = pay(scene.partner, payout)
    reverse(scene.partner, payout, _DIFFERENCE_CENTS, at=payout.due_at + timedelta(hours=8))
    scene.expect_payout("STATUS_CONFLICT", payout, _DIFFERENCE_CENTS, transfer=sent)


@scenario
def full_reversal_unbooked(world: World, tenant_id: str) -> None:
    """A paid transfer is reversed in full and the kernel still says submitted, as it does where the
    rail's event was lost: STATUS_CONFLICT, drift +X, on the transfer."""
    scene = Scene(world, tenant_id, "full_reversal_unbooked")
    payout = scene.month()
    sent = pay(scene.partner, payout, confirmed=False)
    reverse(scene.partner, payout, at=payout.due_at + timedelta(hours=8))
    scene.expect_payout("STATUS_CONFLICT", payout, payout.amount_cents, transfer=sent)


@scenario
def full_reversal_booked(world: World, tenant_id: str) -> None:
    """A paid transfer is reversed in full and the kernel's operation is reversed: nothing is owed
    to it and nothing was paid. No break; the receipts are unpaid again, which is no debt."""
    scene = Scene(world, tenant_id, "full_reversal_booked")
    payout = scene.month()
    sent = pay(scene.partner, payout)
    reverse(scene.partner, payout, at=payout.due_at + timedelta(hours=8), booked=True)
    scene.matched(payout, sent)
    scene.expect_exposure(scene.party, 0, kernel_outstanding_cents=payout.amount_cents)


@scenario
def split_payout(world: World, tenant_id: str) -> None:
    """Two transfers of one payout key sum to the instruction. No break."""
    scene = Scene(world, tenant_id, "split_payout")
    payout = scene.month()
    half = payout.amount_cents // 2
    scene.matched(payout, pay(scene.partner, payout, sent_cents=half))
    rest = payout.amount_cents - half
    second = send(scene.partner, payout, rest, at=payout.due_at + timedelta(hours=1))
    scene.matched(payout, second)


@scenario
def split_incomplete(world: World, tenant_id: str) -> None:
    """Two transfers of one payout key fall short of the instruction by 7.00: SPLIT_INCOMPLETE,
    drift +700, on the last transfer."""
    scene = Scene(world, tenant_id, "split_incomplete", settled_days=4)
    payout = scene.month()
    half = payout.amount_cents // 2
    pay(scene.partner, payout, sent_cents=half)
    rest = payout.amount_cents - half - _DIFFERENCE_CENTS
    last = send(scene.partner, payout, rest, at=payout.due_at + timedelta(hours=1))
    scene.expect_payout("SPLIT_INCOMPLETE", payout, _DIFFERENCE_CENTS, transfer=last)


@scenario
def split_over(world: World, tenant_id: str) -> None:
    """The second of two transfers finds 7.00 less left than it sends: AMOUNT_OVER, drift -700, on
    the second (it found something left, so it is no duplicate)."""
    scene = Scene(world, tenant_id, "split_over")
    payout = scene.month()
    half = payout.amount_cents // 2
    pay(scene.partner, payout, sent_cents=half)
    rest = payout.amount_cents - half + _DIFFERENCE_CENTS
    last = send(scene.partner, payout, rest, at=payout.due_at + timedelta(hours=1))
    scene.expect_payout("AMOUNT_OVER", payout, -_DIFFERENCE_CENTS, transfer=last)


@scenario
def late_settlement(world: World, tenant_id: str) -> None:
    """The transfer comes 12 days after the instruction was generated, beyond the window of 10 days:
    LATE_SETTLEMENT, drift 0, on the transfer; it still pays the instruction."""
    scene = Scene(world, tenant_id, "late_settlement", settled_days=13)
    payout = scene.month()
    sent = pay(scene.partner, payout, at=payout.close.closed_at + timedelta(days=12))
    scene.expect_payout("LATE_SETTLEMENT", payout, 0, transfer=sent)


@scenario
def sign_mismatch(world: World, tenant_id: str) -> None:
    """The kernel's operation of a paid instruction says direction `collection`, money in, while the
    rail sent money out: SIGN_MISMATCH, expected -X, actual +X, drift -2X, on the transfer."""
    scene = Scene(world, tenant_id, "sign_mismatch")
    payout = scene.month()
    sent = pay(scene.partner, payout, direction="collection")
    scene.expect_payout("SIGN_MISMATCH", payout, -2 * payout.amount_cents, transfer=sent)
