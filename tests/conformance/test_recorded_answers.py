"""Every recorded answer of the original comes out of `tieout kernel-report`."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.conformance.conftest import Desk
from tests.conformance.exported import (
    Exports,
    add_billing,
    add_exposure,
    add_reconcile,
    cases,
    planted,
)

RECONCILE = cases("money_rail_reconcile")
EXPOSURE = cases("chargeback_exposure")
BILLING = cases("billing_estimate")


def _tenant(kind: str, case: dict[str, Any]) -> str:
    return f"t_{kind}_{case['case']:03d}"


@planted
def recorded(exports: Exports) -> None:
    for case in RECONCILE:
        add_reconcile(exports, _tenant("reconcile", case), case)
    for case in EXPOSURE:
        add_exposure(exports, _tenant("exposure", case), case)
    for case in BILLING:
        add_billing(exports, _tenant("billing", case), case)


@pytest.mark.parametrize("case", RECONCILE, ids=lambda case: str(case["case"]))
def test_a_recorded_reconciliation_comes_out_byte_for_byte(desk: Desk, case: Any) -> None:
    report = desk.one("reconcile", _tenant("reconcile", case))
    # The recorded tenant is inside the recorded hash; everything else is taken as it came out.
    renamed = {**report, "tenantId": case["tenantId"]}
    assert _plain_hash(report) == report["reportHash"]
    assert {**renamed, "reportHash": _plain_hash(renamed)} == case["expected"]


def test_every_recorded_view_of_exposure_comes_out(desk: Desk) -> None:
    for case in EXPOSURE:
        tenant = _tenant("exposure", case)
        assert len(case["expected"]) == 5
        for view, expected in case["expected"].items():
            period = None if view == "all" else view
            report = desk.one("chargebacks", tenant, period=period)
            said = {"parties": report["parties"], "summary": report["summary"]}
            assert said == expected, (tenant, view)


def test_every_recorded_billing_estimate_comes_out(desk: Desk) -> None:
    for case in BILLING:
        report = desk.one("billing", _tenant("billing", case))
        said = {name: report[name] for name in case["expected"]}
        assert said == case["expected"], case["case"]
        assert report["planId"] == case["planId"]
        assert report["usage"] == case["usage"]


def test_a_single_report_is_asked_for_by_tenant_and_month(desk: Desk) -> None:
    case = next(case for case in RECONCILE if case["expected"]["status"] == "fail")
    tenant = _tenant("reconcile", case)
    answer = desk.ask(
        *("kernel-report", "reconcile", "--tenant-id", tenant, "--period", case["period"]),
        *("--provider-id", case["providerId"]),
    )
    assert answer.code == 1, answer
    assert answer.json == desk.one("reconcile", tenant)


def _plain_hash(report: dict[str, Any]) -> str:
    """The rule of the reference, written down a second time: nothing of the code under test."""
    names = ("tenantId", "period", "providerId", "status", "summary", "mismatches", "checks")
    core = {name: report[name] for name in (*names, "blockingIssues")}
    core["schemaVersion"] = "MoneyRailReconcileReport.v1"
    text = json.dumps(core, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
