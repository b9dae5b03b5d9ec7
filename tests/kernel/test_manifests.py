"""Authorship comes from a manifest signed by a trusted key, and from nothing inside the export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.keys import KeySigner, public_key_pem
from ingest.errors import SettingError
from ingest.kernel import TrustedKey, load_kernel_trust
from tests.kernel.conftest import Kernel, Warehouse

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def exported(kernel: Kernel, receipt: Make) -> Kernel:
    kernel.write("settlement_receipts", [receipt(1), receipt(2)])
    kernel.write(
        "month_closes",
        [{"tenantId": "t_acme", "period": "2026-10", "status": "CLOSED", "closedAt": None}],
        name="month_closes/2026.jsonl",
    )
    kernel.sign()
    return kernel


def link() -> dict[str, Any]:
    return {
        "tenantId": "t_acme",
        "payoutKey": "t_acme:party:pty_a:period:2026-10:statement:" + "a" * 64,
        "sourceType": "receipt",
        "sourceId": "rcpt_1",
        "sourceHash": None,
        "amountCents": 100,
        "currency": "USD",
    }


def status(warehouse: Warehouse) -> tuple[str, str | None]:
    warehouse.land()
    row = warehouse.rows("export_manifests")[-1]
    verdicts = {v["manifest_status"] for v in warehouse.rows("artifact_verdicts")}
    assert row["manifest_status"] in verdicts
    return row["manifest_status"], row["manifest_code"]


def test_a_trusted_signature_over_the_very_files_is_trusted(
    exported: Kernel, warehouse: Warehouse
) -> None:
    pull = warehouse.land()
    (row,) = warehouse.rows("export_manifests")
    assert row["manifest_status"] == "trusted"
    assert row["signer_keyid"] == exported.signer.keyid
    assert (row["files_declared"], row["files_ok"]) == (2, 2)
    assert row["exported_through"].isoformat() == "2026-11-23T11:30:00"
    assert pull.complete
    assert warehouse.quarantine() == []


def test_no_manifest_is_missing(exported: Kernel, warehouse: Warehouse) -> None:
    (exported.root / "t_acme/manifest.dsse.json").unlink()
    assert status(warehouse) == ("missing", "manifest_missing")
    assert len(warehouse.rows("settlement_receipts")) == 2, "the evidence lands, unverified"


def test_no_signature_is_unsigned(exported: Kernel, warehouse: Warehouse) -> None:
    exported.sign(signers=[])
    assert status(warehouse) == ("unsigned", "no_signatures")


def test_a_manifest_that_is_no_envelope_is_unsigned(exported: Kernel, warehouse: Warehouse) -> None:
    (exported.root / "t_acme/manifest.dsse.json").write_text('{"tenantId":"t_acme"}')
    assert status(warehouse)[0] == "unsigned"


def test_a_strangers_signature_is_foreign(exported: Kernel, warehouse: Warehouse) -> None:
    exported.sign(signers=[exported.stranger])
    assert status(warehouse) == ("foreign", "untrusted_key")


def test_a_strangers_signature_under_a_trusted_name_is_no_signature(
    exported: Kernel, warehouse: Warehouse
) -> None:
    path = exported.sign(signers=[exported.stranger])
    text = path.read_text().replace(exported.stranger.keyid, exported.signer.keyid)
    path.write_text(text)
    assert status(warehouse) == ("mismatch", "bad_signature")


def test_exported_keys_confer_no_trust(exported: Kernel, warehouse: Warehouse) -> None:
    """The exporter ships the very key he signs with; it is landed and means nothing."""
    pem = public_key_pem(exported.stranger.public_key)
    keys = [{"tenantId": "t_acme", "keyId": exported.stranger.keyid, "publicKeyPem": pem}]
    exported.write("public_keys", keys)
    exported.sign(signers=[exported.stranger])
    assert status(warehouse) == ("foreign", "untrusted_key")
    (row,) = warehouse.rows("public_keys")
    assert row["key_id"] == exported.stranger.keyid


def test_a_key_trusted_for_one_tenant_is_foreign_to_another(
    exported: Kernel, warehouse: Warehouse
) -> None:
    keyid = exported.signer.keyid
    warehouse.trusted = {keyid: TrustedKey(keyid, warehouse.trusted[keyid], ("t_other",))}
    assert status(warehouse) == ("foreign", "untrusted_key")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data + data.splitlines(keepends=True)[-1], "file_digest_mismatch"),
        (lambda data: data.replace(b"1250", b"1251", 1), "file_digest_mismatch"),
        (lambda data: data.splitlines(keepends=True)[0], "file_digest_mismatch"),
    ],
    ids=["a line repeated", "an amount changed", "a line removed"],
)
def test_a_file_changed_after_signing_is_a_mismatch(
    exported: Kernel, warehouse: Warehouse, change: Callable[[bytes], bytes], code: str
) -> None:
    path = exported.root / "t_acme/settlement_receipts.jsonl"
    path.write_bytes(change(path.read_bytes()))
    assert status(warehouse) == ("mismatch", code)
    codes = {(e["code"], e["source_file"]) for e in warehouse.quarantine()}
    assert (code, "t_acme/settlement_receipts.jsonl") in codes


def test_a_file_that_is_gone_or_new_is_a_mismatch(
    exported: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    (exported.root / "t_acme/month_closes/2026.jsonl").rename(
        exported.root / "t_acme/month_closes/2027.jsonl"
    )
    assert status(warehouse)[0] == "mismatch"
    codes = {e["code"]: e["source_file"] for e in warehouse.quarantine()}
    assert codes == {
        "file_missing": "t_acme/month_closes/2026.jsonl",
        "file_undeclared": "t_acme/month_closes/2027.jsonl",
    }


def test_a_wrong_row_count_is_a_mismatch(exported: Kernel, warehouse: Warehouse) -> None:
    folder = exported.root / "t_acme"
    import hashlib

    files = [
        {
            "name": str(path.relative_to(folder)),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "rows": 9,
        }
        for path in folder.rglob("*.jsonl")
    ]
    exported.sign(files=files)
    assert status(warehouse) == ("mismatch", "file_rows_mismatch")


def test_another_tenants_manifest_is_a_mismatch(
    exported: Kernel, warehouse: Warehouse, receipt: Make
) -> None:
    exported.sign(tenantId="t_other")
    assert status(warehouse) == ("mismatch", "manifest_tenant_mismatch")


@pytest.mark.parametrize(
    "over",
    [{"files": {}}, {"files": [{"name": 1}]}, {"exportedThrough": "soon"}, {"files": None}],
)
def test_a_malformed_manifest_is_a_mismatch(
    exported: Kernel, warehouse: Warehouse, over: dict[str, object]
) -> None:
    exported.sign(**over)
    assert status(warehouse) == ("mismatch", "manifest_malformed")


def test_a_manifest_payload_with_a_repeated_member_is_not_trusted(
    exported: Kernel, warehouse: Warehouse
) -> None:
    import base64

    path = exported.root / "t_acme/manifest.dsse.json"
    envelope = json.loads(path.read_text())
    payload = base64.b64decode(envelope["payload"])
    payload = payload.replace(b'{"tenantId"', b'{"tenantId":"t_acme","tenantId"', 1)
    envelope["payload"] = base64.b64encode(payload).decode()
    path.write_text(json.dumps(envelope))
    assert status(warehouse)[0] != "trusted"


def test_a_manifest_that_recovers_is_trusted_again(exported: Kernel, warehouse: Warehouse) -> None:
    assert status(warehouse)[0] == "trusted"
    exported.sign(signers=[])
    assert status(warehouse)[0] == "unsigned"
    exported.sign()
    assert status(warehouse)[0] == "trusted"
    latest = {v["artifact_id"]: v["manifest_status"] for v in warehouse.rows("artifact_verdicts")}
    assert set(latest.values()) == {"trusted"}


def test_every_row_says_whether_a_signed_export_carried_it(
    exported: Kernel, warehouse: Warehouse
) -> None:
    """An artifact lands again once somebody vouches for it, and once only."""
    connect = {"accounts": [{"accountId": "a1"}]}
    exported.write("money_rail_controls", [{"tenantId": "t_acme", "connect": connect}])
    exported.write("receipt_payout_links", [link()])
    tables = ("settlement_receipts", "money_rail_controls", "connect_accounts")
    tables = (*tables, "receipt_payout_links")
    exported.sign(signers=[])
    warehouse.land()
    assert {row["is_vouched"] for table in tables for row in warehouse.rows(table)} == {False}
    exported.sign()
    warehouse.land()
    warehouse.land()
    for table in tables:
        vouched = [row["is_vouched"] for row in warehouse.rows(table)]
        assert sorted(vouched) == [False] * (len(vouched) // 2) + [True] * (len(vouched) // 2)
        assert vouched, table


def test_a_file_that_the_signed_manifest_does_not_name_vouches_for_nothing(
    exported: Kernel, warehouse: Warehouse
) -> None:
    """A stranger who may write into the folder gains nothing from the manifest beside it."""
    exported.write("receipt_payout_links", [link()])
    assert status(warehouse) == ("mismatch", "file_undeclared")
    assert {row["is_vouched"] for row in warehouse.rows("receipt_payout_links")} == {False}


def test_a_trusted_key_that_is_not_its_id_is_a_setting_error(
    exported: Kernel, warehouse: Warehouse
) -> None:
    warehouse.trusted = {exported.stranger.keyid: warehouse.trusted[exported.signer.keyid]}
    with pytest.raises(SettingError):
        warehouse.land()


# --- the trust file -------------------------------------------------------------------------------


def trust_file(tmp_path: Path, *entries: object) -> Path:
    path = tmp_path / "trust.json"
    path.write_text(json.dumps({"keys": list(entries)}))
    return path


def entry(signer: KeySigner, **over: object) -> dict[str, object]:
    pem = public_key_pem(signer.public_key)
    return {"keyid": signer.keyid, "pem": pem, "tenants": ["*"], **over}


def test_the_trust_file_is_read(tmp_path: Path, kernel: Kernel) -> None:
    path = trust_file(tmp_path, entry(kernel.signer, tenants=["t_acme"]))
    trusted = load_kernel_trust(path)
    assert trusted[kernel.signer.keyid].speaks_for("t_acme")
    assert not trusted[kernel.signer.keyid].speaks_for("t_other")


def test_a_trust_file_whose_key_is_not_its_id_is_refused(tmp_path: Path, kernel: Kernel) -> None:
    stranger = public_key_pem(kernel.stranger.public_key)
    cases = [
        trust_file(tmp_path, entry(kernel.signer, pem=stranger)),
        trust_file(tmp_path, entry(kernel.signer, pem="no key")),
        trust_file(tmp_path, entry(kernel.signer), entry(kernel.signer)),
        trust_file(tmp_path, {"keyid": "x"}),
        tmp_path / "absent.json",
    ]
    for path in cases:
        with pytest.raises(SettingError) as refusal:
            load_kernel_trust(path)
        assert "TIEOUT_KERNEL_TRUST" in str(refusal.value)
