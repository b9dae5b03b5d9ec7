"""An agent's signature counts where the operator vouches for the agent's key, and nowhere else."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from evidence.artifacts import AgentKeys, KernelArtifacts, kernel_key_ids
from evidence.keys import KeySigner, public_key_pem
from ingest.errors import SettingError
from ingest.kernel import agent_keys, load_kernel_trust
from tests.kernel.conftest import TENANT, Kernel, Warehouse, plain_hash

Json = dict[str, Any]
ARBITER = KeySigner.from_seed(b"arbiter".ljust(32, b"."))
OTHER = KeySigner.from_seed(b"not the arbiter".ljust(32, b"."))


def pem_of(signer: KeySigner) -> str:
    return public_key_pem(signer.public_key)


def verdict(signer: KeySigner = ARBITER, named: KeySigner = ARBITER, **over: Any) -> Json:
    """A verdict of the kernel, signed by one key under the name of another."""
    core = {
        "schemaVersion": "ArbitrationVerdict.v1",
        "verdictId": "arb_vrd_1",
        "caseId": "arb_case_1",
        "tenantId": TENANT,
        "runId": "run_1",
        "settlementId": "setl_1",
        "disputeId": "disp_1",
        "arbiterAgentId": "agt_arbiter",
        "outcome": "accepted",
        "releaseRatePct": 100,
        "rationale": "as agreed",
        "evidenceRefs": [],
        "issuedAt": "2026-10-07T00:00:00.000Z",
        "appealRef": None,
        **over,
    }
    digest = plain_hash(core)
    return {
        **core,
        "signerKeyId": sorted(kernel_key_ids(pem_of(named)))[0],
        "verdictHash": digest,
        "signature": base64.b64encode(signer.sign(bytes.fromhex(digest))).decode(),
    }


def land(warehouse: Warehouse, kernel: Kernel, artifact: Json, *keys: tuple[str, str]) -> Json:
    """The verdict row of one artifact under the agents' keys given, PEM and tenant."""
    kernel.write("arbitration_verdicts", [artifact])
    agents = AgentKeys([(pem, (tenant,)) for pem, tenant in keys])
    warehouse.land(verifier=KernelArtifacts(agents))
    row: Json = warehouse.rows("artifact_verdicts")[-1]
    return row


def test_a_known_agents_signature_is_checked_on_arrival(
    kernel: Kernel, warehouse: Warehouse
) -> None:
    row = land(warehouse, kernel, verdict(), (pem_of(ARBITER), "*"))
    assert (row["verdict"], row["signature_status"]) == ("verified", "valid")
    assert warehouse.quarantine() == []


@pytest.mark.parametrize(
    "artifact",
    [
        verdict(signer=OTHER),
        {**verdict(), "signature": None},
        {**verdict(), "signature": "sig_vectors_demo_0001"},
        {**verdict(), "signature": base64.b64encode(b"short").decode()},
    ],
    ids=["another key", "none", "no base64", "too short"],
)
def test_a_known_agents_name_over_another_signature_is_a_mismatch(
    kernel: Kernel, warehouse: Warehouse, artifact: Json
) -> None:
    row = land(warehouse, kernel, artifact, (pem_of(ARBITER), TENANT))
    assert (row["verdict"], row["code"]) == ("mismatch", "signature_invalid")
    (entry,) = warehouse.quarantine()
    assert (entry["code"], entry["key"]) == ("signature_invalid", "arb_vrd_1")
    assert entry["remedy"]


def test_a_rewritten_verdict_needs_more_than_a_new_hash(
    kernel: Kernel, warehouse: Warehouse
) -> None:
    """Whoever rewrites an artifact can hash it again, and cannot sign it."""
    rewritten = verdict(outcome="rejected", releaseRatePct=0)
    rewritten["signature"] = verdict()["signature"]
    row = land(warehouse, kernel, rewritten, (pem_of(ARBITER), "*"))
    assert (row["verdict"], row["code"]) == ("mismatch", "signature_invalid")


def test_an_unknown_key_is_said_and_proves_nothing_either_way(
    kernel: Kernel, warehouse: Warehouse
) -> None:
    row = land(warehouse, kernel, verdict(), (pem_of(OTHER), "*"))
    assert (row["verdict"], row["signature_status"]) == ("verified", "unknown_key")


def test_an_agents_key_of_another_tenant_is_unknown(kernel: Kernel, warehouse: Warehouse) -> None:
    row = land(warehouse, kernel, verdict(signer=OTHER), (pem_of(ARBITER), "t_other"))
    assert (row["verdict"], row["signature_status"]) == ("verified", "unknown_key")


def test_an_exported_key_is_not_an_agents_key(kernel: Kernel, warehouse: Warehouse) -> None:
    keys = [{"tenantId": TENANT, "keyId": "key_x", "publicKeyPem": pem_of(ARBITER)}]
    kernel.write("public_keys", keys)
    row = land(warehouse, kernel, verdict())
    assert row["signature_status"] == "unknown_key"


def test_the_kernels_own_lineage_is_signed_by_its_published_key(fixtures: Path) -> None:
    oracle = json.loads((fixtures / "derived/oracle/kernel_holdback_lineage.json").read_bytes())
    agents = AgentKeys([(oracle["signerPublicKeyPem"], ("tenant_vectors",))])
    for member, artifact_type in (
        ("disputeOpenEnvelope", "dispute_envelopes"),
        ("arbitrationVerdictRelease", "arbitration_verdicts"),
        ("arbitrationVerdictRefund", "arbitration_verdicts"),
    ):
        verifier = KernelArtifacts(agents)
        judged = verifier.verify(artifact_type, json.dumps(oracle[member]).encode())
        assert (judged.verdict, judged.signature) == ("verified", "valid")


def test_the_published_envelope_example_has_a_dummy_signature(fixtures: Path) -> None:
    path = fixtures / "repo/docs/spec/examples/dispute_open_envelope_v1.example.json"
    judged = KernelArtifacts().verify("dispute_envelopes", path.read_bytes())
    assert (judged.verdict, judged.signature) == ("verified", "unknown_key")


def test_an_agents_key_may_not_sign_an_export(tmp_path: Path, kernel: Kernel) -> None:
    entry = {"keyid": kernel.signer.keyid, "pem": pem_of(kernel.signer), "tenants": ["*"]}
    path = tmp_path / "trust.json"
    path.write_text(json.dumps({"keys": [{**entry, "signs": "agents"}]}))
    trusted = load_kernel_trust(path)
    assert agent_keys(trusted) == [(pem_of(kernel.signer), ("*",))]
    kernel.write("settlement_receipts", [])
    kernel.sign()
    warehouse = Warehouse(tmp_path / "home", kernel)
    warehouse.land(trusted_keys=trusted)
    (row,) = warehouse.rows("export_manifests")
    assert (row["manifest_status"], row["manifest_code"]) == ("foreign", "untrusted_key")
    path.write_text(json.dumps({"keys": [{**entry, "signs": "everything"}]}))
    with pytest.raises(SettingError, match="signs"):
        load_kernel_trust(path)
