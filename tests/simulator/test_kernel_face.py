"""The kernel's face: artifacts hash and sign as the kernel's would, exports say what they hold."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from ingest.simulator import kernel_artifacts, kernel_holds
from ingest.simulator.kernel_export import make_demo_key
from ingest.simulator.world import World, build_scenarios
from tests.simulator.kernel_face import (
    ANCHOR,
    HASH_FIELD,
    Rows,
    lies,
    read_export,
    read_manifest,
    sha256_of,
)
from tests.simulator.planted import the_demo, the_stage

_TYPES = sorted(HASH_FIELD)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the exports of every scenario and of the demo."""
    folder = tmp_path_factory.mktemp("kernel_face")
    key_pem = make_demo_key(folder / "keys")
    for world in (the_stage(), the_demo()):
        world.write_exports(folder / "exports", key_pem)
    return folder


@pytest.fixture(scope="module")
def exports(home: Path) -> dict[str, Rows]:
    """Every tenant's artifacts."""
    return {folder.name: read_export(folder) for folder in (home / "exports").iterdir()}


def _trusted_key(home: Path) -> tuple[str, Ed25519PublicKey]:
    (entry,) = json.loads((home / "keys" / "kernel_trust.json").read_text())["keys"]
    key = load_pem_public_key(entry["pem"].encode())
    assert isinstance(key, Ed25519PublicKey)
    return entry["keyid"], key


@pytest.mark.parametrize("artifact_type", _TYPES)
def test_every_artifact_recomputes_but_the_one_that_lies(
    exports: dict[str, Rows], artifact_type: str
) -> None:
    liars = [
        (tenant_id, artifact.get("receiptId"))
        for tenant_id, rows in exports.items()
        for artifact in rows.get(artifact_type, [])
        if lies(artifact_type, artifact)
    ]
    expected = [("t_hash_lies", "rcpt_setl_run_00003")]
    assert liars == (expected if artifact_type == "settlement_receipts" else [])


def test_the_worlds_hold_every_hashed_type(exports: dict[str, Rows]) -> None:
    seen = {kind for rows in exports.values() for kind, artifacts in rows.items() if artifacts}
    assert set(HASH_FIELD) | {"x402_receipts"} <= seen


def test_x402_records_hold_a_decision_and_a_receipt_that_recompute(
    exports: dict[str, Rows],
) -> None:
    records = [record for rows in exports.values() for record in rows.get("x402_receipts", [])]
    assert records
    for record in records:
        assert not lies("settlement_receipts", record["settlementReceipt"])
        assert not lies("settlement_decisions", record["decisionRecord"])
        assert record["receiptId"] == record["settlementReceipt"]["receiptId"]


def test_receipts_bind_to_their_decision_and_settlement(exports: dict[str, Rows]) -> None:
    for tenant_id, rows in exports.items():
        settlements = {row["settlementId"]: row for row in rows["agent_run_settlements"]}
        decisions = {row["decisionId"]: row for row in rows["settlement_decisions"]}
        for receipt in rows["settlement_receipts"]:
            decision = decisions[receipt["decisionRef"]["decisionId"]]
            settlement = settlements[receipt["settlementId"]]
            assert receipt["decisionRef"]["decisionHash"] == decision["decisionHash"]
            assert receipt["runId"] == decision["runId"] == settlement["runId"]
            assert decision["decidedAt"] <= receipt["createdAt"] <= receipt["settledAt"]
            if tenant_id != "t_hash_lies":
                released, refunded = settlement["releasedAmountCents"], receipt["amountCents"]
                assert released + settlement["refundedAmountCents"] == refunded


def test_holds_keep_a_fifth_and_adjustments_resolve_them_whole(exports: dict[str, Rows]) -> None:
    resolved = 0
    for rows in exports.values():
        holds = {row["holdHash"]: row for row in rows.get("funding_holds", [])}
        receipts = {row["receiptHash"] for row in rows["settlement_receipts"]}
        for hold in holds.values():
            assert hold["heldAmountCents"] == hold["amountCents"] // 5
            assert hold["receiptHash"] in receipts
        for adjustment in rows.get("settlement_adjustments", []):
            hold = holds[adjustment["holdHash"]]
            outcome = {"holdback_release": "released", "holdback_refund": "refunded"}
            assert hold["status"] == outcome[adjustment["kind"]]
            assert adjustment["amountCents"] == hold["heldAmountCents"]
            resolved += 1
    assert resolved


@pytest.mark.parametrize("artifact_type", ["arbitration_verdicts", "dispute_envelopes"])
def test_signatures_are_over_the_raw_digest_by_the_exported_key(
    exports: dict[str, Rows], artifact_type: str
) -> None:
    rows = exports["tenant_birch"]
    (exported,) = rows["public_keys"]
    pem = exported["publicKeyPem"]
    key = load_pem_public_key(pem.encode())
    assert isinstance(key, Ed25519PublicKey)
    for artifact in rows[artifact_type]:
        digest = bytes.fromhex(artifact[HASH_FIELD[artifact_type][0]])
        key.verify(base64.b64decode(artifact["signature"]), digest)
        key_id = "key_" + hashlib.sha256(pem.encode()).hexdigest()[:24]
        assert artifact["signerKeyId"] == key_id == exported["keyId"]


