"""The kernel's own fixtures hash and verify as its repository says they do."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from evidence import kernel_json
from evidence.artifacts import (
    KernelArtifacts,
    content_hash,
    index_kernel_keys,
    is_digest_signed,
    kernel_key_ids,
)

Json = dict[str, Any]
VERIFIER = KernelArtifacts()


def load(path: Path) -> Json:
    loaded: Json = json.loads(path.read_bytes())
    return loaded


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def keys(fixtures: Path) -> dict[str, str]:
    pems = [key["publicKeyPem"] for key in load(fixtures / "derived/public_keys.json")["keys"]]
    return index_kernel_keys(pems)


@pytest.fixture
def protocol(fixtures: Path) -> Json:
    return load(fixtures / "repo/test/fixtures/protocol-vectors/v1.json")


def test_protocol_canonical_cases_have_one_form(protocol: Json) -> None:
    for case in protocol["canonicalJson"]["cases"]:
        values = [value for name, value in case.items() if name.startswith("value")]
        for value in values:
            assert kernel_json.dumps(value) == case["canonical"], case["name"]
        assert sha256(case["canonical"]) == case["sha256"], case["name"]


def test_all_21_protocol_objects_canonicalise_and_hash_identically(protocol: Json) -> None:
    objects = {k: v for k, v in protocol.items() if isinstance(v, dict) and "sha256" in v}
    assert len(objects) == 21
    for name, vector in objects.items():
        document = kernel_json.read(vector["canonicalJson"].encode())
        assert document.canonical == vector["canonicalJson"], name
        assert sha256(document.canonical) == vector["sha256"], name


@pytest.mark.parametrize(
    ("name", "artifact_type"),
    [
        ("settlementDecisionRecord", "settlement_decisions"),
        ("settlementDecisionRecordV2", "settlement_decisions"),
        ("settlementReceipt", "settlement_receipts"),
        ("disputeOpenEnvelope", "dispute_envelopes"),
        ("toolCallAgreement", "tool_call_agreements"),
        ("toolCallEvidence", "tool_call_evidence"),
        ("policyDecision", "policy_decisions"),
    ],
)
def test_protocol_objects_state_the_hash_they_have(
    protocol: Json, name: str, artifact_type: str
) -> None:
    judged = VERIFIER.verify(artifact_type, protocol[name]["canonicalJson"].encode())
    assert (judged.verdict, judged.code) == ("verified", None)


def test_the_published_receipt_hash_is_reproduced(protocol: Json) -> None:
    receipt = json.loads(protocol["settlementReceipt"]["canonicalJson"])
    assert content_hash("settlement_receipts", receipt) == (
        "2a40a4fe210643e8ab026206689df9f1fdc35362fddb01216a7ed1ff92418411"
    )


@pytest.mark.parametrize(
    ("name", "hash_member"),
    [("toolCallEvidence", "evidenceHash"), ("policyDecision", "policyDecisionHash")],
)
def test_protocol_signatures_are_over_the_raw_digest(
    protocol: Json, keys: dict[str, str], name: str, hash_member: str
) -> None:
    vector = protocol[name]
    pem = keys[vector["signatureKeyId"]]
    assert is_digest_signed(pem, vector[hash_member], vector["signature"])
    other = hashlib.sha256(vector[hash_member].encode()).hexdigest()
    assert not is_digest_signed(pem, other, vector["signature"])


def test_signed_object_vectors_verify(fixtures: Path, keys: dict[str, str]) -> None:
    cases = load(fixtures / "repo/test/fixtures/signed-object-vectors/v1.json")["cases"]
    assert len(cases) == 5
    for case in cases:
        canonical = kernel_json.read(case["canonicalJson"].encode()).canonical
        assert sha256(canonical) == case["sha256"], case["id"]
        pem = keys[case["signatureKeyId"]]
        assert is_digest_signed(pem, case["sha256"], case["signature"]), case["id"]
        flipped = case["sha256"][:-1] + ("0" if case["sha256"][-1] != "0" else "1")
        assert not is_digest_signed(pem, flipped, case["signature"]), case["id"]


# --- x402 -----------------------------------------------------------------------------------------


def x402(fixtures: Path, name: str) -> bytes:
    path = fixtures / "repo/test/fixtures/x402-receipt-verifier" / f"vector-{name}.json"
    return path.read_bytes()


def test_the_valid_x402_vector_verifies_inside(fixtures: Path) -> None:
    judged = VERIFIER.verify("x402_receipts", x402(fixtures, "valid"))
    assert (judged.verdict, judged.code) == ("unhashed", None)
    assert {path: part.verdict for path, part in judged.inside.items()} == {
        "decisionRecord": "verified",
        "settlementReceipt": "verified",
    }
    assert judged.inside["settlementReceipt"].got == (
        "863c4f9d7f537107586fba254c039d02df219c04e2189702eb61d792937bc707"
    )


def test_the_tampered_x402_vector_keeps_a_true_receipt_hash(fixtures: Path) -> None:
    """The envelope's own bindings were changed, and the envelope has no hash."""
    judged = VERIFIER.verify("x402_receipts", x402(fixtures, "tampered-response"))
    assert judged.inside["settlementReceipt"].verdict == "verified"
    response = judged.value["bindings"]["response"]["sha256"]
    assert f"http:response_sha256:{response}" not in judged.value["evidenceRefs"]


