"""What the gate answers and what parties owe, scenario by scenario.

Belongs here: planted gate answers and exposures against the tables. Does not belong here: breaks,
and the original's vectors (tests/gates).
"""

from __future__ import annotations

from typing import Any

from tests.warehouse.conftest import Built


def _codes(row: dict[str, Any]) -> set[str]:
    return {code for code in (row["held_codes"] or "").split(",") if code}


def test_every_planted_gate_answers_as_planted(scenarios: Built) -> None:
    gates = {(row["tenant_id"], row["payout_key"]): row for row in scenarios.rows("payout_gates")}
    wrong = []
    planted = scenarios.world.expectations()["gates"]
    for row in planted:
        found = gates[row["tenant_id"], row["payout_key"]]
        exact = (
            "decision",
            "first_code",
            "kernel_code",
            "gross_cents",
            "recovery_cents",
            "release_cents",
        )
        differs = {name: found[name] for name in exact if name in row and row[name] != found[name]}
        absent = set(row["held_codes"]) - _codes(found)
        if differs or absent:
            wrong.append((row, differs, absent, found["held_codes"]))
    assert len(planted) >= 18
    assert wrong == []


def test_a_hold_names_its_codes_and_a_release_has_none(scenarios: Built) -> None:
    rows = scenarios.rows("payout_gates")
    assert {row["decision"] for row in rows} >= {"release", "hold"}
    for row in rows:
        if row["decision"] == "hold":
            assert row["first_code"], row
            assert row["first_code"] in _codes(row), row
        if row["decision"] == "release":
            assert row["held_codes"] in (None, ""), row
            assert row["release_cents"] + row["recovery_cents"] == row["gross_cents"], row
            assert row["destination_account_id"], row


def test_no_payout_leaves_while_any_of_its_conditions_holds_it(scenarios: Built) -> None:
    released = {
        (row["tenant_id"], row["payout_key"])
        for row in scenarios.rows("payout_gates")
        if row["decision"] == "release"
    }
    holding = {
        (row["tenant_id"], row["payout_key"])
        for row in scenarios.rows("payout_gate_conditions")
        if row["holds"]
    }
    assert released
    assert released & holding == set()


def test_every_party_owes_what_its_disputes_took(scenarios: Built) -> None:
    exposures = {
        (row["tenant_id"], row["party_id"], row["currency"]): row
        for row in scenarios.rows("chargeback_exposure")
    }
    planted = scenarios.world.expectations()["exposures"]
    wrong = []
    for row in planted:
        found = exposures.get((row["tenant_id"], row["party_id"], row["currency"]))
        names = (
            "outstanding_cents",
            "open_dispute_cents",
            "contingent_cents",
            "kernel_outstanding_cents",
        )
        got = {name: (found or {}).get(name, 0) for name in names if name in row}
        if got != {name: row[name] for name in names if name in row}:
            wrong.append((row, got))
    assert len(planted) >= 5
    assert wrong == []


def test_every_exposure_rolls_forward_to_its_balance(scenarios: Built) -> None:
    closing: dict[tuple[str, str | None, str], tuple[str, int]] = {}
    for row in scenarios.rows("exposure_rollforward"):
        key = (row["tenant_id"], row["party_id"], row["currency"])
        if key not in closing or row["period"] > closing[key][0]:
            closing[key] = (row["period"], row["closing_cents"])
    balances = {
        (row["tenant_id"], row["party_id"], row["currency"]): row["outstanding_cents"]
        for row in scenarios.rows("chargeback_exposure")
    }
    assert closing
    assert {key: cents for key, (_, cents) in closing.items()} == {
        key: cents for key, cents in balances.items() if key in closing
    }
