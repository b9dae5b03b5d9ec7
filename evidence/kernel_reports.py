"""The original's own chargeback and billing reports, and the conventions all its reports share.

What belongs here: which member stands where, the order of rows, times, and the hash of a report.
What does not: any count or amount, which come from tables that SQL made; the reconciliation
report (kernel_reconcile.py).

Rows are sorted as JavaScript's `localeCompare` sorts the ids the kernel uses: punctuation before
digits before letters, accents and case only as tie-breaks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from evidence import canonical

__all__ = [
    "Document",
    "Row",
    "billing_report",
    "chargeback_report",
    "kernel_hash",
    "kernel_time",
    "locale_key",
]

Row = Mapping[str, Any]
Document = dict[str, Any]

_PLACE: Final = {
    sign: number
    for number, sign in enumerate(
        "\t\n\v\f\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz"
    )
}
# Letters that no accent makes, beside those that two letters make.
_EXPANDED: Final = {
    **{"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"},
    **{"đ": "d", "Đ": "D", "ß": "ss"},
}


def chargeback_report(
    tenant_id: str,
    provider_id: str,
    period: str | None,
    party_id: str | None,
    parties: Iterable[Row],
) -> Document:
    """The original's answer to `GET /ops/finance/money-rails/chargebacks`.

    Args:
        tenant_id: The tenant.
        provider_id: The provider asked for.
        period: The month asked for; None for all time.
        party_id: The party asked for; None for all.
        parties: Rows of `kernel_chargebacks` that answer the query.
    """
    rows = sorted(parties, key=lambda row: locale_key(row["party_id"]))
    return {
        "tenantId": tenant_id,
        "providerId": provider_id,
        "period": period,
        "partyId": party_id,
        "summary": {
            "partyCount": len(rows),
            "totalOutstandingCents": sum(row["outstanding_cents"] for row in rows),
            "totalReversedAmountCents": sum(row["reversed_cents"] for row in rows),
            "totalRecoveredCents": sum(row["recovered_cents"] for row in rows),
        },
        "parties": [
            {
                "partyId": row["party_id"],
                "outstandingCents": row["outstanding_cents"],
                "totalReversedAmountCents": row["reversed_cents"],
                "totalRecoveredCents": row["recovered_cents"],
                "reversedCount": row["reversed_count"],
                "recoveryCount": row["recovery_count"],
                "latestReversedAt": kernel_time(row["latest_reversed_at"]),
                "status": row["kernel_status"],
            }
            for row in rows
        ],
    }


def billing_report(estimate: Row, charges: Iterable[Row]) -> Document:
    """The original's billing estimate of a month, with the lines that are really charged.

    Args:
        estimate: One row of `billing_estimates`.
        charges: The rows of `billing_charges` of the same tenant and month.
    """
    return {
        "tenantId": estimate["tenant_id"],
        "period": estimate["period"],
        "planId": estimate["plan"],
        "usage": {
            "verifiedRuns": estimate["verified_runs"],
            "settledVolumeCents": estimate["settled_volume_cents"],
            "arbitrationCases": estimate["arbitration_cases"],
        },
        "subscriptionCents": estimate["subscription_cents"],
        "includedVerifiedRunsPerMonth": estimate["included_verified_runs"],
        "verifiedRunOverageUnits": estimate["overage_runs"],
        "verifiedRunOverageCentsPerUnit": _per_unit(estimate["kernel_overage_shown_millicents"]),
        "verifiedRunOverageMilliCentsPerUnit": estimate["kernel_overage_millicents"],
        "verifiedRunOverageMilliCents": estimate["overage_total_millicents"],
        "verifiedRunOverageCents": estimate["overage_cents"],
        "settledVolumeFeeBps": estimate["settled_volume_fee_bps"],
        "settledVolumeFeeCents": estimate["settled_volume_fee_cents"],
        "arbitrationCaseFeeCents": estimate["arbitration_case_fee_cents"],
        "arbitrationFeeCents": estimate["arbitration_fee_cents"],
        "totalEstimatedCents": estimate["total_estimated_cents"],
        "hardLimit": {
            "hardLimitVerifiedRunsPerMonth": estimate["hard_limit_verified_runs"],
            "usedVerifiedRuns": estimate["verified_runs"],
            "runsOverLimit": estimate["runs_over_limit"],
            "code": estimate["limit_code"],
        },
        "lines": [
            {
                "code": row["line_code"],
                "quantity": row["quantity"],
                "unitMilliCents": row["unit_millicents"],
                "unitAmountBps": row["unit_bps"],
                "amountCents": row["amount_cents"],
                "currency": row["currency"],
                "sourceEventCount": row["source_event_count"],
            }
            for row in sorted(charges, key=lambda row: (row["line_code"], row["currency"]))
        ],
    }


def kernel_hash(document: Document) -> str:
    """sha256 of a report's canonical text, as 64 lower-case hex digits.

    A report has integers, texts and plain names alone, on which the kernel's canonical form and
    the packet's are the same.
    """
    return canonical.sha256_hex(canonical.dumps(document))


def kernel_time(moment: datetime | None) -> str | None:
    """A time as the kernel writes it: UTC with three digits of a second and Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def locale_key(text: str) -> tuple[list[tuple[int, int]], list[int], list[bool]]:
    """Sort key of an id as the kernel's `localeCompare` orders it: letters, accents, then case.

    Exact for ASCII; control signs that are no space count as not there. Of other texts, letters
    with accents and ligatures stand with their letters, other scripts after them, signs before
    digits; signs and accents among themselves stand by code point.
    """
    said = [sign for sign in text if sign in _PLACE or unicodedata.category(sign) != "Cc"]
    plain = unicodedata.normalize("NFKD", "".join(_EXPANDED.get(sign, sign) for sign in said))
    letters = [sign for sign in plain if not unicodedata.combining(sign)]
    marks = [ord(low) for sign in said if not sign.isascii() for low in sign.lower()]
    places = [_place(low) for sign in letters for low in sign.casefold()]
    return places, marks, [sign.isupper() for sign in letters]


def _place(sign: str) -> tuple[int, int]:
    if sign in _PLACE:
        return 3 if sign.isalnum() else 2 if sign == "$" else 0, _PLACE[sign]
    kind = unicodedata.category(sign)
    group = 2 if kind == "Sc" else 1 if kind[0] in "ZPSC" else 3 if kind[0] == "N" else 4
    return group, ord(sign)


def _per_unit(millicents: int | None) -> float | int | None:
    """The rate in cents as the original shows it; the charge never passes through a float."""
    if millicents is None or millicents % 1000 == 0:
        return None if millicents is None else millicents // 1000
    return millicents / 1000
