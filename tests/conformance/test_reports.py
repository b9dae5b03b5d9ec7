"""The reports beyond the recorded cases: rules, orders, overrides, limits and refusals."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from evidence.kernel_reports import locale_key
from tests.conformance.conftest import Desk
from tests.conformance.exported import (
    Exports,
    add_billing,
    add_event,
    add_operation,
    add_reconcile,
    planted,
)
from tests.wiring.conftest import one_paragraph

# What scenario 13 of the reference holds; the amounts it does not name only count in their sum.
SCENARIO = {
    "missing": (900, None),
    "bad_amount": (2000, "initiated"),
    "bad_ccy": (1000, "initiated"),
    "failed": (1000, "failed"),
    "reversed": (1000, "reversed"),
    "dup": (1000, "initiated"),
    "paid": (1000, "confirmed"),
    "waiting": (6000, "initiated"),
    "given_up": (1000, "cancelled"),
}
SCENARIO_HASH = "b7a7922e6e5d36e7fff0b75ae7446452b1e6f1cf36a6ec8fbfa39ac2ef0f0405"
SCENARIO_KEYS = {
    "missing": "frt_202601_851844d233bcb0c286f036fc",
    "bad_amount": "frt_202601_5ca67e6eb9f4079d6847b61d",
    "bad_ccy": "frt_202601_fc0c64755cb9a00f329eb6de",
    "failed": "frt_202601_e1fa49c23f497ddd3c5f869d",
    "reversed": "frt_202601_ddfa7c1ecaf0cef966450df1",
    "unexpected": "frt_202601_aabbee7586c18b53cda006f8",
    "dup": "frt_202601_f0284949df2d0549c9950c3d",
}
PERIOD = "2026-01"


def key(party: str) -> str:
    return f"tenant_default:party:{party}:period:{PERIOD}:statement:s_{party}"


def instruction(party: str, cents: int, suffix: str = "", **over: Any) -> dict[str, Any]:
    return {
        "artifactId": f"payout_tenant_default_{party}_{PERIOD}_s_{party}{suffix}",
        "artifactHash": "0" * 64,
        "partyId": party,
        "payoutKey": key(party),
        "amountCents": cents,
        "currency": "USD",
        **over,
    }


def operation(party: str, cents: int, state: str, **over: Any) -> dict[str, Any]:
    return {
        "operationId": f"mop_{key(party)}",
        "payoutKey": key(party),
        "amountCents": cents,
        "state": state,
        **over,
    }


def case(instructions: list[Any], operations: list[Any], provider: str = "stub_default") -> Any:
    return {
        "period": PERIOD,
        "providerId": provider,
        "payoutInstructions": instructions,
        "operations": operations,
    }


@planted
def edges(exports: Exports) -> None:
    most = 2**53 - 1
    # So many that their sum is beyond 64 bits too.
    beyond = [instruction(f"p{number}", most) for number in range(1_025)]
    add_reconcile(exports, "t_beyond", case(beyond, []))
    named = operation("pa", 500, "confirmed")
    twice = f"t:party:x:period:2026-09:y:period:{PERIOD}:statement:s"
    late = {**operation("px", 7, "failed"), "operationId": "odd", "payoutKey": twice}
    add_reconcile(exports, "t_months", case([instruction("pa", 500)], [named, late]))


@planted
def named_otherwise(exports: Exports) -> None:
    paid = operation("pa", 500, "confirmed")
    older = {"nooterra_payout_key": key("pz")}
    # The key of the rail's metadata says less than the kernel's own idempotency key.
    add_reconcile(
        exports,
        "t_key_of_rail",
        case([instruction("pa", 500)], [{**paid, "namedKey": None, "metadata": older}]),
    )
    add_reconcile(
        exports, "t_key_empty", case([instruction("pa", 500)], [{**paid, "namedKey": ""}])
    )
    add_reconcile(
        exports,
        "t_no_currency",
        case([{**instruction("pa", 500), "currency": None}], [{**paid, "currency": None}]),
    )
    nowhen = case([instruction("pa", 500)], [paid])
    add_reconcile(exports, "t_no_month", {**nowhen, "period": "2026-13"})


@planted
def every_category(exports: Exports) -> None:
    changed = {
        "bad_amount": {"amountCents": 1999},
        "bad_ccy": {"currency": "EUR"},
        "reversed": {"reasonCode": "chargeback"},
    }
    add_reconcile(
        exports,
        "t_categories",
        case(
            [instruction("dup", 1000, "_v2")]
            + [instruction(party, cents) for party, (cents, _) in SCENARIO.items()],
            [
                {**operation(party, cents, state), **changed.get(party, {})}
                for party, (cents, state) in SCENARIO.items()
                if state
            ]
            + [operation("unexpected", 777, "initiated")],
        ),
    )


@planted
def two_providers(exports: Exports) -> None:
    instructions = [instruction("pa", 500), instruction("pb", 700)]
    add_reconcile(exports, "t_two", case(instructions, [operation("pa", 500, "confirmed")], "one"))
    add_operation(exports, "t_two", "two", operation("pb", 700, "confirmed"))
    # A collection and another month are none of this month's payouts.
    add_operation(exports, "t_two", "two", operation("pc", 1, "confirmed"), direction="collection")
    other = key("pd").replace(PERIOD, "2026-02")
    add_operation(
        exports,
        "t_two",
        "two",
        {**operation("pd", 9, "reversed"), "operationId": f"mop_{other}", "payoutKey": other},
    )


@planted
def billed(exports: Exports) -> None:
    use = {"verifiedRuns": 10_100, "settledVolumeCents": 1_999, "arbitrationCases": 2}
    plan = {"planId": "builder", "overrides": {"verifiedRunOverageCents": 2.345}, "usage": use}
    add_billing(exports, "t_override", plan)
    add_event(exports, "t_override", "settled_volume", 1, 20_000, currency="EUR")
    for tenant, runs, overrides in (
        ("t_under", 999, None),
        ("t_limit", 1000, None),
        ("t_lifted", 5000, {"hardLimitVerifiedRunsPerMonth": 0}),
    ):
        use = {"verifiedRuns": runs, "settledVolumeCents": 0, "arbitrationCases": 0}
        add_billing(exports, tenant, {"planId": "free", "overrides": overrides, "usage": use})
    add_billing(exports, "t_strange", {"planId": "platinum", "overrides": None, "usage": use})
    add_billing(
        exports,
        "t_too_fine",
        {"planId": "free", "overrides": {"verifiedRunOverageCents": 0.0001}, "usage": use},
    )
    exports["t_idle", "tenant_profiles"].append({"tenantId": "t_idle", "plan": "growth"})
    exports["t_idle", "month_closes"].append(
        {"tenantId": "t_idle", "period": "2026-03", "status": "CLOSED"}
    )
    exports["t_subscribed", "tenant_profiles"].append(
        {
            "tenantId": "t_subscribed",
            "plan": "free",
            "subscription": {"plan": "builder", "status": "active"},
        }
    )
    exports["t_lapsed", "tenant_profiles"].append(
        {
            "tenantId": "t_lapsed",
            "plan": "free",
            "subscription": {"plan": "builder", "status": "canceled"},
        }
    )
    for tenant in ("t_subscribed", "t_lapsed"):
        add_event(exports, tenant, "verified_run", 1, 0)


def lines(report: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(line["code"], line["currency"]): line for line in report["lines"]}


def test_all_six_categories_have_the_hash_and_triage_keys_of_the_reference(desk: Desk) -> None:
    report = desk.one("reconcile", "t_categories")
    core = {
        name: value
        for name, value in report.items()
        if name not in ("reportHash", "triageQueue", "triageSummary")
    }
    core |= {"schemaVersion": "MoneyRailReconcileReport.v1", "tenantId": "tenant_default"}
    text = json.dumps(core, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == SCENARIO_HASH
    keys = {row["mismatchKey"].split(":")[2]: row["triageKey"] for row in report["triageQueue"]}
    assert keys == SCENARIO_KEYS


def test_each_provider_is_held_against_all_instructions(desk: Desk) -> None:
    one = desk.one("reconcile", "t_two", providerId="one")
    two = desk.one("reconcile", "t_two", providerId="two")
    assert [row["partyId"] for row in one["mismatches"]["missingOperations"]] == ["pb"]
    assert [row["partyId"] for row in two["mismatches"]["missingOperations"]] == ["pa"]
    assert two["summary"]["operationCount"] == 1
    assert two["mismatches"]["unexpectedOperations"] == []


def test_a_sum_that_no_report_can_say_stops_no_other(desk: Desk) -> None:
    assert "t_beyond" not in {report["tenantId"] for report in desk.all("reconcile")}
    answer = desk.ask("kernel-report", "reconcile", "--all", "--format", "jsonl")
    assert answer.code == 1
    (line,) = answer.err.splitlines()
    assert f"of t_beyond {PERIOD} stub_default that sum to more than" in line


@pytest.mark.parametrize("tenant", ["t_key_of_rail", "t_key_empty", "t_no_currency"])
def test_what_the_original_takes_for_granted_matches(desk: Desk, tenant: str) -> None:
    report = desk.one("reconcile", tenant)
    assert (report["status"], report["summary"]["matchedCount"]) == ("pass", 1)


def test_a_month_that_nobody_can_ask_for_has_no_report(desk: Desk) -> None:
    assert "t_no_month" not in {report["tenantId"] for report in desk.all("reconcile")}


def test_a_name_that_is_no_text_is_no_tenant(desk: Desk) -> None:
    answer = desk.ask(
        *("kernel-report", "reconcile", "--period", PERIOD, "--tenant-id", "t_two\udcff")
    )
    assert (
        "MONEY_RAIL_RECONCILE_EVIDENCE_REQUIRED" in answer.err or "provider_unknown" in answer.err
    )


def test_an_operation_is_of_every_month_that_its_key_names(desk: Desk) -> None:
    report = desk.one("reconcile", "t_months")
    unexpected = report["mismatches"]["unexpectedOperations"]
    assert [row["operationId"] for row in unexpected] == ["odd"]
    assert report["summary"]["operationCount"] == 2


def test_ids_are_ordered_as_the_kernel_orders_them() -> None:
    # The order that Node's localeCompare gives for these; code points would give another.
    ordered = ["a_b", "a-b", "a:b", "a.b", "a/b", "a1", "aa", "aA", "Aa", "ab", "B", "c"]
    mixed = ["c", "B", "Aa", "aa", "ab", "aA", "a1", "a/b", "a.b", "a:b", "a-b", "a_b"]
    assert sorted(mixed, key=locale_key) == ordered
    control = ["a\tb", "a b", "a_b", "a-b", "ab", "a\x01c"]
    assert sorted(sorted(control), key=locale_key) == control
    signs = ["☃", "€", "1", "eta", "été", "Été", "etz", "ñu", "nz", "o", "ø", "p"]
    ordered = [*signs, "ß", "st", "z", "Ω", "ж", "日"]
    assert sorted(sorted(ordered), key=locale_key) == ordered


def test_an_override_in_cents_is_charged_although_the_original_only_shows_it(desk: Desk) -> None:
    report = desk.one("billing", "t_override")
    assert report["verifiedRunOverageCentsPerUnit"] == 2.345
    assert report["verifiedRunOverageCents"] == 100
    line = lines(report)["VERIFIED_RUN_OVERAGE", "USD"]
    assert (line["quantity"], line["unitMilliCents"], line["amountCents"]) == (100, 2345, 235)


def test_a_fee_on_volume_stays_in_the_currency_of_the_volume(desk: Desk) -> None:
    report = desk.one("billing", "t_override")
    fees = {
        currency: (line["quantity"], line["amountCents"])
        for (code, currency), line in lines(report).items()
        if code == "SETTLED_VOLUME_FEE"
    }
    assert fees == {"USD": (1_999, 14), "EUR": (20_000, 150)}
    # The original adds them up.
    assert report["settledVolumeFeeCents"] == 164


def test_a_hard_limit_is_named_when_the_next_run_would_be_refused(desk: Desk) -> None:
    codes = {
        tenant: desk.one("billing", tenant)["hardLimit"]["code"]
        for tenant in ("t_under", "t_limit", "t_lifted")
    }
    assert codes == {
        "t_under": None,
        "t_limit": "BILLING_PLAN_LIMIT_EXCEEDED",
        "t_lifted": None,
    }


def test_an_unknown_plan_charges_nothing_and_says_so(desk: Desk) -> None:
    report = desk.one("billing", "t_strange")
    assert report["hardLimit"]["code"] == "BILLING_PLAN_UNKNOWN"
    assert (report["totalEstimatedCents"], report["lines"]) == (None, [])


def test_a_rate_finer_than_the_catalog_is_refused_and_the_default_plan_applies(desk: Desk) -> None:
    report = desk.one("billing", "t_too_fine")
    assert report["planId"] == "free"
    found = list((desk.home / "quarantine" / "kernel" / "tenant_profiles").glob("*.jsonl"))
    assert any("t_too_fine" in path.read_text() for path in found)


def test_a_month_without_use_owes_its_subscription(desk: Desk) -> None:
    report = desk.one("billing", "t_idle")
    assert (report["period"], report["totalEstimatedCents"]) == ("2026-03", 59_900)


def test_an_ended_subscription_no_longer_chooses_the_plan(desk: Desk) -> None:
    plans = {
        tenant: desk.one("billing", tenant)["planId"] for tenant in ("t_subscribed", "t_lapsed")
    }
    assert plans == {"t_subscribed": "builder", "t_lapsed": "free"}


def test_a_month_without_instructions_is_refused_with_the_code_of_the_original(desk: Desk) -> None:
    answer = desk.ask(
        "kernel-report", "reconcile", "--tenant-id", "t_two", "--period", "2025-12", "--json"
    )
    assert answer.code == 1, answer
    one_paragraph(answer, "MONEY_RAIL_RECONCILE_EVIDENCE_REQUIRED")


def test_a_question_with_two_answers_names_the_choices(desk: Desk) -> None:
    answer = desk.ask("kernel-report", "reconcile", "--tenant-id", "t_two", "--period", PERIOD)
    assert answer.code == 2, answer
    one_paragraph(answer, "report_ambiguous", "one, two", "--provider-id")


def test_bad_questions_are_misuse_or_refused(desk: Desk) -> None:
    asked = {
        ("reconcile", "--tenant-id", "t_two"): (2, "report_unnamed"),
        ("reconcile", "--tenant-id", "t_two", "--period", "2026-13"): (2, "period_malformed"),
        ("chargebacks", "--tenant-id", "t_nobody"): (1, "provider_unknown"),
        ("chargebacks", "--tenant-id", "t_two", "--provider-id", "x"): (1, "provider_unknown"),
        ("billing", "--tenant-id", "t_nobody", "--period", PERIOD): (1, "billing_unknown"),
    }
    for words, (code, name) in asked.items():
        answer = desk.ask("kernel-report", *words)
        assert answer.code == code, answer
        one_paragraph(answer, name)


def test_one_party_of_one_provider_is_totalled_alone(desk: Desk) -> None:
    answer = desk.ask(
        *("kernel-report", "chargebacks", "--tenant-id", "t_two", "--provider-id", "two"),
        *("--party-id", "x", "--period", "2026-02"),
    )
    assert answer.code == 0, answer
    assert answer.json["summary"]["totalOutstandingCents"] == 9
    assert answer.json["parties"][0]["status"] == "negative_balance"
