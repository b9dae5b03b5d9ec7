"""Every check fires on its fault, with the right code, grain and amount, and on nothing else.

Belongs here: claims about the one build over all corrupted tenants. Does not belong here: how a
fault is made (kinds_*.py) or compared (harness.py).
"""

from __future__ import annotations

import csv
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from dagster_project import issuing
from dagster_project.home import prepare_home
from dagster_project.marts import Marts
from dagster_project.narration import money
from dagster_project.replaying import TenantReplay
from evidence import replay
from evidence.tables import scan_table, write_table
from tests.mutation.drawn import CURRENCIES
from tests.mutation.harness import Case, Outcome, confuse, run
from tests.mutation.history import AGED_DAYS, CARRIED, RESOLVED
from tests.mutation.kinds import ANCHOR, KINDS, Expected
from tests.mutation.kinds_edges import WINDOW

SEEDS_FOLDER = Path(__file__).resolve().parents[2] / "dbt" / "seeds"
# What no change of one tenant's landed money can bring about; other tests reach these.
REACHED_ELSEWHERE = {
    "RESTATED",  # a certified figure that changed, which takes two people's lines
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One tenant a kind and some without a fault, in one build."""
    return run(tmp_path_factory.mktemp("mutation") / "home", random_worlds=25)


def _require_all_said(outcome: Outcome) -> None:
    assert outcome.failures == []
    assert {case.kind: case.missed for case in outcome.cases if case.missed} == {}
    assert outcome.unexpected == []
    assert all(planted == said for planted, said in outcome.confusion)


def test_every_kind_of_corruption_is_said_as_it_is_and_nothing_else_is(outcome: Outcome) -> None:
    assert len(KINDS) >= 140
    assert {case.kind for case in outcome.cases} == set(KINDS)
    _require_all_said(outcome)


def test_every_reason_code_is_reached(outcome: Outcome) -> None:
    with (SEEDS_FOLDER / "reason_codes.csv").open(newline="") as file:
        codes = {row["reason_code"] for row in csv.DictReader(file)}
    reached = {said for _, said in outcome.confusion} - {"nothing"}
    assert codes - reached == REACHED_ELSEWHERE


def test_every_bridge_ends_at_nought_over_corrupted_money(outcome: Outcome) -> None:
    rows = outcome.rows("select * from reconciliation_bridge where line_code = 'residual'")
    tenants = {case.tenant_id for case in outcome.cases} | set(outcome.random_tenants)
    assert tenants <= {row["tenant_id"] for row in rows}
    assert {row["amount_cents"] for row in rows} == {0}


def test_a_world_without_faults_is_explained_to_the_last_cent(outcome: Outcome) -> None:
    drawn = [
        row
        for row in outcome.rows("select * from reconciliation_runs")
        if row["tenant_id"].startswith("random_")
    ]
    assert {row["tenant_id"] for row in drawn} == set(outcome.random_tenants)
    assert {(row["explained_bps"], row["open_breaks"], row["pending_items"]) for row in drawn} == {
        (10_000, 0, 0)
    }
    moved = outcome.rows(
        "select distinct outcome, leg from money_movements where tenant_id like 'random_%'"
    )
    assert {(row["outcome"], row["leg"]) for row in moved} == {
        ("ok", "platform"),
        ("ok", "connected"),
    }


def test_nothing_about_a_world_without_faults_fails_to_tie_out(outcome: Outcome) -> None:
    drawn = "tenant_id like 'random_%'"
    ties = outcome.rows(f"select * from tie_outs where {drawn}")
    assert {row["tenant_id"] for row in ties} == set(outcome.random_tenants)
    assert [row for row in ties if not row["holds"]] == []
    for table in ("holdback_rollforward", "open_item_rollforward"):
        rows = outcome.rows(f"select * from {table} where {drawn} and residual_cents <> 0")
        assert rows == []
    currencies = outcome.rows(f"select distinct currency from money_movements where {drawn}")
    assert {row["currency"] for row in currencies} == set(CURRENCIES)


def test_a_hold_counts_in_the_month_of_its_very_instant(outcome: Outcome) -> None:
    def new_and_released(kind: str) -> dict[str, tuple[int, int]]:
        rows = outcome.rows(
            "select period, sum(new_cents) as new_cents, sum(released_cents) as released_cents "
            f"from holdback_rollforward where tenant_id = 'm0_{kind}' group by period"
        )
        return {row["period"]: (row["new_cents"], row["released_cents"]) for row in rows}

    last, first = "on_the_months_last_microsecond", "on_the_next_months_first_instant"
    made = [new_and_released(f"hold_made_{edge}") for edge in (last, first)]
    # The holds of the two tenants differ in amount, not in what became of them.
    assert made[0]["2026-11"][0] == 0 < made[1]["2026-11"][0]
    freed = [new_and_released(f"hold_released_{edge}") for edge in (last, first)]
    assert freed[0]["2026-10"][1] > 0 == freed[0]["2026-11"][1]
    assert freed[1]["2026-10"][1] == 0 < freed[1]["2026-11"][1]


def test_a_hold_is_payable_at_the_end_of_its_window_to_the_microsecond(outcome: Outcome) -> None:
    rows = outcome.rows(
        "select payable_at from source_positions where source_type = 'holdback' and held_cents > 0 "
        "and tenant_id = 'm0_hold_made_on_the_months_last_microsecond'"
    )
    made_at = ANCHOR.replace(day=1, hour=0, tzinfo=None) - timedelta(microseconds=1)
    assert rows == [{"payable_at": made_at + WINDOW}]


def test_offsetting_errors_leave_no_gross_money_explained(outcome: Outcome) -> None:
    offsetting = {"transfers_swap_amounts", "charges_swap_amounts", "links_swap_amounts"}
    for case in outcome.cases:
        if case.kind in offsetting:
            assert sum(wanted.drift for wanted in case.expected) == 0
            rows = outcome.rows(
                f"select sum(unexplained_cents) as cents from reconciliation_runs "
                f"where tenant_id = '{case.tenant_id}'"
            )
            assert rows[0]["cents"] == sum(abs(wanted.drift) for wanted in case.expected)


def test_tolerances_and_rules_are_recorded_where_they_matched(outcome: Outcome) -> None:
    groups = {
        (row["tenant_id"], row["match_key"]): row
        for row in outcome.rows("select * from match_groups where group_kind = 'payout'")
    }
    in_dinars = {
        tenant: row
        for (tenant, _), row in groups.items()
        if row["currency"] == "BHD" and row["rail_items"] and not tenant.startswith("random_")
    }
    assert {tenant: row["tolerated_cents"] for tenant, row in in_dinars.items()} == {
        "m0_within_tolerance_under": 5,
        "m0_within_tolerance_over": -5,
        "m0_beyond_tolerance": 0,
    }
    assert {row["tolerance_cents"] for row in in_dinars.values()} == {9}
    rules = {(tenant, row["match_rule"]) for (tenant, _), row in groups.items()}
    nearest = {tenant for tenant, rule in rules if rule == "nearest_amount"}
    assert nearest == {
        "m0_references_stripped",
        "m0_references_stripped_and_nearly_fits",
        "m0_nearest_in_two_passes",
        "m0_references_stripped_on_the_windows_first_second",
        "m0_references_stripped_on_the_windows_last_second",
    }
    assert ("m0_references_stripped_but_the_booking", "transfer") in rules
    assert {row["cardinality"] for row in groups.values()} >= {"N:1", "N:M", "unmatched"}


def test_breaks_are_new_persisting_reopened_or_resolved_and_absence_resolves_nothing(
    outcome: Outcome,
) -> None:
    rows = outcome.rows("select * from reconciliation_drift")
    by_id = {row["break_id"]: row for row in rows}
    by_tenant = {row["tenant_id"]: row for row in rows if row["break_id"] != CARRIED}
    persisting = by_tenant["m0_transfer_missing"]
    assert (persisting["lifecycle"], persisting["outcome"]) == ("persisting", "break")
    assert persisting["first_seen_at"] == (ANCHOR - timedelta(days=5)).replace(tzinfo=None)
    assert by_tenant["m0_split_part_short"]["lifecycle"] == "reopened"
    assert by_tenant["m0_transfer_under"]["lifecycle"] == "new"
    assert (by_id[RESOLVED]["lifecycle"], by_id[RESOLVED]["outcome"]) == ("resolved", "ok")
    assert (by_id[CARRIED]["lifecycle"], by_id[CARRIED]["outcome"]) == ("persisting", "break")
    assert by_id[CARRIED]["expected_cents"] == 4_200


def test_what_stays_open_without_its_source_stays_in_the_roll_forward(outcome: Outcome) -> None:
    where = "tenant_id = 'm0_transfer_unread' and currency = 'USD'"
    drift = outcome.rows(f"select * from reconciliation_drift where {where}")
    carried = [row for row in drift if row["lifecycle"] == "persisting"]
    assert len(carried) == 2 * len(AGED_DAYS) + 1
    months = outcome.rows(f"select * from open_item_rollforward where {where} order by period")
    assert months[-1]["closing_cents"] == sum(abs(row["drift_cents"]) for row in drift)
    assert sum(row["new_items"] - row["cleared_items"] for row in months) == len(drift)
    assert {row["residual_cents"] for row in months} == {0}


def test_balances_that_the_rail_keeps_apart_tie_out_apart(outcome: Outcome) -> None:
    rows = outcome.rows("select * from tie_outs where tie_out = 'available_equals_movements'")
    apart: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        apart.setdefault((row["account_id"], row["currency"]), set()).add(row["balance_type"])
    assert {"payments", "refund_and_dispute_prefunding"} in apart.values()
    prefunded = [row for row in rows if row["balance_type"] != "payments"]
    assert {(row["left_cents"], row["right_cents"], row["holds"]) for row in prefunded} == {
        (0, 0, True)
    }


def test_a_day_keeps_the_mismatches_it_had(outcome: Outcome) -> None:
    days = {
        (row["tenant_id"], row["day"]): row["mismatch_count"]
        for row in outcome.rows("select * from daily_mismatches")
    }
    today, earlier = f"{ANCHOR:%Y-%m-%d}", f"{ANCHOR - timedelta(days=2):%Y-%m-%d}"
    # It was pending five days ago and a break two days ago.
    assert days["m0_transfer_missing", earlier] == 1
    assert ("m0_transfer_missing", today) not in days
    assert days["m0_references_stripped", earlier] == 1
    assert days["m0_transfer_under", today] == 1


def test_ageing_runs_from_the_expected_date(outcome: Outcome) -> None:
    rows = outcome.rows("select * from reconciliation_drift where lifecycle <> 'resolved'")
    now = ANCHOR.replace(tzinfo=None)
    for row in rows:
        late = now.date() - row["expected_by"].date()
        days = late.days if now >= row["expected_by"] else 0
        assert row["age_days"] == days
        bounds = {"0-1": (0, 1), "2-7": (2, 7), "8-30": (8, 30), "31+": (31, 10_000)}
        least, most = bounds[row["ageing_bucket"]]
        assert least <= days <= most
    assert {row["ageing_bucket"] for row in rows} == {"0-1", "2-7", "8-30", "31+"}


def test_ageing_buckets_change_at_midnight_of_their_edges(outcome: Outcome) -> None:
    rows = outcome.rows("select * from reconciliation_drift where break_id like 'brk_aged_%'")
    buckets = {0: "0-1", 1: "0-1", 2: "2-7", 7: "2-7", 8: "8-30", 30: "8-30"}
    assert {row["break_id"]: (row["age_days"], row["ageing_bucket"]) for row in rows} == {
        f"brk_aged_{days}_{edge}": (days, buckets.get(days, "31+"))
        for days in AGED_DAYS
        for edge in ("first", "last")
    }
    assert {row["lifecycle"] for row in rows} == {"persisting"}


def test_a_person_reads_of_money_and_not_of_minor_units(outcome: Outcome) -> None:
    rows = outcome.rows("select * from reconciliation_drift")
    for row in rows:
        told = [
            money(row[cents], row["currency"]).replace(",", "").removesuffix(f" {row['currency']}")
            for cents in ("expected_cents", "actual_cents")
        ]
        said = f". Expected {told[0]}, found {told[1]} {row['currency']}. "
        assert said in row["explanation"]
    assert {row["currency"] for row in rows} >= {"USD", "EUR", "BHD"}
    assert any(row["expected_cents"] < 0 for row in rows)
    assert any(0 < row["actual_cents"] % 100 < 10 for row in rows)


def test_what_the_rail_never_did_follows_from_the_tenants_own_inputs(
    outcome: Outcome, tmp_path: Path
) -> None:
    """That the rail was read to the end is said in a tenant's own row, so replay sees it too."""
    home = prepare_home(outcome.home)
    with Marts(home.warehouse / "warehouse.duckdb") as marts:
        names = issuing.packet_tables(marts)
        for kind in ("charge_lost", "refund_lost", "payout_not_due_and_operation_of_other_amount"):
            tenant = f"m0_{kind}"
            with TenantReplay(home, tenant, names, tmp_path / tenant) as carried:
                written = carried.written()
                with replay.computed(written.files, written.plan) as again:
                    rows = issuing.tables_of(home, marts, tenant, "2026-10")
                    files = {
                        f"tables/{name}.ndjson": b"".join(write_table(name, table, 1 << 30))
                        for name, table in rows.items()
                    }
                    entries = {
                        name: scan_table(name, files[f"tables/{name}.ndjson"], table.key)
                        for name, table in rows.items()
                    }
                    again.compare(tenant, "2026-10", entries, files)


def test_the_comparison_itself_can_fail() -> None:
    wanted = Expected("AMOUNT_OVER", -700, rail="tr_1")
    row = {
        "tenant_id": "t",
        "outcome": "break",
        "reason_code": "AMOUNT_OVER",
        "drift_cents": -700,
        "currency": "USD",
        "rail_object_id": "tr_1",
        "kernel_object_id": None,
        "payout_key": None,
        "party_id": None,
    }
    said = ("AMOUNT_OVER", "AMOUNT_OVER")
    assert confuse([Case("k", "t", [wanted])], [row]) == (Counter({said: 1}), [])
    for changed in (
        {"drift_cents": -699},
        {"reason_code": "AMOUNT_UNDER"},
        {"rail_object_id": "tr_2"},
        {"tenant_id": "other"},
        {"outcome": "pending"},
    ):
        case = Case("k", "t", [wanted])
        confusion, left = confuse([case], [row | changed])
        assert (case.missed, left) == ([wanted], [row | changed])
        assert said not in confusion


@pytest.mark.slow
def test_every_kind_over_several_seeds_and_many_worlds(tmp_path: Path) -> None:
    outcome = run(tmp_path / "home", seeds=3, random_worlds=300)
    assert len(outcome.cases) == 3 * len(KINDS)
    _require_all_said(outcome)
