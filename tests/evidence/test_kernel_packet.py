"""The original's run packet inside ours: its rule, its chain, and what breaks either."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evidence import canonical, container
from evidence.build import build_packet
from evidence.errors import Refusal
from evidence.kernel_keys import key_id_of, sign_document
from evidence.kernel_packet import KernelEvidence
from evidence.kernel_reconcile import reconcile_report
from evidence.kernel_reports import chargeback_report
from evidence.keys import KeySigner

PERIOD = "2026-10"
PROVIDER = "stripe_prod_us"
FOLDER = f"kernel/{PROVIDER}"
NAMES = ("reconcile", "chargebacks", "run_packet")
STATES = ("initiated", "submitted", "confirmed", "failed", "cancelled", "reversed")


def evidence(
    matched: int = 1, tenant: str = "t1", provider: str = PROVIDER, **over: Any
) -> KernelEvidence:
    """Two expected payouts of which so many have an operation."""
    summary = {
        "tenant_id": tenant,
        "period": PERIOD,
        "provider_id": provider,
        "expected_payout_count": 2,
        "expected_payout_amount_cents": 900,
        "operation_count": matched,
        "matched_count": matched,
        "settled_count": matched,
        "in_flight_count": 0,
        "cancelled_count": 0,
        **{f"{state}_operations": 0 for state in STATES},
    }
    missing = [
        {
            "mismatch_type": "missing_operation",
            "operation_id": f"mop_{number}",
            "mismatch_artifact_id": f"payout_{number}",
            "payout_key": str(number),
            "expected_amount_cents": 450,
            "currency": "USD",
            "party_id": "pa",
            "artifact_id": f"payout_{number}",
        }
        for number in range(2 - matched)
    ]
    return KernelEvidence(
        provider,
        reconcile_report(summary, missing),
        chargeback_report(tenant, provider, PERIOD, None, []),
        **over,
    )


def carrying(forge: Any, *kernel: KernelEvidence) -> dict[str, bytes]:
    """Files of an honest packet that carries the original's evidence."""
    built = build_packet(forge.spec(kernel=kernel or (evidence(),)), forge.signer)
    return container.read_zip(built.zip_bytes)


def document(files: dict[str, bytes], kind: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(files[f"{FOLDER}/{kind}.json"])
    return read


def signed_again(
    forge: Any,
    files: dict[str, bytes],
    kind: str,
    change: Callable[[dict[str, Any]], None],
    signer: KeySigner | None = None,
) -> dict[str, bytes]:
    """A rightful signer's falsification: one document changed, hashed, signed and sealed again."""
    changed = document(files, kind)
    change(changed)
    data = canonical.dumps(sign_document(changed, signer or forge.signer))
    sealed: dict[str, bytes] = forge.seal(files | {f"{FOLDER}/{kind}.json": data})
    return sealed


def test_a_partners_rule_reads_all_three_documents(forge: Any) -> None:
    files = carrying(forge)
    key = Ed25519PublicKey.from_public_bytes(forge.signer.public_key)
    for kind in NAMES:
        body = document(files, kind)
        signature, stated = body.pop("signature"), body.pop("artifactHash")
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).digest()
        assert digest.hex() == stated, kind
        key.verify(base64.b64decode(signature["signatureBase64"]), digest)
        assert signature["keyId"] == key_id_of(forge.signer.public_key)


def test_the_run_packet_has_the_members_of_the_originals(forge: Any, shared: Path) -> None:
    path = shared / "kernel_fixtures" / "derived" / "oracle" / "run_packet_synthetic.json"
    if not path.exists():
        pytest.skip("no kernel fixtures in the shared folder")
    original = json.loads(path.read_text())["packet"]
    ours = document(carrying(forge), "run_packet")
    assert set(ours) == set(original)
    assert set(ours["inputs"]) == set(original["inputs"])
    assert set(ours["artifacts"]["reconcile"]) == set(original["artifacts"]["reconcile"])
    # The hash rule, on the original's own document.
    again = sign_document(original, forge.signer)
    assert again["artifactHash"] == original["artifactHash"]


def test_chargeback_evidence_is_chained_to_the_reconciliation(forge: Any) -> None:
    files = carrying(forge)
    reconcile, chargebacks = document(files, "reconcile"), document(files, "chargebacks")
    assert chargebacks["reconcileArtifactHash"] == reconcile["artifactHash"]
    packet = document(files, "run_packet")
    assert packet["payloads"] == {"reconcile": reconcile, "chargeback": chargebacks}
    for artifact in packet["artifacts"].values():
        assert artifact["fileHash"] == hashlib.sha256(files[artifact["path"]]).hexdigest()


def test_a_failing_reconciliation_is_carried_and_fails_the_run_packet(forge: Any) -> None:
    passed = document(carrying(forge, evidence(matched=2)), "run_packet")
    failed = document(carrying(forge, evidence(matched=1)), "run_packet")
    assert (passed["status"], passed["failures"]) == ("pass", [])
    assert failed["status"] == "fail"
    assert failed["failures"] == ["reconcile status mismatch (expected=pass got=fail)"]


def test_a_packet_that_carries_them_is_accepted_and_says_so(forge: Any) -> None:
    verified = forge.verify(carrying(forge, evidence(), evidence(provider="Odd/Provider é")))
    assert any("run packets of 2 providers" in note for note in verified.checks)
    assert any("kernel's own reports" in gap for gap in verified.not_proven)


