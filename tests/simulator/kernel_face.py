"""What the kernel hashes, restated from its specification, for judging the simulator's exports.

Belongs here: reading an export folder and recomputing hashes with code that shares nothing with the
builders. Does not belong here: any test.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ANCHOR = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)

HASH_FIELD = {
    "settlement_receipts": ("receiptHash", {"receiptHash", "artifactHash"}),
    "settlement_decisions": ("decisionHash", {"decisionHash", "artifactHash"}),
    "funding_holds": (
        "holdHash",
        {"holdHash", "status", "resolvedAt", "updatedAt", "revision", "metadata"},
    ),
    "settlement_adjustments": ("adjustmentHash", {"adjustmentHash", "metadata"}),
    "dispute_envelopes": ("envelopeHash", {"envelopeHash", "signature", "artifactHash"}),
    "settlement_statements": ("artifactHash", {"artifactHash"}),
    "party_statements": ("artifactHash", {"artifactHash"}),
    "gl_batches": ("artifactHash", {"artifactHash"}),
    "payout_instructions": ("artifactHash", {"artifactHash"}),
}
# A verdict hashes only what it decides, so what is left out is everything about its signature.
HASH_FIELD["arbitration_verdicts"] = (
    "verdictHash",
    {"verdictHash", "signature", "signerKeyId"},
)

Rows = dict[str, list[dict[str, Any]]]


def sha256_of(value: Any) -> str:
    """The kernel's hash of a document with integers and ASCII keys only."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def lies(artifact_type: str, artifact: dict[str, Any]) -> bool:
    """Whether an artifact states another hash than its content has."""
    field, dropped = HASH_FIELD[artifact_type]
    core = {name: value for name, value in artifact.items() if name not in dropped}
    return bool(artifact[field] != sha256_of(core))


def read_export(folder: Path) -> Rows:
    """Every artifact of one tenant by export type; lines that are no JSON are left out."""
    rows: Rows = {}
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_bytes().splitlines()
        whole = [line for line in lines if line.endswith(b"}")]
        rows[path.stem] = [json.loads(line) for line in whole]
    return rows


def read_manifest(folder: Path) -> tuple[dict[str, Any], bytes, dict[str, Any]]:
    """The envelope, the signed bytes and the payload of a folder's manifest."""
    envelope = json.loads((folder / "manifest.dsse.json").read_bytes())
    body = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
    return envelope, signed, json.loads(body)
