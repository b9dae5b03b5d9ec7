"""The original's run packet inside ours: what a partner's existing verifier reads.

What belongs here: three documents a payout provider under `kernel/<provider>/` (reconciliation
evidence, chargeback evidence chained to it, and the `DesignPartnerMoneyRailRunPacket.v1` over
both), each with `artifactHash` and signature by the kernel's rule, and checking them. What does
not: the reports they carry (kernel_reconcile.py, kernel_reports.py), and the packet around them.

Unlike the original's they hold no clock, address, command line or absolute path: `capturedAt` is
the cut-off of the period.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evidence import canonical, schema, signatures
from evidence.content import Content, sha256_of, whole
from evidence.errors import Refusal, show
from evidence.kernel_keys import key_id_of, sign_document
from evidence.kernel_reconcile import report_hash
from evidence.kernel_reports import Document
from evidence.signatures import Signer

__all__ = [
    "KernelEvidence",
    "RunPacketInputs",
    "check_kernel_files",
    "is_kernel_file",
    "kernel_files",
    "run_packet",
]

RECONCILE: Final = "reconcile"
CHARGEBACKS: Final = "chargebacks"
RUN_PACKET: Final = "run_packet"
MAX_DOCUMENT_BYTES: Final = 256 << 20

_RECONCILE_TYPE: Final = "MoneyRailReconcileEvidence.v1"
_CHARGEBACK_TYPE: Final = "MoneyRailChargebackEvidence.v1"
_PACKET_TYPE: Final = "DesignPartnerMoneyRailRunPacket.v1"
_NAME: Final = re.compile(r"kernel/([a-z0-9_]{1,64})/(reconcile|chargebacks|run_packet)\.json")
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_TYPES: Final = {
    RECONCILE: _RECONCILE_TYPE,
    CHARGEBACKS: _CHARGEBACK_TYPE,
    RUN_PACKET: _PACKET_TYPE,
}
_NOT_CALLED: Final = (
    *("operationBefore", "submitIngest", "confirmIngest", "operationConfirmed", "reverseIngest"),
    *("operationAfter", "payoutCheck"),
)
_BY_US: Final = {"skipped": True, "reason": "built_from_published_tables"}
_LAST_MONTH: Final = 12


@dataclass(frozen=True)
class KernelEvidence:
    """What one provider's documents say.

    Attributes:
        reconcile: The original's reconciliation report of the month.
        exposure: Its chargeback report of the month.
        drills: artifactHash, status and operation of each drill on record for the month.
    """

    provider_id: str
    reconcile: Document
    exposure: Document
    drills: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class RunPacketInputs:
    """What a run packet was asked for and what was expected; None expects nothing."""

    reconcile_expect_status: str = "pass"
    operation_id: str | None = None
    party_id: str | None = None
    payout_period: str | None = None
    expect_outstanding_cents: int | None = None
    expect_payout_code: str | None = None


def kernel_files(
    evidence: Iterable[KernelEvidence], tenant: str, period: str, signer: Signer
) -> dict[str, bytes]:
    """The documents of every provider by file name, signed."""
    files: dict[str, bytes] = {}
    for one in evidence:
        folder = f"kernel/{_slug(one.provider_id)}"
        head = _head(tenant, period, one.provider_id)
        reconcile = sign_document(_reconcile(head, one), signer)
        chargebacks = sign_document(_chargebacks(head, one, reconcile), signer)
        names = (f"{folder}/{RECONCILE}.json", f"{folder}/{CHARGEBACKS}.json")
        files |= zip(names, map(canonical.dumps, (reconcile, chargebacks)), strict=True)
        packet = _run_packet(head, one, (reconcile, chargebacks), names, RunPacketInputs())
        files[f"{folder}/{RUN_PACKET}.json"] = canonical.dumps(sign_document(packet, signer))
    return files


def run_packet(
    one: KernelEvidence,
    tenant: str,
    period: str,
    signer: Signer,
    *,
    key_id: str | None = None,
    drill: Document | None = None,
    asked: RunPacketInputs | None = None,
) -> Document:
    """The original's run packet as one document of its own, for a partner who wants no other file.

    Args:
        one: A provider's evidence.
        tenant: The tenant.
        period: The month.
        signer: Signs it and what it holds.
        key_id: What the partner calls the key; the kernel's convention when None.
        drill: The signed record of a drill, which then is the chargeback evidence.
        asked: What was asked and expected.
    """
    head = _head(tenant, period, one.provider_id)
    reconcile = sign_document(_reconcile(head, one), signer, key_id)
    chargebacks = drill or sign_document(_chargebacks(head, one, reconcile), signer, key_id)
    names = (f"{RECONCILE}.json", f"{CHARGEBACKS}.json")
    documents = (reconcile, chargebacks)
    packet = _run_packet(head, one, documents, names, asked or RunPacketInputs())
    return sign_document(packet, signer, key_id)


def is_kernel_file(name: str) -> bool:
    """Whether a packet's file is one of these documents."""
    return _NAME.fullmatch(name) is not None


