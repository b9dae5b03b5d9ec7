"""What a party owes follows the money at the rail, is never netted silently and always adds up."""

from __future__ import annotations

from datetime import timedelta

from tests.gates.conftest import Warehouse
from tests.gates.landed import AS_OF, World, planted
from tests.gates.partner import Partner

DAY = timedelta(days=1)


def _partner(world: World, tenant: str, *sales: tuple[str, int]) -> Partner:
    partner = Partner(world, tenant)
    for name, amount in sales:
        partner.sale(name, amount)
    return partner


@planted
def disputes(world: World) -> None:
    partial = _partner(world, "t_dispute_partial", ("a", 10_000))
    partial.dispute("a", 4000)
    fx = _partner(world, "t_dispute_rows", ("a", 10_000))
    dispute = fx.dispute("a", 4000, fee=0)
    fx.dispute_movement(dispute, -300, at=AS_OF - 4 * DAY)
    twice = _partner(world, "t_dispute_twice", ("a", 10_000))
    twice.dispute("a", 4000)
    twice.dispute("a", 2000, fee=700, at=AS_OF - 3 * DAY, status="lost")
    inquiry = _partner(world, "t_inquiry", ("a", 10_000))
    inquiry.dispute("a", 4000, status="warning_needs_response", moves=False)
    won = _partner(world, "t_won", ("a", 10_000))
    dispute = won.dispute("a", 4000, status="won")
    won.dispute_movement(dispute, 4000, at=AS_OF - 2 * DAY)
    late = _partner(world, "t_unlisted", ("a", 10_000))
    dispute = late.dispute("a", 4000, moves=False)
    late.movement("txn_late", -4000, "dispute", "USD", AS_OF - DAY, dispute, fee=1500)


@planted
def splits(world: World) -> None:
    split = _partner(world, "t_split", ("a", 10_000))
    link = {"chargeId": split.charge_id("a"), "sourceType": "receipt", "currency": "USD"}
    world.artifact(
        "charge_links",
        "t_split",
        {**link, "partyId": "pb", "sourceId": "rcpt_b", "amountCents": 5000},
    )
    split.dispute("a", 1000, fee=100)
    routed = Partner(world, "t_routed")
    routed.charge("a", 9000, created=AS_OF - 30 * DAY)
    routed.transfer("group_a", 7000, source_transaction=routed.charge_id("a"), meta_payout_key=None)
    routed.dispute("a", 9000, fee=0)
    lost = Partner(world, "t_nobody")
    lost.charge("a", 2222, created=AS_OF - 30 * DAY)
    lost.dispute("a", 2222, fee=0)


@planted
def refunds(world: World) -> None:
    beyond = Partner(world, "t_refund_beyond")
    beyond.sale("a", 10_000, released=9000, status="released")
    beyond.refund("a", 1000, at=AS_OF - 9 * DAY)
    beyond.refund("a", 2500, at=AS_OF - 8 * DAY)
    beyond.refund("a", 3000, at=AS_OF - 7 * DAY, status="failed")