def test_x402_provider_signatures_and_thumbprint_verify(fixtures: Path) -> None:
    record = json.loads(x402(fixtures, "valid"))
    key = record["verificationContext"]["providerSigningKey"]
    thumbprint = kernel_json.dumps({name: key["jwk"][name] for name in ("kty", "crv", "x")})
    assert sha256(thumbprint) == key["jwkThumbprintSha256"]
    output = record["providerSignature"]
    payload = {
        "schemaVersion": "ToolProviderSignaturePayload.v1",
        **{name: output[name] for name in ("responseHash", "nonce", "signedAt")},
    }
    assert sha256(kernel_json.dumps(payload)) == output["payloadHash"]
    assert is_digest_signed(key["publicKeyPem"], output["payloadHash"], output["signatureBase64"])
    quote = record["providerQuoteSignature"]
    assert sha256(kernel_json.dumps(record["providerQuotePayload"])) == quote["payloadHash"]
    assert is_digest_signed(key["publicKeyPem"], quote["payloadHash"], quote["signatureBase64"])


def test_one_key_has_two_ids_by_its_trailing_newline(fixtures: Path, keys: dict[str, str]) -> None:
    pem = json.loads(x402(fixtures, "valid"))["verificationContext"]["providerSigningKey"]
    ids = {"key_9ed38005b42d9364601ffab3", "key_34aa19fb206a903c24616806"}
    assert kernel_key_ids(pem["publicKeyPem"]) == ids
    assert kernel_key_ids(pem["publicKeyPem"] + "\n") == ids
    assert keys[pem["keyId"]] == keys["key_9ed38005b42d9364601ffab3"]


def test_the_x402_export_verifies_line_by_line(fixtures: Path) -> None:
    lines = (fixtures / "derived/oracle/x402_receipts_export.ndjson").read_bytes().splitlines()
    judged = [VERIFIER.verify("x402_receipts", line) for line in lines]
    assert [record.code for record in judged] == [None, None, None]
    inner = [part.verdict for record in judged for part in record.inside.values()]
    assert inner == ["verified"] * 8  # 3 decisions, 3 receipts, 2 reversal events


# --- finance packs --------------------------------------------------------------------------------


def packs(fixtures: Path, name: str) -> Path:
    return fixtures / "repo/test/fixtures/bundles/v1/financepack" / name