def check_kernel_files(
    files: Mapping[str, Content], tenant: str, period: str, keys: Sequence[bytes]
) -> int:
    """Refuse documents that the kernel's rule, or the chain between them, does not bear.

    Args:
        files: The packet's files; all others are passed over.
        tenant: The packet's.
        period: The packet's.
        keys: Raw public keys of the packet's trusted signers; no other key counts here.

    Returns:
        For how many providers there are documents.

    Raises:
        Refusal: `missing_file`, `json_*`, `evidence_fields`, `evidence_hash`, `evidence_signature`,
            `evidence_chain`, `spec_mismatch`.
    """
    providers = sorted({match[1] for name in files if (match := _NAME.fullmatch(name))})
    trusted = {key_id_of(key): key for key in keys}
    for provider in providers:
        documents: dict[str, Mapping[str, Any]] = {}
        digests: dict[str, str] = {}
        for kind in (RECONCILE, CHARGEBACKS, RUN_PACKET):
            name = f"kernel/{provider}/{kind}.json"
            if name not in files:
                raise Refusal("missing_file", f"got no {name} beside the others of its folder")
            digests[name] = sha256_of(files[name])
            data = whole(files[name], MAX_DOCUMENT_BYTES)
            documents[kind] = _checked(data, kind, tenant, period, trusted)
        _check_chain(documents, digests, provider)
    return len(providers)


def _checked(
    data: bytes, kind: str, tenant: str, period: str, trusted: Mapping[str, bytes]
) -> Mapping[str, Any]:
    value = canonical.loads_strict(data, MAX_DOCUMENT_BYTES)
    document = schema.mapping(value, "evidence_fields", kind)
    if document.get("type") != _TYPES[kind]:
        raise Refusal("evidence_fields", f"got type {show(document.get('type'))} of {kind}")
    owner = document
    if kind == RUN_PACKET:
        owner = schema.mapping(document.get("inputs"), "evidence_fields", "inputs")
    if owner.get("tenantId") != tenant or owner.get("period") != period:
        raise Refusal("spec_mismatch", f"got {kind} of another tenant or period")
    digest = canonical.document_hash(document)
    if document.get("artifactHash") != digest:
        raise Refusal("evidence_hash", f"got artifactHash of {kind}, not {digest}")
    signature = schema.mapping(document.get("signature"), "evidence_fields", "signature")
    key = trusted.get(str(signature.get("keyId")))
    signed = signatures.b64_decode(signature.get("signatureBase64"))
    if key is None or not signatures.is_signed(key, signed, bytes.fromhex(digest)):
        raise Refusal("evidence_signature", f"got {kind} that no signer of the packet signed")
    return document


def _check_chain(
    documents: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str], provider: str
) -> None:
    reconcile, chargebacks = documents[RECONCILE], documents[CHARGEBACKS]
    packet = documents[RUN_PACKET]
    report = schema.mapping(reconcile.get("reconcile"), "evidence_fields", "reconcile")
    if report_hash(report) != report.get("reportHash"):
        raise Refusal("evidence_hash", "got a reportHash that is not the report's")
    if chargebacks.get("reconcileArtifactHash") != reconcile["artifactHash"]:
        raise Refusal("evidence_chain", "got chargeback evidence of another reconciliation")
    payloads = {RECONCILE: reconcile, "chargeback": chargebacks}
    artifacts = {
        RECONCILE: _artifact(reconcile, f"kernel/{provider}/{RECONCILE}.json", digests),
        "chargeback": _artifact(chargebacks, f"kernel/{provider}/{CHARGEBACKS}.json", digests),
    }
    for name, expected in (("payloads", payloads), ("artifacts", artifacts)):
        if canonical.dumps(packet.get(name)) != canonical.dumps(expected):
            raise Refusal("evidence_chain", f"got {name} other than the documents beside them")


