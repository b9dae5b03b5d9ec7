"""Acts that random sequences are made of, each possible or refused by the rail.

Belongs here: what can be done to a rail. Does not belong here: what must hold afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingest.simulator.rail import Rail
from tests.simulator.rail_world import day

__all__ = ["ACTS"]

Act = Callable[[Rail, int, int, float], Any]


def pick(rail: Rail, kind: str, which: int) -> str:
    accounts = (
        [None, "acct_1Seller"] if kind in ("charge", "dispute", "refund", "payout") else [None]
    )
    ids = [obj["id"] for account in accounts for obj in rail.objects(kind, account)]
    return ids[which % len(ids)] if ids else "none"


SELLERS = ("acct_1Seller", "acct_1Euro")
ACTS: tuple[Act, ...] = (
    lambda r, n, w, t: r.create_charge(n, at=day(t)),
    lambda r, n, w, t: r.create_charge(n, at=day(t), currency="gbp", settlement_currency="usd"),
    lambda r, n, w, t: r.create_charge(
        n, at=day(t), account="acct_1Seller", application_fee=n // 5
    ),
    lambda r, n, w, t: r.create_charge(
        n,
        at=day(t),
        destination="acct_1Seller",
        application_fee=n // 9,
        transfer_amount=n - n // 7,
    ),
    lambda r, n, w, t: r.refund(pick(r, "charge", w), n % 900 + 1, at=day(t)),
    lambda r, n, w, t: r.refund(
        pick(r, "charge", w),
        at=day(t),
        status=("succeeded", "failed", "pending", "canceled", "requires_action")[n % 5],
    ),
    lambda r, n, w, t: r.refund(
        pick(r, "charge", w), n, at=day(t), reverse_transfer=True, refund_application_fee=True
    ),
    lambda r, n, w, t: r.resolve_refund(
        pick(r, "refund", w), ("succeeded", "failed", "canceled")[n % 3], at=day(t)
    ),
    lambda r, n, w, t: r.refund_application_fee(pick(r, "application_fee", w), at=day(t)),
    lambda r, n, w, t: r.open_dispute(
        pick(r, "charge", w),
        at=day(t),
        status=("needs_response", "warning_needs_response", "under_review", "prevented")[n % 4],
    ),
    lambda r, n, w, t: r.move_dispute(
        pick(r, "dispute", w), ("under_review", "appeal_under_review")[n % 2], at=day(t)
    ),
    lambda r, n, w, t: r.close_dispute(
        pick(r, "dispute", w),
        ("won", "lost", "warning_closed", "prevented")[n % 4],
        at=day(t),
        fee_returned=n % 2 * 1_500,
    ),
    lambda r, n, w, t: r.create_transfer(n, at=day(t), destination=SELLERS[w % 2]),
    lambda r, n, w, t: r.create_transfer(
        n, at=day(t), destination=SELLERS[w % 2], source_transaction=pick(r, "charge", w)
    ),
    lambda r, n, w, t: r.reverse_transfer(pick(r, "transfer", w), n, at=day(t)),
    lambda r, n, w, t: r.reverse_transfer(pick(r, "transfer", w), at=day(t)),
    lambda r, n, w, t: r.create_payout(None, at=day(t), automatic=True),
    lambda r, n, w, t: r.create_payout(None, at=day(t), account="acct_1Seller", automatic=True),
    lambda r, n, w, t: r.create_payout(n, at=day(t), account="acct_1Seller"),
    lambda r, n, w, t: r.fail_payout(pick(r, "payout", w), at=day(t)),
    lambda r, n, w, t: r.cancel_payout(pick(r, "payout", w), at=day(t)),
)
