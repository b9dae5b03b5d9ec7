"""The kernel's rules between artifacts and its ledger's identities are rows, each one reachable.

Belongs here: broken rules, identities and what they stop. Does not belong here: lifecycles that
come out right (test_kernel_traps.py).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.warehouse.kernel_cases import (
    BINDINGS,
    DISPUTES,
    HOLDBACKS,
    IDENTITIES,
    INSTRUCTIONS,
    PERIOD,
)
from tests.warehouse.real_world import RealInput

# The 26 stable codes of SettlementKernel.v1, from its published list.
KERNEL_CODES = (
    *("settlement_missing", "settlement_run_id_mismatch"),
    *("decision_record_missing", "decision_record_hash_invalid", "decision_record_hash_mismatch"),
    *("decision_record_run_id_mismatch", "decision_record_settlement_id_mismatch"),
    "decision_record_decided_at_invalid",
    "decision_record_policy_hash_used_missing",
    "decision_record_policy_hash_used_invalid",
    "decision_record_profile_hash_used_invalid",
    "decision_record_policy_normalization_version_invalid",
    "decision_record_verification_method_hash_used_invalid",
    *("settlement_receipt_missing", "settlement_receipt_hash_invalid"),
    *("settlement_receipt_hash_mismatch", "settlement_receipt_run_id_mismatch"),
    "settlement_receipt_settlement_id_mismatch",
    "settlement_receipt_decision_ref_missing",
    "settlement_receipt_decision_id_mismatch",
    "settlement_receipt_decision_hash_mismatch",
    *("settlement_receipt_created_at_invalid", "settlement_receipt_settled_at_invalid"),
    "settlement_receipt_before_decision",
    "settlement_receipt_settled_before_decision",
    "settlement_receipt_settled_before_created",
)

IDS = {
    "agent_run_settlements": "setl_run_",
    "settlement_decisions": "dec_",
    "settlement_receipts": "rcpt_",
}
ORDER = [
    "incomplete",
    "breaks",
    "reconciled_with_warnings",
    "reconciled_with_pending",
    "reconciled",
]


def test_the_26_codes_of_the_kernel_are_all_reached() -> None:
    assert len(KERNEL_CODES) == len(set(KERNEL_CODES)) == 26
    assert set(BINDINGS) == set(KERNEL_CODES)


@pytest.mark.parametrize("code", BINDINGS)
def test_a_run_breaks_the_rules_it_was_made_to_break_and_no_other(
    real: RealInput, code: str
) -> None:
    expected = {(f"{IDS[kind]}{code}", kind, rule) for kind, rule in BINDINGS[code][1]}
    assert code in {rule for _, _, rule in expected}
    found = {
        row for row in real.broken("t_codes") if row[0] in {f"{p}{code}" for p in IDS.values()}
    }
    assert found == expected


def test_a_sound_run_beside_them_breaks_none(real: RealInput) -> None:
    assert [row for row in real.broken("t_codes") if row[0].endswith("sound")] == []


def test_a_broken_rule_says_what_it_expected_and_what_it_got(real: RealInput) -> None:
    rows = {row["rule"]: row for row in real.rows("artifact_verdicts", tenant_id="t_codes")}
    late = rows["settlement_receipt_settled_before_created"]
    assert (late["expected"], late["got"]) == ("2026-10-05 08:00:00.5", "2026-10-05 08:00:00.499")
    assert (late["verdict"], late["code"]) == ("mismatch", late["rule"])
    assert rows["decision_record_run_id_mismatch"]["got"] == "run_elsewhere"
    assert all(row["remedy"] for row in rows.values() if row["rule"] != "content")


@pytest.mark.parametrize("code", HOLDBACKS)
def test_a_holdback_with_one_broken_link_breaks_that_rule(real: RealInput, code: str) -> None:
    found = {
        (kind, rule)
        for _, kind, rule in real.broken(f"t_{code}")
        if kind in ("funding_holds", "settlement_adjustments")
    }
    kind = "funding_holds" if code.startswith("hold_") else "settlement_adjustments"
    assert found == {(kind, code)}


def test_an_instruction_that_differs_from_its_statement_breaks_that_rule(real: RealInput) -> None:
    assert real.broken("t_instructions") == {
        (f"payout_{code}", "payout_instructions", code) for code in INSTRUCTIONS
    }


def test_a_dispute_over_another_hold_or_receipt_breaks_that_rule(real: RealInput) -> None:
    assert real.broken("t_disputes") == {
        *((f"dopen_{code}", "dispute_envelopes", code) for code in DISPUTES),
        ("setl_run_short", "agent_run_settlements", "settlement_amounts_not_whole"),
    }


def test_every_rule_in_the_models_is_reached_by_a_test(real: RealInput) -> None:
    models = Path(__file__).resolve().parents[2] / "dbt/models/intermediate/evidence"
    declared = {
        code
        for path in models.glob("int_binding_*.sql")
        for code in re.findall(r"^    \('(\w+)', ", path.read_text(), re.MULTILINE)
    }
    reached = {row["rule"] for row in real.rows("artifact_verdicts")}
    assert len(declared) > 40
    assert declared - reached == set()


# --- the ledger -----------------------------------------------------------------------------------


def failed(real: RealInput, tenant_id: str) -> set[str]:
    return {row["tie_out"] for row in real.rows("tie_outs", tenant_id=tenant_id, holds=False)}


def verdict(real: RealInput, tenant_id: str) -> str:
    (row,) = real.rows("reconciliation_runs", tenant_id=tenant_id, period=PERIOD)
    return str(row["verdict"])


def blockers(real: RealInput, tenant_id: str) -> dict[tuple[str, str], str]:
    rows = real.rows("certification_blockers", tenant_id=tenant_id)
    return {(row["period"], row["blocker"]): row["first_code"] for row in rows}


def test_a_sound_month_holds_every_identity_and_nothing_blocks_it(real: RealInput) -> None:
    ties = [row["tie_out"] for row in real.rows("tie_outs", tenant_id="t_funded", period=PERIOD)]
    assert set(ties) == set(IDENTITIES)
    assert failed(real, "t_funded") == set()
    assert blockers(real, "t_funded") == {}
    assert verdict(real, "t_funded") == "reconciled_with_pending"


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_month_where_an_identity_fails_cannot_be_certified(
    real: RealInput, identity: str
) -> None:
    tenant_id = f"t_{identity}"
    assert failed(real, tenant_id) == IDENTITIES[identity][1]
    assert (PERIOD, "TIE_OUT_FAILS") in blockers(real, tenant_id)
    assert verdict(real, tenant_id) == "breaks"


def test_a_hold_given_back_without_an_adjustment_does_not_roll_forward(real: RealInput) -> None:
    ties = real.rows("tie_outs", tenant_id="t_unrefunded", tie_out="holdback_rolls_forward")
    assert {row["period"]: (row["left_cents"], row["right_cents"]) for row in ties} == {
        "2026-10": (250, 250),
        "2026-11": (250, 0),
    }
    assert blockers(real, "t_unrefunded") == {(PERIOD, "TIE_OUT_FAILS"): "holdback_rolls_forward"}
    assert verdict(real, "t_unrefunded") == "breaks"


# --- what does not verify funds nothing -----------------------------------------------------------


def held(real: RealInput, tenant_id: str) -> set[str]:
    (row,) = real.rows("payout_gates", tenant_id=tenant_id)
    assert row["decision"] == "hold", "nobody asked for these payouts"
    return set(row["held_codes"].split(","))


def test_a_sound_receipt_funds_its_payout(real: RealInput) -> None:
    assert "EVIDENCE_UNVERIFIED" not in held(real, "t_funded")
    (row,) = real.rows("reconciliation_runs", tenant_id="t_funded", period=PERIOD)
    assert (row["mapping_level"], row["receipt_mapped_bps"]) == ("receipt", 10_000)


@pytest.mark.parametrize(
    ("tenant_id", "code"),
    [
        ("t_lying", "hash_mismatch"),
        ("t_unbound", "settlement_receipt_decision_hash_mismatch"),
        ("t_twice", "artifact_id_reused"),
        ("t_tainted", "response_hash_binding_mismatch"),
    ],
)
def test_a_receipt_that_does_not_verify_funds_nothing_and_blocks_its_month(
    real: RealInput, tenant_id: str, code: str
) -> None:
    assert "EVIDENCE_UNVERIFIED" in held(real, tenant_id)
    (row,) = real.rows("reconciliation_runs", tenant_id=tenant_id, period=PERIOD)
    assert row["verdict"] == "breaks"
    assert row["mapping_level"] != "receipt"
    assert blockers(real, tenant_id) == {(PERIOD, "ARTIFACT_UNVERIFIED"): code}


def test_the_same_id_with_another_hash_is_an_alert_and_the_first_content_stays(
    real: RealInput,
) -> None:
    (alert,) = real.rows("artifact_verdicts", tenant_id="t_twice", verdict="conflict")
    (receipt,) = real.rows("work.staging.stg_kernel__settlement_receipts", tenant_id="t_twice")
    assert alert["artifact_id"] == receipt["receipt_id"]
    assert (alert["rule"], alert["code"]) == ("identity", "artifact_id_reused")
    assert alert["expected"] == receipt["receipt_hash"] != alert["got"]


def test_the_real_lineage_and_pack_break_no_rule(real: RealInput, shared: Path) -> None:
    assert real.broken("tenant_vectors") == set()
    assert real.broken("tenant_default") == set()


def test_what_came_unsigned_stays_unverified_after_a_signed_export_without_it(
    real: RealInput,
) -> None:
    (manifest,) = real.rows("work.staging.stg_kernel__export_manifests", tenant_id="t_stray")
    assert manifest["manifest_status"] == "trusted"
    assert {"EVIDENCE_UNVERIFIED", "UNFUNDED_PAYOUT"} <= held(real, "t_stray")
    (unfunded,) = real.rows(
        "payout_gate_conditions", tenant_id="t_stray", condition_code="UNFUNDED_PAYOUT"
    )
    assert "unverified" in unfunded["observed"]
    blocked = blockers(real, "t_stray")
    assert blocked[(PERIOD, "EXPORT_UNVERIFIED")] == "not_in_a_trusted_export"


def test_a_refused_row_of_a_report_blocks_certifying_until_the_report_comes_whole(
    real: RealInput,
) -> None:
    assert blockers(real, "t_reported") == {("all", "SOURCE_INCOMPLETE"): "stripe_report"}
    assert blockers(real, "t_mended") == {}
    assert blockers(real, "t_funded") == {}
    statuses = [
        row["coverage_status"] for row in real.rows("source_coverage", source="stripe_report")
    ]
    assert sorted(statuses) == ["complete", "partial", "partial"]


def test_every_artifact_that_breaks_a_rule_is_counted_against_its_month(real: RealInput) -> None:
    broken: dict[str, set[tuple[str, str]]] = {}
    rules = set()
    for row in real.rows("artifact_verdicts", tenant_id="t_codes", verdict="mismatch"):
        artifact = (row["artifact_type"], row["artifact_id"])
        broken.setdefault(row["period"] or "all", set()).add(artifact)
        rules.add(row["rule"])
    assert set(KERNEL_CODES) <= rules
    counted = {
        row["period"]: row["blocked_items"]
        for row in real.rows(
            "certification_blockers", tenant_id="t_codes", blocker="ARTIFACT_UNVERIFIED"
        )
    }
    assert counted == {period: len(artifacts) for period, artifacts in broken.items()}