def test_the_same_evidence_gives_the_same_bytes(forge: Any) -> None:
    assert carrying(forge) == carrying(forge)


def test_a_changed_report_under_its_old_hash_is_refused(forge: Any) -> None:
    files = carrying(forge)
    changed = document(files, "reconcile")
    changed["status"] = "pass"
    sealed = forge.seal(files | {f"{FOLDER}/reconcile.json": canonical.dumps(changed)})
    assert forge.refusal(sealed) == "evidence_hash"


def test_a_report_whose_own_hash_is_not_its_own_is_refused_though_signed(forge: Any) -> None:
    def falsify(changed: dict[str, Any]) -> None:
        changed["reconcile"]["status"] = "pass"

    assert forge.refusal(signed_again(forge, carrying(forge), "reconcile", falsify)) == (
        "evidence_hash"
    )


def test_a_document_that_another_key_signed_is_refused(forge: Any) -> None:
    files = carrying(forge)
    sealed = signed_again(forge, files, "run_packet", lambda _: None, forge.attacker)
    assert forge.refusal(sealed) == "evidence_signature"


def test_another_keys_signature_under_the_signers_name_is_refused(forge: Any) -> None:
    files = carrying(forge)
    changed = document(files, "run_packet")
    stolen = sign_document(changed, forge.attacker, key_id_of(forge.signer.public_key))
    sealed = forge.seal(files | {f"{FOLDER}/run_packet.json": canonical.dumps(stolen)})
    assert forge.refusal(sealed) == "evidence_signature"


def test_chargeback_evidence_of_another_reconciliation_is_refused(forge: Any) -> None:
    def unchain(changed: dict[str, Any]) -> None:
        changed["reconcileArtifactHash"] = "0" * 64

    assert forge.refusal(signed_again(forge, carrying(forge), "chargebacks", unchain)) == (
        "evidence_chain"
    )


def test_chargeback_evidence_of_another_reconciliation_is_refused_in_a_run_packet_over_it(
    forge: Any,
) -> None:
    """The run packet agrees with the documents beside it; they alone do not belong together."""
    files = carrying(forge)
    chargebacks = document(files, "chargebacks")
    chargebacks["reconcileArtifactHash"] = "0" * 64
    chargebacks = sign_document(chargebacks, forge.signer)
    data = canonical.dumps(chargebacks)

    def follow(changed: dict[str, Any]) -> None:
        changed["payloads"]["chargeback"] = chargebacks
        changed["artifacts"]["chargeback"].update(
            artifactHash=chargebacks["artifactHash"], fileHash=canonical.sha256_hex(data)
        )

    forged = signed_again(forge, files | {f"{FOLDER}/chargebacks.json": data}, "run_packet", follow)
    with pytest.raises(Refusal) as caught:
        forge.verify(forged)
    assert caught.value.code == "evidence_chain"
    assert "of another reconciliation" in caught.value.detail


@pytest.mark.parametrize("member", ["payloads", "artifacts"])
def test_a_run_packet_over_other_documents_is_refused(forge: Any, member: str) -> None:
    def swap(changed: dict[str, Any]) -> None:
        changed[member]["reconcile"]["status"] = "pass"

    assert forge.refusal(signed_again(forge, carrying(forge), "run_packet", swap)) == (
        "evidence_chain"
    )


@pytest.mark.parametrize("kind", NAMES)
def test_another_tenants_document_is_refused(forge: Any, kind: str) -> None:
    def move(changed: dict[str, Any]) -> None:
        changed.get("inputs", changed)["tenantId"] = "t2"

    assert forge.refusal(signed_again(forge, carrying(forge), kind, move)) == "spec_mismatch"


@pytest.mark.parametrize("kind", NAMES)
def test_another_periods_document_is_refused(forge: Any, kind: str) -> None:
    def move(changed: dict[str, Any]) -> None:
        changed.get("inputs", changed)["period"] = "2026-09"

    assert forge.refusal(signed_again(forge, carrying(forge), kind, move)) == "spec_mismatch"


@pytest.mark.parametrize("kind", NAMES)
def test_a_document_of_another_type_is_refused(forge: Any, kind: str) -> None:
    def retype(changed: dict[str, Any]) -> None:
        changed["type"] = "Other.v1"

    assert forge.refusal(signed_again(forge, carrying(forge), kind, retype)) == "evidence_fields"


@pytest.mark.parametrize("kind", NAMES)
def test_a_document_without_the_others_is_refused(forge: Any, kind: str) -> None:
    files = carrying(forge)
    del files[f"{FOLDER}/{kind}.json"]
    assert forge.refusal(forge.seal(files)) == "missing_file"


@pytest.mark.parametrize("member", ["signature", "reconcile"])
def test_a_document_without_a_member_is_refused(forge: Any, member: str) -> None:
    files = carrying(forge)
    changed = document(files, "reconcile")
    del changed[member]
    changed["artifactHash"] = canonical.document_hash(changed)
    if member != "signature":
        changed = sign_document(changed, forge.signer)
    sealed = forge.seal(files | {f"{FOLDER}/reconcile.json": canonical.dumps(changed)})
    assert forge.refusal(sealed) == "evidence_fields"


def test_a_file_of_another_name_there_is_refused(forge: Any) -> None:
    sealed = forge.seal(carrying(forge) | {f"{FOLDER}/notes.json": b"{}"})
    assert forge.refusal(sealed) == "extra_file"
