"""Tenants of one export, each with one thing that the kernel's own rules say about it.

Belongs here: artifacts written by hand and hashed with plain JSON. Does not belong here: what the
tables must say of them (the test modules).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.kernel.conftest import Kernel, make_decision, make_receipt, plain_hash

Json = dict[str, Any]
Rows = dict[str, list[Json]]

PERIOD = "2026-11"
CLOSED_AT = "2026-11-23T00:00:00.000Z"
THROUGH = "2026-11-23T23:50:00.000Z"
PARTY = "pty_operator:north:1"
OTHER = "e" * 64


def sealed(artifact: Mapping[str, Any], member: str, *without: str) -> Json:
    """The artifact with its hash."""
    return {**artifact, member: plain_hash(artifact, member, *without)}


def write(kernel: Kernel, tenant: str, rows: Mapping[str, list[Json]]) -> None:
    """One tenant's export under a trusted manifest."""
    for artifact_type, artifacts in rows.items():
        lines = [{"tenantId": tenant, **artifact} for artifact in artifacts]
        kernel.write(artifact_type, lines, tenant=tenant)
    kernel.sign(tenant=tenant, exportedThrough=THROUGH)


# --- settlements, decisions, receipts -------------------------------------------------------------


def settlement(name: str, **over: Any) -> Json:
    return {
        "schemaVersion": "AgentRunSettlement.v1",
        "settlementId": f"setl_run_{name}",
        "runId": f"run_{name}",
        "agentId": "agt_payee",
        "payerAgentId": "agt_payer",
        "amountCents": 1250,
        "currency": "USD",
        "status": "released",
        "releasedAmountCents": 1250,
        "refundedAmountCents": 0,
        "lockedAt": "2026-10-05T07:00:00.000Z",
        "resolvedAt": "2026-10-05T08:00:01.000Z",
        "revision": 1,
        "createdAt": "2026-10-05T07:00:00.000Z",
        "updatedAt": "2026-10-05T08:00:01.000Z",
        **over,
    }


