"""What the kernel hashes and signs, and whether an artifact is what its own hash says.

What belongs here: for every artifact type the members its hash leaves out, and the verifier that
the ingest floor is handed. What does not: reading exports, landing rows, or deciding whose keys to
trust; keys and signatures (kernel_keys.py), what an x402 record binds (x402.py).

A hash shows integrity, never authorship: whoever rewrites an artifact can hash it again. Authorship
comes from the export's signed manifest alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from evidence import canonical, kernel_json, signatures, x402
from evidence.errors import Refusal, show
from evidence.kernel_keys import (
    INVALID,
    AgentKeys,
    index_kernel_keys,
    is_digest_signed,
    is_signed_by,
    kernel_key_ids,
)
from evidence.keys import public_key_from_pem

__all__ = [
    "HASH_RULES",
    "MANIFEST_PAYLOAD_TYPE",
    "SIGNED",
    "UNHASHED",
    "AgentKeys",
    "HashRule",
    "KernelArtifacts",
    "ManifestCheck",
    "VerifiedArtifact",
    "content_hash",
    "index_kernel_keys",
    "is_digest_signed",
    "is_signed_by",
    "kernel_key_ids",
]

MANIFEST_PAYLOAD_TYPE: Final = "application/vnd.tieout.kernel-export+json"
MAX_MANIFEST_BYTES: Final = 8 << 20

_HEX_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NO_FINDING: Final[tuple[str | None, str | None, str | None]] = (None, None, None)
_UNPROVED: Final = {"no_signatures": "unsigned", "untrusted_key": "foreign"}
_NONE_INSIDE: Final[Mapping[str, VerifiedArtifact]] = MappingProxyType({})


@dataclass(frozen=True)
class HashRule:
    """How one artifact type hashes itself: sha256 of the canonical text of some of its members.

    Attributes:
        field: the member that states the hash.
        dropped: members left out, the stating member among them; unused where there is a core.
        core: when not empty, the only members hashed; an absent one counts as null.
    """

    field: str
    dropped: frozenset[str]
    core: tuple[str, ...] = ()

    def stated(self, value: Mapping[str, Any]) -> object:
        """The hash an artifact claims; some verdicts carry it inside their signature."""
        stated = value.get(self.field)
        signature = value.get("signature")
        if stated is None and self.core and isinstance(signature, dict):
            return signature.get(self.field)
        return stated

    def hashed(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """The members that the hash covers."""
        if self.core:
            return {name: value.get(name) for name in self.core}
        return {name: member for name, member in value.items() if name not in self.dropped}


def _without(field: str, *also: str) -> HashRule:
    return HashRule(field, frozenset((field, *also)))


_VERDICT_CORE: Final = (
    *("schemaVersion", "verdictId", "caseId", "tenantId", "runId", "settlementId", "disputeId"),
    *("arbiterAgentId", "outcome", "releaseRatePct", "rationale", "evidenceRefs", "issuedAt"),
    "appealRef",
)
_EVENT_CORE: Final = ("v", "id", "at", "streamId", "type", "actor", "payload")
_CHAIN_CORE: Final = ("v", "prevChainHash", "payloadHash")

HASH_RULES: Final[Mapping[str, HashRule]] = MappingProxyType(
    {
        # Exported, one file each.
        "settlement_receipts": _without("receiptHash", "artifactHash"),
        "settlement_decisions": _without("decisionHash", "artifactHash"),
        "funding_holds": _without(
            "holdHash", "status", "resolvedAt", "updatedAt", "revision", "metadata"
        ),
        "settlement_adjustments": _without("adjustmentHash", "metadata"),
        "arbitration_verdicts": HashRule("verdictHash", frozenset({"verdictHash"}), _VERDICT_CORE),
        "dispute_envelopes": _without("envelopeHash", "signature", "artifactHash"),
        "settlement_statements": _without("artifactHash"),
        "party_statements": _without("artifactHash"),
        "gl_batches": _without("artifactHash"),
        "payout_instructions": _without("artifactHash"),
        # Met inside other artifacts, in finance packs and in the protocol's vectors.
        "x402_reversal_events": _without("eventHash"),
        "monthly_statements": _without("artifactHash"),
        "journal_csvs": _without("artifactHash"),
        "credit_memos": _without("artifactHash"),
        "run_packets": _without("artifactHash", "signature"),
        "tool_call_agreements": _without("agreementHash"),
        "tool_call_evidence": _without("evidenceHash", "signature"),
        "policy_decisions": _without("policyDecisionHash", "signature"),
        "bundle_manifests": _without("manifestHash"),
        "bundle_attestations": _without("attestationHash", "signature"),
        "verification_reports": _without("reportHash", "signature"),
        "settlement_decision_reports": _without(
            "reportHash", "signature", "signerKeyId", "signedAt"
        ),
        "governance_policies": _without("policyHash", "signature"),
        "revocation_lists": _without("listHash", "signature"),
        "event_payloads": HashRule("payloadHash", frozenset(), _EVENT_CORE),
        "event_chains": HashRule("chainHash", frozenset(), _CHAIN_CORE),
    }
)

X402_RECEIPTS: Final = "x402_receipts"
# What an agent signs, over the digest that the rule above gives.
SIGNED: Final = frozenset({"dispute_envelopes", "arbitration_verdicts"})
UNHASHED: Final = frozenset(
    {
        *("agent_run_settlements", "billable_events", "charge_links", "connect_accounts"),
        *("money_rail_controls", "money_rail_operations", "money_rail_provider_events"),
        *("money_rail_providers", "month_closes", "party_agents", "payout_requests"),
        *("public_keys", "receipt_payout_links", "tenant_profiles"),
    }
)


class VerifiedArtifact(NamedTuple):
    """One artifact, read and judged.

    Attributes:
        value: the artifact.
        canonical: its canonical text, the form to keep.
        verdict: `verified`, `unhashed` (its type has no hash) or `mismatch`.
        code: why it is a mismatch; beside `unhashed` a warning; else None.
        expected: the hash it states, when it states one, or what the rule of `code` expects.
        got: the hash its content has, when its type has one, or what the rule found.
        inside: artifacts it carries, by member path; only x402 receipts carry any.
        signature: for a type that agents sign `valid`, `invalid`, `unknown_key` or `absent`, else
            None.
    """

    value: dict[str, Any]
    canonical: str
    verdict: str
    code: str | None
    expected: str | None
    got: str | None
    inside: Mapping[str, VerifiedArtifact] = _NONE_INSIDE
    signature: str | None = None


class ManifestCheck(NamedTuple):
    """What an export's manifest proves.

    Attributes:
        status: `trusted`, `unsigned`, `foreign` (no trusted signer) or `mismatch` (a trusted
            signer's name over a signature that is not his).
        keyid: the trusted signer, else None.
        payload: what it says; unauthenticated unless `trusted`, None when it cannot be read.
        code: why it is not trusted, else None.
    """

    status: str
    keyid: str | None
    payload: dict[str, Any] | None
    code: str | None


class KernelArtifacts:
    """The verifier that the ingest floor is handed; it keeps no state but the keys it is given.

    Args:
        agents: keys of agents whose signatures are checked on arrival.
    """

    def __init__(self, agents: AgentKeys | None = None) -> None:
        self._agents = agents or AgentKeys()

    def verify(
        self, artifact_type: str, line: bytes, limit: int = kernel_json.MAX_LINE_BYTES
    ) -> VerifiedArtifact:
        """Read one artifact strictly and hash it again.

        Args:
            artifact_type: a name of `HASH_RULES` or `UNHASHED`, or `x402_receipts`.
            line: the artifact as one JSON object.
            limit: largest size accepted, in bytes.

        Raises:
            Refusal: `artifact_type`, or a `json_*` code when the text cannot be accepted.
        """
        if artifact_type == X402_RECEIPTS:
            return _x402_receipt(kernel_json.read(line, limit))
        rule = HASH_RULES.get(artifact_type)
        if rule is None and artifact_type not in UNHASHED:
            raise Refusal("artifact_type", f"got {show(artifact_type)}, expected a known type")
        judged = _judge(rule, kernel_json.read(line, limit))
        return self._with_signature(judged) if artifact_type in SIGNED else judged

    def _with_signature(self, judged: VerifiedArtifact) -> VerifiedArtifact:
        """A hash that holds under a signature that does not is no better than one that lies."""
        if judged.got is None:
            return judged
        status = self._agents.check(judged.value, judged.got)
        if status == INVALID and judged.verdict == "verified":
            return judged._replace(verdict="mismatch", code="signature_invalid", signature=status)
        return judged._replace(signature=status)

    def verify_manifest(self, data: bytes, pems: Mapping[str, bytes]) -> ManifestCheck:
        """Check the envelope of an export's manifest.

        Args:
            data: the DSSE envelope; its layout is free, since others than we write it.
            pems: public keys trusted for this export, PEM by key id.
        """
        keys = {keyid: public_key_from_pem(pem.decode("ascii")) for keyid, pem in pems.items()}
        try:
            document = canonical.loads_lenient(data, MAX_MANIFEST_BYTES)
            claimed = document.get("payload") if isinstance(document, dict) else None
            payload = signatures.b64_decode(claimed)
            content = kernel_json.read(payload, MAX_MANIFEST_BYTES).value
        except Refusal as refusal:
            return ManifestCheck("unsigned", None, None, refusal.code)
        try:
            proved = signatures.verify_envelope(
                canonical.dumps(document),
                keys,
                payload_type=MANIFEST_PAYLOAD_TYPE,
                max_bytes=MAX_MANIFEST_BYTES,
            )
        except Refusal as refusal:
            status = _UNPROVED.get(refusal.code, "mismatch")
            return ManifestCheck(status, None, content, refusal.code)
        return ManifestCheck("trusted", proved.keyids[0], content, None)


def content_hash(artifact_type: str, value: Mapping[str, Any]) -> str:
    """The hash that an artifact of a hashed type should state, 64 lower-case hex digits."""
    text = kernel_json.dumps(HASH_RULES[artifact_type].hashed(value))
    return hashlib.sha256(text.encode()).hexdigest()


# --- judging --------------------------------------------------------------------------------------


def _judge(rule: HashRule | None, document: kernel_json.Document) -> VerifiedArtifact:
    value, text, plain = document
    if rule is None:
        return VerifiedArtifact(value, text, "unhashed", None, None, None)
    hashed = rule.hashed(value)
    data = kernel_json.dumps_plain(hashed) if plain else kernel_json.dumps(hashed).encode()
    got = hashlib.sha256(data).hexdigest()
    stated = rule.stated(value)
    if stated == got:
        return VerifiedArtifact(value, text, "verified", None, got, got)
    if stated is None:
        return VerifiedArtifact(value, text, "mismatch", "hash_missing", None, got)
    if not isinstance(stated, str) or not _HEX_SHA256.fullmatch(stated):
        return VerifiedArtifact(value, text, "mismatch", "hash_malformed", None, got)
    return VerifiedArtifact(value, text, "mismatch", "hash_mismatch", stated, got)


def _x402_receipt(document: kernel_json.Document) -> VerifiedArtifact:
    """An envelope without a hash around a decision, a receipt and their reversals with one."""
    value = document.value
    inside: dict[str, VerifiedArtifact] = {}
    members = [
        ("decisionRecord", "settlement_decisions", value.get("decisionRecord")),
        ("settlementReceipt", "settlement_receipts", value.get("settlementReceipt")),
    ]
    events = value.get("reversalEvents")
    for position, event in enumerate(events if isinstance(events, list) else []):
        members.append((f"reversalEvents[{position}]", "x402_reversal_events", event))
    for path, artifact_type, member in members:
        if isinstance(member, dict):
            text = kernel_json.dumps(member)
            part = kernel_json.Document(member, text, document.plain)
            inside[path] = _judge(HASH_RULES[artifact_type], part)
        elif member is not None:
            got = type(member).__name__
            raise Refusal("artifact_member", f"got a {got} as {path}, expected an object")
    found = x402.errors(value, inside)
    verdict = "mismatch" if found else "unhashed"
    # A warning is told beside a verdict that it does not change.
    told = found or x402.warnings(value)
    code, expected, got_value = told[0] if told else _NO_FINDING
    return VerifiedArtifact(value, document.canonical, verdict, code, expected, got_value, inside)
