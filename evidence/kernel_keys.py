"""The kernel's keys and signatures: how it names a key, what it signs, and whose agents we know.

What belongs here: key ids over PEM text, Ed25519 over the 32 raw bytes of a digest, and the agents'
keys that an operator vouches for. What does not: what a digest covers (artifacts.py), and the
envelope over a whole export (signatures.py).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from evidence import canonical, signatures
from evidence.errors import Refusal
from evidence.keys import public_key_from_pem, public_key_pem
from evidence.signatures import Signer

_HEX_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_EVERY_TENANT: Final = "*"

VALID: Final = "valid"
INVALID: Final = "invalid"
UNKNOWN_KEY: Final = "unknown_key"
ABSENT: Final = "absent"
_OUTSIDE_HASH: Final = frozenset({"artifactHash", "signature"})
_NOBODY: Final[tuple[bytes, frozenset[str]]] = (b"", frozenset())


def kernel_key_ids(pem: str) -> frozenset[str]:
    """The ids the kernel may give one key: it hashes PEM text, with or without the last newline.

    Returns:
        Two ids of the form `key_` and 24 hex digits.
    """
    body = pem.rstrip("\n")
    return frozenset(
        f"key_{hashlib.sha256(text.encode()).hexdigest()[:24]}" for text in (body, f"{body}\n")
    )


def index_kernel_keys(pems: Iterable[str]) -> dict[str, str]:
    """PEM by every id the kernel may use for it."""
    return {keyid: pem for pem in pems for keyid in kernel_key_ids(pem)}


def is_digest_signed(pem: str, digest: str, signature: str) -> bool:
    """Whether a key signed a digest as the kernel does: over its 32 raw bytes, not its hex text.

    Args:
        pem: Ed25519 public key, SubjectPublicKeyInfo.
        digest: 64 lower-case hex digits.
        signature: standard base64 of 64 bytes.
    """
    if not _HEX_SHA256.fullmatch(digest):
        return False
    return is_signed_by(pem.encode(), bytes.fromhex(digest), signature)


def key_id_of(public_key: bytes) -> str:
    """The id by which the kernel's convention names a raw public key: over its PEM text."""
    pem = public_key_pem(public_key)
    return f"key_{hashlib.sha256(pem.encode()).hexdigest()[:24]}"


def sign_document(
    document: Mapping[str, Any], signer: Signer, key_id: str | None = None
) -> dict[str, Any]:
    """A document with `artifactHash` and `signature` as the kernel's own scripts write them.

    Args:
        document: Without these two members; of integers, texts and plain names alone, on which the
            kernel's canonical form and the packet's are the same.
        signer: Signs the 32 raw bytes of the hash.
        key_id: The name a partner knows the key by; the kernel's convention when None.

    Returns:
        The document with both members; the hash covers neither, so it is the same under every key.
    """
    body = {name: value for name, value in document.items() if name not in _OUTSIDE_HASH}
    digest = canonical.document_hash(body)
    signature = {
        "algorithm": "Ed25519",
        "keyId": key_id or key_id_of(signer.public_key),
        "signatureBase64": base64.b64encode(signer.sign(bytes.fromhex(digest))).decode(),
    }
    return {**body, "artifactHash": digest, "signature": signature}


def is_signed_by(pem: bytes, message: bytes, signature: str) -> bool:
    """Whether a base64 Ed25519 signature over `message` is that of the key in `pem`."""
    try:
        key = public_key_from_pem(pem.decode("ascii", "replace"))
        return signatures.is_signed(key, signatures.b64_decode(signature), message)
    except Refusal:
        return False


class AgentKeys:
    """Public keys of agents whose signatures can be checked, with the tenants they act in.

    They come out of band, never from an export. An agent's key vouches for what the agent signed
    and for nothing else.

    Args:
        keys: PEM and the tenants it acts in (`*` is all), one pair a key.

    Raises:
        Refusal: `trust_key_type`: a PEM holds no Ed25519 public key.
    """

    def __init__(self, keys: Iterable[tuple[str, Iterable[str]]] = ()) -> None:
        self._known: dict[str, tuple[bytes, frozenset[str]]] = {}
        for pem, tenants in keys:
            known = public_key_from_pem(pem), frozenset(tenants)
            self._known |= dict.fromkeys(kernel_key_ids(pem), known)

    def check(self, artifact: Mapping[str, Any], digest: str) -> str:
        """What an artifact's signature over its digest is worth.

        Returns:
            `valid`, `invalid` (a known agent's name over a signature that is not the agent's),
            `unknown_key`, or `absent`.
        """
        signer, signature = artifact.get("signerKeyId"), artifact.get("signature")
        if isinstance(signature, dict):
            # The published example nests what travels flat on the wire.
            signer = signature.get("signerKeyId", signer)
            signature = signature.get("signature")
        raw, tenants = self._known.get(str(signer), _NOBODY)
        if not tenants & {_EVERY_TENANT, str(artifact.get("tenantId"))}:
            return ABSENT if signature is None else UNKNOWN_KEY
        try:
            signed = signatures.b64_decode(signature)
        except Refusal:
            return INVALID
        return VALID if signatures.is_signed(raw, signed, bytes.fromhex(digest)) else INVALID
