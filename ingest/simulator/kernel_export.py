"""The kernel-export face: one folder a tenant, one JSON Lines file a type, one signed manifest.

Belongs here: writing what a tenant's kernel would have exported, signing the manifest, and making
demo keys with their trust file. Does not belong here: what the lines say (the builders), or reading
exports (the warehouse does that with its own code).

A folder is written beside its place and renamed over it, so that a reader never sees half of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ingest.simulator.kernel_artifacts import canonical_json, iso

__all__ = [
    "EXPORT_TYPES",
    "MANIFEST_NAME",
    "MANIFEST_PAYLOAD_TYPE",
    "TenantExport",
    "key_id",
    "make_demo_key",
    "pae",
    "renew_manifest",
    "write_export",
]

EXPORT_TYPES: Final = (
    "settlement_receipts",
    "settlement_decisions",
    "agent_run_settlements",
    "funding_holds",
    "settlement_adjustments",
    "arbitration_verdicts",
    "dispute_envelopes",
    "x402_receipts",
    "settlement_statements",
    "party_statements",
    "gl_batches",
    "payout_instructions",
    "money_rail_operations",
    "money_rail_provider_events",
    "money_rail_controls",
    "money_rail_providers",
    "connect_accounts",
    "receipt_payout_links",
    "charge_links",
    "party_agents",
    "payout_requests",
    "month_closes",
    "tenant_profiles",
    "billable_events",
    "public_keys",
)
MANIFEST_NAME: Final = "manifest.dsse.json"
MANIFEST_PAYLOAD_TYPE: Final = "application/vnd.tieout.kernel-export+json"


@dataclass
class TenantExport:
    """What one tenant exports.

    Attributes:
        rows: artifacts by export type, in the order they are written.
        torn: export types whose last line loses its second half, as after a crash in an append.
        manifest: `signed`, `unsigned` (no signature), `foreign` (signed by a key nobody trusts),
            `missing`, or `altered` (a file changed after the manifest was signed).
    """

    tenant_id: str
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    torn: set[str] = field(default_factory=set)
    manifest: str = "signed"


def pae(payload_type: str, body: bytes) -> bytes:
    """Return the DSSE pre-authentication encoding that is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def key_id(public_der: bytes) -> str:
    """Return the hex sha256 of a public key's DER SubjectPublicKeyInfo."""
    return hashlib.sha256(public_der).hexdigest()


def _public_der(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def make_demo_key(folder: Path) -> bytes:
    """Return the demo exporter's private key as PEM, making it and its trust file where absent.

    Args:
        folder: gets `kernel_demo.pem` (mode 0600) and `kernel_trust.json`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "kernel_demo.pem"
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        fresh = folder / ".kernel_demo.pem.writing"
        fresh.touch(mode=0o600)
        fresh.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        fresh.rename(path)
    private_pem = path.read_bytes()
    key = _load(private_pem)
    public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    trust = {
        "keys": [{"keyid": key_id(_public_der(key)), "pem": public_pem.decode(), "tenants": ["*"]}]
    }
    (folder / "kernel_trust.json").write_text(json.dumps(trust, indent=2) + "\n")
    return private_pem


def _load(private_pem: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(private_pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"got a {type(key).__name__}; expected an unencrypted Ed25519 PEM key")
    return key


def _file_bytes(export: TenantExport, name: str) -> bytes:
    lines = [canonical_json(row).encode() for row in export.rows.get(name, ())]
    whole = b"".join(line + b"\n" for line in lines)
    if name in export.torn and lines:
        return whole[: -(len(lines[-1]) // 2 + 1)]
    return whole


def _envelope(
    export: TenantExport,
    files: Mapping[str, bytes],
    signing_key_pem: bytes | None,
    exported_through: datetime,
) -> bytes:
    payload = canonical_json(
        {
            "tenantId": export.tenant_id,
            "exportedThrough": iso(exported_through),
            "files": [
                {
                    "name": name,
                    "sha256": hashlib.sha256(body).hexdigest(),
                    "rows": len(body.splitlines()),
                }
                for name, body in sorted(files.items())
            ],
        }
    ).encode()
    signatures: list[dict[str, str]] = []
    key: Ed25519PrivateKey | None = None
    if export.manifest == "foreign":
        stranger = hashlib.sha256(b"tieout-simulator|stranger").digest()
        key = Ed25519PrivateKey.from_private_bytes(stranger)
    elif export.manifest != "unsigned" and signing_key_pem is not None:
        key = _load(signing_key_pem)
    if key is not None:
        signed = key.sign(pae(MANIFEST_PAYLOAD_TYPE, payload))
        signatures.append(
            {"keyid": key_id(_public_der(key)), "sig": base64.b64encode(signed).decode()}
        )
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": MANIFEST_PAYLOAD_TYPE,
        "signatures": signatures,
    }
    return (canonical_json(envelope) + "\n").encode()


def write_export(
    export: TenantExport,
    root: Path,
    *,
    signing_key_pem: bytes | None,
    exported_through: datetime,
) -> None:
    """Write one tenant's folder under `root`, replacing the one that is there.

    Args:
        signing_key_pem: unencrypted PKCS#8 Ed25519 key; None leaves the manifest unsigned.
        exported_through: what the manifest claims to be complete through.
    """
    files = _files(export)
    contents = dict(files)
    if export.manifest != "missing":
        contents[MANIFEST_NAME] = _envelope(export, files, signing_key_pem, exported_through)
    if export.manifest == "altered":
        # A repeated line is the smallest change that leaves every artifact valid.
        name = "billable_events.jsonl"
        contents[name] = files[name] + files[name].splitlines(keepends=True)[-1]
    root.mkdir(parents=True, exist_ok=True)
    # Beside the root, because whatever lies inside it is taken for a tenant.
    fresh = root.parent / f".{root.name}-{export.tenant_id}.writing"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name, body in contents.items():
        (fresh / name).write_bytes(body)
    shutil.rmtree(root / export.tenant_id, ignore_errors=True)
    fresh.rename(root / export.tenant_id)


def renew_manifest(
    export: TenantExport,
    root: Path,
    *,
    signing_key_pem: bytes | None,
    exported_through: datetime,
) -> None:
    """Claim that the files written before are complete through a later time: nothing new happened.

    Only the manifest is replaced, in one step, so that a reader never meets files and manifest of
    different exports.
    """
    if export.manifest == "missing":
        return
    envelope = _envelope(export, _files(export), signing_key_pem, exported_through)
    fresh = root.parent / f".{root.name}-{export.tenant_id}.manifest"
    fresh.write_bytes(envelope)
    fresh.replace(root / export.tenant_id / MANIFEST_NAME)


def _files(export: TenantExport) -> dict[str, bytes]:
    unknown = set(export.rows) - set(EXPORT_TYPES)
    if unknown:
        raise ValueError(f"got export types {sorted(unknown)}; expected those of EXPORT_TYPES")
    files = {f"{name}.jsonl": _file_bytes(export, name) for name in EXPORT_TYPES}
    return {name: body for name, body in files.items() if body}
