"""Each clause of what a party owes, one tenant a clause: status by status, cause by cause."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

DAY = timedelta(days=1)
# Dispute status, whether it took money, and then: owed, of which open, contingent.
STATUSES: dict[str, tuple[str, bool, int, int, int]] = {
    "needs_response": ("needs_response", True, 5500, 5500, 0),
    "under_review": ("under_review", True, 5500, 5500, 0),
    "appeal_needs_response": ("appeal_needs_response", True, 5500, 5500, 0),
    "appeal_under_review": ("appeal_under_review", True, 5500, 5500, 0),
    "lost": ("lost", True, 5500, 0, 0),
    "won_not_yet_returned": ("won", True, 5500, 0, 0),
    "inquiry": ("warning_needs_response", False, 0, 0, 4000),
    "inquiry_reviewed": ("warning_under_review", False, 0, 0, 4000),
    "inquiry_closed": ("warning_closed", False, 0, 0, 0),
    "inquiry_that_took_money": ("warning_needs_response", True, 5500, 0, 0),
    "prevented": ("prevented", False, 0, 0, 0),
    "status_of_the_future": ("something_new", True, 5500, 0, 0),
}


@planted
def one_dispute_a_status(world: World) -> None:
    for name, (status, moves, *_) in STATUSES.items():
        partner = Partner(world, f"t_status_{name}")
        partner.pay()
        partner.sale("a", 10_000)
        partner.dispute("a", 4000, status=status, moves=moves)


@planted
def causes(world: World) -> None:
    returned = Partner(world, "t_fee_returned")
    returned.sale("a", 10_000)
    dispute = returned.dispute("a", 4000, status="won")
    returned.dispute_movement(dispute, 4000, fee=-1500, at=AS_OF - 2 * DAY)
    whole = Partner(world, "t_reversed_whole")
    key = whole.pay(8000, period="2026-02")
    whole.operation(key, 8000, "confirmed")
    transfer = whole.transfer(key, 8000, days_ago=9, amount_reversed=8000, reversed=True)
    whole.dispute("pa_2026-02_USD", 4000, fee=0, at=AS_OF - 6 * DAY, status="lost")
    whole.reversal(transfer, 8000, at=AS_OF - 5 * DAY)
    kept = Partner(world, "t_refund_from_holdback")
    kept.sale("a", 10_000)
    hold = kept.hold("h", 1000, status="refunded", held_of="a")
    kept.adjustment("h", 1000, kind="holdback_refund", hold_hash=hold, held_of="a")
    kept.refund("a", 1000, at=AS_OF - 9 * DAY)
    kept.refund("a", 2500, at=AS_OF - 8 * DAY)
    unpaid = Partner(world, "t_refund_never_instructed")
    unpaid.pay()
    unpaid.sale("other", 5000)
    unpaid.refund("other", 5000, at=AS_OF - 8 * DAY)
    linked = Partner(world, "t_recovery_link")
    links = (
        {"sourceType": "receipt", "sourceId": "rcpt_pa_2026-02_USD", "amountCents": 10_000},
        {"sourceType": "fee", "sourceId": "fee_1", "amountCents": -2000},
        {"sourceType": "recovery", "sourceId": "cb_1", "amountCents": -3000},
    )
    key = linked.pay(5000, period="2026-02", links=links)
    linked.dispute("pa_2026-02_USD", 4000, fee=0, at=AS_OF - 20 * DAY, status="lost")
    linked.operation(key, 5000, "confirmed")
    cancelled = Partner(world, "t_recovery_cancelled")
    key = cancelled.pay(8000, period="2026-02")
    cancelled.dispute("pa_2026-02_USD", 4000, fee=0, at=AS_OF - 20 * DAY, status="lost")
    cancelled.operation(
        key,
        4000,
        "cancelled",
        metadata={"payoutAmountGrossCents": 8000, "chargebackRecoveryAppliedCents": 4000},
    )


@planted
def two_currencies_and_providers(world: World) -> None:
    euro = Partner(world, "t_two_currencies")
    euro.sale("a", 10_000)
    euro.sale("e", 10_000, currency="EUR")
    euro.dispute("a", 1000, fee=0, status="lost")
    euro.dispute("e", 700, fee=0, status="lost", currency="EUR")
    euro.hold("h", 5000, held_of="a")
    elsewhere = Partner(world, "t_recovered_elsewhere")
    key = elsewhere.pay(8000, period="2026-02")
    elsewhere.dispute("pa_2026-02_USD", 4000, fee=0, at=AS_OF - 40 * DAY, status="lost")
    elsewhere.operation(
        key,
        5000,
        "confirmed",
        providerId="stripe_second",
        metadata={"payoutAmountGrossCents": 8000, "chargebackRecoveryAppliedCents": 3000},
    )
    released = Partner(world, "t_hold_released_covers_nothing")
    released.sale("a", 10_000)
    released.dispute("a", 800, fee=0, status="lost")
    released.hold("h", 1000, status="released", held_of="a")
    partly = Partner(world, "t_partly_covered")
    partly.sale("a", 10_000)
    partly.dispute("a", 800, fee=0, status="lost")
    partly.hold("h", 300, held_of="a")


@pytest.mark.parametrize("name", STATUSES)
def test_a_dispute_counts_by_the_money_it_took_whatever_its_status(
    warehouse: Warehouse, name: str
) -> None:
    row = warehouse.exposure(f"t_status_{name}")
    found = (row["outstanding_cents"], row["open_dispute_cents"], row["contingent_cents"])
    assert found == STATUSES[name][2:]


def test_a_fee_that_came_back_with_a_won_dispute_is_owed_no_longer(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_fee_returned")
    assert (row["outstanding_cents"], row["reinstated_cents"], row["fees_cents"]) == (0, 4000, 0)


def test_a_full_reversal_recovers_the_debt_and_restores_the_rest(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_reversed_whole")
    assert (row["outstanding_cents"], row["recovered_cents"]) == (0, 4000)
    # The other half took back money that was rightly paid: it is payable again, not a debt.
    assert row["exposure_status"] == "clear"


def test_refunds_within_the_retained_holdback_are_no_debt(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_refund_from_holdback")
    assert (row["outstanding_cents"], row["refunded_cents"]) == (2500, 2500)


def test_a_refund_of_what_the_party_was_never_paid_is_no_debt_of_its(warehouse: Warehouse) -> None:
    assert warehouse.exposure("t_refund_never_instructed")["outstanding_cents"] == 0


def test_a_recovery_inside_the_instruction_counts_once_paid(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_recovery_link")
    assert (row["outstanding_cents"], row["recovered_cents"]) == (1000, 3000)


def test_a_recovery_whose_operation_ended_never_happened(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_recovery_cancelled")
    assert (row["outstanding_cents"], row["recovered_cents"]) == (4000, 0)


def test_currencies_are_owed_and_covered_apart(warehouse: Warehouse) -> None:
    dollars = warehouse.exposure("t_two_currencies")
    euros = warehouse.exposure("t_two_currencies", currency="EUR")
    assert (dollars["outstanding_cents"], dollars["uncovered_cents"]) == (1000, 0)
    assert (euros["outstanding_cents"], euros["uncovered_cents"]) == (700, 700)


def test_a_recovery_through_another_provider_counts(warehouse: Warehouse) -> None:
    assert warehouse.exposure("t_recovered_elsewhere")["outstanding_cents"] == 1000


def test_only_money_still_held_covers_a_debt(warehouse: Warehouse) -> None:
    assert warehouse.exposure("t_hold_released_covers_nothing")["uncovered_cents"] == 800
    row = warehouse.exposure("t_partly_covered")
    assert (row["holdback_cents"], row["uncovered_cents"]) == (300, 500)
    assert row["exposure_status"] == "negative_balance"


def test_every_cause_has_its_column_and_they_add_up_to_what_is_owed(warehouse: Warehouse) -> None:
    """Debts less credits is what is owed, but for what the party is owed back."""
    unequal = warehouse.rows(
        """
        select exposure_key
        from chargeback_exposure
        where withdrawn_cents + fees_cents + refunded_cents - recovered_cents - repaid_cents
            - written_off_cents - reinstated_cents > outstanding_cents
            or outstanding_cents < 0
        """
    )
    assert unequal == []


def test_the_movements_of_all_months_are_the_columns_of_the_exposure(warehouse: Warehouse) -> None:
    differing = warehouse.rows(
        """
        select exposures.exposure_key
        from chargeback_exposure as exposures
        inner join (
            select
                exposure_key,
                sum(recoveries_cents) as recoveries,
                sum(reinstatements_cents) as reinstatements,
                sum(write_offs_cents) as write_offs,
                sum(repayments_cents) as repayments,
                sum(residual_cents) as residual
            from exposure_rollforward
            group by exposure_key
        ) as months on exposures.exposure_key = months.exposure_key
        where months.recoveries <> exposures.recovered_cents
            or months.reinstatements <> exposures.reinstated_cents
            or months.write_offs <> exposures.written_off_cents
            or months.repayments <> exposures.repaid_cents
            or months.residual <> 0
        """
    )
    assert differing == []