@pytest.mark.parametrize("name", ["strict-pass", "strict-fail-manifest-tamper"])
def test_finance_pack_hashes_and_signatures_are_true(
    fixtures: Path, keys: dict[str, str], name: str
) -> None:
    pack = packs(fixtures, name)
    for path, artifact_type, hash_member in (
        ("manifest.json", "bundle_manifests", None),
        ("attestation/bundle_head_attestation.json", "bundle_attestations", "attestationHash"),
        ("verify/verification_report.json", "verification_reports", "reportHash"),
        ("governance/policy.json", "governance_policies", "policyHash"),
        ("governance/revocations.json", "revocation_lists", "listHash"),
        ("month/manifest.json", "bundle_manifests", None),
        (
            "month/attestation/bundle_head_attestation.json",
            "bundle_attestations",
            "attestationHash",
        ),
    ):
        judged = VERIFIER.verify(artifact_type, (pack / path).read_bytes())
        assert judged.verdict == "verified", path
        if hash_member is not None:
            signed = judged.value
            pem = keys[signed["signerKeyId"]]
            assert is_digest_signed(pem, signed[hash_member], signed["signature"]), path


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("strict-pass", []), ("strict-fail-manifest-tamper", ["finance/reconcile.json"])],
)
def test_only_the_tampered_pack_has_a_file_that_is_not_the_listed_one(
    fixtures: Path, name: str, wrong: list[str]
) -> None:
    pack = packs(fixtures, name)
    listed = load(pack / "manifest.json")["files"]
    found = [
        file["name"]
        for file in listed
        if hashlib.sha256((pack / file["name"]).read_bytes()).hexdigest() != file["sha256"]
    ]
    assert found == wrong


@pytest.mark.parametrize(
    ("pattern", "artifact_type", "number"),
    [
        ("month/artifacts/PartyStatement.v1/*.json", "party_statements", 3),
        ("month/artifacts/PayoutInstruction.v1/*.json", "payout_instructions", 1),
        ("month/artifacts/GLBatch.v1/*.json", "gl_batches", 1),
        ("month/artifacts/JournalCsv.v1/*.json", "journal_csvs", 1),
        ("month/artifacts/MonthlyStatement.v1/*.json", "monthly_statements", 1),
    ],
)
def test_the_demo_finance_pack_has_true_artifact_hashes(
    fixtures: Path, pattern: str, artifact_type: str, number: int
) -> None:
    paths = sorted((fixtures / "derived/finance_demo").glob(pattern))
    assert len(paths) == number
    for path in paths:
        judged = VERIFIER.verify(artifact_type, path.read_bytes())
        assert (judged.verdict, judged.got) == ("verified", path.stem)


def test_the_demo_payout_is_8463_and_names_its_statement(fixtures: Path) -> None:
    demo = fixtures / "derived/finance_demo/month/artifacts"
    (instruction,) = map(load, (demo / "PayoutInstruction.v1").glob("*.json"))
    statement = load(demo / "PartyStatement.v1" / f"{instruction['statementHash']}.json")
    assert instruction["payout"]["amountCents"] == statement["statement"]["payoutCents"] == 8463
    (batch,) = map(load, (demo / "GLBatch.v1").glob("*.json"))
    lines = batch["batch"]["lines"]
    owed = sum(line["amountCents"] for line in lines if line["accountId"] == "acct_owner_payable")
    assert (owed, sum(line["amountCents"] for line in lines)) == (-8463, 0)


def test_demo_journal_events_chain_and_are_signed(fixtures: Path) -> None:
    month = fixtures / "derived/finance_demo/month"
    known = index_kernel_keys(load(month / "keys/public_keys.json").values())
    previous = None
    for line in (month / "events/events.jsonl").read_bytes().splitlines():
        event = json.loads(line)
        assert VERIFIER.verify("event_payloads", line).verdict == "verified"
        assert VERIFIER.verify("event_chains", line).verdict == "verified"
        assert event["prevChainHash"] == previous
        previous = event["chainHash"]
        pem = known[event["signerKeyId"]]
        assert is_digest_signed(pem, event["payloadHash"], event["signature"])


# --- the holdback lineage and other oracles -------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "artifact_type"),
    [
        ("decisionRecord", "settlement_decisions"),
        ("settlementReceipt", "settlement_receipts"),
        ("fundingHold", "funding_holds"),
        ("fundingHoldResolvedRefund", "funding_holds"),
        ("disputeOpenEnvelope", "dispute_envelopes"),
        ("arbitrationVerdictRelease", "arbitration_verdicts"),
        ("arbitrationVerdictRefund", "arbitration_verdicts"),
        ("settlementAdjustmentRelease", "settlement_adjustments"),
        ("settlementAdjustmentRefund", "settlement_adjustments"),
    ],
)
def test_the_holdback_lineage_verifies(fixtures: Path, member: str, artifact_type: str) -> None:
    lineage = load(fixtures / "derived/oracle/kernel_holdback_lineage.json")
    judged = VERIFIER.verify(artifact_type, json.dumps(lineage[member]).encode())
    assert (judged.verdict, judged.code) == ("verified", None)