@planted
def recoveries(world: World) -> None:
    taken = Partner(world, "t_recovered")
    key = taken.pay(8000, period="2026-02")
    taken.operation(key, 8000, "confirmed")
    transfer = taken.transfer(key, 8000, days_ago=9, amount_reversed=3000)
    taken.dispute("pa_2026-02_USD", 4000, fee=0, at=AS_OF - 6 * DAY)
    taken.reversal(transfer, 3000, at=AS_OF - 5 * DAY)
    causeless = Partner(world, "t_causeless")
    key = causeless.pay(8000, period="2026-02")
    causeless.operation(key, 8000, "reversed")
    transfer = causeless.transfer(key, 8000, amount_reversed=8000, reversed=True)
    causeless.reversal(transfer, 8000, at=AS_OF - 5 * DAY)
    netted = Partner(world, "t_netted")
    key = netted.pay(8000, period="2026-02")
    netted.dispute("pa_2026-02_USD", 4000, fee=0, at=AS_OF - 40 * DAY, status="lost")
    netted.operation(
        key,
        5000,
        "confirmed",
        metadata={"payoutAmountGrossCents": 8000, "chargebackRecoveryAppliedCents": 3000},
    )
    consumed = Partner(world, "t_journaled")
    key = consumed.pay(1500, period="2026-02")
    consumed.dispute("pa_2026-02_USD", 2000, fee=0, at=AS_OF - 10 * DAY, status="lost")
    consumed.journal(key, 0, "submitted", recovery_cents=1500)
    proposed = Partner(world, "t_proposed")
    key = proposed.pay(1500, period="2026-02")
    proposed.dispute("pa_2026-02_USD", 2000, fee=0, at=AS_OF - 10 * DAY, status="lost")
    proposed.journal(key, 0, "dry_run", recovery_cents=1500)
    regained = Partner(world, "t_regained")
    key = regained.pay(1500, period="2026-02")
    dispute = regained.dispute("pa_2026-02_USD", 1500, fee=0, at=AS_OF - 10 * DAY, status="won")
    regained.journal(key, 0, "submitted", recovery_cents=1500, at=AS_OF - 8 * DAY)
    regained.dispute_movement(dispute, 1500, at=AS_OF - 2 * DAY)


@planted
def given_up(world: World) -> None:
    written = _partner(world, "t_written_off", ("a", 10_000))
    written.dispute("a", 4000, fee=0, status="lost")
    debt = {"party_id": "pa", "currency": "USD"}
    given = {**debt, "entry_kind": "write_off"}
    written.two_people("write_offs", "wof_1", amount_cents=1000, **given)
    written.two_people("write_offs", "wof_2", amount_cents=500, entry_kind="repayment", **debt)
    written.act("write_offs", "propose", "wof_alone", amount_cents=900, **given)
    written.act("write_offs", "propose", "wof_self", amount_cents=900, **given)
    written.act("write_offs", "approve", "wof_self", by="op_a")
    written.act("write_offs", "propose", "wof_void", amount_cents=900, **given)
    written.act("write_offs", "approve", "wof_void", by="op_b", line_status="void")
    written.act("write_offs", "propose", "wof_bad", amount_cents=900, line_status="void", **given)
    written.act("write_offs", "approve", "wof_bad", by="op_b")
    written.two_people("write_offs", "wof_back", amount_cents=700, **given)
    written.act("write_offs", "revoke", "wof_back", by="op_c")
    written.control("write_off_cents|USD|pa", "900")
    covered = _partner(world, "t_covered", ("a", 10_000))
    covered.dispute("a", 800, fee=0)
    covered.hold("h", 1000, held_of="a")


