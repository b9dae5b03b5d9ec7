"""The kernel's x402 record: an envelope without a hash around parts that have one.

What belongs here: whether the envelope, its parts and the provider's signatures say the same, by
the kernel's own names. What does not: the parts' own hashes (artifacts.py), whose keys to trust.

The provider's keys come with the record, so its signatures show that envelope and evidence belong
together, not who wrote them. Nothing here looks at amounts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol

from evidence import kernel_json
from evidence.kernel_keys import is_digest_signed

QUOTE_MATERIAL_MISSING: Final = "provider_quote_signature_material_missing"


class Finding(NamedTuple):
    """One rule that does not hold, with what the record claims and what was found."""

    code: str
    expected: str | None = None
    got: str | None = None


class _Part(Protocol):
    @property
    def value(self) -> dict[str, Any]: ...
    @property
    def verdict(self) -> str: ...
    @property
    def expected(self) -> str | None: ...
    @property
    def got(self) -> str | None: ...


def errors(
    envelope: Mapping[str, Any], inside: Mapping[str, _Part], *, strict: bool = False
) -> list[Finding]:
    """Every rule that a record breaks, the parts' own first.

    Args:
        envelope: the record.
        inside: its judged parts, by member path.
        strict: whether a quote signature that was required must be there to be checked.
    """
    found = list(_parts(inside))
    if not found:
        found.extend(_bound(envelope, inside))
    found.extend(_evidence(envelope, inside))
    found.extend(_provider(envelope))
    found.extend(_quote(envelope))
    if strict:
        missing = [w for w in warnings(envelope) if w.code == QUOTE_MATERIAL_MISSING]
        found.extend(Finding(f"strict_{warning.code}") for warning in missing)
    return found


def warnings(envelope: Mapping[str, Any]) -> list[Finding]:
    """What does not disprove a record: no quote material, a key that ended after it signed."""
    found: list[Finding] = []
    quote = _at(envelope, "bindings", "providerQuoteSig")
    material = envelope.get("providerQuoteSignature"), envelope.get("providerQuotePayload")
    if isinstance(quote, dict) and quote.get("required") is True and None in material:
        found.append(Finding(QUOTE_MATERIAL_MISSING))
    for signature, key, code in _SIGNATURES:
        status = _at(envelope, "verificationContext", key, "status")
        signed = envelope.get(signature) is not None
        if signed and status is not None and status != "active":
            found.append(Finding(f"{code}_signer_key_currently_invalid", "active", _text(status)))
    return found


_SIGNATURES: Final = (
    ("providerSignature", "providerSigningKey", "provider_signature"),
    ("providerQuoteSignature", "providerQuoteSigningKey", "provider_quote_signature"),
)
_ENDED: Final = ("revokedAt", "rotatedAt")


def _parts(inside: Mapping[str, _Part]) -> Iterator[Finding]:
    for path, part in inside.items():
        if part.verdict == "mismatch":
            code = {
                "decisionRecord": "decision_record_hash_mismatch",
                "settlementReceipt": "settlement_receipt_hash_mismatch",
            }.get(path, "reversal_event_hash_mismatch")
            yield Finding(code, part.expected, part.got)


def _bound(envelope: Mapping[str, Any], inside: Mapping[str, _Part]) -> Iterator[Finding]:
    """The first link between envelope, receipt and decision that does not hold."""
    receipt = inside["settlementReceipt"].value if "settlementReceipt" in inside else None
    decision = inside["decisionRecord"].value if "decisionRecord" in inside else None
    if receipt is None:
        if decision is not None:
            yield Finding("settlement_receipt_missing")
        return
    reference = receipt.get("decisionRef")
    if decision is None:
        yield Finding("decision_record_missing")
        return
    if not isinstance(reference, dict):
        yield Finding("settlement_receipt_decision_ref_missing")
        return
    for code, holder, other, name in (
        ("x402_receipt_id_mismatch", envelope, receipt, "receiptId"),
        ("x402_run_id_mismatch", envelope, receipt, "runId"),
        ("settlement_receipt_decision_id_mismatch", reference, decision, "decisionId"),
        ("settlement_receipt_decision_hash_mismatch", reference, decision, "decisionHash"),
        ("settlement_receipt_run_id_mismatch", receipt, decision, "runId"),
        ("settlement_receipt_settlement_id_mismatch", receipt, decision, "settlementId"),
    ):
        if holder.get(name) != other.get(name):
            yield Finding(code, _text(holder.get(name)), _text(other.get(name)))
            return


def _evidence(envelope: Mapping[str, Any], inside: Mapping[str, _Part]) -> Iterator[Finding]:
    """Request and response: the envelope's bindings, its evidence, and the sealed receipt's."""
    listed = envelope.get("evidenceRefs")
    references = [ref for ref in listed if isinstance(ref, str)] if isinstance(listed, list) else []
    receipt = inside["settlementReceipt"].value if "settlementReceipt" in inside else {}
    for name in ("request", "response"):
        bound = _at(envelope, "bindings", name, "sha256")
        sealed = _at(receipt, "bindings", name, "sha256")
        prefix = f"http:{name}_sha256:"
        known = {ref.removeprefix(prefix) for ref in references if ref.startswith(prefix)}
        known |= {sealed} if isinstance(sealed, str) else set()
        if bound is not None and known and known != {bound}:
            other = min(value for value in known if value != bound)
            yield Finding(f"{name}_hash_binding_mismatch", other, _text(bound))


def _provider(envelope: Mapping[str, Any]) -> Iterator[Finding]:
    """The provider's signature over the response it gave."""
    signature = envelope.get("providerSignature")
    if not isinstance(signature, dict):
        return
    bound = _at(envelope, "bindings", "response", "sha256")
    if bound is not None and signature.get("responseHash") != bound:
        claimed = _text(signature.get("responseHash"))
        yield Finding("provider_signature_response_hash_mismatch", claimed, _text(bound))
    payload = {
        "schemaVersion": "ToolProviderSignaturePayload.v1",
        **{name: signature.get(name) for name in ("responseHash", "nonce", "signedAt")},
    }
    yield from _signed(envelope, "provider_signature", signature, payload, "providerSigningKey")