def _reconcile(head: Document, one: KernelEvidence) -> Document:
    return {
        "type": _RECONCILE_TYPE,
        **head,
        "baseUrl": None,
        "persist": False,
        "status": one.reconcile["status"],
        "reconcile": one.reconcile,
    }


def _chargebacks(head: Document, one: KernelEvidence, reconcile: Document) -> Document:
    """Exposure as published; a drill, which expects something, has a record of its own."""
    exposure = {"statusCode": 200, "ok": True, "body": one.exposure}
    return {
        "type": _CHARGEBACK_TYPE,
        **head,
        "execution": "published_tables",
        "status": "pass",
        "failures": [],
        "reconcileArtifactHash": reconcile["artifactHash"],
        "checks": {"outstandingCents": one.exposure["summary"]["totalOutstandingCents"]},
        "calls": {**dict.fromkeys(_NOT_CALLED), "exposure": exposure},
        "drills": [dict(drill) for drill in one.drills],
    }


def _run_packet(
    head: Document,
    one: KernelEvidence,
    documents: tuple[Document, Document],
    names: tuple[str, str],
    asked: RunPacketInputs,
) -> Document:
    digests = {
        name: canonical.sha256_hex(canonical.dumps(document))
        for name, document in zip(names, documents, strict=True)
    }
    expected, got = asked.reconcile_expect_status, one.reconcile["status"]
    failures = []
    if got != expected:
        failures.append(f"reconcile status mismatch (expected={expected} got={got})")
    if documents[1]["status"] != "pass":
        failures.append(f"chargeback evidence status is {documents[1]['status']}")
    return {
        "type": _PACKET_TYPE,
        "v": 1,
        "capturedAt": head["capturedAt"],
        "status": "fail" if failures else "pass",
        "failures": failures,
        "inputs": {
            "baseUrl": None,
            "tenantId": head["tenantId"],
            "providerId": one.provider_id,
            "period": head["period"],
            "reconcileExpectStatus": expected,
            "reconcilePersist": False,
            "chargebackOperationId": asked.operation_id,
            "chargebackPartyId": asked.party_id,
            "chargebackReasonCode": "chargeback",
            "chargebackPayoutPeriod": asked.payout_period,
            "expectChargebackOutstandingCents": asked.expect_outstanding_cents,
            "expectChargebackPayoutCode": asked.expect_payout_code,
        },
        "artifacts": {
            RECONCILE: _artifact(documents[0], names[0], digests),
            "chargeback": _artifact(documents[1], names[1], digests),
        },
        "runs": {RECONCILE: dict(_BY_US), "chargeback": dict(_BY_US)},
        "payloads": {RECONCILE: documents[0], "chargeback": documents[1]},
    }


def _head(tenant: str, period: str, provider_id: str) -> Document:
    return {
        "v": 1,
        "capturedAt": _cut_off(period),
        "tenantId": tenant,
        "period": period,
        "providerId": provider_id,
    }


def _artifact(
    document: Mapping[str, Any], name: str, digests: Mapping[str, str]
) -> dict[str, object]:
    return {
        "path": name,
        "fileHash": digests[name],
        "artifactHash": document["artifactHash"],
        "status": document.get("status"),
    }


def _slug(provider_id: str) -> str:
    """A folder for any provider id; one that is no plain name gets its digest."""
    if _SLUG.fullmatch(provider_id):
        return provider_id
    return f"provider_{hashlib.sha256(provider_id.encode()).hexdigest()[:24]}"


def _cut_off(period: str) -> str:
    year, month = int(period[:4]), int(period[5:])
    year, month = (year + 1, 1) if month == _LAST_MONTH else (year, month + 1)
    return f"{year:04d}-{month:02d}-01T00:00:00.000Z"