class Run:
    """A settlement, its decision and its receipt, sound unless told otherwise.

    Args:
        settlement, decision, receipt: Members that differ, sealed with the rest; None drops it.
        late_decision, late_receipt: Members that are changed after the hash was taken.
    """

    def __init__(
        self,
        tenant: str,
        name: str,
        *,
        settlement: Mapping[str, Any] | None = {},  # read only
        decision: Mapping[str, Any] | None = {},
        receipt: Mapping[str, Any] | None = {},
        late_decision: Mapping[str, Any] | None = None,
        late_receipt: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        made: Json = make_decision(name, tenantId=tenant, **(decision or {}))  # type: ignore[arg-type]
        made |= late_decision or {}
        reference = {"decisionId": made["decisionId"], "decisionHash": made["decisionHash"]}
        paper: Json = make_receipt(
            name,  # type: ignore[arg-type]
            **{"tenantId": tenant, "decisionRef": reference, **(receipt or {})},
        )
        paper |= late_receipt or {}
        self.rows: Rows = {
            "settlement_decisions": [] if decision is None else [made],
            "settlement_receipts": [] if receipt is None else [paper],
            "agent_run_settlements": [] if settlement is None else [_settled(name, settlement)],
        }
        self.decision, self.receipt = made, paper


def _settled(name: str, over: Mapping[str, Any]) -> Json:
    return settlement(name, **over)


def joined(*runs: Run) -> Rows:
    """The rows of several runs of one tenant."""
    rows: Rows = {}
    for run in runs:
        for artifact_type, artifacts in run.rows.items():
            rows.setdefault(artifact_type, []).extend(artifacts)
    return rows


S, D, R = "agent_run_settlements", "settlement_decisions", "settlement_receipts"
Broken = tuple[dict[str, Any], set[tuple[str, str]]]

# By the code it reaches: how a run is made, and every rule that it then breaks.
BINDINGS: dict[str, Broken] = {
    "settlement_missing": (
        {"settlement": None},
        {(R, "settlement_missing"), (D, "settlement_missing")},
    ),
    "settlement_run_id_mismatch": (
        {"settlement": {"runId": "run_elsewhere"}},
        {
            (S, "settlement_run_id_mismatch"),
            (D, "decision_record_run_id_mismatch"),
            (R, "settlement_receipt_run_id_mismatch"),
        },
    ),
    "decision_record_missing": (
        {"decision": None},
        {(R, "decision_record_missing"), (S, "decision_record_missing")},
    ),
    "decision_record_hash_invalid": (
        {"late_decision": {"decisionHash": "not a hash"}},
        {(D, "content"), (D, "decision_record_hash_invalid")},
    ),
    "decision_record_hash_mismatch": (
        {"late_decision": {"verificationStatus": "red"}},
        {(D, "content"), (D, "decision_record_hash_mismatch")},
    ),
    "decision_record_run_id_mismatch": (
        {"decision": {"runId": "run_elsewhere"}},
        {(D, "decision_record_run_id_mismatch")},
    ),
    "decision_record_settlement_id_mismatch": (
        {"decision": {"settlementId": "setl_elsewhere"}},
        {(D, "decision_record_settlement_id_mismatch"), (S, "decision_record_missing")},
    ),
    "decision_record_decided_at_invalid": (
        {"decision": {"decidedAt": "soon"}},
        {(D, "decision_record_decided_at_invalid")},
    ),
    "decision_record_policy_hash_used_missing": (
        {"decision": {"policyHashUsed": None}},
        {(D, "decision_record_policy_hash_used_missing")},
    ),
    "decision_record_policy_hash_used_invalid": (
        {"decision": {"policyHashUsed": "A" * 64}},
        {(D, "decision_record_policy_hash_used_invalid")},
    ),
    "decision_record_profile_hash_used_invalid": (
        {"decision": {"profileHashUsed": "abc"}},
        {(D, "decision_record_profile_hash_used_invalid")},
    ),
    "decision_record_policy_normalization_version_invalid": (
        {"decision": {"policyNormalizationVersion": "v2"}},
        {(D, "decision_record_policy_normalization_version_invalid")},
    ),
    "decision_record_verification_method_hash_used_invalid": (
        {"decision": {"verificationMethodHashUsed": "g" * 64}},
        {(D, "decision_record_verification_method_hash_used_invalid")},
    ),
    "settlement_receipt_missing": (
        {"receipt": None},
        {(S, "settlement_receipt_missing")},
    ),
    "settlement_receipt_hash_invalid": (
        {"late_receipt": {"receiptHash": None}},
        {(R, "content"), (R, "settlement_receipt_hash_invalid")},
    ),
    "settlement_receipt_hash_mismatch": (
        {"late_receipt": {"releasedAmountCents": 1249}},
        {(R, "content"), (R, "settlement_receipt_hash_mismatch")},
    ),
    "settlement_receipt_run_id_mismatch": (
        {"receipt": {"runId": "run_elsewhere"}},
        {(R, "settlement_receipt_run_id_mismatch")},
    ),
    "settlement_receipt_settlement_id_mismatch": (
        {"receipt": {"settlementId": "setl_elsewhere"}},
        {(R, "settlement_receipt_settlement_id_mismatch"), (S, "settlement_receipt_missing")},
    ),
    "settlement_receipt_decision_ref_missing": (
        {"receipt": {"decisionRef": None}},
        {(R, "settlement_receipt_decision_ref_missing")},
    ),
    "settlement_receipt_decision_id_mismatch": (
        {"late_receipt": {}, "receipt": {"decisionRef": "renamed"}},
        {(R, "settlement_receipt_decision_id_mismatch")},
    ),
    "settlement_receipt_decision_hash_mismatch": (
        {"receipt": {"decisionRef": "rehashed"}},
        {(R, "settlement_receipt_decision_hash_mismatch")},
    ),
    "settlement_receipt_created_at_invalid": (
        {"receipt": {"createdAt": "2026-02-30T00:00:00.000Z"}},
        {(R, "settlement_receipt_created_at_invalid")},
    ),
    "settlement_receipt_settled_at_invalid": (
        {"receipt": {"settledAt": "yesterday"}},
        {(R, "settlement_receipt_settled_at_invalid")},
    ),
    "settlement_receipt_before_decision": (
        {"receipt": {"createdAt": "2026-10-05T07:59:59.999Z"}},
        {(R, "settlement_receipt_before_decision")},
    ),
    "settlement_receipt_settled_before_decision": (
        {
            "receipt": {
                "createdAt": "2026-10-05T07:00:00.000Z",
                "settledAt": "2026-10-05T07:30:00.000Z",
            }
        },
        {
            (R, "settlement_receipt_before_decision"),
            (R, "settlement_receipt_settled_before_decision"),
        },
    ),
    "settlement_receipt_settled_before_created": (
        {"receipt": {"settledAt": "2026-10-05T08:00:00.499Z"}},
        {(R, "settlement_receipt_settled_before_created")},
    ),
}


def binding_run(tenant: str, code: str) -> Run:
    """The run that reaches a code."""
    made = dict(BINDINGS[code][0])
    reference = (made.get("receipt") or {}).get("decisionRef")
    if reference in ("renamed", "rehashed"):
        sound = Run(tenant, code).decision
        real = {"decisionId": sound["decisionId"], "decisionHash": sound["decisionHash"]}
        wrong = (
            {"decisionId": "dec_elsewhere"} if reference == "renamed" else {"decisionHash": OTHER}
        )
        made["receipt"] = {"decisionRef": real | wrong}
    return Run(tenant, code, **made)


# --- holdbacks ------------------------------------------------------------------------------------


def hold(receipt: Mapping[str, Any], **over: Any) -> Json:
    """A hold of 250 of a receipt; its hash leaves out what moves on."""
    core = {
        "schemaVersion": "FundingHold.v1",
        "tenantId": receipt["tenantId"],
        "agreementHash": plain_hash({"of": receipt["receiptId"]}),
        "receiptHash": receipt["receiptHash"],
        "payerAgentId": "agt_payer",
        "payeeAgentId": "agt_payee",
        "amountCents": 1250,
        "heldAmountCents": 250,
        "currency": "USD",
        "holdbackBps": 2000,
        "challengeWindowMs": 86_400_000,
        "createdAt": "2026-10-05T08:00:01.000Z",
        "status": "held",
        "revision": 0,
        "updatedAt": "2026-10-05T08:00:01.000Z",
        **over,
    }
    moving = ("status", "resolvedAt", "updatedAt", "revision", "metadata")
    return sealed(core, "holdHash", *moving)


def adjustment(of: Mapping[str, Any], kind: str = "holdback_release", **over: Any) -> Json:
    """What resolves a hold in full."""
    core = {
        "schemaVersion": "SettlementAdjustment.v1",
        "adjustmentId": f"sadj_agmt_{of['agreementHash']}_holdback",
        "tenantId": of["tenantId"],
        "agreementHash": of["agreementHash"],
        "receiptHash": of["receiptHash"],
        "holdHash": of["holdHash"],
        "kind": kind,
        "amountCents": of["heldAmountCents"],
        "currency": "USD",
        "createdAt": "2026-11-05T00:00:00.000Z",
        **over,
    }
    return sealed(core, "adjustmentHash", "metadata")


def verdict(tenant: str, name: str, rate: int = 100) -> Json:
    core = {
        "schemaVersion": "ArbitrationVerdict.v1",
        "verdictId": f"arb_vrd_{name}",
        "caseId": f"arb_case_{name}",
        "tenantId": tenant,
        "runId": f"run_{name}",
        "settlementId": f"setl_run_{name}",
        "disputeId": f"disp_{name}",
        "arbiterAgentId": "agt_arbiter",
        "outcome": "accepted" if rate else "rejected",
        "releaseRatePct": rate,
        "rationale": "as agreed",
        "evidenceRefs": [],
        "issuedAt": "2026-11-05T00:00:00.000Z",
        "appealRef": None,
    }
    return sealed(core, "verdictHash")


RESOLVED = {"status": "released", "resolvedAt": "2026-11-05T00:00:00.000Z", "revision": 1}


def _holdback(name: str) -> tuple[Rows, set[tuple[str, str]]]:
    """A released holdback of a tenant, with one link of it broken."""
    tenant = f"t_{name}"
    run = Run(tenant, name)
    held = hold(run.receipt, **RESOLVED)
    ruled = verdict(tenant, name)
    reference = {"caseId": ruled["caseId"], "verdictHash": ruled["verdictHash"]}
    over: Json = {"verdictRef": reference}
    H, A = "funding_holds", "settlement_adjustments"
    where = A
    match name:
        case "hold_receipt_missing":
            held, where = hold({**run.receipt, "receiptHash": OTHER}, **RESOLVED), H
        case "hold_currency_mismatch":
            held, where = hold(run.receipt, currency="EUR", **RESOLVED), H
            over["currency"] = "EUR"
        case "hold_amount_exceeded":
            held, where = hold(run.receipt, heldAmountCents=1251, **RESOLVED), H
        case "adjustment_receipt_mismatch":
            over["receiptHash"] = OTHER
        case "adjustment_agreement_mismatch":
            over["agreementHash"] = OTHER
        case "adjustment_amount_mismatch":
            over["amountCents"] = 249
        case "adjustment_currency_mismatch":
            over["currency"] = "EUR"
        case "adjustment_hold_missing":
            over["holdHash"] = OTHER
        case "adjustment_hold_status_mismatch":
            held = {**held, "status": "refunded"}
        case "adjustment_verdict_missing":
            over["verdictRef"] = {"caseId": "arb_case_elsewhere", "verdictHash": OTHER}
        case "adjustment_verdict_hash_mismatch":
            over["verdictRef"] = {**reference, "verdictHash": OTHER}
        case "adjustment_verdict_kind_mismatch":
            ruled = verdict(tenant, name, 0)
            over["verdictRef"] = {**reference, "verdictHash": ruled["verdictHash"]}
        case "adjustment_verdict_unverified":
            ruled = {**ruled, "rationale": "rewritten"}
    rows = {**run.rows, H: [held], A: [adjustment(held, **over)], "arbitration_verdicts": [ruled]}
    return rows, {(where, name)}


HOLDBACKS = (
    *("hold_receipt_missing", "hold_currency_mismatch", "hold_amount_exceeded"),
    *("adjustment_hold_missing", "adjustment_receipt_mismatch", "adjustment_agreement_mismatch"),
    *("adjustment_amount_mismatch", "adjustment_currency_mismatch"),
    *("adjustment_hold_status_mismatch", "adjustment_verdict_missing"),
    *("adjustment_verdict_hash_mismatch", "adjustment_verdict_kind_mismatch"),
    "adjustment_verdict_unverified",
)


# --- a closed month -------------------------------------------------------------------------------


class Month:
    """A closed month of one sale of 100.00: 80.00 to its party, 20.00 to the platform.

    Attributes:
        lines, statements, instruction, total_cents: What `rows` seals; change them before.
    """

    def __init__(self, tenant: str, party: str = PARTY) -> None:
        self.tenant, self.party = tenant, party
        self.total_cents = 0
        self.lines = [
            self._line("pty_customer:c", "acct_customer_escrow", 10_000),
            self._line("pty_platform", "acct_platform_revenue", -2_000),
            self._line(party, "acct_owner_payable", -8_000),
        ]
        self.statements = {
            line["partyId"]: {
                "currency": "USD",
                "payoutCents": 8_000 if line["partyId"] == party else 0,
                "feesCents": 0,
                "creditsCents": 0,
                "netCents": 0,
                "balanceDeltaCents": line["amountCents"],
                "allocationCount": 1,
                "includedEntryIds": ["jnl_1"],
                "totalsByAccountId": {line["accountId"]: line["amountCents"]},
            }
            for line in self.lines
        }
        self.instructed_cents = 8_000

    def _line(self, party: str, account: str, amount: int, entry: str = "jnl_1") -> Json:
        return {
            "lineId": f"{entry}:{account}:{party}",
            "entryId": entry,
            "postingId": "p0",
            "at": "2026-11-05T00:00:00.000Z",
            "memo": "job:job_1 SETTLED",
            "jobId": "job_1",
            "accountId": account,
            "partyId": party,
            "partyRole": "operator",
            "currency": "USD",
            "amountCents": amount,
        }

    def _header(self, kind: str, artifact_id: str) -> Json:
        return {
            "schemaVersion": kind,
            "artifactType": kind,
            "artifactId": artifact_id,
            "tenantId": self.tenant,
            "period": PERIOD,
            "basis": "settledAt",
            "generatedAt": CLOSED_AT,
            "sourceEventId": "evt_close",
        }

    @property
    def statement_artifacts(self) -> dict[str, Json]:
        """Sealed statements by party."""
        return {
            party: sealed(
                {
                    **self._header("PartyStatement.v1", f"pstmt_{party}_{PERIOD}"),
                    "partyId": party,
                    "partyRole": "operator",
                    "statement": body,
                },
                "artifactHash",
            )
            for party, body in self.statements.items()
        }

    @property
    def payout_key(self) -> str:
        digest = self.statement_artifacts[self.party]["artifactHash"]
        return f"{self.tenant}:party:{self.party}:period:{PERIOD}:statement:{digest}"

    def rows(self) -> Rows:
        """Everything the month exports."""
        statements = self.statement_artifacts
        batch = {
            **self._header("GLBatch.v1", f"gl_{PERIOD}"),
            "batch": {"totals": {"totalCents": self.total_cents}, "lines": self.lines},
        }
        instruction = {
            **self._header("PayoutInstruction.v1", f"payout_{PERIOD}"),
            "partyId": self.party,
            "partyRole": "operator",
            "payoutKey": self.payout_key,
            "statementHash": statements[self.party]["artifactHash"],
            "payout": {
                "currency": "USD",
                "amountCents": self.instructed_cents,
                "destinationRef": None,
            },
        }
        return {
            "gl_batches": [sealed(batch, "artifactHash")],
            "party_statements": list(statements.values()),
            "payout_instructions": [sealed(instruction, "artifactHash")],
            "month_closes": [{"period": PERIOD, "status": "CLOSED", "closedAt": CLOSED_AT}],
        }

    def links(self, receipt: Mapping[str, Any]) -> list[Json]:
        """The receipt of 100.00 and the fee of 20.00 as the sources of the payout."""
        link = {"payoutKey": self.payout_key, "currency": "USD"}
        return [
            {
                **link,
                "sourceType": "receipt",
                "sourceId": receipt["receiptId"],
                "sourceHash": receipt["receiptHash"],
                "amountCents": 10_000,
            },
            {
                **link,
                "sourceType": "fee",
                "sourceId": f"fee_{receipt['receiptId']}",
                "sourceHash": None,
                "amountCents": -2_000,
            },
        ]


WHOLE: Json = {"amountCents": 10_000, "releasedAmountCents": 10_000}
IN_MONTH: Json = {
    "settledAt": "2026-11-05T08:00:01.000Z",
    "createdAt": "2026-11-05T08:00:00.500Z",
}


def funded(tenant: str, **spoilt: Any) -> tuple[Month, Run, Rows]:
    """A month whose payout rests on a receipt, which `spoilt` may spoil."""
    month = Month(tenant)
    receipt = {**WHOLE, **IN_MONTH, **spoilt.pop("receipt", {})}
    run = Run(tenant, "sale", settlement=WHOLE, receipt=receipt, **spoilt)
    return (
        month,
        run,
        {**month.rows(), **run.rows, "receipt_payout_links": month.links(run.receipt)},
    )


def _spoil_entry(month: Month) -> None:
    month.lines[0]["amountCents"] = 10_001
    month.total_cents = 1
    customer = month.statements["pty_customer:c"]
    customer["totalsByAccountId"] = {"acct_customer_escrow": 10_001}
    customer["balanceDeltaCents"] = 10_001


def _spoil_total(month: Month) -> None:
    month.total_cents = 5


def _spoil_statement(month: Month) -> None:
    month.statements[PARTY]["totalsByAccountId"] = {"acct_owner_payable": -7_999}


def _spoil_entries(month: Month) -> None:
    month.statements[PARTY]["includedEntryIds"] = ["jnl_1", "jnl_2"]


def _spoil_delta(month: Month) -> None:
    month.statements["pty_platform"]["balanceDeltaCents"] = -1_999


def _spoil_payout(month: Month) -> None:
    month.instructed_cents = 8_001


# By the identity it breaks: how a month is spoilt, and every identity that then fails.
IDENTITIES: dict[str, tuple[Callable[[Month], None], set[str]]] = {
    "ledger_entry_is_zero": (_spoil_entry, {"ledger_entry_is_zero", "balance_delta_is_zero"}),
    "ledger_total_equals_lines": (_spoil_total, {"ledger_total_equals_lines"}),
    "ledger_equals_statement": (_spoil_statement, {"ledger_equals_statement"}),
    "entry_sets_equal": (_spoil_entries, {"entry_sets_equal"}),
    "balance_delta_is_zero": (_spoil_delta, {"balance_delta_is_zero"}),
    "payout_equals_statement": (_spoil_payout, {"payout_equals_statement"}),
}


def instruction(month: Month, name: str, **over: Any) -> Json:
    """An instruction over the month's statement under an id of its own, with a key that fits it."""
    (sound,) = month.rows()["payout_instructions"]
    made = {**sound, "artifactId": f"payout_{name}", **over}
    made["payoutKey"] = over.get(
        "payoutKey",
        f"{month.tenant}:party:{made['partyId']}:period:{made['period']}"
        f":statement:{made['statementHash']}",
    )
    return sealed(made, "artifactHash")


EUROS: Json = {"currency": "EUR", "amountCents": 8_000, "destinationRef": None}

# By the rule it breaks: what an instruction says that its statement does not.
INSTRUCTIONS: dict[str, Json] = {
    "instruction_statement_missing": {"statementHash": OTHER},
    "instruction_party_mismatch": {"partyId": "pty_operator:south"},
    "instruction_period_mismatch": {"period": "2026-10"},
    "instruction_currency_mismatch": {"payout": EUROS},
    "instruction_amount_mismatch": {"payout": {**EUROS, "currency": "USD", "amountCents": 7_999}},
    "instruction_key_mismatch": {"payoutKey": "t_instructions:party:elsewhere"},
}


def dispute(of: Mapping[str, Any], name: str, **over: Any) -> Json:
    """The opening of a dispute over a hold."""
    core = {
        "schemaVersion": "DisputeOpenEnvelope.v1",
        "envelopeId": f"dopen_{name}",
        "caseId": f"arb_case_{name}",
        "tenantId": of["tenantId"],
        "agreementHash": of["agreementHash"],
        "receiptHash": of["receiptHash"],
        "holdHash": of["holdHash"],
        "openedByAgentId": "agt_payer",
        "openedAt": "2026-10-06T00:00:00.000Z",
        "reasonCode": "TOOL_CALL_DISPUTE",
        "nonce": name,
        "signerKeyId": "key_of_nobody",
        **over,
    }
    return sealed(core, "envelopeHash", "signature", "artifactHash")


DISPUTES = {
    "dispute_hold_missing": {"holdHash": OTHER},
    "dispute_receipt_mismatch": {"receiptHash": OTHER},
}


# --- everything -----------------------------------------------------------------------------------


UNSIGNED: Final = ("settlement_receipts", "receipt_payout_links")
REPORTED: Final = {"t_reported": "acct_1Reported", "t_mended": "acct_1Mended"}


def arrange_earlier(kernel: Kernel) -> None:
    """An export that nobody signed, an hour before the one that `arrange` signs without it."""
    rows = funded("t_stray")[2]
    write(kernel, "t_stray", {name: rows[name] for name in UNSIGNED})
    kernel.sign(tenant="t_stray", signers=[], exportedThrough="2026-11-23T22:50:00.000Z")


def arrange(kernel: Kernel) -> None:
    """Writes and signs every tenant of this module."""
    codes = joined(*(binding_run("t_codes", code) for code in BINDINGS))
    sound = Run("t_codes", "sound")
    for artifact_type, artifacts in sound.rows.items():
        codes[artifact_type].extend(artifacts)
    write(kernel, "t_codes", codes)
    month = Month("t_instructions")
    orders = [instruction(month, name, **over) for name, over in INSTRUCTIONS.items()]
    write(kernel, "t_instructions", {**month.rows(), "payout_instructions": orders})
    short = Run("t_disputes", "short", settlement={"refundedAmountCents": 1})
    of = hold(short.receipt)
    opened = [dispute(of, "sound"), *(dispute(of, name, **over) for name, over in DISPUTES.items())]
    write(kernel, "t_disputes", {**short.rows, "funding_holds": [of], "dispute_envelopes": opened})
    for name in HOLDBACKS:
        write(kernel, f"t_{name}", _holdback(name)[0])
    for name, (spoil, _) in IDENTITIES.items():
        month = Month(f"t_{name}")
        spoil(month)
        write(kernel, f"t_{name}", month.rows())
    run = Run("t_unrefunded", "one")
    gone = hold(run.receipt, status="refunded", resolvedAt="2026-11-05T00:00:00.000Z", revision=1)
    write(
        kernel,
        "t_unrefunded",
        {**Month("t_unrefunded").rows(), **run.rows, "funding_holds": [gone]},
    )

    write(kernel, "t_funded", funded("t_funded")[2])
    rows = funded("t_stray")[2]
    write(kernel, "t_stray", {name: rows[name] for name in rows if name not in UNSIGNED})
    for tenant_id, account_id in REPORTED.items():
        rows = funded(tenant_id)[2]
        write(kernel, tenant_id, {**rows, "connect_accounts": [{"accountId": account_id}]})
    write(kernel, "t_lying", funded("t_lying", late_receipt={"runStatus": "failed"})[2])
    unbound = {"decisionRef": {"decisionId": "dec_sale", "decisionHash": OTHER}}
    write(kernel, "t_unbound", funded("t_unbound", receipt=unbound)[2])
    _, twice, rows = funded("t_twice")
    again = Run("t_twice", "sale", receipt={**WHOLE, **IN_MONTH, "runStatus": "other"}).receipt
    rows["settlement_receipts"] = [twice.receipt, again]
    write(kernel, "t_twice", rows)
    _, record, rows = funded("t_tainted")
    envelope = {
        "schemaVersion": "X402ReceiptRecord.v1",
        "receiptId": record.receipt["receiptId"],
        "runId": record.receipt["runId"],
        "settledAt": record.receipt["settledAt"],
        "bindings": {"response": {"sha256": OTHER}},
        "evidenceRefs": ["http:response_sha256:" + "d" * 64],
        "decisionRecord": record.decision,
        "settlementReceipt": record.receipt,
    }
    write(kernel, "t_tainted", {**rows, "x402_receipts": [envelope]})