def _quote(envelope: Mapping[str, Any]) -> Iterator[Finding]:
    """The provider's signature over the price it quoted."""
    signature, payload = (
        envelope.get("providerQuoteSignature"),
        envelope.get("providerQuotePayload"),
    )
    if isinstance(signature, dict) and isinstance(payload, dict):
        yield from _signed(
            envelope, "provider_quote_signature", signature, payload, "providerQuoteSigningKey"
        )


def _signed(
    envelope: Mapping[str, Any],
    code: str,
    signature: Mapping[str, Any],
    payload: dict[str, Any],
    key_name: str,
) -> Iterator[Finding]:
    got = _sha256(payload)
    claimed = signature.get("payloadHash")
    if claimed != got:
        yield Finding(f"{code}_payload_hash_mismatch", _text(claimed), got)
        return
    key = _at(envelope, "verificationContext", key_name)
    if not isinstance(key, dict):
        return
    jwk = key.get("jwk")
    if isinstance(jwk, dict):
        thumbprint = _sha256({name: jwk.get(name) for name in ("kty", "crv", "x")})
        if thumbprint != key.get("jwkThumbprintSha256"):
            stated = _text(key.get("jwkThumbprintSha256"))
            yield Finding(f"{code}_key_thumbprint_mismatch", stated, thumbprint)
    pem, signed = key.get("publicKeyPem"), signature.get("signatureBase64")
    if not (
        isinstance(pem, str) and isinstance(signed, str) and is_digest_signed(pem, got, signed)
    ):
        yield Finding(f"{code}_invalid", _text(key.get("keyId")))
    signed_at = signature.get("signedAt")
    for name in _ENDED:
        ended = key.get(name)
        # Both are the kernel's own UTC text of one width, so their order is that of time.
        if isinstance(ended, str) and isinstance(signed_at, str) and ended <= signed_at:
            yield Finding(f"{code}_signer_key_invalid_at_signing", ended, signed_at)


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str | None:
    return value[:200] if isinstance(value, str) else None


def _sha256(value: dict[str, Any]) -> str:
    return hashlib.sha256(kernel_json.dumps(value).encode()).hexdigest()
