"""The record of a drill: `MoneyRailChargebackEvidence.v1` over a what-if instead of a live tenant.

What belongs here: the members of the record, what makes it pass, and the answers the original would
have given, as it words them. What does not: laying the reversal over the facts and building what
follows from it, and signing (kernel_keys.py).

The original drives a live operation to `reversed`, once and for ever. Here nothing live is touched,
so the same drill over the same facts is the same record, byte for byte, and so is its hash: it
holds no clock, no address and no file name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from evidence.kernel_reports import Document, Row, kernel_time

__all__ = ["DrillFacts", "DrillRequest", "drill_event_id", "drill_record"]

_EVIDENCE_TYPE: Final = "MoneyRailChargebackEvidence.v1"
_HASH_IN_ID: Final = 24
_OK: Final = 200
_CREATED: Final = 201
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_FIRST_REFUSAL: Final = 400


@dataclass(frozen=True)
class DrillRequest:
    """What is drilled and what is expected of it; None expects nothing.

    Attributes:
        drill: `chargeback` or `refund`.
        period: The month whose exposure is looked at; None is all time.
        at: When the reversal would happen, as the kernel writes times.
        payout_period: The month of the payout to ask for afterwards; None asks for none.
    """

    drill: str
    tenant_id: str
    provider_id: str
    operation_id: str
    party_id: str
    period: str | None
    reason_code: str
    at: str
    payout_period: str | None
    payout_party_id: str
    expect_outstanding_cents: int | None
    expect_payout_code: str | None


@dataclass(frozen=True)
class DrillFacts:
    """What the tables say before and after the reversal.

    Attributes:
        before: The operation, a row of `kernel_operations`.
        after: The same under the what-if.
        exposure: The original's chargeback report under the what-if.
        payouts: Rows of `payout_gates` of the payout asked for, under the what-if.
    """

    before: Row
    after: Row
    exposure: Document
    payouts: tuple[Row, ...]


def drill_event_id(drill: str, tenant_id: str, provider_id: str, operation_id: str) -> str:
    """Id of the event that a drill makes up; the same for the same operation."""
    text = "\n".join((drill, tenant_id, provider_id, operation_id))
    return f"evt_drill_{hashlib.sha256(text.encode()).hexdigest()[:_HASH_IN_ID]}"


def drill_record(asked: DrillRequest, facts: DrillFacts) -> Document:
    """The record, without hash and signature."""
    answer = None if asked.payout_period is None else _payout_answer(facts.payouts)
    checks = {
        "reverseApplied": facts.after["operation_state"] == "reversed",
        "operationStateAfter": facts.after["operation_state"],
        "outstandingCents": facts.exposure["summary"]["totalOutstandingCents"],
        "payoutStatusCode": answer and answer["statusCode"],
        "payoutCode": answer and answer["body"]["code"],
    }
    failures = _failures(asked, checks)
    return {
        "type": _EVIDENCE_TYPE,
        "v": 1,
        "drill": asked.drill,
        "execution": "what_if_overlay",
        "capturedAt": asked.at,
        "status": "fail" if failures else "pass",
        "failures": failures,
        "inputs": _inputs(asked),
        "checks": checks,
        "calls": _calls(asked, facts, answer),
    }


def _failures(asked: DrillRequest, checks: Mapping[str, Any]) -> list[str]:
    found = []
    if not checks["reverseApplied"]:
        found.append(f"reversal was not applied (state={checks['operationStateAfter']})")
    expected, got = asked.expect_outstanding_cents, checks["outstandingCents"]
    if expected is not None and expected != got:
        found.append(f"expected outstanding {expected} but got {got}")
    code, answered = asked.expect_payout_code, checks["payoutCode"]
    if code is not None and code != answered:
        found.append(f"expected payout code {code} but got {answered}")
    return found


def _inputs(asked: DrillRequest) -> Document:
    return {
        "baseUrl": None,
        "tenantId": asked.tenant_id,
        "providerId": asked.provider_id,
        "operationId": asked.operation_id,
        "partyId": asked.party_id,
        "period": asked.period,
        "reasonCode": asked.reason_code,
        "eventId": _event_id(asked),
        "at": asked.at,
        "payoutPeriod": asked.payout_period,
        "payoutPartyId": asked.payout_party_id,
        "expectOutstandingCents": asked.expect_outstanding_cents,
        "expectPayoutCode": asked.expect_payout_code,
    }


def _calls(asked: DrillRequest, facts: DrillFacts, answer: Document | None) -> Document:
    state = facts.before["operation_state"]
    return {
        "operationBefore": _answered(operation=_operation(facts.before)),
        # The original submits and confirms first where that has not happened yet.
        "submitIngest": _event(asked, "submitted") if state == "initiated" else None,
        "confirmIngest": _event(asked, "confirmed") if state != "confirmed" else None,
        "operationConfirmed": _answered(
            operation={**_operation(facts.before), "state": "confirmed"}
        ),
        "reverseIngest": _event(asked, "reversed"),
        "operationAfter": _answered(operation=_operation(facts.after)),
        "exposure": _answered(**facts.exposure),
        "payoutCheck": answer,
    }


def _answered(**body: Any) -> Document:
    return {"statusCode": _OK, "ok": True, "body": body}


def _event(asked: DrillRequest, event_type: str) -> Document:
    return _answered(
        applied=True,
        eventType=event_type,
        event={
            "providerId": asked.provider_id,
            "operationId": asked.operation_id,
            "eventType": event_type,
            "eventId": _event_id(asked),
            "at": asked.at,
            "reasonCode": asked.reason_code if event_type == "reversed" else None,
        },
    )


def _payout_answer(payouts: tuple[Row, ...]) -> Document:
    """What the original would answer to the enqueue of a payout: its code, or that it goes on."""
    row = next((row for row in payouts if row["kernel_code"]), payouts[0] if payouts else None)
    code = "NOT_FOUND" if row is None else row["kernel_code"]
    reason = None if row is None else row["kernel_reason"]
    status = _CREATED
    if row is None:
        status = _NOT_FOUND
    elif code is not None:
        status = _CONFLICT
    elif reason is not None:
        status = _OK
    body = {
        "code": code,
        "reason": reason,
        "payoutKey": row and row["payout_key"],
        "amountCents": row and row["kernel_amount_cents"],
    }
    return {"statusCode": status, "ok": status < _FIRST_REFUSAL, "body": body}


def _operation(row: Row) -> Document:
    times = ("initiated", "submitted", "confirmed", "failed", "cancelled", "reversed")
    return {
        "tenantId": row["tenant_id"],
        "providerId": row["provider_id"],
        "operationId": row["operation_id"],
        "direction": row["direction"],
        "amountCents": row["amount_cents"],
        "currency": row["currency"],
        "counterpartyRef": row["counterparty_ref"],
        "state": row["operation_state"],
        "providerRef": row["provider_ref"],
        "reasonCode": row["reason_code"],
        **{f"{name}At": kernel_time(row[f"{name}_at"]) for name in times},
    }


def _event_id(asked: DrillRequest) -> str:
    return drill_event_id(asked.drill, asked.tenant_id, asked.provider_id, asked.operation_id)