def test_the_holdback_lineage_is_linked_and_signed(fixtures: Path, keys: dict[str, str]) -> None:
    lineage = load(fixtures / "derived/oracle/kernel_holdback_lineage.json")
    hold, resolved = lineage["fundingHold"], lineage["fundingHoldResolvedRefund"]
    assert hold["holdHash"] == resolved["holdHash"]
    assert hold["receiptHash"] == lineage["settlementReceipt"]["receiptHash"]
    assert lineage["settlementAdjustmentRefund"]["holdHash"] == hold["holdHash"]
    for member, hash_member in (
        ("disputeOpenEnvelope", "envelopeHash"),
        ("arbitrationVerdictRelease", "verdictHash"),
        ("arbitrationVerdictRefund", "verdictHash"),
    ):
        signed = lineage[member]
        pem = keys[signed["signerKeyId"]]
        assert is_digest_signed(pem, signed[hash_member], signed["signature"]), member
    for policy in ("defaultPolicy", "defaultVerificationMethod"):
        assert sha256(kernel_json.dumps(lineage[policy])) == lineage[f"{policy}Hash"]


def test_the_synthetic_run_packet_verifies(fixtures: Path) -> None:
    packet = load(fixtures / "derived/oracle/run_packet_synthetic.json")["packet"]
    judged = VERIFIER.verify("run_packets", json.dumps(packet).encode())
    assert judged.verdict == "verified"


def test_the_published_verdict_example_does_not_hash_to_what_it_states(fixtures: Path) -> None:
    """Its hash is a dummy inside its signature, and we say so instead of taking it."""
    path = fixtures / "repo/docs/spec/examples/arbitration_verdict_v1.example.json"
    judged = VERIFIER.verify("arbitration_verdicts", path.read_bytes())
    assert (judged.verdict, judged.code) == ("mismatch", "hash_mismatch")


def test_a_signature_over_the_hex_text_is_refused() -> None:
    from evidence.keys import KeySigner, public_key_pem

    signer = KeySigner.from_seed(bytes(range(32)))
    pem = public_key_pem(signer.public_key)
    digest = "156f9c423769097a9cc8ed10bc3cf1137caa0ddb998acc63eb62f097b06bebc9"
    stated = (
        "hY8FZDlHE4ZaNE3Z5Nah2+TrKZ0tdYWUt+j+oVr2t19qKjNnVqYQNZwJHi6DiqMLma/vt8tFnRCxH1wfNJtABg=="
    )
    assert "key_f0ff50dacf109dea7f716d7c" in kernel_key_ids(pem)
    assert is_digest_signed(pem, digest, stated)
    over_text = base64.b64encode(signer.sign(digest.encode())).decode()
    assert not is_digest_signed(pem, digest, over_text)


def test_a_time_authority_signs_the_report_as_it_was_before_its_proof(
    fixtures: Path, keys: dict[str, str]
) -> None:
    folder = "repo/test/fixtures/bundles/v1/jobproof/strict-fail-revoked-at-or-after-with-timeproof"
    report = load(fixtures / folder / "verify/verification_report.json")
    proof = report["timestampProof"]
    later = ("timestampProof", "reportHash", "signature")
    core = {name: value for name, value in report.items() if name not in later}
    assert sha256(kernel_json.dumps(core)) == proof["messageHash"]
    unsigned = {name: value for name, value in proof.items() if name != "signature"}
    pem = keys[proof["signerKeyId"]]
    assert is_digest_signed(pem, sha256(kernel_json.dumps(unsigned)), proof["signature"])
    moved = sha256(kernel_json.dumps({**unsigned, "timestamp": "2026-02-01T00:00:00.000Z"}))
    assert not is_digest_signed(pem, moved, proof["signature"])


def test_the_published_dispute_envelope_hashes_to_what_it_states(fixtures: Path) -> None:
    """Its signature is the text of an example, so only the hash is proved."""
    path = fixtures / "repo/docs/spec/examples/dispute_open_envelope_v1.example.json"
    example = load(path)
    assert content_hash("dispute_envelopes", example) == example["envelopeHash"]
