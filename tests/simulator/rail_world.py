"""A small rail on which everything happened once, shared by the rail tests.

Belongs here: clocks and planted worlds. Does not belong here: assertions.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ingest.simulator.rail import Rail

START = datetime(2026, 3, 1, tzinfo=UTC)
PERSONAL = {
    "name": "Zebulon Quux-Planted",
    "email": "zebulon.planted@customer.example",
    "phone": "+1-555-0147-planted",
    "line1": "7 Planted Street",
    "city": "Plantedville",
    "postal_code": "99-PLANTED",
    "country": "US",
    "ip": "203.0.113.77",
    "last4": "8431",
    "token": "tok_plantedSecret9",
}


def day(number: float) -> datetime:
    """Return the moment `number` days after the start."""
    return START + timedelta(days=number)


class Clock:
    """A clock that stands where it is put."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


def new_rail(at: datetime | None = None, **options: object) -> tuple[Rail, Clock]:
    """Return an empty rail with two connected accounts, one of them in euros."""
    clock = Clock(at or day(40))
    rail = Rail(clock=clock, **options)  # type: ignore[arg-type]
    rail.exchange_rates[("usd", "eur")] = "0.9213"
    rail.exchange_rates[("gbp", "usd")] = "1.2777"
    rail.create_account("acct_1Seller", at=START)
    rail.create_account("acct_1Euro", at=START, country="DE", currency="eur")
    return rail, clock


def eventful_rail() -> tuple[Rail, Clock]:
    """Return a rail on which every act was done, with personal data planted."""
    rail, clock = new_rail()
    rail.create_account("acct_1Person", at=START, personal=PERSONAL)
    rail.update_account(
        "acct_1Person", at=day(1), payouts_enabled=False, capabilities={"transfers": "inactive"}
    )
    rail.top_up(1_000_000, at=day(0), personal=PERSONAL)
    plain = rail.create_charge(10_000, at=day(1), personal=PERSONAL, transfer_group="key-1")
    converted = rail.create_charge(9_999, at=day(1), currency="gbp", settlement_currency="usd")
    rail.create_charge(500, at=day(1), status="failed", personal=PERSONAL)
    rail.create_charge(500, at=day(1), status="pending")
    routed = rail.create_charge(
        10_000, at=day(1), destination="acct_1Seller", application_fee=1_000
    )
    direct = rail.create_charge(20_000, at=day(1), account="acct_1Seller", application_fee=500)
    rail.refund(plain["id"], 1_000, at=day(2), reason="requested_by_customer")
    rail.refund(converted["id"], 3_333, at=day(2))
    rail.refund(converted["id"], at=day(3), status="failed")
    pending = rail.refund(converted["id"], 100, at=day(3), status="pending")
    rail.resolve_refund(pending["id"], "canceled", at=day(4))
    rail.refund(direct["id"], 500, at=day(3), status="requires_action")
    rail.refund(routed["id"], 5_000, at=day(3), reverse_transfer=True, refund_application_fee=True)
    rail.create_transfer(
        4_000, at=day(4), destination="acct_1Seller", source_transaction=plain["id"]
    )
    abroad = rail.create_transfer(
        777, at=day(4), destination="acct_1Euro", transfer_group="key-2", personal=PERSONAL
    )
    rail.reverse_transfer(abroad["id"], 100, at=day(5))
    rail.reverse_transfer(abroad["id"], at=day(6), metadata={"why": "whole"})
    won = rail.open_dispute(plain["id"], at=day(6))
    rail.close_dispute(won["id"], "won", at=day(9))
    lost = rail.open_dispute(converted["id"], at=day(6), status="warning_needs_response")
    rail.move_dispute(lost["id"], "needs_response", at=day(7))
    rail.close_dispute(lost["id"], "lost", at=day(9))
    rail.open_dispute(direct["id"], at=day(8), amount=100, status="warning_under_review")
    swept = rail.create_payout(None, at=day(12), automatic=True, personal=PERSONAL)
    rail.fail_payout(swept["id"], at=day(20))
    rail.create_payout(None, at=day(21), automatic=True)
    manual = rail.create_payout(50, at=day(39.99), account="acct_1Seller")
    rail.cancel_payout(manual["id"], at=day(39.995))
    rail.create_payout(60, at=day(12), account="acct_1Seller")
    rail.top_up(50_000, at=day(22))
    return rail, clock