def test_a_partial_dispute_and_its_fee_are_owed(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_dispute_partial")
    assert (row["outstanding_cents"], row["open_dispute_cents"]) == (5500, 5500)
    assert (row["withdrawn_cents"], row["fees_cents"]) == (4000, 1500)
    assert row["exposure_status"] == "negative_balance"


def test_every_balance_transaction_of_a_dispute_counts(warehouse: Warehouse) -> None:
    assert warehouse.exposure("t_dispute_rows")["outstanding_cents"] == 4300
    assert warehouse.exposure("t_unlisted")["outstanding_cents"] == 5500


def test_several_disputes_of_one_charge_add_up(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_dispute_twice")
    assert (row["outstanding_cents"], row["open_dispute_cents"]) == (8200, 5500)


def test_an_inquiry_moves_nothing_and_is_contingent(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_inquiry")
    assert (row["outstanding_cents"], row["contingent_cents"]) == (0, 4000)
    assert row["exposure_status"] == "at_risk"


def test_a_won_dispute_leaves_its_fee(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_won")
    assert (row["outstanding_cents"], row["reinstated_cents"]) == (1500, 4000)
    assert row["open_dispute_cents"] == 0


def test_a_shared_charge_splits_to_the_last_cent(warehouse: Warehouse) -> None:
    shares = [warehouse.exposure("t_split", party)["outstanding_cents"] for party in ("pa", "pb")]
    assert shares == [732, 368]
    assert sum(shares) == 1100


def test_a_transfer_bound_to_the_charge_finds_the_party(warehouse: Warehouse) -> None:
    assert warehouse.exposure("t_routed")["outstanding_cents"] == 9000


def test_a_dispute_that_reaches_nobody_is_the_platforms(warehouse: Warehouse) -> None:
    assert warehouse.exposure("_platform", None)["outstanding_cents"] >= 2222


def test_refunds_are_owed_beyond_what_the_kernel_refunded(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_refund_beyond")
    assert (row["outstanding_cents"], row["refunded_cents"]) == (2500, 2500)


def test_a_reversal_recovers_a_debt(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_recovered")
    assert (row["outstanding_cents"], row["recovered_cents"]) == (1000, 3000)


def test_a_reversal_without_a_cause_is_no_debt(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_causeless")
    assert (row["outstanding_cents"], row["recovered_cents"]) == (0, 0)
    assert row["kernel_outstanding_cents"] == 8000


def test_a_netting_that_was_paid_recovers(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_netted")
    assert (row["outstanding_cents"], row["recovered_cents"]) == (1000, 3000)


def test_a_consumed_payout_recovers_once_it_is_journaled(warehouse: Warehouse) -> None:
    assert warehouse.exposure("t_journaled")["outstanding_cents"] == 500
    assert warehouse.exposure("t_proposed")["outstanding_cents"] == 2000


def test_a_dispute_won_after_recovery_is_owed_to_the_party(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_regained")
    assert (row["outstanding_cents"], row["owed_to_party_cents"]) == (0, 1500)


def test_write_offs_and_repayments_need_two_operators(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_written_off")
    assert (row["written_off_cents"], row["repaid_cents"]) == (1000, 500)
    assert row["outstanding_cents"] == 2500


def test_every_write_off_that_does_not_count_says_why(warehouse: Warehouse) -> None:
    found = warehouse.rows("select * from write_offs where tenant_id = 't_written_off'")
    shown = {row["write_off_id"]: (row["write_off_status"], row["void_code"]) for row in found}
    assert shown == {
        "wof_1": ("approved", None),
        "wof_2": ("approved", None),
        "wof_alone": ("proposed", None),
        "wof_self": ("void", "self_approved"),
        "wof_void": ("proposed", None),
        "wof_bad": ("void", None),
        "wof_back": ("revoked", None),
    }


def test_a_revoked_write_off_posts_the_reverse_and_leaves_no_residual(
    warehouse: Warehouse,
) -> None:
    found = warehouse.rows(
        "select posting, amount_cents from work.intermediate.int_write_offs "
        "where write_off_id = 'wof_back' order by posting"
    )
    assert [tuple(row.values()) for row in found] == [("posted", 700), ("reversed", -700)]


def test_a_holdback_covers_but_does_not_reduce_a_debt(warehouse: Warehouse) -> None:
    row = warehouse.exposure("t_covered")
    assert (row["outstanding_cents"], row["holdback_cents"], row["uncovered_cents"]) == (
        800,
        1000,
        0,
    )
    assert row["exposure_status"] == "at_risk"


def test_the_rollforward_carries_over_months_without_residual(warehouse: Warehouse) -> None:
    rows = warehouse.rows(
        "select * from exposure_rollforward where tenant_id = 't_netted' order by period"
    )
    closings = {row["period"]: (row["opening_cents"], row["closing_cents"]) for row in rows}
    assert closings == {"2026-03": (0, 4000), "2026-04": (4000, 1000)}
    assert {
        row["residual_cents"] for row in warehouse.rows("select * from exposure_rollforward")
    } == {0}


def test_the_last_closing_is_the_exposure(warehouse: Warehouse) -> None:
    differing = warehouse.rows(
        """
        select exposures.exposure_key
        from chargeback_exposure as exposures
        inner join exposure_rollforward as months
            on exposures.exposure_key = months.exposure_key and months.period = '2026-04'
        where exposures.outstanding_cents <> months.closing_cents
        """
    )
    assert differing == []


def test_unattributed_rows_have_a_key_of_text(warehouse: Warehouse) -> None:
    row = warehouse.exposure("_platform", None)
    assert row["exposure_key"] == "_platform|USD|"