def test_signed_manifests_verify_and_name_every_file(home: Path) -> None:
    keyid, key = _trusted_key(home)
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert keyid == hashlib.sha256(der).hexdigest()
    for folder in (home / "exports").glob("tenant_*"):
        envelope, signed, payload = read_manifest(folder)
        (signature,) = envelope["signatures"]
        assert signature["keyid"] == keyid
        key.verify(base64.b64decode(signature["sig"]), signed)
        assert payload["tenantId"] == folder.name
        assert payload["exportedThrough"] == "2026-11-20T15:30:00.000Z"
        declared = {entry["name"]: entry for entry in payload["files"]}
        assert set(declared) == {path.name for path in folder.glob("*.jsonl")}
        for name, entry in declared.items():
            body = (folder / name).read_bytes()
            assert entry["sha256"] == hashlib.sha256(body).hexdigest()
            assert entry["rows"] == len(body.splitlines())


def test_untrusted_manifests_are_what_their_scenario_says(home: Path) -> None:
    keyid, key = _trusted_key(home)
    exports = home / "exports"
    assert not (exports / "t_missing_manifest" / "manifest.dsse.json").exists()
    assert read_manifest(exports / "t_unsigned_manifest")[0]["signatures"] == []
    envelope, signed, _ = read_manifest(exports / "t_foreign_manifest")
    (signature,) = envelope["signatures"]
    assert signature["keyid"] != keyid
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(signature["sig"]), signed)
    _, _, payload = read_manifest(exports / "t_altered_export")
    (declared,) = [e for e in payload["files"] if e["name"] == "billable_events.jsonl"]
    body = (exports / "t_altered_export" / "billable_events.jsonl").read_bytes()
    assert declared["sha256"] != hashlib.sha256(body).hexdigest()


def test_a_torn_file_ends_in_half_a_line_and_its_manifest_says_so(home: Path) -> None:
    folder = home / "exports" / "t_torn_line"
    body = (folder / "billable_events.jsonl").read_bytes()
    assert not body.endswith(b"\n")
    with pytest.raises(json.JSONDecodeError):
        json.loads(body.splitlines()[-1])
    _, _, payload = read_manifest(folder)
    (declared,) = [e for e in payload["files"] if e["name"] == "billable_events.jsonl"]
    assert declared["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_renewed_manifest_moves_only_the_time(tmp_path: Path) -> None:
    world: World = build_scenarios(ANCHOR, ["clean_day"])
    key_pem = make_demo_key(tmp_path / "keys")
    world.write_exports(tmp_path / "exports", key_pem)
    folder = tmp_path / "exports" / "t_clean_day"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    later = ANCHOR + timedelta(minutes=10)
    world.renew_manifests(
        tmp_path / "exports", key_pem, written_through=ANCHOR, exported_through=later
    )
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"manifest.dsse.json"}
    assert read_manifest(folder)[2]["exportedThrough"] == "2026-11-20T15:40:00.000Z"
    assert {path.name for path in tmp_path.iterdir()} == {"keys", "exports"}


def test_demo_keys_are_private_and_stay(tmp_path: Path) -> None:
    first = make_demo_key(tmp_path / "keys")
    assert make_demo_key(tmp_path / "keys") == first
    assert (tmp_path / "keys" / "kernel_demo.pem").stat().st_mode & 0o777 == 0o600


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_builders_reproduce_the_kernels_own_holdback_lineage(shared: Path) -> None:
    path = shared / "kernel_fixtures" / "derived" / "oracle" / "kernel_holdback_lineage.json"
    lineage: dict[str, Any] = json.loads(path.read_text())
    theirs = lineage["decisionRecord"]
    decision = kernel_artifacts.settlement_decision(
        tenant_id=theirs["tenantId"],
        run_id=theirs["runId"],
        settlement_id=theirs["settlementId"],
        decision_id=theirs["decisionId"],
        decided_at=_moment(theirs["decidedAt"]),
        agreement_id=theirs["agreementId"],
        resolution_event_id=theirs["workRef"]["resolutionEventId"],
    )
    assert decision == theirs
    settled_at = _moment(lineage["settlementReceipt"]["settledAt"])
    receipt = kernel_artifacts.settlement_receipt(
        decision=decision,
        receipt_id="rcpt_oracle_1",
        amount_cents=10_000,
        released_cents=10_000,
        refunded_cents=0,
        currency="USD",
        settled_at=settled_at,
        created_at=settled_at,
    )
    assert receipt == lineage["settlementReceipt"]
    hold = kernel_holds.funding_hold(
        receipt=receipt,
        agreement_hash=theirs["agreementId"],
        payer_agent_id="agt_tc_payer_1",
        payee_agent_id="agt_tc_payee_1",
        holdback_bps=2_000,
        challenge_window=timedelta(days=1),
        created_at=settled_at,
    )
    assert hold == lineage["fundingHold"]
    verdict = lineage["arbitrationVerdictRelease"]
    adjustment = kernel_holds.settlement_adjustment(
        hold=hold,
        kind="holdback_release",
        created_at=_moment(verdict["issuedAt"]),
        verdict=verdict,
    )
    stated = lineage["settlementAdjustmentRelease"]["adjustmentHash"]
    assert adjustment["adjustmentHash"] == stated


def test_the_restated_rules_reproduce_the_kernels_samples(shared: Path) -> None:
    samples = shared / "kernel_fixtures" / "samples"
    receipt = json.loads((samples / "kernel_receipt.json").read_text())
    adjustment = json.loads((samples / "settlement_adjustment.json").read_text())
    assert not lies("settlement_receipts", receipt["settlementReceipt"])
    assert not lies("settlement_decisions", receipt["decisionRecord"])
    assert not lies("settlement_adjustments", adjustment)
    assert sha256_of({"b": 1, "a": "é"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()
