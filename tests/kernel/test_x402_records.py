"""An x402 record's envelope has no hash, and its parts and signatures give it away all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence import x402
from evidence.artifacts import KernelArtifacts
from evidence.errors import Refusal

Json = dict[str, Any]
VERIFIER = KernelArtifacts()


@pytest.fixture
def vectors(fixtures: Path) -> Path:
    return fixtures / "repo/test/fixtures/x402-receipt-verifier"


def codes(record: Json, *, strict: bool = False) -> tuple[list[str], list[str]]:
    """Errors and warnings of a record, by the kernel's names."""
    judged = VERIFIER.verify("x402_receipts", json.dumps(record).encode())
    errors = x402.errors(judged.value, judged.inside, strict=strict)
    return [e.code for e in errors], [w.code for w in x402.warnings(judged.value)]


def test_every_published_vector_gets_the_codes_it_states(vectors: Path) -> None:
    cases = json.loads((vectors / "vectors.manifest.json").read_bytes())["vectors"]
    assert len(cases) == 6
    for case in cases:
        record = json.loads((vectors / case["file"]).read_bytes())
        expected = case["expectErrorCodes"], case["expectWarningCodes"]
        assert codes(record, strict=case["strict"]) == expected, case["id"]


def test_the_tampered_response_is_a_mismatch_with_both_hashes(vectors: Path) -> None:
    line = (vectors / "vector-tampered-response.json").read_bytes()
    judged = VERIFIER.verify("x402_receipts", line)
    assert (judged.verdict, judged.code) == ("mismatch", "response_hash_binding_mismatch")
    assert (judged.expected, judged.got) == (
        "022677b41f49447a052fcddc40137e3ab290ae543a040dac0e78f2e46be866c4",
        "9" * 64,
    )
    assert judged.inside["settlementReceipt"].verdict == "verified"


def test_a_warning_leaves_the_verdict_alone(vectors: Path) -> None:
    line = (vectors / "vector-missing-quote-material.json").read_bytes()
    judged = VERIFIER.verify("x402_receipts", line)
    assert (judged.verdict, judged.code) == ("unhashed", x402.QUOTE_MATERIAL_MISSING)


@pytest.mark.parametrize(
    ("member", "value"),
    [("decisionRecord", "gone"), ("settlementReceipt", []), ("reversalEvents", [7])],
)
def test_a_part_that_is_no_object_is_refused_and_not_passed_over(
    member: str, value: object
) -> None:
    with pytest.raises(Refusal) as caught:
        VERIFIER.verify("x402_receipts", json.dumps({member: value}).encode())
    assert caught.value.code == "artifact_member"
    assert VERIFIER.verify("x402_receipts", json.dumps({member: None}).encode()).inside == {}


def _set(record: Json, path: str, value: object) -> None:
    *outer, last = path.split(".")
    for name in outer:
        record = record[name]
    record[last] = value


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("bindings.request.sha256", "8" * 64, "request_hash_binding_mismatch"),
        ("evidenceRefs", [f"http:response_sha256:{'8' * 64}"], "response_hash_binding_mismatch"),
        ("providerSignature.nonce", "0" * 16, "provider_signature_payload_hash_mismatch"),
        ("providerSignature.signatureBase64", "AAAA", "provider_signature_invalid"),
        (
            "verificationContext.providerSigningKey.jwkThumbprintSha256",
            "8" * 64,
            "provider_signature_key_thumbprint_mismatch",
        ),
        (
            "verificationContext.providerSigningKey.revokedAt",
            "2026-02-18T00:00:02.000Z",
            "provider_signature_signer_key_invalid_at_signing",
        ),
        ("providerQuotePayload.amountCents", 501, "provider_quote_signature_payload_hash_mismatch"),
        ("providerQuoteSignature.signatureBase64", None, "provider_quote_signature_invalid"),
        ("receiptId", "srec_other", "x402_receipt_id_mismatch"),
        ("settlementReceipt.amountCents", 501, "settlement_receipt_hash_mismatch"),
        ("decisionRecord.decidedAt", "2026-02-18T00:00:09.000Z", "decision_record_hash_mismatch"),
    ],
)
def test_a_record_altered_in_one_place_is_refused_by_name(
    vectors: Path, path: str, value: object, code: str
) -> None:
    record = json.loads((vectors / "vector-valid.json").read_bytes())
    assert codes(record) == ([], [])
    _set(record, path, value)
    assert codes(record)[0] == [code]


def test_a_record_without_provider_signatures_has_nothing_to_check(
    receipt: Callable[..., Json], decision: Callable[..., Json]
) -> None:
    record = {
        "tenantId": "t_acme",
        "receiptId": "rcpt_1",
        "runId": "run_1",
        "evidenceRefs": ["something else", 7],
        "bindings": {"response": {"sha256": None}, "request": "odd"},
        "verificationContext": None,
        "providerSignature": None,
        "decisionRecord": decision(1),
        "settlementReceipt": receipt(1),
    }
    assert codes(record) == ([], [])
