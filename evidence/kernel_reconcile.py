"""The original's own reconciliation report: instructions against its own operations.

What belongs here: the six categories, nine checks, blocking issues, triage queue and `reportHash`,
which a partner's tools compare byte by byte. What does not: any count or comparison; they come from
tables that SQL made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from evidence.kernel_reports import Document, Row, kernel_hash, locale_key

__all__ = ["reconcile_report", "report_hash", "triage_key"]

_REPORT_SCHEMA: Final = "MoneyRailReconciliationReport.v1"
_HASHED_SCHEMA: Final = "MoneyRailReconcileReport.v1"
_HASHED_MEMBERS: Final = (
    *("tenantId", "period", "providerId", "status", "summary", "mismatches", "checks"),
    "blockingIssues",
)
_SOURCE_TYPE: Final = "money_rails_reconcile"
_STATES: Final = ("initiated", "submitted", "confirmed", "failed", "cancelled", "reversed")
_HASH_IN_KEY: Final = 24


def _missing(row: Row) -> Document:
    return {
        **_subject(row),
        "amountCents": row["expected_amount_cents"],
        "currency": row["currency"],
        "partyId": row["party_id"],
        "artifactId": row["artifact_id"],
    }


def _amounts(row: Row) -> Document:
    return {
        **_subject(row),
        "expectedAmountCents": row["expected_amount_cents"],
        "actualAmountCents": row["actual_amount_cents"],
    }


def _currencies(row: Row) -> Document:
    return {
        **_subject(row),
        "expectedCurrency": row["currency"],
        "actualCurrency": row["actual_currency"],
    }


def _terminal(row: Row) -> Document:
    return {
        **_subject(row),
        "state": row["operation_state"],
        "reasonCode": row["operation_reason"],
    }


def _unexpected(row: Row) -> Document:
    return {
        **_subject(row),
        "amountCents": row["actual_amount_cents"],
        "currency": row["actual_currency"],
        "state": row["operation_state"],
        "reasonCode": row["operation_reason"],
    }


def _duplicate(row: Row) -> Document:
    return {
        **_subject(row),
        "primaryArtifactId": row["artifact_id"],
        "duplicateArtifactId": row["duplicate_artifact_id"],
    }


def _subject(row: Row) -> Document:
    return {"operationId": row["operation_id"], "payoutKey": row["payout_key"]}


# Type, member of the report, check, severity, and the shape of a row; in the original's order.
_CATEGORIES: Final[tuple[tuple[str, str, str, str, Callable[[Row], Document]], ...]] = (
    ("missing_operation", "missingOperations", "missing_operations_empty", "critical", _missing),
    ("amount_mismatch", "amountMismatches", "amount_mismatches_empty", "high", _amounts),
    ("currency_mismatch", "currencyMismatches", "currency_mismatches_empty", "high", _currencies),
    ("terminal_failure", "terminalFailures", "terminal_failures_empty", "critical", _terminal),
    (
        "unexpected_operation",
        "unexpectedOperations",
        "unexpected_operations_empty",
        "high",
        _unexpected,
    ),
    ("duplicate_expected", "duplicateExpected", "duplicate_expected_empty", "medium", _duplicate),
)


def reconcile_report(summary: Row, mismatches: Iterable[Row]) -> Document:
    """The original's answer to `GET /ops/finance/money-rails/reconcile`.

    Args:
        summary: One row of `kernel_reconcile_summaries`.
        mismatches: The rows of `kernel_reconcile_mismatches` of the same tenant, month, provider.

    Returns:
        The report with `tenantId` and `reportHash`; nothing in it depends on a clock.
    """
    found = sorted(mismatches, key=_mismatch_order)
    by_category = {
        member: [shape(row) for row in found if row["mismatch_type"] == kind]
        for kind, member, _, _, shape in _CATEGORIES
    }
    counts = _summary(summary, len(found))
    checks = _checks(counts, by_category)
    blocking = [
        {
            "checkId": check["id"],
            "code": f"MONEY_RAIL_RECONCILE_CHECK_FAILED:{check['id'].upper()}",
            "details": check["details"],
        }
        for check in checks
        if not check["ok"]
    ]
    core = {
        "tenantId": summary["tenant_id"],
        "period": summary["period"],
        "providerId": summary["provider_id"],
        "status": "fail" if blocking else "pass",
        "summary": counts,
        "mismatches": by_category,
        "checks": checks,
        "blockingIssues": blocking,
    }
    queue = _triage_queue(core)
    return {
        "schemaVersion": _REPORT_SCHEMA,
        **core,
        "reportHash": report_hash(core),
        "triageQueue": queue,
        "triageSummary": {
            "total": len(queue),
            # What nobody triaged counts as open.
            "byStatus": {"open": len(queue)} if queue else {},
            "unresolved": len(queue),
            "resolved": 0,
        },
    }


def report_hash(report: Mapping[str, Any]) -> str:
    """`reportHash` of a report: over its hashed members, whatever others stand beside them."""
    core = {name: report.get(name) for name in _HASHED_MEMBERS}
    return kernel_hash({"schemaVersion": _HASHED_SCHEMA, **core})


def _mismatch_order(row: Row) -> tuple[object, ...]:
    named = row["operation_id"], row["mismatch_artifact_id"]
    # Texts that sort alike still have one order, so that one landing has one hash.
    return *map(locale_key, named), *named


def _summary(row: Row, mismatches: int) -> Document:
    return {
        "expectedPayoutCount": row["expected_payout_count"],
        "expectedPayoutAmountCents": row["expected_payout_amount_cents"],
        "operationCount": row["operation_count"],
        "matchedCount": row["matched_count"],
        "settledCount": row["settled_count"],
        "inFlightCount": row["in_flight_count"],
        "cancelledCount": row["cancelled_count"],
        # The original counts every category here, whatever its severity.
        "criticalMismatchCount": mismatches,
        "operationStateCounts": {state: row[f"{state}_operations"] for state in _STATES},
    }


def _checks(counts: Document, by_category: Mapping[str, list[Document]]) -> list[Document]:
    expected, matched = counts["expectedPayoutCount"], counts["matchedCount"]
    critical = counts["criticalMismatchCount"]
    computed = sum(map(len, by_category.values()))
    return [
        _check("expected_payout_count_bound", expected > 0, expectedPayoutCount=expected),
        _check(
            "matched_count_consistent",
            matched <= expected,
            matchedCount=matched,
            expectedPayoutCount=expected,
        ),
        *(
            _check(check, not by_category[member], count=len(by_category[member]))
            for _, member, check, _, _ in _CATEGORIES
        ),
        _check(
            "critical_mismatch_count_consistent",
            critical == computed,
            criticalMismatchCount=critical,
            computedCriticalMismatchCount=computed,
        ),
    ]


def _check(identity: str, ok: bool, **details: int) -> Document:
    return {"id": identity, "ok": ok, "details": details}


def _triage_queue(core: Document) -> list[Document]:
    period, provider = core["period"], core["providerId"]
    return [
        {
            "sourceType": _SOURCE_TYPE,
            "period": period,
            "providerId": provider,
            "mismatchType": kind,
            "mismatchKey": row["operationId"],
            "mismatchCode": f"MONEY_RAIL_{kind.upper()}",
            "severity": severity,
            "title": f"{kind}:{row['operationId']}",
            "details": row,
            "triageKey": triage_key(period, provider, kind, row["operationId"]),
            "triage": None,
        }
        for kind, member, _, severity, _ in _CATEGORIES
        for row in core["mismatches"][member]
    ]


def triage_key(period: str, provider_id: str | None, kind: str, mismatch_key: str) -> str:
    """The original's key of one mismatch in its triage queue."""
    parts = (_SOURCE_TYPE, period, provider_id or "none", kind, mismatch_key)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"frt_{period.replace('-', '')}_{digest[:_HASH_IN_KEY]}"
